"""Counting goes on whatever clocks, switches, routers and disks do."""

from __future__ import annotations

import asyncio
import sqlite3
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from controller.openflow import statistics
from controller.pe.router import RouterState
from controller.pipeline import Feature, Owner, cookie
from controller.telemetry import others as others_module
from controller.telemetry.account import Account
from controller.telemetry.archive import FILE, Archive
from controller.telemetry.keeping import recalled
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.others import Others
from controller.telemetry.poll import read, subjects_of
from controller.telemetry.purposes import Purpose, Subject
from controller.telemetry.rhythm import SLOW
from data.errors import StoreUnavailable
from tests.unit.telemetry.fake_switch import CountingSwitch
from tests.unit.telemetry.test_service import VM, counting

SENDS = cookie(Owner.VPORT, Feature.RECEIVED, 7)


async def test_a_clock_that_is_put_back_makes_no_rate_that_never_was(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        it.pass_time(10)
        it.time -= 3600
        it.flows[2][0].packets, it.flows[2][0].octets = 10, 1000
        await it.look()
        latest = it.telemetry.latest(VM[2])
        assert latest is not None and latest.rates[Measure.SENDS_BYTES] == 100.0


async def test_a_clock_that_is_put_back_while_the_controller_is_away_makes_none_either(tmp_path: Path) -> None:
    async with counting(tmp_path) as first:
        await first.look()
    async with counting(tmp_path) as second:
        second.time -= 3600
        second.flows[2][0].octets, second.flows[2][0].packets = 1000, 10
        await second.look()
        latest = second.telemetry.latest(VM[2])
        assert latest is not None and latest.rates.get(Measure.SENDS_BYTES, 0.0) <= 1000.0


async def test_a_counter_that_a_switch_does_not_have_is_not_counted_and_everything_else_is_kept(tmp_path: Path) -> None:
    """All ones say that a counter is not supported; a total beyond 64 bits could not be kept any more."""
    async with counting(tmp_path) as it:
        await it.look()
        it.flows[2][0].packets, it.flows[2][0].octets = 2**64 - 1, 2**64 - 1
        it.flows[2][1].packets, it.flows[2][1].octets = 5, 2**64 - 1
        it.flows[3][0].packets, it.flows[3][0].octets = 2**63 - 1, 2**63 - 1
        it.flows[3][1].packets, it.flows[3][1].octets = 2**63 - 1, 2**63 - 1
        for port in (1, 2):
            it.switches["hv1"].ports[port] = (2**64 - 1, 2**64 - 1, it.switches["hv1"].now)
        for _ in range(3):
            it.pass_time(10)
            await it.look()
            it.switches["hv2"].restart()
            it.flows[3] = it.switches["hv2"].vport(7, 1)
            it.flows[3][0].packets = 2**63 - 1
        seen = it.telemetry.latest(VM[2])
        assert seen is not None and seen.totals[Measure.SENDS_PACKETS] == 0
        assert (seen.totals[Measure.GETS_PACKETS], seen.totals[Measure.GETS_BYTES]) == (5, 0)
        archive = Archive(tmp_path / FILE)
        archive.open()
        memory = recalled(archive.state())
        archive.close()
        assert memory.time == it.time, [event.text for event in it.model.events]
        assert memory.totals[VM[2]][Measure.GETS_PACKETS] == 5


def test_of_a_flow_that_goes_and_of_meters_and_ports_all_ones_are_not_counted_either() -> None:
    switch = CountingSwitch()
    flow = switch.add(0, SENDS, 1)
    flow.packets = flow.octets = 2**64 - 1
    gone = statistics.flow_removed(switch.farewell(flow))
    assert (gone.first, gone.second) == (0, 0)
    meter = struct.pack("!IH6xIQQIIQQ", 1, 56, 1, 0, 0, 5, 0, 2**64 - 1, 2**64 - 1)
    assert not list(statistics.meter_drops([meter]))


async def test_whatever_goes_wrong_while_a_look_is_kept_is_told_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(tmp_path) as it:
        await it.look()

        def broken(*_: object) -> str | None:
            raise MemoryError("no")

        archive, append = it.telemetry._shelf._archive, it.telemetry._shelf._archive.append
        for _ in range(2):
            monkeypatch.setattr(archive, "append", broken)
            for _ in range(2):
                it.pass_time(10)
                await it.look()
            monkeypatch.setattr(archive, "append", append)
            it.pass_time(10)
            await it.look()
        told = [event.text for event in it.model.events if event.text.startswith("statistics")]
        bad, good = "statistics: a look is not kept: MemoryError('no')", "statistics: looks are kept again"
        assert told == [bad, good, bad, good]


async def test_an_archive_that_cannot_be_opened_is_tried_again_and_totals_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(tmp_path) as first:
        await first.look()
        first.flows[2][0].packets = 10
        first.pass_time(10)
        await first.look()
    real = Archive.open

    def full(self: Archive) -> str | None:
        raise StoreUnavailable(str(self.file), "database or disk is full", "make room")

    monkeypatch.setattr(Archive, "open", full)
    async with counting(tmp_path) as second:
        await second.look()
        monkeypatch.setattr(Archive, "open", real)
        second.flows[2][0].packets = 3
        second.pass_time(10)
        await second.look()
        latest = second.telemetry.latest(VM[2])
        assert latest is not None and latest.totals[Measure.SENDS_PACKETS] == 13
        archive = Archive(tmp_path / FILE)
        archive.open()
        assert recalled(archive.state()).totals[VM[2]][Measure.SENDS_PACKETS] == 13
        archive.close()


def test_a_file_that_somebody_removes_is_made_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path / FILE)
    archive.open()
    key = SeriesKey(Level.VPORT, "a")
    archive.append(1_000_000.0, 10.0, {key: {Measure.SENDS_BYTES: 1}})
    for part in tmp_path.iterdir():
        part.unlink()
    told = archive.append(1_000_010.0, 10.0, {key: {Measure.SENDS_BYTES: 2}}, b"state")
    assert told is not None and "removed" in told
    archive.close()
    db = sqlite3.connect(tmp_path / FILE)
    assert db.execute("SELECT state FROM place").fetchone() == (b"state",)
    db.close()


