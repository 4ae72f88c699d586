"""Static routes: next hops or a black hole, of the family of the prefix, in subnets of the domain."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import address as as_ip
from data.addresses import prefix as as_prefix
from data.errors import Problem
from data.networks import PREFIX_FIELDS, network, networks
from data.path import Path, path_text
from data.rules.addresses import domain_of, subnet_around
from data.rules.registry import Check, dependents, problem, rule
from data.schema.objects import Object, Subnet
from data.schema.services import Redirect, StaticRoute
from data.templates import in_template


@rule(StaticRoute)
def routes_lead_somewhere(check: Check, path: Path, route: StaticRoute) -> Iterator[Problem]:
    here, version = path_text(path), as_prefix(path[-1]).version
    if route.blackhole and route.next_hop:
        yield problem(path, "blackhole", "it has next hops, too", "delete blackhole, or delete next-hop")
    elif not route.blackhole and not route.next_hop:
        yield problem(path, "next-hop", "it leads nowhere", f"set {here} next-hop <address>, or set {here} blackhole")
    for hop in route.next_hop:
        if as_ip(hop).version != version:
            cause = f"{hop} is not an IPv{version} address, as the prefix {path[-1]} is"
            yield problem(path, "next-hop", cause, f"choose an IPv{version} address, or make another static-route")


@rule(StaticRoute, Redirect, again=True)
def next_hops_are_in_subnets(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    """What a template says is looked at in the domains made from it."""
    if in_template(path):
        return
    domain = domain_of(path)
    hops = item.next_hop if isinstance(item, StaticRoute | Redirect) and item.next_hop else ()
    for hop in hops if isinstance(hops, tuple) else (hops,):
        ip = as_ip(hop)
        found = subnet_around(check, domain, hop)
        own = network(found[1], ip.version) if found else None
        if found is None or own is None:
            cause, remedy = f"{hop} is in no subnet of {path_text(domain[-2:])}", "choose an address in one"
        elif ip == own.gateway or own.taken_for(ip):
            what = "gateway" if ip == own.gateway else f"{own.taken_for(ip)} address"
            cause, remedy = f"{hop} is the {what} of subnet {found[0][-1]}", "choose the address of a router in it"
        else:
            continue
        yield problem(path, "next-hop", cause, remedy)


@rule(StaticRoute)
def prefixes_of_routes_are_no_subnets(check: Check, path: Path, route: StaticRoute) -> Iterator[Problem]:
    if in_template(path):
        return
    own = as_prefix(path[-1])
    for other in check.view.overlapping("subnet", PREFIX_FIELDS[own.version], domain_of(path), str(own)):
        item = check.view.get(other)
        if isinstance(item, Subnet) and any(one.prefix == own for one in networks(item)):
            cause = f"{own} is subnet {other[-1]}, which is routed by itself"
            yield problem(path, "", cause, "choose another prefix, for example a longer one inside it")


@rule(Subnet)
def subnets_are_no_routes(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    if in_template(path):
        return
    for own in networks(subnet):
        route = (*domain_of(path), "static-route", str(own.prefix))
        if check.view.get(route) is not None and check.edits.get(route) is None:
            leaf = "prefix" if own.prefix.version == 4 else "ipv6-prefix"
            cause = f"{own.prefix} is that of a static-route"
            yield problem(path, leaf, cause, f"choose another prefix, or delete {path_text(route)}")


@dependents(Subnet)
def what_may_lose_its_subnet(check: Check, path: Path, before: Subnet, after: Subnet | None) -> Iterator[Path]:
    """Next hops: all of the domain are looked at, once for all its changed subnets."""
    domain = domain_of(path)
    if (after is None or networks(after) != networks(before)) and check.first_time(("next hops", domain)):
        for kind in (StaticRoute, Redirect):
            yield from (one for one, _ in check.view.objects(kind, domain))
