"""The security policy of one domain, reduced to what rules can tell apart.

A rule names vports, policy groups, zones, subnets and macros: its **terms**. All addresses that lie in the same set of
terms are alike to every rule, so each such set gets one number, its **identity**, and rules match identities. Cost
follows the number of distinct sets: a new member of a known set changes no rule.

Only terms that some rule names count, so that groups nobody uses do not split identities. See `identity.py` for the
flows that map an address to its identity and `acl.py` for those of the rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Literal

from controller.compile.addresses import Ip, Prefix, identified, prefix, prefixes
from controller.compile.places import places_of
from controller.numbers import Numbers
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import (
    Domain,
    EgressPolicy,
    Endpoint,
    Entry,
    IngressPolicy,
    L2Domain,
    NetworkMacro,
    PolicyGroup,
    Subnet,
    Vport,
    Zone,
)
from data.schema.services import ForwardingPolicy, Redirect

__all__ = [
    "DIRECTIONS",
    "Direction",
    "DomainPolicy",
    "Rule",
    "Term",
    "build",
    "free_places",
    "regrouped",
    "rules_of",
    "sets_of",
    "uuid_of",
    "vport_terms",
]

Direction = Literal["ingress", "egress", "forwarding"]
DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")
"""Where packets are let through or not; `forwarding` rules decide about the way of those that were."""
_RULES: tuple[tuple[Direction, str], ...] = (("ingress", "entry"), ("egress", "entry"), ("forwarding", "redirect"))
Term = Path
"""What a rule can name: the path of a vport, policy group, zone, subnet or macro."""
Terms = frozenset[Term]


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy entry with both endpoints resolved; None stands for any."""

    path: Path
    entry: Entry | Redirect
    direction: Direction
    source: Term | None
    target: Term | None


@dataclass(frozen=True)
class DomainPolicy:
    """What the rules of one domain mean; immutable, and rebuilt only when its rules or members change.

    `sets` counts how many addresses carry each set of terms; `numbers` holds the identity of each set in use.
    """

    domain: Path
    uuid: str
    rules: Mapping[Path, Rule]
    priorities: Mapping[Path, int]
    defaults: Mapping[Direction, bool]  # whether a packet that no rule matched is allowed
    used: Terms
    prefixes: tuple[tuple[Prefix, Terms], ...]  # subnets and macros that rules name, with the terms of their addresses
    sets: Mapping[Terms, int]
    numbers: Mapping[Terms, int]
    families: tuple[int, ...] = (4,)
    """IP versions of its subnets; an l2-domain carries both."""

    @cached_property
    def macros(self) -> tuple[tuple[Prefix, Term], ...]:
        """The prefixes of the macros that rules name."""
        return tuple((place, term) for place, terms in self.prefixes for term in terms if term[-2] == "network-macro")

    @cached_property
    def tracked(self) -> bool:
        """Whether packets of this domain pass conntrack: some rule is stateful."""
        return any(isinstance(rule.entry, Entry) and rule.entry.stateful for rule in self.rules.values())

    @cached_property
    def directions(self) -> Collection[Direction]:
        """The directions in which packets must be looked at."""
        if self.tracked:
            return DIRECTIONS
        return tuple(
            side
            for side in DIRECTIONS
            if not self.defaults[side] or any(rule.direction == side for rule in self.rules.values())
        )

    def identities(self, term: Term | None) -> Sequence[int]:
        """The identities a rule that names `term` matches, ascending; empty for any."""
        if term is None:
            return ()
        return sorted(number for terms, number in self.numbers.items() if term in terms)

    def of_address(self, terms: Terms, ip: Ip) -> Terms:
        """The set of an address: the terms of its vport that rules name, and the macros it lies in."""
        used = terms & self.used
        for network, term in self.macros:
            if network.covers(ip):
                used |= {term}
        return used

    def names(self, path: Path, vport: Vport) -> bool:
        """Whether a rule names this vport or a group of it: then its prefix alone does not tell who it is."""
        return path in self.used or any((*path[:4], "policy-group", group) in self.used for group in vport.policy_group)

    def naming(self, terms: Collection[Terms]) -> Iterator[Path]:
        """The rules that name a term of any of these sets."""
        touched = frozenset[Term]().union(*terms)
        for path, rule in self.rules.items():
            if rule.source in touched or rule.target in touched:
                yield path

    def with_sets(self, view: Configuration, change: Mapping[Terms, int], numbers: Numbers) -> DomainPolicy:
        """A copy after addresses joined (+n) or left (-n) sets; the rules stay as they are."""
        sets = dict(self.sets)
        for terms, by in change.items():
            sets[terms] = sets.get(terms, 0) + by
            if not sets[terms]:
                del sets[terms]
        if sets.keys() == self.sets.keys():
            return replace(self, sets=sets)
        pool = f"identity/{self.uuid}"
        held = {terms: self.numbers.get(terms) or numbers.get(pool, _digest(view, terms)) for terms in sets}
        return replace(self, sets=sets, numbers=held)


