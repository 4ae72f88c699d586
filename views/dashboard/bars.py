"""Graphs in a panel: values lately as a filled line of several rows, of ▁▂▃ or, where there is only ASCII, #."""

from __future__ import annotations

from collections.abc import Sequence

from views.sparkline import UNICODE

__all__ = ["area", "bar"]


def area(values: Sequence[float], width: int, height: int, unicode: bool, top: float = 0.0) -> list[str]:
    """Rows of a graph, the highest first, against the largest value (or `top`, when that is more). The newest value is
    at the right; each is as many cells wide as there is room for.
    """
    if width <= 0 or height <= 0:
        return []
    each = max(1, width // max(1, len(values)))
    shown = values[-(width // each) :]
    top = max([top, *shown])
    steps = [round(max(0.0, value) / top * height * 8) if top > 0 else 0 for value in shown]
    rows = []
    for row in range(height - 1, -1, -1):
        cells = []
        for step in steps:
            filled = min(8, max(0, step - row * 8))
            if not filled and not row:
                filled = 1  # a line at the bottom: time went by, nothing passed
            if unicode:
                cells.append((" " if not filled else UNICODE[filled - 1]) * each)
            else:
                cells.append((" " if not filled else "_" if filled < 3 else "#") * each)
        rows.append("".join(cells).rjust(width))
    return rows


def bar(share: float, width: int, unicode: bool) -> str:
    """A share of one as a bar of `width` cells."""
    filled = round(min(1.0, max(0.0, share)) * width)
    return ("█" if unicode else "#") * filled + ("░" if unicode else ".") * (width - filled)
