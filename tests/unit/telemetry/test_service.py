"""What others are told of what is counted, round by round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from controller.commit.planning import Change, draft
from controller.pipeline import Feature, Owner, Table, cookie
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.others import Others
from controller.telemetry.service import Telemetry
from controller.topology import Interface
from data.schema.seen import Telemetry as Settings
from tests.unit.controller.model import PROD, WEB, Model, uuid, vport, vport_path
from tests.unit.telemetry.fake_switch import CountingSwitch

HERE = tuple(Interface(f"hv{n}", f"tap{n}", f"acme/prod/vm-{n + 1}", 1, 0.0, n) for n in (1, 2))
VM = {n: SeriesKey(Level.VPORT, vport(n).uuid) for n in (2, 3)}
SUBNET, DOMAIN = SeriesKey(Level.SUBNET, uuid(103)), SeriesKey(Level.DOMAIN, uuid(101))
ENTERPRISE, ZONE = SeriesKey(Level.ENTERPRISE, uuid(100)), SeriesKey(Level.ZONE, uuid(102))


class Routers:
    """PE routers of which there are none."""

    def all(self) -> list[Any]:
        return []

    async def ask(self, name: str, getter: str) -> Any:
        raise AssertionError(name)


class Counting:
    """Two hypervisors with a vport each, and their telemetry, which looks only when it is asked to."""

    def __init__(self, directory: Path, model: Model | None = None) -> None:
        self.model = model or Model(vports=2, interfaces=HERE)
        self.network = self.model.network
        self.time = 1_000_000.0
        self.switches = {f"hv{n}": CountingSwitch() for n in (1, 2)}
        self.telemetry = Telemetry(
            self.network, directory, self.model.events,
            Others(lambda: None, Routers(), self.network.turn.locked, lambda: 60.0), lambda: self.time,
        )  # fmt: skip
        self.flows = {}
        for n, dvrs in enumerate(self.switches, 2):
            number = self.network.numbers.find("object", vport(n).uuid)
            assert number is not None
            self.flows[n] = self.switches[dvrs].vport(number, 1)
            self.connect(dvrs)

    def connect(self, dvrs: str) -> None:
        channel = self.network.channels[dvrs]
        channel.connected(cast(Any, self.switches[dvrs]))
        channel.ready = True
        self.network.on_connected(dvrs)

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        for switch in self.switches.values():
            switch.now += seconds

    async def look(self) -> None:
        """A look, as if the last were long ago."""
        self.telemetry._finished = 0.0
        await self.telemetry.look()
        await self.telemetry._shelf.written()


@asynccontextmanager
async def counting(directory: Path, model: Model | None = None) -> AsyncIterator[Counting]:
    it = Counting(directory, model)
    it.network.configured.apply({("telemetry",): Settings(uuid=uuid(900), polling_interval=300)}, 2)
    clock = it.switches["hv1"]
    it.telemetry._switches._clock = lambda: clock.now  # the switches' clock and ours are one
    await it.telemetry.start()
    try:
        for dvrs in it.switches:
            it.network.on_connected(dvrs)
        it.pass_time(1)
        yield it
    finally:
        await it.telemetry.stop()


async def test_what_a_vport_sends_counts_for_it_and_for_all_that_it_is_part_of(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        sends, gets = it.flows[2]
        sends.packets, sends.octets, gets.packets, gets.octets = 10, 1000, 4, 400
        it.flows[3][0].packets, it.flows[3][0].octets = 5, 500
        it.pass_time(10)
        await it.look()
        latest = it.telemetry.latest(VM[2])
        assert latest is not None and latest.time == it.time
        assert latest.totals[Measure.SENDS_PACKETS] == 10 and latest.rates[Measure.SENDS_BYTES] == 100.0
        assert latest.rates[Measure.GETS_PACKETS] == 0.4 and latest.totals[Measure.DENIED_PACKETS] == 0
        for key in (SUBNET, ZONE, DOMAIN, ENTERPRISE):
            found = it.telemetry.latest(key)
            assert found is not None and found.totals[Measure.SENDS_PACKETS] == 15, key
            assert found.rates[Measure.SENDS_PACKETS] == 1.5
        flows = it.telemetry.latest(SeriesKey(Level.DVRS, "hv1"))
        assert flows is not None and flows.totals[Measure.FLOWS] == 2 and Measure.FLOWS not in flows.rates
        assert set(it.telemetry.all_latest(Level.VPORT)) == set(VM.values())
        it.pass_time(10)
        await it.look()
        idle = it.telemetry.latest(VM[2])
        assert idle is not None and idle.rates[Measure.SENDS_BYTES] == 0.0
        assert it.telemetry.recent(VM[2], Measure.SENDS_BYTES, 2) == (100.0, 0.0)


async def test_a_move_within_a_round_adds_what_both_switches_counted(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        number = it.flows[2][0].cookie & 0xFFFFFFFF
        it.flows[2][0].packets = 7
        it.pass_time(5)
        message = it.switches["hv1"].remove(Table.CLASSIFY, 1)
        it.network.on_flow_removed("hv1", message)
        it.switches["hv2"].vport(number, 9)[0].packets = 3
        it.pass_time(5)
        await it.look()
        latest = it.telemetry.latest(VM[2])
        assert latest is not None and latest.totals[Measure.SENDS_PACKETS] == 10
        assert latest.rates[Measure.SENDS_PACKETS] == 1.0


async def test_a_vport_that_is_deleted_still_counts_for_what_it_was_part_of(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        it.flows[2][0].packets = 7
        edits: dict[Any, Any] = {vport_path(2): None}
        made = await draft(it.network.running, edits, it.network.state, it.network.topology)
        it.network.commit(made, Change(edits, edits), 3)
        it.network.on_flow_removed("hv1", it.switches["hv1"].remove(Table.CLASSIFY, 1))
        it.pass_time(10)
        await it.look()
        found = it.telemetry.latest(SUBNET)
        assert found is not None and found.totals[Measure.SENDS_PACKETS] == 7
        assert it.telemetry.name_of(VM[2]) is None and VM[2] not in it.telemetry.all_latest(Level.VPORT)


async def test_the_next_process_goes_on_with_the_totals_and_counts_what_passed_meanwhile_once(tmp_path: Path) -> None:
    async with counting(tmp_path) as first:
        await first.look()
        first.flows[2][0].packets = 10
        first.pass_time(10)
        await first.look()
        switches, end, kept = first.switches, first.time, first.flows
    second = Counting(tmp_path, first.model)
    second.switches, second.time, second.flows = switches, end, kept
    for dvrs in switches:
        second.connect(dvrs)
    clock = switches["hv1"]
    second.telemetry._switches._clock = lambda: clock.now
    await second.telemetry.start()
    try:
        kept[2][0].packets = 130
        second.pass_time(60)
        await second.look()
        latest = second.telemetry.latest(VM[2])
        assert latest is not None and latest.totals[Measure.SENDS_PACKETS] == 130
        assert latest.rates[Measure.SENDS_PACKETS] == 2.0
        series = await second.telemetry.series(VM[2], [Measure.SENDS_PACKETS], end, end + 60, 6)
        rates = list(series.values[Measure.SENDS_PACKETS])
        assert rates[-1] == 2.0 and None not in rates, "what passed meanwhile is spread over that time"
    finally:
        await second.telemetry.stop()


async def test_one_switch_that_hangs_keeps_no_other_from_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.telemetry.service._WAIT", 0.1)
    async with counting(tmp_path) as it:
        await it.look()

        async def never(kind: int, body: bytes) -> list[bytes]:
            await asyncio.Event().wait()
            raise AssertionError

        it.switches["hv1"].multipart = never  # type: ignore[method-assign]
        it.flows[3][0].packets = 5
        it.pass_time(10)
        await it.look()
        latest = it.telemetry.latest(VM[3])
        assert latest is not None and latest.totals[Measure.SENDS_PACKETS] == 5
        assert any("hv1 does not answer" in event.text for event in it.model.events)


async def test_nothing_is_asked_of_a_switch_while_a_change_is_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        for switch in it.switches.values():
            switch.asked.clear()
        async with it.network.turn:
            looking = asyncio.create_task(it.look())
            await asyncio.sleep(0.05)
            assert not any(switch.asked for switch in it.switches.values())
        await looking
        assert all(switch.asked for switch in it.switches.values())


async def test_looks_that_are_asked_for_together_are_one(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        rounds: list[float] = []
        end = it.telemetry.watch(rounds.append)
        it.telemetry._finished = 0.0
        await asyncio.gather(*(it.telemetry.look() for _ in range(20)))
        await it.telemetry.look()
        assert len(rounds) == 1
        end()
        await it.look()
        assert len(rounds) == 1


async def test_what_a_look_that_was_asked_for_has_read_is_not_read_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next round shows the rate of the milliseconds between: 0, of which thresholds are told."""
    async with counting(tmp_path) as it:
        read: list[str] = []
        look = it.telemetry._switches.look

        async def noted(dvrs: str, busy: Callable[[], bool]) -> Any:
            read.append(dvrs)
            return await look(dvrs, busy)

        await it.look()
        monkeypatch.setattr(it.telemetry._switches, "look", noted)
        await it.look()
        await asyncio.sleep(0.05)
        assert read == ["hv1", "hv2"]


