"""Bridge vports and l2-domains: a physical segment behind an uplink, and where to find who was learned there.

    kind        of                    held by                       flows
    bridge      bridge vport          its own hypervisor            what may come in by it (`bridge_guard.py`)
    behind      learned MAC address   the bridge's hypervisor       it may come in; its own addresses are not answered
    reach-mac   learned MAC address   hypervisors of the domain     route and switch to it
    identity-mac                      hypervisors of the domain     its addresses -> identities, as the bridge vport's
    arp-mac     learned MAC address   hypervisors of the subnet     ARP and ND answers for it
    protected   vport of the subnet   hypervisors of its bridges    nobody behind a bridge has its addresses
    unknown     subnet                hypervisors of the subnet     ARP, ND and unicast to whom nobody knows
    glean       subnet                hypervisors of the domain     packets to addresses that are not resolved yet

Every one exists only where a subnet has a bridge vport that is resolved, but for `unknown`, which l2-domains and
subnets with another policy for unknown unicast have as well. What was learned comes from `controller/edge/learning.py`;
a vport that has the same MAC or address goes before it, everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator

from controller.compile import identity, reach, responder, segment
from controller.compile.addresses import FAMILIES, Ip, Prefix, address, gateways, mac, narrow, prefixes, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, domain_hosts, own, placed, same, subnet_hosts, vport_host
from controller.compile.placement import Learned
from controller.compile.policy import vport_terms
from controller.compile.services import bridge_guard
from controller.compile.state import BRIDGE, Place, State
from controller.compile.wan.facts import flooded, floods
from controller.openflow import actions, match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Register, Table, cookie
from data.path import Path
from data.schema.objects import L2Domain, Subnet, Vport

__all__ = ["FEATURE", "LEARNED", "known_behind", "learned_flows", "vports_in"]

LEARNED = "mac"
"""Keyword that the name of a fragment of a learned MAC address has behind the path of the vport."""
_BEHIND_VPORTS = 1  # below those of a vport, for an address that both have
_GATEWAYS = 3  # the gateway's own address, above all routes to it
_AMONG = 1  # routes to learned addresses, and to those that are not resolved: above `reach.nobody`


def vports_in(state: State, subnet: Path) -> Iterator[Path]:
    """The configured vports of a subnet, or of an l2-domain."""
    if not state.routed(subnet[:4]):
        yield from ((*subnet, "vport", name) for name in state.view.children(subnet, "vport"))
    elif state.view.get(subnet) is not None:
        yield from (path for path in state.view.referrers(subnet) if path[-2] == "vport")


def known_behind(state: State, path: Path) -> Learned:
    """What was learned behind a vport: MAC address -> addresses."""
    vport = state.view.get(path)
    found = state.placement.learned.get(vport.uuid) if isinstance(vport, Vport) and vport.type == BRIDGE else None
    return found or {}


def _bridge(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet, _ = placed(state, path)
    number, slot, routed = state.number(path), state.slot(path), state.routed(path[:4])
    yield from bridge_guard.always(number, slot, state.gateway_mac(), routed)
    if routed and vport.anti_spoofing == "full":
        body = state.subnet(subnet)
        yield from bridge_guard.protected(number, slot, None, gateways(body))
        others = (other for other in state.subnets(path[:4]) if other != subnet)
        networks = [network for other in others for network in prefixes(state.subnet(other))]
        yield from bridge_guard.elsewhere(number, slot, networks)
    if vport.mac is not None:
        static = [address(text) for text in vport.address]
        yield from bridge_guard.learned(number, slot, mac(vport.mac), static, _within(state, subnet))
        for ip in static:
            yield responder.unanswered(number, slot, ip)
    full = len(known_behind(state, path)) >= vport.mac_limit
    yield from bridge_guard.strangers(number, slot, full)


def _bridge_host(state: State, path: Path) -> Collection[str]:
    place = state.place(path)
    return () if place is None or place.vport.type != BRIDGE else (place.location.dvrs,)


def _within(state: State, subnet: Path) -> list[Prefix] | None:
    body = state.view.get(subnet)
    return prefixes(body) if isinstance(body, Subnet) else None


# Fragments of a learned MAC address: named by the path of the vport, LEARNED and the address


def _named(path: Path, hardware: str) -> Path:
    return (*path, LEARNED, hardware)


def _found(state: State, path: Path) -> tuple[Place, list[Ip]] | None:
    """The bridge and the addresses of what was learned; None when it is not there (any more)."""
    place = state.place(path[:-2])
    if place is None:
        return None
    addresses = known_behind(state, path[:-2]).get(path[-1])
    return None if addresses is None else (place, [address(text) for text in addresses])


def _behind_host(state: State, path: Path) -> Collection[str]:
    return vport_host(state, path[:-2]) if _found(state, path) else ()


def _domain_of_bridge(state: State, path: Path) -> Collection[str]:
    return state.hosts_of(path[:4]) if _found(state, path) else ()


def _subnet_of_bridge(state: State, path: Path) -> Collection[str]:
    found = _found(state, path)
    return state.members_of(found[0].subnet) if found else ()


def _behind(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    found = _found(state, path)
    assert found is not None, f"{' '.join(path)} is not learned"
    number, slot = state.number(path[:-2]), state.slot(path[:-2])
    within = _within(state, found[0].subnet)
    yield from bridge_guard.learned(number, slot, mac(path[-1]), found[1], within)
    for ip in found[1]:
        yield responder.unanswered(number, slot, ip)


def learned_flows(state: State, path: Path, hardware: str, dvrs: str) -> list[bytes]:
    """The flows by which a learned MAC address comes in: their counters say whether it does."""
    named = _named(path, hardware)
    return list(_behind(state, named, dvrs)) if _found(state, named) else []


def _reach_learned(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    found = _found(state, path)
    assert found is not None, f"{' '.join(path)} is not learned"
    (_, subnet, location), addresses = found
    owner = cookie(Owner.VPORT, Purpose.FORWARD, state.number(path[:-2]))
    vni, hardware = state.vni(subnet), mac(path[-1])
    if state.routed(path[:4]):
        domain, router = state.number(path[:4]), state.gateway_mac()
        for ip in addresses:
            family = FAMILIES[ip.version]
            to_it = match.field(family.destination, value(ip))
            matches = [match.metadata(domain), match.eth_dst(router), family.is_ip, to_it]
            acts = [*reach.routed(router, hardware, vni), actions.set_reg(Register.REALM, domain)]
            yield flow(Table.ROUTE, reach.priority(family.bits, _AMONG), owner, matches, acts, Table.TRANSLATE)
    matches = [match.reg(Register.SUBNET, vni), match.eth_dst(hardware)]
    priority = Priority.NORMAL - _BEHIND_VPORTS
    if location.dvrs == dvrs:
        acts = [actions.set_reg(Register.TO_PORT, state.slot(path[:-2]))]
        yield flow(Table.SWITCH, priority, owner, matches, acts, Table.RETURN)
    else:
        acts = reach.to_tunnel(vni, state.tunnel_address(location.dvrs), state.placement.tunnel_ports[dvrs])
        yield flow(Table.SWITCH, priority, owner, matches, acts)


def _reach_variant(state: State, path: Path, dvrs: str) -> Hashable:
    return "here" if placed(state, path[:-2]).location.dvrs == dvrs else state.placement.tunnel_ports[dvrs]


def _identity(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    found, policy = _found(state, path), state.policy(path[:4])
    assert found is not None, f"{' '.join(path)} is not learned"
    vport = found[0].vport
    if not policy.names(path[:-2], vport):
        return
    owner, domain = cookie(Owner.VPORT, Purpose.FORWARD, state.number(path[:-2])), state.number(path[:4])
    terms = vport_terms(state.view, path[:-2], vport)
    for ip in found[1]:
        yield from identity.address(owner, domain, ip, policy.numbers[policy.of_address(terms, ip)], learned=True)


def _arp_learned(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    found = _found(state, path)
    assert found is not None, f"{' '.join(path)} is not learned"
    number, vni, hardware = state.number(path[:-2]), state.vni(found[0].subnet), mac(path[-1])
    for ip in found[1]:
        yield from responder.answers(Owner.VPORT, number, vni, ip, hardware, _BEHIND_VPORTS)


# Fragments of the other vports of a subnet, and of the subnet


def _segment_of(state: State, path: Path) -> Path | None:
    vport = state.view.get(path)
    return state.segment_of(path, vport) if isinstance(vport, Vport) else None


def _bridge_hosts(state: State, path: Path) -> Collection[str]:
    subnet = _segment_of(state, path)
    bridges = state.bridges_of(subnet) if subnet is not None else ()
    return {placed(state, bridge).location.dvrs for bridge in bridges}


def _protected(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    vport, subnet = state.view.get(path), _segment_of(state, path)
    assert isinstance(vport, Vport) and subnet is not None
    for bridge in state.bridges_of(subnet) - {path}:
        checked = placed(state, bridge).vport.anti_spoofing
        if placed(state, bridge).location.dvrs != dvrs or checked == "off":
            continue
        addresses = [address(text) for text in vport.address] if checked == "full" else []
        hardware = None if vport.mac is None else mac(vport.mac)
        yield from bridge_guard.protected(state.number(bridge), state.slot(bridge), hardware, addresses)


def _policy(state: State, subnet: Path) -> str:
    body = state.view.get(subnet)
    return body.unknown_unicast if isinstance(body, Subnet | L2Domain) else "flood"


def _unknown_hosts(state: State, path: Path) -> Collection[str]:
    return subnet_hosts(state, path) if _differs(state, path) else ()


def _differs(state: State, subnet: Path) -> bool:
    """Whether a subnet treats what nobody knows otherwise than most do."""
    return not state.routed(subnet[:4]) or _open(state, subnet) or _policy(state, subnet) != "flood"


def _open(state: State, subnet: Path) -> bool:
    """Whether there may be machines that nobody told us of: behind a bridge vport, or at another VTEP."""
    return bool(state.bridges_of(subnet)) or bool(floods(state, subnet))


def _unknown(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number, vni, routed = state.number(path), state.vni(path), state.routed(path[:4])
    bridges = state.bridges_of(path)
    if not routed or _open(state, path):
        yield from segment.open_to_unknown(cookie(Owner.SUBNET, Purpose.FORWARD, number), vni, routed)
    policy = _policy(state, path)
    if policy == "flood":
        return
    open_to = bridges if policy == "bridge" else ()
    purpose = Purpose.FORWARD if open_to else Purpose.UNICAST
    places = [(placed(state, bridge).location.dvrs, state.slot(bridge)) for bridge in open_to]
    yield from segment.unknown_unicast(
        cookie(Owner.SUBNET, purpose, number),
        vni,
        state.placement.tunnel_ports[dvrs],
        {state.tunnel_address(name) for name, _ in places if name != dvrs},
        [slot for name, slot in places if name == dvrs],
    )


def _glean_hosts(state: State, path: Path) -> Collection[str]:
    return domain_hosts(state, path) if state.routed(path[:4]) and _open(state, path) else ()


def _glean(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    owner = cookie(Owner.SUBNET, Purpose.GLEAN, state.number(path))
    base = [match.metadata(state.number(path[:4])), match.eth_dst(state.gateway_mac())]
    punt = [actions.controller(bridge_guard.PUNTED_BYTES)]
    for network in prefixes(state.subnet(path)):
        family = FAMILIES[network.version]
        matches = [*base, family.is_ip, *narrow(family.destination, network)]
        yield flow(Table.ROUTE, reach.priority(network.length, _AMONG), owner, matches, punt)
    nowhere = cookie(Owner.SUBNET, Purpose.NO_ROUTE, state.number(path))
    for ip in gateways(state.subnet(path)):  # what it does not answer is not to be asked for
        family = FAMILIES[ip.version]
        matches = [*base, family.is_ip, match.field(family.destination, value(ip))]
        yield flow(Table.ROUTE, reach.priority(family.bits, _GATEWAYS), nowhere, matches)


_BRIDGE = Kind("bridge", _bridge_host, _bridge, own)
_BEHIND = Kind("behind", _behind_host, _behind, own)
_REACH = Kind("reach-mac", _domain_of_bridge, _reach_learned, _reach_variant)
_IDENTITY = Kind("identity-mac", _domain_of_bridge, _identity, same)
_ARP = Kind("arp-mac", _subnet_of_bridge, _arp_learned, same)
_PROTECTED = Kind("protected", _bridge_hosts, _protected, own)
_UNKNOWN = Kind("unknown", _unknown_hosts, _unknown, own)
_GLEAN = Kind("glean", _glean_hosts, _glean, same)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    for subnet in state.subnets(domain):
        yield Fragment(_UNKNOWN, subnet)
        yield Fragment(_GLEAN, subnet)
        if state.bridges_of(subnet):
            yield from _of_bridged(state, subnet)


def _of_bridged(state: State, subnet: Path) -> Iterator[Fragment]:
    yield Fragment(_UNKNOWN, subnet)
    yield Fragment(_GLEAN, subnet)
    for path in vports_in(state, subnet):
        yield Fragment(_PROTECTED, path)
    for path in state.bridges_of(subnet):
        yield Fragment(_BRIDGE, path)
        for hardware in known_behind(state, path):
            yield from _of_mac(path, hardware)


def _of_mac(path: Path, hardware: str) -> Iterator[Fragment]:
    named = _named(path, hardware)
    return (Fragment(kind, named) for kind in (_BEHIND, _REACH, _ARP, _IDENTITY))


def _touched(delta: Delta) -> Iterator[Fragment]:
    old, new = delta.old, delta.new
    looked_at = dict[Path, bool]()  # subnets, and whether other hypervisors have them now
    again = set[Path]()  # subnets all of which is to be looked at once more
    for state in (old, new):
        for path in delta.vports:
            subnet = _segment_of(state, path)
            if subnet is None:
                continue
            if state.bridges_of(subnet):
                yield Fragment(_PROTECTED, path)
            if subnet not in looked_at:
                looked_at[subnet] = old.members_of(subnet).keys() != new.members_of(subnet).keys()
            if looked_at[subnet] or path in state.bridges_of(subnet):
                again.add(subnet)
    for uuid in delta.observed.learned:
        yield from _relearned(old, new, uuid)
    for path in flooded(delta):
        yield Fragment(_UNKNOWN, path)
        yield Fragment(_GLEAN, path)
    edited = {path for path in delta.edits if path[-2:-1] in (("subnet",), ("l2-domain",))}
    if edited or delta.hypervisors:
        domains = {path[:4] for path in edited}
        again |= edited
        again.update(one for one in {*old.bridges, *new.bridges} if delta.hypervisors or one[:4] in domains)
    if delta.edits:
        again.update(one for one in {*old.bridges, *new.bridges} if _policy_differs(old, new, one[:4]))
    for subnet in again:
        for state in (old, new):
            yield from _whole(state, subnet)


def _policy_differs(old: State, new: State, domain: Path) -> bool:
    """Whether an address may have another identity now."""
    before, after = old.policies.get(domain), new.policies.get(domain)
    if before is None or after is None:
        return before is not after
    return before is not after and (
        before.used != after.used or before.macros != after.macros or before.numbers != after.numbers
    )


def _whole(state: State, subnet: Path) -> Iterator[Fragment]:
    if state.bridges_of(subnet):
        yield from _of_bridged(state, subnet)
    else:
        yield Fragment(_UNKNOWN, subnet)
        yield Fragment(_GLEAN, subnet)


def _relearned(old: State, new: State, uuid: str) -> Iterator[Fragment]:
    """The MAC addresses whose addresses are others now."""
    before, after = old.placement.learned.get(uuid) or {}, new.placement.learned.get(uuid) or {}
    path = new.view.by_uuid(uuid) or old.view.by_uuid(uuid)
    if path is None:
        return
    yield Fragment(_BRIDGE, path)
    changed = {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
    for hardware in changed:
        yield from _of_mac(path, hardware)
    subnet = _segment_of(new, path)
    others = new.bridges_of(subnet) - {path} if subnet is not None else ()
    if others:  # what came from one of them to this one, or was learned twice because a vport is in another subnet now
        addresses = {ip for one in changed for held in (before, after) for ip in held.get(one, ())}
        for other in others:
            for hardware, held in known_behind(new, other).items():
                if hardware in changed or not addresses.isdisjoint(held):
                    yield from _of_mac(other, hardware)


FEATURE = Feature(_fragments, _touched)
