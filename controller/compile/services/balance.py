"""Load balancers: a connection to a virtual address goes to one of its backends, answers come back as from there.

All of it is done where the client is, in the conntrack zone of its slot for services (Register.ZONE):

    service    to the virtual address and port   -> ct(nat): a known connection gets its backend
    balance    known (skeleton.py)               -> on to the backend
               new: hash the flow, or its source -> balanced
    balanced   slot of a backend                 -> ct(commit, nat(dst=backend)), on to it; nobody alive: NO_MEMBER
    return     from a backend's address and port -> ct(nat): back to the virtual address
    returned   translated (skeleton.py)          -> the client's egress policy sees the virtual address

A packet that was translated has its identities looked up again. The client's ingress and egress policies see the
virtual address, the egress policy of the backend sees the client and the backend's own address. `backends.py` has what
is held for a vport that serves, in however many balancers, and what clients of a shared domain need besides.

A backend that is a client of its own balancer is served by another one. Read next: `serving.py` (who serves).
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile import reach, responder
from controller.compile.addresses import FAMILIES, Ip, address, value
from controller.compile.fragments import Kind, domain_hosts
from controller.compile.services import spread
from controller.compile.services.floating import outside_answers
from controller.compile.services.serving import Serving, dealt, servings, sharers
from controller.compile.services.spread import Basis, Way
from controller.compile.state import State
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import SERVICE_ZONE, Owner, Priority, Register, Table, cookie
from controller.pipeline import Feature as Doing
from data.path import Path
from data.schema.services import LoadBalancer

__all__ = ["LOAD_BALANCER", "PORTS", "complaints", "zone_of"]

PORTS = {"tcp": (wire.IP_TCP, "tcp_src", "tcp_dst"), "udp": (wire.IP_UDP, "udp_src", "udp_dst")}
"""Protocol -> its number, its source and its destination port field."""
_ZONE_BIT = SERVICE_ZONE.bit_length() - 1


def zone_of(slot: Register) -> list[Action]:
    """Makes Register.ZONE the zone in which services translate for the vport with the slot in this register."""
    return [actions.move(f"reg{slot}", f"reg{Register.ZONE}"), actions.load(f"reg{Register.ZONE}", _ZONE_BIT, 1, 1)]


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    balancer = state.view.get(path)
    assert isinstance(balancer, LoadBalancer)
    number, virtual = state.number(path), address(balancer.address)
    family, (protocol, _, port_field) = FAMILIES[virtual.version], PORTS[balancer.protocol]

    def of(purpose: Doing) -> int:
        return cookie(Owner.SERVICE, purpose, number)

    to_it: list[Match] = [
        match.metadata(state.number(path[:4])),
        family.is_ip,
        match.field(family.destination, value(virtual)),
        match.ip_proto(protocol),
        match.field(port_field, balancer.port),
    ]
    find = actions.ct(zone_reg=Register.ZONE, table=Table.BALANCE, nested=[actions.nat()])
    enter = [match.eth_dst(state.gateway_mac()), *to_it]
    acts = [*zone_of(Register.FROM_PORT), find]
    yield flow(Table.SERVICE, Priority.NORMAL, of(Doing.BALANCE), enter, acts)
    begin = [*to_it, match.ct_state(wire.CT_TRACKED | wire.CT_NEW, wire.CT_TRACKED | wire.CT_NEW)]
    fields = actions.NW_SRC if balancer.affinity == "source" else actions.SYMMETRIC_L3L4_UDP
    pick = [spread.pick(Basis.BALANCE, fields)]
    yield flow(Table.BALANCE, Priority.NORMAL, of(Doing.BALANCE), begin, pick, Table.BALANCED)

    def to_backend(one: Serving) -> Way:
        nat = actions.nat(dst=(one.address, one.address), ports=(one.port, one.port))
        commit = actions.ct(commit=True, zone_reg=Register.ZONE, table=Table.DESTINATION, nested=[nat])
        return Way(of(Doing.BALANCE), [actions.set_reg(Register.DESTINATION, 0), commit], None)

    backends = servings(state, path)
    chosen = dealt(state, backends)
    yield from spread.flows(Table.BALANCED, Priority.NORMAL, to_it, chosen, to_backend)
    for ip in sorted({one.address for one in chosen if one is not None}):
        itself = [*to_it, match.field(family.source, value(ip))]
        others = dealt(state, backends, without=ip)
        pairs = zip(chosen, others, strict=True)
        own = [other if one is not None and one.address == ip else None for one, other in pairs]
        yield from spread.flows(Table.BALANCED, Priority.HIGH, itself, own, to_backend)
        if not any(others):
            yield flow(Table.BALANCED, Priority.HIGH, of(Doing.NO_MEMBER), itself)
    yield flow(Table.BALANCED, Priority.LOW, of(Doing.NO_MEMBER), to_it)
    if sharers(state, path)[:1] == [path]:
        yield from _address(state, path, virtual)


def _address(state: State, path: Path, virtual: Ip) -> Iterator[bytes]:
    """The virtual address itself: it answers ARP, ND and ping, and what nobody balances leads nowhere."""
    number, domain, router = state.number(path), state.number(path[:4]), state.gateway_mac()
    family = FAMILIES[virtual.version]
    yield from outside_answers(state, path, virtual)
    yield responder.gateway_ping(number, domain, virtual, router, Owner.SERVICE)
    to_it = [match.metadata(domain), match.eth_dst(router), family.is_ip]
    to_it.append(match.field(family.destination, value(virtual)))
    owner = cookie(Owner.SERVICE, Doing.NO_ROUTE, number)
    yield flow(Table.ROUTE, reach.priority(family.bits, reach.FIRST), owner, to_it)
    find = actions.ct(zone_reg=Register.ZONE, table=Table.BALANCE, nested=[actions.nat()])
    owner = cookie(Owner.SERVICE, Doing.BALANCE, number)
    for complaint in complaints(virtual.version):
        acts = [*zone_of(Register.FROM_PORT), find]
        yield flow(Table.SERVICE, Priority.NORMAL, owner, [*to_it, *complaint], acts)


def complaints(version: int) -> Iterator[list[Match]]:
    """ICMP errors about a packet of a connection: unreachable, too big (RFC 792, RFC 4443)."""
    if version == 4:
        yield [match.ip_proto(wire.IP_ICMP), match.field("icmpv4_type", 3)]
    else:
        for kind in (1, 2):
            yield [match.ip_proto(wire.IP_ICMPV6), match.icmpv6_type(kind)]


LOAD_BALANCER = Kind("load-balancer", domain_hosts, _flows)
