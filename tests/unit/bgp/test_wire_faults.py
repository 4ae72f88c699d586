"""What a peer may send that is wrong, and what becomes of it: RFC 7606, one scenario each."""

from __future__ import annotations

import struct

import pytest

from controller.bgp.routes import Encapsulation, Family, IpPrefix, MacIp, Multicast, Route, Unicast, VpnPrefix
from controller.bgp.wire import (
    Action,
    Attribute,
    Update,
    decode_update,
    encode_attribute,
    encode_nlri,
    encode_updates,
    update_body,
)
from controller.bgp.wire.faults import FAULTS_KEPT
from data.addresses import prefix
from tests.unit.bgp.wire_examples import ESI, EVERYTHING, HOP, MAC, RD, ROUTES

VPN = VpnPrefix(RD, prefix("10.20.0.0/16"), (500,))
VPN_HEAD = struct.pack("!HBB", 1, 128, 12) + bytes(8) + HOP.packed + b"\0"
EVPN_HEAD = struct.pack("!HBB", 25, 70, 4) + HOP.packed + b"\0"
REACH = (0x80, 14, VPN_HEAD + encode_nlri(VPN))
UNREACH = (0x80, 15, struct.pack("!HB", 1, 128) + encode_nlri(VPN, withdrawal=True))
ORIGIN, PATH, HERE = (0x40, 1, b"\0"), (0x40, 2, b"\2\1\0\0\xfd\xe9"), (0x40, 3, HOP.packed)
GOOD = [REACH, ORIGIN, PATH]


def body(*attributes: tuple[int, int, bytes], withdrawn: bytes = b"", nlri: bytes = b"", tail: bytes = b"") -> bytes:
    block = b"".join(encode_attribute(Attribute(*one)) for one in attributes) + tail
    return struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(block)) + block + nlri


def reset(update: Update) -> str:
    """The reason why the session must go; nothing else may be said then."""
    assert update.announced == update.withdrawn == () and update.action is Action.RESET
    (fault,) = update.faults
    return fault.reason


@pytest.mark.parametrize(
    ("flags", "kind", "value", "words"),
    [
        (0x40, 1, b"", "ORIGIN"),
        (0x40, 1, b"\3", "ORIGIN"),
        (0x80, 1, b"\0", "flags"),
        (0x40, 2, b"\2\0", "segment of 0"),
        (0x40, 2, b"\2\2\0\0\xfd\xe9", "AS_PATH"),
        (0x40, 2, b"\5\1\0\0\xfd\xe9", "type 5"),
        (0x40, 2, b"\2", "AS_PATH"),
        (0x80, 4, b"\0\0\0", "MULTI_EXIT_DISC"),
        (0x40, 5, b"\0" * 5, "LOCAL_PREF"),
        (0xC0, 8, b"", "COMMUNITIES"),
        (0xC0, 8, b"\0" * 6, "COMMUNITIES"),
        (0x80, 9, b"\0" * 16, "ORIGINATOR_ID"),
        (0x80, 10, b"\0" * 3, "CLUSTER_LIST"),
        (0xC0, 16, b"\0" * 9, "EXTENDED_COMMUNITIES"),
        (0xC0, 22, b"\0\6\0", "PMSI_TUNNEL"),
        (0xC0, 22, b"\0\6\0\0\0\1\2", "PMSI_TUNNEL"),
        (0xC0, 32, b"\0" * 8, "LARGE_COMMUNITY"),
        (0x40, 99, b"", "99"),
    ],
)
def test_a_malformed_attribute_withdraws_the_routes(flags: int, kind: int, value: bytes, words: str) -> None:
    others = [one for one in GOOD if one[1] != kind]
    update = decode_update(body(*others, (flags, kind, value)))
    assert not update.announced and update.withdrawn == (VPN,)
    (fault,) = update.faults
    assert fault.action is Action.WITHDRAW and words in fault.reason and fault.nlri == (VPN,)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_mandatory_attribute_that_is_missing_withdraws_the_routes(missing: int) -> None:
    update = decode_update(body(*(one for one in GOOD if one[1] != missing)))
    assert update.withdrawn == (VPN,) and "missing" in update.faults[0].reason


