"""EVPN NLRI (RFC 7432 section 7, RFC 9136 section 3): type and length, an octet each, and then ::

    1  auto-discovery      RD 8 | ESI 10 | tag 4 | label 3
    2  MAC and IP          RD 8 | ESI 10 | tag 4 | 48 | MAC 6 | bits of IP | IP 0, 4, 16 | label 3 | second label 0, 3
    3  inclusive multicast RD 8 | tag 4 | bits of IP | IP 4, 16
    4  Ethernet segment    RD 8 | ESI 10 | bits of IP | IP 4, 16
    5  IP prefix           RD 8 | ESI 10 | tag 4 | bits of prefix | prefix 4, 16 | gateway 4, 16 | label 3

Since type and length frame each of them, one that is wrong inside does not hide those behind it.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.bgp.routes import (
    AutoDiscovery,
    Encapsulation,
    EthernetSegment,
    IpPrefix,
    MacIp,
    Multicast,
    Nlri,
)
from controller.bgp.wire.faults import WireError
from controller.bgp.wire.labels import decode_label, encode_label
from controller.bgp.wire.prefixes import masks, route_distinguisher
from data.addresses import BITS, Ip, Prefix

__all__ = ["decode_evpn", "encode_evpn"]

_MAC_BITS = 48
_IP_VERSIONS = {32: 4, 128: 6}
_PREFIX_LENGTHS = {34: 4, 58: 6}
"""Length of a type 5 -> IP version of everything in it (RFC 9136 section 3.1)."""


def encode_evpn(nlri: Nlri, encapsulation: Encapsulation) -> bytes:
    """One route. Raises WireError."""
    if isinstance(nlri, MacIp):
        ip = b"" if nlri.ip is None else nlri.ip.packed
        kind, body = (
            2,
            b"%b%b%b%c%b%c%b%b%b"
            % (
                nlri.rd.packed,
                _sized(nlri.esi, 10, "an Ethernet segment"),
                _tag(nlri.tag),
                _MAC_BITS,
                _sized(nlri.mac, 6, "a MAC address"),
                len(ip) * 8,
                ip,
                encode_label(nlri.label, encapsulation),
                b"" if nlri.label2 is None else encode_label(nlri.label2, encapsulation),
            ),
        )
    elif isinstance(nlri, Multicast):
        kind, body = 3, nlri.rd.packed + _tag(nlri.tag) + _ip(nlri.originator)
    elif isinstance(nlri, IpPrefix):
        version, network, mask = nlri.prefix
        width = BITS[version] // 8
        if nlri.gateway is not None and nlri.gateway.version != version:
            raise WireError(f"gateway {nlri.gateway} is not of the IP version of {nlri.prefix}")
        kind, body = (
            5,
            b"%b%b%b%c%b%b%b"
            % (
                nlri.rd.packed,
                _sized(nlri.esi, 10, "an Ethernet segment"),
                _tag(nlri.tag),
                mask.bit_count(),
                network.to_bytes(width, "big"),
                bytes(width) if nlri.gateway is None else nlri.gateway.packed,
                encode_label(nlri.label, encapsulation),
            ),
        )
    elif isinstance(nlri, AutoDiscovery):
        head = nlri.rd.packed + _sized(nlri.esi, 10, "an Ethernet segment") + _tag(nlri.tag)
        kind, body = 1, head + encode_label(nlri.label, encapsulation)
    elif isinstance(nlri, EthernetSegment):
        head = nlri.rd.packed + _sized(nlri.esi, 10, "an Ethernet segment")
        kind, body = 4, head + _ip(nlri.originator)
    else:
        raise WireError(f"{type(nlri).__name__} is not an EVPN route")
    return bytes((kind, len(body))) + body


def decode_evpn(data: bytes, encapsulation: Encapsulation) -> tuple[list[Nlri], list[str]]:
    """A field of routes, and the reasons why some of them were left out. Raises WireError when one is cut off."""
    found: list[Nlri] = []
    left_out: list[str] = []
    at, end = 0, len(data)
    while at < end:
        after = at + 2 + data[at + 1] if at + 1 < end else end + 1
        if after > end:
            raise WireError(f"an EVPN route is cut off {end - at} bytes behind its beginning")
        decode = _DECODERS.get(data[at])
        if decode is None:
            left_out.append(f"EVPN routes of type {data[at]} are not known here")
        else:
            try:
                found.append(decode(data[at + 2 : after], encapsulation))
            except WireError as problem:
                left_out.append(f"EVPN route of type {data[at]}: {problem}")
        at = after
    return found, left_out


def _auto_discovery(body: bytes, encapsulation: Encapsulation) -> Nlri:
    if len(body) != 25:
        raise WireError(f"{len(body)} bytes instead of 25")
    label = decode_label(body[22:], encapsulation)
    return AutoDiscovery(route_distinguisher(body[:8]), body[8:18], _number(body[18:22]), label)


def _mac_ip(body: bytes, encapsulation: Encapsulation) -> Nlri:
    if len(body) < 33:
        raise WireError(f"{len(body)} bytes, less than the 33 of the shortest")
    bits = body[29]
    if body[22] != _MAC_BITS or bits not in (0, 32, 128):
        raise WireError(f"a MAC address of {body[22]} bits and an IP address of {bits}")
    labels = 30 + bits // 8
    if len(body) not in (labels + 3, labels + 6):
        raise WireError(f"{len(body)} bytes with an IP address of {bits} bits")
    return MacIp(
        route_distinguisher(body[:8]),
        body[23:29],
        Ip(_IP_VERSIONS[bits], _number(body[30:labels])) if bits else None,
        decode_label(body[labels : labels + 3], encapsulation),
        decode_label(body[labels + 3 :], encapsulation) if len(body) > labels + 3 else None,
        body[8:18],
        _number(body[18:22]),
    )


def _multicast(body: bytes, _encapsulation: Encapsulation) -> Nlri:
    return Multicast(route_distinguisher(body[:8]), _originator(body, 12), _number(body[8:12]))


def _ethernet_segment(body: bytes, _encapsulation: Encapsulation) -> Nlri:
    return EthernetSegment(route_distinguisher(body[:8]), body[8:18], _originator(body, 18))


def _ip_prefix(body: bytes, encapsulation: Encapsulation) -> Nlri:
    version = _PREFIX_LENGTHS.get(len(body))
    if version is None:
        raise WireError(f"{len(body)} bytes, neither 34 nor 58")
    width = BITS[version] // 8
    if body[22] > BITS[version]:
        raise WireError(f"an IPv{version} prefix of {body[22]} bits")
    mask = masks[version][body[22]]
    gateway = _number(body[23 + width : 23 + 2 * width])
    return IpPrefix(
        route_distinguisher(body[:8]),
        Prefix(version, _number(body[23 : 23 + width]) & mask, mask),
        decode_label(body[-3:], encapsulation),
        Ip(version, gateway) if gateway else None,
        body[8:18],
        _number(body[18:22]),
    )


_DECODERS: dict[int, Callable[[bytes, Encapsulation], Nlri]] = {
    1: _auto_discovery,
    2: _mac_ip,
    3: _multicast,
    4: _ethernet_segment,
    5: _ip_prefix,
}


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _originator(body: bytes, at: int) -> Ip:
    """The address at the end of a route, behind its length in bits."""
    version = _IP_VERSIONS.get(body[at]) if len(body) > at else None
    if version is None or len(body) != at + 1 + BITS[version] // 8:
        raise WireError(f"{len(body)} bytes do not end in an IP address behind {at}")
    return Ip(version, _number(body[at + 1 :]))


def _ip(ip: Ip) -> bytes:
    return bytes((BITS[ip.version],)) + ip.packed


def _tag(tag: int) -> bytes:
    if not 0 <= tag < 1 << 32:
        raise WireError(f"{tag} is not an Ethernet tag of 32 bits")
    return tag.to_bytes(4, "big")


def _sized(data: bytes, size: int, what: str) -> bytes:
    if len(data) != size:
        raise WireError(f"{data.hex()} is not {what}: {len(data)} bytes instead of {size}")
    return data
