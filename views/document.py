"""Named facts as aligned lines: `Name       value`; nested facts are indented, lists one item per line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from views.color import STATES as STYLES
from views.color import marked, of_state
from views.models import Document, Moment, Octets, PerSecond, Rate, Trend
from views.moment import ago, clock
from views.quantity import octets_text, per_second_text, rate_text
from views.sparkline import sparkline

INNERMOST = 4
"""Indent from which a nested mapping stands on one line."""


STATES = ("state", "result")
"""Facts whose value is a word of state."""


def render_document(document: Document, color: bool = False, unicode: bool = True) -> list[str]:
    """The facts as lines."""
    lines = [document.title] if document.title else []
    indent = "  " if document.title else ""
    if document.flat:
        return lines + list(flat(document.facts, indent, color, unicode))
    return lines + list(facts(document.facts, indent, color))


def flat(values: Mapping[str, object], indent: str, color: bool, unicode: bool) -> Iterator[str]:
    """A line for each fact, what is nested in it behind it; a list goes on below. Words of state are coloured where
    something is in that state.
    """
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        parts = list(value) if isinstance(value, (list, tuple)) else [value]
        label = name.replace("_", " ")
        for part in parts or [None]:
            yield f"{indent}{label.ljust(width)}  {inline(part, color, unicode)}"
            label = ""


def inline(value: object, color: bool, unicode: bool) -> str:
    """A value in one line: numbers before their names (3 up), other facts behind theirs; what is not known is left
    out."""
    if not isinstance(value, Mapping):
        return of_state(plain(value)) if color else plain(value)
    parts = []
    for name, item in value.items():
        word = name.replace("_", " ")
        if item is None or item == "" or (isinstance(item, Trend) and not item.values):
            continue
        if type(item) is int:
            style = STYLES.get(word) if color and item else None
            parts.append(f"{item} {marked(word, style) if style else word}")
        elif isinstance(item, Trend):
            parts.append(sparkline(item.values, unicode))
        elif isinstance(item, (list, tuple)):
            parts.append(f"({', '.join(map(plain, item))})")
        else:
            parts.append(f"{word} {when(item) if isinstance(item, Moment) else plain(item)}")
    return "   ".join(parts) or "-"


def when(moment: Moment) -> str:
    """How long ago, or at what time of the day it will be."""
    if moment > time.time():
        return time.strftime("%H:%M:%S", time.localtime(moment))
    return f"{ago(moment)} ago"


def facts(values: Mapping[str, object], indent: str, color: bool = False) -> list[str]:
    """One mapping, names padded to one column."""
    width = max((len(name) for name in values), default=0)
    lines: list[str] = []
    for name, value in values.items():
        label = name.replace("_", " ").ljust(width)
        if isinstance(value, Mapping) and len(indent) < INNERMOST:
            lines.append(f"{indent}{label.rstrip()}")
            lines += facts(value, indent + "  ", color)
        elif isinstance(value, (list, tuple)):
            texts = [plain(item) for item in value] or ["-"]
            lines.append(f"{indent}{label}  {texts[0]}")
            lines += [f"{indent}{' ' * width}  {text}" for text in texts[1:]]
        else:
            text = of_state(plain(value)) if color and name in STATES else plain(value)
            lines.append(f"{indent}{label}  {text}")
    return lines


def plain(value: object) -> str:
    """One value."""
    if value is None or value == "":
        return "-"
    if isinstance(value, Moment):
        return clock(value)
    if isinstance(value, Rate):
        return rate_text(value)
    if isinstance(value, PerSecond):
        return per_second_text(value)
    if isinstance(value, Octets):
        return octets_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "  ".join(f"{name} {plain(item)}" for name, item in value.items())
    return str(value)
