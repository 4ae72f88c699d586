"""One operator's session: a mode, an edit level, a candidate, and one way to run a line. Every transport uses
this class.

    line -> lexer -> pipes apart -> grammar -> handler -> read-model -> pipes -> renderer -> transport
                         any NshellError on the way -> views/errors.py, exit code

A session is the Context (commands/context.py) that its handlers see. Batches are in batch.py, the REPL in terminal.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from commands.context import SessionFacts
from commands.lexer import Line, Word, lex, split_pipes
from commands.parse import parse
from commands.pipes import Output, run_pipe
from commands.registry import Mode, automaton
from controller.pace import spread
from data.errors import BatchProblem, CheckFailed, CommandFailed, NshellError, SyntaxProblem
from data.path import Path
from data.steps import Steps
from nshell import __version__
from nshell.transport import Transport
from views.errors import render_failure
from views.json import render_json
from views.models import Failure, Lines

if TYPE_CHECKING:
    from controller.fabric import Fabric
    from data.candidate import Candidate
    from data.configuration import Configuration
    from nshell.service import Service

log = logging.getLogger("nshell.session")

T = TypeVar("T")

DONE = 0
FAILED = 1
LINE_LIMIT = 64 * 1024
"""Characters of one line: read word by word they cost 20 ms, in which nobody else is answered."""
CHANGES = ("configure", "commit")
"""Permissions of the commands that change a candidate: a user's sessions run them one after the other."""


