"""Addresses of a domain: each belongs to one vport, gateway or service.

vport, virtual-ip, floating-ip      alone
source-nat                          several may go out behind one address
load-balancer                       several may share an address when protocol or port differ
gateways, and what a subnet keeps   see vports.py for those of vports
"""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import BITS
from data.addresses import address as as_ip
from data.errors import Problem
from data.networks import PREFIX_FIELDS, network, networks
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.schema.nodes import node_of
from data.schema.objects import Object, Subnet, Vport
from data.schema.services import FloatingIp, LoadBalancer, SourceNat, VirtualIp


def subnet_around(check: Check, domain: Path, text: str) -> tuple[Path, Subnet] | None:
    """The subnet of the domain that an address lies in."""
    version = as_ip(text).version
    field = PREFIX_FIELDS[version]
    for path in check.view.overlapping("subnet", field, domain, f"{text}/{BITS[version]}"):
        item = check.view.get(path)
        if isinstance(item, Subnet):
            return path, item
    return None


def domain_of(path: Path) -> Path:
    """The domain, l2-domain or template that the object at the path is in."""
    return node_of(path).scope(path, "domain")


@rule(Vport, VirtualIp, FloatingIp, SourceNat, LoadBalancer)
def addresses_have_one_owner(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    domain = domain_of(path)
    for leaf, text in _claimed(path, item):
        said = _kept_by_subnet(check, domain, text) if not isinstance(item, Vport) else ""
        if said:
            yield problem(path, leaf, f"{text} is {said}", "choose another address")
            continue
        for other in _holders(check, domain, text):
            if other == path or check.said_there(path, other) or _may_share(item, check.view.get(other)):
                continue
            cause = f"{text} is already that of {path_text(other[len(domain) :])}"
            yield problem(path, leaf, cause, "choose another address, or free it there in the same commit")
            break


@rule(Subnet)
def gateways_are_nobodys(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    """Vports at a new gateway are found by `vports_still_fit`."""
    before = check.running.get(path)
    if isinstance(before, Subnet) and networks(before) == networks(subnet):
        return
    domain = domain_of(path)
    for own in networks(subnet):
        for other in _holders(check, domain, str(own.gateway)):
            if other[-2] != "vport" and check.edits.get(other) is None:
                leaf = "gateway" if own.prefix.version == 4 else "ipv6-gateway"
                cause = f"{own.gateway} is already that of {path_text(other[len(domain) :])}"
                yield problem(path, leaf, cause, f"set {path_text((*path, leaf))} to another address")


def _claimed(path: Path, item: Object) -> Iterator[tuple[str, str]]:
    """Keyword of a leaf ("" for the name) and address."""
    if isinstance(item, (VirtualIp, FloatingIp)):
        yield "", path[-1]
    elif isinstance(item, Vport):
        yield from (("address", text) for text in item.address)
    elif isinstance(item, (SourceNat, LoadBalancer)) and item.address:
        yield "address", item.address


def _holders(check: Check, domain: Path, text: str) -> Iterator[Path]:
    view = check.view
    for kind in ("vport", "source-nat", "load-balancer"):
        yield from view.holders(kind, "address", domain, text)
    for kind in ("virtual-ip", "floating-ip"):
        if view.get((*domain, kind, text)) is not None:
            yield (*domain, kind, text)


def _may_share(one: Object, other: Object | None) -> bool:
    if isinstance(one, LoadBalancer) and isinstance(other, LoadBalancer):
        return (one.protocol, one.port) != (other.protocol, other.port)
    # Two vports: `unique` in the schema, with advice which address is free.
    return any(isinstance(one, kind) and isinstance(other, kind) for kind in (SourceNat, Vport))


def _kept_by_subnet(check: Check, domain: Path, text: str) -> str:
    found = subnet_around(check, domain, text)
    own = network(found[1], as_ip(text).version) if found else None
    if found is None or own is None:
        return ""
    ip = as_ip(text)
    what = f"the {own.taken_for(ip)} address" if own.taken_for(ip) else "the gateway" if ip == own.gateway else ""
    return f"{what} of subnet {found[0][-1]} ({own.prefix})" if what else ""
