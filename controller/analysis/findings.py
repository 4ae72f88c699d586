"""Entries that decide nothing: what can be said of each from the policy alone.

    shadowed    every packet that it could match is matched by entries before it: by one alone, or by several together
    redundant   what it decides, later entries or the default decide alike when it is gone
    nothing     no packet is what it asks for: a group without vports, an end of the other IP version
    undecided   it would cost more than WORK to tell

`always` says that it is so whatever members groups, zones and subnets have, and not with those of today alone.
All that is found of a direction can be removed together. `turns` is what else of the domain would then be another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.analysis.ends import Ends, ends_of, versions_of
from controller.analysis.space import Box, Masks, Space, beyond, hull, masks, meets, within, without
from controller.compile.acl import icmp_version, protocol_number
from controller.compile.policy import Direction, DomainPolicy, Rule, Term
from data.path import Path
from data.schema.objects import Entry
from data.steps import Steps

__all__ = ["WORK", "Finding", "Found", "findings", "in_order"]

WORK = 1_000_000  # boxes compared for one direction of a domain, about 4 s in steps
_OF_ONE = 20_000  # the same for one entry, so that a wide one costs the others nothing
_PIECES = 4096  # that what is left of an entry may fall into
_STEP = 128  # boxes compared between two looks at the clock, about 300 µs
_HULLS = 16  # comparisons of two entries as a whole that cost as much as one of two boxes


class Found(StrEnum):
    """What is wrong with an entry, see the module."""

    SHADOWED = "shadowed"
    REDUNDANT = "redundant"
    NOTHING = "matches nothing"
    UNDECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Finding:
    """`by`: the entries that decide in its place, in their order; none when the default does, or nothing.

    `otherwise` says that some of them decide the other way than it says. `why` is the reason in words, where it needs
    one. `turns`: what would be another way without it, in words; "" when that is nothing.
    """

    found: Found
    always: bool = False
    by: tuple[Path, ...] = ()
    otherwise: bool = False
    why: str = ""
    turns: str = ""


class _TooMuch(Exception):
    """More than WORK."""


def in_order(policy: DomainPolicy, side: Direction) -> list[Rule]:
    """The entries of a direction as they are looked at."""
    rules = (rule for rule in policy.rules.values() if rule.direction == side and isinstance(rule.entry, Entry))
    return sorted(rules, key=lambda rule: -policy.priorities[rule.path])


def findings(policy: DomainPolicy, side: Direction, ends: Ends) -> Steps[dict[Path, Finding]]:
    """What is found of the entries of a direction; those that decide something are not in it."""
    looked = _Looking(policy, side, ends)
    found: dict[Path, Finding] = {}
    yield from looked.prepare()
    count = len(looked.rules)
    for look, order in ((looked.dead, range(count)), (looked.redundant, reversed(range(count)))):
        for nth in order:
            path = looked.rules[nth].path
            if path in found:
                continue
            yield
            finding = yield from look(nth)
            if finding is not None:
                found[path] = finding
    return found


class _Looking:
    """One direction of one domain."""

    def __init__(self, policy: DomainPolicy, side: Direction, ends: Ends) -> None:
        self._policy, self._side, self._ends = policy, side, ends
        self.rules = in_order(policy, side)
        self._space = Space(self.rules, tracked=policy.tracked)
        self._sources, self._targets = masks(ends.sources), masks(ends.targets)
        self._now: list[list[Box]] = []
        self._hulls: list[Box] = []
        self._left, self._of_one = WORK, _OF_ONE
        self._gone: set[int] = set()  # rules that are found to be good for nothing
        entries = [rule for rule in policy.rules.values() if isinstance(rule.entry, Entry)]
        self._stateful = sum(_entry(rule).stateful for rule in entries)

    def prepare(self) -> Steps[None]:
        """Makes boxes of the rules; first of all."""
        for nth in range(len(self.rules)):
            self._now.append(self._space.boxes(nth, self._sources, self._targets))
            self._hulls.append(hull(self._now[-1]))
            yield

    def dead(self, nth: int) -> Steps[Finding | None]:
        """Whether the n-th rule decides nothing."""
        self._of_one = _OF_ONE
        try:
            finding = yield from self._dead(nth)
        except _TooMuch:
            return Finding(Found.UNDECIDED, why="it would take too long to tell")
        if finding is not None and not finding.turns:  # one that has to stay decides where what shadows it goes
            self._gone.add(nth)
        return finding

    def redundant(self, nth: int) -> Steps[Finding | None]:
        """Whether later rules or the default decide alike all that the n-th decides. Asked from the last rule to the
        first: those that were found to be good for nothing are not counted on, so that all of them can go together.
        One for which it would take too long to tell is taken to be of use."""
        self._of_one = _OF_ONE
        try:
            return (yield from self._redundant(nth))
        except _TooMuch:
            return None

    def _dead(self, nth: int) -> Steps[Finding | None]:
        rule = self.rules[nth]
        if self._space.matches_nothing(nth, versions_of(self._policy)):
            version = icmp_version(protocol_number(_entry(rule).protocol))
            why = f"{_entry(rule).protocol} is of IPv{version}, which the domain does not have"
            return Finding(Found.NOTHING, True, why=why, turns=self._turns(rule))
        ends = masks(ends_of(self._policy, rule.source)), masks(ends_of(self._policy, rule.target))
        least = self._space.boxes(nth, *ends)
        if not least:
            why = "the domain, both ends and the protocol have no IP version in common"
            return Finding(Found.NOTHING, True, why=why, turns=self._turns(rule))
        if self._now[nth]:
            now = yield from self._shadowed(nth, self._now[nth], self._meeting(nth))
            if now is None:
                return None
            always = yield from self._always(nth, least, *ends)  # what is so whatever the members is so today
            return self._shadow(rule, always or now, always is not None)
        always = yield from self._always(nth, least, *ends)
        if always is not None:
            return self._shadow(rule, always, True)
        if not self._ends.members:
            return None
        return Finding(Found.NOTHING, False, why=self._why_nothing(rule), turns=self._turns(rule))

    def _shadow(self, rule: Rule, by: Sequence[int], always: bool) -> Finding:
        otherwise = any(_entry(self.rules[each]).action != _entry(rule).action for each in by)
        paths = tuple(self.rules[each].path for each in by)
        return Finding(Found.SHADOWED, always, paths, otherwise, turns=self._turns(rule))

    def _meeting(self, nth: int) -> list[tuple[int, list[Box]]]:
        """The rules before the n-th that can meet it with today's members, and their boxes."""
        mine = self._hulls[nth]
        return [(before, self._now[before]) for before in range(nth) if meets(mine, self._hulls[before])]

    def _always(self, nth: int, least: Sequence[Box], sources: Masks, targets: Masks) -> Steps[list[int] | None]:
        meeting = []
        for before in range(nth):
            rule = self.rules[before]
            if any((rule.source, version) in sources and (rule.target, version) in targets for version in (4, 6)):
                meeting.append((before, self._space.boxes(before, sources, targets)))
        return (yield from self._shadowed(nth, least, meeting))

    def _shadowed(
        self, nth: int, boxes: Sequence[Box], meeting: Sequence[tuple[int, list[Box]]]
    ) -> Steps[list[int] | None]:
        """The rules before the n-th that match all of these boxes between them; None when something is left."""
        yield from self._work(1 + nth // _HULLS)
        for before, others in meeting:
            yield from self._work(len(others))
            if all(within(box, others) for box in boxes):
                return [before]
        if any(beyond(box, hull([other for _, others in meeting for other in others])) for box in boxes):
            return None  # no need to take one from the other: nobody has all of some dimension
        pieces, by = list(boxes), []
        for before, others in meeting:
            yield from self._work(len(pieces) // _HULLS)
            if any(meets(piece, other) for piece in pieces for other in others):
                pieces = yield from self._take(pieces, others)
                by.append(before)
            if not pieces:
                return by
        return None

    def _redundant(self, nth: int) -> Steps[Finding | None]:
        rule = self.rules[nth]
        if self._turns(rule) or _entry(rule).log or not self._now[nth]:
            return None
        yield from self._work(1 + len(self.rules) // _HULLS)
        meeting = [others for _, others in self._meeting(nth)]
        later = [after for after in range(nth + 1, len(self.rules)) if after not in self._gone]
        later = [after for after in later if meets(self._hulls[nth], self._hulls[after])]
        pieces: list[Box] = self._now[nth]
        whole = hull([other for others in meeting for other in others])
        slab = next((piece for box in pieces if (piece := beyond(box, whole)) is not None), None)
        if slab is not None and not self._alike(nth, slab, later):
            return None
        for others in meeting:
            pieces = yield from self._take(pieces, others)
        verdict, by = self._verdict(rule), []
        for after in later:
            yield from self._work(len(pieces))
            if not any(meets(box, other) for box in pieces for other in self._now[after]):
                continue
            if self._verdict(self.rules[after]) != verdict:
                return None
            by.append(self.rules[after].path)
            pieces = yield from self._take(pieces, self._now[after])
            if not pieces:
                self._gone.add(nth)
                return Finding(Found.REDUNDANT, by=tuple(by))
        if not self._default_alike(verdict):
            return None
        self._gone.add(nth)
        default = verdict[0]
        return Finding(Found.REDUNDANT, by=tuple(by), why=f"{self._side}-default is {default}, too")

    def _alike(self, nth: int, piece: Box, later: Sequence[int]) -> bool:
        """Whether the first of the later rules that meets this piece, or the default, decides as the n-th does."""
        verdict = self._verdict(self.rules[nth])
        for after in later:
            if any(meets(piece, other) for other in self._now[after]):
                return self._verdict(self.rules[after]) == verdict
        return self._default_alike(verdict)

    def _default_alike(self, verdict: tuple[str, bool]) -> bool:
        default = "allow" if self._policy.defaults[self._side] else "deny"
        return verdict == (default, False) and not (default == "allow" and self._policy.tracked)

    def _take(self, pieces: list[Box], others: Sequence[Box]) -> Steps[list[Box]]:
        for other in others:
            left: list[Box] = []
            for start in range(0, len(pieces), _STEP):
                part = pieces[start : start + _STEP]
                yield from self._work(len(part))
                for piece in part:
                    left += without(piece, other)
            pieces = left
            if len(pieces) > _PIECES:
                raise _TooMuch
        return pieces

    def _work(self, boxes: int) -> Steps[None]:
        before = self._left
        self._left -= boxes
        self._of_one -= boxes
        if self._left < 0 or self._of_one < 0:
            raise _TooMuch
        if before // _STEP != self._left // _STEP:
            yield

    def _verdict(self, rule: Rule) -> tuple[str, bool]:
        return _entry(rule).action, _entry(rule).stateful

    def _turns(self, rule: Rule) -> str:
        """What else of the domain hangs on the rule being there."""
        if _entry(rule).stateful and self._stateful == 1:
            return "it is the last stateful entry: without it replies are let back by no policy of the domain"
        if len(self.rules) == 1:
            return f"it is the last entry: without it {self._side}-default is allow unless it is set"
        return ""

    def _why_nothing(self, rule: Rule) -> str:
        for word, term, seen in (("from", rule.source, self._sources), ("to", rule.target, self._targets)):
            if not any((term, version) in seen for version in versions_of(self._policy)):
                return _nobody(word, term)
        return "no vport that can be at one end has an address of the IP version of the other"


def _nobody(word: str, term: Term | None) -> str:
    if term is None:
        return f"nobody is there to be {word}"
    name = f"{term[-2]} {term[-1]}"
    if term[-2] == "network-macro":
        return f"no vport has an address in {name}"
    return f"{name} has no address" if term[-2] == "vport" else f"{name} has no vport with an address"


def _entry(rule: Rule) -> Entry:
    assert isinstance(rule.entry, Entry)
    return rule.entry
