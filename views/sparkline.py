"""Numbers as a line of small bars, against the largest of them: ▁▂▃▅▇ or, where there is only ASCII, _.-=#."""

from __future__ import annotations

from collections.abc import Sequence

UNICODE = "▁▂▃▄▅▆▇█"
ASCII = "_.-=#"


def sparkline(values: Sequence[float], unicode: bool = True) -> str:
    """One character per value; nothing at all is the lowest bar, and so is a flat zero."""
    bars = UNICODE if unicode else ASCII
    top = max(values, default=0)
    if top <= 0:
        return bars[0] * len(values)
    return "".join(bars[min(len(bars) - 1, int(max(0.0, value) / top * (len(bars) - 1) + 0.5))] for value in values)