async def test_telemetry_that_is_disabled_asks_nothing_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        it.network.configured.apply({("telemetry",): Settings(uuid=uuid(900), disabled=True)}, 3)
        for switch in it.switches.values():
            switch.asked.clear()
        async with asyncio.timeout(5):
            await it.look()
        assert not it.telemetry.enabled and not any(switch.asked for switch in it.switches.values())


async def test_a_listener_that_fails_does_not_end_the_counting(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:

        def fails(time: float) -> None:
            raise LookupError("gone")

        it.telemetry.watch(fails)
        heard: list[float] = []
        it.telemetry.watch(heard.append)
        await it.look()
        await it.look()
        assert len(heard) == 2


async def test_keys_are_told_in_words(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        name: Callable[[SeriesKey], str | None] = it.telemetry.name_of
        assert name(VM[2]) == "acme/prod/vm-2" and name(SUBNET) == "acme/prod/web1"
        assert name(SeriesKey(Level.TUNNEL, "hv1>192.0.2.1")) == "hv1>192.0.2.1"
        assert name(SeriesKey(Level.DVRS, "hv9")) is None
        assert it.telemetry.key_of(Level.SUBNET, WEB) == SUBNET
        assert it.telemetry.key_of(Level.DOMAIN, PROD) == DOMAIN


async def test_tunnels_are_named_by_the_hypervisor_at_their_other_end(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        mark = cookie(Owner.VPORT, Feature.FORWARD, 1)
        for number, end in enumerate((bytes([172, 31, 0, 2]), bytes([192, 0, 2, 7]))):
            flow = it.switches["hv1"].add(Table.SWITCH, mark, 100 + number, endpoints=(end,))
            flow.packets, flow.octets = 3, 300
        it.pass_time(10)
        await it.look()
        for other in ("hv2", "192.0.2.7"):
            latest = it.telemetry.latest(SeriesKey(Level.TUNNEL, f"hv1>{other}"))
            assert latest is not None and latest.totals[Measure.SENDS_BYTES] == 300
        sent = it.telemetry.latest(SeriesKey(Level.DVRS, "hv1"))
        assert sent is not None and sent.totals[Measure.UPLINK_SENT_BYTES] == 600


async def test_routes_of_bgp_neighbours_are_values_and_their_messages_are_sums(tmp_path: Path) -> None:
    class Routes(list[int]):
        told = 7

    async with counting(tmp_path) as it:
        said = [(5, 2), (9, 2), (1, 0)]
        speaker = SimpleNamespace(messages=lambda name: said[0])
        rib = SimpleNamespace(
            inbound=SimpleNamespace(tables={"rr": Routes([1, 2, 3])}), settings=SimpleNamespace(neighbours={"rr": None})
        )
        it.telemetry._others._bgp = lambda: cast(Any, SimpleNamespace(rib=rib, speaker=speaker))
        while said:
            await it.look()
            it.pass_time(10)
            said.pop(0)
        latest = it.telemetry.latest(SeriesKey(Level.BGP, "rr"))
        assert latest is not None
        assert latest.totals[Measure.ROUTES_RECEIVED] == 3 and latest.totals[Measure.ROUTES_SENT] == 7
        assert it.telemetry.recent(SeriesKey(Level.BGP, "rr"), Measure.ROUTES_SENT) == (7.0, 7.0, 7.0)
        assert latest.totals[Measure.MESSAGES_RECEIVED] == 10, "a speaker that was started anew begins at 0"


async def test_what_a_hypervisor_counted_while_it_was_away_is_spread_over_sums_that_it_shares(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        it.pass_time(9)  # a step of ten seconds begins
        await it.look()
        begun = it.time
        it.network.channels["hv2"].ready = False
        for _ in range(6):
            it.flows[2][0].packets += 10
            it.flows[3][0].packets += 100
            it.pass_time(10)
            await it.look()
        it.network.channels["hv2"].ready = True
        it.flows[2][0].packets += 10
        it.flows[3][0].packets += 100
        it.pass_time(10)
        await it.look()
        for key, rate in ((VM[2], 1.0), (VM[3], 10.0), (SUBNET, 11.0), (ENTERPRISE, 11.0)):
            found = await it.telemetry.series(key, [Measure.SENDS_PACKETS], begun, it.time, 7)
            assert {value for value in found.values[Measure.SENDS_PACKETS] if value is not None} == {rate}, key
            total = await it.telemetry.total(key, [Measure.SENDS_PACKETS], begun, it.time)
            assert total == {Measure.SENDS_PACKETS: 70 * rate}
        silent = await it.telemetry.series(VM[3], [Measure.DENIED_PACKETS], begun, it.time, 7)
        assert {value for value in silent.values[Measure.DENIED_PACKETS] if value is not None} == {0.0}
