"""Vports: addresses lie in the subnet and are those of a host, and the MAC address is not the gateways'."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import Ip
from data.addresses import address as as_ip
from data.errors import Problem
from data.networks import Network, network, networks
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.schema.objects import Controller, Domain, L2Domain, Subnet, Vport


def subnet_of(check: Check, path: Path, vport: Vport) -> tuple[Path, Subnet] | None:
    """The subnet that the vport is in, where it exists and has a prefix."""
    where = check.view.resolve(path, "subnet", vport.subnet) if vport.subnet else None
    subnet = check.view.get(where) if where else None
    return (where, subnet) if where and isinstance(subnet, Subnet) and networks(subnet) else None


@rule(Vport)
def address_problems(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    """Each address lies in the prefix of its family, and is not one that the subnet keeps for itself."""
    found = subnet_of(check, path, vport)
    if found is None:
        return
    where, subnet = found
    for text in vport.address:
        ip = as_ip(text)
        own = network(subnet, ip.version)
        if own is None:
            keyword = "prefix" if ip.version == 4 else "ipv6-prefix"
            cause = f"{text} is an IPv{ip.version} address, and subnet {where[-1]} has no {keyword}"
            yield problem(path, "address", cause, f"set {path_text((*where, keyword))}, or leave the address out")
            continue
        cause = _wrong(own, ip, where[-1])
        if cause:
            yield problem(path, "address", cause, another_address(check, where, own))


def _wrong(own: Network, ip: Ip, name: str) -> str:
    shown = f"subnet {name} ({own.prefix})"
    if not own.prefix.covers(ip):
        return f"{ip} is outside {shown}"
    if own.taken_for(ip):
        return f"{ip} is the {own.taken_for(ip)} address of {shown}"
    return f"{ip} is the gateway of {shown}" if ip == own.gateway else ""


def another_address(check: Check, where: Path, own: Network) -> str:
    """The advice which address of the subnet at `where` to choose."""
    low, high = own.low, own.high
    if own.gateway == low:
        low = Ip(low.version, low.number + 1)
    elif own.gateway == high:
        high = Ip(high.version, high.number - 1)
    except_gateway = f" except {own.gateway}" if low < own.gateway < high else ""
    free = check.next_free(where, own)
    hint = f"next free: {free}" if free else "none is free"
    return f"choose an address in {low}-{high}{except_gateway} ({hint}), or another subnet"


@rule(Vport)
def mac_is_not_the_gateways(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    if vport.mac and vport.mac == check.view.settings(Controller).anycast_gateway_mac:
        yield problem(path, "mac", f"{vport.mac} is the MAC address of every gateway", "choose another one")


@rule(Controller)
def gateway_mac_is_no_vports(check: Check, path: Path, controller: Controller) -> Iterator[Problem]:
    before = check.running.settings(Controller).anycast_gateway_mac
    if controller.anycast_gateway_mac == before:
        return
    domains = [domain for kind in (Domain, L2Domain) for domain, _ in check.view.objects(kind)]
    for domain in domains:
        holder = check.view.holder("vport", "mac", domain, controller.anycast_gateway_mac)
        if holder is not None and check.edits.get(holder) is None:
            cause = f"{controller.anycast_gateway_mac} is that of vport {holder[1]}/{holder[3]}/{holder[5]}"
            yield problem(path, "anycast-gateway-mac", cause, "choose another one")