async def test_a_switch_that_does_not_answer_holds_up_nobody_who_looks_again(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        for _ in range(6):
            it.telemetry._rhythm.answered("hv1", float("inf"))
        it.switches["hv1"].asked.clear()
        for _ in range(3):
            it.pass_time(1)
            await it.look()
        assert not it.switches["hv1"].asked
        it.connect("hv1")
        it.pass_time(1)
        await it.look()
        assert it.switches["hv1"].asked, "a new connection is not slow because the last one was"


async def test_one_slow_switch_does_not_make_all_be_looked_at_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(tmp_path) as it:
        monkeypatch.setattr("controller.telemetry.service.SLOW", 0.0)
        rounds: list[float] = []
        monkeypatch.setattr(it.telemetry._rhythm, "round", rounds.append)
        await it.look()
        await asyncio.sleep(0)
        assert SLOW > 0 and rounds == [0.0]


def test_a_look_that_is_given_up_and_a_flow_that_is_told_twice_change_nothing() -> None:
    switch = CountingSwitch()
    account = Account(switch.now)
    for port in range(200):
        switch.add(0, SENDS, port).packets = 1
    switch.now += 10

    def steps() -> Any:
        found = asyncio.run(read(switch, (), lambda: switch.now))
        counters = [*found.counters, *found.counters]
        return account.look(counters, found.asked, found.answered, lambda one: subjects_of(one, found.subjects))

    begun = steps()
    next(begun)
    next(begun)
    begun.close()
    whole = steps()
    with pytest.raises(StopIteration) as end:
        while True:
            next(whole)
    assert end.value.value == {Subject(Purpose.SENDS, 7): (200, 0)}


async def test_a_driver_that_raises_anything_neither_ends_the_asking_nor_stops_it_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    class Routers:
        def all(self) -> list[Any]:
            return [SimpleNamespace(name=name, state=RouterState.IN_SYNC) for name in ("bad", "good")]

        async def ask(self, name: str, getter: str) -> Any:
            asked.append(name)
            if name == "bad" and asked.count("bad") < 5:
                raise ValueError("not a number")
            return {"eth0": {"tx_octets": 5, "rx_octets": 2**70}}

    monkeypatch.setattr(others_module, "_SELDOM", 3)
    it = Others(lambda: None, cast(Any, Routers()), lambda: False, lambda: 0.001)
    it.start()
    try:
        async with asyncio.timeout(10):
            while asked.count("bad") < 6:
                await asyncio.sleep(0.005)
    finally:
        await it.stop()
    assert asked.count("good") > asked.count("bad")
    assert SeriesKey(Level.PE, "bad/eth0") in it.take()


async def test_another_interval_for_routers_is_in_force_at_once() -> None:
    asked: list[str] = []

    class Routers:
        def all(self) -> list[Any]:
            return [SimpleNamespace(name="pe1", state=RouterState.IN_SYNC)]

        async def ask(self, name: str, getter: str) -> Any:
            asked.append(name)
            return {"eth0": {"tx_octets": 5}}

    interval = 3600.0
    it = Others(lambda: None, cast(Any, Routers()), lambda: False, lambda: interval)
    it.start()
    try:
        await asyncio.sleep(0.05)
        assert asked == []
        interval = 0.001
        it.changed()
        async with asyncio.timeout(10):
            while len(asked) < 2:
                await asyncio.sleep(0.005)
    finally:
        await it.stop()


async def test_word_of_flows_that_went_waits_for_the_end_of_the_round_and_is_not_lost(tmp_path: Path) -> None:
    async with counting(tmp_path) as it:
        await it.look()
        it.flows[2][0].packets = 10
        it.pass_time(5)
        gone = it.switches["hv1"].remove(it.flows[2][0].table, 1)
        it.network.on_flow_removed("hv1", gone)
        it.network.on_flow_removed("hv1", b"nonsense")
        it.connect("hv1")  # the connection was lost in between
        it.pass_time(5)
        await it.look()
        latest = it.telemetry.latest(VM[2])
        assert latest is not None and latest.totals[Measure.SENDS_PACKETS] == 10
