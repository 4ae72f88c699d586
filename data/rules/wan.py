"""The world outside: neighbours that can be spoken to, route targets and VNIs that mean one thing, PE routers."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import address
from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, dependents, problem, rule
from data.schema.nodes import named_in_full
from data.schema.objects import Controller, Domain, L2Domain, Subnet
from data.schema.wan import FAMILIES_OF, Bgp, Neighbor, Pe, PeVpn, Underlay
from data.templates import in_template

_BGP = ("bgp",)
_NOWHERE = ("0.0.0.0", "::")


@dependents(Bgp)
def neighbors_need_our_number(check: Check, path: Path, before: Bgp, after: Bgp | None) -> Iterator[Path]:
    yield from _neighbors(check)


@dependents(Controller)
def neighbors_need_our_address(
    check: Check, path: Path, before: Controller, after: Controller | None
) -> Iterator[Path]:
    if after is None or after.listen_address != before.listen_address:
        yield from _neighbors(check)


def _neighbors(check: Check) -> Iterator[Path]:
    yield from (path for path, _ in check.view.objects(Neighbor))


@rule(Neighbor, again=True)
def we_have_a_number(check: Check, path: Path, item: Neighbor) -> Iterator[Problem]:
    if check.view.settings(Bgp).autonomous_system is None and check.first_time("autonomous system"):
        cause = "there are neighbors, and we have no number of our own"
        yield problem(_BGP, "autonomous-system", cause, "set bgp autonomous-system <number>, for example 65000")


@rule(Neighbor, again=True)
def neighbors_are_spoken_to_from_one_address(check: Check, path: Path, item: Neighbor) -> Iterator[Problem]:
    local = item.local_address or check.view.settings(Controller).listen_address
    here = path_text(path)
    if item.address is None:
        return
    if local in _NOWHERE:
        cause = f"the controller listens at {local}, which is not one address that BGP could speak from"
        yield problem(path, "local-address", cause, f"set {here} local-address <address>")
    elif address(local).version != address(item.address).version:
        cause = f"our address {local} and its address {item.address} are not of the same family"
        yield problem(path, "local-address", cause, f"set {here} local-address <address>")
    elif local == item.address:
        yield problem(path, "address", f"{local} is our own address", "name the address of the neighbor")
    settings = check.view.settings(Bgp)
    if settings.router_id is None and address(local).version == 6 and check.first_time("router id"):
        cause = "the BGP identifier cannot come from an IPv6 address"
        yield problem(_BGP, "router-id", cause, "set bgp router-id <a.b.c.d>")


@rule(Neighbor)
def neighbors_speak_families_of_their_role(check: Check, path: Path, item: Neighbor) -> Iterator[Problem]:
    for family in item.family:
        if family not in FAMILIES_OF[item.role]:
            cause = f"with a neighbor of role {item.role} {family} is not spoken"
            yield problem(path, "family", cause, f"use {', '.join(FAMILIES_OF[item.role])}, or set another role")
    if item.multihop is not None and item.ttl_security is not None:
        cause = "ttl-security sends with the highest TTL, so multihop has no effect"
        yield problem(path, "multihop", cause, "delete one of them (RFC 5082 section 3)")
    if item.role == "underlay" and item.announce:
        yield problem(path, "announce", "a neighbor of the underlay is told nothing", "delete announce")


@rule(Underlay)
def what_is_suppressed_comes_back(check: Check, path: Path, item: Underlay) -> Iterator[Problem]:
    if item.reuse >= item.suppress:
        cause = f"an endpoint would be used again from {item.reuse} on and not used from {item.suppress} on"
        yield problem(path, "reuse", cause, f"use less than {item.suppress}")


@rule(Subnet, L2Domain)
def segments_outside_mean_one_thing(check: Check, path: Path, item: Subnet | L2Domain) -> Iterator[Problem]:
    """A VNI and a route target in a template would be those of many segments."""
    if not in_template(path):
        return
    for leaf, value in (("vni", item.vni), ("route-target", item.route_target)):
        if value:
            cause = "every domain made from the template would have it, and it must tell one segment from all others"
            yield problem(path, leaf, cause, "set it in the domain")


@rule(Subnet, L2Domain)
def fixed_vnis_are_of_one_segment(check: Check, path: Path, item: Subnet | L2Domain) -> Iterator[Problem]:
    """Within a kind the schema sees to it."""
    if item.vni is None:
        return
    other_kind = "l2-domain" if isinstance(item, Subnet) else "subnet"
    for other in check.view.holders(other_kind, "vni", (), item.vni):
        if not check.said_there(path, other):
            cause = f"{item.vni} is the VNI of {path_text(other)}"
            yield problem(path, "vni", cause, "choose another VNI")


@rule(Domain)
def domains_outside_have_targets(check: Check, path: Path, domain: Domain) -> Iterator[Problem]:
    if domain.route_distinguisher and not domain.exports:
        cause = "a route distinguisher is for routes that are announced, and nothing is without a route target"
        yield problem(path, "route-distinguisher", cause, f"set {path_text(path)} route-target <number:number>")


@dependents(Neighbor)
def routers_that_are_neighbors(check: Check, path: Path, before: Neighbor, after: Neighbor | None) -> Iterator[Path]:
    if after is None or after.role != before.role:
        yield from (pe for pe, item in check.view.objects(Pe) if (item.neighbor or pe[-1]) == path[-1])


@dependents(Domain)
def vpns_of_the_domain(check: Check, path: Path, before: Domain, after: Domain | None) -> Iterator[Path]:
    yield from (one for one in check.view.referrers(path) if one[-2] == "vpn")


@rule(Pe, again=True)
def routers_are_neighbors(check: Check, path: Path, pe: Pe) -> Iterator[Problem]:
    here = path_text(path)
    name = pe.neighbor or path[-1]
    neighbor = check.view.get(("bgp-neighbor", name))
    if pe.neighbor is None and not isinstance(neighbor, Neighbor):
        cause = f"there is no bgp-neighbor {name}, and no other is named"
        yield problem(path, "neighbor", cause, f"set {here} neighbor <name>")
    if isinstance(neighbor, Neighbor) and neighbor.role != "fabric":
        cause = f"neighbor {name} is a router of the underlay"
        yield problem(path, "neighbor", cause, "name a neighbor of role fabric")
    if pe.instance and pe.driver != "frr":
        yield problem(path, "instance", f"it is for driver frr, and the driver is {pe.driver}", "delete instance")
    if pe.password and pe.key_file:
        yield problem(path, "key-file", "there is a password, too", "delete one of them")


@rule(PeVpn, again=True)
def vpns_are_parts_of_domains_outside(check: Check, path: Path, vpn: PeVpn) -> Iterator[Problem]:
    where = named_in_full("domain", vpn.domain) if vpn.domain else None
    domain = check.view.get(where) if where else None
    if where is None or not isinstance(domain, Domain):
        if vpn.domain:
            yield problem(path, "domain", f"there is no domain {vpn.domain}", "name one that there is, or make it")
        return
    if not (domain.imports and domain.exports):
        cause = f"{vpn.domain} has no route target, so nothing of it goes out"
        yield problem(path, "domain", cause, f"set {path_text(where)} route-target <number:number>")
    for name in check.view.children(path[:-2], "vpn"):
        other = (*path[:-1], name)
        body = check.view.get(other)
        if name != path[-1] and isinstance(body, PeVpn) and not check.said_there(path, other):
            if body.domain == vpn.domain:
                yield problem(path, "domain", f"vpn {name} is of {vpn.domain} already", "choose another domain")
            for interface in set(body.interface) & set(vpn.interface):
                yield problem(path, "interface", f"{interface} is in vpn {name} already", "choose another interface")
