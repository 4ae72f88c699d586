"""The speaker and peers that no vendor would ship: malformed messages, flapping, floods, silence."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.bgp import wire
from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Down, Fault, Refused, Up
from controller.bgp.speaker.child.channel import FULL
from controller.bgp.speaker.child.session import QUEUE_LIMIT
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from tests.system.wan.bgp_speaking import OURS, Heard, neighbour, own_prefix, speaking, until, vpn_routes
from tests.system.wan.peers import PeerNetwork
from tests.system.wan.peers.raw_peer import (
    KEEPALIVE,
    MARKER,
    NOTIFICATION,
    OPEN,
    UPDATE,
    RawPeer,
    attribute,
    message,
    update,
)

VPNV4 = (1, 128)
OPTIONAL, TRANSITIVE = 0x80, 0x40
ORIGIN, AS_PATH, LOCAL_PREF, MP_REACH, EXTENDED = 1, 2, 5, 14, 16


@pytest.fixture
def network() -> Iterator[PeerNetwork]:
    with PeerNetwork(own_prefix("sph")) as made:
        for name in ("raw", "good"):
            made.add(name)
        yield made


def resident(speaker: ExabgpSpeaker) -> int:
    """Bytes of memory that the speaker's process has."""
    with open(f"/proc/{speaker.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) << 10


def processor(speaker: ExabgpSpeaker) -> int:
    """Hundredths of a second that it has worked."""
    with open(f"/proc/{speaker.pid}/stat") as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:13]))


def a_route(network: PeerNetwork, number: int, extra: bytes = b"", local_preference: bytes = bytes(4)) -> bytes:
    """An UPDATE for 40.0.NUMBER.0/24 with label 100, its attributes with more behind them."""
    nlri = (
        bytes([88 + 24]) + (100 << 4 | 1).to_bytes(3, "big") + bytes([0, 0, 0, 1, 0, 0, 0, 1]) + bytes([40, 0, number])
    )
    hop = bytes(8) + bytes(map(int, network.address("raw").split(".")))
    reach = struct.pack("!HBB", *VPNV4, len(hop)) + hop + b"\0" + nlri
    return update(
        attribute(OPTIONAL, MP_REACH, reach)
        + attribute(TRANSITIVE, ORIGIN, b"\0")
        + attribute(TRANSITIVE, AS_PATH, b"")
        + attribute(TRANSITIVE, LOCAL_PREF, local_preference)
        + extra
    )


async def raw_session(network: PeerNetwork, heard: Heard, times: int = 1, **settings: object) -> RawPeer:
    """A raw peer of our autonomous system that is established."""
    peer = RawPeer(network.space("raw"), network.address("raw"), OURS, **settings)  # type: ignore[arg-type]
    await peer.connect(network.here)
    await peer.establish([VPNV4])
    await heard.up("raw", times)
    return peer


async def test_malformed_attributes_withdraw_their_routes_and_leave_the_session(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])
        peer = await raw_session(network, heard)
        for number in (1, 2, 3):
            peer.send(a_route(network, number))
        await until(lambda: len(heard.routes.get("raw", {})) == 3, "three routes")
        wrong = [
            a_route(network, 1, local_preference=b"\0\0"),  # RFC 7606 section 7.5: treat as withdraw
            a_route(network, 2, attribute(OPTIONAL | TRANSITIVE, EXTENDED, b"12345")),  # section 7.14, the same
            a_route(network, 4, bytes([TRANSITIVE, ORIGIN])),  # cut off: section 4
        ]
        for one in wrong:
            peer.send(one)
        peer.send(a_route(network, 5))
        await until(lambda: len(heard.of(Refused, "raw")) >= 3, "three that were refused")
        await until(lambda: len(heard.routes["raw"]) == 2, "routes 3 and 5")
        assert not heard.of(Down) and not peer.count(NOTIFICATION)
        await peer.close()


async def test_what_cannot_be_read_at_all_resets_that_session_alone(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True), neighbour(network, "good", passive=True)])
        good = RawPeer(network.space("good"), network.address("good"), OURS)
        await good.connect(network.here)
        await good.establish([VPNV4], router_id="9.9.9.8")
        await heard.up("good")
        cases = [
            (update(attribute(OPTIONAL, MP_REACH, b"\0\1")), b"\3"),  # RFC 7606 section 5.3
            (message(UPDATE, b"\xff\xff\0\0"), b"\3"),  # lengths that cannot be
            (MARKER + b"\0\5\2", b"\1\2\0\5"),  # RFC 4271 section 6.1: message length
            (bytes(19), b"\1\1"),  # no marker
            (message(9), b"\1\3"),  # no such type
            (message(OPEN, bytes(10)), b"\5\3"),  # in state Established
        ]
        for times, (said, answer) in enumerate(cases, 1):
            peer = await raw_session(network, heard, times)
            peer.send(said)
            assert (await peer.until(NOTIFICATION)).startswith(answer), said
            assert not (await heard.down("raw", times)).graceful
            await peer.close()
        assert not heard.of(Down, "good") and len(heard.of(Fault)) == 1
        await good.close()


