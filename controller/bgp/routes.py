"""The words of BGP: families, route distinguishers, reachability (NLRI), attributes, routes.

Values alone, frozen and hashable: `key` of an NLRI is what tells one route of a peer from another (RFC 7432 section
7: the label and the Ethernet segment of a MAC route are not part of it; RFC 9136 section 3: nor the gateway and label
of a prefix). `wire/` turns them into bytes and back.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from data.addresses import Ip, Prefix

__all__ = [
    "ENCAPSULATIONS",
    "LOCAL_PREFERENCE",
    "NO_ESI",
    "Attributes",
    "AutoDiscovery",
    "Community",
    "Encapsulation",
    "EthernetSegment",
    "Family",
    "IpPrefix",
    "MacIp",
    "Multicast",
    "Nlri",
    "Origin",
    "Pmsi",
    "Rd",
    "Route",
    "Unicast",
    "VpnPrefix",
    "family_of",
]  # fmt: skip


class Family(StrEnum):
    """Address families, by the keyword of the configuration."""

    EVPN = "evpn"  # AFI 25, SAFI 70 (RFC 7432)
    VPNV4 = "vpnv4"  # AFI 1, SAFI 128 (RFC 4364)
    VPNV6 = "vpnv6"  # AFI 2, SAFI 128 (RFC 4659)
    IPV4 = "ipv4"  # AFI 1, SAFI 1
    IPV6 = "ipv6"  # AFI 2, SAFI 1


class Origin(IntEnum):
    """RFC 4271 section 4.3; lower is preferred."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


class Encapsulation(StrEnum):
    """How packets travel to a next hop."""

    VXLAN = "vxlan"  # the label of the route is a VNI (RFC 8365)
    MPLS = "mpls"  # MPLS over GRE (RFC 4023)


ENCAPSULATIONS = {8: Encapsulation.VXLAN, 2: Encapsulation.MPLS, 10: Encapsulation.MPLS}
"""Tunnel type of the encapsulation community (RFC 9012 section 4.1): VXLAN, GRE, MPLS."""

NO_ESI = bytes(10)

LOCAL_PREFERENCE = 100
"""Of a route that says none (RFC 4271 section 5.1.5 leaves it to us; everybody takes this)."""


@dataclass(frozen=True, slots=True, order=True)
class Rd:
    """Route distinguisher (RFC 4364 section 4.2), 8 bytes; the text is 65000:7, 192.0.2.1:7 or 4200000000:7."""

    packed: bytes

    @classmethod
    def of(cls, text: str) -> Rd:
        """From its text. Raises ValueError."""
        head, _, tail = text.rpartition(":")
        number = int(tail)
        if "." in head:
            parts = [int(part) for part in head.split(".")]
            if len(parts) != 4:
                raise ValueError(f"{text!r} is not a route distinguisher")
            return cls(b"\0\1" + bytes(parts) + number.to_bytes(2, "big"))
        administrator = int(head)
        if administrator > 0xFFFF:
            return cls(b"\0\2" + _bytes(administrator, 4, text) + _bytes(number, 2, text))
        return cls(b"\0\0" + _bytes(administrator, 2, text) + _bytes(number, 4, text))

    @property
    def type(self) -> int:
        return int.from_bytes(self.packed[:2], "big")

    def __str__(self) -> str:
        body = self.packed[2:]
        if self.type == 1:
            return f"{'.'.join(map(str, body[:4]))}:{int.from_bytes(body[4:], 'big')}"
        cut = 2 if self.type == 0 else 4
        return f"{int.from_bytes(body[:cut], 'big')}:{int.from_bytes(body[cut:], 'big')}"


def _bytes(number: int, width: int, text: str) -> bytes:
    try:
        return number.to_bytes(width, "big")
    except OverflowError:
        raise ValueError(f"{text!r} does not fit into {width} bytes") from None


@dataclass(frozen=True, slots=True, order=True)
class Community:
    """An extended community (RFC 4360), 8 bytes, with names for the kinds that we make or read."""

    packed: bytes

    @classmethod
    def route_target(cls, text: str) -> Community:
        """Route target (RFC 4360 section 4) from the text of the configuration. Raises ValueError."""
        rd = Rd.of(text)
        return cls(bytes([rd.type, 2]) + rd.packed[2:])

    @classmethod
    def encapsulation(cls, tunnel_type: int) -> Community:
        """RFC 9012 section 4.1."""
        return cls(b"\x03\x0c\0\0\0\0" + tunnel_type.to_bytes(2, "big"))

    @classmethod
    def router_mac(cls, mac: bytes) -> Community:
        """RFC 9135 section 8.1."""
        return cls(b"\x06\x03" + mac)

    @classmethod
    def mobility(cls, sequence: int, *, sticky: bool = False) -> Community:
        """RFC 7432 section 7.7."""
        return cls(bytes([6, 0, sticky, 0]) + sequence.to_bytes(4, "big"))

    @classmethod
    def default_gateway(cls) -> Community:
        """RFC 7432 section 7.8."""
        return cls(b"\x03\x0d" + bytes(6))

    @property
    def kind(self) -> tuple[int, int]:
        """Type without the transitive and IANA bits' meaning changed, and subtype, as on the wire."""
        return self.packed[0], self.packed[1]

    @property
    def target(self) -> str | None:
        """The text of a route target, None for another community."""
        if self.packed[0] not in (0, 1, 2) or self.packed[1] != 2:
            return None
        return str(Rd(bytes([0, self.packed[0]]) + self.packed[2:]))


