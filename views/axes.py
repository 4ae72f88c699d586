"""The axes of a graph: where ticks stand and what is written at them, for terminals and files alike. Pure.

values   0, and multiples of 1, 2, 2.5 or 5 times a power of ten, in the unit with a prefix of the SI: Mbit/s
time     whole seconds, minutes, hours, days or months of local time; what is written is as long as it must be
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from views.quantity import PREFIXES

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (
    1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 364 * DAY,
)  # fmt: skip
"""Seconds between two ticks of time."""
LEAST = 0.001
"""The smallest end of an axis of values: four in an hour."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis of values: `top` is its upper end and `ticks` where something is written, both in the graph's unit;
    `factor` is that of the prefix in `unit`."""

    top: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    unit: str
    factor: float

    def text(self, value: float) -> str:
        """A value in the axis' unit, three digits of it."""
        value /= self.factor
        return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.3g}"


def scale(highest: float, unit: str, most: int) -> Scale:
    """An axis from 0 to at least `highest`, with at most so many ticks above 0 (and at least one)."""
    highest = max(highest, LEAST) if highest > 0 else 1.0
    least = highest / max(1, most)
    magnitude = 10.0 ** math.floor(math.log10(least))
    size = next(size for size in (1, 2, 2.5, 5, 10) if size * magnitude >= least * (1 - 1e-9))
    step = size * magnitude
    count = max(1, math.ceil(highest / step - 1e-9))
    power = min(len(PREFIXES) - 1, max(0, math.floor(math.log10(count * step) + 1e-9) // 3))
    factor = 1000.0**power
    ticks = tuple(step * at for at in range(count + 1))
    digits = max(0, -math.floor(math.log10(step / factor) + 1e-9)) + (size == 2.5)
    digits = digits if step / factor < 1 or size != 2.5 or step / factor >= 10 else 1
    if step / factor >= 10:
        digits = 0
    labels = tuple(f"{tick / factor:.{digits}f}" if tick else "0" for tick in ticks)
    return Scale(ticks[-1], ticks, labels, f"{PREFIXES[power]}{unit}", factor)


def times(since: float, until: float, most: int) -> list[tuple[float, str]]:
    """At most so many ticks of local time between two moments, each with what is written there."""
    length = max(until - since, 1.0)
    step = next((step for step in STEPS if length / step <= max(1, most)), STEPS[-1])
    found = list(_ticks(since, until, step))
    form = "%H:%M:%S" if step < MINUTE else "%H:%M" if step < DAY else "%-d %b" if step < 364 * DAY else "%Y"
    labels = []
    day = None
    for tick in found:
        at = time.localtime(tick)
        text = time.strftime(form, at)
        if step < DAY and length > DAY and day != at.tm_yday and at.tm_hour == 0 and at.tm_min == 0:
            text = time.strftime("%-d %b", at)  # midnight says which day begins
        day = at.tm_yday
        labels.append((tick, text))
    return labels


def _ticks(since: float, until: float, step: int) -> Iterator[float]:
    """Multiples of the step by the local clock, which a change to or from summer time shifts."""
    start = datetime.fromtimestamp(since)
    if step < DAY:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        at = midnight + timedelta(seconds=math.ceil((start - midnight).total_seconds() / step) * step)
    else:
        days = step // DAY
        ordinal = -(-(start.toordinal() + (start.timestamp() > datetime(*start.timetuple()[:3]).timestamp())) // days)
        at = datetime.fromordinal(ordinal * days)
    while (moment := at.timestamp()) <= until:
        if moment >= since:
            yield moment
        at += timedelta(seconds=step)


def highest(values: Sequence[float | None]) -> float:
    """The largest value that is known; 0 when none is."""
    return max((value for value in values if value is not None), default=0.0)