async def test_peers_that_never_get_to_a_session_cost_nothing_and_are_sent_away(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])

        async def connected(asn: int = OURS) -> RawPeer:
            peer = RawPeer(network.space("raw"), network.address("raw"), asn)
            await peer.connect(network.here)
            return peer

        wrong_as = await connected(OURS + 1)
        wrong_as.send(wrong_as.open_message([VPNV4]))
        assert (await wrong_as.until(NOTIFICATION)).startswith(b"\2\2")
        await wrong_as.close()
        garbage = await connected()
        garbage.send(b"GET / HTTP/1.1\r\nHost: 169.254.1.1\r\n\r\n")
        await garbage.until(NOTIFICATION)
        await garbage.close()
        cut_off = await connected()
        cut_off.send(message(OPEN, b"\4" + OURS.to_bytes(2, "big") + b"\0\x5a\1\1\1\1\xff\2\xff\x40\xff"))
        await cut_off.until(NOTIFICATION)
        await cut_off.close()
        waiting = await connected()
        waiting.send(waiting.open_message([VPNV4]))  # and never a KEEPALIVE
        await waiting.until(KEEPALIVE)
        before = processor(speaker)
        await asyncio.sleep(3)
        assert processor(speaker) - before < 100  # it would be 300 if it turned round and round
        await waiting.close()
        stranger = RawPeer(network.space("good"), network.address("good"), OURS)
        await stranger.connect(network.here)
        await stranger.gone()
        await stranger.close()
        peer = await raw_session(network, heard)
        assert len(heard.of(Up)) == 1 and len(heard.of(Fault)) == 1
        await peer.close()


async def test_a_peer_that_flaps_twenty_times_is_told_as_often_and_in_order(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])
        for times in range(1, 21):
            peer = await raw_session(network, heard, times, hold=30)
            peer.send(a_route(network, times))
            await until(lambda: heard.routes.get("raw"), "its route")
            await peer.close(reset=times % 2 == 0)
            await heard.down("raw", times)
        told = [type(one) for one in heard.events if isinstance(one, Up | Down)]
        assert told == [Up, Down] * 20
        assert len(heard.of(Fault)) == 1


async def test_short_hold_timers_survive_a_push_of_a_hundred_thousand_routes(network: PeerNetwork) -> None:
    heard = Heard()
    routes = vpn_routes(100_000, next_hop=network.here, targets=200)
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, name, passive=True, hold_time=9) for name in ("raw", "good")])
        peer = await raw_session(network, heard, hold=9)
        idle = RawPeer(network.space("good"), network.address("good"), OURS, hold=9)
        await idle.connect(network.here)
        await idle.establish([VPNV4], router_id="9.9.9.8")
        await heard.up("good")
        before = idle.count(KEEPALIVE)
        began = time.monotonic()
        while time.monotonic() < began + 12:  # longer than the hold time
            await speaker.announce(["raw"], routes)
            await speaker.end_of_rib("raw", [Family.VPNV4])
        end = wire.update_body(wire.end_of_rib(Family.VPNV4))
        await until(lambda: peer.messages[-1][1] == end or peer.messages[-2][1] == end, "the end of the table")
        assert not heard.of(Down)
        assert idle.count(KEEPALIVE) >= before + 3
        last = max(at for at, (kind, body) in enumerate(peer.messages) if body == end)
        decoder = wire.Decoder(families=[Family.VPNV4])
        keys = {
            route.nlri.key
            for kind, body in peer.messages[:last]
            if kind == UPDATE
            for route in decoder.update(body).announced
        }
        assert len(keys) == 100_000
        await peer.close()
        await idle.close()


