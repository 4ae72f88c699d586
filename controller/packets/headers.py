"""Headers with their checksums, from the payload outwards: what the other modules build packets with.

Each function returns bytes to be handed to the next one out: ``ethernet(..., ip(..., udp(...)))``. Numbers beyond
their field raise struct.error, which is a mistake of the caller and never of a packet.
"""

from __future__ import annotations

import struct

from data.addresses import Ip

__all__ = [
    "ARP",
    "BROADCAST_MAC",
    "ICMP",
    "ICMPV6",
    "IPV4",
    "IPV6",
    "TCP",
    "UDP",
    "checksum",
    "ethernet",
    "icmp",
    "ip",
    "ip_frame",
    "mac_bytes",
    "mac_text",
    "multicast_mac",
    "tcp",
    "transport_checksum",
    "udp",
]

IPV4, ARP, VLAN, IPV6 = 0x0800, 0x0806, 0x8100, 0x86DD
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
_HOP_LIMIT = 64
_DONT_FRAGMENT = 0x4000
_WINDOW = 1024  # bytes; our TCP segments open nothing that would be filled


def mac_bytes(mac: str) -> bytes:
    """'02:00:00:00:00:01' as 6 bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(mac: bytes) -> str:
    """6 bytes as '02:00:00:00:00:01'."""
    return mac.hex(":")


def multicast_mac(group: Ip) -> str:
    """The MAC address that packets to a multicast group go to (RFC 1112 section 6.4, RFC 2464 section 7)."""
    if group.version == 6:
        return mac_text(b"\x33\x33" + group.packed[-4:])
    return mac_text((0x01005E000000 | group.number & 0x7FFFFF).to_bytes(6, "big"))


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071); 0 over data that holds its own right one."""
    # A ones' complement sum is the number modulo 2^16 - 1, where all but nothing at all sum up to at least 1.
    number = int.from_bytes(data if len(data) % 2 == 0 else data + b"\0", "big")
    return 0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))


def transport_checksum(source: Ip, destination: Ip, protocol: int, segment: bytes) -> int:
    """The checksum over pseudo header and segment (RFC 9293 section 3.1, RFC 8200 section 8.1)."""
    tail = struct.pack("!II" if source.version == 6 else "!HH", *_pseudo_tail(source, protocol, len(segment)))
    return checksum(source.packed + destination.packed + tail + segment)


def _pseudo_tail(source: Ip, protocol: int, length: int) -> tuple[int, int]:
    return (length, protocol) if source.version == 6 else (protocol, length)


def ethernet(destination: str, source: str, ethertype: int, payload: bytes, vlan: int | None = None) -> bytes:
    """An Ethernet frame without its check sequence, tagged if `vlan` is given (IEEE 802.1Q); not padded to 60 bytes."""
    tag = b"" if vlan is None else struct.pack("!HH", VLAN, vlan)
    return mac_bytes(destination) + mac_bytes(source) + tag + ethertype.to_bytes(2, "big") + payload


def ip(source: Ip, destination: Ip, protocol: int, payload: bytes, hop_limit: int = _HOP_LIMIT) -> bytes:
    """An IP packet of the addresses' family, without options (RFC 791, RFC 8200)."""
    ends = source.packed + destination.packed
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hop_limit) + ends + payload
    # Never fragmented, so its identification says nothing and may be 0 (RFC 6864 section 4.1).
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, _DONT_FRAGMENT, hop_limit, protocol, 0) + ends
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload


def ip_frame(
    source_mac: str,
    destination_mac: str,
    source: Ip,
    destination: Ip,
    protocol: int,
    payload: bytes,
    hop_limit: int = _HOP_LIMIT,
    vlan: int | None = None,
) -> bytes:
    """A whole frame around the payload of an IP packet."""
    packet = ip(source, destination, protocol, payload, hop_limit)
    return ethernet(destination_mac, source_mac, IPV6 if source.version == 6 else IPV4, packet, vlan)


def udp(source: Ip, destination: Ip, source_port: int, destination_port: int, payload: bytes) -> bytes:
    """A UDP datagram (RFC 768)."""
    header = struct.pack("!HHH", source_port, destination_port, 8 + len(payload))
    found = transport_checksum(source, destination, UDP, header + b"\0\0" + payload)
    return header + (found or 0xFFFF).to_bytes(2, "big") + payload  # 0 would say that there is none


def tcp(
    source: Ip,
    destination: Ip,
    source_port: int,
    destination_port: int,
    sequence: int,
    acknowledgement: int,
    flags: int,
    options: bytes = b"",
) -> bytes:
    """A TCP segment without data (RFC 9293); `options` are a multiple of 4 bytes."""
    first = struct.pack("!HHII", source_port, destination_port, sequence, acknowledgement)
    first += struct.pack("!BBH", 5 + len(options) // 4 << 4, flags, _WINDOW)
    found = transport_checksum(source, destination, TCP, first + b"\0\0\0\0" + options)
    return first + found.to_bytes(2, "big") + b"\0\0" + options


def icmp(source: Ip, destination: Ip, kind: int, code: int, rest: bytes) -> bytes:
    """An ICMP (RFC 792) or ICMPv6 (RFC 4443) message, by the family of the addresses; `rest` follows the checksum."""
    message = struct.pack("!BBH", kind, code, 0) + rest
    found = transport_checksum(source, destination, ICMPV6, message) if source.version == 6 else checksum(message)
    return message[:2] + found.to_bytes(2, "big") + rest
