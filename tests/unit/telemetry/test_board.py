"""Rounds that are put together, kept and slowed down."""

from __future__ import annotations

import pytest

from controller.telemetry.account import Kept
from controller.telemetry.archive import Look
from controller.telemetry.attribute import Counts
from controller.telemetry.board import Board
from controller.telemetry.keeping import KeptSwitch, encoded, packed, recalled
from controller.telemetry.keys import Level, Measure, SeriesKey
from controller.telemetry.others import interface_counters
from controller.telemetry.rhythm import SLOW, Rhythm
from controller.telemetry.shelf import grouped
from data.steps import at_once

ONE, TWO, SUBNET = (SeriesKey(level, name) for level, name in
                    ((Level.VPORT, "1"), (Level.VPORT, "2"), (Level.SUBNET, "s")))  # fmt: skip
HV = SeriesKey(Level.DVRS, "hv1")
SENT = Measure.SENDS_PACKETS


def sent(**numbers: int) -> Counts:
    keys = {"one": ONE, "two": TWO, "subnet": SUBNET}
    return {keys[name]: {SENT: number} for name, number in numbers.items()}


def test_a_look_that_covers_more_than_the_round_is_kept_as_of_its_own_time() -> None:
    looks: list[tuple[Counts, float | None]] = [(sent(one=10, subnet=10), 10.0), (sent(two=300, subnet=300), 300.0)]
    assert grouped(looks, 10.0, {ONE, SUBNET}) == [
        Look(300.0, sent(two=300, subnet=300), {SUBNET}),
        Look(10.0, sent(one=10, subnet=10)),
    ]
    looks[0] = {}, 10.0
    assert grouped(looks, 10.0, {ONE, SUBNET}) == [
        Look(300.0, sent(two=300, subnet=300), {SUBNET}),
        Look(10.0, {ONE: {}, SUBNET: {}}),
    ], "an idle look at the same subnet knows that time as well"


def test_what_several_counted_that_were_away_is_known_since_the_last_of_them_left() -> None:
    looks: list[tuple[Counts, float | None]] = [
        (sent(two=3600, subnet=3600), 3600.0), (sent(one=300, subnet=300), 300.0), ({}, 10.0),
    ]  # fmt: skip
    assert grouped(looks, 10.0, set()) == [
        Look(300.0, sent(one=300, subnet=300), set()),
        Look(3600.0, sent(two=3600, subnet=3600), {SUBNET}),
        Look(10.0, {}),
    ]


def test_after_a_restart_all_looks_cover_the_time_of_absence() -> None:
    idle = SeriesKey(Level.VPORT, "3")
    looks: list[tuple[Counts, float | None]] = [
        ({**sent(one=60, subnet=60), idle: {}}, 60.0), (sent(two=61, subnet=61), 61.0),
    ]  # fmt: skip
    ((length, counted, told),) = grouped(looks, 1.0, set())
    assert not told
    assert 60 <= length <= 61
    assert counted == {**sent(one=60, two=61, subnet=121), idle: {}}


def test_a_vport_that_is_idle_is_known_to_be_so_and_one_that_was_not_looked_at_is_not() -> None:
    ((_, counted, _told),) = grouped([(sent(one=1), 1.0)], 1.0, {ONE, TWO})
    assert counted == {**sent(one=1), TWO: {}}


def test_rates_are_added_up_with_the_time_that_each_switch_counted() -> None:
    board = Board()
    for time in (10.0, 20.0):
        board.add(sent(one=10, subnet=10), 10.0)
        board.add(sent(subnet=5), 5.0)
        at_once(board.finish(time, {ONE, SUBNET}))
    found = board.latest(SUBNET)
    assert found is not None and found.rates[SENT] == 2.0 and found.totals[SENT] == 30
    first = Board()
    first.add(sent(one=10), None)
    at_once(first.finish(10.0, {ONE}))
    seen_once = first.latest(ONE)
    assert seen_once is not None and seen_once.rates == {} and seen_once.totals[SENT] == 10
    assert first.latest(TWO) is None


def test_gauges_are_what_they_are_and_stay_so_in_rounds_that_do_not_tell_them() -> None:
    board = Board()
    board.add({HV: {Measure.FLOWS: 100}}, 10.0)
    at_once(board.finish(10.0, {HV}))
    at_once(board.finish(20.0, {HV}))
    board.add({HV: {Measure.FLOWS: 90}}, 10.0)
    at_once(board.finish(30.0, {HV}))
    found = board.latest(HV)
    assert found is not None and found.totals[Measure.FLOWS] == 90 and Measure.FLOWS not in found.rates
    assert board.recent(HV, Measure.FLOWS, 3) == (100.0, 100.0, 90.0)
    assert board.recent(HV, Measure.HIT_BYTES, 3) == ()


def test_only_so_many_rounds_of_busy_series_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.telemetry.board._RECENT_KEYS", 10)
    board = Board()
    for time in range(20):
        board.add({SeriesKey(Level.VPORT, str(number)): {SENT: 1} for number in range(4)}, 1.0)
        at_once(board.finish(float(time), set()))
    assert len(board.recent(SeriesKey(Level.VPORT, "1"), SENT, 100)) == 2


async def test_what_is_kept_comes_back_as_it_was() -> None:
    switch = KeptSwitch(123.5, Kept(7.0, [(b"12345678", 10, 1000, 3.5)]), "boot")
    totals = {ONE: {SENT: 5}, HV: {Measure.FLOWS: 7}}
    data = await packed(99.0, {"hv1": encoded(switch)}, {"pe1/eth0": (1, 2, 3, 4)}, totals)
    memory = recalled(data)
    assert memory.time == 99.0 and memory.switches == {"hv1": switch}
    assert memory.totals == totals and memory.others == {"pe1/eth0": (1, 2, 3, 4)}


@pytest.mark.parametrize("damaged", [None, b"", b"\x00", b"\xc1\xff", b"\x95\x09"])
def test_a_memory_that_cannot_be_read_is_no_memory(damaged: bytes | None) -> None:
    assert recalled(damaged).totals == {} and recalled(damaged).switches == {}


def test_a_switch_that_answers_slowly_is_asked_less_often_and_told_once_each_way() -> None:
    told: list[str] = []
    rhythm = Rhythm(10, told.append)
    rhythm.answered("hv1", SLOW * 2)
    rhythm.answered("hv1", SLOW * 2)
    assert [rhythm.due("hv1") for _ in range(8)] == [False, False, False, True] * 2
    assert all(rhythm.due("hv2") for _ in range(3))
    for _ in range(2):
        rhythm.answered("hv1", 0.01)
    assert rhythm.due("hv1") and len(told) == 2 and "less often" in told[0] and "again" in told[1]


def test_rounds_that_take_long_become_rarer_at_once_and_more_frequent_step_by_step() -> None:
    told: list[str] = []
    rhythm = Rhythm(10, told.append)
    for _ in range(5):
        rhythm.round(60.0)
    assert rhythm.interval == 80
    for _ in range(8):
        rhythm.round(1.0)
    assert rhythm.interval == 20
    rhythm.round(1.0)
    assert rhythm.interval == 10 and "every 20 s" in told[0]


def test_what_a_device_does_not_count_counts_as_nothing() -> None:
    said = {"tx_octets": 10, "rx_octets": -1, "tx_unicast_packets": 3, "tx_multicast_packets": -1,
            "tx_broadcast_packets": 2, "rx_unicast_packets": 7}  # fmt: skip
    assert interface_counters({"eth0": said}) == {"eth0": (10, 5, 0, 7)}
