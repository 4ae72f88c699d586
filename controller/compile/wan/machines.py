"""Machines behind VTEPs and at other sites: as vports on another hypervisor, but for the number of the tunnel.

    kind            of                     held by                       flows
    remote-mac      MAC of a segment       hypervisors of the domain     switch to it
    remote-host     address of a subnet    hypervisors of the domain     route to it
    remote-answer   address of a segment   hypervisors of the segment    ARP and ND answers for it

They go before what a vport resolved here has with the same MAC address: it has moved there, and its hypervisor will
hear of it last. Routing is as between our own hypervisors: into the segment here, switched there.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator

from controller.compile import reach, responder
from controller.compile.addresses import FAMILIES, Ip, address, mac, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind
from controller.compile.identity import IDENTITY
from controller.compile.remote import RemoteMac
from controller.compile.segment import FLOOD
from controller.compile.state import State
from controller.compile.wan.facts import (
    elsewhere,
    flooded,
    host,
    hosts,
    is_known,
    machine,
    machines,
    owner,
    readdressed,
    vports_at,
)
from controller.openflow import match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.objects import L2Domain, Subnet, Vport

__all__ = ["FEATURE"]

_BEFORE = 1  # above what a vport resolved here has with the same MAC address, or the same address
_MAC, _HOST = "remote-mac", "remote-host"  # keywords of the names of fragments, behind the path of the segment


def _owner(state: State, segment: Path) -> int:
    return cookie(Owner.SUBNET, Purpose.REMOTE_MAC, state.number(segment))


def _switch(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    segment, hardware = path[:-2], mac(path[-1])
    found = machine(state, segment, hardware)
    assert found is not None, f"{path[-1]} is nowhere"
    matches = [match.reg(Register.SUBNET, state.vni(segment)), match.eth_dst(hardware)]
    way = reach.to_tunnel(found.tunnel.number, found.tunnel.endpoint, state.placement.tunnel_ports[dvrs])
    yield flow(Table.SWITCH, Priority.NORMAL + _BEFORE, _owner(state, segment), matches, way)


def _route(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    segment, ip = path[:-2], address(path[-1])
    hardware = host(state, segment, ip)
    assert hardware is not None, f"nobody has {ip}"
    family, router = FAMILIES[ip.version], state.gateway_mac()
    matches = [match.metadata(state.number(path[:4])), match.eth_dst(router), family.is_ip]
    matches.append(match.field(family.destination, value(ip)))
    acts = reach.routed(router, hardware, state.vni(segment))
    priority = reach.priority(family.bits, reach.FIRST + _BEFORE)
    yield flow(Table.ROUTE, priority, _owner(state, segment), matches, acts, Table.SWITCH)


def _answer(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    segment, ip = path[:-2], address(path[-1])
    hardware = host(state, segment, ip)
    assert hardware is not None, f"nobody has {ip}"
    number, vni = state.number(segment), state.vni(segment)
    yield from responder.answers(Owner.SUBNET, number, vni, ip, hardware, -_BEFORE, router=False)


def _mac_hosts(state: State, path: Path) -> Collection[str]:
    return state.hosts_of(path[:4]) if machine(state, path[:-2], mac(path[-1])) is not None else ()


def _route_hosts(state: State, path: Path) -> Collection[str]:
    known = state.routed(path[:4]) and host(state, path[:-2], address(path[-1])) is not None
    return state.hosts_of(path[:4]) if known else ()


def _answer_hosts(state: State, path: Path) -> Collection[str]:
    return state.members_of(path[:-2]) if host(state, path[:-2], address(path[-1])) is not None else ()


def _tunnel_port(state: State, path: Path, dvrs: str) -> Hashable:
    return state.placement.tunnel_ports[dvrs]


_SWITCH = Kind("remote-mac", _mac_hosts, _switch, _tunnel_port)
_ROUTE = Kind("remote-host", _route_hosts, _route)
_ANSWER = Kind("remote-answer", _answer_hosts, _answer)


def _of_mac(segment: Path, hardware: bytes) -> Fragment:
    return Fragment(_SWITCH, (*segment, _MAC, hardware.hex(":")))


def _of_host(segment: Path, ip: Ip) -> Iterator[Fragment]:
    named = (*segment, _HOST, str(ip))
    return (Fragment(kind, named) for kind in (_ROUTE, _ANSWER))


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    for segment in state.subnets(domain):
        for hardware in machines(state, segment):
            yield _of_mac(segment, hardware)
        for ip in hosts(state, segment):
            yield Fragment(_ROUTE, (*segment, _HOST, str(ip)))
            for path, _ in vports_at(state, segment, ip):
                if elsewhere(state, path):
                    yield Fragment(IDENTITY, path)


def _segment(state: State, segment: Path) -> Iterator[Fragment]:
    for ip in hosts(state, segment):
        yield Fragment(_ANSWER, (*segment, _HOST, str(ip)))


def _touched(delta: Delta) -> Iterator[Fragment]:
    for path in flooded(delta):
        yield Fragment(FLOOD, path)
    for state in (delta.old, delta.new):
        for key in (*delta.remote.get("mac", ()), *readdressed(delta)):
            segment = owner(state, key) if key.kind == "mac" else None
            if segment is None or not isinstance(key.what, bytes):
                continue
            yield _of_mac(segment, key.what)
            for before_or_after in (delta.old, delta.new):
                fact = before_or_after.placement.remotes(key.owner, key.kind).get(key.what)
                if isinstance(fact, RemoteMac):
                    yield from _of_addresses(state, segment, fact.addresses)
        for path in delta.vports:
            vport = state.view.get(path)
            segment = state.segment_of(path, vport) if isinstance(vport, Vport) else None
            if segment is not None and isinstance(vport, Vport):
                its = [ip for ip in map(address, vport.address) if is_known(state, segment, ip)]
                yield from _of_addresses(state, segment, its)
        for path, body in delta.edits.items():
            if isinstance(body, Subnet | L2Domain) or isinstance(delta.old.view.get(path), Subnet | L2Domain):
                yield from (_of_mac(path, hardware) for hardware in machines(state, path))
                yield from _of_addresses(state, path, hosts(state, path))


def _of_addresses(state: State, segment: Path, addresses: Iterable[Ip]) -> Iterator[Fragment]:
    """The ways to addresses, and the identities of the vports that have them."""
    for ip in addresses:
        yield from _of_host(segment, ip)
        for path, _ in vports_at(state, segment, ip):
            yield Fragment(IDENTITY, path)


FEATURE = Feature(_fragments, _touched, segment=_segment)