@dataclass(frozen=True, slots=True)
class AutoDiscovery:
    """EVPN type 1: Ethernet auto-discovery (RFC 7432 section 7.1)."""

    rd: Rd
    esi: bytes
    tag: int
    label: int

    @property
    def key(self) -> Hashable:
        return 1, self.rd, self.esi, self.tag


@dataclass(frozen=True, slots=True)
class MacIp:
    """EVPN type 2: a MAC address, with or without an IP address of it (RFC 7432 section 7.2). With VXLAN the labels
    are VNIs: of the segment, and of the domain where routing is symmetric (RFC 9135)."""

    rd: Rd
    mac: bytes
    ip: Ip | None
    label: int
    label2: int | None = None
    esi: bytes = NO_ESI
    tag: int = 0

    @property
    def key(self) -> Hashable:
        return 2, self.rd, self.tag, self.mac, self.ip


@dataclass(frozen=True, slots=True)
class Multicast:
    """EVPN type 3: inclusive multicast Ethernet tag (RFC 7432 section 7.3)."""

    rd: Rd
    originator: Ip
    tag: int = 0

    @property
    def key(self) -> Hashable:
        return 3, self.rd, self.tag, self.originator


@dataclass(frozen=True, slots=True)
class EthernetSegment:
    """EVPN type 4 (RFC 7432 section 7.4)."""

    rd: Rd
    esi: bytes
    originator: Ip

    @property
    def key(self) -> Hashable:
        return 4, self.rd, self.esi, self.originator


@dataclass(frozen=True, slots=True)
class IpPrefix:
    """EVPN type 5: a prefix of a domain (RFC 9136 section 3.1); `gateway` None is the overlay index 0."""

    rd: Rd
    prefix: Prefix
    label: int
    gateway: Ip | None = None
    esi: bytes = NO_ESI
    tag: int = 0

    @property
    def key(self) -> Hashable:
        return 5, self.rd, self.tag, self.prefix


@dataclass(frozen=True, slots=True)
class VpnPrefix:
    """VPNv4 or VPNv6 (RFC 4364 section 4.3.4, RFC 8277 section 2); at least one label, the outermost first. A
    withdrawal has whatever label it came with, which means nothing."""

    rd: Rd
    prefix: Prefix
    labels: tuple[int, ...]

    @property
    def key(self) -> Hashable:
        return 128, self.rd, self.prefix


@dataclass(frozen=True, slots=True)
class Unicast:
    """IPv4 or IPv6 unicast, of underlay listeners alone."""

    prefix: Prefix

    @property
    def key(self) -> Hashable:
        return 0, self.prefix


Nlri = AutoDiscovery | MacIp | Multicast | EthernetSegment | IpPrefix | VpnPrefix | Unicast


def family_of(nlri: Nlri) -> Family:
    """The family that carries it."""
    if isinstance(nlri, VpnPrefix):
        return Family.VPNV4 if nlri.prefix.version == 4 else Family.VPNV6
    if isinstance(nlri, Unicast):
        return Family.IPV4 if nlri.prefix.version == 4 else Family.IPV6
    return Family.EVPN


@dataclass(frozen=True, slots=True)
class Pmsi:
    """PMSI tunnel attribute (RFC 6514 section 5): ingress replication (type 6) to `endpoint`, with label or VNI."""

    endpoint: Ip
    label: int
    flags: int = 0
    type: int = 6


@dataclass(frozen=True, slots=True)
class Attributes:
    """Path attributes. `as_path` is flat, a set (RFC 4271 section 4.3) counts as one hop: `as_path_length` has the
    length that best path compares. Extended communities are sorted. `unknown` are optional transitive attributes that
    nobody here reads: (flags, type, value)."""

    next_hop: Ip
    origin: Origin = Origin.IGP
    as_path: tuple[int, ...] = ()
    as_path_length: int = 0
    med: int | None = None
    local_preference: int | None = None
    communities: tuple[int, ...] = ()
    extended: tuple[Community, ...] = ()
    originator_id: Ip | None = None
    cluster_list: tuple[Ip, ...] = ()
    pmsi: Pmsi | None = None
    unknown: tuple[tuple[int, int, bytes], ...] = field(default=())

    @property
    def targets(self) -> tuple[str, ...]:
        """Texts of the route targets."""
        return tuple(text for one in self.extended if (text := one.target) is not None)

    @property
    def encapsulation(self) -> Encapsulation | None:
        """What the encapsulation community says, if there is one of a kind that we speak."""
        for one in self.extended:
            if one.kind == (3, 12):
                return ENCAPSULATIONS.get(int.from_bytes(one.packed[6:], "big"))
        return None

    @property
    def router_mac(self) -> bytes | None:
        """The MAC address that routed packets are sent to (RFC 9135 section 8.1)."""
        return next((one.packed[2:] for one in self.extended if one.kind == (6, 3)), None)

    @property
    def mobility(self) -> tuple[int, bool] | None:
        """MAC mobility: sequence number and whether the address is static (RFC 7432 section 7.7)."""
        for one in self.extended:
            if one.kind == (6, 0):
                return int.from_bytes(one.packed[4:], "big"), bool(one.packed[2] & 1)
        return None


@dataclass(frozen=True, slots=True)
class Route:
    """One way to one destination."""

    nlri: Nlri
    attributes: Attributes

    @property
    def family(self) -> Family:
        return family_of(self.nlri)
