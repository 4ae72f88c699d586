"""What telemetry knows of a policy entry: how often it was met, when last, and since when anybody counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from commands.context import Context
from commands.times import past
from controller.telemetry.archive import Series
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.schema.objects import Entry

if TYPE_CHECKING:
    from controller.telemetry.board import Latest

__all__ = ["Hits", "hits_of"]

_POINTS = 120  # steps in which the first and the last hit are looked for
_FINER = 3  # times, each inside a step of the time before: days, hours, half a minute
_IN_ONE_GO = 256  # entries, of which the loop has 5 ms of work between two reads
_YEAR = "365d"  # for which hits are kept
Piece: TypeAlias = "tuple[float, float]"
"""A time: when it begins, in seconds since the epoch, and how long it is."""


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


async def hits_of(context: Context, entries: Sequence[Entry], now: float) -> list[Hits]:
    """Of each entry, from its series, which are read together. Raises StoreUnavailable."""
    found: list[Hits] = []
    for start in range(0, len(entries), _IN_ONE_GO):
        found += await _hits_of_some(context, entries[start : start + _IN_ONE_GO], now)
    return found


async def _hits_of_some(context: Context, entries: Sequence[Entry], now: float) -> list[Hits]:
    telemetry = context.fabric.telemetry
    keys = [SeriesKey(Level.RULE, entry.uuid) for entry in entries]
    seen = {key: latest for key in keys if (latest := telemetry.latest(key)) is not None}
    year = await _read(context, list(seen), past(_YEAR, now), now)
    first: dict[SeriesKey, Piece] = {}
    last: dict[SeriesKey, Piece] = {}
    for key, latest in seen.items():
        known = [at for at, value in enumerate(_values(year[key])) if value is not None]
        hits = [at for at in known if _values(year[key])[at]]
        if known:
            first[key] = _step(year[key], known[0])
        if hits and not latest.rates.get(Measure.HIT_PACKETS):  # one that is met now was met last now
            last[key] = _step(year[key], hits[-1])
    watched = await _finer(context, first, now, first=True)
    met = await _finer(context, last, now, first=False)
    return [_hits(seen[key], met.get(key), watched.get(key)) if key in seen else Hits() for key in keys]


def _hits(latest: Latest, met: float | None, watched: float | None) -> Hits:
    total, rate = latest.totals.get(Measure.HIT_PACKETS, 0), latest.rates.get(Measure.HIT_PACKETS)
    return Hits(total, rate, latest.time if rate else met, latest.time if watched is None else watched)


async def _read(context: Context, keys: Sequence[SeriesKey], since: float, until: float) -> Mapping[SeriesKey, Series]:
    return await context.fabric.telemetry.series_of_many(keys, [Measure.HIT_PACKETS], since, until, _POINTS)


def _values(series: Series) -> Sequence[float | None]:
    return series.values.get(Measure.HIT_PACKETS, ())


def _step(series: Series, at: int) -> Piece:
    return series.since + at * series.step, series.step


async def _finer(
    context: Context, pieces: Mapping[SeriesKey, Piece], now: float, *, first: bool
) -> dict[SeriesKey, float]:
    """The beginning of what is first known in each piece, or the end of the last hit in it, as finely as it is kept.
    Series with the same piece are read together."""
    found, open_ones = dict(pieces), dict(pieces)
    for _ in range(_FINER):
        alike: dict[Piece, list[SeriesKey]] = {}
        for key, piece in open_ones.items():
            alike.setdefault(piece, []).append(key)
        open_ones = {}
        for (begin, width), keys in alike.items():
            for key, inside in (await _read(context, keys, begin, min(now, begin + width))).items():
                numbers = enumerate(_values(inside))
                steps = [at for at, value in numbers if (value is not None if first else value)]
                if steps and inside.step < width:
                    found[key] = open_ones[key] = _step(inside, steps[0 if first else -1])
    return {key: begin if first else min(now, begin + width) for key, (begin, width) in found.items()}
