"""An Ethernet frame as far as the controller looks into one: who to whom, of which protocol, and where its payload is.

Frames may be cut off (a switch sends the first 128 bytes of a logged packet): what lies behind the cut is None, and
`Frame.payload` of a frame that is not whole is None, so that who answers packets never answers half of one.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.packets.headers import ARP, ICMP, ICMPV6, IPV4, IPV6, UDP, mac_text
from data.addresses import Ip
from data.schema.types import PROTOCOL_NUMBERS

__all__ = ["Frame", "datagram", "parse", "summary"]

_TAGS = (0x8100, 0x88A8)  # customer and service tags (IEEE 802.1Q)
_WITH_PORTS = (6, 17, 132)
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = (0, 43, 60, _FRAGMENT, _AUTHENTICATION, 135)  # RFC 8200 section 4, RFC 4302, RFC 6275
_MOST_EXTENSIONS = 8
"""Extension headers that are walked over; a longer chain is malice, and its protocol stays unknown."""
_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}
_ARP_OPERATIONS = {1: "request", 2: "reply"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `source` and `destination` are those of its IP header, or sender and target of ARP (RFC 826)."""

    raw: bytes
    destination_mac: str
    source_mac: str
    vlan: int | None
    """VLAN id of its one tag."""
    ethertype: int
    source: Ip | None = None
    """None when it is neither IP nor ARP, or malformed."""
    destination: Ip | None = None
    hop_limit: int = 0
    protocol: int | None = None
    """IP protocol, behind IPv6 extension headers; None for ARP and for chains of headers that cannot be followed."""
    start: int = 0
    """Where in `raw` the transport header begins."""
    end: int = 0
    """Where in `raw` the IP packet ends, by its own account: beyond the bytes of a frame that is cut off."""
    fragment_offset: int = 0
    """Bytes; above 0 in all fragments but the first."""
    more_fragments: bool = False
    source_port: int | None = None
    destination_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    arp_operation: int | None = None

    @property
    def version(self) -> int | None:
        """4 or 6; None when there is no IP header."""
        return None if self.source is None or self.ethertype == ARP else self.source.version

    @property
    def fragmented(self) -> bool:
        """Whether it is one of several pieces of a packet."""
        return self.more_fragments or self.fragment_offset > 0

    @property
    def payload(self) -> bytes | None:
        """What the IP header carries, from the transport header on; None if that is not here as a whole."""
        if self.protocol is None or self.fragmented or self.end > len(self.raw):
            return None
        return self.raw[self.start : self.end]


def parse(raw: bytes) -> Frame | None:
    """A frame that may be cut off or malformed; None when not even an Ethernet header is there."""
    at, vlan = 14, None
    if len(raw) >= 18 and int.from_bytes(raw[12:14], "big") in _TAGS:
        at, vlan = 18, int.from_bytes(raw[14:16], "big") & 0x0FFF
    if len(raw) < at:
        return None
    ethertype = int.from_bytes(raw[at - 2 : at], "big")
    read = {IPV4: _ipv4, IPV6: _ipv6, ARP: _arp}.get(ethertype)
    macs = mac_text(raw[:6]), mac_text(raw[6:12])
    found = None if read is None else read(raw, at)
    return Frame(raw, *macs, vlan, ethertype) if found is None else _with_transport(raw, macs, vlan, ethertype, found)


@dataclass(frozen=True, slots=True)
class _Network:
    """What a network header says."""

    source: Ip
    destination: Ip
    hop_limit: int
    protocol: int | None
    start: int
    end: int
    fragment_offset: int = 0
    more_fragments: bool = False
    arp_operation: int | None = None


def _ipv4(raw: bytes, at: int) -> _Network | None:
    if len(raw) < at + 20 or raw[at] >> 4 != 4:
        return None
    header, total = (raw[at] & 0x0F) * 4, int.from_bytes(raw[at + 2 : at + 4], "big")
    if header < 20 or total < header:
        return None
    pieces = int.from_bytes(raw[at + 6 : at + 8], "big")
    source, destination = (Ip(4, int.from_bytes(raw[at + n : at + n + 4], "big")) for n in (12, 16))
    return _Network(
        source,
        destination,
        raw[at + 8],
        raw[at + 9],
        at + header,
        at + total,
        (pieces & 0x1FFF) * 8,
        pieces & 0x2000 > 0,
    )


