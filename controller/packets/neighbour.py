"""Who has which MAC address: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861), and the router
advertisements that hosts configure themselves by (RFC 4862, RFC 8106).

Read next: the handlers of packet-ins; probe.py asks neighbours whether they are alive.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from controller.packets.domain import domain_bytes
from controller.packets.frame import Frame, parse
from controller.packets.headers import (
    ARP,
    BROADCAST_MAC,
    ICMPV6,
    ethernet,
    icmp,
    ip_frame,
    mac_bytes,
    mac_text,
    multicast_mac,
    transport_checksum,
)
from data.addresses import Ip, Prefix

__all__ = [
    "ALL_NODES",
    "ALL_ROUTERS",
    "INFINITE",
    "AdvertisedPrefix",
    "Arp",
    "Neighbour",
    "Solicitation",
    "arp",
    "arp_reply",
    "arp_request",
    "gratuitous_arp",
    "link_local",
    "neighbour",
    "neighbour_advertisement",
    "neighbour_solicitation",
    "router_advertisement",
    "router_solicitation",
    "solicited_node",
]

ALL_NODES = Ip(6, 0xFF02 << 112 | 1)
ALL_ROUTERS = Ip(6, 0xFF02 << 112 | 2)
INFINITE = 0xFFFFFFFF
"""Seconds of a lifetime that does not end (RFC 4861 section 4.6.2)."""

_UNSPECIFIED = Ip(6, 0)
_REQUEST, _REPLY = 1, 2
_ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT, _SOLICITATION, _ADVERTISEMENT = 133, 134, 135, 136
_SOURCE_LINK, _TARGET_LINK, _PREFIX, _MTU, _RDNSS, _DNSSL = 1, 2, 3, 5, 25, 31
_ROUTER, _SOLICITED, _OVERRIDE = 0x80, 0x40, 0x20
_HOP_LIMIT = 255  # nobody off the link can send this (RFC 4861 section 11.2)
_NO_MAC = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP packet between Ethernet and IPv4."""

    operation: int
    """1 request, 2 reply."""
    sender_mac: str
    sender: Ip
    target_mac: str
    target: Ip
    vlan: int | None

    @property
    def gratuitous(self) -> bool:
        """Whether it claims an address instead of asking for another's (RFC 5227 section 3)."""
        return self.sender == self.target and self.sender.number != 0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbour solicitation or advertisement."""

    solicitation: bool
    source_mac: str
    source: Ip
    """Unspecified in a solicitation that looks for duplicates (RFC 4862 section 5.4)."""
    destination: Ip
    target: Ip
    link_layer: str | None
    """The MAC address of its option: the sender's in a solicitation, the target's in an advertisement."""
    router: bool
    solicited: bool
    override: bool
    vlan: int | None

    @property
    def duplicate_detection(self) -> bool:
        """Whether the sender only wants to know if the target is free."""
        return self.solicitation and self.source == _UNSPECIFIED

    @property
    def unsolicited(self) -> bool:
        """Whether it claims an address that nobody asked for (RFC 4861 section 7.2.6)."""
        return not self.solicitation and not self.solicited


@dataclass(frozen=True, slots=True)
class Solicitation:
    """A host asking for routers."""

    source_mac: str
    source: Ip
    """May be unspecified."""
    link_layer: str | None
    vlan: int | None


@dataclass(frozen=True, slots=True)
class AdvertisedPrefix:
    """A prefix of the link; lifetimes in seconds."""

    prefix: Prefix
    autonomous: bool = True
    """A flag: hosts make their addresses of it (needs a length of 64)."""
    on_link: bool = True
    valid: int = 86400
    preferred: int = 14400


def link_local(mac: str) -> Ip:
    """The link-local address by the modified EUI-64 of a MAC address (RFC 4291 appendix A)."""
    number = int.from_bytes(mac_bytes(mac), "big") ^ 0x02 << 40
    return Ip(6, 0xFE80 << 112 | number >> 24 << 40 | 0xFFFE << 24 | number & 0xFFFFFF)


def solicited_node(address: Ip) -> Ip:
    """The group that an address is asked for by (RFC 4291 section 2.7.1)."""
    return Ip(6, 0xFF02 << 112 | 0x1FF << 24 | address.number & 0xFFFFFF)


def arp_request(
    source_mac: str, source: Ip, target: Ip, target_mac: str | None = None, vlan: int | None = None
) -> bytes:
    """Who has `target`? To everybody, or to `target_mac` alone. A source of 0.0.0.0 probes (RFC 5227)."""
    return _arp(_REQUEST, source_mac, source, _NO_MAC, target, target_mac or BROADCAST_MAC, vlan)


def arp_reply(source_mac: str, source: Ip, target_mac: str, target: Ip, vlan: int | None = None) -> bytes:
    """`source` is at `source_mac`, told to `target`."""
    return _arp(_REPLY, source_mac, source, target_mac, target, target_mac, vlan)


def gratuitous_arp(source_mac: str, source: Ip, vlan: int | None = None) -> bytes:
    """`source` is at `source_mac`, told to everybody: an announcement of RFC 5227 section 2.3, a request."""
    return _arp(_REQUEST, source_mac, source, _NO_MAC, source, BROADCAST_MAC, vlan)


def _arp(operation: int, mac: str, source: Ip, target_mac: str, target: Ip, to: str, vlan: int | None) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    body = head + mac_bytes(mac) + source.packed + mac_bytes(target_mac) + target.packed
    return ethernet(to, mac, ARP, body, vlan)


def arp(frame: bytes) -> Arp | None:
    """The ARP packet of a frame whose sender is the frame's; None for anything else."""
    outer = parse(frame)
    if outer is None or outer.arp_operation is None or outer.source is None or outer.destination is None:
        return None
    at = outer.start
    sender_mac, target_mac = mac_text(frame[at + 8 : at + 14]), mac_text(frame[at + 18 : at + 24])
    if sender_mac != outer.source_mac:
        return None
    return Arp(outer.arp_operation, sender_mac, outer.source, target_mac, outer.destination, outer.vlan)


