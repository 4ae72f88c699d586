"""Packets to and from the controller: what a packet-in tells, what a packet-out costs a slow switch."""

from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import packets, wire
from controller.openflow.connection import PACKET_OUT_LIMIT
from controller.openflow.match import Match
from controller.openflow.packets import PacketIn
from controller.openflow.wire import Field, message
from tests.unit.openflow.oracle import DESCRIPTION, PARSER
from tests.unit.openflow.peer import serving

FRAME = bytes.fromhex("ffffffffffff0200000000010806") + bytes(28)


def body(elements: list[Match], frame: bytes = FRAME, total: int = 42, reason: int = 1) -> bytes:
    """A packet-in as Open vSwitch sends it: the match in its order, padded, two bytes, the frame."""
    oxms = b""
    for element in sorted(elements, key=lambda element: element.rank):
        for piece in element.parts:
            assert isinstance(piece, bytes)
            oxms += piece
    length = 4 + len(oxms)
    head = struct.pack("!IHBBQHH", wire.NO_BUFFER, total, reason, 3, 0xABCDEF, 1, length)
    return head + oxms + bytes(-length % 8) + bytes(2) + frame


def test_a_packet_in_tells_what_the_pipeline_knew() -> None:
    knew = [
        m.in_port(7), m.metadata(1 << 63), m.reg(0, 5001), m.reg(15, 0xFFFFFFFF), m.tunnel_id(99),
        m.tun_ipv6_src("2001:db8::1"), m.field("tun_erspan_idx", 5), m.field("ct_mark", 4, 6),
    ]  # fmt: skip
    packet = packets.packet_in(body(knew, total=1500, reason=packets.INVALID_TTL))
    assert (packet.cookie, packet.table, packet.in_port, packet.total_length) == (0xABCDEF, 3, 7, 1500)
    assert (packet.metadata, packet.tunnel_id, packet.reason) == (1 << 63, 99, 2)
    assert [packet.register(number) for number in (0, 1, 15)] == [5001, 0, 0xFFFFFFFF]
    assert packet.fields["tun_ipv6_src"] == 0x20010DB8 << 96 | 1
    assert (packet.fields["tun_erspan_idx"], packet.fields["ct_mark"]) == (5, 4)
    assert packet.frame == FRAME
    assert packets.packet_in(body([])) == PacketIn(0xABCDEF, 3, FRAME, 42, 1, {})


@given(data=st.binary(max_size=120), length=st.integers(0, 130))
def test_strange_packet_ins_are_read_or_refused(data: bytes, length: int) -> None:
    raw = struct.pack("!IHBBQHH", 0, 1, 2, 3, 4, 1, length) + data
    for given_bytes in (data, raw):
        try:
            packet = packets.packet_in(given_bytes)
        except (ValueError, struct.error):
            continue
        assert len(packet.frame) <= len(given_bytes) - 26
        for name, value in packet.fields.items():
            assert 0 <= value < 1 << 8 * wire.FIELDS[name].width


def test_a_packet_out_packs_as_os_ken_packs_it() -> None:
    want = PARSER.OFPPacketOut(
        DESCRIPTION, 0xFFFFFFFF, 7,
        [PARSER.OFPActionSetField(reg5=9), PARSER.NXActionResubmitTable(0xFFF8, 3)], FRAME,
    )  # fmt: skip
    want.set_xid(1)
    want.serialize()
    ours = packets.packet_out(FRAME, [a.set_reg(5, 9), a.resubmit(3)], 7)
    assert message(wire.PACKET_OUT, 1, ours) == bytes(want.buf)
    with pytest.raises(ValueError, match="left open"):
        packets.packet_out(FRAME, [a.output(Field("port"))], 7)


async def test_a_packet_in_reaches_its_handler_and_a_packet_out_its_switch() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        arrived: asyncio.Queue[PacketIn] = asyncio.Queue()
        switch.on_packet_in = arrived.put_nowait
        peer.send(wire.PACKET_IN, 0, body([m.in_port(7), m.reg(3, 1)]))
        packet = await asyncio.wait_for(arrived.get(), 5)
        assert (packet.in_port, packet.register(3)) == (7, 1)
        assert switch.packet_out(FRAME, [a.output(2)])
        _, sent = await peer.expect(wire.PACKET_OUT)
        assert sent == packets.packet_out(FRAME, [a.output(2)], wire.PORT_CONTROLLER)


async def test_packets_for_a_switch_that_does_not_read_are_dropped_and_counted() -> None:
    async with serving() as place:
        _, switch = await place.greeted()
        frame = bytes(1500)
        results = [switch.packet_out(frame, [a.output(2)]) for _ in range(20_000)]
        assert results[0] and not results[-1]
        assert switch.packets_dropped == results.count(False)
        transport = switch._transport
        assert transport is not None
        assert transport.get_write_buffer_size() < PACKET_OUT_LIMIT + 2000
        assert switch.connected
        switch.close("enough")
        assert not switch.packet_out(frame, [a.output(2)])
        assert switch.packets_dropped == results.count(False)


async def test_packets_that_a_switch_refuses_do_not_end_the_connection() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        refused = message(wire.PACKET_OUT, 9, packets.packet_out(FRAME, [a.output(2)], 7))
        for _ in range(500):
            peer.send(wire.ERROR, 9, struct.pack("!HH", 2, 4) + refused)
        peer.send(wire.ECHO_REQUEST, 1)
        await peer.expect(wire.ECHO_REPLY)
        assert switch.connected and switch.packets_refused == 500
        assert switch.last_error == "a packet was not sent: bad action: wrong output port"
