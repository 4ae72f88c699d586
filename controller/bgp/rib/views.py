"""What `show bgp` asks: the tables as plain values, with the reasons for what was not taken.

Everything is computed when it is asked for, from the tables themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.bgp.rib.best import LOCAL_PREFERENCE, explain
from controller.bgp.rib.policy import prefix_of
from controller.bgp.rib.rib import Rib
from controller.bgp.rib.settings import Underlay
from controller.bgp.rib.table import AdjRibIn, Heard, Note
from controller.bgp.routes import (
    Attributes,
    AutoDiscovery,
    EthernetSegment,
    Family,
    IpPrefix,
    MacIp,
    Multicast,
    Nlri,
    Route,
    Unicast,
    VpnPrefix,
)
from data.addresses import Prefix
from data.path import Path

__all__ = ["NO_TARGET", "FrozenView", "NeighbourView", "RouteView", "Views", "kind", "label", "what"]

NO_TARGET = "no route target that we import"
OURS = "ours"


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

    def received(self, name: str, family: Family | None = None) -> Iterator[RouteView]:
        """Everything that a neighbour told, accepted or not."""
        table = self._rib.inbound.tables.get(name)
        for heard in () if table is None else table.heard(family):
            if heard.refused:
                yield self._heard(heard, f"refused: {heard.refused}", False)
            else:
                at = self._rib.loc.destinations[heard.route.nlri.key]
                yield self._accepted(heard, explain(at.ways, self._underlay)[id(heard)])

    def routes(self, family: Family | None = None) -> Iterator[RouteView]:
        """All that is accepted, and ours."""
        for route in self._rib.desired:
            if family in (None, route.family):
                yield _view(route, OURS, "best", True, None, False, ())
        for at in self._rib.loc.destinations.values():
            if family is not None and at.ways[0].route.family is not family:
                continue
            why = explain(at.ways, self._underlay)
            for heard in at.ways:
                yield self._accepted(heard, why[id(heard)])

    def advertised(self, name: str, family: Family | None = None) -> Iterator[RouteView]:
        """What a neighbour is told."""
        for route in self._rib.outbound.told(name, family):
            yield _view(route, OURS, "advertised", True, None, False, ())

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