def vport_terms(view: Configuration, path: Path, vport: Vport) -> Terms:
    """Everything a rule could name to reach this vport: itself, its groups, its subnet and its zone."""
    domain = path[:4]
    subnet = view.resolve(path, "subnet", vport.subnet)
    terms = {path, *((*domain, "policy-group", group) for group in vport.policy_group)}
    if subnet is not None:
        terms |= {subnet, subnet[:-2]}
    return frozenset(terms)


def rules_of(view: Configuration, domain: Path) -> list[Rule]:
    """All entries of the domain, each direction in the order in which they are looked at."""
    rules = []
    for direction, keyword in _RULES:
        of_direction = f"{direction}-policy"
        policies = []
        for name in view.children(domain, of_direction):
            policy = view.get((*domain, of_direction, name))
            assert isinstance(policy, IngressPolicy | EgressPolicy | ForwardingPolicy)
            policies.append((not policy.inherited, policy.priority, name))  # those of the template first
        for _, _, name in sorted(policies):
            parent = (*domain, of_direction, name)
            for number in sorted(view.children(parent, keyword), key=int):
                path = (*parent, keyword, number)
                entry = view.get(path)
                assert isinstance(entry, Entry | Redirect)
                rules.append(Rule(path, entry, direction, _term(view, path, entry.from_), _term(view, path, entry.to)))
    return rules


def build(
    view: Configuration, domain: Path, numbers: Numbers, previous: DomainPolicy | None, *, afresh: bool = False
) -> DomainPolicy:
    """The policy of a domain from its configuration.

    With a `previous` one its counts are taken over: move the vports whose sets changed (`regrouped`) with `with_sets`.
    `afresh` counts anew: its identities belong to objects that have other UUIDs now.
    """
    body = view.get(domain)
    assert isinstance(body, Domain | L2Domain)
    rules = rules_of(view, domain)
    used = frozenset(term for rule in rules for term in (rule.source, rule.target) if term is not None)
    if previous is not None:
        free_places(previous, numbers, rules if previous.uuid == body.uuid else ())
    priorities: dict[Path, int] = {}
    for direction, _ in _RULES:
        of_side = [rule for rule in rules if rule.direction == direction]
        falling = places_of(_places(body.uuid, direction), [rule.entry.uuid for rule in of_side], numbers)
        priorities.update((rule.path, place) for rule, place in zip(of_side, falling, strict=True))
    defaults = {side: _default(side, body, rules) for side in DIRECTIONS}
    by_path = {rule.path: rule for rule in rules}
    families = _families(view, domain)
    places = _prefixes(view, domain, used)
    policy = DomainPolicy(domain, body.uuid, by_path, priorities, defaults, used, places, {}, {}, families)
    change: Counter[Terms] = Counter(terms for _, terms in places)
    if previous is not None and not afresh:
        policy = replace(policy, sets=previous.sets, numbers=previous.numbers)
        change.subtract(terms for _, terms in previous.prefixes)
    elif used:
        for name in view.children(domain, "vport"):
            change.update(sets_of(view, policy, (*domain, "vport", name)))
    return policy.with_sets(view, change, numbers)


def regrouped(before: DomainPolicy, after: DomainPolicy, old: Configuration, new: Configuration) -> set[Path]:
    """The vports whose sets may differ because rules name other terms, or a macro has another prefix."""
    macros = {term for _, term in set(before.macros) ^ set(after.macros)}
    terms = (before.used ^ after.used) | macros
    return {path for view in (old, new) for term in terms for path in _vports_in(view, before.domain, term)}


