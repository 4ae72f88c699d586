"""Frames of the speaker process as events."""

from __future__ import annotations

import json

import pytest

from controller.bgp import wire
from controller.bgp.routes import Attributes, Encapsulation, Family, Rd, Route, VpnPrefix
from controller.bgp.speaker.backend import Changed, Down, EndOfRib, Event, Peer, Refresh, Refused, Up
from controller.bgp.speaker.events import Sessions
from controller.bgp.speaker.frames import FrameError, Kind, Splitter, frame
from controller.bgp.speaker.saying import Manner, announcements, parcels, withdrawals
from data.addresses import address, prefix

PEER = Peer("pe1", "192.0.2.9", "192.0.2.1", 65000, 65000, "192.0.2.1", (Family.VPNV4, Family.EVPN))
UP = {
    "session": 1,
    "address": "192.0.2.9",
    "families": [[1, 128], [25, 70], [1, 133]],
    "hold": 90,
    "router_id": "9.9.9.9",
    "as4": True,
    "size": 4096,
}
ONE = (1).to_bytes(4, "big")


def route(number: int, **more: object) -> Route:
    said = Attributes(address("192.0.2.9"), local_preference=100)
    nlri = VpnPrefix(Rd.of("65000:1"), prefix(f"10.{number}.0.0/16"), (100 + number,))
    return Route(nlri, said)


def told(sessions: Sessions, kind: Kind, payload: bytes | dict[str, object]) -> list[Event]:
    return list(sessions.events(kind, json.dumps(payload).encode() if isinstance(payload, dict) else payload))


@pytest.fixture
def sessions() -> Sessions:
    made = Sessions({"192.0.2.9": PEER})
    told(made, Kind.UP, UP)
    return made


def test_up_says_what_both_ends_agreed_on() -> None:
    restart = {"restart": 120, "restarted": True, "forwarding": [[1, 128]]}
    (up,) = told(Sessions({"192.0.2.9": PEER}), Kind.UP, UP | restart)
    both = frozenset({Family.VPNV4, Family.EVPN})
    assert up == Up("pe1", both, 90, "9.9.9.9", 120, frozenset({Family.VPNV4}), True)
    (plain,) = told(Sessions({"192.0.2.9": PEER}), Kind.UP, UP)
    assert plain == Up("pe1", both, 90, "9.9.9.9")


def test_updates_are_decoded_in_their_order(sessions: Sessions) -> None:
    messages = [
        *wire.encode_updates([route(1), route(2)]),
        wire.end_of_rib(Family.VPNV4),
        *wire.encode_withdrawals([route(1).nlri]),
    ]
    events = told(sessions, Kind.UPDATES, ONE + b"".join(messages))
    assert isinstance(events[0], Changed) and [one.nlri for one in events[0].announced] == [
        route(1).nlri,
        route(2).nlri,
    ]
    assert events[1] == EndOfRib("pe1", Family.VPNV4)
    assert isinstance(events[2], Changed) and [one.key for one in events[2].withdrawn] == [route(1).nlri.key]


def test_a_message_that_cannot_be_read_is_the_last_that_counts(sessions: Sessions) -> None:
    broken = b"\xff" * 16 + b"\0\x17\2" + b"\xff\xff\0\0"
    events = told(sessions, Kind.UPDATES, ONE + broken + wire.end_of_rib(Family.VPNV4))
    assert [type(one) for one in events] == [Refused]
    assert [one.peer for one, _ in sessions.broken] == [PEER]
    assert told(sessions, Kind.UPDATES, ONE + wire.end_of_rib(Family.VPNV4)) == []
    assert told(sessions, Kind.DOWN, ONE + b"\0closed") == [Down("pe1", "closed", False)]


def test_a_refresh_is_told_for_families_of_the_session_alone(sessions: Sessions) -> None:
    assert told(sessions, Kind.REFRESH, ONE + b"\0\1\0\x80") == [Refresh("pe1", Family.VPNV4)]
    assert told(sessions, Kind.REFRESH, ONE + b"\0\1\0\1") == []
    assert told(sessions, Kind.REFRESH, ONE + b"\0\1\1\x80") == []  # a marker of RFC 7313


