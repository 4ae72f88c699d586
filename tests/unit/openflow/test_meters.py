"""Meter-mods: os-ken's bytes, their keys beside those of flows, and reading them back."""

from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.hypervisors.channel import Channel
from controller.hypervisors.reconcile import reconcile
from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import messages, meters, packed, wire
from controller.openflow.errors import RequestRefused, SwitchGone
from controller.openflow.messages import Phase
from controller.openflow.packed import flow
from controller.openflow.text import describe
from controller.openflow.wire import message
from tests.bench.fake_switch import Counters
from tests.bench.fake_switch import Switch as PlayedSwitch
from tests.unit.openflow import oracle
from tests.unit.openflow.oracle import DESCRIPTION, OF, PARSER
from tests.unit.openflow.peer import serving

LIMIT = meters.meter_mod(meters.ADD, 9, 1000, 200)
FLOW = flow(4, 9, 1, [m.in_port(1)], [a.output(2)], meter=9)

numbers = st.integers(1, meters.MAX_ID)
rates = st.integers(1, 2**32 - 1)


def config(mod: bytes) -> bytes:
    """As a switch gives it back: length, flags, number, bands."""
    return struct.pack("!H", len(mod) - 8) + mod[10:]


@given(number=numbers, rate=rates, burst=rates)
def test_a_meter_packs_as_os_ken_packs_it(number: int, rate: int, burst: int) -> None:
    flags = OF.OFPMF_KBPS | OF.OFPMF_BURST
    add = meters.meter_mod(meters.ADD, number, rate, burst)
    for command, ours, bands in (
        (OF.OFPMC_ADD, add, [PARSER.OFPMeterBandDrop(rate, burst)]),
        (OF.OFPMC_MODIFY, meters.as_modify(add), [PARSER.OFPMeterBandDrop(rate, burst)]),
        (OF.OFPMC_DELETE, meters.as_delete(add), []),
    ):
        assert ours == oracle.serialized(PARSER.OFPMeterMod(DESCRIPTION, command, flags, number, bands))
        assert (meters.command(ours), meters.number(ours), meters.is_meter(ours)) == (command, number, True)
        assert meters.key(ours) == meters.key(add) == b"\xff" + number.to_bytes(4, "big")
    assert meters.configured([config(add) * 2, b"", config(add)]) == [add] * 3


@pytest.mark.parametrize(
    ("number", "rate", "burst"), [(0, 1, 1), (0xFFFF0001, 1, 1), (1, 0, 1), (1, 1 << 32, 1), (1, 1, 0)]
)
def test_a_meter_that_open_flow_has_not_is_refused(number: int, rate: int, burst: int) -> None:
    with pytest.raises(ValueError, match="no meter"):
        meters.meter_mod(meters.ADD, number, rate, burst)


def test_virtual_meters_of_the_operator_are_left_out_of_what_is_read_back() -> None:
    virtual = struct.pack("!HHI", 8, 5, 0xFFFFFFFD)
    assert meters.configured([virtual + config(LIMIT) + virtual]) == [LIMIT]


@given(body=st.binary(max_size=80))
def test_strange_configurations_are_read_or_refused(body: bytes) -> None:
    try:
        read = meters.configured([body])
    except ValueError as problem:
        assert "meter configuration" in str(problem)
        return
    assert sum(len(mod) - 8 for mod in read) <= len(body)
    for mod in read:
        assert describe(mod).startswith(f"meter={meters.number(mod)}")


@given(body=st.binary(min_size=8, max_size=80))
def test_strange_meter_mods_are_described(body: bytes) -> None:
    assert "meter=" in describe(message(wire.METER_MOD, 1, body))


def test_flows_and_meters_are_treated_alike() -> None:
    change, gone = meters.as_modify(LIMIT), meters.as_delete(LIMIT)
    assert [messages.phase(msg) for msg in (LIMIT, FLOW, change, gone)] == [
        Phase.EARLY, Phase.BUNDLE, Phase.LATE, Phase.LATE,
    ]  # fmt: skip
    assert messages.key(FLOW) == packed.flow_key(FLOW) and messages.key(LIMIT) == meters.key(LIMIT)
    assert messages.key(FLOW)[0] == 4 and messages.key(LIMIT)[0] == messages.METERS == 0xFF
    assert (messages.table_of(FLOW), messages.table_of(gone)) == (4, messages.METERS)
    assert messages.as_delete(FLOW) == packed.as_delete_strict(FLOW) and messages.as_delete(LIMIT) == gone
    assert messages.as_replacement(FLOW) == FLOW and messages.as_replacement(LIMIT) == change
    removing = [messages.is_delete(msg) for msg in (FLOW, messages.as_delete(FLOW), LIMIT, change, gone)]
    assert removing == [False, True, False, False, True]