def test_ipv4_routes_without_a_next_hop_are_withdrawn() -> None:
    update = decode_update(body(ORIGIN, PATH, nlri=b"\x08\x0a"))
    assert update.withdrawn == (Unicast(prefix("10.0.0.0/8")),) and "NEXT_HOP" in update.faults[0].reason


@pytest.mark.parametrize(
    ("flags", "kind", "value"), [(0x40, 6, b"x"), (0xC0, 7, b"\0" * 6), (0xC0, 22, b"\0\1\0\0\0" + b"\0" * 12)]
)
def test_an_attribute_that_does_not_matter_is_left_out(flags: int, kind: int, value: bytes) -> None:
    update = decode_update(body(*GOOD, (flags, kind, value)))
    assert [route.nlri for route in update.announced] == [VPN]
    assert update.announced[0].attributes.unknown == () and update.announced[0].attributes.pmsi is None
    assert update.action is Action.DISCARD


@pytest.mark.parametrize("kind", [5, 9, 10])
def test_an_external_peer_says_nothing_about_what_is_internal(kind: int) -> None:
    flags = 0x40 if kind == 5 else 0x80
    for value in (b"\0\0\0\7", b"malformed"):
        update = decode_update(body(*GOOD, (flags, kind, value)), internal=False)
        attributes = update.announced[0].attributes
        assert attributes.local_preference is attributes.originator_id is None and attributes.cluster_list == ()
        assert update.action is Action.DISCARD
    assert decode_update(body(*GOOD, (flags, kind, b"\0\0\0\7"))).action is None


def test_an_attribute_that_stands_there_twice_counts_once() -> None:
    update = decode_update(body(*GOOD, (0x80, 4, b"\0\0\0\1"), (0x80, 4, b"\0\0\0\2")))
    assert update.announced[0].attributes.med == 1 and update.action is Action.DISCARD


@pytest.mark.parametrize("twice", [REACH, UNREACH])
def test_routes_that_stand_there_twice_end_the_session(twice: tuple[int, int, bytes]) -> None:
    assert "two attributes" in reset(decode_update(body(*GOOD, twice, twice)))


@pytest.mark.parametrize("tail", [b"\xc0", b"\xc0\x10", b"\xc0\x10\x08\0", b"\xd0\x10\0", b"\xd0\x10\xff\xff"])
def test_attributes_that_are_cut_off_withdraw_the_routes_ahead_of_them(tail: bytes) -> None:
    update = decode_update(body(*GOOD, tail=tail))
    assert update.withdrawn == (VPN,) and "cut off" in update.faults[0].reason


def test_attributes_that_are_cut_off_end_the_session_when_no_routes_were_found() -> None:
    assert "cut off" in reset(decode_update(body(ORIGIN, PATH, tail=b"\xd0\x0e\xff\xff")))


def test_a_malformed_attribute_beside_withdrawals_alone_ends_the_session() -> None:
    assert "ORIGIN" in reset(decode_update(body(UNREACH, (0x40, 1, b"\7"))))


def test_withdrawals_alone_need_no_attributes() -> None:
    update = decode_update(body(UNREACH))
    assert [one.key for one in update.withdrawn] == [VPN.key] and not update.faults
    assert decode_update(body(UNREACH, ORIGIN)).faults == ()


@pytest.mark.parametrize("raw", ["", "00", "0000", "000000", "0005", "ffff0000", "00000005", "0000000180"])
def test_lengths_that_do_not_fit_end_the_session(raw: str) -> None:
    assert reset(decode_update(bytes.fromhex(raw)))


def test_a_message_that_is_too_long_ends_the_session() -> None:
    assert "65536" in reset(decode_update(bytes(65517)))


@pytest.mark.parametrize(
    "value",
    [
        b"\0\1\x80",
        struct.pack("!HBB", 1, 128, 99) + bytes(20),
        struct.pack("!HBB", 1, 128, 5) + bytes(40),
        VPN_HEAD + b"\xff",
        VPN_HEAD + encode_nlri(VPN)[:-1],
        VPN_HEAD + b"\x58" + b"\0\0\1" + b"\0" * 7,
        VPN_HEAD + bytes((24 + 64 + 33,)) + b"\0\0\1" + b"\0" * 13,
        VPN_HEAD + b"\x20" + b"\0\0\1\0",
        EVPN_HEAD + b"\2",
        EVPN_HEAD + b"\2\x21" + bytes(32),
    ],
)
def test_routes_that_cannot_be_found_end_the_session(value: bytes) -> None:
    assert reset(decode_update(body((0x80, 14, value), ORIGIN, PATH)))


