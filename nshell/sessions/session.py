"""One operator's session: the one way to run a line. Every transport uses this class.

    line -> lexer -> pipes apart -> grammar -> handler -> read-model -> pipes -> renderer -> transport
                         any NshellError on the way -> views/errors.py, exit code
                                                   each line -> audit.py

What its handlers see is in session_context.py. Batches are in batch.py, the prompt loop in terminal.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from commands.language.lexer import Line, Word, lex, split_pipes
from commands.language.parse import parse
from commands.language.registry import Mode, automaton
from commands.pipes import Output, output_of, run_pipe
from commands.session.aliases import expand
from data.errors import CommandFailed, NotPermitted, NshellError, SyntaxProblem
from data.schema.redaction import redacted
from data.store.records import AuditRow
from nshell.sessions.audit import judged
from nshell.sessions.context import DONE, SessionContext
from nshell.sessions.failing import failure_of
from nshell.sessions.prompt import news_for, prompt_of
from nshell.sessions.streaming import present
from views.errors import render_failure
from views.json import render_json
from views.models import Failure
from views.wrapping import wrapped

log = logging.getLogger("nshell.session")

INTERRUPTED = CommandFailed("", "interrupted")
"""Why a command ended whose operator pressed ctrl-c or went away."""
LINE_LIMIT = 64 * 1024
"""Characters of one line: read word by word they cost 20 ms, in which nobody else is answered."""
CHANGES = ("configure", "commit")
"""Permissions of the commands that change a candidate: a user's sessions run them one after the other."""
LOOKS = ("show", "tools", "audit")
"""Permissions of the commands that may be repeated, because they change nothing."""


class Session(SessionContext):
    """One operator at one transport. Lines are run one at a time."""

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
        self._audited, self._began_with = False, self.access
        try:
            if not file:
                line = self._expanded(line)
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

    def _expanded(self, line: Line) -> Line:
        """The line with its alias replaced; the audit has both."""
        expanded = expand(line, self.mode, self)
        if expanded is not line:
            command = f"{self._row.command}  ->  {redacted(expanded.text, self.level)}"
            self._row = replace(self._row, command=command)
        return expanded

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
            async with self.turn():
                model = await command.handler(self, arguments)
        else:
            model = await command.handler(self, arguments)
        if model is None and len(parts) == 1:
            return None
        output = output_of(model)
        if command.permission in LOOKS:

            async def again() -> Output:
                self._unchanged()
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

    def _unchanged(self) -> None:
        """Raises NotPermitted when the user has other rights than the command began with: one that goes on ends."""
        if self.access != self._began_with:
            raise NotPermitted("", f"the rights of {self.user} have changed meanwhile", "give the command again")

    async def show(self, output: Output | None) -> None:
        """Send a result to the transport."""
        if output is not None:
            await present(output, self.transport, self._unchanged)
        elif self.transport.json:
            await self.transport.write('{"done": true}\n')

    async def flush_notes(self) -> None:
        """Say what the handler noted."""
        notes, self._notes = self._notes, []
        for text in notes:
            if self.interactive:
                await self.transport.write("\n".join(wrapped(text, self.transport.screen.columns)) + "\n")
            else:
                await self.transport.write_error(text + "\n")

    async def fail(self, failure: Failure) -> int:
        """Show an error; returns its exit code."""
        screen = self.transport.screen
        if self.transport.json:
            await self.transport.write(render_json(failure) + "\n")
        else:
            width = screen.columns if self.interactive else 0
            lines = render_failure(failure, screen.color, width)
            await self.transport.write_error("".join(line + "\n" for line in lines))
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
