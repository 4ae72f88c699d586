"""Virtual IPs: an address that several vports may send from, and that leads to the one that claimed it last.

    spoof_guard  each of the vports: packets from the address; what claims it goes up (CLAIM), and no further when it is
                 an announcement. From anybody else all of that is spoofed as ever
    responder    the address is answered for with the MAC of the holder, or the virtual one. One of the vports that
                 looks whether the address is free gets no answer: it is about to take it
    route, switch  to the holder, wherever it is

`controller/edge/claims.py` takes the claims and says who holds the address; while the holder is not resolved, or nobody
has claimed it, it is the first of the vports that is. To the policies the address is one of the holder's own.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from functools import partial

from controller.compile import identity, reach, responder
from controller.compile.addresses import Ip, address, mac
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, own, placed
from controller.compile.policy import vport_terms
from controller.compile.services import bridge_guard, virtual_guard
from controller.compile.state import BRIDGE, Place, State
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, cookie
from data.path import Path
from data.schema.objects import Vport
from data.schema.services import VirtualIp

__all__ = ["FEATURE", "candidates", "holder"]

_BELOW = 2  # the answers for a vport's own address go first, and those for one behind a bridge vport


def candidates(state: State, path: Path) -> list[tuple[Path, Place]]:
    """The vports that may claim a virtual IP and are resolved, in the order of their names; none behind which others
    are."""
    body = state.view.get(path)
    found = []
    for name in body.vport if isinstance(body, VirtualIp) else ():
        vport = (*path[:4], "vport", name)
        place = state.place(vport)
        if place is not None and place.vport.mac is not None and place.vport.type != BRIDGE:
            found.append((vport, place))
    return found


def holder(state: State, path: Path) -> Path | None:
    """The vport that has a virtual IP: the one that claimed it last, or the first one that is resolved."""
    found = _held(state, path)
    return None if found is None else found[0]


def _held(state: State, path: Path) -> tuple[Path, Place] | None:
    body = state.view.get(path)
    able = candidates(state, path)
    claimed = None if body is None else state.placement.holders.get(body.uuid)
    return next((one for one in able if one[1].vport.uuid == claimed), able[0] if able else None)


def _hardware(state: State, path: Path, vport: Vport) -> bytes:
    body = state.view.get(path)
    assert isinstance(body, VirtualIp)
    return mac(body.mac or vport.mac or "")


def _reach(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    found = _held(state, path)
    assert found is not None, f"{' '.join(path)} is nobody's"
    _, (vport, subnet, location) = found
    body, ip, hardware = state.view.get(path), address(path[-1]), _hardware(state, path, vport)
    owner, vni = cookie(Owner.SERVICE, Purpose.FORWARD, state.number(path)), state.vni(subnet)
    yield reach.route(owner, state.number(path[:4]), state.gateway_mac(), ip, hardware, vni)
    if isinstance(body, VirtualIp) and body.mac is not None:
        if location.dvrs == dvrs:
            yield reach.here(owner, vni, hardware, state.slot(found[0]))
        else:
            endpoint = state.tunnel_address(location.dvrs)
            yield reach.there(owner, vni, hardware, endpoint, state.placement.tunnel_ports[dvrs])
    yield from _identity(state, found[0], vport, ip, owner)


def _identity(state: State, holder: Path, vport: Vport, ip: Ip, owner: int) -> Iterator[bytes]:
    """What the policies take the address for: an own one of its holder."""
    policy = state.policy(holder[:4])
    if not policy.used:
        return
    terms = vport_terms(state.view, holder, vport)
    for same in (*(one for one in map(address, vport.address) if one.version == ip.version), ip):
        found = policy.of_address(terms, same)
        if found in policy.numbers:
            yield from identity.address(owner, state.number(holder[:4]), ip, policy.numbers[found])
            return


def _reach_variant(state: State, path: Path, dvrs: str) -> Hashable:
    found = _held(state, path)
    assert found is not None, f"{' '.join(path)} is nobody's"
    return "here" if found[1].location.dvrs == dvrs else state.placement.tunnel_ports[dvrs]


def _arp(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    found = _held(state, path)
    assert found is not None, f"{' '.join(path)} is nobody's"
    vport, subnet, _ = found[1]
    hardware = _hardware(state, path, vport)
    number, vni = state.number(path), state.vni(subnet)
    yield from responder.answers(Owner.SERVICE, number, vni, address(path[-1]), hardware, below=_BELOW)


def _guard(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    body = state.view.get(path)
    assert isinstance(body, VirtualIp)
    for vport, place in candidates(state, path):
        if place.location.dvrs == dvrs:
            own, virtual = mac(place.vport.mac or ""), None if body.mac is None else mac(body.mac)
            slot = state.slot(vport)
            yield from virtual_guard.flows(state.number(path), slot, place.vport, own, address(path[-1]), virtual)


def _bridges(state: State, path: Path) -> Iterator[tuple[Path, Place]]:
    """The bridge vports of the subnet that the address lies in."""
    body = state.view.get(path)
    subnets: set[Path] = set()
    for name in body.vport if isinstance(body, VirtualIp) else ():
        vport = state.view.get((*path[:4], "vport", name))
        subnet = state.segment_of(path, vport) if isinstance(vport, Vport) else None
        subnets.update(() if subnet is None else (subnet,))
    for bridge in {one for subnet in subnets for one in state.bridges_of(subnet)}:
        yield bridge, placed(state, bridge)


def _protected(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    """Nobody behind a bridge vport has the address."""
    body, ip = state.view.get(path), address(path[-1])
    assert isinstance(body, VirtualIp)
    for bridge, (vport, _, location) in _bridges(state, path):
        if location.dvrs == dvrs and vport.anti_spoofing != "off":
            virtual = None if body.mac is None else mac(body.mac)
            addresses = [ip] if vport.anti_spoofing == "full" else []
            yield from bridge_guard.protected(state.number(bridge), state.slot(bridge), virtual, addresses)


def _bridge_hosts(state: State, path: Path) -> Collection[str]:
    return {place.location.dvrs for _, place in _bridges(state, path)}


def _domain(state: State, path: Path) -> Collection[str]:
    return () if _held(state, path) is None else state.hosts_of(path[:4])


def _subnet(state: State, path: Path) -> Collection[str]:
    found = _held(state, path)
    return () if found is None else state.members_of(found[1].subnet)


def _hosts(state: State, path: Path) -> Collection[str]:
    return {place.location.dvrs for _, place in candidates(state, path)}


REACH = Kind("virtual-ip reach", _domain, _reach, _reach_variant)
ARP = Kind("virtual-ip arp", _subnet, _arp)
GUARD = Kind("virtual-ip guard", _hosts, _guard, own)
PROTECTED = Kind("virtual-ip protected", _bridge_hosts, _protected, own)
_KINDS = (REACH, ARP, GUARD, PROTECTED)


def _all(path: Path) -> Iterator[Fragment]:
    return map(partial(Fragment, path=path), _KINDS)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    for path in state.objects(domain, "virtual-ip"):
        yield from _all(path)


def _touched(delta: Delta) -> Iterator[Fragment]:
    found: set[Path] = set()
    for path in delta.edits:  # of the rules, whose sets get other numbers, or of a subnet
        if len(path) > 5 and path[0] == "enterprise" and path[2] == "domain" and path[-2] not in ("vport", "mirror"):
            found.update(_of(delta, path[:4]))
        elif len(path) == 4 and path[0] == "enterprise" and path[2] == "network-macro":
            for state in (delta.old, delta.new):
                found.update(where for where, _ in state.view.objects(VirtualIp, path[:2]))
        elif len(path) == 4 and path[0] == "enterprise":
            found.update(_of(delta, path))
    for path in delta.near("virtual-ip"):
        for state in (delta.old, delta.new):
            found.update(one for one in state.view.referrers(path) if one[-2] == "virtual-ip")
            vport = state.view.get(path)
            if isinstance(vport, Vport) and vport.type == BRIDGE:
                found.update(_of(delta, path[:4]))
    for subnet in _rehosted(delta):
        found.update(_of(delta, subnet[:4]))
    if delta.hypervisors:
        for state in (delta.old, delta.new):
            found.update(where for where, _ in state.view.objects(VirtualIp))
    for uuid in delta.observed.holders:
        for state in (delta.old, delta.new):
            where = state.view.by_uuid(uuid)
            if where is not None:
                found.add(where)
    for path in found:
        yield from _all(path)


def _rehosted(delta: Delta) -> set[Path]:
    """The subnets that came to hypervisors, or left them, with the vports that moved."""
    subnets = {
        place.subnet for path in delta.vports for state in (delta.old, delta.new) if (place := state.place(path))
    }
    return {one for one in subnets if delta.old.members_of(one).keys() != delta.new.members_of(one).keys()}


def _of(delta: Delta, domain: Path) -> Iterator[Path]:
    for state in (delta.old, delta.new):
        yield from state.objects(domain, "virtual-ip")


FEATURE = Feature(_fragments, _touched)
