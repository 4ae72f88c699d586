"""Vports: addresses lie in the subnet and are those of a host, and the MAC address is not the gateways'."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, gateway_of, problem, rule
from data.schema.objects import Controller, Domain, Subnet, Vport
from data.schema.types import ipv4_number, ipv4_range, ipv4_text


def _subnet_of(check: Check, path: Path, vport: Vport) -> tuple[Path, Subnet] | None:
    where = check.view.resolve(path, "subnet", vport.subnet) if vport.subnet else None
    subnet = check.view.get(where) if where else None
    return (where, subnet) if where and isinstance(subnet, Subnet) and subnet.prefix else None


@rule(Vport)
def address_problems(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    found = _subnet_of(check, path, vport)
    if found is None:
        return
    where, subnet = found
    first, last = ipv4_range(subnet.prefix)
    for address in vport.address:
        number = ipv4_number(address)
        if not first <= number <= last:
            cause = f"{address} is outside subnet {where[-1]} ({subnet.prefix})"
        elif number in (first, last):
            which = "network" if number == first else "broadcast"
            cause = f"{address} is the {which} address of subnet {where[-1]} ({subnet.prefix})"
        elif number == gateway_of(subnet):
            cause = f"{address} is the gateway of subnet {where[-1]} ({subnet.prefix})"
        else:
            continue
        yield problem(path, "address", cause, another_address(check, path, vport) or "choose another subnet")


def another_address(check: Check, path: Path, vport: Vport) -> str:
    """The advice which address to choose; "" while the vport has no subnet."""
    found = _subnet_of(check, path, vport)
    if found is None:
        return ""
    where, subnet = found
    first, last = ipv4_range(subnet.prefix)
    gateway = gateway_of(subnet)
    low = first + 2 if gateway == first + 1 else first + 1
    high = last - 2 if gateway == last - 1 else last - 1
    except_gateway = f" except {ipv4_text(gateway)}" if low < gateway < high else ""
    free = check.next_free(where, subnet)
    hint = f"next free: {free}" if free else "none is free"
    return f"choose an address in {ipv4_text(low)}-{ipv4_text(high)}{except_gateway} ({hint}), or another subnet"


@rule(Vport)
def mac_is_not_the_gateways(check: Check, path: Path, vport: Vport) -> Iterator[Problem]:
    if vport.mac and vport.mac == check.view.settings(Controller).anycast_gateway_mac:
        yield problem(path, "mac", f"{vport.mac} is the MAC address of every gateway", "choose another one")


@rule(Controller)
def gateway_mac_is_no_vports(check: Check, path: Path, controller: Controller) -> Iterator[Problem]:
    before = check.running.settings(Controller).anycast_gateway_mac
    if controller.anycast_gateway_mac == before:
        return
    for domain, _ in check.view.objects(Domain):
        holder = check.view.holder("vport", "mac", domain, controller.anycast_gateway_mac)
        if holder is not None and check.edits.get(holder) is None:
            cause = f"{controller.anycast_gateway_mac} is that of vport {holder[1]}/{holder[3]}/{holder[5]}"
            yield problem(path, "anycast-gateway-mac", cause, "choose another one")
