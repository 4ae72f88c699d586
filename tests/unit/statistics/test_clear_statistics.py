"""clear statistics: totals of shows begin anew for one user; nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from controller.telemetry.baseline import USERS, Baselines
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.errors import CommandFailed, NotPermitted
from tests.unit.statistics.test_show_statistics import GETS, SENDS, WEB_1, WEB_2, Shop, Tenant, rows


async def totals(shop: Shop) -> dict[str, tuple[Any, Any]]:
    return {row["name"]: (row["sent"], row["got"]) for row in rows(await shop.ask("show statistics vports"))}


def grow(shop: Shop, path: tuple[str, ...], **more: int) -> None:
    key = shop.key(Level.VPORT, path)
    seen = shop.telemetry.seen[key]
    new = {**seen.totals, **{Measure(name.replace("_", "-")): number for name, number in more.items()}}
    shop.telemetry.count(Level.VPORT, key.name, new, seen.rates)


async def test_totals_count_from_then_on_and_rates_are_what_they_are() -> None:
    shop = Shop()
    await shop.ask("clear statistics")
    assert set((await totals(shop)).values()) == {(0, 0), (0, None)}
    grow(shop, WEB_1, sends_bytes=4_000_700)
    assert (await totals(shop))["acme/prod/web-1"] == (700, 0)
    table = await shop.ask("show statistics vports")
    assert "cleared 20" in table.detail and rows(table)[0]["gets"] == 3_200_000.0
    one = {row["measure"]: row for row in rows(await shop.ask("show statistics vport acme/prod/web-1"))}
    assert (one["sends bytes"]["total"], one["denied packets"]["total"]) == (700, 0)
    flows = {row["measure"]: row for row in rows(await shop.ask("show statistics dvrs hv1"))}
    assert flows["flows"]["now"] == 120, "what is true now is not counted"


async def test_one_object_is_cleared_alone_and_again_and_all_of_it_taken_back() -> None:
    shop = Shop()
    await shop.ask("clear statistics vport acme/prod/web-1")
    assert await totals(shop) == {
        "acme/prod/web-1": (0, 0), "acme/prod/web-2": (10, 2_000_000_000), "umbrella/lab/web-1": (5_000_000, None),
    }  # fmt: skip
    grow(shop, WEB_1, sends_bytes=4_000_700)
    await shop.ask("clear statistics pe pe1")
    found = {row["measure"]: row for row in rows(await shop.ask("show statistics pe pe1"))}
    assert found["sends bytes"]["total"] == 0 and (await totals(shop))["acme/prod/web-1"] == (700, 0)
    await shop.ask("clear statistics undo")
    assert (await totals(shop))["acme/prod/web-1"] == (4_000_700, 900)
    with pytest.raises(CommandFailed, match=r"you have cleared nothing(.|\n)*'clear statistics' counts"):
        await shop.ask("clear statistics undo")


async def test_somebody_elses_totals_the_archive_and_what_others_are_told_stay_as_they_are() -> None:
    shop = Shop()
    before = dict(shop.telemetry.seen)
    await shop.ask("clear statistics")
    assert shop.telemetry.seen == before
    shop.telemetry.past = lambda key, measure, at: 1000.0
    past = rows(await shop.ask("show statistics vports since 1h"))
    assert all(row["sent"] == pytest.approx(3_600_000, rel=1e-6) for row in past)
    shop.user = "somebody"
    assert (await totals(shop))["acme/prod/web-2"] == (10, 2_000_000_000)


async def test_a_tenants_administrator_clears_what_he_sees() -> None:
    tina = Tenant()
    tina.user = "tina"
    await tina.ask("clear statistics")
    assert set((await totals(tina)).values()) == {(0, 0)}
    known = tina.whole.telemetry.baselines.of("tina")
    assert known is not None
    hidden = SeriesKey(Level.TUNNEL, "hv1>hv2")
    assert known.since(hidden, {SENDS: 7_000}) == {SENDS: 7_000}
    with pytest.raises(NotPermitted):
        await tina.ask("clear statistics dvrs hv1")


def test_those_who_cleared_last_are_remembered() -> None:
    baselines, key = Baselines(), SeriesKey(Level.VPORT, "one")
    for number in range(USERS + 1):
        baselines.clear(f"user{number}", float(number), [(key, {SENDS: 5, GETS: 3})], whole=True)
    assert baselines.of("user0") is None
    last = baselines.of(f"user{USERS}")
    assert last is not None and last.since(key, {SENDS: 7, GETS: 2}) == {SENDS: 2, GETS: 0}
    baselines.clear("user1", 50.0, [], whole=False)
    baselines.clear("new", 51.0, [], whole=True)
    assert baselines.of("user1") is not None and baselines.of("user2") is None


async def test_web_2_is_the_first_also_after_clearing() -> None:
    shop = Shop()
    await shop.ask(f"clear statistics enterprise {WEB_2[1]} domain {WEB_2[3]}")
    first, *_ = rows(await shop.ask("show statistics vports"))
    assert first["name"] == "acme/prod/web-2" and first["got"] == 2_000_000_000
