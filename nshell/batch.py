"""Batches: many lines as one session (-c, `nshell run FILE`, standard input).

Runs of set and delete lines go to the candidate in one piece (Candidate.apply_batch), everything else line by
line. A batch that stops at an error leaves the candidate as it was when the batch began (edits that it
committed before stay committed).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from commands.lexer import lex
from commands.pipes import Output
from commands.registry import Mode
from data.configuration import Edits
from data.errors import BatchProblem, CommandFailed, NshellError
from nshell.session import DONE, LINE_LIMIT, Session, objects, too_long
from views.models import Document

if TYPE_CHECKING:
    from data.candidate import Candidate

SLICE = 100
"""Lines applied before the loop gets its turn: about 3 ms."""
LOOKED_AT = 10_000
"""Lines looked at before the loop gets its turn: about 5 ms."""
EDITS = ("set ", "delete ", "set\t", "delete\t")


@dataclass(frozen=True, slots=True)
class Batch:
    """A file (or the -c commands) as lines; `name` is '' when places need no file."""

    name: str
    lines: tuple[str, ...]

    def check(self) -> None:
        """Raises SyntaxProblem for a line that is too long."""
        if self.lines and max(map(len, self.lines)) > LINE_LIMIT:
            at, line = next((at, line) for at, line in enumerate(self.lines, 1) if len(line) > LINE_LIMIT)
            raise too_long(f"{self.name or '-c'} line {at}", line)


def is_edit(line: str) -> bool:
    """Whether a line is a plain set or delete line, for the candidate alone."""
    return line.lstrip().startswith(EDITS)


def is_empty(line: str) -> bool:
    """Whether a line is blank or a comment."""
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


async def run_batch(session: Session, batch: Batch, keep_going: bool) -> int:
    """Run the lines of a batch; returns the exit code of the first error, 0 when there was none."""
    candidate = await session.candidate()
    before = candidate.edits()
    if before and any(map(is_commit, batch.lines)) and any(map(is_edit, batch.lines)):
        await session.transport.write_error(
            f"note: this goes on with the kept candidate of {session.user} ({objects(len(before))})\n"
        )
    code = DONE
    at, size = 0, len(batch.lines)
    numbered = bool(batch.name) or size > 1
    while at < size and not session.ended:
        if session.service.stopping:
            return await session.refuse(CommandFailed("", "the daemon stops", f"run the last {size - at} lines again"))
        line = batch.lines[at]
        if is_empty(line):
            at += 1
            continue
        revision = session.fabric.running.revision
        start, end = at, at + 1
        if is_edit(line):
            while end < size and (is_edit(batch.lines[end]) or is_empty(batch.lines[end])):
                end += 1
                if end % LOOKED_AT == 0:
                    await asyncio.sleep(0)
            result = await run_edits(session, batch, start, end, keep_going, numbered)
        else:
            result = await session.execute(line, batch.name, end if numbered else None)
        if session.fabric.running.revision != revision:
            before = (await session.candidate()).edits()
        at = end
        if result != DONE:
            code = code or result
            if not keep_going:
                await take_back(session, before, line)
                break
    return code


async def take_back(session: Session, before: Edits, line: str) -> None:
    """After an error: the candidate as it was, except when a commit was refused; then it is kept, to be mended."""
    if is_commit(line):
        return
    async with session.service.candidates.turn(session.user):
        if (await session.candidate()).edits() != before:
            try:
                await session.service.candidates.restore(session.user, before)
            except NshellError as problem:
                await session.transport.write_error(
                    f"note: the edits before this line stay in your candidate: {problem.cause}\n"
                )


def is_commit(line: str) -> bool:
    """Whether the line is a commit."""
    return line.split(maxsplit=1)[:1] == ["commit"]


async def run_edits(session: Session, batch: Batch, start: int, end: int, keep_going: bool, numbered: bool) -> int:
    """Apply a run of set and delete lines at the session's edit level, all or nothing unless `keep_going`.

    One JSON document for all of them. Many lines are applied to a copy of the candidate, which takes its place at the
    end: the loop gets its turn after every SLICE lines, and nobody sees half of a batch.
    """
    run = Run(session, batch, start, end, keep_going, numbered)
    async with session.service.candidates.turn(session.user):
        try:
            if end - start <= SLICE:
                await run.apply(await session.candidate())
                await session.save_candidate()
            else:
                await session.service.candidates.change(session.user, run.apply)
        except Stopped:
            return run.code
        except NshellError as problem:
            return await session.fail(session.failure(problem, lex("")))
    if session.transport.json:
        await session.show(Output(Document({"lines": run.applied})))
    return run.code


class Stopped(Exception):
    """A line failed, its failure was shown, and the batch does not keep going."""


@dataclass(slots=True)
class Run:
    """The lines `start` to `end` of a batch, how many were applied, and the exit code of the first that failed."""

    session: Session
    batch: Batch
    start: int
    end: int
    keep_going: bool
    numbered: bool
    applied: int = 0
    code: int = DONE

    async def apply(self, candidate: Candidate) -> None:
        """Apply them. Raises Stopped; what was applied before stays, so `candidate` is a copy or the run one SLICE."""
        session, batch = self.session, self.batch
        level = session.level if session.mode is Mode.CONFIGURE else ()
        at = self.start
        while at < self.end:
            piece = batch.lines[at : min(at + SLICE, self.end)]
            try:
                self.applied += candidate.apply_batch(piece, batch.name or "-c", at=level)
                at += len(piece)
            except BatchProblem as problem:
                place = at + problem.line_number
                self.code = self.code or problem.problem.exit_code
                failure = BatchProblem(batch.name, place, problem.line, problem.problem, column=problem.column)
                shown = session.failure(failure, lex(""))
                await session.fail(shown if self.numbered else replace(shown, line=None))
                if not self.keep_going:
                    raise Stopped from None
                self.applied += candidate.apply_batch(piece[: problem.line_number - 1], batch.name, at=level)
                at = place
            await asyncio.sleep(0)
