"""Batches: many lines as one session (-c, `nshell run FILE`, standard input).

Runs of set and delete lines go to the candidate in one piece (Candidate.apply_batch), everything else line by
line. A batch that stops at an error leaves the candidate as it was when the batch began (edits that it
committed before stay committed).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from commands.lexer import lex
from commands.pipes import Output
from commands.registry import Mode
from data.configuration import Edits
from data.errors import BatchProblem, NshellError
from nshell.session import DONE, Session, objects
from views.models import Document

SLICE = 500
"""Lines applied before the loop gets its turn: about 10 ms, well under any keepalive."""
EDITS = ("set ", "delete ", "set\t", "delete\t")


@dataclass(frozen=True, slots=True)
class Batch:
    """A file (or the -c commands) as lines; `name` is '' when places need no file."""

    name: str
    lines: tuple[str, ...]


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
        line = batch.lines[at]
        if is_empty(line):
            at += 1
            continue
        revision = session.fabric.running.revision
        start, end = at, at + 1
        if is_edit(line):
            while end < size and (is_edit(batch.lines[end]) or is_empty(batch.lines[end])):
                end += 1
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
            await session.service.candidates.restore(session.user, before)


def is_commit(line: str) -> bool:
    """Whether the line is a commit."""
    return line.split(maxsplit=1)[:1] == ["commit"]


async def run_edits(session: Session, batch: Batch, start: int, end: int, keep_going: bool, numbered: bool) -> int:
    """Apply a run of set and delete lines at the session's edit level, all or nothing unless `keep_going`.

    One JSON document for all of them. The loop gets its turn after every SLICE lines.
    """
    level = session.level if session.mode is Mode.CONFIGURE else ()
    applied, code = 0, DONE
    async with session.service.candidates.turn(session.user):
        candidate = await session.candidate()
        before = candidate.edits()
        at = start
        while at < end:
            piece = batch.lines[at : min(at + SLICE, end)]
            try:
                applied += candidate.apply_batch(piece, batch.name or "-c", at=level)
                at += len(piece)
            except BatchProblem as problem:
                place = at + problem.line_number
                code = code or problem.problem.exit_code
                failure = BatchProblem(batch.name, place, problem.line, problem.problem, column=problem.column)
                shown = session.failure(failure, lex(""))
                await session.fail(shown if numbered else replace(shown, line=None))
                if not keep_going:
                    if at != start:
                        await session.service.candidates.restore(session.user, before)
                    return code
                applied += candidate.apply_batch(piece[: problem.line_number - 1], batch.name, at=level)
                at = place
            await asyncio.sleep(0)
        try:
            await session.save_candidate()
        except NshellError as problem:
            return await session.fail(session.failure(problem, lex("")))
    if session.transport.json:
        await session.show(Output(Document({"lines": applied})))
    return code
