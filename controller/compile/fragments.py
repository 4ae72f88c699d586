"""Fragments: the flows of a hypervisor cut into the pieces that change together.

A fragment is named by its kind and the object it belongs to. Each kind says which hypervisors hold it (`scope`), what
its contents depend on besides the state (`variant`: equal variants have equal bytes, so they are made once and sent
to all), and what flows it has. Nothing here remembers anything: the old contents are found by compiling the old state.

    kind        of        held by                       flows
    skeleton    -         every hypervisor of ours      how the tables hang together
    domain      domain    hypervisors of the domain     conntrack on or off, what happens when no rule matches
    prefixes    domain    hypervisors of the domain     identities of subnets and macros that rules name
    rule        entry     hypervisors of the domain     the entry
    gateway     subnet    hypervisors of the domain     ping of its gateway
    segment     subnet    hypervisors of the subnet     entry from its VNI, ARP of its gateway
    flood       subnet    hypervisors of the subnet     head-end replication
    identity    vport     hypervisors of the domain     its addresses -> identities
    reach       vport     hypervisors of the domain     route and switch to it
    arp         vport     hypervisors of the subnet     ARP answers for it
    port        vport     its own hypervisor            entry, anti-spoofing, delivery
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from controller.compile import acl, identity, port, reach, responder, segment, skeleton
from controller.compile.addresses import gateway, ipv4, mac
from controller.compile.policy import vport_terms
from controller.compile.state import Place, State
from controller.pipeline import Feature, Owner, cookie
from data.path import Path

__all__ = ["Fragment", "Kind", "domain_fragments", "everything_of", "fragments_of", "segment_fragments"]

Scope = Callable[[State, Path], Collection[str]]
Flows = Callable[[State, Path, str], Iterator[bytes]]
Variant = Callable[[State, Path, str], Hashable]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What `Kind` declares of each kind of fragment, see the module."""

    scope: Scope
    flows: Flows
    variant: Variant


def _same(state: State, path: Path, dvrs: str) -> Hashable:
    return None


def _tunnel_port(state: State, path: Path, dvrs: str) -> Hashable:
    return state.placement.tunnel_ports[dvrs]


def _own(state: State, path: Path, dvrs: str) -> Hashable:
    return dvrs


def _everywhere(state: State, path: Path) -> Collection[str]:
    return [name for name in state.placement.tunnel_ports if state.view.get(("dvrs", name)) is not None]


def _domain_hosts(state: State, path: Path) -> Collection[str]:
    return state.hosts_of(path[:4]) if state.view.get(path) is not None else ()


def _subnet_hosts(state: State, path: Path) -> Collection[str]:
    return state.members_of(path) if state.view.get(path) is not None else ()


def _vport_domain_hosts(state: State, path: Path) -> Collection[str]:
    return () if state.place(path) is None else state.hosts_of(path[:4])


def _vport_subnet_hosts(state: State, path: Path) -> Collection[str]:
    place = state.place(path)
    return () if place is None else state.members_of(place.subnet)


def _vport_host(state: State, path: Path) -> Collection[str]:
    place = state.place(path)
    return () if place is None else (place.location.dvrs,)


def _placed(state: State, path: Path) -> Place:
    place = state.place(path)
    assert place is not None, f"{' '.join(path)} is not resolved"
    return place


