"""The numbers as somebody sees them who is confined to tenants: those of what the user may read.

What hypervisors, tunnels, BGP neighbours and PE routers carry is the provider's: it is made of all tenants' traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from controller.telemetry.baseline import Baselines
from controller.telemetry.board import Latest
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.access import Access
from data.path import Path

if TYPE_CHECKING:
    from controller.telemetry.archive import Series, Size
    from controller.telemetry.service import Telemetry

__all__ = ["ConfinedTelemetry"]

_PROVIDERS = frozenset((Level.DVRS, Level.TUNNEL, Level.BGP, Level.PE))
_SERIES_LIMIT = 10_000  # points that are asked for


class ConfinedTelemetry:
    """What `Telemetry` is to handlers, for one user."""

    def __init__(self, telemetry: Telemetry, access: Access) -> None:
        self._telemetry = telemetry
        self._access = access

    @property
    def interval(self) -> float:
        """Seconds between two looks now."""
        return self._telemetry.interval

    @property
    def enabled(self) -> bool:
        """Whether counters are read at all."""
        return self._telemetry.enabled

    @property
    def baselines(self) -> Baselines:
        """What each user cleared, by name: he cleared what he sees."""
        return self._telemetry.baselines

    def _sees(self, key: SeriesKey) -> bool:
        if self._access.confined and key.level in _PROVIDERS:
            return False
        path = self._telemetry.path_of(key)
        return path is not None and self._access.reads(path)

    def latest(self, key: SeriesKey) -> Latest | None:
        """As the telemetry's, of what the user may read."""
        return self._telemetry.latest(key) if self._sees(key) else None

    def keys(self, level: Level) -> Iterator[SeriesKey]:
        """What of a level the user may read, found out one by one."""
        return (key for key in self._telemetry.keys(level) if self._sees(key))

    def all_latest(self, level: Level) -> Mapping[SeriesKey, Latest]:
        """The same of everything of one level that the user may read."""
        return {key: latest for key, latest in self._telemetry.all_latest(level).items() if self._sees(key)}

    def recent(self, key: SeriesKey, measure: Measure, count: int = 20) -> tuple[float, ...]:
        """The last rates, oldest first; none of what the user may not read."""
        return self._telemetry.recent(key, measure, count) if self._sees(key) else ()

    async def series(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float, points: int = 200
    ) -> Series:
        """What was counted in a period; of what the user may not read as of what was never there."""
        known = key if self._sees(key) else SeriesKey(key.level, "")
        return await self._telemetry.series(known, measures, since, until, min(points, _SERIES_LIMIT))

    async def series_of_many(
        self,
        keys: Sequence[SeriesKey],
        measures: Sequence[Measure],
        since: float,
        until: float,
        points: int = 200,
        told: Callable[[int], None] = lambda done: None,
    ) -> Mapping[SeriesKey, Series]:
        """The same of many at once."""
        known = {key: key if self._sees(key) else SeriesKey(key.level, "") for key in keys}
        asked = list(dict.fromkeys(known.values()))
        found = await self._telemetry.series_of_many(asked, measures, since, until, min(points, _SERIES_LIMIT), told)
        return {key: found[seen] for key, seen in known.items()}

    async def total(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float
    ) -> dict[Measure, int]:
        """What was counted in a period, in all; of what the user may not read nothing."""
        known = key if self._sees(key) else SeriesKey(key.level, "")
        return await self._telemetry.total(known, measures, since, until)

    async def totals_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float
    ) -> Mapping[SeriesKey, dict[Measure, int]]:
        """The same of many at once."""
        known = {key: key if self._sees(key) else SeriesKey(key.level, "") for key in keys}
        found = await self._telemetry.totals_of_many(list(dict.fromkeys(known.values())), measures, since, until)
        return {key: found[seen] for key, seen in known.items()}

    async def size(self) -> Size:
        """How much is kept of the past: of all, which only those may ask who are not confined to tenants."""
        return await self._telemetry.size()

    async def look(self) -> None:
        """Looks at everything now."""
        await self._telemetry.look()

    def watch(self, listener: Callable[[float], None]) -> Callable[[], None]:
        """Calls `listener` after each round; returns what ends it."""
        return self._telemetry.watch(listener)

    def key_of(self, level: Level, path: Path) -> SeriesKey | None:
        """The key of what is configured at a path that the user may read."""
        key = self._telemetry.key_of(level, path)
        return key if key is not None and self._sees(key) else None

    def path_of(self, key: SeriesKey) -> Path | None:
        """The object that a key is about, when the user may read it."""
        return self._telemetry.path_of(key) if self._sees(key) else None

    def name_of(self, key: SeriesKey) -> str | None:
        """A key in words, when the user may read what it is about."""
        return self._telemetry.name_of(key) if self._sees(key) else None
