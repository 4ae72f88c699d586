"""Ethernet frames made by hand, for senders that lie: spoofed MAC, IP and ARP, and anything else.

Addresses are text, frames are bytes.  Layouts: RFC 826 (ARP), RFC 791 (IPv4), RFC 792 (ICMP), RFC 768 (UDP),
RFC 9293 (TCP).
"""

import socket
import struct

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
BROADCAST = "ff:ff:ff:ff:ff:ff"


def ethernet(destination: str, source: str, ethertype: int, payload: bytes) -> bytes:
    """An Ethernet II frame without its check sequence, padded to 60 bytes."""
    return (_mac(destination) + _mac(source) + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


def arp(operation: int, sender_mac: str, sender_ip: str, target_mac: str, target_ip: str) -> bytes:
    """An ARP message: operation 1 asks, 2 answers."""
    return (
        struct.pack("!HHBBH", 1, ETHERTYPE_IPV4, 6, 4, operation)
        + _mac(sender_mac)
        + _ip(sender_ip)
        + _mac(target_mac)
        + _ip(target_ip)
    )


def announcement(mac: str, address: str) -> bytes:
    """A whole frame that says who holds an address: gratuitous ARP, or an unsolicited neighbour advertisement with
    the override flag (RFC 5227 section 1.2.2, RFC 4861 section 7.2.6)."""
    if ":" not in address:
        return ethernet(BROADCAST, mac, ETHERTYPE_ARP, arp(1, mac, address, "00:00:00:00:00:00", address))
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + _ip(address) + b"\2\1" + _mac(mac)
    return ethernet(
        "33:33:00:00:00:01", mac, ETHERTYPE_IPV6, ipv6(address, "ff02::1", 58, icmpv6(address, "ff02::1", body), 255)
    )


def icmpv6(source: str, destination: str, body: bytes) -> bytes:
    """An ICMPv6 message, given without its checksum (RFC 4443 section 2.3)."""
    pseudo = _ip(source) + _ip(destination) + struct.pack("!II", len(body), 58)
    return body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]


def ipv6(source: str, destination: str, protocol: int, payload: bytes, hop_limit: int = 64) -> bytes:
    """An IPv6 packet without extension headers (RFC 8200 section 3)."""
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hop_limit) + _ip(source) + _ip(destination) + payload


def ipv4(source: str, destination: str, protocol: int, payload: bytes, ttl: int = 64) -> bytes:
    """An IPv4 packet without options."""
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        0,
        0x4000,
        ttl,
        protocol,
        0,
        _ip(source),
        _ip(destination),
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def icmp_echo(identifier: int = 1, sequence: int = 1, payload: bytes = b"nshell") -> bytes:
    """An ICMP echo request."""
    body = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def udp(source_port: int, destination_port: int, payload: bytes = b"nshell") -> bytes:
    """A UDP datagram; checksum 0 says that there is none, which IPv4 allows."""
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload


def tcp(
    source: str,
    destination: str,
    source_port: int,
    destination_port: int,
    flags: int = 0x02,
    sequence: int = 1,
    acknowledged: int = 0,
) -> bytes:
    """A TCP segment without data; flags 0x02 is SYN, 0x10 ACK, 0x12 both."""
    head = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, acknowledged, 5 << 4, flags, 64240, 0, 0)
    pseudo = _ip(source) + _ip(destination) + struct.pack("!II", len(head), 6)  # the sum is the same for IPv4's layout
    return head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ip(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def described(frame: bytes) -> dict[str, object]:
    """What tells a frame made here apart, in the words of the probe's `watch`; a hop may change MACs and TTL."""
    ethertype = struct.unpack("!H", frame[12:14])[0]
    if ethertype == ETHERTYPE_ARP:
        return {
            "kind": "arp",
            "source": socket.inet_ntoa(frame[28:32]),
            "sender_mac": frame[22:28].hex(":"),
            "operation": struct.unpack("!H", frame[20:22])[0],
        }
    what: dict[str, object] = {"source": socket.inet_ntoa(frame[26:30]), "length": len(frame)}
    if frame[23] in (6, 17):
        what["source_port"], what["destination_port"] = struct.unpack("!HH", frame[34:38])
    return what