def _skeleton(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    return skeleton.flows(state.placement.tunnel_ports[dvrs], state.gateway_mac())


def _domain(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, policy = state.number(path), state.policy(path)
    yield from acl.track(cookie(Owner.DOMAIN, Feature.FORWARD, number), number, policy)
    yield from acl.default(policy, number, number)


def _prefixes(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, policy = state.number(path), state.policy(path)
    owner = cookie(Owner.DOMAIN, Feature.FORWARD, number)
    for (network, mask), terms in policy.prefixes:
        yield from identity.prefix(owner, number, network, mask, policy.numbers[terms])


def _rule(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    policy = state.policy(path[:4])
    return acl.rule(policy, policy.rules[path], state.number(path), state.number(path[:4]))


def _gateway(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, domain = state.number(path), state.number(path[:4])
    return responder.gateway_ping(number, domain, gateway(state.subnet(path)), state.gateway_mac())


def _segment(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, vni = state.number(path), state.vni(path)
    owner = cookie(Owner.SUBNET, Feature.FORWARD, number)
    yield from segment.entry(owner, state.number(path[:4]), vni, state.placement.tunnel_ports[dvrs])
    yield from responder.gateway_arp(number, vni, gateway(state.subnet(path)), state.gateway_mac())


def _flood(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    members = state.members_of(path)
    return segment.flood(
        cookie(Owner.SUBNET, Feature.FORWARD, state.number(path)),
        state.vni(path),
        state.placement.tunnel_ports[dvrs],
        [state.tunnel_address(name) for name in members if name != dvrs],
        members[dvrs].values(),
    )


def _identity(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    policy = state.policy(path[:4])
    vport = _placed(state, path).vport
    if not policy.used:
        return
    owner = cookie(Owner.VPORT, Feature.FORWARD, state.number(path))
    domain = state.number(path[:4])
    terms = vport_terms(state.view, path, vport)
    for text in vport.address:
        address = ipv4(text)
        found = policy.of_address(terms, address)
        if found:
            yield from identity.address(owner, domain, address, policy.numbers[found])


def _reach(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet, location = _placed(state, path)
    owner = cookie(Owner.VPORT, Feature.FORWARD, state.number(path))
    vni, hardware, domain = state.vni(subnet), mac(vport.mac), state.number(path[:4])
    router = state.gateway_mac()
    for address in vport.address:
        yield reach.route(owner, domain, router, ipv4(address), hardware, vni)
    if location.dvrs == dvrs:
        yield reach.here(owner, vni, hardware, location.port)
    else:
        endpoint = state.tunnel_address(location.dvrs)
        yield reach.there(owner, vni, hardware, endpoint, state.placement.tunnel_ports[dvrs])


def _reach_variant(state: State, path: Path, dvrs: str) -> Hashable:
    return "here" if _placed(state, path).location.dvrs == dvrs else state.placement.tunnel_ports[dvrs]


def _arp(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet, _ = _placed(state, path)
    number, vni, hardware = state.number(path), state.vni(subnet), mac(vport.mac)
    for address in vport.address:
        yield responder.arp(number, vni, ipv4(address), hardware)


def _port(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet, location = _placed(state, path)
    return port.flows(vport, state.number(path), location.port, state.vni(subnet), state.number(path[:4]))


class Kind(Enum):
    """The kinds of fragments, as in the table above."""

    SKELETON = _Kind(_everywhere, _skeleton, _tunnel_port)
    DOMAIN = _Kind(_domain_hosts, _domain, _same)
    PREFIXES = _Kind(_domain_hosts, _prefixes, _same)
    RULE = _Kind(_domain_hosts, _rule, _same)
    GATEWAY = _Kind(_domain_hosts, _gateway, _same)
    SEGMENT = _Kind(_subnet_hosts, _segment, _tunnel_port)
    FLOOD = _Kind(_subnet_hosts, _flood, _own)
    IDENTITY = _Kind(_vport_domain_hosts, _identity, _same)
    REACH = _Kind(_vport_domain_hosts, _reach, _reach_variant)
    ARP = _Kind(_vport_subnet_hosts, _arp, _same)
    PORT = _Kind(_vport_host, _port, _own)


class Fragment(NamedTuple):
    """The name of a fragment."""

    kind: Kind
    path: Path

    def scope(self, state: State) -> Collection[str]:
        """The hypervisors that hold it in this state."""
        return self.kind.value.scope(state, self.path)

    def flows(self, state: State, dvrs: str) -> list[bytes]:
        """Its flow-mods on one hypervisor of its scope."""
        return list(self.kind.value.flows(state, self.path, dvrs))

    def variant(self, state: State, dvrs: str) -> Hashable:
        """Hypervisors with equal variants hold equal bytes."""
        return self.kind.value.variant(state, self.path, dvrs)


VPORT_KINDS = (Kind.PORT, Kind.REACH, Kind.ARP, Kind.IDENTITY)


def domain_fragments(state: State, domain: Path) -> Iterator[Fragment]:
    """What every hypervisor of a domain holds of it."""
    yield Fragment(Kind.DOMAIN, domain)
    yield Fragment(Kind.PREFIXES, domain)
    for entry in state.policy(domain).rules:
        yield Fragment(Kind.RULE, entry)
    for subnet in state.subnets(domain):
        yield Fragment(Kind.GATEWAY, subnet)
        for vports in state.members_of(subnet).values():
            for path in vports:
                yield Fragment(Kind.REACH, path)
                yield Fragment(Kind.IDENTITY, path)


def segment_fragments(state: State, subnet: Path) -> Iterator[Fragment]:
    """What every hypervisor of a subnet holds of it besides."""
    yield Fragment(Kind.SEGMENT, subnet)
    yield Fragment(Kind.FLOOD, subnet)
    for vports in state.members_of(subnet).values():
        for path in vports:
            yield Fragment(Kind.ARP, path)


def everything_of(state: State, domain: Path) -> Iterator[Fragment]:
    """What any hypervisor holds of a domain."""
    yield from domain_fragments(state, domain)
    for subnet in state.subnets(domain):
        yield from segment_fragments(state, subnet)
        for vports in state.members_of(subnet).values():
            for path in vports:
                yield Fragment(Kind.PORT, path)


def fragments_of(state: State, dvrs: str) -> Iterator[Fragment]:
    """Everything one hypervisor holds."""
    if dvrs not in _everywhere(state, ()):
        return
    yield Fragment(Kind.SKELETON, ())
    for domain in state.hosts:
        if dvrs not in state.hosts_of(domain):
            continue
        yield from domain_fragments(state, domain)
        for subnet in state.subnets(domain):
            members = state.members_of(subnet)
            if dvrs in members:
                yield from segment_fragments(state, subnet)
                for path in members[dvrs]:
                    yield Fragment(Kind.PORT, path)
