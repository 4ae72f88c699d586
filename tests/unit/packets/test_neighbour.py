"""ARP, neighbour discovery and router advertisements, against frames of an independent implementation."""

from __future__ import annotations

import pytest

from controller.packets.domain import domain_bytes
from controller.packets.headers import ICMPV6, icmp, ip_frame
from controller.packets.neighbour import (
    AdvertisedPrefix,
    arp,
    arp_reply,
    arp_request,
    gratuitous_arp,
    link_local,
    neighbour,
    neighbour_advertisement,
    neighbour_solicitation,
    router_advertisement,
    router_solicitation,
    solicited_node,
)
from data.addresses import Ip, address, prefix
from tests.unit.packets.golden import A4, A6, B4, B6, GOLDEN, A, B


def test_arp_is_built_as_scapy_builds_it_and_read_back() -> None:
    assert arp_request(A, A4, B4) == GOLDEN["arp_request"]
    assert arp_reply(A, A4, B, B4) == GOLDEN["arp_reply"]
    assert gratuitous_arp(A, A4) == GOLDEN["gratuitous"]
    told = arp(GOLDEN["arp_reply"])
    assert told is not None and (told.operation, told.sender_mac, told.sender) == (2, A, A4)
    assert (told.target_mac, told.target, told.gratuitous, told.vlan) == (B, B4, False, None)
    claimed = arp(gratuitous_arp(A, A4, vlan=9))
    assert claimed is not None and claimed.gratuitous and claimed.vlan == 9
    probe = arp(arp_request(A, address("0.0.0.0"), B4))
    assert probe is not None and not probe.gratuitous


def test_an_arp_packet_in_somebody_elses_name_is_not_read() -> None:
    forged = bytearray(GOLDEN["arp_reply"])
    forged[22:28] = b"\x02\0\0\0\0\x63"
    assert arp(bytes(forged)) is None
    assert arp(GOLDEN["arp_reply"][:41]) is None and arp(GOLDEN["udp4"]) is None


def test_neighbour_discovery_is_built_as_scapy_builds_it() -> None:
    assert neighbour_solicitation(A, A6, B6) == GOLDEN["ns"]
    assert neighbour_solicitation(B, Ip(6, 0), B6) == GOLDEN["ns_dad"]
    assert neighbour_advertisement(A, A6, A6, B, B6, router=True) == GOLDEN["na"]
    assert neighbour_advertisement(A, A6, A6, B, Ip(6, 0)) == GOLDEN["na_everybody"]


def test_neighbour_discovery_is_read() -> None:
    asked = neighbour(GOLDEN["ns"])
    assert asked is not None and asked.solicitation and not asked.duplicate_detection
    assert (asked.source, asked.target, asked.link_layer, asked.source_mac) == (A6, B6, A, A)
    free = neighbour(GOLDEN["ns_dad"])
    assert free is not None and free.duplicate_detection and free.link_layer is None
    told = neighbour(GOLDEN["na"])
    assert told is not None and not told.solicitation and not told.unsolicited
    assert (told.target, told.link_layer, told.router, told.solicited, told.override) == (A6, A, True, True, True)
    claimed = neighbour(GOLDEN["na_everybody"])
    assert claimed is not None and claimed.unsolicited


def message(source: Ip, target: Ip, kind: int, rest: bytes, hop_limit: int = 255, code: int = 0) -> bytes:
    return ip_frame(B, A, source, target, ICMPV6, icmp(source, target, kind, code, rest), hop_limit)


SOLICITED = bytes(4) + B6.packed
GROUP = solicited_node(B6)
NOBODY = Ip(6, 0)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(message(A6, GROUP, 135, SOLICITED, hop_limit=254), id="from beyond a router"),
        pytest.param(message(A6, GROUP, 135, SOLICITED, code=1), id="unknown code"),
        pytest.param(message(A6, GROUP, 135, SOLICITED[:-1]), id="cut off"),
        pytest.param(message(A6, GROUP, 135, SOLICITED + b"\x01\x00" + bytes(6)), id="option without length"),
        pytest.param(message(A6, GROUP, 135, SOLICITED + b"\x01\x02" + bytes(6)), id="option over the end"),
        pytest.param(message(A6, GROUP, 135, bytes(4) + GROUP.packed), id="asks for a group"),
        pytest.param(message(A6, GROUP, 135, bytes(20)), id="asks for nobody"),
        pytest.param(message(NOBODY, B6, 135, SOLICITED), id="looks for duplicates outside the group"),
        pytest.param(message(NOBODY, GROUP, 135, SOLICITED + b"\x01\x01" + bytes(6)), id="from nobody with a MAC"),
        pytest.param(message(A6, GROUP, 136, b"\x40" + SOLICITED[1:]), id="asked for, to a group"),
        pytest.param(GOLDEN["na"][:60] + b"\x55" + GOLDEN["na"][61:], id="wrong checksum"),
        pytest.param(GOLDEN["rs"], id="router solicitation"),
        pytest.param(GOLDEN["ping6"], id="ping"),
    ],
)
def test_a_neighbour_message_that_rfc_4861_forbids_is_not_read(frame: bytes) -> None:
    assert neighbour(frame) is None


def test_router_solicitations_are_read_with_and_without_an_address() -> None:
    asked = router_solicitation(GOLDEN["rs"])
    assert asked is not None and (asked.source, asked.link_layer) == (address("fe80::ff:fe00:2"), B)
    bare = router_solicitation(GOLDEN["rs_bare"])
    assert bare is not None and bare.source == NOBODY and bare.link_layer is None and bare.source_mac == B
    everywhere = address("ff02::2")
    assert router_solicitation(message(NOBODY, everywhere, 133, bytes(4) + b"\x01\x01" + bytes(6))) is None
    assert router_solicitation(message(A6, everywhere, 133, bytes(4), hop_limit=1)) is None
    assert router_solicitation(GOLDEN["ns"]) is None


def test_a_router_advertisement_with_every_option_is_that_of_scapy() -> None:
    servers = (address("9.9.9.9"), address("2001:db8::53"), address("2001:db8::54"))
    built = router_advertisement(
        A, [AdvertisedPrefix(prefix("2001:db8:1::/64"), autonomous=False)], mtu=1442, managed=True, other=True,
        dns_servers=servers, search=("prod.example", "example"),
    )  # fmt: skip
    assert built == GOLDEN["ra"]


def test_a_router_advertisement_to_nobody_goes_to_all_nodes() -> None:
    assert router_advertisement(A, destination=NOBODY, destination_mac=B) == router_advertisement(A)
    alone = router_advertisement(A, destination=address("fe80::ff:fe00:2"), destination_mac=B)
    assert alone[:6] == bytes.fromhex("020000000002") and alone[38:54] == address("fe80::ff:fe00:2").packed


def test_link_local_addresses_and_groups_are_those_of_rfc_4291() -> None:
    assert str(link_local("34:56:78:9a:bc:de")) == "fe80::3656:78ff:fe9a:bcde"
    assert str(solicited_node(address("4037::01:800:200e:8c6c"))) == "ff02::1:ff0e:8c6c"


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64])
def test_what_is_no_domain_name_is_not_sent_as_one(name: str) -> None:
    with pytest.raises(ValueError, match="not a domain name"):
        domain_bytes(name)
