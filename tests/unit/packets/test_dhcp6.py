"""DHCPv6 conversations: scapy wrote what the client sends (golden.txt) and, where it is whole, what it is told."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from controller.packets.dhcp6 import Lease6, decode, reply, server_duid
from controller.packets.frame import datagram, parse
from controller.packets.headers import UDP, ip_frame, udp
from data.addresses import Ip, address
from tests.unit.packets.golden import B6, GOLDEN, A, B

LEASE = Lease6((B6,), A, (address("9.9.9.9"), address("2001:db8::53")), ("prod.example",), 3600)
CLIENT = address("fe80::ff:fe00:2")
SERVERS = address("ff02::1:2")
FOREIGN = address("2001:db8:9::9")
IDENTIFIED = struct.pack("!HH", 1, 10) + server_duid(B)


def options(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        code, length = struct.unpack_from("!HH", data)
        found.append((code, data[4 : 4 + length]))
        data = data[4 + length :]
    return found


def told(frame: bytes | None) -> tuple[int, dict[int, bytes]]:
    assert frame is not None, "an answer"
    outer = parse(frame)
    data = None if outer is None else datagram(outer, 546)
    assert data is not None
    return data[0], dict(options(data[4:]))


def status(value: bytes) -> int:
    return int.from_bytes(value[:2], "big")


def ask(kind: int, body: bytes, source: Ip = CLIENT, destination: Ip = SERVERS) -> bytes:
    segment = udp(source, destination, 546, 547, bytes((kind,)) + b"abc" + body)
    return ip_frame(B, A, source, destination, UDP, segment)


@pytest.mark.parametrize(
    ("asked", "answer"), [("solicit", "advertise"), ("solicit_rapid", "reply_rapid"), ("request", "reply")]
)
def test_a_client_is_given_its_addresses_byte_for_byte_as_scapy_writes_it(asked: str, answer: str) -> None:
    assert reply(GOLDEN[asked], LEASE) == GOLDEN[answer]


def test_a_request_to_another_server_is_met_with_silence() -> None:
    assert reply(GOLDEN["request_other_server"], LEASE) is None


def test_a_request_for_another_address_is_not_on_link() -> None:
    kind, found = told(reply(GOLDEN["request_wrong"], LEASE))
    inside = dict(options(found[3][12:]))
    assert kind == 7 and status(inside[13]) == 4 and 5 not in inside
    assert b"2001:db8:9::9 is not an address of this link" in inside[13]


def test_a_renewal_gives_foreign_addresses_back_with_lifetimes_of_zero() -> None:
    kind, found = told(reply(GOLDEN["renew_wrong"], LEASE))
    life = (3600).to_bytes(4, "big") * 2
    assert kind == 7 and options(found[3][12:]) == [(5, B6.packed + life), (5, FOREIGN.packed + bytes(8))]


def test_rebind_is_answered_without_the_name_of_a_server() -> None:
    kind, found = told(reply(GOLDEN["rebind"], LEASE))
    assert kind == 7 and found[2] == server_duid(A) and options(found[3][12:])[0][1].startswith(B6.packed)


def test_confirm_says_whether_all_addresses_are_its_own() -> None:
    assert status(told(reply(GOLDEN["confirm"], LEASE))[1][13]) == 0
    assert status(told(reply(GOLDEN["confirm_wrong"], LEASE))[1][13]) == 4
    assert reply(GOLDEN["confirm_empty"], LEASE) is None


def test_release_and_decline_are_taken_note_of() -> None:
    kind, found = told(reply(GOLDEN["release"], LEASE))
    assert (kind, status(found[13]), 3 in found) == (7, 0, False)
    kind, found = told(reply(GOLDEN["decline_wrong"], LEASE))
    assert (kind, status(found[13]), status(options(found[3][12:])[0][1])) == (7, 0, 3)


def test_information_is_given_without_addresses_and_without_a_client_identifier() -> None:
    kind, found = told(reply(GOLDEN["information"], LEASE))
    assert kind == 7 and set(found) == {2, 23, 24}
    assert found[23] == address("2001:db8::53").packed and found[24] == b"\x04prod\x07example\x00"
    _, everything = told(reply(ask(11, b""), replace(LEASE, seconds=60)))
    assert int.from_bytes(everything[32], "big") == 600, "the least that RFC 8415 allows"


def test_prefixes_temporary_addresses_and_a_second_association_are_refused_by_status() -> None:
    _, found = told(reply(GOLDEN["solicit_prefix"], LEASE))
    assert status(options(found[25][12:])[0][1]) == 6
    temporary = struct.pack("!HHI", 4, 4, 9)
    first, second = (struct.pack("!HHIII", 3, 12, number, 0, 0) for number in (1, 2))
    answer = reply(ask(1, IDENTIFIED + temporary + first + second), LEASE)
    outer = parse(answer or b"")
    data = None if outer is None else datagram(outer, 546)
    assert data is not None
    associations = [(code, value) for code, value in options(data[4:]) if code in (3, 4)]
    assert [code for code, _ in associations] == [4, 3, 3]
    assert [dict(options(value[4 if code == 4 else 12 :])).keys() for code, value in associations] == [{13}, {5}, {13}]


def test_a_vport_without_addresses_is_told_so() -> None:
    _, found = told(reply(GOLDEN["solicit"], replace(LEASE, addresses=())))
    assert status(dict(options(found[3][12:]))[13]) == 2


def test_a_request_by_unicast_is_told_to_use_multicast_and_other_messages_are_not_answered() -> None:
    kind, found = told(reply(GOLDEN["request_unicast"], LEASE))
    assert (kind, status(found[13])) == (7, 5) and set(found) == {1, 2, 13}
    assert reply(ask(1, IDENTIFIED, destination=address("fe80::ff:fe00:1")), LEASE) is None


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ask(1, b""), id="nobody asks"),
        pytest.param(ask(1, struct.pack("!HH", 1, 131) + bytes(131)), id="an identifier that is too long"),
        pytest.param(ask(1, IDENTIFIED + struct.pack("!HH", 2, 10) + server_duid(A)), id="solicit of one server"),
        pytest.param(ask(3, IDENTIFIED), id="request of no server"),
        pytest.param(ask(11, struct.pack("!HHIII", 3, 12, 1, 0, 0)), id="information for an address"),
        pytest.param(ask(12, IDENTIFIED), id="a relay"),
        pytest.param(ask(7, IDENTIFIED), id="a server's reply"),
        pytest.param(ask(1, IDENTIFIED + b"\0\3\0\x0c"), id="option over the end"),
        pytest.param(ask(1, IDENTIFIED + b"\0"), id="half an option"),
        pytest.param(ask(1, IDENTIFIED, source=B6), id="not from a link-local address"),
        pytest.param(GOLDEN["udp6"], id="another port"),
        pytest.param(GOLDEN["ping6"], id="ping"),
    ],
)
def test_what_rfc_8415_tells_a_server_to_discard_is_not_answered(frame: bytes) -> None:
    assert reply(frame, LEASE) is None


def test_a_message_full_of_associations_gets_an_answer_that_fits_a_packet() -> None:
    many = b"".join(struct.pack("!HHIII", 25, 12, number, 0, 0) for number in range(80))
    answer = reply(ask(1, IDENTIFIED + many), LEASE)
    assert answer is not None and len(answer) < 1280


def test_messages_are_read_for_who_wants_to_know() -> None:
    said = decode(GOLDEN["renew_wrong"])
    assert said is not None and said.kind == 5 and said.addresses == (B6, FOREIGN) and said.asked == (23, 24)
    assert said.option(1) == server_duid(B) and said.option(99) is None
