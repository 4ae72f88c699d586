"""Which addresses there are at the ends of packets, as far as rules can tell them apart.

    with today's members       each vport's addresses, and one for every prefix that has an address left beside them
    whatever the members are   an address that is in what a rule names, and in nothing else that rules name

In front of an ingress policy are the vports themselves: anti-spoofing lets them send by their own addresses. Behind an
egress policy are vports, too, by their addresses or by those of many (multicast, a broadcast in their subnet). A domain
in which others may stand behind a vport (a bridge, a router, a service, one whose source is not checked) has no such
limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.analysis.space import End
from controller.compile.addresses import Ip, Prefix, identified, prefix
from controller.compile.policy import Direction, DomainPolicy, Term, vport_terms
from controller.compile.state import BRIDGE
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Subnet, Vport
from data.steps import Steps

__all__ = ["Ends", "ends_now", "ends_of", "versions_of"]

_OTHERS_BEHIND = ("static-route", "virtual-ip", "redirection-target")
"""What lets a vport send by, or get packets for, addresses that are not its own."""
_MANY = {4: prefix("224.0.0.0/3"), 6: prefix("ff00::/8")}
"""Multicast; in IPv4 with the broadcast address (RFC 5771, RFC 919)."""
_UNSPECIFIED = Ip(6, 0)
"""By which an interface speaks that has no address yet (RFC 4862 section 5.4.2)."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What can be at both ends of the packets that a direction's rules look at."""

    sources: Sequence[End]
    targets: Sequence[End]
    members: bool = True
    """Whether the domain has a vport at all: what stands for none in a domain without any may be filled yet."""


def ends_now(view: Configuration, policy: DomainPolicy) -> Steps[dict[Direction, Ends]]:
    """The ends with today's members, for each direction. Costs the vports of the domain."""
    own: dict[End, None] = {}
    taken: dict[Prefix | None, int] = {}  # how many addresses of vports a prefix has that no longer one has
    limited, any_vport = not any(view.count(policy.domain, keyword) for keyword in _OTHERS_BEHIND), False
    for path, vport in _vports(view, policy.domain):
        yield
        any_vport = True
        limited = limited and vport.type != BRIDGE and vport.anti_spoofing == "full"
        terms = vport_terms(view, path, vport)
        for ip in identified(vport):
            own[policy.of_address(terms, ip), ip.version] = None
            place = _longest(policy, ip)
            taken[place] = taken.get(place, 0) + 1
    others = dict.fromkeys(_beside(policy, taken))
    everybody = tuple({**own, **others})
    if not (limited and any_vport):
        return {side: Ends(everybody, everybody, any_vport) for side in ("ingress", "egress")}
    senders = dict(own)
    if 6 in versions_of(policy):
        senders[policy.of_address(frozenset(), _UNSPECIFIED), 6] = None
    receivers = {**own, **dict.fromkeys(_flooded(view, policy))}
    return {"ingress": Ends(tuple(senders), everybody), "egress": Ends(everybody, tuple(receivers))}


def ends_of(policy: DomainPolicy, term: Term | None) -> tuple[End, ...]:
    """An address of the least that a rule's term stands for, for each IP version that it can have."""
    if term is None:
        return tuple((frozenset(), version) for version in versions_of(policy))
    found: dict[int, frozenset[Term]] = {}
    for place, terms in policy.prefixes:
        if term in terms and term[-2] in ("network-macro", "subnet"):
            found[place.version] = found.get(place.version, terms) & terms
    if found:
        return tuple((terms, version) for version, terms in found.items() if version in versions_of(policy))
    return tuple((frozenset({term}), version) for version in versions_of(policy))


def versions_of(policy: DomainPolicy) -> tuple[int, ...]:
    """The IP versions of a domain's packets; both as long as it has no subnet."""
    return policy.families or (4, 6)


def _vports(view: Configuration, domain: Path) -> Iterator[tuple[Path, Vport]]:
    for name in view.children(domain, "vport"):
        vport = view.get((*domain, "vport", name))
        if isinstance(vport, Vport):
            yield (*domain, "vport", name), vport


def _flooded(view: Configuration, policy: DomainPolicy) -> Iterator[End]:
    """What the addresses are by which many are reached at once."""
    for version in versions_of(policy):
        many = _MANY[version]
        yield _terms_at(policy, many.last), version
        for place, terms in policy.prefixes:
            if place.holds(many) or many.holds(place):
                yield terms, version
        yield _terms_at(policy, many.first), version
    subnets = {view.resolve(path, "subnet", vport.subnet) for path, vport in _vports(view, policy.domain)}
    for body in (view.get(path) for path in subnets if path is not None):
        if isinstance(body, Subnet) and body.prefix:
            yield _terms_at(policy, prefix(body.prefix).last), 4


def _terms_at(policy: DomainPolicy, ip: Ip) -> frozenset[Term]:
    """The terms of an address that no vport has."""
    place = _longest(policy, ip)
    return frozenset() if place is None else dict(policy.prefixes)[place]


def _longest(policy: DomainPolicy, ip: Ip) -> Prefix | None:
    around = (place for place, _ in policy.prefixes if place.covers(ip))
    return max(around, key=lambda place: place.length, default=None)


def _beside(policy: DomainPolicy, taken: dict[Prefix | None, int]) -> Iterator[End]:
    """What addresses are that no vport has."""
    places = [place for place, _ in policy.prefixes]
    for place, terms in policy.prefixes:
        inside = [other for other in places if other != place and place.holds(other)]
        if place.version in versions_of(policy) and _size(place) - _sum(inside) - taken.get(place, 0) > 0:
            yield terms, place.version
    for version in versions_of(policy):
        if not any(place.version == version and place.length == 0 for place in places):
            bits = 32 if version == 4 else 128
            if (1 << bits) - _sum([place for place in places if place.version == version]) > 0:
                yield frozenset(), version


def _sum(places: Sequence[Prefix]) -> int:
    """How many addresses lie in any of the prefixes, which lie in each other or apart."""
    outer = [place for place in places if not any(other != place and other.holds(place) for other in places)]
    return sum(_size(place) for place in outer)


def _size(place: Prefix) -> int:
    return place.last.number - place.network + 1
