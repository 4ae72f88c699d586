"""What telemetry knows of a policy entry: how often it was met, when last, and since when anybody counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commands.context import Context
from commands.times import past
from controller.telemetry.archive import Series
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.schema.objects import Entry

__all__ = ["Hits", "hits_of"]

_POINTS = 120  # steps in which the first and the last hit are looked for
_FINER = 3  # times, each inside a step of the time before: days, hours, half a minute
_YEAR = "365d"  # for which hits are kept


@dataclass(frozen=True, slots=True)
class Hits:
    """What telemetry knows of an entry: hits since it is watched, packets per second now, the last hit, since when."""

    hits: int | None = None
    rate: float | None = None
    last: float | None = None
    watched: float | None = None

    def use(self, since: float) -> str:
        """'used', 'unused' or 'new', of the time since then."""
        if self.hits is None or self.watched is None:
            return "new"
        if self.last is not None and self.last >= since:
            return "used"
        return "new" if self.watched > since else "unused"


async def hits_of(context: Context, entry: Entry, now: float) -> Hits:
    """Of an entry, from its series: two reads of the archive, up to eight when it was met lately. Raises
    StoreUnavailable."""
    key = SeriesKey(Level.RULE, entry.uuid)
    latest = context.fabric.telemetry.latest(key)
    if latest is None:
        return Hits()
    total, rate = latest.totals.get(Measure.HIT_PACKETS, 0), latest.rates.get(Measure.HIT_PACKETS)
    year = await _series(context, key, past(_YEAR, now), now)
    known = [at for at, value in enumerate(_values(year)) if value is not None]
    if not known:
        return Hits(total, rate, latest.time if rate else None, latest.time)
    watched = await _finer(context, key, year, known[0], now, first=True)
    hits = [at for at in known if _values(year)[at]]
    last = latest.time if rate else None
    if hits and last is None:
        last = await _finer(context, key, year, hits[-1], now, first=False)
    return Hits(total, rate, last, watched)


async def _series(context: Context, key: SeriesKey, since: float, until: float) -> Series:
    return await context.fabric.telemetry.series(key, [Measure.HIT_PACKETS], since, until, _POINTS)


def _values(series: Series) -> Sequence[float | None]:
    return series.values.get(Measure.HIT_PACKETS, ())


async def _finer(context: Context, key: SeriesKey, series: Series, at: int, now: float, *, first: bool) -> float:
    """The beginning of what is first known in a step, or the end of the last hit in it, as finely as it is kept."""
    begin, width = series.since + at * series.step, series.step
    for _ in range(_FINER):
        inside = await _series(context, key, begin, min(now, begin + width))
        found = [n for n, value in enumerate(_values(inside)) if (value is not None if first else value)]
        if not found or inside.step >= width:
            break
        begin, width = inside.since + found[0 if first else -1] * inside.step, inside.step
    return begin if first else min(now, begin + width)
