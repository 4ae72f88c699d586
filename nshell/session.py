"""One operator's session: a mode, an edit level, a candidate, and one way to run a line. Every transport uses
this class.

    line -> lexer -> pipes apart -> grammar -> handler -> read-model -> pipes -> renderer -> transport
                         any NshellError on the way -> views/errors.py, exit code

A session is the Context (commands/context.py) that its handlers see. Batches are in batch.py, the REPL in terminal.py.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from commands.aliases import expand
from commands.context import Schedule, SessionFacts
from commands.lexer import Line, Word, lex, split_pipes
from commands.parse import parse
from commands.pipes import Output, output_of, run_pipe
from commands.registry import Mode, automaton
from controller.pace import spread
from data.access import Access
from data.confined import seen
from data.errors import CommandFailed, NshellError, SyntaxProblem
from data.path import Path
from data.schema.redaction import redacted
from data.steps import Steps
from data.store.records import AuditRow
from nshell import __version__
from nshell.accounts import access_for, is_trusted
from nshell.audit import judged
from nshell.confined import facade
from nshell.failing import failure_of
from nshell.prompt import news_for, prompt_of
from nshell.streaming import present
from nshell.transport import Transport
from views.errors import render_failure
from views.json import render_json
from views.models import Failure
from views.render import ScreenSettings

if TYPE_CHECKING:
    from controller.fabric import Fabric, Outcome
    from data.candidate import Candidate
    from data.configuration import Configuration, Edits
    from nshell.service import Service

log = logging.getLogger("nshell.session")

INTERRUPTED = CommandFailed("", "interrupted")
"""Why a command ended whose operator pressed ctrl-c or went away."""

T = TypeVar("T")

DONE = 0
FAILED = 1
LINE_LIMIT = 64 * 1024
"""Characters of one line: read word by word they cost 20 ms, in which nobody else is answered."""
CHANGES = ("configure", "commit")
"""Permissions of the commands that change a candidate: a user's sessions run them one after the other."""
LOOKS = ("show", "tools", "audit")
"""Permissions of the commands that may be repeated, because they change nothing."""
NUMBERS = itertools.count(1)
"""Numbers of sessions, for `show sessions` and `request session`."""


