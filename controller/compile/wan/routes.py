"""Prefixes that PE routers and VTEPs told: to one next hop, or shared by several.

    one next hop   route -> depart                            VXLAN, the MAC of its router | MPLS over GRE
    several        route: hash the flow -> spread -> depart   one of them by slot

The longest prefix decides; of equal length, what is ours goes before what others tell. What is from the WAN itself is
dropped in `depart` (`skeleton.py`): a domain is no transit network. Each family has its own label at a PE, so nothing
under a label says what it is (RFC 3032 section 2.2); the TTL of the label is that of the packet (RFC 3443 section 3).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator

from controller.compile import reach
from controller.compile.addresses import FAMILIES, narrow, prefix, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind
from controller.compile.remote import MPLS, NextHop
from controller.compile.services import spread
from controller.compile.services.spread import Basis, Way
from controller.compile.state import State
from controller.compile.wan.facts import next_hops, owner, readdressed, routes
from controller.openflow import actions, match
from controller.openflow.actions import Action
from controller.openflow.packed import flow
from controller.ovsdb.model import MPLS_OFPORT
from controller.pipeline import REMOTE_SHARED, Owner, Priority, Register, Table, cookie
from controller.pipeline import Feature as Purpose
from data.addresses import Prefix
from data.path import Path

__all__ = ["FEATURE"]

_PREFIX = "remote-prefix"  # keyword of the names of fragments, behind the path of the domain


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    domain, network = path[:4], prefix(path[-1])
    number, family = state.number(domain), FAMILIES[network.version]
    mark = cookie(Owner.DOMAIN, Purpose.REMOTE_PREFIX, number)
    inside = [match.metadata(number), family.is_ip, *narrow(family.destination, network)]
    to_it = [*inside, match.eth_dst(state.gateway_mac())]
    port, hops = state.placement.tunnel_ports[dvrs], next_hops(state, domain, network)
    priority = reach.priority(network.length, reach.REMOTE)
    if len(hops) == 1:
        yield flow(Table.ROUTE, priority, mark, to_it, _leave(hops[0], port), Table.DEPART)
        return
    shared = REMOTE_SHARED + network.length
    acts = [actions.set_reg(Register.TARGET, shared), spread.pick(Basis.ROUTE)]
    yield flow(Table.ROUTE, priority, mark, to_it, acts, Table.SPREAD)
    dealt = spread.deal([(hop, 1) for hop in hops], set(hops))
    its = [*inside, match.reg(Register.TARGET, shared)]
    yield from spread.flows(
        Table.SPREAD, Priority.NORMAL, its, dealt, lambda hop: Way(mark, _leave(hop, port), Table.DEPART)
    )


def _leave(hop: NextHop, tunnel_port: int) -> list[Action]:
    tunnel = hop.tunnel
    to = actions.set_field(FAMILIES[tunnel.endpoint.version].tunnel_destination, value(tunnel.endpoint))
    if tunnel.encapsulation == MPLS:
        label = [actions.push_mpls(), actions.set_field("mpls_label", tunnel.number)]
        return [actions.dec_ttl(), *label, to, actions.set_reg(Register.TO_PORT, MPLS_OFPORT)]
    assert hop.mac is not None, f"{tunnel} has no router"
    vni = [actions.set_field("eth_dst", hop.mac), actions.set_field("tunnel_id", tunnel.number)]
    return [actions.dec_ttl(), *vni, to, actions.set_reg(Register.TO_PORT, tunnel_port)]


def _hosts(state: State, path: Path) -> Collection[str]:
    return state.hosts_of(path[:4]) if next_hops(state, path[:4], prefix(path[-1])) else ()


def _variant(state: State, path: Path, dvrs: str) -> Hashable:
    return state.placement.tunnel_ports[dvrs]


_ROUTE = Kind("remote-prefix", _hosts, _flows, _variant)


def _of(domain: Path, network: Prefix) -> Fragment:
    return Fragment(_ROUTE, (*domain, _PREFIX, str(network)))


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    return (_of(domain, network) for network in routes(state, domain))


def _touched(delta: Delta) -> Iterator[Fragment]:
    for key in (*delta.remote.get("prefix", ()), *readdressed(delta)):
        if key.kind == "prefix" and isinstance(key.what, Prefix):
            for state in (delta.old, delta.new):
                domain = owner(state, key)
                if domain is not None:
                    yield _of(domain, key.what)


FEATURE = Feature(_fragments, _touched)