class Session:
    """One operator at one transport. Lines are run one at a time."""

    def __init__(self, service: Service, user: str, origin: str, transport: Transport) -> None:
        self.service = service
        self.user = user
        self.origin = origin
        self.transport = transport
        self.interactive = transport.interactive
        self.since = time.time()
        self.mode = Mode.OPERATIONAL
        self.level: Path = ()
        self.ended = False
        self.busy = False
        self.task = asyncio.current_task()
        self.version = __version__
        self.seen_revision = service.fabric.running.revision
        self._notes: list[str] = []

    # What handlers see (Context) ------------------------------------------------------------------------------------

    @property
    def fabric(self) -> Fabric:
        return self.service.fabric

    @property
    def state_directory(self) -> str:
        return self.service.state

    @property
    def configuration(self) -> Configuration:
        candidate = self.service.candidates.find(self.user)
        if self.mode is Mode.CONFIGURE and candidate is not None:
            return candidate.view
        return self.fabric.running

    async def candidate(self) -> Candidate:
        return await self.service.candidates.of(self.user)

    async def save_candidate(self) -> None:
        await self.service.candidates.save(self.user)

    async def change_candidate(self, work: Callable[[Candidate], Steps[T]]) -> T:
        return await self.service.candidates.change(self.user, lambda copy: spread(work(copy)))

    async def enter_configure(self) -> list[str]:
        candidate = await self.candidate()
        if self.mode is Mode.CONFIGURE:
            return []
        self.mode, self.level = Mode.CONFIGURE, ()
        said = []
        if candidate.differs:
            changed = objects(len(candidate.edits()))
            said.append(f"your candidate was kept: {changed} ('compare' shows them, 'discard' drops them)")
        others = sorted(
            {
                session.user
                for session in self.sessions()
                if session.mode is Mode.CONFIGURE and session.user != self.user
            }
        )
        if others:
            said.append(f"also configuring: {', '.join(others)} (each has a private candidate)")
        return said

    def leave_configure(self) -> None:
        self.mode, self.level = Mode.OPERATIONAL, ()

    def end(self) -> None:
        self.ended = True

    def note(self, text: str) -> None:
        self._notes.append(text)

    def sessions(self) -> Sequence[SessionFacts]:
        return tuple(self.service.sessions)

    def editors(self) -> Sequence[str]:
        return self.service.candidates.editors()

    async def read_file(self, name: str) -> str:
        contents = await self.transport.read_file(name)
        try:
            return contents.decode()
        except UnicodeDecodeError as problem:
            raise CommandFailed(name, f"byte {problem.start} is not UTF-8 text", "save it as UTF-8") from None

    async def write_file(self, name: str, text: str) -> None:
        await self.transport.write_file(name, text.encode())

    async def read_terminal(self, prompt: str) -> str:
        return await self.transport.read_terminal(prompt)

    # Running lines --------------------------------------------------------------------------------------------------

    async def execute(self, text: str, file: str = "", number: int | None = None) -> int:
        """Run one line and show its result; returns its exit code. Raises only CancelledError and ConnectionError."""
        if len(text) > LINE_LIMIT:
            return await self.refuse(too_long("", text))
        line = lex(text)
        if not line.words:
            return DONE
        self._notes = []
        busy, self.busy = self.busy, True
        try:
            output = await self.evaluate(line)
        except NshellError as problem:
            await self.flush_notes()
            return await self.fail(self.failure(problem, line, file, number))
        except ConnectionError:
            raise
        except Exception as problem:
            await self.flush_notes()
            return await self.fail(self.failure(self.mistake(problem, text), line, file, number))
        finally:
            self.busy = busy
        await self.flush_notes()
        await self.show(output)
        return DONE

    async def refuse(self, problem: Exception) -> int:
        """Show an error that belongs to no line; returns its exit code."""
        known = problem if isinstance(problem, NshellError) else self.mistake(problem, "a batch")
        return await self.fail(self.failure(known, lex("")))

    def mistake(self, problem: Exception, doing: str) -> CommandFailed:
        """What nobody foresaw, as an error to show; its traceback is in the log, once."""
        log.error("user=%s internal error in: %.200r", self.user, doing, exc_info=problem)
        return CommandFailed(
            "",
            f"internal error: {type(problem).__name__}: {problem}",
            "your candidate is kept; the daemon's log has the details, please report them",
        )

    async def evaluate(self, line: Line) -> Output | None:
        """Run one line and return its result. Raises NshellError; a SyntaxProblem's `word` counts in the whole line."""
        if line.open_quote:
            raise SyntaxProblem("", "a quote is not closed", 'end the text with "', word=len(line.words) - 1)
        parts = split_pipes(line.words)
        command, arguments = parse(self.mode_of(parts[0]), parts[0], self, self.interactive)
        if command.permission in CHANGES:
            async with self.service.candidates.turn(self.user):
                model = await command.handler(self, arguments)
        else:
            model = await command.handler(self, arguments)
        if model is None and len(parts) == 1:
            return None
        output = Output(model if model is not None else Lines(()))
        offset = len(parts[0]) + 1
        for part in parts[1:]:
            try:
                output = await run_pipe(part, self, output, self.interactive)
            except SyntaxProblem as problem:
                problem.word += offset
                raise
            offset += len(part) + 1
        return output

    def mode_of(self, words: tuple[Word, ...]) -> Mode:
        """The mode in which a line is understood.

        In files and on -c a configuration verb works on the candidate without `configure`, for that line alone (`edit`
        stays in configure mode), and `configure` inside configure mode changes nothing.
        """
        first = words[0].text if words else ""
        if self.mode is Mode.CONFIGURE:
            return Mode.OPERATIONAL if first == "configure" and not self.interactive else Mode.CONFIGURE
        if first in automaton(Mode.OPERATIONAL).root.words or first not in automaton(Mode.CONFIGURE).root.words:
            return Mode.OPERATIONAL
        if self.interactive:
            raise SyntaxProblem("", f"'{first}' works on the candidate", "type 'configure' first", word=0)
        if first == "edit":
            self.mode, self.level = Mode.CONFIGURE, ()
        return Mode.CONFIGURE

    async def show(self, output: Output | None) -> None:
        """Send a result to the transport."""
        transport = self.transport
        if transport.json:
            text = render_json(output.model) if output is not None else '{"done": true}'
            await transport.write(text + "\n")
        elif output is not None:
            await transport.show(output.lines(transport.screen), output.pager)

    async def flush_notes(self) -> None:
        """Say what the handler noted."""
        notes, self._notes = self._notes, []
        for text in notes:
            if self.interactive:
                await self.transport.write(text + "\n")
            else:
                await self.transport.write_error(text + "\n")

    async def fail(self, failure: Failure) -> int:
        """Show an error; returns its exit code."""
        if self.transport.json:
            await self.transport.write(render_json(failure) + "\n")
        else:
            await self.transport.write_error("".join(line + "\n" for line in render_failure(failure)))
        return failure.exit_code

    def failure(self, problem: NshellError, line: Line, file: str = "", number: int | None = None) -> Failure:
        """The error with its place in the line and, in a batch, in the file."""
        text, position = line.text, None
        kind = type(problem).__name__
        inner: NshellError = problem
        if isinstance(problem, BatchProblem):
            file, number, text, position = problem.source, problem.line_number, problem.line, problem.column
            inner = problem.problem
            kind = type(inner).__name__
        elif isinstance(problem, SyntaxProblem):
            at = problem.word
            position = line.words[at].start if at < len(line.words) else len(text.rstrip()) + 1
        problems: tuple[tuple[str, str, str], ...] = ()
        if isinstance(inner, CheckFailed):
            problems = tuple((each.path_text, each.cause, each.remedy) for each in inner.problems)
        return Failure(
            inner.where,
            inner.cause,
            inner.remedy,
            inner.exit_code,
            kind,
            number,
            file,
            text,
            position,
            problems,
            "\n".join(getattr(problem, "__notes__", ())),
        )

    # The prompt ---------------------------------------------------------------------------------------------------

    def prompt(self) -> tuple[str, str]:
        """The line above the prompt ('' when there is none) and the prompt itself."""
        system = self.fabric.running.get(("system",))
        host = getattr(system, "hostname", "nshell")
        mark = "#" if self.mode is Mode.CONFIGURE else ">"
        above = []
        if self.mode is Mode.CONFIGURE:
            candidate = self.service.candidates.find(self.user)
            star = "*" if candidate is not None and candidate.differs else ""
            above.append(f"{star}[edit{''.join(' ' + word for word in self.level)}]")
        waiting = self.fabric.waiting
        if waiting is not None:
            revision, deadline = waiting
            clock = time.strftime("%H:%M:%S", time.localtime(deadline))
            above.append(f"[revision {revision} is not confirmed: revision {revision - 1} returns at {clock}]")
        return " ".join(above), f"{self.user}@{host}{mark} "

    async def news(self) -> list[str]:
        """What others committed since the last call."""
        revision = self.fabric.running.revision
        if revision == self.seen_revision:
            return []
        since, self.seen_revision = self.seen_revision, revision
        records = await self.fabric.history(max(1, min(20, revision - since)))
        return [
            f"revision {record.number} was committed by {record.author}"
            + (f": {record.comment}" if record.comment else "")
            for record in reversed(records)
            if record.number > since and record.author != self.user
        ]


def too_long(where: str, line: str) -> SyntaxProblem:
    """The error for a line over LINE_LIMIT."""
    return SyntaxProblem(where, f"the line has {len(line)} characters", f"use at most {LINE_LIMIT} in one line")


def objects(count: int) -> str:
    """'1 changed object', '2 changed objects'."""
    return f"{count} changed object" if count == 1 else f"{count} changed objects"