def neighbour_solicitation(source_mac: str, source: Ip, target: Ip, target_mac: str | None = None) -> bytes:
    """Who has `target`? To its group, or to `target_mac` alone (RFC 4861 section 4.3)."""
    destination = solicited_node(target) if target_mac is None else target
    option = b"" if source == _UNSPECIFIED else _option(_SOURCE_LINK, mac_bytes(source_mac))
    return _message(
        source_mac, target_mac or multicast_mac(destination), source, destination, _SOLICITATION,
        bytes(4) + target.packed + option, None,
    )  # fmt: skip


def neighbour_advertisement(
    source_mac: str,
    source: Ip,
    target: Ip,
    destination_mac: str,
    destination: Ip,
    router: bool = False,
    override: bool = True,
    vlan: int | None = None,
) -> bytes:
    """`target` is at `source_mac` (RFC 4861 section 4.4); an unspecified destination means everybody, unsolicited."""
    everybody = destination == _UNSPECIFIED
    if everybody:
        destination, destination_mac = ALL_NODES, multicast_mac(ALL_NODES)
    flags = (_ROUTER if router else 0) | (0 if everybody else _SOLICITED) | (_OVERRIDE if override else 0)
    body = bytes((flags, 0, 0, 0)) + target.packed + _option(_TARGET_LINK, mac_bytes(source_mac))
    return _message(source_mac, destination_mac, source, destination, _ADVERTISEMENT, body, vlan)


def neighbour(frame: bytes) -> Neighbour | None:
    """A valid neighbour solicitation or advertisement (RFC 4861 sections 7.1.1 and 7.1.2); None for anything else."""
    found = _discovery(frame, (_SOLICITATION, _ADVERTISEMENT), 24)
    if found is None:
        return None
    outer, source, destination, body, options = found
    target, flags = Ip(6, int.from_bytes(body[8:24], "big")), body[4]
    asks = outer.icmp_type == _SOLICITATION
    link = _link_layer(options, _SOURCE_LINK if asks else _TARGET_LINK)
    if _multicast(target) or target == _UNSPECIFIED:
        return None
    if asks and source == _UNSPECIFIED and (destination != solicited_node(target) or link is not None):
        return None
    if not asks and (source == _UNSPECIFIED or (_multicast(destination) and flags & _SOLICITED)):
        return None
    said = (False, False, False) if asks else (flags & _ROUTER > 0, flags & _SOLICITED > 0, flags & _OVERRIDE > 0)
    return Neighbour(asks, outer.source_mac, source, destination, target, link, *said, outer.vlan)


