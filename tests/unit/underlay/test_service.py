"""The underlay as a whole: commits, what best path asks, who is told, and what people see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from commands.context import Context
from commands.language.registry import Arguments
from commands.show import underlay as shows
from controller.bgp.routes import Attributes, Route, Unicast
from controller.events import Events, Kind
from controller.underlay import listener as module
from controller.underlay.service import Underlay
from data.addresses import Ip, address, prefix
from data.configuration import Running
from data.errors import NothingThere
from tests.unit.data.examples import running
from tests.unit.underlay.test_listener import Daemon
from views.models import Lines, Outline, Table
from views.outline import render_outline

R4, R2, PE, NOWHERE = (address(text) for text in ("10.255.0.4", "10.255.0.2", "10.77.1.9", "203.0.113.1"))
LISTENER = "set underlay-listener core protocol ospf instance tap"
HYPERVISORS = ("set dvrs far tunnel-address 10.255.0.4", "set dvrs near tunnel-address 10.255.0.2")


class Bench:
    """The service over a daemon that gives recorded answers."""

    def __init__(self, directory: Path) -> None:
        self.events = Events()
        self.running = running("\n".join(HYPERVISORS))
        self.underlay = Underlay(self.events, lambda: self.running)
        self.daemon = Daemon(directory / "tap" / "ospfd.vty")
        self.told: list[frozenset[Ip]] = []
        self.underlay.on_change(self.told.append)

    async def commit(self, *lines: str) -> None:
        before = self.running
        self.running = running("\n".join([*HYPERVISORS, "set underlay poll-interval 100", *lines]))
        paths = {path for path, _ in [*before.walk(), *self.running.walk()]}
        await self.underlay.prepare({})
        await self.underlay.changed({path: self.running.get(path) for path in paths})

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)

    async def listening(self) -> None:
        await self.daemon.start()
        await self.commit(LISTENER)
        await self.until(lambda: self.underlay.cost(R4) is not None and any(R4 in some for some in self.told))

    @property
    def context(self) -> Context:
        fabric = SimpleNamespace(underlay=self.underlay, running=self.running)
        return cast(Context, SimpleNamespace(fabric=fabric))


def arguments(**values: str) -> Arguments:
    return Arguments(values, frozenset())


@pytest_asyncio.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(module, "RUN", tmp_path)
    bench = Bench(tmp_path)
    await bench.underlay.start()
    try:
        yield bench
    finally:
        await bench.underlay.stop()
        await bench.daemon.stop()


async def test_with_no_listener_everything_is_usable_and_has_no_cost(bench: Bench) -> None:
    bench.underlay.remote({NOWHERE: "vtep"})
    await asyncio.sleep(0.1)
    for one in (R4, R2, PE, NOWHERE):
        assert bench.underlay.usable(one) and bench.underlay.cost(one) is None
    assert bench.underlay.preferred([NOWHERE, R4]) == [R4, NOWHERE] and bench.told == []
    shown = await shows.show_topology(bench.context, arguments())
    assert isinstance(shown, Lines) and "set underlay-listener NAME protocol" in "\n".join(shown.lines)
    assert await shows.show_paths(bench.context, arguments()) is await shows.show_listeners(bench.context, arguments())
    table = await shows.show_endpoints(bench.context, arguments())
    assert [row[:4] for row in table.rows] == [
        ("10.255.0.2", "dvrs near", "unknown", "yes"), ("10.255.0.4", "dvrs far", "unknown", "yes"),
        ("203.0.113.1", "vtep", "unknown", "yes"),
    ]  # fmt: skip


async def test_a_commit_brings_a_listener_and_another_takes_it_away(bench: Bench) -> None:
    await bench.listening()
    assert bench.underlay.cost(R4) == 20 and bench.underlay.cost(R2) == 10
    assert bench.underlay.preferred([NOWHERE, R4, R2]) == [R2, R4, NOWHERE]
    await bench.commit()
    await bench.until(lambda: bench.underlay.cost(R4) is None)
    assert bench.underlay.listeners == {} and bench.underlay.usable(R4)
    assert all(event.kind is not Kind.FAULT for event in bench.events)


async def test_next_hops_of_routes_and_pe_routers_are_watched(bench: Bench) -> None:
    await bench.listening()
    bench.underlay.remote({PE: "3 routes", NOWHERE: "1 route"})
    await bench.until(lambda: any(PE in some for some in bench.told))
    assert bench.underlay.cost(PE) == 20 and bench.underlay.cost(NOWHERE) is None
    await bench.commit(
        LISTENER, "set pe core1 driver frr address pe.example tunnel-address 10.255.0.3",
        "set bgp-neighbor rr address 10.255.0.1 autonomous-system 65000",
        "set pe rr driver frr address rr.example",
    )  # fmt: skip
    who = {str(one.address): one.who for one in bench.underlay.endpoints}
    assert who["10.255.0.3"] == "pe core1" and who["10.255.0.1"] == "pe rr" and who["10.77.1.9"] == "3 routes"


async def test_a_bgp_neighbour_of_the_underlay_is_heard_until_its_session_ends(bench: Bench) -> None:
    route = Route(Unicast(prefix("10.255.0.0/16")), Attributes(NOWHERE, as_path=(65001, 65002), as_path_length=2))
    bench.underlay.hear("leaf1", route)
    assert bench.underlay.sessions == {}, "a route without a session is late, and no news"
    bench.underlay.session("leaf1", up=True)
    bench.underlay.hear("leaf1", route)
    await bench.until(lambda: bench.underlay.cost(R4) == 2 and bench.told)
    table = await shows.show_listeners(bench.context, arguments())
    assert isinstance(table, Table) and [row[:2] for row in table.rows] == [("leaf1", "BGP")]
    assert isinstance(await shows.show_topology(bench.context, arguments()), Lines)
    bench.underlay.session("leaf1", up=False)
    await bench.until(lambda: bench.underlay.cost(R4) is None)
    assert bench.underlay.usable(R4), "a neighbour that is gone proves nothing"


async def test_a_bgp_route_that_is_withdrawn_loses_its_endpoints(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.underlay.service.SETTLE", 0.0)
    route = Route(Unicast(prefix("10.255.0.4/32")), Attributes(NOWHERE, as_path=(65001,), as_path_length=1))
    bench.underlay.session("leaf1", up=True)
    bench.underlay.hear("leaf1", route)
    await bench.until(lambda: bench.underlay.cost(R4) == 1 and any(R4 in some for some in bench.told))
    bench.underlay.hear("leaf1", route, withdrawn=True)
    await bench.until(lambda: not bench.underlay.usable(R4))
    assert [event.kind for event in bench.events] == [Kind.UNDERLAY]
    assert bench.underlay.usable(R2)


async def test_the_topology_is_drawn_within_80_columns(bench: Bench) -> None:
    await bench.listening()
    shown = await shows.show_topology(bench.context, arguments())
    assert isinstance(shown, Outline)
    lines = render_outline(shown)
    assert lines[0] == "underlay as core hears it   OSPF   5 nodes" and max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "10.255.0.5   the listener" in text and "10.255.0.4   cost 20" in text
    assert "10 ── 10.255.0.2   10.0.24.2" in text and "endpoint 10.255.0.4   dvrs far   reachable" in text
    assert "10 ── lan 10.0.51.0/24 ── 10.255.0.5   10.0.51.2" in text
    assert "announces 10.255.0.1/32" in text or "announces 10.0.12.0/24" in text
    nodes = {one["node"]: one for one in cast(dict[str, Any], shown.document)["nodes"]}
    assert nodes["10.255.0.4"]["endpoints"] == [{"address": "10.255.0.4", "who": "dvrs far", "state": "reachable"}]


async def rows(bench: Bench, **values: str) -> Sequence[tuple[Any, ...]]:
    table = await shows.show_paths(bench.context, arguments(**values))
    assert isinstance(table, Table)
    return [row[:6] for row in table.rows]


async def test_paths_are_found_between_routers_addresses_and_endpoints(bench: Bench) -> None:
    await bench.listening()
    both = [
        ("10.255.0.1", "far", "equal", 20, 2, "10.255.0.1 -10- 10.255.0.2 -10- 10.255.0.4"),
        ("10.255.0.1", "far", "equal", 20, 2, "10.255.0.1 -10- 10.255.0.3 -10- 10.255.0.4"),
    ]
    assert await rows(bench, **{"from": "10.255.0.1", "to": "far"}) == both
    assert [row[4:] for row in await rows(bench, **{"from": "near", "to": "10.88.1.7"})] == [
        (1, "10.255.0.2 -10- 10.255.0.4")
    ]
    every = await rows(bench)
    assert [(row[0], row[1]) for row in every] == [
        ("listener core", "dvrs near (10.255.0.2)"), *[("listener core", "dvrs far (10.255.0.4)")] * 2,
    ]  # fmt: skip
    assert await rows(bench, **{"from": "far", "to": "10.255.0.4"}) == [
        ("far", "10.255.0.4", "same router", 0, 0, "10.255.0.4")
    ]
    with pytest.raises(NothingThere, match="nosuch is no router") as problem:
        await rows(bench, to="nosuch")
    assert "10.255.0.1" in problem.value.remedy


@pytest.mark.parametrize(
    ("protocol", "needed"),
    [
        ("ospf", ["max-metric router-lsa administrative", "ip ospf priority 0", "ip protocol ospf route-map"]),
        ("isis", ["set-overload-bit", "no hostname dynamic", "ip protocol isis route-map"]),
    ],
)
async def test_the_configuration_of_a_daemon_redistributes_nothing(
    bench: Bench, protocol: str, needed: list[str]
) -> None:
    bench.running = cast(Running, running(f"set underlay-listener tap protocol {protocol} instance x1"))
    shown = await shows.show_configuration(bench.context, arguments(**{"underlay-listener": "tap"}))
    text = "\n".join(shown.lines)
    assert all(line in text for line in needed) and "/etc/frr/x1/frr.conf" in text
    assert "redistribute" not in text and "originate" not in text
    with pytest.raises(NothingThere):
        await shows.show_configuration(bench.context, arguments(**{"underlay-listener": "nosuch"}))
