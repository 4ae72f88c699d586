"""Text for a narrow screen: broken between words, so that no terminal breaks it within one."""

from __future__ import annotations


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` characters (0: no limit); a hint's own spaces stay."""
    lines: list[str] = []
    while width and len(text) > width:
        at = text.rfind(" ", 0, width + 1)
        at = width if at <= 0 else at
        lines.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*lines, text]


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` characters for a narrow column: names are broken behind - / , and : where
    there is no blank.
    """
    lines: list[str] = []
    while len(text) > width > 0:
        blank = text.rfind(" ", 1, width + 1)
        at = blank if blank > 0 else max(text.rfind(sign, 1, width) + 1 for sign in "-/,:") or width
        lines.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*lines, text]


def indented(text: str, indent: str, width: int) -> list[str]:
    """Each line of the text behind an indent, wrapped."""
    room = max(1, width - len(indent)) if width else 0
    return [indent + part for line in text.splitlines() for part in wrapped(line, room)]