def test_what_is_of_a_session_that_is_gone_is_dropped(sessions: Sessions) -> None:
    assert told(sessions, Kind.DOWN, ONE + b"\1lost\x1b[2J") == [Down("pe1", "lost [2J", True)]
    assert told(sessions, Kind.UPDATES, ONE + wire.end_of_rib(Family.VPNV4)) == []
    assert told(sessions, Kind.DOWN, ONE + b"\1again") == []


def test_the_death_of_the_process_downs_every_session_once(sessions: Sessions) -> None:
    assert list(sessions.lost("it died")) == [Down("pe1", "it died", ours=True)]
    assert list(sessions.lost("it died")) == []


def test_why_a_session_fails_is_remembered_until_it_is_up() -> None:
    sessions = Sessions({"192.0.2.9": PEER})
    assert told(sessions, Kind.FAILED, {"address": "192.0.2.9", "reason": "no\nanswer"}) == []
    assert sessions.failures == {"pe1": "no answer"}
    told(sessions, Kind.UP, UP)
    assert sessions.failures == {}


def test_frames_come_whole_however_the_bytes_arrive() -> None:
    stream = frame(Kind.DONE) + frame(Kind.REFUSED, b"why") + frame(Kind.UPDATES, ONE, bytes(70000))
    for step in (1, 7, 65536):
        splitter = Splitter()
        found = [one for at in range(0, len(stream), step) for one in splitter.feed(stream[at : at + step])]
        assert [kind for kind, _ in found] == [Kind.DONE, Kind.REFUSED, Kind.UPDATES]
        assert found[1][1] == b"why" and len(found[2][1]) == 70004
    for wrong in (b"\xff\xff\xff\xff\1", b"\0\0\0\0\x63"):
        with pytest.raises(FrameError):
            list(Splitter().feed(wrong))


def spoken(messages: list[bytes], internal: bool) -> list[Route]:
    decoder = wire.Decoder(internal=internal)
    return [one for message in messages for one in decoder.update(wire.update_body(message)).announced]


async def test_external_peers_get_our_number_once_and_internal_ones_a_local_preference() -> None:
    families = frozenset({Family.VPNV4})
    external = Manner(65000, False, True, 4096, families, Encapsulation.VXLAN)
    internal = Manner(65000, True, True, 4096, families, Encapsulation.VXLAN)
    plain = Route(route(1).nlri, Attributes(address("192.0.2.1")))
    (one,) = spoken(await announcements(external, [plain]), False)
    assert (one.attributes.as_path, one.attributes.local_preference) == ((65000,), None)
    twice = Route(route(1).nlri, Attributes(address("192.0.2.1"), as_path=(65000, 65000), as_path_length=2))
    (one,) = spoken(await announcements(external, [twice]), False)
    assert one.attributes.as_path == (65000, 65000)
    (one,) = spoken(await announcements(internal, [plain]), True)
    assert (one.attributes.as_path, one.attributes.local_preference) == ((), 100)


async def test_the_last_of_routes_with_one_key_counts_and_other_families_are_left_out() -> None:
    none = Manner(65000, True, True, 4096, frozenset({Family.EVPN}), Encapsulation.VXLAN)
    assert await announcements(none, [route(1)]) == [] and await withdrawals(none, [route(1).nlri]) == []
    some = Manner(65000, True, True, 4096, frozenset({Family.VPNV4}), Encapsulation.VXLAN)
    relabelled = Route(VpnPrefix(Rd.of("65000:1"), prefix("10.1.0.0/16"), (999,)), route(1).attributes)
    found = spoken(await announcements(some, [route(1), route(2), relabelled]), True)
    assert {one.nlri for one in found} == {relabelled.nlri, route(2).nlri}


async def test_many_routes_travel_in_parcels_of_whole_messages() -> None:
    manner = Manner(65000, True, True, 4096, frozenset({Family.VPNV4}), Encapsulation.VXLAN)
    said = route(1).attributes
    many = [Route(VpnPrefix(Rd.of(f"65000:{one}"), prefix("10.1.0.0/16"), (100,)), said) for one in range(20_000)]
    messages = await announcements(manner, many)
    pieces = list(parcels(messages))
    assert b"".join(pieces) == b"".join(messages) and all(len(one) <= 1 << 16 for one in pieces)
    assert len(pieces) < 8 and {one.nlri.key for one in spoken(messages, True)} == {one.nlri.key for one in many}