@pytest.mark.parametrize("field", [b"\x21\1\2\3\4\5", b"\x18\1\2"])
def test_ipv4_prefixes_that_are_too_long_end_the_session(field: bytes) -> None:
    assert reset(decode_update(body(withdrawn=field)))
    assert reset(decode_update(body(ORIGIN, PATH, HERE, nlri=field)))


def test_an_evpn_route_of_an_unknown_type_does_not_hide_the_others() -> None:
    good = encode_nlri(Multicast(RD, HOP))
    update = decode_update(body((0x80, 14, EVPN_HEAD + good + b"\6\3abc" + b"\2\3abc" + good), ORIGIN, PATH))
    assert [route.nlri for route in update.announced] == [Multicast(RD, HOP)] * 2
    assert [fault.action for fault in update.faults] == [Action.DISCARD] * 2
    assert "type 6" in update.faults[0].reason and "type 2" in update.faults[1].reason


@pytest.mark.parametrize(
    "route",
    [
        b"\1\x18" + bytes(24),
        b"\2\x20" + bytes(32),
        b"\2\x21" + bytes(22) + b"\x30" + bytes(6) + b"\x20" + bytes(3),
        b"\2\x21" + bytes(22) + b"\x31" + bytes(10),
        b"\2\x23" + bytes(22) + b"\x30" + bytes(12),
        b"\3\x08" + bytes(8),
        b"\3\x11" + bytes(12) + b"\x21" + bytes(4),
        b"\4\x12" + bytes(18),
        b"\5\x21" + bytes(33),
        b"\5\x22" + bytes(22) + b"\x21" + bytes(11),
    ],
)
def test_an_evpn_route_that_is_wrong_inside_is_left_out_with_a_reason(route: bytes) -> None:
    update = decode_update(body((0x80, 14, EVPN_HEAD + route), ORIGIN, PATH))
    assert not update.announced and update.action is Action.DISCARD
    assert f"type {route[0]}" in update.faults[0].reason


def test_a_prefix_with_two_overlay_indexes_is_withdrawn_and_its_neighbour_is_not() -> None:
    wrong = IpPrefix(RD, prefix("10.0.0.0/8"), 5, HOP, ESI)
    good = IpPrefix(RD, prefix("11.0.0.0/8"), 5, HOP)
    update = decode_update(body((0x80, 14, EVPN_HEAD + encode_nlri(wrong) + encode_nlri(good)), ORIGIN, PATH))
    assert [route.nlri for route in update.announced] == [good] and update.withdrawn == (wrong,)
    assert update.faults[0].nlri == (wrong,)


def test_families_that_the_session_does_not_carry_are_left_out() -> None:
    other = (0x80, 14, struct.pack("!HBB", 1, 4, 4) + HOP.packed + b"\0\x20\0\0\1\x0a")
    assert decode_update(body(other, ORIGIN, PATH)).action is Action.DISCARD
    update = decode_update(body(*GOOD, UNREACH), families=[Family.EVPN])
    assert update.announced == update.withdrawn == () and update.action is Action.DISCARD


def test_a_route_that_is_announced_and_withdrawn_is_announced() -> None:
    update = decode_update(body(UNREACH, *GOOD))
    assert [route.nlri for route in update.announced] == [VPN] and update.withdrawn == ()


def test_an_unknown_attribute_goes_on_as_partial_when_it_is_transitive() -> None:
    update = decode_update(body(*GOOD, (0xC0, 99, b"kept"), (0x80, 98, b"not kept")))
    assert update.announced[0].attributes.unknown == ((0xE0, 99, b"kept"),) and not update.faults


def test_the_faults_of_a_message_are_bounded() -> None:
    update = decode_update(body((0x80, 14, EVPN_HEAD + b"\x63\0" * 30000), ORIGIN, PATH))
    assert len(update.faults) == FAULTS_KEPT + 1 and "29984 more" in update.faults[-1].reason


