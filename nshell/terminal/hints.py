"""What Tab and `?` say about a line that is typed, at the prompt and behind `:` of a dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.language.complete import complete, help_lines
from commands.language.lexer import lex

if TYPE_CHECKING:
    from nshell.sessions.session import Session


def help_for(session: Session, text: str, columns: int) -> list[str] | None:
    """What `?` prints for this text; None inside quotes, where it is a character."""
    if lex(text).open_quote:
        return None
    return help_lines(session.mode, text, session, columns)


def addition_for(session: Session, text: str, columns: int) -> tuple[str, list[str]]:
    """What is certain to come next in this text, and the lines that say what there is."""
    found = complete(session.mode, text, session)
    words = [candidate.word for candidate in found.candidates if not candidate.hint and candidate.word != "|"]
    typed = text[found.start :]
    if len(words) == 1:
        return (words[0][len(typed) :] if words[0].startswith(typed) else "") + " ", []
    common = beginning(words)
    if len(common) > len(typed) and common.startswith(typed):
        return common[len(typed) :], []
    return "", (help_for(session, text, columns) or []) if found.candidates else []


def beginning(words: list[str]) -> str:
    """The longest text that all words begin with."""
    if not words:
        return ""
    low, high = min(words), max(words)
    at = next(
        (at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), min(len(low), len(high))
    )
    return low[:at]
