"""A Telemetry (controller/telemetry/service.py) whose numbers a test says; the archive is a function of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

from controller.telemetry.archive.reading import Series
from controller.telemetry.baseline import Baselines
from controller.telemetry.board import Latest
from controller.telemetry.keys import GAUGES, Level, Measure, SeriesKey
from controller.telemetry.naming import BY_UUID
from data.path import Path

Past = Callable[[SeriesKey, Measure, float], float | None]
"""What the archive says of a measure at a time, per second."""


class FakeTelemetry:
    """Totals and rates by key; `past` gives the archive's values, and `asked` what it was asked for."""

    interval = 10.0
    enabled = True

    def __init__(
        self, past: Past = lambda key, measure, at: None, by_uuid: Callable[[str], Path | None] = lambda uuid: None
    ) -> None:
        self._by_uuid = by_uuid
        self.seen: dict[SeriesKey, Latest] = {}
        self.trends: dict[tuple[SeriesKey, Measure], tuple[float, ...]] = {}
        self.past = past
        self.asked: list[tuple[SeriesKey, float, float, int]] = []
        self.looks = 0
        self.baselines = Baselines()

    def count(
        self, level: Level, name: str, totals: Mapping[Measure, int], rates: Mapping[Measure, float] | None = None
    ) -> SeriesKey:
        """Says what was counted for one key."""
        key = SeriesKey(level, name)
        self.seen[key] = Latest(0.0, totals, rates or {})
        return key

    def latest(self, key: SeriesKey) -> Latest | None:
        return self.seen.get(key)

    def keys(self, level: Level) -> tuple[SeriesKey, ...]:
        return tuple(key for key in self.seen if key.level is level)

    def all_latest(self, level: Level) -> dict[SeriesKey, Latest]:
        return {key: latest for key, latest in self.seen.items() if key.level is level}

    def recent(self, key: SeriesKey, measure: Measure, count: int = 20) -> tuple[float, ...]:
        return self.trends.get((key, measure), ())[-count:]

    async def series(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float, points: int = 200
    ) -> Series:
        self.asked.append((key, since, until, points))
        step = (until - since) / points
        values = {one: [self.past(key, one, since + at * step) for at in range(points)] for one in measures}
        return Series(since, step, values)

    async def series_of_many(
        self,
        keys: Sequence[SeriesKey],
        measures: Sequence[Measure],
        since: float,
        until: float,
        points: int = 200,
        told: Callable[[int], None] = lambda done: None,
    ) -> dict[SeriesKey, Series]:
        found: dict[SeriesKey, Series] = {}
        for key in keys:
            found[key] = await self.series(key, measures, since, until, points)
            told(len(found))
        return found

    async def totals_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float
    ) -> dict[SeriesKey, dict[Measure, int]]:
        return {key: await self.total(key, measures, since, until) for key in keys}

    async def total(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float
    ) -> dict[Measure, int]:
        """As the archive: what its steps come to."""
        over = await self.series(key, measures, since, until, 20)
        return {one: round(sum(value or 0 for value in over.values[one]) * over.step)
                for one in measures if one not in GAUGES}  # fmt: skip

    def path_of(self, key: SeriesKey) -> Path | None:
        """Hypervisors, tunnels, neighbours and routers are always there."""
        return self._by_uuid(key.name) if key.level in BY_UUID else (str(key.level), key.name)

    async def look(self) -> None:
        self.looks += 1

    async def size(self) -> SimpleNamespace:
        return SimpleNamespace(bytes=52_428_800, series=312, oldest=1_700_000_000.0)
