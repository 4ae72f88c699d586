"""Who reaches whom after a change of policy entries and did not before, and the other way round: for `commit check`.

    app-1, app-2 -> db-1 tcp/5432   denied -> allowed

A pure function over the compiled policies before and after. Only edited entries are looked at, with packets that these
entries name: the first packet of a connection, between vports that exist before and after, and the macros that the
entries name. Vports that all rules treat alike are judged once. What would cost more than BUDGET is not looked at, and
said so: this is a summary for a person, the flows are exact.

It does not stand on space.py: there the atoms are those of one direction of one configuration, here one packet is
taken through both directions of two of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from controller.compile import State
from controller.compile.addresses import address
from controller.compile.policy import DIRECTIONS, Direction, DomainPolicy, Rule, Terms, vport_terms
from data.configuration import Edits
from data.path import Path
from data.schema.objects import Entry, Vport
from data.schema.types import port_range

__all__ = ["BUDGET", "changed_verdicts"]

BUDGET = 200_000  # rules compared with a pair of classes, about 50 ms in all
_VPORTS = 1000  # of a domain; listing and sorting them into classes takes 10 ms
_ENTRIES = 32
_NAMES = 4  # vports named on one side of a line
_LINES = 16
_WIDTH = 60


class Packet(NamedTuple):
    """The first packet of a connection; None is a value that no rule names."""

    protocol: str | None
    source_port: int | None
    port: int | None
    icmp_type: int | None
    icmp_code: int | None
    dscp: int | None


class _Class(NamedTuple):
    """What all rules treat alike: the terms before and after, and whether it is on some hypervisor."""

    before: Terms
    after: Terms
    resolved: bool


@dataclass
class _Work:
    left: int
    lines: list[tuple[str, str]] = field(default_factory=list)  # who, and what changes for them
    named: bool = False  # say the domain of each line: a template changes many


def changed_verdicts(old: State, new: State, edits: Edits) -> tuple[str, ...]:
    """The lines; none when nothing changes that these packets could tell."""
    domains: dict[Path, list[Path]] = {}
    for path in edits:
        if len(path) == 8 and path[6] == "entry":
            domains.setdefault(path[:4], []).append(path)
    work = _Work(BUDGET, named=len(domains) > 1)
    for domain, entries in domains.items():
        before, after = old.policies.get(domain), new.policies.get(domain)
        if before is None or after is None:
            continue
        if len(entries) > _ENTRIES:
            work.lines.append((f"domain {domain[3]}", f"not looked at: {len(entries)} entries are edited"))
            continue
        _domain(old, new, before, after, entries, work)
    if len(work.lines) > _LINES:
        work.lines[_LINES:] = [("and", f"{len(work.lines) - _LINES} more")]
    width = min(_WIDTH, max((len(who) for who, _ in work.lines), default=0))
    return tuple(f"{who.ljust(width)}   {what}" for who, what in work.lines)


def _domain(
    old: State, new: State, before: DomainPolicy, after: DomainPolicy, entries: Sequence[Path], work: _Work
) -> None:
    rules = [rule for path in entries for policy in (before, after) if (rule := policy.rules.get(path)) is not None]
    classes = _classes(old, new, before, after, rules)
    if classes is None:
        work.lines.append((f"domain {before.domain[3]}", f"not looked at: it has more than {_VPORTS} vports"))
        return
    for packet, label in dict(_packets(rules)).items():
        first = {side: _matching(before, side, packet) for side in DIRECTIONS}
        then = {side: _matching(after, side, packet) for side in DIRECTIONS}
        cost = 1 + sum(map(len, (*first.values(), *then.values())))
        changed: dict[tuple[str, _Class], list[_Class]] = {}
        for source in classes:
            for target in classes:
                if not any(_named(rule, source, target) for rule in rules):
                    continue
                if source is target and len(classes[source]) == 1:
                    continue
                work.left -= cost
                if work.left < 0:
                    work.lines.append((f"domain {before.domain[3]}", "the rest is not looked at: it is too much"))
                    return
                was = all(_allowed(first[side], before.defaults[side], source.before, target.before) for side in first)
                now = all(_allowed(then[side], after.defaults[side], source.after, target.after) for side in then)
                if was != now:
                    what = "denied -> allowed" if now else "allowed -> denied"
                    changed.setdefault((what, source), []).append(target)
        whose = f"{before.domain[1]}/{before.domain[3]}: " if work.named else ""
        work.lines += [(whose + who, what) for who, what in _told(changed, classes, label)]


def _classes(
    old: State, new: State, before: DomainPolicy, after: DomainPolicy, rules: Sequence[Rule]
) -> dict[_Class, list[str]] | None:
    """The vports and named macros by what rules can tell apart; None when they are too many."""
    found: dict[_Class, list[str]] = {}
    domain = before.domain
    for seen, (path, vport) in enumerate(new.view.objects(Vport, domain)):
        if seen >= _VPORTS:
            return None
        former = old.view.get(path)
        if not isinstance(former, Vport) or not isinstance(vport, Vport):
            continue
        was, now = _terms(before, old, path, former), _terms(after, new, path, vport)
        found.setdefault(_Class(was, now, new.place(path) is not None), []).append(path[-1])
    macros = {term for rule in rules for term in (rule.source, rule.target) if term and term[-2] == "network-macro"}
    for term in sorted(macros):
        found[_Class(frozenset({term}), frozenset({term}), True)] = [f"network-macro {term[-1]}"]
    return found


def _terms(policy: DomainPolicy, state: State, path: Path, vport: Vport) -> Terms:
    """What rules can name of a vport; of several addresses the first."""
    terms = vport_terms(state.view, path, vport)
    return policy.of_address(terms, address(vport.address[0])) if vport.address else terms & policy.used


def _packets(rules: Sequence[Rule]) -> Iterator[tuple[Packet, str]]:
    """The packets that the rules name: one for each port or range, and how a person calls it."""
    for rule in rules:
        entry = rule.entry
        if not isinstance(entry, Entry):
            continue  # a redirect leads a packet another way and decides nothing
        source = port_range(entry.source_port[0])[0] if entry.source_port else None
        for port in entry.destination_port or (None,):
            packet = Packet(
                entry.protocol, source, None if port is None else port_range(port)[0],
                entry.icmp_type, entry.icmp_code, entry.dscp,
            )  # fmt: skip
            yield packet, (entry.protocol or "ip") + (f"/{port}" if port else "")


def _matching(policy: DomainPolicy, side: Direction, packet: Packet) -> list[Rule]:
    """The rules of a direction that this packet could match, in the order in which they are looked at."""
    rules = [
        rule
        for rule in policy.rules.values()
        if rule.direction == side and isinstance(rule.entry, Entry) and _transport(rule.entry, packet)
    ]
    return sorted(rules, key=lambda rule: -policy.priorities[rule.path])


def _transport(entry: Entry, packet: Packet) -> bool:
    return (
        entry.protocol in (None, packet.protocol)
        and _in(packet.source_port, entry.source_port)
        and _in(packet.port, entry.destination_port)
        and entry.icmp_type in (None, packet.icmp_type)
        and entry.icmp_code in (None, packet.icmp_code)
        and entry.dscp in (None, packet.dscp)
    )


def _in(port: int | None, ranges: Collection[str]) -> bool:
    if not ranges:
        return True
    return port is not None and any(low <= port <= high for low, high in map(port_range, ranges))


def _named(rule: Rule, source: _Class, target: _Class) -> bool:
    """Whether the rule could be about this pair, before or after."""
    return (rule.source is None or rule.source in source.before | source.after) and (
        rule.target is None or rule.target in target.before | target.after
    )


def _allowed(rules: Sequence[Rule], default: bool, source: Terms, target: Terms) -> bool:
    """The verdict of the first rule that matches."""
    for rule in rules:
        if (rule.source is None or rule.source in source) and (rule.target is None or rule.target in target):
            return isinstance(rule.entry, Entry) and rule.entry.action == "allow"
    return default


def _told(
    changed: Mapping[tuple[str, _Class], Sequence[_Class]], classes: Mapping[_Class, Sequence[str]], label: str
) -> Iterator[tuple[str, str]]:
    """One line for all sources that reach the same targets; those that are nowhere yet apart."""
    together: dict[tuple[str, tuple[_Class, ...], bool], list[_Class]] = {}
    for (what, source), targets in changed.items():
        for resolved in (True, False):
            there = tuple(target for target in targets if target.resolved is resolved)
            if there:
                together.setdefault((what, there, source.resolved), []).append(source)
    for (what, targets, resolved), sources in together.items():
        ends = _names(sources, classes), _names(targets, classes)
        absent = [] if targets[0].resolved else [*targets]
        absent += [] if resolved else [each for each in sources if each not in absent]
        verb = "is" if sum(len(classes[each]) for each in absent) == 1 else "are"
        later = f" once {_names(absent, classes)} {verb} resolved" if absent else ""
        yield f"{ends[0]} -> {ends[1]} {label}", what + later


def _names(some: Sequence[_Class], classes: Mapping[_Class, Sequence[str]]) -> str:
    names = sorted(name for each in some for name in classes[each])
    rest = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {rest} more" if rest > 0 else "")