def test_a_refusal_is_healed_only_where_the_other_command_says_the_same() -> None:
    exists, unknown, full = (
        RequestRefused(12, code) for code in (OF.OFPMMFC_METER_EXISTS, OF.OFPMMFC_UNKNOWN_METER, 10)
    )
    change = meters.as_modify(LIMIT)
    assert meters.instead(LIMIT, exists) == change and meters.instead(change, unknown) == LIMIT
    for mod, refusal in (
        (LIMIT, unknown), (LIMIT, full), (change, exists), (meters.as_delete(LIMIT), unknown),
        (LIMIT, RequestRefused(1, OF.OFPMMFC_METER_EXISTS)),
    ):  # fmt: skip
        assert meters.instead(mod, refusal) is None


def test_a_meter_as_a_line() -> None:
    assert describe(LIMIT) == "meter=9 kbps burst bands=type=drop rate=1000 burst_size=200"
    assert describe(meters.as_modify(LIMIT)) == "modify meter=9 kbps burst bands=type=drop rate=1000 burst_size=200"
    assert describe(meters.as_delete(LIMIT)) == "delete meter=9"
    assert describe(FLOW).endswith(" actions=meter:9,output:2")


async def test_each_of_several_mods_has_its_own_refusal() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        sending = asyncio.create_task(switch.send([LIMIT, meters.as_modify(LIMIT), meters.as_delete(LIMIT)]))
        received = [await peer.receive() for _ in range(4)]
        assert [kind for kind, _, _ in received] == [wire.METER_MOD] * 3 + [wire.BARRIER_REQUEST]
        assert received[0][2] == LIMIT[8:] and len({xid for _, xid, _ in received}) == 4
        _, second, body = received[1]
        peer.send(wire.ERROR, second, struct.pack("!HH", 12, 3) + message(wire.METER_MOD, second, body))
        peer.send(wire.BARRIER_REPLY, received[3][1])
        nothing, refusal, none = await sending
        assert nothing is None and none is None
        assert isinstance(refusal, RequestRefused) and str(refusal) == "meter-mod failed: unknown meter"
        assert switch.last_error is None
        sending = asyncio.create_task(switch.send([LIMIT]))
        await peer.receive()
        peer.writer.close()
        with pytest.raises(SwitchGone):
            await sending


async def test_meters_are_read_in_parts_and_a_switch_without_any_has_none() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        reading = asyncio.create_task(switch.meters())
        xid, body = await peer.expect(wire.MULTIPART_REQUEST)
        assert body == bytes.fromhex("000a000000000000ffffffff00000000")
        peer.send(wire.MULTIPART_REPLY, xid, struct.pack("!HH4x", 10, 1) + config(LIMIT))
        peer.send(wire.MULTIPART_REPLY, xid, struct.pack("!HH4x", 10, 0) + config(LIMIT))
        assert await reading == [LIMIT, LIMIT]
        for kind, code, wanted in ((1, 2, []), (12, 0, None)):
            reading = asyncio.create_task(switch.meters())
            xid, body = await peer.expect(wire.MULTIPART_REQUEST)
            peer.send(wire.ERROR, xid, struct.pack("!HH", kind, code) + message(wire.MULTIPART_REQUEST, xid, body))
            if wanted is None:
                with pytest.raises(RequestRefused, match="meter-mod failed"):
                    await reading
            else:
                assert await reading == wanted
        reading = asyncio.create_task(switch.meters())
        xid, _ = await peer.expect(wire.MULTIPART_REQUEST)
        peer.send(wire.MULTIPART_REPLY, xid, struct.pack("!HH4x", 10, 0) + b"\x00\x40" + bytes(20))
        with pytest.raises(SwitchGone, match="meter configuration with a wrong length"):
            await reading


async def test_the_switch_that_benchmarks_play_keeps_meters_as_a_real_one() -> None:
    contents = {messages.key(msg): msg for msg in (FLOW, LIMIT, meters.meter_mod(meters.ADD, 10, 5, 5))}

    async def compile_all(_: str) -> dict[bytes, bytes]:
        return contents

    async with serving() as place:
        played = PlayedSwitch(0xAA, Counters())
        await asyncio.get_running_loop().create_connection(lambda: played, "127.0.0.1", place.port)
        switch = await asyncio.wait_for(place.arrived.get(), 5)
        channel = Channel("f0")
        channel.connected(switch)
        done = await reconcile(channel, compile_all, asyncio.Lock())
        assert done.difference.missing == 3
        await channel.push([LIMIT, meters.as_modify(meters.meter_mod(meters.ADD, 11, 7, 7))])
        assert sorted(await switch.meters()) == sorted(
            [LIMIT, meters.meter_mod(meters.ADD, 10, 5, 5), meters.meter_mod(meters.ADD, 11, 7, 7)]
        )
        again = await reconcile(channel, compile_all, asyncio.Lock())
        assert (again.difference.equal, again.difference.alien) == (3, 1)
        assert sorted(await switch.meters()) == sorted(contents.values())[-2:]
