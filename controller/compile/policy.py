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

from controller.compile.addresses import Prefix, ipv4, prefix
from controller.numbers import Numbers
from controller.pipeline import Priority
from data.configuration import Configuration
from data.errors import CommandFailed
from data.path import Path
from data.schema.objects import (
    Domain,
    EgressPolicy,
    Endpoint,
    Entry,
    IngressPolicy,
    NetworkMacro,
    PolicyGroup,
    Subnet,
    Vport,
    Zone,
)

__all__ = [
    "DIRECTIONS",
    "Direction",
    "DomainPolicy",
    "Rule",
    "Term",
    "build",
    "free_places",
    "regrouped",
    "sets_of",
    "uuid_of",
    "vport_terms",
]

Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")
Term = Path
"""What a rule can name: the path of a vport, policy group, zone, subnet or macro."""
Terms = frozenset[Term]
STEP = 64  # gap left between neighbouring rules, so that one can be put between them without renumbering


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy entry with both endpoints resolved; None stands for any."""

    path: Path
    entry: Entry
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

    @cached_property
    def macros(self) -> tuple[tuple[Prefix, Term], ...]:
        """The prefixes of the macros that rules name."""
        return tuple((place, term) for place, terms in self.prefixes for term in terms if term[-2] == "network-macro")

    @cached_property
    def tracked(self) -> bool:
        """Whether packets of this domain pass conntrack: some rule is stateful."""
        return any(rule.entry.stateful for rule in self.rules.values())

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

    def of_address(self, terms: Terms, address: int) -> Terms:
        """The set of an address: the terms of its vport that rules name, and the macros it lies in."""
        used = terms & self.used
        for (network, mask), term in self.macros:
            if address & mask == network:
                used |= {term}
        return used

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
    """All entries of the domain, ingress before egress, each direction in the order in which they are looked at."""
    rules = []
    for direction in DIRECTIONS:
        keyword = f"{direction}-policy"
        policies = []
        for name in view.children(domain, keyword):
            policy = view.get((*domain, keyword, name))
            assert isinstance(policy, IngressPolicy | EgressPolicy)
            policies.append((policy.priority, name))
        for _, name in sorted(policies):
            parent = (*domain, keyword, name)
            for number in sorted(view.children(parent, "entry"), key=int):
                path = (*parent, "entry", number)
                entry = view.get(path)
                assert isinstance(entry, Entry)
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
    assert isinstance(body, Domain)
    rules = rules_of(view, domain)
    used = frozenset(term for rule in rules for term in (rule.source, rule.target) if term is not None)
    if previous is not None:
        free_places(previous, numbers, rules if previous.uuid == body.uuid else ())
    priorities: dict[Path, int] = {}
    for direction in DIRECTIONS:
        of_side = [rule for rule in rules if rule.direction == direction]
        priorities.update(_priorities(_places(body.uuid, direction), of_side, numbers))
    defaults = {side: _default(side, body, rules) for side in DIRECTIONS}
    prefixes = _prefixes(view, domain, used)
    by_path = {rule.path: rule for rule in rules}
    policy = DomainPolicy(domain, body.uuid, by_path, priorities, defaults, used, prefixes, {}, {})
    change: Counter[Terms] = Counter(terms for _, terms in prefixes)
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
        subnets = view.overlapping("subnet", "prefix", domain, body.prefix)
    for subnet in subnets:
        yield from (path for path in view.referrers(subnet) if path[-2] == "vport")


def sets_of(view: Configuration, policy: DomainPolicy, path: Path) -> Iterator[Terms]:
    """The set of each address of a vport that some rule can tell apart (the empty set is left out)."""
    vport = view.get(path)
    if not isinstance(vport, Vport) or not policy.used:
        return
    terms = vport_terms(view, path, vport)
    for address in vport.address:
        found = policy.of_address(terms, ipv4(address))
        if found:
            yield found


def _term(view: Configuration, path: Path, endpoint: Endpoint) -> Term | None:
    if endpoint.kind == "any":
        return None
    found = view.resolve(path, endpoint.kind, endpoint.name)
    assert found is not None, f"{endpoint.kind} {endpoint.name} of {path} passed the check but does not exist"
    return found


def _default(side: Direction, domain: Domain, rules: Sequence[Rule]) -> bool:
    said = domain.ingress_default if side == "ingress" else domain.egress_default
    if said is not None:
        return said == "allow"
    return not any(rule.direction == side for rule in rules)


def _prefixes(view: Configuration, domain: Path, used: Terms) -> tuple[tuple[Prefix, Terms], ...]:
    """Every prefix that rules can name, each with all terms whose prefixes contain it."""
    places: dict[Prefix, set[Term]] = {}
    for term in used:
        body = view.get(term)
        if isinstance(body, NetworkMacro):
            places.setdefault(prefix(body.prefix), set()).add(term)
        elif isinstance(body, Subnet):
            places.setdefault(prefix(body.prefix), set()).add(term)
        elif term[-2] == "zone":
            for name in view.children(term, "subnet"):
                subnet = view.get((*term, "subnet", name))
                assert isinstance(subnet, Subnet)
                places.setdefault(prefix(subnet.prefix), set()).add(term)
    found = []
    for network, mask in places:
        terms = frozenset(
            term
            for (other, other_mask), named in places.items()
            if other_mask & mask == other_mask and network & other_mask == other
            for term in named
        )
        found.append(((network, mask), terms))
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


def _priorities(pool: str, rules: Sequence[Rule], numbers: Numbers) -> dict[Path, int]:
    """A priority for each rule, falling in their order; rules that had one keep it whenever the order allows."""
    labels: list[int | None] = []
    bound = int(Priority.RULE_CEILING) + 1
    for rule in rules:
        label = numbers.find(pool, rule.entry.uuid)
        if label is not None and label < bound:
            bound = label
            labels.append(label)
        else:
            labels.append(None)
    placed = _spread(labels)
    for rule, had, label in zip(rules, labels, placed, strict=True):
        if had != label:
            numbers.put(pool, rule.entry.uuid, label)
    return {rule.path: label for rule, label in zip(rules, placed, strict=True)}


def _spread(labels: Sequence[int | None]) -> list[int]:
    """Fill the gaps of a falling sequence; when one is too narrow, all labels are given out anew, evenly."""
    result: list[int] = []
    at = 0
    above: int | None = None
    while at < len(labels):
        label = labels[at]
        if label is not None:
            result.append(label)
            above = label
            at += 1
            continue
        end = at
        while end < len(labels) and labels[end] is None:
            end += 1
        below = labels[end] if end < len(labels) else None
        count = end - at
        high = (
            above if above is not None else (below + STEP * (count + 1) if below else int(Priority.RULE_FIRST) + STEP)
        )
        high = min(high, int(Priority.RULE_CEILING) + 1)
        low = below if below is not None else int(Priority.RULE_LAST)
        step = min((high - low) // (count + 1), STEP)
        if step < 1:
            return _evenly(len(labels))
        result.extend(high - step * (nth + 1) for nth in range(count))
        above = result[-1]
        at = end
    return result


def _evenly(count: int) -> list[int]:
    room = int(Priority.RULE_CEILING) - int(Priority.RULE_LAST)
    step = max(1, min(STEP, room // (count + 1)))
    if step * count >= room:
        raise CommandFailed(
            "policy", f"{count} entries in one direction of a domain, at most {room - 1}", "merge entries"
        )
    first = (
        int(Priority.RULE_FIRST) if step * count < Priority.RULE_FIRST - Priority.RULE_LAST else Priority.RULE_CEILING
    )
    return [int(first) - step * nth for nth in range(count)]
