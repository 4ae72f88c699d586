"""What `show bgp` asks: the tables as plain values, with the reasons for what was not taken.

Everything is computed when it is asked for, from the tables themselves; what may be many routes in steps, between which
the tables may change: a row is true of the moment in which it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.bgp.rib.best import explain
from controller.bgp.rib.chosen import ALL, Chosen
from controller.bgp.rib.policy import prefix_of
from controller.bgp.rib.rib import Rib
from controller.bgp.rib.settings import Underlay
from controller.bgp.rib.table import AdjRibIn, Heard, Note
from controller.bgp.routes import (
    LOCAL_PREFERENCE,
    Attributes,
    AutoDiscovery,
    EthernetSegment,
    IpPrefix,
    MacIp,
    Multicast,
    Nlri,
    Route,
    Unicast,
    VpnPrefix,
)
from data.addresses import Ip, Prefix
from data.path import Path
from data.steps import Steps

__all__ = ["NO_TARGET", "FrozenView", "NeighbourView", "RouteView", "Views", "kind", "label", "what"]

NO_TARGET = "no route target that we import"
OURS = "ours"
VPN = 128  # what the keys of VPN routes begin with (routes.py)
WITHDRAWN = "withdrawn just now"
MANY = 1 << 62
"""More routes than anybody has."""


@dataclass(frozen=True, slots=True)
class NeighbourView:
    """One neighbour. Times by the clock of the rib. `state`: established, idle (away) or shut (left alone by us, until
    `shut_until`). `received` is all that it told, of which `refused` was not accepted and `stale` is from before;
    `advertised` what it was told."""

    name: str
    address: str
    autonomous_system: int
    internal: bool
    role: str
    state: str
    since: float
    reason: str
    router_id: str
    hold_time: int
    restart_time: int | None
    configured: tuple[str, ...]
    families: tuple[str, ...]
    received: int
    refused: int
    stale: int
    advertised: int
    prefix_limit: int
    flaps: int
    stale_until: float | None
    shut_until: float | None
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route of one neighbour, or of ours. `standing`: best, equally good, lost and why, or why it was refused;
    `owners` are the segments and domains that import it."""

    family: str
    kind: str
    what: str
    rd: str
    label: str
    neighbour: str
    next_hop: str
    best: bool
    standing: str
    since: float | None
    stale: bool
    owners: tuple[Path, ...]
    targets: tuple[str, ...]
    as_path: tuple[int, ...]
    origin: str
    med: int | None
    local_preference: int
    mobility: int | None
    router_mac: str | None
    encapsulation: str


@dataclass(frozen=True, slots=True)
class FrozenView:
    """An address that was found in two places at once, until when it stays where it is, and the segment it is in."""

    segment: Path
    mac: str
    until: float