def router_solicitation(frame: bytes) -> Solicitation | None:
    """A valid router solicitation (RFC 4861 section 6.1.1); None for anything else."""
    found = _discovery(frame, (_ROUTER_SOLICITATION,), 8)
    if found is None:
        return None
    outer, source, _, _, options = found
    link = _link_layer(options, _SOURCE_LINK)
    if source == _UNSPECIFIED and link is not None:
        return None
    return Solicitation(outer.source_mac, source, link, outer.vlan)


def router_advertisement(
    source_mac: str,
    prefixes: Sequence[AdvertisedPrefix] = (),
    *,
    destination: Ip = ALL_NODES,
    destination_mac: str | None = None,
    source: Ip | None = None,
    mtu: int | None = None,
    managed: bool = False,
    other: bool = False,
    lifetime: int = 1800,
    hop_limit: int = 64,
    dns_servers: Sequence[Ip] = (),
    search: Sequence[str] = (),
    dns_lifetime: int | None = None,
    vlan: int | None = None,
) -> bytes:
    """A router advertisement (RFC 4861 section 4.2) from the link-local address of `source_mac`.

    `managed` and `other` are its M and O flags, `lifetime` is that of the default route in seconds (0: none, at most
    65535), `dns_servers` (those of IPv4 are left out) and `search` are RFC 8106 and live as long as the default route
    unless told. An unspecified destination, as of a solicitation without one, becomes all nodes.
    """
    if destination == _UNSPECIFIED:
        destination, destination_mac = ALL_NODES, None
    flags = (0x80 if managed else 0) | (0x40 if other else 0)
    body = struct.pack("!BBHII", hop_limit, flags, lifetime, 0, 0) + _option(_SOURCE_LINK, mac_bytes(source_mac))
    if mtu is not None:
        body += _option(_MTU, struct.pack("!2xI", mtu))
    for one in prefixes:
        about = (0x80 if one.on_link else 0) | (0x40 if one.autonomous else 0)
        body += _option(
            _PREFIX,
            struct.pack("!BBII4x", one.prefix.length, about, one.valid, one.preferred) + one.prefix.first.packed,
        )
    age = struct.pack("!2xI", lifetime if dns_lifetime is None else dns_lifetime)
    if servers := b"".join(server.packed for server in dns_servers if server.version == 6):
        body += _option(_RDNSS, age + servers)
    if search:
        body += _option(_DNSSL, age + b"".join(domain_bytes(name) for name in search))
    to = destination_mac or multicast_mac(destination)
    return _message(source_mac, to, source or link_local(source_mac), destination, _ROUTER_ADVERTISEMENT, body, vlan)


def _message(mac: str, to: str, source: Ip, destination: Ip, kind: int, body: bytes, vlan: int | None) -> bytes:
    message = icmp(source, destination, kind, 0, body)
    return ip_frame(mac, to, source, destination, ICMPV6, message, _HOP_LIMIT, vlan)


def _option(kind: int, value: bytes) -> bytes:
    """An option, filled up to a multiple of 8 bytes."""
    length = (2 + len(value) + 7) // 8
    return (bytes((kind, length)) + value).ljust(length * 8, b"\0")


def _multicast(address: Ip) -> bool:
    return address.number >> 120 == 0xFF


def _discovery(
    frame: bytes, kinds: tuple[int, ...], fixed: int
) -> tuple[Frame, Ip, Ip, bytes, dict[int, bytes]] | None:
    """The parts of a neighbour discovery message that any receiver has to take."""
    outer = parse(frame)
    if outer is None or outer.source is None or outer.destination is None or outer.protocol != ICMPV6:
        return None
    body = outer.payload
    if outer.icmp_type not in kinds or outer.icmp_code != 0 or outer.hop_limit != _HOP_LIMIT or body is None:
        return None
    if len(body) < fixed or transport_checksum(outer.source, outer.destination, ICMPV6, body) != 0:
        return None
    options = _options(body[fixed:])
    return None if options is None else (outer, outer.source, outer.destination, body, options)


def _options(data: bytes) -> dict[int, bytes] | None:
    """The first option of each type; None when one has no length or runs over the end (RFC 4861 section 4.6)."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        length = data[at + 1] * 8 if at + 2 <= len(data) else 0
        if length == 0 or at + length > len(data):
            return None
        found.setdefault(data[at], data[at + 2 : at + length])
        at += length
    return found


def _link_layer(options: dict[int, bytes], kind: int) -> str | None:
    value = options.get(kind, b"")
    return mac_text(value) if len(value) == 6 else None
