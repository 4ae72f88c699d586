"""Flows, topology, BGP and commits on a network with tunnels, neighbors and traffic: frames, keys, and what is unusual:
nothing there, hundreds of hypervisors, long names, a narrow screen, ASCII, a tenant's administrator.

`pytest tests/unit/dashboard/test_more_screens.py --update-frames` writes the frames wan-*.txt anew.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from commands.show import flows_top as show_flows_top
from controller.telemetry.keys import Level, Measure
from controller.topology import Standing
from data.access import Access
from tests.unit.dashboard.pretend import CONFIGURATION, MEGABIT
from tests.unit.dashboard.pretend_wan import MORE, WideSource, neighbour
from tests.unit.dashboard.screens import LARGE, SMALL, Seen, seen
from tests.unit.dashboard.test_frames import SIZES, compare
from tests.unit.dashboard.test_frames import update as update
from views.dashboard.catalogue import SCREENS
from views.dashboard.grid import Grid
from views.dashboard.palette import LIGHT, style_of
from views.models import Model
from views.render import Screen

NAMES = ("flows", "topology", "bgp", "commits")
TENANT = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`show flows top` does not wait between its two reads."""
    monkeypatch.setattr(show_flows_top, "APART", 0.0)


def wide(size: tuple[int, int] = SMALL, unicode: bool = True, **more: Any) -> WideSource:
    return WideSource(Screen(*size, unicode, True), **more)


def titles(it: Seen) -> str:
    """The line with the tabs and what led here."""
    return it.text.splitlines()[1]


async def enter(it: Seen) -> None:
    """Press Enter on a screen that was just opened, once it takes keys."""
    await it.until(lambda: it.app.focused is not None and it.app.focused in it.app.board.query("*"))
    await it.press("enter")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
async def test_a_screen_and_what_enter_shows_look_as_they_did(name: str, size: str, update: bool) -> None:
    async with seen(name, SIZES[size], wide(SIZES[size])) as it:
        compare(f"wan-{name}-{size}", await it.settled(), update)
        await it.press("enter")
        compare(f"wan-{name}-into-{size}", await it.settled(), update)


async def test_b_adds_up_by_vport_rule_flow_and_table_and_enter_shows_whose_it_is(update: bool) -> None:
    source = wide(LARGE)
    async with seen("flows", LARGE, source) as it:
        await it.see("Virtual port", "acme/prod/web-1", "acme/prod/db-1")
        await it.press("b")
        await it.see("ingress-policy acme/prod/base/10", "eve", "No. of rules: 1")
        await it.press("enter")
        await it.see("› ingress-policy acme/prod/base/10", "destination-port 5432", "Over time", "hits")
        compare("wan-rule-160x48", await it.settled(), update)
        assert {
            "show configuration enterprise acme domain prod ingress-policy base entry 10",
            "graph hits rule acme/prod/ingress/base/10",
            "show system commit revision 2",
        } <= set(source.asked)
        await enter(it)
        await it.see("› revision 2", "What it changed")
        await it.press("escape", "escape")
        assert "›" not in titles(it)
        await it.press("b")
        await it.see("classify", "ingress_acl", "No. of flows: 4")
        await it.press("end", "enter")
        await it.see("it belongs to the fabric")
        assert len(it.app.stack) == 1
        await it.press("b")
        await it.see("No. of tables: 4")
        await it.press("enter")
        await it.see("› table classify", "priority=100")
        await it.press("escape", "b")
        await it.see("No. of virtual ports: 2")


async def test_a_click_on_the_key_of_a_screen_presses_it() -> None:
    async with seen("flows", LARGE, wide(LARGE)) as it:
        await it.settled()
        last = it.text.splitlines()[-1]
        assert last.startswith(" b by ")
        await it.pilot.click(offset=(1, LARGE[1] - 1))
        await it.see("No. of rules: 1")
        await it.press("2")
        assert not it.text.splitlines()[-1].startswith(" b by "), "it is no key of this screen"


async def test_the_cursor_stays_on_its_vport_when_another_becomes_the_busiest() -> None:
    source = wide()
    async with seen("flows", source=source) as it:
        await it.settled()
        grid = it.app.board.query_one(Grid)
        await it.press("down")
        assert grid.cell("object") == "acme/prod/db-1"
        source.whole.delivered = 90_000
        it.app.refresh_now()
        await it.until(lambda: grid.value(grid.shown[0], "object") == "acme/prod/db-1")
        assert grid.cell("object") == "acme/prod/db-1"


async def test_what_a_command_waits_for_itself_is_no_reason_to_ask_less_often() -> None:
    async with seen("flows", source=wide()) as it:
        (ask,) = it.app.board.asks
        assert ask.waits == 2.0 < ask.every


