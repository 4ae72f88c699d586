"""Changes of the configuration that may let a packet through that a trace says is stopped, as set lines.

    denied by an entry      an entry before it in the same policy, for exactly this packet and these two ends
    denied by a default     an entry behind the last one of the direction, in a policy of its own when there is none
    its answer is denied    the same, stateful, in the direction whose entry let the packet through without its answer
    a black hole            the static route is taken away
    no way to a domain      the domain uses the shared one

Pure, and never more than the next step: `allowed.py` compiles each and traces again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from controller.analysis.parties import Party, ends_words
from controller.compile.policy import DIRECTIONS, Direction, rules_of
from controller.compile.state import State
from controller.trace.question import Question, Trace, Verdict, Way
from data.addresses import Ip
from data.path import Path, path_text
from data.schema.objects import Domain, Entry
from data.schema.services import StaticRoute

__all__ = ["By", "Step", "next_step", "stopped"]

By = Literal["vport", "policy-group", "subnet", "zone"]
"""What a new entry names at its ends."""
_STEP, _LAST = 10, 65535  # between numbers of entries; the highest one
_POLICY = "access"  # a policy that is made because there is none
_PASSES = (Verdict.DELIVERED, Verdict.LEFT, Verdict.ANSWERED)


@dataclass(frozen=True, slots=True)
class Step:
    """Lines that do away with one thing that stops the packet."""

    lines: tuple[str, ...]


def stopped(told: Trace) -> Way | None:
    """The first way on which the packet, or its answer, does not come through; None when all do."""
    for way in told.ways:
        if way.verdict not in _PASSES:
            return way
        if way.reply is not None and way.reply.verdict not in _PASSES:
            return way
    return None


def next_step(state: State, question: Question, way: Way, by: By) -> Step | None:
    """What would do away with what stops the packet on this way; None when no line of the configuration does."""
    if way.verdict is Verdict.DENIED:
        side = side_of(way)
        return None if side is None else _entry(state, question, side, decided_by(way, side), by)
    if way.verdict in _PASSES and way.reply is not None:  # denied, or dropped: nobody noted the connection
        refused = side_of(way.reply)
        if refused is None:
            return None
        side = DIRECTIONS[1 - DIRECTIONS.index(refused)]  # an answer passes by the rules of the packet that it answers
        return _entry(state, question, side, decided_by(way, side), by)
    if way.verdict is Verdict.DROPPED:
        return _way_out(state, question, way)
    return None


def side_of(way: Way) -> Direction | None:
    """The direction whose policy denied it."""
    if way.at is not None and len(way.at) > 4:
        return next((side for side in DIRECTIONS if way.at[4] == f"{side}-policy"), None)
    last = next((hop.table for hop in reversed(way.hops) if hop.table.startswith(DIRECTIONS)), "")
    return next((side for side in DIRECTIONS if last.startswith(side)), None)


def decided_by(way: Way, side: Direction) -> Path | None:
    """The entry that decided about the packet in a direction; None when it was the default, or nothing."""
    if way.at is not None and way.at[4:5] == (f"{side}-policy",) and way.at[6:7] == ("entry",):
        return way.at
    found = (hop.object for hop in reversed(way.hops) if hop.object is not None)
    return next((path for path in found if path[4:5] == (f"{side}-policy",) and path[6:7] == ("entry",)), None)


def _entry(state: State, question: Question, side: Direction, before: Path | None, by: By) -> Step | None:
    parties = ends_words(state, question, side, by)
    if parties is None:
        return None
    domain, source, target = parties
    place = _before(state, before) if before is not None and before[:4] == domain else _behind(state, domain, side)
    if place is None:
        return None
    ends = [f"{word} {party.words}" for word, party in (("from", source), ("to", target)) if party.words != "any"]
    words = " ".join([*ends, *_transport(question, source), "action allow stateful"])
    made = [*source.lines, *(line for line in target.lines if line not in source.lines)]
    return Step((*made, f"set {path_text(place)} {words}"))


def _transport(question: Question, source: Party) -> Iterator[str]:
    protocol = question.protocol
    if protocol in (None, "icmp", "icmpv6"):
        version = source.version
        kind = question.icmp_type if question.icmp_type is not None else (8 if version == 4 else 128)
        yield f"protocol {'icmp' if version == 4 else 'icmpv6'} icmp-type {kind}"
        if question.icmp_code is not None:
            yield f"icmp-code {question.icmp_code}"
    else:
        yield f"protocol {protocol}"
    if question.source_port is not None:
        yield f"source-port {question.source_port}"
    if question.destination_port is not None:
        yield f"destination-port {question.destination_port}"
    if question.dscp:
        yield f"dscp {question.dscp}"


def _before(state: State, entry: Path) -> Path | None:
    """A free place before an entry in its policy, as near as there is one."""
    policy = entry[:-2]
    taken = {int(name) for name in state.view.children(policy, "entry")}
    number = int(entry[-1])
    former = max((one for one in taken if one < number), default=0)
    if number - former > 1:
        return (*policy, "entry", str((former + number) // 2))
    free = next((one for one in range(number - 1, 0, -1) if one not in taken), None)
    return None if free is None else (*policy, "entry", str(free))


def _behind(state: State, domain: Path, side: Direction) -> Path | None:
    """A place behind all entries of a direction."""
    last = [
        rule.path for rule in rules_of(state.view, domain) if rule.direction == side and isinstance(rule.entry, Entry)
    ]
    if last:
        number = int(last[-1][-1]) + _STEP
        return (*last[-1][:-2], "entry", str(number)) if number <= _LAST else None
    names = state.view.children(domain, f"{side}-policy")
    return (*domain, f"{side}-policy", names[-1] if names else _POLICY, "entry", str(_STEP))


def _way_out(state: State, question: Question, way: Way) -> Step | None:
    if way.at is not None and isinstance(route := state.view.get(way.at), StaticRoute) and route.blackhole:
        return Step((f"delete {path_text(way.at)}",))
    to, own = question.destination, question.source[:4]
    if isinstance(to, Ip) or to[:4] == own:
        return None
    shared, body = state.view.get(to[:4]), state.view.get(own)
    if not isinstance(shared, Domain) or not isinstance(body, Domain) or not shared.shared:
        return None
    name = f"{to[1]}/{to[3]}"
    return None if name in body.use else Step((f"set {path_text(own)} use {name}",))
