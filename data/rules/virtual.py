"""Virtual and floating IPs: the vports that have them can have them."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import address as as_ip
from data.errors import Problem
from data.floating import inside_of
from data.networks import network, networks
from data.path import Path, path_text
from data.rules.addresses import domain_of
from data.rules.registry import Check, dependents, problem, rule
from data.schema.objects import Controller, Subnet, Vport
from data.schema.services import FloatingIp, VirtualIp


def vport_named(check: Check, path: Path, name: str) -> Vport | None:
    """The vport that the object at the path names."""
    where = check.view.resolve(path, "vport", name) if name else None
    item = check.view.get(where) if where else None
    return item if isinstance(item, Vport) else None


@rule(VirtualIp, again=True)
def virtual_ips_are_in_the_subnet_of_their_vports(check: Check, path: Path, virtual: VirtualIp) -> Iterator[Problem]:
    ip = as_ip(path[-1])
    for name in virtual.vport:
        vport = vport_named(check, path, name)
        if vport is not None and vport.type == "bridge":
            cause = f"{name} is a bridge vport, and what is behind it cannot claim {ip}"
            yield problem(path, "vport", cause, "name vports of virtual machines, containers or hosts")
        where = check.view.resolve(path, "subnet", vport.subnet) if vport and vport.subnet else None
        subnet = check.view.get(where) if where else None
        if where is None or not isinstance(subnet, Subnet):
            continue
        own = network(subnet, ip.version)
        if own is None or not own.prefix.covers(ip):
            prefixes = ", ".join(str(one.prefix) for one in networks(subnet))
            cause = f"{ip} is outside subnet {where[-1]} ({prefixes}) of vport {name}"
            yield problem(path, "vport", cause, "name vports of the subnet that the address lies in")


@rule(VirtualIp)
def virtual_mac_is_not_the_gateways(check: Check, path: Path, virtual: VirtualIp) -> Iterator[Problem]:
    if not virtual.mac:
        return
    holder = check.view.holder("vport", "mac", domain_of(path), virtual.mac)
    if virtual.mac == check.view.settings(Controller).anycast_gateway_mac:
        yield problem(path, "mac", f"{virtual.mac} is the MAC address of every gateway", "choose another one")
    elif holder is not None:
        cause = f"{virtual.mac} is already that of vport {holder[-1]}"
        yield problem(path, "mac", cause, "choose another one, or delete mac: then the vport's own is used")
    for other, item in check.view.objects(VirtualIp, domain_of(path)):
        if other != path and item.mac == virtual.mac and not check.said_there(path, other):
            cause = f"{virtual.mac} is already that of virtual-ip {other[-1]}, which may be somewhere else"
            yield problem(path, "mac", cause, "choose another one, or delete mac: then the vport's own is used")
            break


@rule(Vport)
def macs_of_vports_are_not_virtual(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    if vport.mac is None:
        return
    for other, item in check.view.objects(VirtualIp, domain_of(path)):
        if item.mac == vport.mac and not check.said_there(path, other):
            yield problem(path, "mac", f"{vport.mac} is already that of virtual-ip {other[-1]}", "choose another one")
            return


@rule(FloatingIp, again=True)
def floating_ips_have_an_inside(check: Check, path: Path, floating: FloatingIp) -> Iterator[Problem]:
    vport = vport_named(check, path, floating.vport)
    if vport is None:
        return
    version = as_ip(path[-1]).version
    if floating.address and floating.address not in vport.address:
        has = ", ".join(vport.address) or "none"
        cause = f"{floating.address} is no address of vport {floating.vport}"
        yield problem(path, "address", cause, f"delete address, or choose one that it has: {has}")
    elif floating.address and as_ip(floating.address).version != version:
        cause = f"{floating.address} is not an IPv{version} address, as {path[-1]} is"
        yield problem(path, "address", cause, f"choose an IPv{version} address of the vport")
    elif inside_of(path, floating, vport) is None:
        cause = f"vport {floating.vport} has no IPv{version} address"
        yield problem(path, "vport", cause, "name another vport, or give it one")


@rule(FloatingIp, again=True)
def an_inside_has_one_floating_ip(check: Check, path: Path, floating: FloatingIp) -> Iterator[Problem]:
    where = check.view.resolve(path, "vport", floating.vport) if floating.vport else None
    vport = vport_named(check, path, floating.vport)
    inside = inside_of(path, floating, vport) if vport else None
    if where is None or vport is None or inside is None:
        return
    for other in sorted(check.view.referrers(where)):
        item = check.view.get(other)
        if other == path or not isinstance(item, FloatingIp) or check.said_there(path, other):
            continue
        if inside_of(other, item, vport) == inside and check.first_time(("inside", frozenset((path, other)))):
            cause = f"{inside} of vport {floating.vport} is already known outside as {other[-1]}"
            yield problem(path, "vport", cause, f"delete {path_text(other)}, or choose another address of the vport")
            return


@dependents(Vport)
def addresses_of_a_vport(check: Check, path: Path, before: Vport, after: Vport | None) -> Iterator[Path]:
    if after is not None and (before.subnet, before.address, before.type) != (after.subnet, after.address, after.type):
        affected = ("virtual-ip", "floating-ip", "backend")
        yield from sorted(one for one in check.view.referrers(path) if one[-2] in affected)


@dependents(Subnet)
def virtual_ips_of_a_domain(check: Check, path: Path, before: Subnet, after: Subnet | None) -> Iterator[Path]:
    domain = domain_of(path)
    changed = after is not None and networks(after) != networks(before)
    if changed and check.first_time(("virtual IPs", domain)):
        yield from (one for one, _ in check.view.objects(VirtualIp, domain))
