"""What is read of a frame, whole or not."""

from __future__ import annotations

import pytest

from controller.packets.frame import datagram, parse, summary
from tests.unit.packets.golden import A4, A6, B4, B6, GOLDEN, A, B


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("udp4", "10.1.1.1:67 -> 10.1.1.11:68 udp"),
        ("udp4_vlan", "10.1.1.1:67 -> 10.1.1.11:68 udp"),
        ("v4_options", "10.1.1.1:9 -> 10.1.1.11:53 udp"),
        ("udp6", "[2001:db8:1::1]:547 -> [2001:db8:1::11]:546 udp"),
        ("syn6", "[2001:db8:1::1]:40000 -> [2001:db8:1::11]:8080 tcp"),
        ("ping4", "10.1.1.1 -> 10.1.1.11 icmp type 8 code 0"),
        ("v6_icmp_error", "2001:db8:1::1 -> 2001:db8:1::11 icmpv6 type 2 code 0"),
        ("v6_extended", "[2001:db8:1::1]:1 -> [2001:db8:1::11]:2 tcp"),
        ("v6_first_fragment", "[2001:db8:1::1]:5 -> [2001:db8:1::11]:6 udp"),
        ("v6_later_fragment", "2001:db8:1::1 -> 2001:db8:1::11 protocol udp"),
        ("arp_request", "10.1.1.1 -> 10.1.1.11 arp request"),
        ("arp_reply", "10.1.1.1 -> 10.1.1.11 arp reply"),
    ],
)
def test_a_frame_is_summed_up_in_words(name: str, words: str) -> None:
    frame = parse(GOLDEN[name])
    assert frame is not None and summary(frame) == words


def test_a_frame_says_who_where_and_what() -> None:
    frame = parse(GOLDEN["udp4_vlan"])
    assert frame is not None
    assert (frame.source_mac, frame.destination_mac, frame.vlan, frame.ethertype) == (A, B, 7, 0x0800)
    assert (frame.version, frame.source, frame.destination, frame.protocol) == (4, A4, B4, 17)
    assert (frame.source_port, frame.destination_port, frame.hop_limit) == (67, 68, 64)
    assert datagram(frame, 68) == b"hello" and datagram(frame, 67) is None
    six = parse(GOLDEN["ping6"])
    assert six is not None and (six.version, six.source, six.destination) == (6, A6, B6)
    assert (six.vlan, six.icmp_type, six.icmp_code, six.source_port) == (None, 128, 0, None)


def test_fragments_are_told_and_carry_no_payload() -> None:
    first, later = parse(GOLDEN["v6_first_fragment"]), parse(GOLDEN["v6_later_fragment"])
    assert first is not None and later is not None
    assert (first.fragment_offset, first.more_fragments, first.payload) == (0, True, None)
    assert (later.fragment_offset, later.more_fragments, later.payload) == (16, False, None)
    four = bytearray(GOLDEN["udp4"])
    four[20:22] = b"\x20\x00"
    head = parse(bytes(four))
    assert head is not None and head.fragmented and head.source_port == 67 and datagram(head, 68) is None


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_frame_cut_off_anywhere_is_read_as_far_as_it_goes(name: str) -> None:
    raw = GOLDEN[name]
    whole = parse(raw)
    assert whole is not None
    for length in range(len(raw)):
        cut = parse(raw[:length])
        if cut is None:
            assert length < 18
            continue
        assert cut.payload is None, "half a packet is not answered"
        for field in ("source", "destination", "protocol", "source_port", "icmp_type", "arp_operation"):
            assert getattr(cut, field) in (None, getattr(whole, field))


def test_padding_behind_a_packet_is_not_its_payload() -> None:
    frame = parse(GOLDEN["udp4"] + bytes(20))
    assert frame is not None and datagram(frame, 68) == b"hello"


def test_lengths_that_lie_are_not_believed() -> None:
    raw = bytearray(GOLDEN["udp4"])
    raw[38:40] = b"\x00\xff"  # the UDP length, beyond the packet
    longer = parse(bytes(raw))
    assert longer is not None and datagram(longer, 68) is None
    raw[14] = 0x44  # a header of 16 bytes
    short = parse(bytes(raw))
    assert short is not None and short.source is None and summary(short) is None


def test_a_long_chain_of_extension_headers_is_not_followed_to_its_end() -> None:
    packet = bytearray(GOLDEN["udp6"])
    chain = bytes((60, 0, 1, 4, 0, 0, 0, 0)) * 200
    packet[18:20] = (len(chain) + 8).to_bytes(2, "big")
    packet[20] = 60
    frame = parse(bytes(packet[:54]) + chain + bytes(8))
    assert frame is not None and frame.protocol is None and frame.payload is None
    assert summary(frame) == "2001:db8:1::1 -> 2001:db8:1::11 protocol unknown"


def test_what_is_neither_ip_nor_arp_has_no_ends() -> None:
    frame = parse(bytes(12) + b"\x88\xcc" + bytes(40))
    assert frame is not None and frame.source is None and frame.version is None and summary(frame) is None
    assert parse(b"") is None and parse(bytes(13)) is None
