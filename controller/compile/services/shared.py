"""Shared domains: a service that several enterprises reach, without reaching each other.

A domain T that uses a shared domain X has routes to the prefixes of X. What leaves T that way is translated, without
state: each address of T has an **access address** of X, out of X's access-prefix, by which X knows it. So tenants may
have the same prefixes, X's policy can tell them apart, and the only way from one tenant to another would be an access
address: what entered X from a user goes to none, also when a default route of X leads the user there.

    T's vport     route(T)      to a prefix of X      -> REALM = X
                  translate     (T, X, its address)   -> its access address, domain X, looked up anew
                  service, route(X) ...               as any packet of X, on X's VNIs; X's egress policies decide
    X's vport     route(X)      to an access address  -> the vport's own address, on the VNI of T's subnet
                                                         T's egress policies decide

The policy of X's vports sees access addresses (name them by a network-macro), that of T's vports the addresses of X.
Access addresses are numbers that are kept as long as vport and use last; T's hypervisors know X's domain, those of X
know of T's vports one flow each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.compile import reach
from controller.compile.access import access_addresses
from controller.compile.addresses import FAMILIES, Prefix, mac, narrow, prefix, prefixes, value
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, own
from controller.compile.state import State
from controller.openflow import actions, match
from controller.openflow.packed import flow
from controller.pipeline import ARRIVED, Owner, Priority, Register, Table, cookie
from controller.pipeline import Feature as Doing
from data.path import Path
from data.schema.objects import Domain, Subnet

__all__ = ["ACCESS", "ENTRANCE", "LEAK", "SENDERS"]


# Flows


def _prefixes(state: State, shared: Path) -> Iterator[Prefix]:
    """What a shared domain has to offer: its subnets, and where its static routes lead."""
    for subnet in state.subnets(shared):
        body = state.view.get(subnet)
        if isinstance(body, Subnet):
            yield from prefixes(body)
    for text in state.view.children(shared, "static-route"):
        yield prefix(text)


def _leak(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    """The routes of a domain into the shared domains it uses; its own static routes and subnets go first: X may have
    a static route to a prefix that is a subnet of T."""
    domain, router = state.number(path), state.gateway_mac()
    owner = cookie(Owner.DOMAIN, Doing.TRANSLATE, domain)
    taken = {prefix(text) for text in state.view.children(path, "static-route")}
    taken.update(network for subnet in state.subnets(path) for network in prefixes(state.subnet(subnet)))
    for shared in state.shared(path):
        realm = state.number(shared)
        for network in _prefixes(state, shared):
            if network in taken:
                continue
            taken.add(network)
            family = FAMILIES[network.version]
            matches = [match.metadata(domain), match.eth_dst(router), family.is_ip]
            matches += narrow(family.destination, network)
            enter = [actions.set_reg(Register.REALM, realm)]
            yield flow(Table.ROUTE, reach.priority(network.length), owner, matches, enter, Table.TRANSLATE)
        inside = [match.metadata(domain), match.reg(Register.REALM, realm)]
        yield flow(Table.TRANSLATE, Priority.LOW, owner, inside)  # an address that has no access address


def _entrance(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    """What a user sends has passed the ingress policy of its own domain, and reaches no other user. Nor does what
    comes from the WAN: its source address is whatever somebody there says."""
    number, shared = state.number(path), state.view.get(path)
    assert isinstance(shared, Domain)
    entered = [match.metadata(number), match.reg(Register.REALM, number)]
    strangers = [entered]
    if state.in_wan(path):
        strangers.append([match.metadata(number), match.reg(Register.SUBNET, 0), match.reg(Register.FROM_PORT, 0)])
    owner = cookie(Owner.DOMAIN, Doing.TRANSLATE, number)
    yield flow(Table.INGRESS_TRACK, Priority.HIGHEST, owner, entered, [], Table.SERVICE)
    for network in map(prefix, shared.access_prefix):
        family = FAMILIES[network.version]
        for stranger in strangers:
            users = [*stranger, family.is_ip, *narrow(family.destination, network)]
            yield flow(Table.ROUTE, reach.priority(family.bits, reach.FIRST + 1), owner, users)


def _senders(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    """Users are sent to from addresses of the shared domain's subnets alone: any other, sent by a router in it, could
    mean somebody else to the user. Answers that source NAT has turned back do not come by here."""
    number, shared = state.number(path), state.view.get(path)
    assert isinstance(shared, Domain)
    owner = cookie(Owner.DOMAIN, Doing.SPOOFED_IP, number)
    inside = [network for subnet in state.subnets(path) for network in prefixes(state.subnet(subnet))]
    for network in map(prefix, shared.access_prefix):
        family = FAMILIES[network.version]
        to_users = [match.metadata(number), family.is_ip, *narrow(family.destination, network)]
        yield flow(Table.NAT_IN, Priority.LOW, owner, to_users)
        for source in inside:
            if source.version == network.version:
                own_address = [*to_users, *narrow(family.source, source)]
                yield flow(Table.NAT_IN, Priority.NORMAL, owner, own_address, [], Table.SOURCE)


def _access(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    place = state.place(path)
    assert place is not None
    vport, domain, router = place.vport, state.number(path[:4]), state.gateway_mac()
    owner = cookie(Owner.VPORT, Doing.TRANSLATE, state.number(path))
    for shared in state.shared(path[:4]):
        if not state.view.get(shared):
            continue
        realm = state.number(shared)
        for ip, known in access_addresses(state.view, state.numbers, shared, vport):
            family = FAMILIES[ip.version]
            if place.location.dvrs == dvrs:
                out = [match.metadata(domain), match.reg(Register.REALM, realm), family.is_ip]
                out.append(match.field(family.source, value(ip)))
                enter = [actions.set_field(family.source, value(known)), *_anew(realm)]
                yield flow(Table.TRANSLATE, Priority.NORMAL, owner, out, enter)
            if vport.mac is None or dvrs not in state.own_hosts(shared):
                continue
            back = [match.metadata(realm), match.eth_dst(router), family.is_ip]
            back.append(match.field(family.destination, value(known)))
            vni = state.vni(place.subnet)
            acts = [
                actions.set_field(family.destination, value(ip)),
                *reach.routed(router, mac(vport.mac), vni),
            ]
            if place.location.dvrs == dvrs:
                acts += [actions.set_reg(Register.REALM, ARRIVED), *_anew(domain)]
            else:
                endpoint = state.tunnel_address(place.location.dvrs)
                acts += reach.to_tunnel(vni, endpoint, state.placement.tunnel_ports[dvrs])
            yield flow(Table.ROUTE, reach.priority(family.bits, reach.FIRST), owner, back, acts)


def _anew(domain: int) -> list[actions.Action]:
    """Looks a packet up as one of this domain: its addresses mean something else there."""
    return [
        actions.set_metadata(domain),
        actions.set_reg(Register.SOURCE, 0),
        actions.set_reg(Register.DESTINATION, 0),
        actions.resubmit(Table.SOURCE),
    ]


# Who holds them


def _leak_hosts(state: State, path: Path) -> Collection[str]:
    return state.own_hosts(path) if state.view.get(path) is not None and state.shared(path) else ()


def _entrance_hosts(state: State, path: Path) -> Collection[str]:
    return state.hosts_of(path) if state.view.get(path) is not None and state.users.get(path) else ()


def _senders_hosts(state: State, path: Path) -> Collection[str]:
    return state.own_hosts(path) if state.view.get(path) is not None and state.users.get(path) else ()


def _access_hosts(state: State, path: Path) -> Collection[str]:
    place = state.place(path)
    shared = state.shared(path[:4]) if place is not None else []
    if place is None or not shared:
        return ()
    return {place.location.dvrs, *(name for used in shared for name in state.own_hosts(used))}


LEAK = Kind("leak", _leak_hosts, _leak)
ENTRANCE = Kind("entrance", _entrance_hosts, _entrance)
SENDERS = Kind("senders", _senders_hosts, _senders)
ACCESS = Kind("access", _access_hosts, _access, own)


def _members(state: State, domain: Path) -> Iterator[Path]:
    """The resolved vports of a domain."""
    for subnet in state.subnets(domain):
        for vports in state.members_of(subnet).values():
            yield from vports


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    if state.shared(domain):
        yield Fragment(LEAK, domain)
        for path in _members(state, domain):
            yield Fragment(ACCESS, path)
    users = state.users.get(domain)
    if users:
        yield Fragment(ENTRANCE, domain)
        yield Fragment(SENDERS, domain)
        for user in users:
            for path in _members(state, user):
                yield Fragment(ACCESS, path)


def _touched(delta: Delta) -> Iterator[Fragment]:
    whole: set[Path] = set()  # domains all of whose vports may be known otherwise
    for path, body in delta.edits.items():
        if isinstance(body, Domain) or isinstance(delta.old.view.get(path), Domain):
            whole.add(path)
            for state in (delta.old, delta.new):
                whole.update(state.shared(path), state.users.get(path) or ())
        elif len(path) > 4 and path[-2] in ("subnet", "static-route") and path[0] == "enterprise":
            yield Fragment(SENDERS, path[:4])
            for state in (delta.old, delta.new):
                for user in (path[:4], *(state.users.get(path[:4]) or ())):
                    if state.shared(user):
                        yield Fragment(LEAK, user)
    for path in delta.vports:
        domain = path[:4]
        for state in (delta.old, delta.new):
            if state.shared(domain):
                yield Fragment(ACCESS, path)
        if set(delta.old.own_hosts(domain)) != set(delta.new.own_hosts(domain)) and any(
            state.users.get(domain) for state in (delta.old, delta.new)
        ):
            whole.add(domain)
    for domain in whole:
        for state in (delta.old, delta.new):
            if state.view.get(domain) is not None:
                yield from _fragments(state, domain)
    for name in delta.hypervisors:
        for state in (delta.old, delta.new):
            for domain in state.hosts:
                if name in state.own_hosts(domain) and state.shared(domain):
                    yield from _fragments(state, domain)


FEATURE = Feature(_fragments, _touched)
