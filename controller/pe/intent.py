"""What one PE router shall hold of us, worked out from the policy: pure.

The router's side of a domain is a VRF that is one more site of it. It imports and exports the same route targets as
the hypervisors do; where a domain has none for both ways but an import-target and an export-target (hub and spoke),
the VRF has them the other way round, or neither would hear the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from controller.compile import State
from data.addresses import address
from data.path import Path
from data.schema.nodes import named_in_full
from data.schema.objects import Controller, Domain, Dvrs
from data.schema.wan import Bgp, Neighbor, Pe, PeVpn

__all__ = ["NOTHING", "PREFIX", "PeIntent", "PeVrf", "Wanted", "intent_of", "routers", "vrf_name"]

PREFIX = "nsh-"
"""How everything begins that is ours on a router."""
VRF_LIMIT = 15
"""Characters of a VRF's name: a Linux network device (IFNAMSIZ) takes no more; the vendors take 27 and more."""
FAMILIES = ("vpnv4", "vpnv6", "evpn")
EBGP_TTL = 255
"""Hops to the controller, which is not on the router's own wire, unless the neighbor says otherwise."""


@dataclass(frozen=True, slots=True)
class PeVrf:
    """A VRF on the router: name, route distinguisher and targets as `number:number`, names of interfaces, prefixes."""

    name: str
    distinguisher: str
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    interfaces: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeIntent:
    """All of ours on one router, without secrets. With `controller` empty there is nothing.

    `controller` and `own_address` are the ends of the BGP session, ours and its; `tunnels` the addresses of the
    hypervisors whose GRE tunnels end at `tunnel_address`; `locked`: the session has a TCP MD5 key.
    """

    driver: str
    own_as: int = 0
    controller: str = ""
    controller_as: int = 0
    own_address: str = ""
    families: tuple[str, ...] = ()
    hold_time: int = 90
    ttl: int = EBGP_TTL
    ttl_security: int | None = None
    locked: bool = False
    tunnel_address: str = ""
    tunnels: tuple[str, ...] = ()
    vrfs: tuple[PeVrf, ...] = ()

    @property
    def external(self) -> bool:
        """Whether the session is between two autonomous systems."""
        return self.own_as != self.controller_as

    def versions(self) -> tuple[int, ...]:
        """The IP versions that its VRFs carry."""
        found = tuple(version for version in (4, 6) if f"vpnv{version}" in self.families)
        return found or ((4, 6) if "evpn" in self.families else ())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A router as the policy has it: how it is reached, what it shall hold, the key of its BGP session."""

    pe: Pe
    intent: PeIntent
    key: str | None = None


NOTHING: tuple[PeVrf, ...] = ()


def routers(state: State) -> dict[str, Wanted]:
    """Every router by name. Cost: the routers, their VPNs, and all hypervisors once."""
    view = state.view
    tunnels = tuple(
        sorted({body.tunnel_address for _, body in view.objects(Dvrs) if body.tunnel_address}, key=_by_address)
    )
    return {path[-1]: intent_of(state, path, pe, tunnels) for path, pe in view.objects(Pe)}


def intent_of(state: State, path: Path, pe: Pe, tunnels: tuple[str, ...]) -> Wanted:
    """One router; `tunnels` are the addresses of the hypervisors. What lacks a neighbor (a deactivated one) shall hold
    nothing."""
    view = state.view
    neighbor = view.get(("bgp-neighbor", pe.neighbor or path[-1]))
    local_as = view.settings(Bgp).autonomous_system
    if not isinstance(neighbor, Neighbor) or not neighbor.address or local_as is None:
        return Wanted(pe, PeIntent(pe.driver))
    own_as = pe.autonomous_system or neighbor.autonomous_system or 0
    end = pe.tunnel_address or neighbor.address
    vrfs = (_vrf(state, own_as, name, view.get((*path, "vpn", name))) for name in view.children(path, "vpn"))
    return Wanted(
        pe,
        PeIntent(
            pe.driver, own_as, neighbor.local_address or view.settings(Controller).listen_address, local_as,
            neighbor.address,
            tuple(one for one in FAMILIES if one in (neighbor.family or FAMILIES)),
            neighbor.hold_time or view.settings(Bgp).hold_time,
            neighbor.multihop or EBGP_TTL, neighbor.ttl_security, neighbor.password is not None, end,
            tuple(one for one in tunnels if address(one).version == address(end).version),
            tuple(one for one in vrfs if one is not None),
        ),
        neighbor.password,
    )  # fmt: skip


def vrf_name(name: str) -> str:
    """The name of a VPN's VRF on the router, of which a long one keeps its beginning."""
    full = PREFIX + name
    if len(full) <= VRF_LIMIT:
        return full
    return f"{full[: VRF_LIMIT - 5]}-{blake2b(name.encode(), digest_size=2).hexdigest()}"


def _vrf(state: State, own_as: int, name: str, vpn: object) -> PeVrf | None:
    where = named_in_full("domain", vpn.domain) if isinstance(vpn, PeVpn) and vpn.domain else None
    domain = state.view.get(where) if where else None
    if not isinstance(vpn, PeVpn) or not isinstance(domain, Domain):
        return None
    number = state.numbers.find("wan", domain.uuid)
    distinguisher = vpn.route_distinguisher or (f"{own_as}:{number}" if number is not None else None)
    if distinguisher is None:
        return None  # the domain has no targets: nothing of it goes out
    imports = set(domain.imports)
    exports = set(domain.exports)
    if not domain.route_target:
        imports, exports = exports, imports
    return PeVrf(
        vrf_name(name), distinguisher, _targets(imports), _targets(exports), tuple(sorted(vpn.interface)),
        tuple(sorted(vpn.prefix, key=_by_prefix)),
    )  # fmt: skip


def _targets(some: set[str]) -> tuple[str, ...]:
    return tuple(sorted(some, key=_by_target))


def _by_target(text: str) -> tuple[int, bytes, int]:
    """As routers sort them: by type (RFC 4360: two-byte AS, address, four-byte AS), then by number."""
    administrator, _, number = text.rpartition(":")
    if "." in administrator:
        return 1, address(administrator).packed, int(number)
    value = int(administrator)
    return 0 if value <= 0xFFFF else 2, value.to_bytes(4, "big"), int(number)


def _by_address(text: str) -> tuple[int, bytes]:
    found = address(text)
    return found.version, found.packed


def _by_prefix(text: str) -> tuple[int, bytes, int]:
    base, _, length = text.partition("/")
    return (*_by_address(base), int(length or 0))
