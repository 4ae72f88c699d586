"""Subnets: prefixes of a domain do not overlap, the gateway is a host address, and the vports inside still
fit."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.rules.vports import address_problems
from data.schema.nodes import node_of, order_key
from data.schema.objects import Subnet, Vport
from data.schema.types import ipv4_number, ipv4_range, ipv4_text


@rule(Subnet)
def prefixes_are_disjoint(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    if not subnet.prefix:
        return
    scope = node_of(path).scope(path, "domain")
    for other in check.view.overlapping("subnet", "prefix", scope, subnet.prefix):
        item = check.view.get(other)
        if other != path and isinstance(item, Subnet) and not check.said_there(path, other):
            cause = f"{subnet.prefix} overlaps {item.prefix} of {path_text(other[len(scope) :])}"
            yield problem(path, "prefix", cause, "choose a prefix outside it; another domain may use the same one")


@rule(Subnet)
def gateway_is_a_host_address(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    if not subnet.prefix or not subnet.gateway:
        return
    first, last = ipv4_range(subnet.prefix)
    remedy = f"choose an address in {ipv4_text(first + 1)}-{ipv4_text(last - 1)}"
    number = ipv4_number(subnet.gateway)
    if not first <= number <= last:
        yield problem(path, "gateway", f"{subnet.gateway} is outside the prefix {subnet.prefix}", remedy)
    elif number in (first, last):
        which = "network" if number == first else "broadcast"
        yield problem(path, "gateway", f"{subnet.gateway} is the {which} address of {subnet.prefix}", remedy)


@rule(Subnet)
def vports_still_fit(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    """When prefix or gateway changed, every vport of the subnet is looked at; edited ones are looked at
    anyway."""
    before = check.running.get(path)
    if isinstance(before, Subnet) and (before.prefix, before.gateway) == (subnet.prefix, subnet.gateway):
        return
    found: list[tuple[Path, Problem]] = []
    for other in check.view.referrers(path):
        item = check.view.get(other)
        if isinstance(item, Vport) and check.edits.get(other) is None:
            found += [(other, one) for one in address_problems(check, other, item)]
    found.sort(key=lambda pair: order_key(pair[0]))
    yield from (one for _, one in found)
