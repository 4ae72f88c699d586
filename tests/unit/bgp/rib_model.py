"""A small site to drive the decisions of BGP with: a fabric, a clock moved by hand, and neighbours that talk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.bgp.rib.best import choose
from controller.bgp.rib.outcome import Outcome
from controller.bgp.rib.rib import Rib
from controller.bgp.rib.settings import NeighbourPolicy, Settings
from controller.bgp.rib.views import Views
from controller.bgp.routes import Attributes, Community, Family, IpPrefix, MacIp, Multicast, Nlri, Pmsi, Rd, Route
from controller.bgp.routes import VpnPrefix as Vpn
from controller.bgp.speaker.backend import Changed, Down, EndOfRib, Event, Up
from controller.compile import Location, Observed
from controller.compile.remote import Remote, RemoteKey
from data.addresses import Ip, address, prefix
from data.path import Path
from data.schema.objects import Domain, Object, Subnet
from data.steps import at_once
from tests.unit.compile.fabric_model import ACME, APP, PROD, WEB, Model, base, vport

__all__ = ["ACME", "APP", "FAMILIES", "PROD", "VXLAN", "WEB", "Fabric", "Underlay", "chosen", "flood", "mac",
           "neighbour", "prefix5", "settings", "site", "vpn", "vport"]  # fmt: skip

FAMILIES = frozenset({Family.EVPN, Family.VPNV4, Family.VPNV6})
VXLAN = Community.encapsulation(8)
PE = "192.0.2.1"


class Underlay:
    """All of it is usable but what is in `down`; `costs` are known."""

    def __init__(self) -> None:
        self.down: set[Ip] = set()
        self.costs: dict[Ip, int] = {}

    def usable(self, ip: Ip) -> bool:
        return ip not in self.down

    def cost(self, ip: Ip) -> int | None:
        return self.costs.get(ip)


def neighbour(name: str, ip: str, asn: int = 65001, **more: object) -> NeighbourPolicy:
    given: dict[str, object] = {"families": FAMILIES, **more}
    return NeighbourPolicy(name, address(ip), asn, **given)  # type: ignore[arg-type]


def settings(*neighbours: NeighbourPolicy, **more: object) -> Settings:
    given: dict[str, object] = {
        "autonomous_system": 65000,
        "router_id": address("192.0.2.100"),
        "own": frozenset(address(f"172.31.0.{nth}") for nth in (1, 2, 3)),
        "gateway_mac": bytes.fromhex("00005e000101"),
        **more,
    }
    return Settings(neighbours={one.name: one for one in neighbours}, **given)  # type: ignore[arg-type]


class Fabric(Model):
    """A fabric whose changes go to a rib, and what the compiler and each neighbour were told so far."""

    def __init__(self, made: Settings | None = None, kept: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.now = 1000.0
        self.beneath = Underlay()
        self.rib = Rib(self.beneath, lambda: self.now, kept)
        self.views = Views(self.rib, self.beneath)
        self.remote: dict[RemoteKey, Remote] = {}
        self.told: dict[str, dict[object, Route]] = {}
        self.said: list[str] = []
        self.made = made or settings(neighbour("pe", PE))
        self.hear(at_once(self.rib.configure(self.made)))
        self.hear(at_once(self.rib.whole(self.state)))

    def hear(self, outcome: Outcome) -> Outcome:
        """Keeps what follows, as the service would carry it out."""
        for key, fact in outcome.remote.items():
            if fact is None:
                del self.remote[key]
            else:
                self.remote[key] = fact
        for announced in outcome.announce:
            for name in announced.peers:
                self.told.setdefault(name, {}).update((route.nlri.key, route) for route in announced.routes)
        for withdrawn in outcome.withdraw:
            for name in withdrawn.peers:
                for nlri in withdrawn.routes:
                    del self.told[name][nlri.key]
        self.said += outcome.told
        return outcome

    def commit(self, edits: Mapping[Path, Object | None], vports: Mapping[str, Location | None] | None = None) -> None:
        old = self.state
        super().commit(edits, vports)
        self.hear(at_once(self.rib.compiled(old, self.state, edits, vports or {})))

    def move(self, vports: Mapping[str, Location | None], observed: Observed | None = None) -> None:
        old = self.state
        super().move(vports, observed)
        self.hear(at_once(self.rib.compiled(old, self.state, {}, vports, observed)))

    def configure(self, made: Settings) -> Outcome:
        self.made = made
        return self.hear(at_once(self.rib.configure(made)))

    def events(self, *events: Event) -> Outcome:
        for event in events:
            if isinstance(event, Down):
                self.told.pop(event.peer, None)
        return self.hear(at_once(self.rib.take(events)))

    def up(self, *names: str, **more: object) -> Outcome:
        given: dict[str, object] = {"families": FAMILIES, "hold_time": 90, "restart_time": 120, **more}
        self.told.update({name: {} for name in names})
        return self.events(*(Up(name, **given) for name in names))  # type: ignore[arg-type]

    def hears(self, peer: str, *routes: Route, without: Sequence[Nlri] = ()) -> Outcome:
        return self.events(Changed(peer, tuple(routes), tuple(without)))

    def ends(self, peer: str) -> Outcome:
        return self.events(*(EndOfRib(peer, family) for family in FAMILIES))

    def later(self, seconds: float) -> Outcome:
        self.now += seconds
        return self.hear(at_once(self.rib.tick()))

    def facts(self, kind: str) -> dict[str, Remote]:
        """Facts of one kind, by what they are about as text."""
        return {
            key.what.hex(":") if isinstance(key.what, bytes) else str(key.what): fact
            for key, fact in self.remote.items()
            if key.kind == kind
        }

    def kinds(self, peer: str) -> list[str]:
        """Destinations that a neighbour was told, with their kinds."""
        return sorted(f"{one.kind.split()[1] if ' ' in one.kind else one.kind} {one.what}"
                      for one in at_once(self.views.advertised(peer)))  # fmt: skip

    def why(self, peer: str) -> dict[str, str]:
        """What became of each destination that a neighbour told."""
        return {one.what: one.standing for one in at_once(self.views.received(peer))}


def site(made: Settings | None = None, *, joined: bool = True, vports: int = 1) -> Fabric:
    """Domain prod in the WAN with target 65000:1; its subnet web1 goes on elsewhere if `joined`; the first vport on
    hv1."""
    fabric = Fabric(made)
    edits = base(fabric)
    edits[PROD] = Domain(uuid=fabric.uuid(), route_target=("65000:1",))
    target = ("65000:1001",) if joined else ()
    edits[WEB] = Subnet(uuid=fabric.uuid(), prefix="10.1.1.0/24", route_target=target)
    for nth in range(1, vports + 1):
        edits[*PROD, "vport", f"v{nth}"] = vport(fabric, 10 + nth)
    fabric.commit(edits)
    if vports:
        fabric.move({uuid_of(fabric, "v1"): Location("hv1", fabric.port())})
    return fabric


def uuid_of(fabric: Fabric, name: str) -> str:
    found = fabric.running.get((*PROD, "vport", name))
    assert found is not None
    return found.uuid


def attributes(hop: str, *targets: str, **more: object) -> Attributes:
    """Path attributes; `sequence` is MAC mobility, `router` a router MAC."""
    extended = [Community.route_target(one) for one in targets]
    sequence, router = more.pop("sequence", None), more.pop("router", None)
    if more.pop("vxlan", True):
        extended.append(VXLAN)
    if isinstance(sequence, int):
        extended.append(Community.mobility(sequence))
    if isinstance(router, str):
        extended.append(Community.router_mac(bytes.fromhex(router)))
    path = more.pop("path", (65001,))
    assert isinstance(path, tuple)
    return Attributes(
        address(hop), as_path=path, as_path_length=len(path), extended=tuple(sorted(extended)), **more  # type: ignore[arg-type]
    )  # fmt: skip


def mac(text: str, ip: str | None = None, hop: str = "192.0.2.9", *targets: str, rd: str = "192.0.2.9:1",
        vni: int = 77, l3: int | None = None, **more: object) -> Route:  # fmt: skip
    nlri = MacIp(Rd.of(rd), bytes.fromhex(text.replace(":", "")), None if ip is None else address(ip), vni, l3)
    return Route(nlri, attributes(hop, *(targets or ("65000:1001",)), **more))


def flood(hop: str = "192.0.2.9", *targets: str, vni: int = 77, rd: str | None = None, **more: object) -> Route:
    pmsi = Pmsi(address(hop), vni)
    made = attributes(hop, *(targets or ("65000:1001",)), pmsi=pmsi, **more)
    return Route(Multicast(Rd.of(rd or f"{hop}:1"), address(hop)), made)


def prefix5(text: str, hop: str = "192.0.2.9", *targets: str, rd: str = "192.0.2.9:2", vni: int = 99,
            router: str | None = "02bfc0000209", **more: object) -> Route:  # fmt: skip
    made = attributes(hop, *(targets or ("65000:1",)), router=router, **more)
    return Route(IpPrefix(Rd.of(rd), prefix(text), vni), made)


def vpn(text: str, hop: str = PE, *targets: str, rd: str = "65001:7", label: int = 300, **more: object) -> Route:
    made = attributes(hop, *(targets or ("65000:1",)), vxlan=False, **more)
    return Route(Vpn(Rd.of(rd), prefix(text), (label,)), made)


def chosen(fabric: Fabric, route: Route) -> list[str]:
    """Names of the neighbours whose ways are taken to a destination, the best first."""
    at = fabric.rib.loc.destinations[route.nlri.key]
    assert at.best == choose(at.ways, fabric.beneath)
    return [heard.source.name for heard in at.best]
