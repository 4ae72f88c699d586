"""Numbers as a line of small bars, against the largest of them: ▁▂▃▅▇ or, where there is only ASCII, _.-=#."""

from __future__ import annotations

from collections.abc import Sequence

UNICODE = "▁▂▃▄▅▆▇█"
ASCII = "_.-=#"


def sparkline(values: Sequence[float | None], unicode: bool = True) -> str:
    """One character per value; none at all is the lowest bar, and so is a flat zero. What is not known is a blank."""
    bars = UNICODE if unicode else ASCII
    top = max((value for value in values if value is not None), default=0.0)
    height = (len(bars) - 1) / top if top > 0 else 0.0
    return "".join(
        " " if value is None else bars[min(len(bars) - 1, int(max(0.0, value) * height + 0.5))] for value in values
    )