@pytest.mark.parametrize("label", ["800000", "000000", "001f41", "001f40001f51"])
def test_a_withdrawn_vpn_route_may_have_any_label(label: str) -> None:
    labels = bytes.fromhex(label)
    field = bytes((len(labels) * 8 + 64 + 16,)) + labels + RD.packed + b"\x0a\x14"
    update = decode_update(body((0x80, 15, struct.pack("!HB", 1, 128) + field * 2)))
    assert [one.key for one in update.withdrawn] == [VPN.key] * 2


def test_confederations_are_in_the_path_and_not_in_its_length() -> None:
    path = b"\3\2\0\0\0\1\0\0\0\2" + b"\2\2\0\0\0\3\0\0\0\4" + b"\1\3\0\0\0\5\0\0\0\6\0\0\0\7" + b"\4\1\0\0\0\x08"
    attributes = decode_update(body(REACH, ORIGIN, (0x40, 2, path))).announced[0].attributes
    assert attributes.as_path == (1, 2, 3, 4, 5, 6, 7, 8) and attributes.as_path_length == 3


@pytest.mark.parametrize(
    ("path", "newer", "aggregator", "expected"),
    [
        ("0203 fde9 5ba0 5ba0", "0202 fa56ea01 fa56ea02", "", (65001, 4200000001, 4200000002)),
        ("0202 fde9 5ba0", "0203 00000001 00000002 00000003", "", (65001, 23456)),
        ("0202 fde9 5ba0", "0201 fa56ea01", "fde9 c0000201", (65001, 23456)),
        ("0202 fde9 5ba0", "0201 fa56ea01", "5ba0 c0000201", (65001, 4200000001)),
        ("0302 0001 0002 0202 fde9 5ba0", "0201 fa56ea01", "", (1, 2, 65001, 4200000001)),
        ("0202 fde9 5ba0", "0209 fa56ea01", "", (65001, 23456)),
    ],
)
def test_a_path_of_two_bytes_is_completed(path: str, newer: str, aggregator: str, expected: tuple[int, ...]) -> None:
    """RFC 6793 section 4.2.3: not when it is longer than the path, nor behind an old aggregator."""
    attributes = [REACH, ORIGIN, (0x40, 2, bytes.fromhex(path)), (0xC0, 17, bytes.fromhex(newer))]
    if aggregator:
        attributes.append((0xC0, 7, bytes.fromhex(aggregator)))
    (route,) = decode_update(body(*attributes), as4=False).announced
    assert route.attributes.as_path == expected


def test_a_speaker_of_four_bytes_says_nothing_by_as4_path() -> None:
    update = decode_update(body(*GOOD, (0xC0, 17, b"\2\1\0\0\0\7"), (0xC0, 18, bytes(8))))
    assert update.announced[0].attributes.as_path == (65001,) and not update.faults


@pytest.mark.parametrize(
    ("community", "default", "label"),
    [
        (8, Encapsulation.MPLS, 0x1F41),
        (10, Encapsulation.VXLAN, 0x1F4),
        (2, Encapsulation.VXLAN, 0x1F4),
        (None, Encapsulation.VXLAN, 0x1F41),
        (None, Encapsulation.MPLS, 0x1F4),
    ],
)
def test_the_encapsulation_says_what_labels_are(community: int | None, default: Encapsulation, label: int) -> None:
    """RFC 8365 section 5.1.3; of the route's labels and of the tunnel's, wherever the community stands."""
    nlri = encode_nlri(MacIp(RD, MAC, None, 0x1F41, 0x1F41), Encapsulation.VXLAN)
    attributes = [(0x80, 14, EVPN_HEAD + nlri), (0xC0, 22, b"\0\6\0\x1f\x41" + HOP.packed), ORIGIN, PATH]
    if community:
        attributes.append((0xC0, 16, b"\3\x0c\0\0\0\0\0" + bytes((community,))))
    (route,) = decode_update(body(*attributes), encapsulation=default).announced
    assert isinstance(route.nlri, MacIp) and route.attributes.pmsi is not None
    assert (route.nlri.label, route.nlri.label2, route.attributes.pmsi.label) == (label, label, label)


@pytest.mark.parametrize("route", ROUTES)
def test_a_message_that_is_cut_anywhere_is_a_fault_and_not_an_exception(route: Route) -> None:
    (message,) = encode_updates([Route(route.nlri, EVERYTHING)])
    whole = update_body(message)
    for cut in range(len(whole)):
        update = decode_update(whole[:cut])
        assert update.faults or len(update.announced) + len(update.withdrawn) < 2
