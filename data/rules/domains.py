"""Domains: names that mean one thing, and shared domains with those that use them.

What is wrong with a domain that somebody names is said in the same words whether it does not exist or is not shared,
and what belongs to another enterprise is not named.
"""

from __future__ import annotations

from collections.abc import Iterator

from data.addresses import Prefix
from data.addresses import address as as_ip
from data.addresses import prefix as as_prefix
from data.errors import Problem
from data.networks import PREFIX_FIELDS, networks
from data.path import Path, path_text
from data.rules.registry import Check, problem, rule
from data.schema.nodes import named_in_full, reference_name
from data.schema.objects import Domain, L2Domain, Object, Subnet
from data.schema.services import FloatingIp, LoadBalancer, SourceNat
from data.schema.types import SUBNET_PREFIX, SUBNET_PREFIX_6, BadValue

_EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
_HOSTS = {4: SUBNET_PREFIX, 6: SUBNET_PREFIX_6}
"""What a prefix must be to have addresses of hosts."""
_WITH_ADDRESSES = (FloatingIp, SourceNat, LoadBalancer)
_AMBIGUOUS = "a packet to it could mean either"
_DOMAIN_LENGTH = 4  # words of a domain's path


@rule(Domain, L2Domain)
def domains_and_l2_domains_have_different_names(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    """enterprise/domain/vport is the full name of a vport in either."""
    other = (*path[:2], "l2-domain" if path[2] == "domain" else "domain", path[-1])
    if check.view.get(other) is not None and not check.said_there(path, other):
        yield problem(path, "", f"{path_text(other[:2])} already has {_a(other[2])} {path[-1]}", "choose another name")


def _a(kind: str) -> str:
    return f"an {kind}" if kind.startswith("l2") else f"a {kind}"


@rule(Domain)
def access_prefixes(check: Check, path: Path, domain: Domain) -> Iterator[Problem]:
    here = path_text(path)
    if domain.access_prefix and not domain.shared:
        cause = "access-prefix is for the users of a shared domain, and this one is not shared"
        yield problem(path, "access-prefix", cause, f"set {here} shared, or delete access-prefix")
    given = [as_prefix(text) for text in domain.access_prefix]
    for one in given:
        try:
            _HOSTS[one.version].parse(str(one))
        except BadValue as bad:
            yield problem(path, "access-prefix", bad.cause, bad.remedy)
    for kind in _WITH_ADDRESSES if given else ():
        for service, item in check.view.objects(kind, path):
            inside = _inside(given, service, item)
            if inside is not None and check.edits.get(service) is None:  # else it is said there
                cause = f"{inside} holds the address of {path_text(service[_DOMAIN_LENGTH:])}"
                yield problem(path, "access-prefix", cause, "choose a prefix that nothing in the domain has")
    for position, one in enumerate(given):
        for other in given[:position]:
            if one.holds(other) or other.holds(one):
                yield problem(path, "access-prefix", f"{one} overlaps {other}", "delete one of them")
        for where in check.view.overlapping("subnet", PREFIX_FIELDS[one.version], path, str(one)):
            cause = f"{one} overlaps the prefix of {path_text(where[_DOMAIN_LENGTH:])}"
            yield problem(path, "access-prefix", cause, "choose a prefix outside all subnets of the domain")
            break
    if not domain.shared:
        return
    for version, everything in _EVERYTHING.items():
        has = any(check.view.overlapping("subnet", PREFIX_FIELDS[version], path, everything))
        if has and all(one.version != version for one in given):
            cause = f"it has IPv{version} subnets, and no IPv{version} prefix to show its users under"
            yield problem(path, "access-prefix", cause, f"set {here} access-prefix {_example(version)}")


@rule(*_WITH_ADDRESSES)
def services_are_not_among_the_users(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    """A packet to an access address goes to a vport of a user."""
    domain = check.view.get(path[:_DOMAIN_LENGTH])
    given = [as_prefix(text) for text in domain.access_prefix] if isinstance(domain, Domain) else []
    inside = _inside(given, path, item)
    if inside is not None:
        leaf = "" if isinstance(item, FloatingIp) else "address"
        cause = f"it lies in access-prefix {inside} of its domain, where each address is that of a user"
        yield problem(path, leaf, cause, "choose an address outside it")


def _inside(given: list[Prefix], path: Path, item: Object) -> Prefix | None:
    """The access prefix that the address of a service lies in."""
    text = path[-1] if isinstance(item, FloatingIp) else getattr(item, "address", "")
    return next((one for one in given if text and one.covers(as_ip(text))), None)


def _example(version: int) -> str:
    return "198.18.0.0/16, or another IPv4 prefix that is free" if version == 4 else "<x:x::/len>, an IPv6 prefix"


@rule(Domain)
def used_domains_are_shared(check: Check, path: Path, domain: Domain) -> Iterator[Problem]:
    for name in domain.use:
        if name == reference_name(path):
            yield problem(path, "use", f"{name} is this domain itself", f"delete {path_text(path)} use {name}")
            continue
        where = named_in_full("domain", name)
        item = check.view.get(where) if where else None
        if where is None or not isinstance(item, Domain) or not item.shared:
            cause = f"there is no shared domain {name}"
            yield problem(path, "use", cause, "write enterprise/domain; whoever has that domain must set it shared")
            continue
        before = check.running.get(path)
        if isinstance(before, Domain) and name in before.use:
            continue  # subnets that came since are looked at one by one
        for theirs, subnet in check.view.objects(Subnet, where):
            for prefix, mine in _clashing(check, subnet, path):
                if check.edits.get(theirs) is None and check.edits.get(mine) is None:  # else it is said there
                    cause = f"{prefix} of {name} overlaps subnet {mine[-1]} of this domain: {_AMBIGUOUS}"
                    yield problem(path, "use", cause, "choose another prefix for that subnet")


@rule(Domain)
def domains_in_use_stay_shared(check: Check, path: Path, domain: Domain) -> Iterator[Problem]:
    before = check.running.get(path)
    if domain.shared or not isinstance(before, Domain) or not before.shared:
        return
    users = [one for one in check.view.users_of(path) if check.edits.get(one) is None]
    if users:
        own = sorted(path_text(one[2:]) for one in users if one[1] == path[1])
        others = len(users) - len(own)
        said = own[:3] + ([f"{others} of other enterprises"] if others else [])
        cause = f"it is still used by {len(users)} domain{'s' * (len(users) > 1)}: {', '.join(said)}"
        yield problem(path, "shared", cause, f"set {path_text(path)} shared; they must delete their 'use' first")


@rule(Subnet)
def subnets_are_unambiguous(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    """Neither access prefixes of their domain nor shared domains that it uses, or that use it, have their addresses."""
    domain_path = path[:_DOMAIN_LENGTH]
    domain = check.view.get(domain_path)
    if not isinstance(domain, Domain):
        return
    for own in networks(subnet):
        leaf = _leaf(own.prefix.version)
        given = [as_prefix(text) for text in domain.access_prefix]
        for one in given:
            if (one.holds(own.prefix) or own.prefix.holds(one)) and check.edits.get(domain_path) is None:
                cause = f"{own.prefix} overlaps access-prefix {one} of its domain"
                yield problem(path, leaf, cause, "choose a prefix outside it")
        if domain.shared and all(one.version != own.prefix.version for one in given):
            if check.edits.get(domain_path) is None and check.first_time((domain_path, own.prefix.version)):
                version = own.prefix.version
                cause = f"its domain is shared, and has no IPv{version} access-prefix to show its users under"
                yield problem(path, leaf, cause, f"set {path_text(domain_path)} access-prefix {_example(version)}")
    used = (where for where in (named_in_full("domain", name) for name in domain.use) if where is not None)
    for beside in (*used, *(check.view.users_of(domain_path) if domain.shared else ())):
        for prefix, other in _clashing(check, subnet, beside):
            if not check.said_there(path, other):
                cause = f"{prefix} overlaps {_whose(path, other)}: {_AMBIGUOUS}"
                yield problem(path, _leaf(prefix.version), cause, "choose another prefix")


def _leaf(version: int) -> str:
    return "prefix" if version == 4 else "ipv6-prefix"


def _clashing(check: Check, subnet: Subnet, domain: Path) -> Iterator[tuple[Prefix, Path]]:
    """The prefixes of a subnet that overlap one of another domain, with that one's path."""
    for own in networks(subnet):
        for other in check.view.overlapping("subnet", PREFIX_FIELDS[own.prefix.version], domain, str(own.prefix)):
            yield own.prefix, other


def _whose(path: Path, subnet: Path) -> str:
    """What may be said of a subnet to somebody who has the object at `path`."""
    if subnet[1] == path[1]:
        return f"subnet {subnet[-1]} of {path_text(subnet[2:_DOMAIN_LENGTH])}, and one of both domains uses the other"
    return "a subnet of a domain of another enterprise, and one of both domains uses the other"