@pytest.mark.soak
async def test_a_slow_service_holds_the_peer_back_and_no_session_is_lost(network: PeerNetwork) -> None:
    heard = Heard()
    routes = vpn_routes(150_000, next_hop=network.address("raw"), targets=1)  # made first: it takes seconds
    flood = b"".join(part for at in range(0, len(routes), 10) for part in wire.encode_updates(routes[at : at + 10]))
    assert 6 * len(flood) > 3 * FULL
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True, hold_time=9)])
        peer = await raw_session(network, heard, hold=9)
        heard.slow = 0.01
        before = resident(speaker)
        for _ in range(6):  # more than all buffers on the way
            peer.send(flood)
        began = time.monotonic()
        while time.monotonic() < began + 20:  # longer than twice the hold time
            await asyncio.sleep(0.5)
            assert resident(speaker) - before < 4 * FULL
        assert not heard.of(Down)
        heard.slow = 0.0
        await until(lambda: len(heard.routes.get("raw", {})) == 150_000, "all routes")
        await speaker.reset("raw", "enough")
        await heard.down("raw")
        await peer.close()


async def test_a_million_prefixes_end_with_a_reset_by_the_service(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])
        peer = await raw_session(network, heard)
        routes = vpn_routes(100_000, next_hop=network.address("raw"), targets=1)
        flood = wire.encode_updates(routes)
        for number in range(10):  # another distinguisher each time: a million different routes
            mark = b"\0\0" + OURS.to_bytes(2, "big") + (1).to_bytes(4, "big")
            other = mark[:4] + (1000 + number).to_bytes(4, "big")
            peer.send(b"".join(one.replace(mark, other) for one in flood))
        await until(lambda: len(heard.routes.get("raw", {})) > 20_000, "more than the limit")
        await speaker.reset("raw", "more than 20000 prefixes")
        assert b"more than 20000 prefixes" in await peer.until(NOTIFICATION)
        await heard.down("raw")
        assert resident(speaker) < 100 << 20
        await peer.close()
        await (await raw_session(network, heard, 2)).close()


async def test_a_peer_that_does_not_read_is_reset_before_it_takes_all_memory(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])
        peer = await raw_session(network, heard)
        assert peer._writer is not None
        peer._writer.transport.pause_reading()  # type: ignore[attr-defined]
        routes = [  # each with 3.6 kB of communities of its own: 0.7 MB in all
            replace(one, attributes=replace(one.attributes, communities=tuple(range(number, number + 900))))
            for number, one in enumerate(vpn_routes(200, next_hop=network.here, targets=1))
        ]
        most = 0
        while not heard.of(Down):
            await speaker.announce(["raw"], routes)
            most = max(most, resident(speaker))
        assert most < QUEUE_LIMIT + (100 << 20)
        assert len(heard.of(Fault)) == 1
        await peer.close(reset=True)


async def test_extended_messages_and_peers_without_four_byte_numbers(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])
        peer = await raw_session(network, heard, extended=True)
        await speaker.announce(["raw"], vpn_routes(1000, next_hop=network.here, targets=1))
        await peer.until(UPDATE)
        assert max(len(body) for _, body in peer.messages) > 4096
        big = wire.encode_updates(vpn_routes(3000, next_hop=network.address("raw"), targets=1), 65535)
        assert len(big) == 1
        peer.send(big[0])
        await until(lambda: len(heard.routes.get("raw", {})) == 3000, "a message of 45 kB")
        await peer.close()
        await heard.down("raw")
        plain = RawPeer(network.space("raw"), network.address("raw"), OURS)
        await plain.connect(network.here)
        said = plain.open_message([VPNV4])
        cut = said.index(b"\2\6\x41\4")  # capability 65
        body = said[19:cut] + said[cut + 8 :]
        plain.send(message(OPEN, body[:9] + bytes([body[9] - 8]) + body[10:]))
        await plain.until(OPEN)
        plain.send(message(KEEPALIVE))
        await heard.up("raw", 2)
        routes = vpn_routes(1, next_hop=network.here, as_path=(4200000001,))
        await speaker.announce(["raw"], routes)
        update_body = await plain.until(UPDATE)
        assert attribute(TRANSITIVE, AS_PATH, b"\2\1" + (23456).to_bytes(2, "big")) in update_body  # RFC 6793
        assert attribute(OPTIONAL | TRANSITIVE, 17, b"\2\1" + (4200000001).to_bytes(4, "big")) in update_body
        await plain.close()


async def test_silence_for_the_hold_time_ends_a_session_whose_routes_may_be_kept(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True, hold_time=3)])
        peer = RawPeer(network.space("raw"), network.address("raw"), OURS, hold=0)  # it sends no KEEPALIVE by itself
        await peer.connect(network.here)
        said = peer.open_message([VPNV4])
        peer.send(said[:22] + (3).to_bytes(2, "big") + said[24:])
        await peer.until(OPEN)
        peer.send(message(KEEPALIVE))
        up = await heard.up("raw")
        assert up.hold_time == 3
        assert (await peer.until(NOTIFICATION)).startswith(b"\4")
        assert (await heard.down("raw")).graceful
        await peer.close()
