"""What the configuration says of BGP, as the decisions need it.

A domain is in the WAN when it has route targets. What of it is told:

    domain with export targets    its prefixes (type 5, VPNv4, VPNv6), and its machines' addresses as host routes
    segment with a route target   its machines' MAC addresses and its floods (types 2 and 3): the broadcast domain goes
    of its own, or a fixed VNI    on elsewhere

A segment (subnet or l2-domain) whose VNI is an automatic one and that has no target of its own is not joined with
anything: numbers that two sites give out by themselves mean different tenants, and the automatic target (AS:VNI,
imported from any AS: RFC 8365 section 5.1.2.1) would join them. Its machines have the route distinguisher of their
domain, where no two have the same MAC address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from controller.bgp.routes import Community, Family, Rd
from controller.compile.addresses import mac
from controller.compile.state import State
from data.addresses import Ip, Prefix, address, prefix
from data.configuration import Configuration
from data.networks import networks
from data.path import Path
from data.schema.objects import Controller, Domain, Dvrs, L2Domain, Subnet
from data.schema.wan import Bgp, Neighbor

__all__ = [
    "FABRIC",
    "UNDERLAY",
    "DomainWan",
    "NeighbourPolicy",
    "SegmentWan",
    "Settings",
    "Underlay",
    "automatic_target",
    "domain_wan",
    "rd_of",
    "segment_wan",
    "settings_of",
]  # fmt: skip

FABRIC = "fabric"
UNDERLAY = "underlay"


class Underlay(Protocol):
    """What the underlay says of a next hop (controller/underlay)."""

    def usable(self, ip: Ip) -> bool:
        """Whether packets to it arrive, as far as anybody knows."""
        ...

    def cost(self, ip: Ip) -> int | None:
        """What the way to it costs in the underlay; None where nobody says."""
        ...


@dataclass(frozen=True, slots=True)
class NeighbourPolicy:
    """What is taken from a neighbour and told to it. `accept` and `announce`: prefixes inside which a route must lie,
    none means all. `router_id` is ours towards it, where the configuration gives none for all."""

    name: str
    address: Ip
    autonomous_system: int
    families: frozenset[Family]
    role: str = FABRIC
    prefix_limit: int = 100_000
    accept: tuple[Prefix, ...] = ()
    announce: tuple[Prefix, ...] = ()
    router_id: Ip | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Ours. `own`: tunnel addresses of our hypervisors. Without `autonomous_system` there is no BGP."""

    autonomous_system: int | None = None
    router_id: Ip | None = None
    stale_time: int = 300  # seconds
    neighbours: Mapping[str, NeighbourPolicy] = field(default_factory=dict)
    own: frozenset[Ip] = frozenset()
    gateway_mac: bytes = b""

    @property
    def told(self) -> frozenset[Family]:
        """The families that some neighbour is told: others need not be made."""
        fabric = (one.families for one in self.neighbours.values() if one.role == FABRIC)
        return frozenset[Family]().union(*fabric)

    def internal(self, neighbour: NeighbourPolicy) -> bool:
        """Whether it is in our autonomous system (iBGP)."""
        return neighbour.autonomous_system == self.autonomous_system


