"""Named facts as aligned lines: `Name       value`; nested facts are indented, lists one item per line."""

from __future__ import annotations

from collections.abc import Mapping

from views.color import of_state
from views.models import Document, Moment
from views.moment import clock

INNERMOST = 4
"""Indent from which a nested mapping stands on one line."""


STATES = ("state", "result")
"""Facts whose value is a word of state."""


def render_document(document: Document, color: bool = False) -> list[str]:
    """The facts as lines."""
    lines = [document.title] if document.title else []
    return lines + list(facts(document.facts, "  " if document.title else "", color))


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
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "  ".join(f"{name} {plain(item)}" for name, item in value.items())
    return str(value)
