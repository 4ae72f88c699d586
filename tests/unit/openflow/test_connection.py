"""An OpenFlow connection against a scripted peer: pieces, garbage, silence, refusals, lost answers."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import pytest

from controller.openflow import connection as module
from controller.openflow import wire
from controller.openflow.connection import Switch
from controller.openflow.errors import RequestRefused, SwitchGone, error_text
from controller.openflow.readback import FlowEvent
from controller.openflow.server import OpenFlowServer
from controller.openflow.wire import message
from tests.unit.openflow.peer import FLOW, HELLO, Peer, serving


async def test_a_switch_is_announced_after_the_handshake() -> None:
    async with serving() as place:
        _, switch = await place.greeted()
        assert (switch.datapath_id, switch.tables, switch.version) == (0xAA, 254, 5)
        assert switch.connected
        assert place.server.connections == [switch]
        assert switch.received == 48
        assert switch.sent > 0
    assert place.left == ["the controller stops"]
    assert switch.ended == "the controller stops"
    assert not switch.connected


async def test_it_also_listens_on_a_unix_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "of.sock"
    arrived: asyncio.Queue[Switch] = asyncio.Queue()
    server = OpenFlowServer(arrived.put)
    await server.start_unix(path)
    await Peer(*await asyncio.open_unix_connection(path)).greet()
    assert (await asyncio.wait_for(arrived.get(), 5)).peer == "unix socket"
    await server.close()


async def test_messages_may_come_in_any_pieces() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        stream = b"".join(message(wire.ECHO_REQUEST, n, bytes(n)) for n in range(50))
        for at in range(0, len(stream), 11):
            peer.raw(stream[at : at + 11])
            await peer.writer.drain()
            await asyncio.sleep(0)
        for n in range(50):
            assert await peer.receive() == (wire.ECHO_REPLY, n, bytes(n))
        assert switch.connected


async def test_answers_find_their_requests_in_any_order() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        flows, barrier = asyncio.create_task(switch.flows()), asyncio.create_task(switch.barrier())
        stats, _ = await peer.expect(wire.MULTIPART_REQUEST)
        fence, _ = await peer.expect(wire.BARRIER_REQUEST)
        peer.send(wire.BARRIER_REPLY, 0x3FFFFFFF)  # nobody's
        peer.send(wire.BARRIER_REPLY, fence)
        await barrier
        body = struct.pack("!HBxIIHHHHH2xQQQ", 48 + 24, 3, 9, 0, 7, 0, 0, 0, 0, 0xC0FFEE, 11, 12) + FLOW[48:]
        peer.send(wire.MULTIPART_REPLY, stats, struct.pack("!HH4x", 1, 1) + body)
        peer.send(wire.MULTIPART_REPLY, stats, struct.pack("!HH4x", 1, 0) + body)
        entry, again = await flows
        assert entry == again
        assert entry.flow_mod() == FLOW
        assert (entry.packets, entry.octets, entry.duration) == (11, 12, 9)


async def test_an_error_answers_its_request_and_a_lost_connection_every_one() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        request = asyncio.create_task(switch.barrier())
        xid, _ = await peer.expect(wire.BARRIER_REQUEST)
        peer.send(wire.ERROR, xid, struct.pack("!HH", 1, 5))
        with pytest.raises(RequestRefused, match="bad request: permission denied"):
            await request
        assert switch.last_error is None
        waiting = [asyncio.create_task(switch.barrier()) for _ in range(3)]
        await peer.expect(wire.BARRIER_REQUEST)
        peer.writer.close()
        for each in waiting:
            with pytest.raises(SwitchGone, match=r"closed by the switch|connection lost"):
                await each
        assert len(place.left) == 1
        assert place.server.connections == []


async def test_an_error_that_nobody_asked_for_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        peer.send(wire.ERROR, wire.FLOW_XID, struct.pack("!HH", 5, 1) + FLOW)
        peer.send(wire.ECHO_REQUEST, 1)
        await peer.expect(wire.ECHO_REPLY)
        assert switch.last_error == "flow-mod failed: table full"
        assert "00000000000000aa at 127.0.0.1" in caplog.text


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        bytes(range(256)) * 300,
        b"\x05\x00\x00\x07\x00\x00\x00\x00",
        b"\x05\x00\xff\xff\x00\x00\x00\x00" + bytes(70000),
        HELLO + b"\x05\x02\x00\x04\x00\x00\x00\x00",
        HELLO + b"\x04\x02\x00\x08\x00\x00\x00\x00",
        HELLO + b"\x05\xee\x00\x08\x00\x00\x00\x00",
        HELLO + message(wire.FEATURES_REPLY, 3, b"short"),
        HELLO + message(wire.FEATURES_REPLY, 3, bytes(24)),
        HELLO + message(wire.MULTIPART_REPLY, 9, b"") + b"\x05",
        HELLO + message(wire.PACKET_IN, 9, b"\x00") + b"\x05",
    ],
)
async def test_garbage_ends_the_connection_with_one_line_in_the_log(
    garbage: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIMEOUT", 1.0)
    async with serving() as place:
        peer = await place.dial()
        with contextlib.suppress(ConnectionError):
            peer.raw(garbage)
            await peer.writer.drain()
        assert await peer.closed()
        assert place.arrived.empty()
        assert place.left == []
        refusals = [record for record in caplog.records if "refused" in record.message]
        assert len(refusals) == 1
        assert "127.0.0.1:" in refusals[0].message
        assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("!HH4x", 1, 0) + b"\x00\x40" + bytes(20),
        struct.pack("!HH4x", 1, 0) + struct.pack("!H", 10) + bytes(70),
        struct.pack("!HH4x", 1, 0) + struct.pack("!HB45xHH4x", 500, 1, 1, 4),
    ],
    ids=["cut off", "too short", "too long"],
)
async def test_malformed_flow_statistics_end_the_connection(body: bytes) -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        reading = asyncio.create_task(switch.flows())
        xid, _ = await peer.expect(wire.MULTIPART_REQUEST)
        peer.send(wire.MULTIPART_REPLY, xid, body)
        with pytest.raises(SwitchGone, match="flow statistics"):
            await reading
        assert not switch.connected


async def test_a_malformed_monitor_event_ends_the_connection() -> None:
    async with serving() as place:
        peer, switch = await place.greeted()
        events: list[FlowEvent] = []
        switch.on_flow_event = events.append
        peer.send(wire.MULTIPART_REPLY, 0, struct.pack("!HH4x", 16, 0) + struct.pack("!HH", 2, 1))
        assert await peer.closed()
        assert events == []
        assert "malformed message" in place.left[0]


async def test_a_callback_that_fails_does_not_end_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as place:
        peer, switch = await place.greeted()

        def fail(_: FlowEvent) -> None:
            raise LookupError("a mistake")

        switch.on_flow_event = fail
        event = struct.pack("!HHBBHHH4xQ", 48, 1, 3, 0, 0, 0, 7, 0xC0FFEE) + FLOW[48:72]
        peer.send(wire.MULTIPART_REPLY, 0, struct.pack("!HH4x", 16, 0) + event)
        peer.send(wire.ECHO_REQUEST, 5)
        await peer.expect(wire.ECHO_REPLY)
        assert "a callback failed" in caplog.text
        assert switch.connected


async def test_a_switch_of_an_older_version_gets_an_error_that_says_so() -> None:
    async with serving() as place:
        for hello in (
            b"\x04\x00\x00\x08\x00\x00\x00\x01",
            b"\x04\x00\x00\x10\x00\x00\x00\x01" + struct.pack("!HHI", 1, 8, 0b10010),
            b"\x06\x00\x00\x10\x00\x00\x00\x01" + struct.pack("!HHI", 1, 8, 0b1000000),
        ):
            peer = await place.dial()
            await peer.expect(wire.HELLO)
            peer.raw(hello)
            _, body = await peer.expect(wire.ERROR)
            assert body[:4] == bytes(4)
            assert b"the controller speaks OpenFlow 1.4" in body
            assert await peer.closed()
        assert place.arrived.empty()


async def test_a_newer_switch_that_also_speaks_ours_is_welcome() -> None:
    async with serving() as place:
        peer = await place.dial()
        await peer.expect(wire.HELLO)
        peer.raw(b"\x06\x00\x00\x10\x00\x00\x00\x01" + struct.pack("!HHI", 1, 8, 0b1100000))
        await peer.expect(wire.SET_CONFIG)
        await peer.expect(wire.FEATURES_REQUEST)


async def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIMEOUT", 0.1)
    async with serving(probe_interval=0.05) as place:
        assert await (await place.dial()).closed()
        peer = await place.dial()
        peer.raw(HELLO[:5])
        assert await peer.closed()
        assert place.arrived.empty()
        peer, switch = await place.greeted()
        with pytest.raises(SwitchGone, match="no answer to 3 echo requests"):
            await switch.barrier()
        assert place.left == ["no answer to 3 echo requests in 0.15 s"]


async def test_a_peer_that_answers_probes_stays() -> None:
    async with serving(probe_interval=0.02) as place:
        peer, switch = await place.greeted()
        for _ in range(10):
            xid, body = await peer.expect(wire.ECHO_REQUEST)
            peer.send(wire.ECHO_REPLY, xid, body)
        assert switch.connected


async def test_connections_above_the_limit_are_closed(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(limit=1) as place:
        await place.greeted()
        assert await (await place.dial()).closed()
        assert "already 1 connections" in caplog.text


async def test_a_handler_that_fails_ends_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: Switch) -> None:
        raise LookupError("a mistake")

    server = OpenFlowServer(fail)
    port = await server.start("127.0.0.1", 0)
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    await peer.greet()
    assert await peer.closed()
    assert "cannot be served" in caplog.text
    await server.close()


def test_errors_have_words_as_open_flow_has_them() -> None:
    from tests.unit.openflow.oracle import OF

    for kind, code, text in (
        (OF.OFPET_BAD_ACTION, OF.OFPBAC_BAD_OUT_GROUP, "bad action: group does not exist"),
        (OF.OFPET_BAD_MATCH, OF.OFPBMC_BAD_PREREQ, "bad match: prerequisite missing"),
        (OF.OFPET_BAD_INSTRUCTION, OF.OFPBIC_BAD_TABLE_ID, "bad instruction: wrong table"),
        (OF.OFPET_FLOW_MOD_FAILED, OF.OFPFMFC_TABLE_FULL, "flow-mod failed: table full"),
        (OF.OFPET_GROUP_MOD_FAILED, OF.OFPGMFC_UNKNOWN_GROUP, "group-mod failed: unknown group"),
        (OF.OFPET_BUNDLE_FAILED, OF.OFPBFC_MSG_FAILED, "bundle failed: a message failed"),
        (OF.OFPET_BUNDLE_FAILED, OF.OFPBFC_TIMEOUT, "bundle failed: timed out"),
        (OF.OFPET_BUNDLE_FAILED, OF.OFPBFC_BUNDLE_CLOSED, "bundle failed: bundle closed"),
        (99, 3, "error type 99: code 3"),
        (0xFFFF, 44, "Open vSwitch extension error 44"),
    ):
        assert error_text(kind, code) == text
