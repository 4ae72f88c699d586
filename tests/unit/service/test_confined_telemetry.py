"""Numbers are shown to a tenant of its own objects alone, and nothing of what all tenants share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from controller.telemetry.board import Latest
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.access import Access
from data.path import Path
from nshell.sessions.confined_telemetry import ConfinedTelemetry

PATHS: dict[SeriesKey, Path] = {
    SeriesKey(Level.VPORT, "a"): ("enterprise", "acme", "domain", "prod", "vport", "web"),
    SeriesKey(Level.VPORT, "u"): ("enterprise", "umbra", "domain", "prod", "vport", "web"),
    SeriesKey(Level.ENTERPRISE, "ae"): ("enterprise", "acme"),
    SeriesKey(Level.ENTERPRISE, "ue"): ("enterprise", "umbra"),
    SeriesKey(Level.DVRS, "hv1"): ("dvrs", "hv1"),
    SeriesKey(Level.TUNNEL, "hv1>hv2"): ("dvrs", "hv1"),
    SeriesKey(Level.BGP, "rr"): ("bgp-neighbor", "rr"),
    SeriesKey(Level.PE, "pe1/eth0"): ("pe", "pe1"),
}
OWN = {SeriesKey(Level.VPORT, "a"), SeriesKey(Level.ENTERPRISE, "ae")}
LATEST = Latest(1.0, {Measure.SENDS_BYTES: 5}, {})
TINA = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))
OLGA = Access("olga", "operator", frozenset(["show"]))


class Numbers:
    """A telemetry that knows something of everybody."""

    interval, enabled = 10.0, True

    def path_of(self, key: SeriesKey) -> Path | None:
        return PATHS.get(key)

    def key_of(self, level: Level, path: Path) -> SeriesKey | None:
        return next((key for key, its in PATHS.items() if its == path and key.level is level), None)

    def name_of(self, key: SeriesKey) -> str | None:
        return "/".join(PATHS[key])

    def latest(self, key: SeriesKey) -> Latest | None:
        return LATEST

    def all_latest(self, level: Level) -> Mapping[SeriesKey, Latest]:
        return {key: LATEST for key in PATHS if key.level is level}

    def recent(self, key: SeriesKey, measure: Measure, count: int = 20) -> tuple[float, ...]:
        return (1.0,)

    async def series(self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float, points: int) -> Any:
        return key

    async def series_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float, points: int, told: Any
    ) -> Mapping[SeriesKey, Any]:
        return {key: key for key in keys}

    async def totals_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float
    ) -> Mapping[SeriesKey, Any]:
        return {key: key for key in keys}


@pytest.mark.parametrize("key", PATHS, ids=str)
async def test_a_tenants_administrator_is_told_of_own_objects_and_of_nothing_else(key: SeriesKey) -> None:
    confined, own = ConfinedTelemetry(cast(Any, Numbers()), TINA), key in OWN
    assert (confined.latest(key) is not None) == own
    assert (key in confined.all_latest(key.level)) == own
    assert (confined.recent(key, Measure.SENDS_BYTES) != ()) == own
    assert (confined.name_of(key) is not None) == own
    assert (confined.key_of(key.level, PATHS[key]) is not None) == own
    asked: Any = await confined.series(key, [Measure.SENDS_BYTES], 0.0, 1.0)
    assert (asked == key) == own, "of another's series the archive is not even asked"
    many: Any = await confined.series_of_many([*PATHS], [Measure.SENDS_BYTES], 0.0, 1.0)
    assert (many[key] == key) == own, "nor of one among many"
    totals: Any = await confined.totals_of_many([*PATHS], [Measure.SENDS_BYTES], 0.0, 1.0)
    assert (totals[key] == key) == own


@pytest.mark.parametrize("key", PATHS, ids=str)
async def test_somebody_who_is_not_confined_is_told_of_everything(key: SeriesKey) -> None:
    open_to = ConfinedTelemetry(cast(Any, Numbers()), OLGA)
    assert open_to.latest(key) is LATEST and open_to.name_of(key) == "/".join(PATHS[key])
