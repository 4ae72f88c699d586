"""Packets that are built, against those of an independent implementation."""

from __future__ import annotations

import random
import struct

from controller.packets.headers import TCP, UDP, checksum, ip, ip_frame, multicast_mac, tcp, transport_checksum, udp
from data.addresses import address
from tests.unit.packets.golden import A4, A6, B4, B6, GOLDEN, A, B


def test_udp_packets_of_both_families_are_those_of_scapy() -> None:
    datagram = udp(A4, B4, 67, 68, b"hello")
    assert ip_frame(A, B, A4, B4, UDP, datagram) == GOLDEN["udp4"]
    assert ip_frame(A, B, A4, B4, UDP, datagram, vlan=7) == GOLDEN["udp4_vlan"]
    assert ip_frame(A, B, A6, B6, UDP, udp(A6, B6, 547, 546, b"hello!")) == GOLDEN["udp6"]


def test_the_checksum_is_the_sum_of_rfc_1071_also_for_odd_lengths_zeros_and_all_ones() -> None:
    def slow(data: bytes) -> int:
        total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return total ^ 0xFFFF

    chance = random.Random(4)
    samples = [b"", b"\0", bytes(40), b"\xff" * 40, b"\xff\xfe\x00\x01", *(chance.randbytes(n) for n in range(80))]
    assert [checksum(data) for data in samples] == [slow(data) for data in samples]


def test_a_packet_with_its_checksum_sums_up_to_nothing() -> None:
    chance = random.Random(5)
    for source, target in ((A4, B4), (A6, B6)):
        for size in range(30):
            datagram = udp(source, target, 1, 2, chance.randbytes(size))
            assert transport_checksum(source, target, UDP, datagram) == 0
            segment = tcp(source, target, 1, 2, size, 7, 2, bytes(size // 4 * 4))
            assert transport_checksum(source, target, TCP, segment) == 0
    assert checksum(ip(A4, B4, UDP, b"")[:20]) == 0


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    """0 says that there is no checksum, which IPv6 forbids (RFC 768, RFC 8200 section 8.1)."""
    found = {udp(A6, B6, 1, 2, n.to_bytes(2, "big"))[6:8] for n in range(0x10000)}
    assert b"\xff\xff" in found and b"\0\0" not in found


def test_groups_have_the_mac_addresses_of_their_family() -> None:
    assert multicast_mac(address("224.129.0.251")) == "01:00:5e:01:00:fb"
    assert multicast_mac(address("ff02::1:ff00:11")) == "33:33:ff:00:00:11"
