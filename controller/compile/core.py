"""The fragments that make up the network itself, before any edge service.

    kind        of        held by                       flows
    skeleton    -         every hypervisor of ours      how the tables hang together
    domain      domain    hypervisors of the domain     conntrack on or off, what happens when no rule matches
    prefixes    domain    hypervisors of the domain     identities of subnets and macros that rules name
    rule        entry     hypervisors of the domain     the entry
    gateway     subnet    hypervisors of the domain     ping of its gateways, no way to addresses that nobody has
    segment     subnet    hypervisors of the subnet     entry from its VNI, ARP and ND of its gateways
    flood       subnet    hypervisors of the subnet     head-end replication (`segment.py`)
    identity    vport     hypervisors of the domain     its addresses -> identities (`identity.py`)
    reach       vport     hypervisors of the domain     route and switch to it
    arp         vport     hypervisors of the subnet     ARP and ND answers for it
    port        vport     its own hypervisor            entry, anti-spoofing, delivery

An l2-domain is its own one subnet, without a gateway.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from controller.compile import acl, identity, reach, responder, segment, skeleton
from controller.compile.addresses import address, gateways, mac, prefixes
from controller.compile.catalogue import FEATURES
from controller.compile.fragments import (
    Fragment,
    Kind,
    domain_hosts,
    everywhere,
    own,
    placed,
    subnet_hosts,
    tunnel_port,
    vport_domain_hosts,
    vport_subnet_hosts,
)
from controller.compile.identity import IDENTITY
from controller.compile.port import PORT
from controller.compile.remote import router_mac
from controller.compile.segment import FLOOD
from controller.compile.state import State
from controller.pipeline import Feature, Owner, cookie
from data.path import Path
from data.schema.objects import Subnet

__all__ = ["ARP", "DOMAIN", "FLOOD", "GATEWAY", "IDENTITY", "PORT", "PREFIXES", "REACH", "RULE", "SEGMENT", "SKELETON",
           "SUBNET_KINDS", "VPORT_KINDS", "domain_fragments", "everything_of", "fragments_of",
           "segment_fragments"]  # fmt: skip


def _skeleton(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    router = router_mac(state.tunnel_address(dvrs))
    return skeleton.flows(state.placement.tunnel_ports[dvrs], state.gateway_mac(), router)


def _domain(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, policy = state.number(path), state.policy(path)
    yield from acl.track(cookie(Owner.DOMAIN, Feature.FORWARD, number), number, policy)
    yield from acl.default(policy, number, number)


def _prefixes(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, policy = state.number(path), state.policy(path)
    owner = cookie(Owner.DOMAIN, Feature.FORWARD, number)
    for network, terms in policy.prefixes:
        yield from identity.prefix(owner, number, network, policy.numbers[terms])


def _rule(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    policy = state.policy(path[:4])
    return acl.rule(policy, policy.rules[path], state.number(path), state.number(path[:4]))


def _gateway(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, domain, router = state.number(path), state.number(path[:4]), state.gateway_mac()
    subnet = state.view.get(path)
    if isinstance(subnet, Subnet):
        for gateway in gateways(subnet):
            yield responder.gateway_ping(number, domain, gateway, router)
        for network in prefixes(subnet):
            yield reach.nobody(number, domain, router, network)


def _segment(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, vni = state.number(path), state.vni(path)
    owner = cookie(Owner.SUBNET, Feature.FORWARD, number)
    yield from segment.entry(owner, state.number(path[:4]), vni, state.placement.tunnel_ports[dvrs])
    subnet = state.view.get(path)
    if isinstance(subnet, Subnet):
        router = state.gateway_mac()
        for gateway in gateways(subnet):
            yield from responder.answers(Owner.SUBNET, number, vni, gateway, router)
        if subnet.ipv6_prefix:  # router advertisements come from there (RFC 4861 section 4.2)
            yield from responder.link_local_answers(number, vni, router)


def _reach(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet, location = placed(state, path)
    if vport.mac is None:
        return
    owner = cookie(Owner.VPORT, Feature.FORWARD, state.number(path))
    vni, hardware = state.vni(subnet), mac(vport.mac)
    if state.routed(path[:4]):
        domain, router = state.number(path[:4]), state.gateway_mac()
        for text in vport.address:
            yield reach.route(owner, domain, router, address(text), hardware, vni)
    if location.dvrs == dvrs:
        yield reach.here(owner, vni, hardware, state.slot(path))
    else:
        endpoint = state.tunnel_address(location.dvrs)
        yield reach.there(owner, vni, hardware, endpoint, state.placement.tunnel_ports[dvrs])


def _reach_variant(state: State, path: Path, dvrs: str) -> Hashable:
    return "here" if placed(state, path).location.dvrs == dvrs else state.placement.tunnel_ports[dvrs]


def _arp(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet, _ = placed(state, path)
    if vport.mac is None:
        return
    number, vni, hardware = state.number(path), state.vni(subnet), mac(vport.mac)
    for text in vport.address:
        yield from responder.answers(Owner.VPORT, number, vni, address(text), hardware)


SKELETON = Kind("skeleton", everywhere, _skeleton, own)
DOMAIN = Kind("domain", domain_hosts, _domain)
PREFIXES = Kind("prefixes", domain_hosts, _prefixes)
RULE = Kind("rule", domain_hosts, _rule)
GATEWAY = Kind("gateway", domain_hosts, _gateway)
SEGMENT = Kind("segment", subnet_hosts, _segment, tunnel_port)
REACH = Kind("reach", vport_domain_hosts, _reach, _reach_variant)
ARP = Kind("arp", vport_subnet_hosts, _arp)

VPORT_KINDS = (PORT, REACH, ARP, IDENTITY)
SUBNET_KINDS = (GATEWAY, SEGMENT, FLOOD)


def domain_fragments(state: State, domain: Path) -> Iterator[Fragment]:
    """What every hypervisor of a domain holds of it, and of its services what the scope of each says."""
    yield Fragment(DOMAIN, domain)
    yield Fragment(PREFIXES, domain)
    for entry in state.policy(domain).rules:
        yield Fragment(RULE, entry)
    for subnet in state.subnets(domain):
        yield Fragment(GATEWAY, subnet)
        for vports in state.members_of(subnet).values():
            for path in vports:
                yield Fragment(REACH, path)
                yield Fragment(IDENTITY, path)
    for feature in FEATURES:
        yield from feature.fragments(state, domain)


def segment_fragments(state: State, subnet: Path) -> Iterator[Fragment]:
    """What every hypervisor of a subnet holds of it besides."""
    yield Fragment(SEGMENT, subnet)
    yield Fragment(FLOOD, subnet)
    for vports in state.members_of(subnet).values():
        for path in vports:
            yield Fragment(ARP, path)
    for feature in FEATURES:
        if feature.segment is not None:
            yield from feature.segment(state, subnet)


def everything_of(state: State, domain: Path) -> Iterator[Fragment]:
    """What any hypervisor holds of a domain."""
    yield from domain_fragments(state, domain)
    for subnet in state.subnets(domain):
        yield from segment_fragments(state, subnet)
        for vports in state.members_of(subnet).values():
            for path in vports:
                yield Fragment(PORT, path)


def fragments_of(state: State, dvrs: str) -> Iterator[Fragment]:
    """Everything one hypervisor holds."""
    if dvrs not in everywhere(state, ()):
        return
    yield Fragment(SKELETON, ())
    for domain in state.domains_with_hosts():
        if dvrs not in state.hosts_of(domain):
            continue
        for fragment in domain_fragments(state, domain):
            if dvrs in fragment.scope(state):
                yield fragment
        for subnet in state.subnets(domain):
            members = state.members_of(subnet)
            if dvrs in members:
                for fragment in segment_fragments(state, subnet):
                    if dvrs in fragment.scope(state):
                        yield fragment
                for path in members[dvrs]:
                    yield Fragment(PORT, path)
