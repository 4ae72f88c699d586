"""A graph over time as a read-model: lines of values with a unit, on screen, in JSON, or as SVG or PNG in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Graph", "Line"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a graph: a value per step from `since` on; None where nothing is known."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Graph:
    """Values over time. `since` is seconds since the epoch, `step` the seconds between two values; `unit` is "bit/s",
    "packet/s" or a word of its own."""

    title: str
    unit: str
    since: float
    step: float
    lines: tuple[Line, ...]
    note: str = ""
