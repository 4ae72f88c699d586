"""Whatever happens, in whatever order: the outcome is what would come of everything at once."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from controller.bgp.rib.rib import Rib
from controller.bgp.routes import Route
from controller.bgp.speaker.backend import Changed, Up
from controller.compile import Location, Observed
from data.addresses import address, prefix
from data.path import Path
from data.schema.objects import Domain, Dvrs, Object, Subnet
from data.schema.services import StaticRoute, VirtualIp
from data.steps import at_once
from tests.unit.bgp.rib_model import (
    FAMILIES,
    PROD,
    WEB,
    Fabric,
    flood,
    mac,
    neighbour,
    prefix5,
    settings,
    site,
    uuid_of,
    vpn,
    vport,
)

BOTH = ("65000:1", "65000:1001")
ROUTES: list[Route] = [
    mac("02:00:00:00:00:42"),
    mac("02:00:00:00:00:42", "10.1.1.42"),
    mac("02:00:00:00:00:42", "10.1.1.11", sequence=2),
    mac("02:00:00:00:00:42", "10.1.1.13", "192.0.2.8", *BOTH, rd="192.0.2.8:1", l3=99, router="02bfc0000208"),
    mac("02:00:0a:01:01:0b", None, sequence=1),
    mac("02:00:0a:01:01:0b", "10.1.1.11", sequence=3, rd="192.0.2.9:7"),
    mac("02:00:0a:01:01:0c", "10.1.1.12", "192.0.2.8", *BOTH, rd="192.0.2.8:1", l3=99, router="02bfc0000208"),
    flood(),
    flood("192.0.2.8"),
    prefix5("10.9.0.0/16"),
    prefix5("10.9.0.0/16", "192.0.2.8", rd="192.0.2.8:2"),
    prefix5("10.1.2.0/24", "192.0.2.8", rd="192.0.2.8:2"),
    prefix5("10.99.0.0/16"),
    vpn("10.9.0.0/16"),
    vpn("10.9.0.0/16", "192.0.2.2", rd="65001:8", med=4),
    vpn("10.9.0.0/16", "192.0.2.2", "65000:2", rd="65001:9"),
    vpn("10.1.1.12/32"),
    vpn("10.1.1.200/32", "172.31.0.9"),
]
NAMES = ("pe", "pe2")
MADE = settings(neighbour("pe", "192.0.2.1"), neighbour("pe2", "192.0.2.2", 65000))
Step = Callable[[Fabric], None]


def says(peer: str, which: list[int]) -> Step:
    return lambda fabric: void(fabric.hears(peer, *(ROUTES[at] for at in which)))


def takes_back(peer: str, which: list[int]) -> Step:
    return lambda fabric: void(fabric.hears(peer, without=[ROUTES[at].nlri for at in which]))


def moves(name: str, dvrs: str | None) -> Step:
    return lambda fabric: fabric.move({uuid_of(fabric, name): Location(dvrs, fabric.port()) if dvrs else None})


def edits(path: Path, make: Callable[[Object], Object]) -> Step:
    def step(fabric: Fabric) -> None:
        body = fabric.running.get(path)
        assert body is not None
        fabric.commit({path: make(body)})

    return step


def toggles(path: Path, make: Callable[[Fabric], Object]) -> Step:
    return lambda fabric: fabric.commit({path: make(fabric) if fabric.running.get(path) is None else None})


def domain(targets: tuple[str, ...], rd: str | None) -> Step:
    more = ("65000:2",) if targets else ()
    return edits(
        PROD, lambda body: Domain(uuid=body.uuid, route_target=targets, import_target=more, route_distinguisher=rd)
    )


def beneath(hop: str, down: bool, cost: int) -> Step:
    def step(fabric: Fabric) -> None:
        ip = address(hop)
        fabric.beneath.costs[ip] = cost
        (fabric.beneath.down.add if down else fabric.beneath.down.discard)(ip)
        fabric.hear(at_once(fabric.rib.underlay([ip])))

    return step


def renumbers(name: str, ip: str) -> Step:
    def step(fabric: Fabric) -> None:
        body = fabric.running.get(("dvrs", name))
        assert body is not None
        fabric.commit({("dvrs", name): Dvrs(uuid=body.uuid, tunnel_address=ip)})
        own = {getattr(fabric.running.get(("dvrs", one)), "tunnel_address", "") for one in ("hv1", "hv2", "hv3")}
        fabric.configure(settings(*fabric.made.neighbours.values(), own=frozenset(map(address, own))))

    return step


def policy(accept: str | None, announce: str | None) -> Step:
    def step(fabric: Fabric) -> None:
        lists = {"accept": (prefix(accept),) if accept else (), "announce": (prefix(announce),) if announce else ()}
        pe2 = fabric.made.neighbours["pe2"]
        fabric.configure(settings(neighbour("pe", "192.0.2.1", **lists), pe2, own=fabric.made.own))

    return step


def holder(name: str) -> Step:
    def step(fabric: Fabric) -> None:
        body = fabric.running.get((*PROD, "virtual-ip", "10.1.1.200"))
        if body is not None:
            fabric.move({}, Observed(holders={body.uuid: uuid_of(fabric, name)}))

    return step


def void(result: object) -> None:
    del result


WHICH = st.lists(st.integers(0, len(ROUTES) - 1), min_size=1, max_size=6, unique=True)
STEPS = st.one_of(
    st.builds(says, st.sampled_from(NAMES), WHICH),
    st.builds(takes_back, st.sampled_from(NAMES), WHICH),
    st.builds(moves, st.sampled_from(["v1", "v2", "v3"]), st.sampled_from(["hv1", "hv2", None])),
    st.builds(domain, st.sampled_from([("65000:1",), ()]), st.sampled_from([None, "65000:9"])),
    st.sampled_from([(), ("65000:1001",), ("65000:5",)]).map(
        lambda targets: edits(WEB, lambda body: Subnet(uuid=body.uuid, prefix="10.1.1.0/24", route_target=targets))
    ),
    st.just(toggles(
        (*PROD, "static-route", "10.99.0.0/16"),
        lambda fabric: StaticRoute(uuid=fabric.uuid(), next_hop=("10.1.1.12", "10.1.1.13"), health="none"),
    )),
    st.just(toggles(
        (*PROD, "virtual-ip", "10.1.1.200"), lambda fabric: VirtualIp(uuid=fabric.uuid(), vport=("v1", "v2"))
    )),
    st.builds(holder, st.sampled_from(["v1", "v2"])),
    st.just(toggles(
        (*PROD, "zone", "app", "subnet", "app1"), lambda fabric: Subnet(uuid=fabric.uuid(), prefix="10.1.2.0/24")
    )),
    st.builds(beneath, st.sampled_from(["192.0.2.8", "192.0.2.9", "192.0.2.1"]), st.booleans(), st.integers(1, 3)),
    st.builds(renumbers, st.just("hv2"), st.sampled_from(["172.31.0.2", "172.31.0.9"])),
    st.builds(policy, st.sampled_from([None, "10.9.0.0/16"]), st.sampled_from([None, "10.1.1.0/24"])),
)  # fmt: skip


def from_nothing(fabric: Fabric) -> Rib:
    """A rib that is told everything that is true now, once."""
    rib = Rib(fabric.beneath, lambda: fabric.now, fabric.rib.mobility.kept())
    at_once(rib.configure(fabric.made))
    at_once(rib.whole(fabric.state))
    at_once(rib.take([Up(name, FAMILIES, 90, restart_time=120) for name in NAMES]))
    for name in NAMES:
        at_once(rib.take([Changed(name, tuple(one.route for one in fabric.rib.inbound.tables[name].heard()), ())]))
    return rib


@how(max_examples=100, deadline=None)
@given(st.lists(STEPS, min_size=8, max_size=25))
def test_any_sequence_of_changes_comes_to_what_everything_at_once_comes_to(steps: list[Step]) -> None:
    fabric = site(MADE, vports=2)
    fabric.commit({(*PROD, "vport", "v3"): vport(fabric, 13)})
    fabric.up(*NAMES)
    for step in (says("pe", [*range(len(ROUTES))]), says("pe2", [0, 3, 7, 9, 13, 14]), *steps):
        fabric.now += 2000  # nothing is a storm or a flap
        step(fabric)
        fabric.later(0)
    rib = from_nothing(fabric)
    assert fabric.remote == rib.facts == fabric.rib.facts
    for name in NAMES:
        fresh = {route.nlri.key: route for route in rib.outbound.told(name)}
        assert fabric.told[name] == fresh
        assert fabric.rib.inbound.tables[name].told == len(fresh)
    assert_lean(fabric)


def assert_lean(fabric: Fabric) -> None:
    """Nothing is left of what is gone."""
    loc = fabric.rib.loc
    ways = {one for at in loc.destinations.values() for one in at.ways}
    assert all(at.ways for at in loc.destinations.values())
    assert loc.by_next_hop.keys() == {one.route.attributes.next_hop for one in ways}
    wanted = {one.packed for way in ways for one in way.route.attributes.extended if one.target is not None}
    assert loc.by_target.keys() == wanted
    assert not loc.dirty
    accepted = {one for table in fabric.rib.inbound.tables.values() for one in table.heard() if not one.refused}
    assert ways == accepted


def test_a_neighbour_that_takes_everything_back_leaves_nothing() -> None:
    fabric = site(MADE)
    fabric.up(*NAMES)
    everything = list(range(len(ROUTES)))
    fabric.hears("pe", *(ROUTES[at] for at in everything))
    assert fabric.remote
    fabric.hears("pe", without=[ROUTES[at].nlri for at in everything])
    assert fabric.remote == {} and len(fabric.rib.inbound.tables["pe"]) == 0
    loc, imports = fabric.rib.loc, fabric.rib.imports
    assert not loc.destinations and not loc.by_target and not loc.by_next_hop
    assert not list(imports.facts()) and not imports._naming and not imports._of_key and not imports._of_owner
