"""Routes of our own: what one machine, one flooding hypervisor, or one prefix looks like on the wire.

The next hop is always the tunnel address of the hypervisor where the thing is, so that packets from outside go there
straight. The route distinguisher is one per hypervisor and segment or domain, so that the same prefix of two
hypervisors stays two routes that share the flows; where the configuration gives a domain one, its prefixes have that,
and of several hypervisors one is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from controller.bgp.rib.policy import host
from controller.bgp.rib.settings import DomainWan, SegmentWan, rd_of
from controller.bgp.routes import Attributes, Community, Family, IpPrefix, MacIp, Multicast, Pmsi, Route, VpnPrefix
from controller.compile.remote import router_mac
from data.addresses import Ip, Prefix

__all__ = ["Attachment", "flood_route", "gateway_routes", "machine_routes", "prefix_routes"]

_VXLAN = Community.encapsulation(8)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A machine that is resolved here: its MAC address in a segment, its addresses, and the tunnel address of its
    hypervisor. `domain` is None where it has none in the WAN that announces; `within` is the UUID of the domain
    in the WAN, whether it announces or not."""

    segment: SegmentWan
    domain: DomainWan | None
    within: str | None
    mac: bytes
    addresses: tuple[Ip, ...]
    endpoint: Ip


@lru_cache(maxsize=1 << 14)
def _attributes(
    endpoint: Ip, targets: tuple[Community, ...], vxlan: bool, routed: bool, sequence: int, vni: int | None,
    gateway: bool = False,
) -> Attributes:  # fmt: skip
    extended = [*targets]
    if gateway:
        extended.append(Community.default_gateway())
    if vxlan:
        extended.append(_VXLAN)
    if routed:
        extended.append(Community.router_mac(router_mac(endpoint)))
    if sequence:
        extended.append(Community.mobility(sequence))
    pmsi = None if vni is None else Pmsi(endpoint, vni)
    return Attributes(next_hop=endpoint, extended=tuple(sorted(set(extended))), pmsi=pmsi)


def machine_routes(at: Attachment, sequence: int, families: frozenset[Family]) -> tuple[Route, ...]:
    """Type 2 of the MAC address and of each IP address, and each as a host route of VPNv4 or VPNv6."""
    return (*_evpn(at, sequence, families), *_host_routes(at, families))


def _evpn(at: Attachment, sequence: int, families: frozenset[Family]) -> list[Route]:
    segment, domain = at.segment, at.domain
    if Family.EVPN not in families:
        return []
    rd = rd_of(at.endpoint, segment.number)
    routes = []
    if segment.joined:
        bridged = _attributes(at.endpoint, segment.exports, True, False, sequence, None)
        routes.append(Route(MacIp(rd, at.mac, None, segment.vni), bridged))
    if domain is not None:
        both = (*segment.exports, *domain.exports)
        routed = _attributes(at.endpoint, both, True, True, sequence, None)
        routes += [Route(MacIp(rd, at.mac, ip, segment.vni, domain.vni), routed) for ip in at.addresses]
    elif segment.joined:
        routes += [Route(MacIp(rd, at.mac, ip, segment.vni), bridged) for ip in at.addresses]
    return routes


def _host_routes(at: Attachment, families: frozenset[Family]) -> list[Route]:
    if at.domain is None:
        return []
    return [
        route for ip in at.addresses for route in prefix_routes(at.domain, at.endpoint, host(ip), families, vxlan=False)
    ]


def flood_route(segment: SegmentWan, endpoint: Ip) -> Route:
    """Type 3: a hypervisor wants copies of what is flooded, one for itself (ingress replication, RFC 8365 section
    9)."""
    attributes = _attributes(endpoint, segment.exports, True, False, 0, segment.vni)
    return Route(Multicast(rd_of(endpoint, segment.number), endpoint), attributes)


def gateway_routes(segment: SegmentWan, endpoint: Ip, router: bytes) -> tuple[Route, ...]:
    """Type 2 of each gateway of a subnet, whose MAC address is `router`: a hypervisor routes for the machines that are
    behind VTEPs (RFC 7432 section 10.1). It never moves, so it has no sequence number."""
    attributes = _attributes(endpoint, segment.exports, True, False, 0, None, True)
    rd = rd_of(endpoint, segment.number)
    return tuple(Route(MacIp(rd, router, ip, segment.vni), attributes) for ip in sorted(segment.gateways))


def prefix_routes(
    domain: DomainWan,
    endpoint: Ip,
    prefix: Prefix,
    families: frozenset[Family],
    *,
    vxlan: bool = True,
    mpls: bool = True,
) -> list[Route]:
    """A prefix of a domain that a hypervisor leads to: type 5, and VPNv4 or VPNv6."""
    rd = domain.rd or rd_of(endpoint, domain.number)
    routes = []
    if vxlan and Family.EVPN in families:
        attributes = _attributes(endpoint, domain.exports, True, True, 0, None)
        routes.append(Route(IpPrefix(rd, prefix, domain.vni), attributes))
    label = domain.label(prefix.version)
    family = Family.VPNV4 if prefix.version == 4 else Family.VPNV6
    if mpls and label is not None and family in families:
        attributes = _attributes(endpoint, domain.exports, False, False, 0, None)
        routes.append(Route(VpnPrefix(rd, prefix, (label,)), attributes))
    return routes
