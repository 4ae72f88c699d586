"""Static routes: to one next hop, shared by several, or into a black hole.

    one next hop alive   route                          -> its MAC, in its subnet
    several              route: hash the flow -> spread: one of them by slot
    none                 dropped, NO_MEMBER
    blackhole            dropped, counted

The longest prefix decides, and an address of a vport goes before every route. A next hop whose health is probed counts
as alive until it was found dead: a route must not fail because the controller has not looked yet. Users of a shared
domain reach its routes by way of `shared.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.compile import reach
from controller.compile.addresses import FAMILIES, Prefix, narrow, prefix
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, domain_hosts
from controller.compile.health import Probe, alive
from controller.compile.services import next_hops, spread
from controller.compile.services.next_hops import NextHop
from controller.compile.services.spread import Basis, Way
from controller.compile.state import State
from controller.openflow import actions, match
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.services import StaticRoute

__all__ = ["FEATURE", "STATIC_ROUTE", "hops", "living"]


def hops(state: State, path: Path, route: StaticRoute) -> list[NextHop]:
    """The next hops that somebody is known to have."""
    found = (next_hops.find(state, path[:4], address) for address in route.next_hop)
    return [hop for hop in found if hop is not None]


def living(state: State, route: StaticRoute, among: Sequence[NextHop]) -> list[NextHop]:
    """Those that packets are sent to."""
    return [
        hop for hop in among if alive(state, next_hops.probe(hop, route.health, route.health_interval), unknown=True)
    ]


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    route = state.view.get(path)
    assert isinstance(route, StaticRoute)
    number, network = state.number(path), prefix(path[-1])
    matches = _matches(state, path[:4], network)

    def of(purpose: Purpose) -> int:
        return cookie(Owner.SERVICE, purpose, number)

    priority = reach.priority(network.length)
    if route.blackhole:
        yield flow(Table.ROUTE, priority, of(Purpose.BLACKHOLE), matches)
        return
    known = hops(state, path, route)
    here = living(state, route, known)
    if not here:
        yield flow(Table.ROUTE, priority, of(Purpose.NO_MEMBER), matches)
    elif len(here) == 1:
        acts, goto = next_hops.way(state, here[0])
        yield flow(Table.ROUTE, priority, of(Purpose.FORWARD), matches, acts, goto)
    else:
        acts = [actions.set_reg(Register.TARGET, number), spread.pick(Basis.ROUTE)]
        yield flow(Table.ROUTE, priority, of(Purpose.FORWARD), matches, acts, Table.SPREAD)
        dealt = spread.deal([(hop, 1) for hop in known], set(here))
        its = [match.reg(Register.TARGET, number), FAMILIES[network.version].is_ip]
        yield from spread.flows(
            Table.SPREAD, Priority.NORMAL, its, dealt, lambda hop: Way(of(Purpose.FORWARD), *next_hops.way(state, hop))
        )


def _matches(state: State, domain: Path, network: Prefix) -> list[Match]:
    family = FAMILIES[network.version]
    router = match.eth_dst(state.gateway_mac())
    return [match.metadata(state.number(domain)), router, family.is_ip, *narrow(family.destination, network)]


STATIC_ROUTE = Kind("static-route", domain_hosts, _flows)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    for path in state.objects(domain, "static-route"):
        yield Fragment(STATIC_ROUTE, path)


def _touched(delta: Delta) -> Iterator[Fragment]:
    for path in (*delta.edited("static-route"), *next_hops.affected(delta, "static-route", "static-route")):
        yield Fragment(STATIC_ROUTE, path)


def _probes(state: State, domain: Path) -> Iterator[Probe]:
    for path in state.objects(domain, "static-route"):
        route = state.view.get(path)
        if isinstance(route, StaticRoute) and route.health != "none":
            for hop in hops(state, path, route):
                yield next_hops.probe(hop, route.health, route.health_interval)


FEATURE = Feature(_fragments, _touched, _probes)