async def test_a_tunnel_leads_to_its_load_over_time_and_to_the_hypervisor_that_sends() -> None:
    source = wide()
    async with seen("topology", source=source) as it:
        await it.see("96.0 Mb/s")
        await it.press("down", "down", "enter")
        await it.see("› hv1 to pe1", "Mbit/s")
        assert "graph throughput tunnel hv1>192.0.2.1" in source.asked
        await enter(it)
        await it.see("› hv1 to pe1 › hv1", "web-1")
        await it.press("escape", "escape")
        assert "›" not in titles(it)


async def test_a_large_screen_draws_the_load_of_the_tunnel_under_the_cursor_below_the_map() -> None:
    source = wide(LARGE)
    async with seen("topology", LARGE, source) as it:
        await it.see("hv1 → hv2", "Mbit/s", "the last hour")
        assert "graph throughput tunnel hv1>hv2" in source.asked
        await it.press("down", "down")
        await it.see("hv1 → pe1", "Mbit/s")
        assert "graph throughput tunnel hv1>192.0.2.1" in source.asked
        await it.press("slash", *"192.0.2.9")
        await it.see("hv2 → 192.0.2.9", "/ 192.0.2.9")
        await it.press("escape")
        await it.pilot.resize_terminal(*SMALL)
        await it.until(lambda: "Mbit/s" not in it.text)
        source.asked.clear()
        await it.settled()
        assert not any(line.startswith("graph") for line in source.asked), "nobody would see it"


async def test_what_is_bad_stands_out_on_the_screen_of_bgp() -> None:
    async with seen("bgp", LARGE, wide(LARGE)) as it:
        await it.settled()
        rows = it.app.screen._compositor.render_strips()
        looks = {part.text.strip(): part.style for row in rows for part in row if part.style is not None}
        for word, role in (("idle", "bad"), ("established", "good"), ("pending", "soon")):
            color = style_of(it.app.theme, role).color
            assert looks[word].color == color, word
        assert it.text.index("Refused") < it.text.index("Reason"), "what went wrong has the room at the end"


async def test_a_neighbor_leads_to_its_facts_and_routes_and_a_router_to_what_must_change_there() -> None:
    source = wide(LARGE)
    async with seen("bgp", LARGE, source) as it:
        await it.see("established", "hold time expired", "2 VPNs of revision 3")
        await it.press("enter")
        await it.see("› pe1", "prefix limit", "received")
        assert "graph messages bgp-neighbor pe1" in source.asked
        source.instead["show bgp received pe1"] = source.models["show bgp summary"]
        await enter(it)
        await it.see("› routes of pe1")
        await it.press("escape", "escape", "tab")
        source.instead["show pe pe1 config diff"] = source.models["show bgp summary"]
        await it.press("enter")
        await it.see("› PE router pe1")


async def test_a_commit_shows_who_why_receipts_and_changes_and_its_receipts_arrive_live() -> None:
    source = wide(LARGE)
    async with seen("commits", LARGE, source) as it:
        await it.see("1 verified, hv3 pending", "hv2: the table of flows is full")
        await it.press("enter")
        await it.see("author   ops", "let the app tier in", "pending", "entry 10")
        assert "table of flows" not in it.text, "that is of the attempt before"
        history = source.whole.history

        async def later(limit: int, number: int | None = None) -> Any:
            found = await history(limit, number)
            return [SimpleNamespace(**_facts(one)) for one in found]

        source.whole.history = later  # type: ignore[method-assign]
        await it.see("No. of receipts: 2")
        await it.until(lambda: "pending" not in it.text)


async def test_an_answer_that_arrives_while_the_dashboard_ends_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    source = wide(LARGE)
    answered = asyncio.Event()
    async with seen("commits", LARGE, source) as it:
        await it.see("1 verified, hv3 pending")
        await it.press("enter")
        await it.see("author   ops")
        ask, board, close = source.ask, it.app.board, it.app._close_all

        async def late(line: str) -> Model:
            await answered.wait()
            return await ask(line)

        async def parts_first() -> None:
            await board.query("#facts, Grid").remove()
            answered.set()
            await asyncio.sleep(0.05)
            await close()

        monkeypatch.setattr(source, "ask", late)
        monkeypatch.setattr(it.app, "_close_all", parts_first)
        it.app.refresh_now()


def _facts(entry: Any) -> dict[str, Any]:
    """A commit with everything verified."""
    names = ("number", "time", "author", "comment", "state", "reason")
    receipts = [
        SimpleNamespace(part=one.part, state="verified", added=2, removed=0, milliseconds=3.0, time=one.time, reason="")
        for one in entry.receipts
    ]
    return {name: getattr(entry, name) for name in names} | {"receipts": receipts}


