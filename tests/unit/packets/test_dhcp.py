"""DHCP conversations: os-ken writes what the client sends and reads what it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from os_ken.lib.packet import dhcp as oracle
from os_ken.lib.packet import ethernet, ipv4, packet, udp

from controller.packets.dhcp import Lease, decode, option_bytes, reply
from controller.packets.headers import UDP, ip_frame
from controller.packets.headers import udp as datagram
from data.addresses import Ip, address, prefix
from tests.unit.packets.golden import A4, B4, A, B

LEASE = Lease(
    address=B4,
    prefix_length=24,
    server=A4,
    server_mac=A,
    router=A4,
    dns_servers=(A4, address("2001:db8::53"), address("9.9.9.9")),
    mtu=1442,
    seconds=3600,
    domain_name="prod.example",
    host_name="web-1",
    options={42: address("10.1.1.7").packed, 54: b"none of its business", 43: b"x" * 300},
)
EVERYBODY, NOBODY = address("255.255.255.255"), address("0.0.0.0")
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
ALL = bytes((1, 3, 6, 12, 15, 26, 28, 42, 51, 54, 58, 59, 119, 121))


def asks(
    kind: int,
    *options: tuple[int, bytes],
    asked: bytes | None = ALL,
    source: Ip = NOBODY,
    destination: Ip = EVERYBODY,
    mac: str = B,
    **fields: Any,
) -> bytes:
    found = [oracle.option(53, bytes((kind,))), *(oracle.option(code, value) for code, value in options)]
    if asked is not None:
        found.append(oracle.option(55, asked))
    fields = {"xid": 0x1234ABCD, "flags": 0} | fields
    message = oracle.dhcp(1, B, options=oracle.options(option_list=found), **fields)
    return ip_frame(
        mac, A, source, destination, UDP, datagram(source, destination, 68, 67, message.serialize(None, None))
    )


class Told:
    """An answer as os-ken reads it."""

    def __init__(self, frame: bytes | None) -> None:
        assert frame is not None, "an answer"
        parts = packet.Packet(frame)
        self.ethernet = parts.get_protocol(ethernet.ethernet)
        self.ip = parts.get_protocol(ipv4.ipv4)
        self.udp = parts.get_protocol(udp.udp)
        self.message = oracle.dhcp.parser(frame[42:])[0]
        self.options = [(one.tag, one.value) for one in self.message.options.option_list]
        self.kind = dict(self.options)[53][0]
        self.size = len(frame) - 14

    @property
    def codes(self) -> list[int]:
        return [code for code, _ in self.options]

    def __getitem__(self, code: int) -> bytes:
        return dict(self.options)[code]


def test_discover_is_offered_the_lease_with_what_was_asked_for() -> None:
    told = Told(reply(asks(DISCOVER), LEASE))
    assert (told.kind, told.message.op, told.message.xid, told.message.yiaddr) == (OFFER, 2, 0x1234ABCD, "10.1.1.11")
    assert (told.message.ciaddr, told.message.siaddr, told.message.chaddr) == ("0.0.0.0", "0.0.0.0", B)
    assert (told.ip.src, told.ip.dst, told.udp.src_port, told.udp.dst_port) == ("10.1.1.1", "10.1.1.11", 67, 68)
    assert (told.ethernet.src, told.ethernet.dst) == (A, B)
    assert told.codes == [53, 54, 51, 1, 3, 6, 12, 15, 26, 28, 42, 58, 59]
    assert (told[1], told[3], told[54]) == (b"\xff\xff\xff\x00", A4.packed, A4.packed)
    assert told[6] == A4.packed + address("9.9.9.9").packed, "without the server of the other family"
    assert (told[12], told[15], told[26], told[28]) == (b"web-1", b"prod.example", b"\x05\xa2", b"\x0a\x01\x01\xff")
    assert (told[42], told[51]) == (address("10.1.1.7").packed, (3600).to_bytes(4, "big"))
    assert (told[58], told[59]) == ((1800).to_bytes(4, "big"), (3150).to_bytes(4, "big"))


def test_a_client_is_told_only_what_it_asked_for_and_the_mask_before_the_router() -> None:
    assert Told(reply(asks(DISCOVER, asked=bytes((6, 3, 6, 200))), LEASE)).codes == [53, 54, 51, 1, 6, 3]
    assert Told(reply(asks(DISCOVER, asked=b""), LEASE)).codes == [53, 54, 51, 1]
    assert Told(reply(asks(DISCOVER, asked=None), LEASE)).codes == [53, 54, 51, 1, 3, 6, 15, 26]
    bare = Lease(address=B4, prefix_length=31, server=A4, server_mac=A)
    assert Told(reply(asks(DISCOVER), bare)).codes == [53, 54, 51, 1, 58, 59]


def test_the_broadcast_flag_makes_the_answer_a_broadcast() -> None:
    told = Told(reply(asks(DISCOVER, flags=0x8000), LEASE))
    assert (told.ip.dst, told.ethernet.dst, told.message.flags) == ("255.255.255.255", "ff:ff:ff:ff:ff:ff", 0x8000)


def test_a_request_for_the_offer_is_acknowledged() -> None:
    told = Told(reply(asks(REQUEST, (54, A4.packed), (50, B4.packed)), LEASE))
    assert (told.kind, told.message.yiaddr, told.ip.dst) == (ACK, "10.1.1.11", "10.1.1.11")


def test_a_request_for_the_offer_of_another_server_is_met_with_silence() -> None:
    assert reply(asks(REQUEST, (54, address("10.1.1.9").packed), (50, B4.packed)), LEASE) is None


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(asks(REQUEST, (54, A4.packed), (50, address("10.1.1.12").packed)), id="selecting"),
        pytest.param(asks(REQUEST, (50, address("10.9.9.9").packed)), id="after a reboot"),
        pytest.param(asks(REQUEST, ciaddr="10.1.1.12"), id="rebinding"),
    ],
)
def test_a_request_for_another_address_is_refused_to_everybody(frame: bytes) -> None:
    told = Told(reply(frame, LEASE))
    assert (told.kind, told.message.yiaddr, told.message.ciaddr) == (NAK, "0.0.0.0", "0.0.0.0")
    assert (told.ip.dst, told.ethernet.dst, told.codes) == ("255.255.255.255", "ff:ff:ff:ff:ff:ff", [53, 54, 56])


def test_reboot_and_renewal_of_the_own_address_are_acknowledged() -> None:
    rebooted = Told(reply(asks(REQUEST, (50, B4.packed)), LEASE))
    assert (rebooted.kind, rebooted.message.ciaddr) == (ACK, "0.0.0.0")
    renewed = Told(reply(asks(REQUEST, ciaddr="10.1.1.11", source=B4, destination=A4), LEASE))
    assert (renewed.kind, renewed.message.ciaddr, renewed.ip.dst, renewed.ethernet.dst) == (
        ACK,
        "10.1.1.11",
        str(B4),
        B,
    )


def test_a_request_that_names_no_address_is_met_with_silence() -> None:
    assert reply(asks(REQUEST), LEASE) is None


def test_inform_gets_parameters_without_a_lease() -> None:
    told = Told(reply(asks(INFORM, ciaddr="10.1.1.11", source=B4), LEASE))
    assert (told.kind, told.message.yiaddr, told.ip.dst) == (ACK, "0.0.0.0", "10.1.1.11")
    assert not {51, 58, 59} & set(told.codes) and told[3] == A4.packed
    assert reply(asks(INFORM), LEASE) is None
    assert reply(asks(INFORM, ciaddr="10.1.1.12", source=B4), LEASE) is None


def test_decline_and_release_are_not_answered_but_read() -> None:
    frame = asks(DECLINE, (50, B4.packed), (54, A4.packed))
    assert reply(frame, LEASE) is None and reply(asks(RELEASE, ciaddr="10.1.1.11"), LEASE) is None
    declined = decode(frame)
    assert declined is not None and (declined.kind, declined.requested, declined.server) == (DECLINE, B4, A4)
    assert reply(asks(OFFER), LEASE) is None and reply(asks(99), LEASE) is None


def test_nobody_asks_in_the_name_of_another_and_relays_are_not_answered() -> None:
    assert reply(asks(DISCOVER, mac=A), LEASE) is None
    assert reply(asks(DISCOVER, giaddr="10.1.1.5"), LEASE) is None
    assert reply(asks(REQUEST, ciaddr="10.1.1.11", source=B4, destination=address("10.7.7.7")), LEASE) is None


def test_classless_routes_bring_the_default_route_along() -> None:
    routes = ((prefix("192.168.0.0/16"), address("10.1.1.5")), (prefix("10.128.0.0/9"), address("10.1.1.6")))
    told = Told(reply(asks(DISCOVER), replace(LEASE, routes=routes)))
    expected = (16, 192, 168, 10, 1, 1, 5, 9, 10, 128, 10, 1, 1, 6, 0, 10, 1, 1, 1)
    assert told[121] == bytes(expected) and told[3] == A4.packed


def test_a_long_option_is_cut_into_pieces_and_left_out_when_there_is_no_room_for_it() -> None:
    roomy = reply(asks(DISCOVER, (57, b"\x05\xdc"), asked=bytes((43, 3))), LEASE)
    told = Told(roomy)
    pieces = [value for code, value in told.options if code == 43]
    assert [len(piece) for piece in pieces] == [255, 45] and told.size > 576
    narrow = Told(reply(asks(DISCOVER, asked=bytes((43, 3))), replace(LEASE, options={43: b"x" * 310})))
    assert narrow.codes == [53, 54, 51, 1, 3] and narrow.size <= 576
    tiny = Told(reply(asks(DISCOVER, (57, b"\0\x01"), asked=ALL), LEASE))
    assert tiny.size <= 576 and 59 in tiny.codes, "no client may take less than 576"


def test_no_message_is_shorter_than_bootp_allows() -> None:
    bare = Lease(address=B4, prefix_length=24, server=A4, server_mac=A)
    frame = reply(asks(DISCOVER, asked=b""), bare)
    assert frame is not None and len(frame) - 42 == 300


def test_the_client_identifier_comes_back_and_the_vlan_tag_too() -> None:
    frame = asks(REQUEST, (61, b"\xff\0\0\0\1\0\3"), (50, B4.packed))
    assert Told(reply(frame, LEASE))[61] == b"\xff\0\0\0\1\0\3"
    refused = asks(REQUEST, (61, b"\x01abc"), (50, A4.packed))
    assert Told(reply(refused, LEASE))[61] == b"\x01abc"
    tagged = reply(frame[:12] + b"\x81\x00\x60\x07" + frame[12:], LEASE)
    assert tagged is not None and tagged[12:16] == b"\x81\x00\x00\x07"


def test_options_in_pieces_are_joined_and_what_runs_over_the_end_is_not_read() -> None:
    said = decode(asks(DISCOVER, (12, b"web"), (12, b"-\x1b1")))
    assert said is not None and said.host_name == "web-?1"
    frame = asks(DISCOVER, (12, b"web"), asked=None)
    at = frame.index(b"\x0c\x03web")
    assert frame.endswith(b"\x0c\x03web\xff")
    assert decode(frame[: at + 1] + b"\x04" + frame[at + 2 :]) is not None, "without an end"
    assert decode(frame[: at + 1] + b"\x05" + frame[at + 2 :]) is None
    assert decode(frame[:-1] + b"\x0c") is None, "half an option"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10.1.1.7", b"\x0a\x01\x01\x07"),
        ("2001:db8::1", bytes.fromhex("20010db8000000000000000000000001")),
        ("0x01Ff", b"\x01\xff"),
        ("pxelinux.0", b"pxelinux.0"),
        ("10.1.1.7 10.1.1.8", b"10.1.1.7 10.1.1.8"),
        ("a:b", b"a:b"),
        ("Zürich", "Zürich".encode()),
    ],
)
def test_the_value_of_an_option_is_bytes_an_address_or_text(text: str, value: bytes) -> None:
    assert option_bytes(text) == value


@pytest.mark.parametrize("text", ["0x", "0x1", "0xzz", "0x01 2"])
def test_bytes_that_are_none_are_refused_with_what_to_type_instead(text: str) -> None:
    with pytest.raises(ValueError, match="an even number of hexadecimal digits, as in 0x01ff"):
        option_bytes(text)
