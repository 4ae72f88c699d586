"""why not: the smallest change after which a packet comes through, found by making it and tracing again.

    trace ──> stopped? ──> next_step (changes.py) ──> draft ──> trace again ...     at most STEPS times
                 │ no
                 └──> leave out each line that it comes through without ──> Offer

Every draft is thrown away: nothing is applied, and what is offered is what the last trace said comes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.analysis.changes import By, next_step, stopped
from controller.analysis.verdicts import changed_verdicts
from controller.commit.planning import Draft, change_of, check, draft
from controller.compile.state import State
from controller.network import Network
from controller.trace import Compiled, Question, Trace, Way, trace
from controller.trace.question import Verdict
from data.access import Access
from data.addresses import Ip
from data.candidate import Candidate
from data.errors import NotPermitted, NshellError
from data.path import Path
from data.steps import spread

__all__ = ["Answer", "Offer", "why_not"]

_STEPS = 5  # things in the way of one packet that are done away with: two directions, their answers, a domain


@dataclass(frozen=True, slots=True)
class Offer:
    """Set lines after which the packet comes through, and who else reaches whom then (`verdicts.py`)."""

    lines: tuple[str, ...]
    reach: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`stopped`: the way on which it, or its answer, does not come through now, None when it does. `refused`: why
    there is no offer, when the user may not make the change that would help."""

    trace: Trace
    stopped: Way | None
    offer: Offer | None = None
    refused: NshellError | None = None
    left: Way | None = None
    """What stops it once what can be changed is changed, when that is not the whole way."""
    absent: Path | None = None
    """Its receiver, when a policy denies it that knows nobody there: on no hypervisor, no entry holds for it."""


async def why_not(network: Network, question: Question, by: By, access: Access) -> Answer:
    """The answer for a user with this access. Takes the turn, as `commit check` does. Raises CommandFailed."""
    asked = replace(question, reply=True)
    async with network.turn:
        state = network.state
        domain = question.source[:4]
        now = await spread(trace(state, asked, Compiled(state, domain), underlay=not access.confined))
        before = stopped(now)
        if before is None:
            return Answer(now, None)
        tried = _Tried(network, asked, access)
        lines: tuple[str, ...] = ()
        way: Way | None = before
        for _ in range(_STEPS):
            assert way is not None
            step = next_step(state, asked, way, by)
            if step is None or set(step.lines) <= set(lines):
                return Answer(now, before, left=way, absent=_absent(state, asked, way))
            lines = (*lines, *(line for line in step.lines if line not in lines))
            try:
                made, way = await tried.after(lines)
            except NshellError as problem:
                return Answer(now, before, refused=problem, left=way)
            state = made.new
            if way is None:
                lines, made = await tried.fewest(lines, made)
                reached = await asyncio.to_thread(changed_verdicts, made.old, made.new, made.edits)
                return Answer(now, before, Offer(lines, reached))
        assert way is not None
        return Answer(now, before, left=way, absent=_absent(state, asked, way))


def _absent(state: State, question: Question, way: Way) -> Path | None:
    """The vport that should get what is denied on this way, where it is on no hypervisor."""
    to = question.destination
    if way.verdict is not Verdict.DENIED or isinstance(to, Ip) or state.place(to) is not None:
        return None
    return to


class _Tried:
    """Changes that are compiled and traced."""

    def __init__(self, network: Network, question: Question, access: Access) -> None:
        self._network, self._question, self._access = network, question, access

    async def after(self, lines: Sequence[str]) -> tuple[Draft, Way | None]:
        """The draft of these lines, and what stops the packet then. Raises NotPermitted, CheckFailed."""
        network = self._network
        candidate = Candidate(network.configured, self._access.user)
        if not self._access.unlimited:
            candidate.guard = self._access.refuse_write
            candidate.limit = self._access.refuse_provider_leaves
        try:
            candidate.apply_batch(lines, "why not")
        except NshellError as problem:
            raise _cause(problem) from None
        change = await change_of(network.acting, candidate.edits())
        await check(network.running, change)
        made = await draft(network.running, change.acting, network.state, network.topology)
        contents = Compiled(made.new, self._question.source[:4])
        told = await spread(trace(made.new, self._question, contents, underlay=not self._access.confined))
        return made, stopped(told)

    async def fewest(self, lines: tuple[str, ...], made: Draft) -> tuple[tuple[str, ...], Draft]:
        """The lines without those that it comes through without."""
        for line in lines if len(lines) > 1 else ():
            rest = tuple(other for other in lines if other != line)
            try:
                fewer, way = await self.after(rest)
            except NshellError:
                continue  # another line names what this one makes
            if way is None:
                return await self.fewest(rest, fewer)
        return lines, made


def _cause(problem: NshellError) -> NshellError:
    """What was wrong with a line, without the line: for who may not write it."""
    found = getattr(problem, "problem", problem)
    return found if isinstance(found, NotPermitted) else problem
