"""What one switch has counted since the last look at it, exactly once, whatever became of its flows meanwhile.

A counter is a number that only grows for as long as its flow lives. The account remembers, of each that is not 0, what
it was at the last look (its *mark*), and tells what has come since:

    the flow is the same               what it grew by
    it was replaced by another ADD     what it grew by: Open vSwitch hands its counters on, though its age begins anew,
                                       and says nothing of its end
    a new flow, or one made anew       all of it: it was made after the last look, or had counted nothing then
    the flow is gone                   its mark is laid aside until the switch says what it had counted at the end
                                       (flow removed); a switch that was restarted never will
    first contact                      of flows that are older than the contact nothing: who knows when it was

Whether a flow is the same is told by its age, which a counter that fell and grew again does not betray. A younger one
that has counted no less was replaced, unless word comes of the end of the former: then it was removed and made anew.
Where everything is younger than a new connection the switch was restarted, and all is new. What is lost
at worst is what was counted between the last look and the end of a switch, meter or tunnel port that goes without a
word: one polling interval of it. Of a flow that goes it is the last half second: Open vSwitch adds up what its datapath
has counted every 500 ms, and credits what it finds afterwards to the flows that there are then (measured: 2 to 23
packets of a move under 50 packets/s). A flow that gets another cookie while it lives is the other object's from the
last look on.

Pure: no clock, no I/O. Times are those of one clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from controller.openflow.statistics import Counter
from controller.telemetry.purposes import Subject
from data.steps import Steps

__all__ = ["Account", "Growth", "Kept", "Mark", "Subjects"]

_PATIENCE = 30.0  # seconds that a mark is laid aside; Open vSwitch tells after its last packets, 1 s at most
_TOLERANCE = 0.1  # seconds between two clocks' ideas of one time
_LATE = 1.0  # seconds that word of a flow's end may take to get here, told when it was just connected
_TOGETHER = 64  # counters between two looks at the clock, about 150 µs
_DRIFT = 0.001  # seconds per second by which two clocks may differ

Subjects = Callable[[Counter], Sequence[Subject]]
"""What a counter is about; nothing when that is not known."""
Growth = dict[Subject, tuple[int, int]]
"""What it is about -> both numbers of its counters, grown since the last look."""


class Mark(NamedTuple):
    """A counter at the last look: both numbers, and how old it was (negative: it cannot be compared)."""

    first: int
    second: int
    age: float


class _Aside(NamedTuple):
    mark: Mark
    seen: float  # when that was
    until: float
    replaced: bool = False  # the flow that is there now was taken for the same one, and counted from the mark on


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """What outlives the process: when the last look was, and (identity, first, second, age) of each mark."""

    looked: float
    marks: list[tuple[bytes, int, int, float]]


class Account:
    """The counters of one switch. `since` is the time of the first contact with it; `same_clock` says whether what is
    kept has times of the same clock."""

    __slots__ = ("_aside", "_cut", "_looked", "_marks", "_since", "known")

    def __init__(self, since: float, kept: Kept | None = None, *, same_clock: bool = True) -> None:
        self._since = self._cut = since
        self._looked = since  # when the last reply was there
        self._marks: dict[bytes, Mark] = {}
        self._aside: dict[bytes, _Aside] = {}
        self.known = kept is not None  # whether there was a look already, so that what has no mark had counted nothing
        if kept is not None:
            self._looked = kept.looked if same_clock else since
            self._marks = {
                name: Mark(first, second, age if same_clock else -1.0) for name, first, second, age in kept.marks
            }

    def keep(self) -> Kept:
        """For the next process."""
        return Kept(self._looked, [(name, mark.first, mark.second, mark.age) for name, mark in self._marks.items()])

    def cut(self, at: float) -> None:
        """The connection was lost, and is there again: of what went meanwhile no word will come."""
        self._aside.clear()
        self._cut = at

    def look(self, counters: Iterable[Counter], asked: float, answered: float, subjects: Subjects) -> Steps[Growth]:
        """A look at everything: asked for and answered at these times. One that is given up changes nothing."""
        grown: Growth = {}
        marks: dict[bytes, Mark] = {}
        aside: dict[bytes, _Aside] = {}
        former, until = self._marks, answered + _PATIENCE
        counters = list(counters)
        anew = self._restarted(counters, asked)
        for number, counter in enumerate(counters):
            if number % _TOGETHER == 0:
                yield
            name = counter.identity
            if name in marks:
                continue  # told twice, and counted once
            before = former.get(name)
            if before is not None and not self._same(before, counter, asked):
                replaced = not anew and counter.first >= before.first and counter.second >= before.second
                aside[name] = _Aside(before, self._looked, until, replaced)
                before = before if replaced else None
            marks[name] = Mark(counter.first, counter.second, counter.age)
            if before is not None:
                self._add(grown, subjects(counter), counter.first - before.first, counter.second - before.second)
            elif self.known or asked - counter.age > self._since - _TOLERANCE:
                self._add(grown, subjects(counter), counter.first, counter.second)
        for number, (name, mark) in enumerate(former.items()):
            if number % _TOGETHER == 0:
                yield
            if name not in marks:
                aside[name] = _Aside(mark, self._looked, until)
        self._aside = {name: one for name, one in self._aside.items() if one.until > answered} | aside
        self._marks, self._looked, self.known = marks, answered, True
        return grown

    def removed(self, counter: Counter, at: float, subjects: Subjects) -> Growth:
        """A flow is gone and had counted this; not during a look."""
        grown: Growth = {}
        name = counter.identity
        aside, mark = self._aside.get(name), self._marks.get(name)
        before: Mark | None = None
        if (
            aside is not None
            and self._was(aside.mark, counter, aside.seen, at)
            and not (aside.replaced and self._later(aside.mark, counter, aside.seen, at))
        ):
            del self._aside[name]
            # one that was taken for replaced was made anew after all, and the mark was taken off what that had counted
            before = None if aside.replaced else aside.mark
        elif mark is not None and (
            self._was(mark, counter, self._looked, at) or self._replaced(mark, counter, self._looked)
        ):
            before = self._marks.pop(name)
        elif not self.known and at - counter.age < self._since:
            return grown
        first, second = counter.first, counter.second
        if before is not None:
            first, second = first - before.first, second - before.second
        self._add(grown, subjects(counter), first, second)
        return grown

    def _same(self, before: Mark, counter: Counter, asked: float) -> bool:
        if counter.first < before.first or counter.second < before.second:
            return False
        if before.age < 0:  # what was made since we are here is another
            return counter.age > asked - self._since
        elapsed = asked - self._looked
        return counter.age > before.age + elapsed * (1 - _DRIFT) - _TOLERANCE

    def _was(self, mark: Mark, counter: Counter, seen: float, at: float) -> bool:
        """Whether the flow that went is the one of the mark. Word of several with one identity comes in their order,
        so it is, unless it may have been made while nobody could tell."""
        if counter.first < mark.first or counter.second < mark.second or counter.age < mark.age:
            return False
        if seen > self._cut:
            return mark.age < 0 or not self._earlier(mark, counter, seen, at)
        if mark.age < 0:
            return counter.age > at - self._cut - _LATE
        return counter.age > mark.age + (at - seen) * (1 - _DRIFT) - _LATE

    def _replaced(self, mark: Mark, counter: Counter, seen: float) -> bool:
        """Whether the flow that went is one that took the place, and the counters, of that of the mark: of what was
        removed before it there would have been word already."""
        younger = counter.age < mark.age
        return younger and seen > self._cut and counter.first >= mark.first and counter.second >= mark.second

    @staticmethod
    def _earlier(mark: Mark, counter: Counter, seen: float, at: float) -> bool:
        """Whether the flow that went was made before that of the mark: one that no look ever found."""
        return at - counter.age < seen - mark.age - _LATE - (at - seen) * _DRIFT

    @staticmethod
    def _later(mark: Mark, counter: Counter, seen: float, at: float) -> bool:
        """Whether the flow that went was made after that of the mark."""
        return at - counter.age > seen - mark.age + _LATE + (at - seen) * _DRIFT

    def _restarted(self, counters: Sequence[Counter], asked: float) -> bool:
        """Whether the switch begins anew: the connection is new, and nothing is older than it."""
        since = asked - self._cut + _TOLERANCE
        return self._looked <= self._cut and all(counter.age <= since for counter in counters)

    @staticmethod
    def _add(grown: Growth, subjects: Sequence[Subject], first: int, second: int) -> None:
        if first or second:
            for subject in subjects:
                had = grown.get(subject, (0, 0))
                grown[subject] = had[0] + first, had[1] + second
