"""Numbers of objects, of now or of a period in the past: what `show statistics` and graphs are made of.

now      what was seen at the last look (Telemetry.latest), and lately (Telemetry.recent)
past     what the archive has of the period: in all, and the mean per second of the time that is known
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from commands.statistics.figures import Numbers
from commands.times import past
from controller.telemetry.keys import GAUGES, MEASURES_OF, Level, Measure, SeriesKey
from data.errors import CommandFailed
from data.steps import Pace

if TYPE_CHECKING:
    from commands.language.registry import Arguments
    from controller.telemetry.baseline import Baseline
    from controller.telemetry.board import Latest
    from controller.telemetry.service import Telemetry

POINTS = 12
"""Values of a sparkline in a table."""
TOGETHER = 16
"""Series that are made numbers of between two looks at the clock, 0.5 ms."""
NOTHING = Numbers({}, {})


@dataclass(frozen=True, slots=True)
class Period:
    """A time that is looked at, in seconds since the epoch."""

    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Course:
    """Regular steps of the sums of some series, per second (gauges: values); None where nothing is known of any.
    `totals` is what was counted in the period in all, gauges left out.
    """

    since: float
    step: float
    values: Mapping[Measure, Sequence[float | None]]
    totals: Mapping[Measure, int] = field(default_factory=dict)

    def known(self, measure: Measure) -> list[float]:
        """The values that are known."""
        return [value for value in self.values.get(measure, ()) if value is not None]


def period(arguments: Arguments, default: float | None = None) -> Period | None:
    """What `since` and `until` mean; without them the last `default` seconds, or None. Raises CommandFailed."""
    now = time.time()
    until = past(arguments.values["until"], now) if arguments.get("until") is not None else now
    if arguments.get("since") is None:
        return None if default is None else Period(until - default, until)
    since = past(arguments.values["since"], now)
    if since >= now:
        raise CommandFailed("since", "that is still to come", "write how long ago, as 2h, or when, as 14:00")
    if since >= until:
        raise CommandFailed("since", "the period ends before it begins", "write since 2h until 1h, or since 14:00")
    return Period(since, until)


def latest(counted: Telemetry, key: SeriesKey, cleared: Baseline | None = None) -> Numbers:
    """What was seen of one key at the last look; totals since it was cleared."""
    seen = counted.latest(key)
    return NOTHING if seen is None else as_seen(seen, key, cleared)


def as_seen(seen: Latest, key: SeriesKey, cleared: Baseline | None) -> Numbers:
    """What was seen of a key, its totals since it was cleared."""
    return Numbers(seen.totals if cleared is None else cleared.since(key, seen.totals), seen.rates)


def lately(counted: Telemetry, key: SeriesKey) -> Mapping[Measure, Sequence[float | None]]:
    """The last rates of one key."""
    return {measure: counted.recent(key, measure, POINTS) for measure in MEASURES_OF[key.level]}


async def course(
    counted: Telemetry, keys: Sequence[SeriesKey], measures: Sequence[Measure], when: Period, points: int
) -> Course:
    """The sum of some series over a period, without totals. Raises StoreUnavailable."""
    found = [await counted.series(key, measures, when.since, when.until, points) for key in keys]
    first = found[0]
    if len(found) == 1:
        return Course(first.since, first.step, first.values)
    rows = {measure: zip(*(one.values[measure] for one in found), strict=False) for measure in measures}
    return Course(first.since, first.step, {measure: [_sum(row) for row in rows[measure]] for measure in measures})


async def whole(counted: Telemetry, keys: Sequence[SeriesKey], when: Period, points: int) -> Course:
    """The same of every measure, with totals. Raises StoreUnavailable."""
    measures = MEASURES_OF[keys[0].level]
    over = await course(counted, keys, measures, when, points)
    totals: dict[Measure, int] = {}
    for key in keys:
        for measure, number in (await counted.total(key, measures, when.since, when.until)).items():
            if over.known(measure):
                totals[measure] = totals.get(measure, 0) + number
    return replace(over, totals=totals)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def means(values: Sequence[float | None], most: int) -> list[float | None]:
    """So many values at most, each the mean of what is known of its part; None where nothing is."""
    count = len(values)
    if count <= most:
        return list(values)
    parts = [values[at * count // most : (at + 1) * count // most] for at in range(most)]
    known = [[value for value in part if value is not None] for part in parts]
    return [sum(part) / len(part) if part else None for part in known]


def summary(level: Level, over: Course) -> Numbers:
    """A course as numbers: means of what is known, of a gauge the last value."""
    totals: dict[Measure, float] = dict(over.totals)
    rates: dict[Measure, float] = {}
    shown: dict[Measure, Sequence[float | None]] = {}
    for measure in MEASURES_OF[level]:
        known = over.known(measure)
        if known:
            rates[measure] = sum(known) / len(known)
            shown[measure] = over.values[measure]
            if measure in GAUGES:
                totals[measure] = known[-1]
    return Numbers(totals, rates, shown)


async def in_the_past(
    counted: Telemetry, keys: Sequence[SeriesKey], when: Period, told: Callable[[int], None]
) -> dict[SeriesKey, Numbers]:
    """What the archive has of each key, of one level, without totals; `told` is told how many are read now and then.
    Raises StoreUnavailable."""
    if not keys:
        return {}
    level = keys[0].level
    found = await counted.series_of_many(keys, MEASURES_OF[level], when.since, when.until, POINTS, told)
    pace, numbers = Pace(), dict[SeriesKey, Numbers]()
    for number, (key, one) in enumerate(found.items()):
        numbers[key] = summary(level, Course(one.since, one.step, one.values))
        if number % TOGETHER == 0:
            await pace.breathe()
    return numbers


async def with_totals(
    counted: Telemetry, numbers: Mapping[SeriesKey, Numbers], when: Period
) -> dict[SeriesKey, Numbers]:
    """The same with what was counted in all of that time, of measures of which anything is known. Raises
    StoreUnavailable."""
    if not numbers:
        return {}
    keys = list(numbers)
    added = await counted.totals_of_many(keys, MEASURES_OF[keys[0].level], when.since, when.until)
    return {
        key: replace(its, totals={**its.totals, **{one: added[key][one] for one in its.rates if one in added[key]}})
        for key, its in numbers.items()
    }


def span(when: Period) -> str:
    """'2026-11-23 14:00 - 16:00'."""
    begin, end = time.localtime(when.since), time.localtime(when.until)
    until = "%H:%M" if begin[:3] == end[:3] else "%Y-%m-%d %H:%M"
    return f"{time.strftime('%Y-%m-%d %H:%M', begin)} - {time.strftime(until, end)}"