class Views:
    """What is asked of one rib."""

    def __init__(self, rib: Rib, underlay: Underlay) -> None:
        self._rib = rib
        self._underlay = underlay

    def neighbours(self) -> list[NeighbourView]:
        """All that are configured, by name."""
        tables, configured = self._rib.inbound.tables, self._rib.settings.neighbours
        return [self._neighbour(name, tables[name]) for name in sorted(tables.keys() & configured.keys())]

    def _neighbour(self, name: str, table: AdjRibIn) -> NeighbourView:
        policy = self._rib.settings.neighbours[name]
        refused = stale = 0
        for heard in table.heard():
            refused += heard.refused != ""
            stale += heard.stale
        state = "established" if table.up else "idle" if table.shut_until is None else "shut"
        return NeighbourView(
            name, str(policy.address), policy.autonomous_system, self._rib.settings.internal(policy), policy.role,
            state, table.since, table.reason, str(table.source.router_id), table.hold_time, table.restart_time,
            tuple(sorted(policy.families)), tuple(sorted(table.families & policy.families)) if table.up else (),
            len(table), refused, stale, table.told, policy.prefix_limit, table.flaps, table.stale_until,
            table.shut_until, tuple(table.notes),
        )  # fmt: skip

    def vpn_sessions(self) -> dict[Ip, bool]:
        """The next hops of VPN routes, and whether a session stands by which one of them was told."""
        loc, tables = self._rib.loc, self._rib.inbound.tables
        found: dict[Ip, bool] = {}
        for hop, keys in loc.by_next_hop.items():
            key = next((one for one in keys if isinstance(one, tuple) and one[0] == VPN), None)
            ways = loc.destinations[key].ways if key is not None else ()
            names = {way.source.name for way in ways if way.route.attributes.next_hop == hop}
            if names:
                found[hop] = any(tables[name].up for name in names)
        return found

    def received(self, name: str, chosen: Chosen = ALL, most: int = MANY) -> Steps[list[RouteView]]:
        """What a neighbour told, accepted or not; `most` of it."""
        table = self._rib.inbound.tables.get(name)
        found: list[RouteView] = []
        for heard in () if table is None else list(table.heard(chosen.family)):
            if len(found) >= most:
                break
            if chosen.names(heard.route.nlri) and self._taken(chosen, heard.route):
                found.append(self._of_neighbour(heard))
            yield
        return found

    def _of_neighbour(self, heard: Heard) -> RouteView:
        at = None if heard.refused else self._rib.loc.destinations.get(heard.route.nlri.key)
        if at is None or heard not in at.ways:
            return self._heard(heard, f"refused: {heard.refused}" if heard.refused else WITHDRAWN, False)
        return self._accepted(heard, explain(at.ways, self._underlay)[id(heard)])

    def routes(self, chosen: Chosen = ALL, most: int = MANY) -> Steps[list[RouteView]]:
        """What is accepted, and ours; `most` of it. With a domain it costs the routes that have its targets, else a
        look at all (0.3 s for 400,000, in steps); to explain one costs 20 µs."""
        found: list[RouteView] = []
        for route in list(self._rib.desired):
            if len(found) >= most:
                return found
            if chosen.names(route.nlri) and self._taken(chosen, route):
                found.append(_view(route, OURS, "best", True, None, False, ()))
            yield
        destinations = self._rib.loc.destinations
        keys = list(destinations) if chosen.domain is None else self._rib.imports.destinations(chosen.domain)
        for key in keys:
            if len(found) >= most:
                break
            at = destinations.get(key)  # it may be gone since the keys were copied
            if at is not None and at.ways and chosen.names(at.ways[0].route.nlri):
                why = explain(at.ways, self._underlay)
                ways = (heard for heard in at.ways if self._taken(chosen, heard.route))
                found += [self._accepted(heard, why[id(heard)]) for heard in ways]
            yield
        return found[:most]

    def advertised(self, name: str, chosen: Chosen = ALL, most: int = MANY) -> Steps[list[RouteView]]:
        """What a neighbour is told; `most` of it."""
        found: list[RouteView] = []
        for route in list(self._rib.desired):
            if len(found) >= most:
                break
            if chosen.names(route.nlri) and self._taken(chosen, route):
                told = self._rib.outbound.version(name, route)
                found += [] if told is None else [_view(told, OURS, "advertised", True, None, False, ())]
            yield
        return found

    def _taken(self, chosen: Chosen, route: Route) -> bool:
        return chosen.domain is None or any(
            path[: len(chosen.domain)] == chosen.domain for path in self._owners(route.attributes)
        )

    def frozen(self) -> list[FrozenView]:
        """The duplicate addresses."""
        found = []
        for key, until in self._rib.mobility.frozen():
            owner = self._rib.imports.owners.get(key.segment)
            if owner is not None:
                found.append(FrozenView(owner.path, key.mac.hex(":"), until))
        return found

    def _accepted(self, heard: Heard, why: str) -> RouteView:
        taken = why in ("best", "equally good")
        if taken and not isinstance(heard.route.nlri, Unicast) and not self._owners(heard.route.attributes):
            return self._heard(heard, f"{why}, but not taken: {NO_TARGET}", taken)
        return self._heard(heard, why, taken)

    def _heard(self, heard: Heard, standing: str, best: bool) -> RouteView:
        owners = self._owners(heard.route.attributes)
        internal = heard.source.internal
        return _view(heard.route, heard.source.name, standing, best, heard.since, heard.stale, owners, internal)

    def _owners(self, attributes: Attributes) -> tuple[Path, ...]:
        imports = self._rib.imports
        return tuple(imports.owners[uuid].path for uuid in imports.owners_of(attributes))


def _view(
    route: Route, neighbour: str, standing: str, best: bool, since: float | None, stale: bool,
    owners: Iterable[Path], internal: bool = True,
) -> RouteView:  # fmt: skip
    nlri, attributes = route.nlri, route.attributes
    preference = attributes.local_preference if internal else None
    moved = attributes.mobility
    mac, encapsulation = attributes.router_mac, attributes.encapsulation
    return RouteView(
        route.family, kind(nlri), what(nlri), str(getattr(nlri, "rd", "")), label(route), neighbour,
        str(attributes.next_hop), best, standing, since, stale, tuple(owners), attributes.targets,
        attributes.as_path, attributes.origin.name.lower(), attributes.med,
        LOCAL_PREFERENCE if preference is None else preference, None if moved is None else moved[0],
        None if mac is None else mac.hex(":"), "" if encapsulation is None else str(encapsulation),
    )  # fmt: skip


def kind(nlri: Nlri) -> str:
    """Of which type it is."""
    return _KINDS[type(nlri)]


_KINDS: dict[type, str] = {
    AutoDiscovery: "type 1 auto-discovery",
    MacIp: "type 2 mac",
    Multicast: "type 3 flood",
    EthernetSegment: "type 4 segment",
    IpPrefix: "type 5 prefix",
    VpnPrefix: "vpn",
    Unicast: "unicast",
}


def what(nlri: Nlri) -> str:
    """What it is about: an address, a prefix."""
    if isinstance(nlri, MacIp):
        return nlri.mac.hex(":") + ("" if nlri.ip is None else f" {nlri.ip}")
    if isinstance(nlri, Multicast):
        return str(nlri.originator)
    prefix: Prefix | None = prefix_of(nlri)
    return str(prefix) if prefix is not None else getattr(nlri, "esi", b"").hex(":")


def label(route: Route) -> str:
    """Its labels or VNIs."""
    nlri = route.nlri
    if isinstance(nlri, MacIp):
        return str(nlri.label) if nlri.label2 is None else f"{nlri.label} {nlri.label2}"
    if isinstance(nlri, Multicast):
        return "" if route.attributes.pmsi is None else str(route.attributes.pmsi.label)
    if isinstance(nlri, VpnPrefix):
        return " ".join(map(str, nlri.labels))
    return str(nlri.label) if isinstance(nlri, IpPrefix | AutoDiscovery) else ""