def _vports_in(view: Configuration, domain: Path, term: Term) -> Iterator[Path]:
    body = view.get(term)
    subnets: Iterable[Path] = ()
    if isinstance(body, Vport):
        yield term
    elif isinstance(body, PolicyGroup):
        yield from (path for path in view.referrers(term) if path[-2] == "vport")
    elif isinstance(body, Subnet):
        subnets = (term,)
    elif isinstance(body, Zone):
        subnets = [(*term, "subnet", name) for name in view.children(term, "subnet")]
    elif isinstance(body, NetworkMacro):
        field = "prefix" if prefix(body.prefix).version == 4 else "ipv6_prefix"
        subnets = view.overlapping("subnet", field, domain, body.prefix)
        for path in ((*domain, "vport", name) for name in view.children(domain, "vport")):
            if domain[2] != "domain" or getattr(view.get(path), "type", "") == "bridge":
                yield path
    for subnet in subnets:
        yield from (path for path in view.referrers(subnet) if path[-2] == "vport")


def sets_of(view: Configuration, policy: DomainPolicy, path: Path) -> Iterator[Terms]:
    """The set of each address of a vport that some rule can tell apart (the empty set is left out)."""
    vport = view.get(path)
    if not isinstance(vport, Vport) or not policy.used:
        return
    terms = vport_terms(view, path, vport)
    for ip in identified(vport):
        found = policy.of_address(terms, ip)
        if found:
            yield found
    if vport.type == "bridge" and policy.names(path, vport):  # the sets that learned addresses can have
        macros, base = policy.macros, terms & policy.used
        yield from (base, *(base | {term for network, term in macros if network.holds(one)} for one, _ in macros))


def _term(view: Configuration, path: Path, endpoint: Endpoint) -> Term | None:
    if endpoint.kind == "any":
        return None
    found = view.resolve(path, endpoint.kind, endpoint.name)
    assert found is not None, f"{endpoint.kind} {endpoint.name} of {path} passed the check but does not exist"
    return found


def _families(view: Configuration, domain: Path) -> tuple[int, ...]:
    if domain[2] != "domain":
        return (4, 6)
    versions = {
        network.version
        for zone in view.children(domain, "zone")
        for name in view.children((*domain, "zone", zone), "subnet")
        if isinstance(subnet := view.get((*domain, "zone", zone, "subnet", name)), Subnet)
        for network in prefixes(subnet)
    }
    return tuple(sorted(versions))


def _default(side: Direction, domain: Domain | L2Domain, rules: Sequence[Rule]) -> bool:
    said = domain.ingress_default if side == "ingress" else domain.egress_default
    if said is not None:
        return said == "allow"
    return not any(rule.direction == side for rule in rules)


def _prefixes(view: Configuration, domain: Path, used: Terms) -> tuple[tuple[Prefix, Terms], ...]:
    """Every prefix that rules can name, each with all terms whose prefixes contain it."""
    places: dict[Prefix, set[Term]] = {}

    def add(subnet: Path, term: Term) -> None:
        body = view.get(subnet)
        assert isinstance(body, Subnet)
        for network in prefixes(body):
            places.setdefault(network, set()).add(term)

    for term in used:
        body = view.get(term)
        if isinstance(body, NetworkMacro):
            places.setdefault(prefix(body.prefix), set()).add(term)
        elif isinstance(body, Subnet):
            add(term, term)
        elif term[-2] == "zone":
            for name in view.children(term, "subnet"):
                add((*term, "subnet", name), term)
    found = []
    for network in places:
        terms = frozenset(term for other, named in places.items() if other.holds(network) for term in named)
        found.append((network, terms))
    return tuple(sorted(found, key=lambda place: place[0]))


def _digest(view: Configuration, terms: Terms) -> str:
    """A key for a set that outlives restarts and renaming: 128 bits of the UUIDs of its terms."""
    text = "\n".join(sorted(uuid_of(view, term) for term in terms))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def uuid_of(view: Configuration, path: Path) -> str:
    """The UUID of an object that is known to be there."""
    found = view.get(path)
    assert found is not None, f"{' '.join(path)} is gone"
    return found.uuid


def _places(domain: str, side: Direction) -> str:
    """The pool of priorities of one direction of the domain with this UUID."""
    return f"priority/{domain}/{side}"


def free_places(policy: DomainPolicy, numbers: Numbers, kept: Sequence[Rule] = ()) -> None:
    """Entries that are gone leave their priorities to others: those of a deleted domain, too, which may return."""
    stay = {(rule.direction, rule.entry.uuid) for rule in kept}
    for rule in policy.rules.values():
        if (rule.direction, rule.entry.uuid) not in stay:
            numbers.free(_places(policy.uuid, rule.direction), rule.entry.uuid)