def settings_of(view: Configuration) -> Settings:
    """From the acting configuration. Neighbours that lack what is mandatory are left out (a deactivated part)."""
    body, here = view.settings(Bgp), view.settings(Controller).listen_address
    found = {}
    for path, one in view.objects(Neighbor):
        if one.address and one.autonomous_system:
            local = address(one.local_address or here)
            found[path[-1]] = NeighbourPolicy(
                path[-1], address(one.address), one.autonomous_system,
                frozenset(map(Family, one.families)), one.role, one.prefix_limit,
                tuple(map(prefix, one.accept)), tuple(map(prefix, one.announce)), local if local.version == 4 else None,
            )  # fmt: skip
    own = frozenset(address(one.tunnel_address) for _, one in view.objects(Dvrs) if one.tunnel_address)
    return Settings(
        body.autonomous_system, address(body.router_id) if body.router_id else None, body.stale_time, found, own,
        mac(view.settings(Controller).anycast_gateway_mac),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DomainWan:
    """A domain in the WAN. `number` makes its automatic route distinguishers, `vni` carries routed packets over VXLAN,
    `labels` over MPLS, by IP version; `imports` are packed route targets; `prefixes` its own subnets, which no route
    from outside replaces."""

    path: Path
    uuid: str
    number: int
    vni: int
    labels: tuple[tuple[int, int], ...]
    rd: Rd | None
    imports: frozenset[bytes]
    exports: tuple[Community, ...]
    prefixes: frozenset[Prefix]

    def label(self, version: int) -> int | None:
        """The label of packets of this IP version."""
        return dict(self.labels).get(version)


@dataclass(frozen=True, slots=True)
class SegmentWan:
    """A subnet or l2-domain in the WAN. `joined`: it goes on elsewhere; `automatic`: by the automatic target, of any
    AS. `networks` are where its machines' addresses lie (none: anywhere), `gateways` those that nobody else has."""

    path: Path
    uuid: str
    number: int
    vni: int
    joined: bool
    automatic: bool
    imports: frozenset[bytes]
    exports: tuple[Community, ...]
    networks: tuple[Prefix, ...] = ()
    gateways: frozenset[Ip] = frozenset()


def domain_wan(state: State, path: Path) -> DomainWan | None:
    """How a domain is in the WAN, None when it is not."""
    body = state.view.get(path)
    if not isinstance(body, Domain) or not state.in_wan(path):
        return None
    prefixes = (one.prefix for subnet in state.subnets(path) for one in networks(state.subnet(subnet)))
    return DomainWan(
        path, body.uuid, state.allocated("wan", path), state.l3_vni(path),
        tuple((version, state.label(path, version)) for version in (4, 6)),
        Rd.of(body.route_distinguisher) if body.route_distinguisher else None,
        frozenset(one.packed for one in _targets(body.imports)),
        _targets(body.exports), frozenset(prefixes),
    )  # fmt: skip


def segment_wan(state: State, path: Path, local_as: int) -> SegmentWan | None:
    """How a subnet or l2-domain is in the WAN, None when neither it nor its domain is."""
    body = state.view.get(path)
    if not isinstance(body, Subnet | L2Domain):
        return None
    number = state.numbers.find("wan", body.uuid)
    joined = number is not None and (bool(body.route_target) or body.vni is not None)
    if not joined:
        number = state.allocated("wan", path[:4]) if state.routed(path[:4]) and state.in_wan(path[:4]) else None
    if number is None:
        return None
    vni, known = state.vni(path), networks(body) if isinstance(body, Subnet) else ()
    exports = _targets(body.route_target)
    if joined and not exports:
        exports = (automatic_target(local_as, vni),)
    return SegmentWan(
        path, body.uuid, number, vni, joined, joined and not body.route_target,
        frozenset(one.packed for one in exports), exports,
        tuple(one.prefix for one in known), frozenset(one.gateway for one in known),
    )  # fmt: skip


def _targets(texts: tuple[str, ...]) -> tuple[Community, ...]:
    return tuple(sorted({Community.route_target(text) for text in texts}))


def automatic_target(autonomous_system: int, vni: int) -> Community:
    """AS:VNI; of an AS number of four bytes the lower half, as other VTEPs have it."""
    return Community(b"\0\2" + (autonomous_system & 0xFFFF).to_bytes(2, "big") + vni.to_bytes(4, "big"))


def _four(ip: Ip) -> bytes:
    """Four bytes that stand for a tunnel address."""
    return ip.packed if ip.version == 4 else hashlib.blake2s(ip.packed, digest_size=4).digest()


@lru_cache(maxsize=1 << 16)
def rd_of(endpoint: Ip, number: int) -> Rd:
    """The automatic route distinguisher of a hypervisor and a domain or segment (RFC 7432 section 7.9): type 1."""
    return Rd(b"\0\1" + _four(endpoint) + number.to_bytes(2, "big"))