class Session:
    """One operator at one transport. Lines are run one at a time."""

    def __init__(self, service: Service, user: str, origin: str, transport: Transport, uid: int | None = None) -> None:
        """`uid` is that of a local user, as the kernel says it; None for somebody who came over the network."""
        self.service = service
        self.number = next(NUMBERS)
        self.user = user
        self.origin = origin
        self.uid = uid
        self._row = AuditRow(id=0, time=0.0, user=user, origin=origin, command="")
        self._access = self._look_up()
        self._access_at = service.fabric.running.revision
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
        self._audited = False
        self._notes: list[str] = []

    # What handlers see (Context) ------------------------------------------------------------------------------------

    @property
    def access(self) -> Access:
        """What the user may do now; somebody who was deleted meanwhile may do nothing."""
        revision = self.service.fabric.running.revision
        if self._access_at != revision:
            self._access_at, self._access = revision, self._look_up()
        return self._access

    def _look_up(self) -> Access:
        found = access_for(
            self.service.fabric.acting, self.user, trusted=is_trusted(self.uid), local=self.uid is not None
        )
        return found if found is not None else Access(self.user, "none", frozenset(), frozenset())

    @property
    def fabric(self) -> Fabric:
        return facade(self.service.fabric, self.access)

    @property
    def running(self) -> Configuration:
        return seen(self.service.fabric.running, self.access)

    @property
    def state_directory(self) -> str:
        return self.service.state

    @property
    def configuration(self) -> Configuration:
        candidate = self.service.candidates.find(self.user)
        if self.mode is Mode.CONFIGURE and candidate is not None:
            return seen(candidate.view, self.access)
        return self.running

    async def candidate(self) -> Candidate:
        candidate = await self.service.candidates.of(self.user)
        self.guard(candidate)
        return candidate

    def guard(self, candidate: Candidate) -> None:
        """Nothing is changed but what the class lets its user change, whatever the verb or the file."""
        access = self.access
        candidate.guard = None if access.unlimited else access.refuse_write
        candidate.confine = None if access.unlimited else access.writes

    async def save_candidate(self) -> None:
        await self.service.candidates.save(self.user)

    async def change_candidate(self, work: Callable[[Candidate], Steps[T]]) -> T:
        def guarded(copy: Candidate) -> Awaitable[T]:
            self.guard(copy)
            return spread(work(copy))

        return await self.service.candidates.change(self.user, guarded)

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        access = self.access
        if not access.unlimited:
            for path, item in edits.items():
                access.refuse_write(path, "set" if item is not None else "delete")
        outcome = await self.fabric.commit(edits, author=self.user, audit=self._row, **how)
        self._audited = True
        return outcome

    async def audit(self, user: str | None, since: float | None, limit: int) -> Sequence[AuditRow]:
        await self.service.audit.written()
        fabric = self.service.fabric
        return await fabric.submit(fabric.store.audit, user, since, limit)

    async def enter_configure(self, exclusive: bool = False) -> list[str]:
        candidate = await self.candidate()
        service = self.service
        if exclusive:
            service.exclusive.take(self, service.sessions, service.candidates.editors())
        else:
            service.exclusive.refuse(self, "configure")
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
        self.service.exclusive.release(self)

    def end(self) -> None:
        self.ended = True

    def disconnect(self, number: int) -> str:
        other = next((session for session in self.service.sessions if session.number == number), None)
        if other is None:
            raise CommandFailed(f"session {number}", "there is no such session", "'show sessions' lists them")
        self.service.end(other, f"{self.user} ended this session", FAILED)
        return other.user

    @property
    def settings(self) -> ScreenSettings:
        return self.transport.settings

    @property
    def schedule(self) -> Schedule:
        return self.service.scheduled

    def note(self, text: str) -> None:
        self._notes.append(text)

    def sessions(self) -> Sequence[SessionFacts]:
        """Who is connected: for somebody who is confined, those of the same class."""
        access = self.access
        return tuple(
            session
            for session in self.service.sessions
            if not access.confined or session.access.login_class == access.login_class
        )

    def editors(self) -> Sequence[str]:
        known = {session.user for session in self.sessions()}
        return [user for user in self.service.candidates.editors() if not self.access.confined or user in known]

    async def read_secret(self, prompt: str) -> str:
        return await self.transport.read_secret(prompt)

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
        self._row = AuditRow(
            id=0, time=time.time(), user=self.user, origin=self.origin, command=redacted(text, self.level)
        )
        self._audited = False
        try:
            if not file:
                line = expand(line, self.mode, self)
            output = await self.evaluate(line)
            await self.flush_notes()
            await self.show(output)
            self._note_end()
            return DONE
        except NshellError as problem:
            known = problem
        except (ConnectionError, asyncio.CancelledError):
            self._note_end(INTERRUPTED)
            raise
        except Exception as problem:
            known = self.mistake(problem, self._row.command)
        finally:
            self.busy = busy
        self._note_end(known)
        await self.flush_notes()
        return await self.fail(failure_of(known, line, file, number))

    def _note_end(self, problem: NshellError | None = None) -> None:
        """Have the command's row written, unless it went into the store with its commit or is none."""
        if problem is not None:
            self.service.audit.add(judged(self._row, problem))
        elif not self._audited:
            self.service.audit.add(self._row)

    async def refuse(self, problem: Exception) -> int:
        """Show an error that belongs to no line; returns its exit code."""
        known = problem if isinstance(problem, NshellError) else self.mistake(problem, "a batch")
        return await self.fail(failure_of(known, lex("")))

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
        self._audited = not command.audited
        if command.permission == "commit":
            self.service.exclusive.refuse(self, "commit")
        if command.permission in CHANGES:
            async with self.service.candidates.turn(self.user):
                model = await command.handler(self, arguments)
        else:
            model = await command.handler(self, arguments)
        if model is None and len(parts) == 1:
            return None
        output = output_of(model)
        if command.permission in LOOKS:

            async def again() -> Output:
                return output_of(await command.handler(self, arguments))

            output = replace(output, again=again)
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
        screen = first == "set" and len(words) > 1 and words[1].text == "cli"
        known = first in automaton(Mode.OPERATIONAL).root.words and (first != "set" or screen)
        if known or first not in automaton(Mode.CONFIGURE).root.words:
            return Mode.OPERATIONAL
        if self.interactive:
            raise SyntaxProblem("", f"'{first}' works on the candidate", "type 'configure' first", word=0)
        if first == "edit":
            self.mode, self.level = Mode.CONFIGURE, ()
        return Mode.CONFIGURE

    async def show(self, output: Output | None) -> None:
        """Send a result to the transport."""
        if output is not None:
            await present(output, self.transport)
        elif self.transport.json:
            await self.transport.write('{"done": true}\n')

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
        color = self.transport.screen.color
        if self.transport.json:
            await self.transport.write(render_json(failure) + "\n")
        else:
            await self.transport.write_error("".join(line + "\n" for line in render_failure(failure, color)))
        return failure.exit_code

    def prompt(self) -> tuple[str, str]:
        """The line above the prompt ('' when there is none) and the prompt itself."""
        return prompt_of(self)

    async def news(self) -> list[str]:
        """What others committed since the last call."""
        return await news_for(self)


def too_long(where: str, line: str) -> SyntaxProblem:
    """The error for a line over LINE_LIMIT."""
    return SyntaxProblem(where, f"the line has {len(line)} characters", f"use at most {LINE_LIMIT} in one line")


def objects(count: int) -> str:
    """'1 changed object', '2 changed objects'."""
    return f"{count} changed object" if count == 1 else f"{count} changed objects"