async def test_a_map_of_hundreds_of_hypervisors_shows_first_those_that_are_not_well() -> None:
    many = 300
    lines = "\n".join(f"set dvrs rack{at // 20:02}-{at:03} tunnel-address 172.20.{at // 200}.{at % 200 + 1}"
                      for at in range(many))  # fmt: skip
    source = wide(LARGE, configuration=f"{MORE}\n{lines}")
    topology, telemetry = source.whole.topology, source.whole.telemetry
    for at in range(many):
        if at not in (123, 277):
            topology.stand(f"rack{at // 20:02}-{at:03}", Standing.READY, "")
        name = f"rack{at // 20:02}-{at:03}>hv1"
        telemetry.count(Level.TUNNEL, name, {Measure.SENDS_BYTES: at}, {Measure.SENDS_BYTES: at * MEGABIT})
    async with seen("topology", LARGE, source) as it:
        for size in (LARGE, SMALL):
            await it.pilot.resize_terminal(*size)
            await it.see("rack06-123", "rack13-277", "more, all well")
        await it.see("299 Mb/s", "No. of tunnels: 304")
        await it.press("slash", *"rack14-290", "enter")
        await it.see("1 of 304 tunnels")


async def test_when_even_what_is_not_well_does_not_fit_it_is_counted() -> None:
    lines = "\n".join(f"set dvrs lost{at:03}" for at in range(100))
    async with seen("topology", source=wide(configuration=f"{MORE}\n{lines}")) as it:
        text = await it.settled()
        assert "of them not well: 'show dvrs'" in text


@pytest.mark.parametrize("unicode", [True, False])
async def test_long_names_from_outside_are_cut_and_harmless(unicode: bool) -> None:
    name = "a-very-long-name-of-a-neighbor-\x1b[31m-in-the-second-data-centre"
    source = wide(LARGE, unicode)
    source.whole.neighbours = [neighbour(name, "192.0.2.9", "idle", "x" * 500)]
    telemetry = source.whole.telemetry
    telemetry.count(Level.TUNNEL, f"hv1>{name}", {Measure.SENDS_BYTES: 1}, {Measure.SENDS_BYTES: MEGABIT})
    async with seen("topology", LARGE, source, unicode) as it:
        for size in (LARGE, SMALL, (60, 15), (40, 12), (20, 5), (1, 1)):
            await it.pilot.resize_terminal(*size)
            for key in "56":
                await it.press(key)
                text = await it.settled()
                assert "\x1b" not in text
                assert max(map(len, text.splitlines()), default=0) <= size[0]
                assert unicode or text.isascii()


async def test_all_of_it_is_ascii_and_light_where_that_is_wanted() -> None:
    async with seen(NAMES[0], source=wide(unicode=False), unicode=False) as it:
        await it.press("t")
        assert it.app.theme == LIGHT
        for name in NAMES:
            await it.press(str(list(SCREENS).index(name) + 1))
            assert (await it.settled()).isascii(), name
            await it.press("enter")
            assert (await it.settled()).isascii(), name


async def test_a_map_turns_when_the_window_becomes_narrow() -> None:
    async with seen("topology", LARGE, wide(LARGE)) as it:
        await it.settled()
        assert it.text.splitlines()[2].count("╭") == 2, "side by side"
        await it.pilot.resize_terminal(*SMALL)
        await it.settled()
        assert it.text.splitlines()[2].count("╭") == 1 and "Tunnels" in it.text


async def test_an_administrator_of_a_tenant_is_told_what_is_not_for_them_and_sees_the_rest() -> None:
    source = wide(access=TENANT)
    refused = "class acme-admin does not let tina do this"
    async with seen("topology", source=source) as it:
        await it.see(refused, "tunnels are part of it")
        await it.press("6")
        text = await it.see(refused)
        assert text.count(refused) == 2, "neither neighbors nor routers"
        await it.press("4")
        await it.see("acme/prod/web-1", "No. of virtual ports: 2")
        assert it.app.query_one(Grid).table is not None


async def test_where_there_is_nothing_yet_that_is_said() -> None:
    source = wide(configuration="\n".join(line for line in CONFIGURATION.splitlines() if "dvrs" not in line))
    source.whole.telemetry.seen.clear()
    source.whole.topology.hypervisors.clear()
    source.whole.bgp, source.whole.pe = None, SimpleNamespace(all=list)
    source.whole.underlay = SimpleNamespace(endpoints=[])
    async with seen("topology", source=source) as it:
        await it.see("no hypervisor is configured", "No. of tunnels: 0")
        await it.press("6")
        await it.see("there is no BGP", "there is no PE router")
        await it.press("4")
        await it.see("No. of virtual ports: 0")
