"""Subnets: there is a prefix, prefixes of a domain do not overlap, gateways are host addresses, and the vports inside
still fit."""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import prefix as as_prefix
from data.errors import Problem
from data.networks import networks
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.rules.vports import address_problems
from data.schema.nodes import node_of, order_key
from data.schema.objects import Subnet, Vport
from data.templates import in_template

_SLAAC_LENGTH = 64  # RFC 4862 section 5.5.3 d with the 64 bit interface identifiers of RFC 4291 section 2.5.1


@rule(Subnet)
def there_is_a_prefix(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    """A template may leave the prefixes to the domains made from it."""
    if not networks(subnet) and not in_template(path):
        cause = "neither prefix nor ipv6-prefix is set"
        yield problem(path, "prefix", cause, f"set {path_text(path)} prefix <a.b.c.d/len>, or ipv6-prefix <x:x::/len>")


@rule(Subnet)
def prefixes_are_disjoint(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    node = node_of(path)
    for disjoint in node.disjoint:
        own = getattr(subnet, disjoint.field)
        if not own:
            continue
        scope = path[: disjoint.scope_length]
        for other in check.view.overlapping("subnet", disjoint.field, scope, own):
            item = check.view.get(other)
            if other != path and isinstance(item, Subnet) and not check.said_there(path, other):
                theirs = getattr(item, disjoint.field)
                cause = f"{own} overlaps {theirs} of {path_text(other[len(scope) :])}"
                remedy = "choose a prefix outside it; another domain may use the same one"
                yield problem(path, node.fields[disjoint.field].keyword, cause, remedy)


@rule(Subnet)
def gateways_are_host_addresses(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    for leaf, configured, needed, text in (
        ("gateway", subnet.gateway, "prefix", subnet.prefix),
        ("ipv6-gateway", subnet.ipv6_gateway, "ipv6-prefix", subnet.ipv6_prefix),
    ):
        if configured and not text and not in_template(path):
            cause = f"{leaf} is set, and {needed} is not"
            yield problem(path, leaf, cause, f"set {path_text((*path, needed))}, or delete {leaf}")
    for own in networks(subnet):
        leaf, configured = (
            ("gateway", subnet.gateway) if own.prefix.version == 4 else ("ipv6-gateway", subnet.ipv6_gateway)
        )
        if not configured:
            continue
        remedy = f"choose an address in {own.low}-{own.high}"
        if not own.prefix.covers(own.gateway):
            yield problem(path, leaf, f"{configured} is outside the prefix {own.prefix}", remedy)
        elif own.taken_for(own.gateway):
            which = own.taken_for(own.gateway)
            yield problem(path, leaf, f"{configured} is the {which} address of {own.prefix}", remedy)


@rule(Subnet)
def autoconfiguration_needs_64_bits(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    """Hosts ignore an advertised prefix of another length (RFC 4862 section 5.5.3)."""
    if subnet.ipv6_prefix and subnet.ipv6_addressing == "slaac":
        length = as_prefix(subnet.ipv6_prefix).length
        if length != _SLAAC_LENGTH:
            cause = f"vports cannot make their own addresses (slaac) from a /{length}"
            remedy = f"choose a /{_SLAAC_LENGTH}, or set {path_text(path)} ipv6-addressing dhcpv6"
            yield problem(path, "ipv6-prefix", cause, remedy)


@rule(Subnet)
def vports_still_fit(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    """When a prefix or gateway changed, every vport of the subnet is looked at; edited ones are looked at
    anyway."""
    before = check.running.get(path)
    if isinstance(before, Subnet) and networks(before) == networks(subnet):
        return
    found: list[tuple[Path, Problem]] = []
    for other in check.view.referrers(path):
        item = check.view.get(other)
        if isinstance(item, Vport) and check.edits.get(other) is None:
            found += [(other, one) for one in address_problems(check, other, item)]
    found.sort(key=lambda pair: order_key(pair[0]))
    yield from (one for _, one in found)