def _ipv6(raw: bytes, at: int) -> _Network | None:
    if len(raw) < at + 40 or raw[at] >> 4 != 6:
        return None
    source, destination = (Ip(6, int.from_bytes(raw[at + n : at + n + 16], "big")) for n in (8, 24))
    end = at + 40 + int.from_bytes(raw[at + 4 : at + 6], "big")
    following: int | None = raw[at + 6]
    start, offset, more, met = at + 40, 0, False, 0
    while following in _EXTENSIONS and not offset:
        met += 1
        if met > _MOST_EXTENSIONS or start + 8 > min(len(raw), end):
            following = None
            break
        if following == _FRAGMENT:
            length, word = 8, int.from_bytes(raw[start + 2 : start + 4], "big")
            offset, more = word & 0xFFF8, word & 1 > 0
        else:
            length = (raw[start + 1] + 2) * 4 if following == _AUTHENTICATION else (raw[start + 1] + 1) * 8
        following = raw[start]
        start += length
    return _Network(source, destination, raw[at + 7], following if start <= end else None, start, end, offset, more)


def _arp(raw: bytes, at: int) -> _Network | None:
    if len(raw) < at + 28 or raw[at : at + 6] != b"\x00\x01\x08\x00\x06\x04":  # Ethernet and IPv4
        return None
    source, destination = (Ip(4, int.from_bytes(raw[at + n : at + n + 4], "big")) for n in (14, 24))
    operation = int.from_bytes(raw[at + 6 : at + 8], "big")
    return _Network(source, destination, 0, None, at, at + 28, arp_operation=operation)


def _with_transport(raw: bytes, macs: tuple[str, str], vlan: int | None, ethertype: int, found: _Network) -> Frame:
    ports: tuple[int | None, int | None] = (None, None)
    icmp: tuple[int | None, int | None] = (None, None)
    at, held = found.start, min(len(raw), found.end) - found.start
    if found.fragment_offset == 0:
        if found.protocol in _WITH_PORTS and held >= 4:
            ports = int.from_bytes(raw[at : at + 2], "big"), int.from_bytes(raw[at + 2 : at + 4], "big")
        elif found.protocol == (ICMP if found.source.version == 4 else ICMPV6) and held >= 2:
            icmp = raw[at], raw[at + 1]
    return Frame(
        raw, *macs, vlan, ethertype, found.source, found.destination, found.hop_limit, found.protocol, at, found.end,
        found.fragment_offset, found.more_fragments, *ports, *icmp, found.arp_operation,
    )  # fmt: skip


def datagram(frame: Frame, port: int) -> bytes | None:
    """What a UDP datagram to that port carries (RFC 768); None for anything else and for what is not whole."""
    if frame.protocol != UDP or frame.destination_port != port:
        return None
    payload = frame.payload
    if payload is None or len(payload) < 8:
        return None
    length = int.from_bytes(payload[4:6], "big")
    return payload[8:length] if 8 <= length <= len(payload) else None


def summary(frame: Frame) -> str | None:
    """One packet as words of a log line: the 5-tuple, type and code of ICMP, operation of ARP; None for others."""
    if frame.source is None:
        return None
    ends = f"{frame.source} -> {frame.destination}"
    if frame.arp_operation is not None:
        operation = _ARP_OPERATIONS.get(frame.arp_operation, f"operation {frame.arp_operation}")
        return f"{ends} arp {operation}"
    if frame.protocol is None:
        return f"{ends} protocol unknown"
    name = _NAMES.get(frame.protocol, str(frame.protocol))
    if frame.source_port is not None:
        return f"{_end(frame.source, frame.source_port)} -> {_end(frame.destination, frame.destination_port)} {name}"
    if frame.protocol in (ICMP, ICMPV6):
        return f"{ends} {name}" + ("" if frame.icmp_type is None else f" type {frame.icmp_type} code {frame.icmp_code}")
    return f"{ends} protocol {name}"


def _end(address: Ip | None, port: int | None) -> str:
    return f"[{address}]:{port}" if address is not None and address.version == 6 else f"{address}:{port}"  # RFC 5952
