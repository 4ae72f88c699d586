"""Floating IPs: one vport known outside by another address, translated without state, so nothing is lost by a move.

    from outside   route      destination is the floating IP   -> the vport's own address, on to the vport
    to outside     translate  source is the vport's address    -> the floating IP   (where REALM says the packet leaves)

What leaves is what goes to a next hop or to a host behind a bridge vport; where the floating IP lies in a subnet, into
that subnet alone, so that machines behind other bridge vports see the vport's own address. Both are done where routing
is done. Inside the domain the vport's own address is used; a packet from inside to the floating IP arrives, and its
answer comes from the vport's own address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.compile import reach, responder
from controller.compile.addresses import FAMILIES, Ip, address, mac, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind
from controller.compile.state import State
from controller.openflow import actions, match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Doing
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.floating import inside_of
from data.networks import holds
from data.path import Path
from data.schema.objects import Subnet, Vport
from data.schema.services import FloatingIp

__all__ = ["FLOATING", "outside_answers"]


def _inside(state: State, path: Path) -> tuple[Path, Ip] | None:
    """The vport of a floating IP, resolved, and which of its addresses is meant."""
    body = state.view.get(path)
    if not isinstance(body, FloatingIp):
        return None
    vport_path = (*path[:4], "vport", body.vport)
    place = state.place(vport_path)
    if place is None or place.vport.mac is None:
        return None
    own = inside_of(path, body, place.vport)
    return None if own is None else (vport_path, address(own))


def _around(state: State, domain: Path, ip: Ip) -> Iterator[Path]:
    """The subnet of a domain that an address lies in, if any."""
    for subnet in state.subnets(domain):
        body = state.view.get(subnet)
        if isinstance(body, Subnet) and holds(body, ip):
            yield subnet


def outside_answers(state: State, path: Path, ip: Ip) -> Iterator[bytes]:
    """ARP or ND answers for an address of a service, where it lies in a subnet of its domain: the gateway has it."""
    for subnet in _around(state, path[:4], ip):
        yield from responder.answers(Owner.SERVICE, state.number(path), state.vni(subnet), ip, state.gateway_mac())


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    found = _inside(state, path)
    assert found is not None, f"{' '.join(path)} has no vport"
    vport_path, own = found
    place = state.place(vport_path)
    assert place is not None and place.vport.mac is not None
    known, family, domain = address(path[-1]), FAMILIES[own.version], state.number(path[:4])
    router, owner = state.gateway_mac(), cookie(Owner.SERVICE, Doing.TRANSLATE, state.number(path))
    yield flow(
        Table.ROUTE,
        reach.priority(family.bits, reach.FIRST),
        owner,
        [match.metadata(domain), match.eth_dst(router), family.is_ip, match.field(family.destination, value(known))],
        [
            actions.set_field(family.destination, value(own)),
            *reach.routed(router, mac(place.vport.mac), state.vni(place.subnet)),
        ],
        Table.SWITCH,
    )
    leaves = [match.metadata(domain), match.reg(Register.REALM, domain), family.is_ip]
    leaves.append(match.field(family.source, value(own)))
    leaves += [match.reg(Register.SUBNET, state.vni(subnet)) for subnet in _around(state, path[:4], known)]
    acts = [actions.set_field(family.source, value(known))]
    yield flow(Table.TRANSLATE, Priority.NORMAL, owner, leaves, acts, Table.SWITCH)
    yield from outside_answers(state, path, known)


def _hosts(state: State, path: Path) -> Collection[str]:
    return state.hosts_of(path[:4]) if _inside(state, path) is not None else ()


FLOATING = Kind("floating-ip", _hosts, _flows)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    for path in state.objects(domain, "floating-ip"):
        yield Fragment(FLOATING, path)


def _touched(delta: Delta) -> Iterator[Fragment]:
    for path in delta.edited("floating-ip"):
        yield Fragment(FLOATING, path)
    for path in delta.near("floating-ip"):
        for view in (delta.old.view, delta.new.view):
            if isinstance(view.get(path), Vport):
                for referrer in view.referrers(path):
                    if referrer[-2] == "floating-ip":
                        yield Fragment(FLOATING, referrer)
    for path in delta.edited("subnet"):
        yield from _fragments(delta.old, path[:4])
        yield from _fragments(delta.new, path[:4])


FEATURE = Feature(_fragments, _touched)
