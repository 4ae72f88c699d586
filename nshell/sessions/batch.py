"""Batches: many lines as one session (-c, `nshell run FILE`, standard input).

Runs of lines that edit (set, delete, rename ...) go to the candidate in one piece (Candidate.apply_batch), everything
else line by line. A batch that stops at an error leaves the candidate as it was when the batch began (edits that it
committed before stay committed).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from commands.language.lexer import lex
from commands.language.registry import Mode
from commands.pipes import Output
from data.configuration import Edits
from data.errors import BatchProblem, CommandFailed, NshellError, SyntaxProblem
from data.schema.redaction import redacted
from data.schema.verbs import VERBS
from data.store.records import AuditRow
from nshell.sessions.audit import judged
from nshell.sessions.context import DONE, objects
from nshell.sessions.failing import failure_of
from nshell.sessions.session import INTERRUPTED, LINE_LIMIT, Session, too_long
from views.models import Document

if TYPE_CHECKING:
    from data.candidate import Candidate

SLICE = 100
"""Lines applied before the loop gets its turn: about 3 ms."""
LOOKED_AT = 10_000
"""Lines looked at before the loop gets its turn: about 5 ms."""
AUDITED = 100
"""Lines of a run of edits that are written down in the audit."""
NONE = CommandFailed("", "")
SCREEN = "set cli "
"""How lines of Junos begin that are about the screen and not the candidate."""
EDITS = tuple(verb + space for verb in VERBS for space in " \t")


@dataclass(frozen=True, slots=True)
class Batch:
    """A file (or the -c commands) as lines; `name` is '' when places need no file."""

    name: str
    lines: tuple[str, ...]

    @classmethod
    def of_commands(cls, lines: Sequence[str]) -> Batch:
        """Commands that were given one by one. Raises SyntaxProblem for a line that is too long."""
        batch = cls("", tuple(lines))
        batch._check()
        return batch

    @classmethod
    def of_file(cls, name: str, contents: bytes) -> Batch:
        """The lines of a file. Raises SyntaxProblem for what is no text or too long."""
        try:
            text = contents.decode("utf-8-sig")
        except UnicodeDecodeError as problem:
            line = contents.count(b"\n", 0, problem.start) + 1
            cause = f"byte {problem.start} of the file is not UTF-8 text"
            raise SyntaxProblem(f"{name} line {line}", cause, "save it as UTF-8") from None
        batch = cls(name, tuple(text.splitlines()))
        batch._check()
        return batch

    def _check(self) -> None:
        if self.lines and max(map(len, self.lines)) > LINE_LIMIT:
            at, line = next((at, line) for at, line in enumerate(self.lines, 1) if len(line) > LINE_LIMIT)
            raise too_long(f"{self.name or '-c'} line {at}", line)


def is_edit(line: str) -> bool:
    """Whether a line is for the candidate alone."""
    line = line.lstrip()
    return line.startswith(EDITS) and not line.startswith(SCREEN)


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
    """Apply a run of lines that edit at the session's edit level, all or nothing unless `keep_going`.

    One JSON document for all of them. Many lines are applied to a copy of the candidate, which takes its place at the
    end: the loop gets its turn after every SLICE lines, and nobody sees half of a batch.
    """
    run = Run(session, batch, start, end, keep_going, numbered)
    row = AuditRow(id=0, time=time.time(), user=session.user, origin=session.origin, command=run.summary())
    async with session.service.candidates.turn(session.user):
        try:
            session.access.refuse_verb("configure", True, batch.lines[start].split(maxsplit=1)[0])
            if end - start <= SLICE:
                await run.apply(await session.candidate())
                await session.save_candidate()
            else:
                await session.service.candidates.change(session.user, run.apply)
        except Stopped:
            session.service.audit.add(judged(row, run.problem))
            return run.code
        except NshellError as problem:
            session.service.audit.add(judged(row, problem))
            return await session.fail(failure_of(problem, lex("")))
        except (ConnectionError, asyncio.CancelledError):
            session.service.audit.add(judged(row, INTERRUPTED))
            raise
    session.service.audit.add(row if run.code == DONE else judged(row, run.problem))
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
    problem: NshellError = NONE

    def summary(self) -> str:
        """The lines for the audit, without secrets; of many the first ones, the revision's difference has them all."""
        level = self.session.level
        end = min(self.end, self.start + AUDITED)
        lines = [redacted(line, level) for line in self.batch.lines[self.start : end] if not is_empty(line)]
        more = self.end - end
        return "\n".join([*lines, f"... {more} more lines of {self.batch.name or '-c'}"] if more else lines)

    async def apply(self, candidate: Candidate) -> None:
        """Apply them. Raises Stopped; what was applied before stays, so `candidate` is a copy or the run one SLICE."""
        session, batch = self.session, self.batch
        session.guard(candidate)
        level = session.level if session.mode is Mode.CONFIGURE else ()
        at = self.start
        while at < self.end:
            piece = batch.lines[at : min(at + SLICE, self.end)]
            try:
                self.applied += candidate.apply_batch(piece, batch.name or "-c", at=level)
                at += len(piece)
            except BatchProblem as problem:
                place = at + problem.line_number
                if self.code == DONE:
                    self.code, self.problem = problem.problem.exit_code, problem.problem
                failure = BatchProblem(batch.name, place, problem.line, problem.problem, column=problem.column)
                shown = failure_of(failure, lex(""))
                await session.fail(shown if self.numbered else replace(shown, line=None))
                if not self.keep_going:
                    raise Stopped from None
                self.applied += candidate.apply_batch(piece[: problem.line_number - 1], batch.name, at=level)
                at = place
            await asyncio.sleep(0)
