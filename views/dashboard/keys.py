"""The keys that every screen has: said once, for who reads them, for the last line, and for a click there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.binding import Binding

__all__ = ["KEYS", "NUMBERS", "TYPED", "Key", "bindings"]

NUMBERS = 9
"""Screens that have a number."""


@dataclass(frozen=True, slots=True)
class Key:
    """`sign` and `what` stand in the last line; `name` is what Textual calls the key, '' where it is the table's own;
    `action` is the dashboard's. A key that is `text` is one where somebody types.
    """

    sign: str
    what: str
    action: str
    name: str = ""
    text: bool = True


KEYS = (
    Key("enter", "into", "into"),
    Key("esc", "back", "back", "escape", text=False),
    Key("/", "filter", "filter", "slash"),
    Key("s", "sort", "sort"),
    Key(":", "command", "command", "colon"),
    Key("r", "refresh", "refresh_now", "r"),
    Key("p", "pause", "pause", "p"),
    Key("t", "theme", "theme", "t"),
    Key("?", "help", "help", "question_mark"),
    Key("q", "quit", "leave", "q"),
)
"""In the order of the last line."""
TYPED = frozenset({"screen", *(key.action for key in KEYS if key.text)})
"""Actions whose keys are text where somebody types."""


def bindings() -> Iterator[Binding]:
    """Keys before any widget gets them, in their order, so that what is typed fast after `:` is typed there."""
    for number in range(NUMBERS):
        yield Binding(str(number + 1), f"screen({number})", show=False, priority=True)
    for key in KEYS:
        if key.name:
            yield Binding(key.name, key.action, show=False, priority=True)
    for name in ("ctrl+c", "ctrl+q"):
        yield Binding(name, "interrupt", show=False, priority=True)
