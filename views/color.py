"""Modest colour on terminals: words of state, errors, + and - of a difference. The words say it all without it.

A renderer puts marks around a text; `views/render.py` turns them into what a terminal understands when the text leaves.
The marks are characters of a private plane, not escape sequences: what a hypervisor calls itself could at worst tint
its own line, never move a cursor. Each line ends in its own colour's end, so nothing runs over.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

END = "\U000f0000"
"""The mark behind a coloured text."""


class Style(StrEnum):
    """What a text says, as its mark. Which colour that is stands in `SEQUENCES` alone."""

    GOOD = "\U000f0001"
    SOON = "\U000f0002"
    BAD = "\U000f0003"
    TITLE = "\U000f0004"
    FIRST = "\U000f0005"
    SECOND = "\U000f0006"
    THIRD = "\U000f0007"
    FOURTH = "\U000f0008"


SEQUENCES = {
    ord(END): "\x1b[0m",
    ord(Style.GOOD): "\x1b[32m",
    ord(Style.SOON): "\x1b[33m",
    ord(Style.BAD): "\x1b[31m",
    ord(Style.TITLE): "\x1b[1m",
    ord(Style.FIRST): "\x1b[36m",
    ord(Style.SECOND): "\x1b[33m",
    ord(Style.THIRD): "\x1b[35m",
    ord(Style.FOURTH): "\x1b[34m",
}
"""Marks -> the sequences of every terminal of the last forty years (ISO 6429)."""
PLAIN = dict.fromkeys(SEQUENCES)
LINES = (Style.FIRST, Style.SECOND, Style.THIRD, Style.FOURTH)
"""Of the lines of a graph, in their order; they begin again after the last."""

STATES = {
    **dict.fromkeys(
        ("up", "ready", "verified", "applied", "confirmed", "functional", "ok", "established", "reachable", "in sync"),
        Style.GOOD,
    ),
    **dict.fromkeys(
        (
            "programming", "connected", "pending", "unconfirmed", "scheduled", "confirmed-pending", "new", "changed",
            "connect", "active", "opensent", "openconfirm",
        ),
        Style.SOON,
    ),
    **dict.fromkeys(
        (
            "away", "unresolved", "failed", "refused", "missed", "reverted", "unknown", "fault", "revoked", "idle",
            "lost", "down",
        ),
        Style.BAD,
    ),
}  # fmt: skip
"""Words of state; of a longer text the first word is looked up, so that 'unconfirmed, 4:31 left' is one. A BGP session
comes up by way of connect ... openconfirm (RFC 4271 section 8.2.2)."""


def wants_color(term: str, environment: Mapping[str, str]) -> bool:
    """Whether a terminal of this type and environment is for colour (https://no-color.org). The thin client asks the
    same of its own, without this module.
    """
    return term not in ("", "dumb", "vt100") and not environment.get("NO_COLOR")


def marked(text: str, style: Style) -> str:
    """The text in this style; blanks at its ends stay outside."""
    inner = text.strip()
    if not inner:
        return text
    start = len(text) - len(text.lstrip())
    return f"{text[:start]}{style}{inner}{END}{text[start + len(inner) :]}"


def of_state(text: str) -> str:
    """A word of state in its style, other text as it is."""
    style = style_of_state(text)
    return marked(text, style) if style else text


def style_of_state(text: str) -> Style | None:
    """What a word of state says; None for any other text."""
    words = text.split(maxsplit=1)
    return STATES.get(text.strip()) or (STATES.get(words[0].rstrip(",")) if words else None)


def of_difference(line: str) -> str:
    """A line of a difference: what comes, what goes, what acts from then on or not any more."""
    if line.startswith(("+", "set ")):
        return marked(line, Style.GOOD)
    if line.startswith(("-", "delete ")):
        return marked(line, Style.BAD)
    return marked(line, Style.SOON) if line.startswith("!") else line
