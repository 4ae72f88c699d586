"""The interactive session: a prompt on a raw terminal at the other end of a pipe, be it a unix socket or SSH.

    keys ──> Terminal.keys ──┬── a prompt waits: prompt_toolkit's pipe
                             ├── the pager is open: its queue (pager.py)
                             ├── a dashboard is seen: all keys are its own (fullscreen.py)
                             └── a command runs: ctrl-c cancels it, the rest waits for the next prompt

prompt_toolkit draws the line; completion and `?` come from commands/language/complete.py, one walk of the token tree
per key.

What others do is written above a prompt that waits, and before the next one otherwise. A session ends when no key was
pressed for `system idle-timeout` while it waited for one; a command that runs (`monitor` too) is use.
"""

from __future__ import annotations

import asyncio
import codecs
import contextvars
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from prompt_toolkit.application import create_app_session, run_in_terminal
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.posix_pipe import PosixPipeInput
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import DummyOutput, Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import PromptSession

from commands.language.lexer import lex
from data.errors import CommandFailed
from data.schema.objects import System
from nshell.serving.transport import CHUNK, KEYS_LIMIT, Pipe
from nshell.sessions.context import DONE
from nshell.sessions.session import Session
from nshell.terminal.drawing import RawFile, Unseen, draw_once
from nshell.terminal.hints import addition_for, help_for
from nshell.terminal.history import history_of
from nshell.terminal.pager import Pager
from nshell.terminal.pasted import Pasted
from nshell.terminal.plainline import PLAIN, PlainLine
from nshell.terminal.stage import full_screen
from views.picture import picture
from views.render import Screen, ScreenSettings, encode, harmless

if TYPE_CHECKING:
    from nshell.terminal.fullscreen import FullScreen

INTERRUPT = b"\x03"
RETRY = 0.01
"""Seconds until keys that did not fit into the pipe are tried again (a paste of more than 64 KiB)."""
NOTICES = 20
"""Most notices that wait for a prompt."""
MINUTE = 60.0


class Terminal:
    """The transport of one interactive session, and its loop of prompt and command."""

    interactive = True

    def __init__(self, pipe: Pipe, state: str) -> None:
        self.json = False
        self.settings = ScreenSettings()
        self._pipe = pipe
        self._state = state
        self._input: PosixPipeInput | None = None
        self._pending = bytearray()
        self._pasted = Pasted()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._reading: PromptSession[str] | None = None
        self._pager: Pager | None = None
        self._full: FullScreen | None = None
        self._command: asyncio.Task[int] | None = None
        self._session: Session | None = None
        self._notices: list[str] = []
        self._context = contextvars.copy_context()
        self._used = asyncio.get_running_loop().time()
        self._plain_line = PlainLine(self.raw, self._help, self._addition)
        pipe.keyboard = self

    # The wire -----------------------------------------------------------------------------------------------------

    @property
    def screen(self) -> Screen:
        return self.settings.applied(self._pipe.screen)

    def raw(self, text: str) -> None:
        """Text for the screen as it is; nothing when nobody looks any more."""
        self._pipe.put(encode(text, self.screen))

    async def write(self, text: str) -> None:
        data = encode(harmless(text).replace("\n", "\r\n"), self.screen)
        for at in range(0, len(data), CHUNK):
            self._pipe.put(data[at : at + CHUNK])
            await self._pipe.drain()

    async def write_error(self, text: str) -> None:
        await self.write(text)

    async def draw(self, lines: list[str], first: bool) -> None:
        self.raw(picture(lines, self.screen, first))
        await self._pipe.drain()

    def read_file(self, name: str) -> Awaitable[bytes]:
        return self._pipe.read_file(name)

    def write_file(self, name: str, contents: bytes) -> Awaitable[None]:
        return self._pipe.write_file(name, contents)

    def keys(self, data: bytes) -> None:
        self._used = asyncio.get_running_loop().time()
        # What is no UTF-8 would reach the history and the audit as characters that neither can write.
        data = self._decoder.decode(data).encode()[: max(0, KEYS_LIMIT - len(self._pending))]
        if self._reading is not None:
            self._pending += data
            self._feed()
        elif self._full is not None:
            self._full.keys(data)
        elif INTERRUPT in data:
            self._interrupt(data.rpartition(INTERRUPT)[2])
        elif self._pager is not None:
            self._pager.keys(data)
        else:
            self._pending += data

    def _interrupt(self, behind: bytes) -> None:
        """Ctrl-c outside the prompt: what was typed ahead of it is forgotten, `behind` is what follows it."""
        self._pending[:] = behind
        self._pasted.clear()
        if self._pager is not None and self._pager.waits:
            self._pager.keys(INTERRUPT)
        elif self._command is not None:
            self._command.cancel()

    def _feed(self) -> None:
        if self._input is None or not self._pending or self._reading is None:
            return
        if self._plain is not None:
            self._plain.feed(self._pending)
            return
        try:
            taken = os.write(self._input.pipe.write_fd, self._pending[:4096])
            del self._pending[:taken]
        except BlockingIOError:
            asyncio.get_running_loop().call_later(RETRY, self._feed)
            return
        if self._pending:
            asyncio.get_running_loop().call_soon(self._feed)

    def resized(self) -> None:
        if self._full is not None:
            self._full.resized()
        if self._reading is not None and self._plain is None and self._reading.app.current_buffer.text:
            self._reading.app._on_resize()  # an empty line is right as it is; programs would read the prompt twice

    @property
    def _plain(self) -> PlainLine | None:
        """What reads lines in place of prompt_toolkit, on terminals that want or asked for it."""
        return self._plain_line if self._pipe.term in PLAIN or self.settings.plain else None

    # The loop -----------------------------------------------------------------------------------------------------

    async def run(self, session: Session) -> int:
        """Prompt and run until the operator leaves; returns the session's exit code."""
        self._session = session
        output: Output = DummyOutput()
        if self._plain is None:
            output = Vt100_Output(RawFile(self.raw), self._size, term=self._pipe.term, enable_cpr=False)  # type: ignore[arg-type]
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
            assert isinstance(pipe, PosixPipeInput)
            os.set_blocking(pipe.pipe.write_fd, False)
            self._input = pipe
            self._context = contextvars.copy_context()
            history = await asyncio.to_thread(history_of, self._state, session.user)
            line_by_line: PromptSession[str] = draw_once(
                PromptSession(history=history, key_bindings=self._bindings(), input=pipe, output=output)
            )
            watch = asyncio.create_task(self._watch(session))
            try:
                while not session.ended:
                    line = await self._line(session, line_by_line)
                    if line is None:
                        line = "exit"
                    if line.strip():
                        await self._run(session, line)
            finally:
                watch.cancel()
        return DONE

    async def _line(self, session: Session, prompting: PromptSession[str]) -> str | None:
        """One line from the operator, '' after ctrl-c, None at the end of input."""
        told = [*self._waiting_notices(), *await session.news()]
        for text in told if not self.settings.plain else ():  # a program would take it for a part of its result
            await self.write(f"note: {text}\n")

        def prompt() -> str:
            above, mark = session.prompt()
            return (above + "\n" if above else "") + mark

        try:
            return await self._read(prompting, prompt)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    async def _read(self, reading: PromptSession[str], prompt: Callable[[], str], echo: bool = True) -> str:
        pasted = self._pasted.line()
        if pasted is not None:
            await self.write((prompt() + pasted if echo else prompt()) + "\n")
            if pasted.strip():
                reading.history.append_string(pasted)
            return pasted
        self._reading = reading
        self._used = asyncio.get_running_loop().time()
        if self._plain is not None and self._input is not None:  # typed ahead, when the line before turned it on
            self._pending[:0] = "".join(press.data for press in get_typeahead(self._input)).encode()
        asyncio.get_running_loop().call_soon(self._feed)
        try:
            if self._plain is not None:
                return await self._plain.read(prompt(), echo)
            return await reading.prompt_async(prompt, default=self._pasted.rest(), handle_sigint=False)
        finally:
            self._reading = None

    async def _run(self, session: Session, line: str) -> None:
        """Run one line as a task that ctrl-c cancels."""
        self._command = asyncio.create_task(session.execute(line))
        try:
            await self._command
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._command.cancel()
                if self._full is not None:
                    self._full.restore()
                raise
            await self.write("^C\n")
        finally:
            self._command = None

    async def _watch(self, session: Session) -> None:
        """End the session when it waited for a key too long; the limit is that of the configuration by then."""
        loop = asyncio.get_running_loop()
        while True:
            minutes = session.service.fabric.running.settings(System).idle_timeout
            if not self._waits():
                self._used = loop.time()
            left = self._used + minutes * MINUTE - loop.time()
            if minutes and left <= 0:
                session.service.end(session, f"the session ends: no key was pressed for {minutes} min", DONE)
                return
            await asyncio.sleep(min(left, 1.0) if minutes else 1.0)

    def _waits(self) -> bool:
        """Whether a key is waited for."""
        if self._full is not None:
            return not self._full.app.busy
        return self._reading is not None or (self._pager is not None and self._pager.waits)

    def notice(self, text: str) -> None:
        if self._full is not None and self._session is not None and self._session.ended:
            self._full.restore()
            self.raw(f"note: {harmless(text)}\r\n")
            return
        if self._reading is None or self._plain is not None:
            self._notices = [*self._notices[1 - NOTICES :], text]
            return
        shown = f"note: {harmless(text)}\r\n"
        self._context.run(run_in_terminal, lambda: self.raw(shown))

    def _waiting_notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    async def read_terminal(self, prompt: str) -> str:
        await self.write(prompt + "\n")
        plain: PromptSession[str] = PromptSession(history=InMemoryHistory(), key_bindings=self._pasting())
        lines: list[str] = []
        while True:
            try:
                lines.append(await self._read(plain, str))
            except EOFError:
                return "\n".join(lines) + "\n"
            except KeyboardInterrupt:
                raise asyncio.CancelledError from None

    async def read_secret(self, prompt: str) -> str:
        hidden: PromptSession[str] = PromptSession(history=InMemoryHistory(), input_processors=[Unseen()])
        try:
            return await self._read(hidden, lambda: prompt, echo=False)
        except (KeyboardInterrupt, EOFError):
            raise asyncio.CancelledError from None

    async def show(self, lines: list[str], pager: bool) -> None:
        page = self.screen.rows - 1
        if not pager or page < 2 or len(lines) <= page:
            await self._show(lines)
            return
        self._pager = Pager(lines, lambda: max(2, self.screen.rows - 1), self._show, self.raw)
        try:
            self._pending += await self._pager.run()
        finally:
            self._pager = None

    async def dashboard(self, session: Session, screen: str) -> None:
        if self._plain is not None:
            raise CommandFailed("dashboard", "this terminal cannot draw one", "use a terminal that moves its cursor")
        try:
            async with full_screen(self._pipe, session, screen) as self._full:
                self._pending += await self._full.run()
        finally:
            self._full = None

    async def _show(self, lines: list[str]) -> None:
        if lines:
            await self.write("\n".join(lines) + "\n")

    def _size(self) -> Size:
        return Size(rows=self.screen.rows or 24, columns=self.screen.columns or 80)

    # Keys ---------------------------------------------------------------------------------------------------------

    def _bindings(self) -> KeyBindings:
        bindings = self._pasting()
        bindings.add("?")(self._question)
        bindings.add("tab")(self._tab)
        return bindings

    def _pasting(self) -> KeyBindings:
        bindings = KeyBindings()
        bindings.add("c-z")(lambda event: None)  # would be a character
        bindings.add(Keys.BracketedPaste)(self._paste)
        return bindings

    def _paste(self, event: KeyPressEvent) -> None:
        """The lines one after the other; the first one ends what was typed before it."""
        text, ended = self._pasted.add(event.data)
        event.current_buffer.insert_text(text)
        if ended:
            event.current_buffer.validate_and_handle()

    def _question(self, event: KeyPressEvent) -> None:
        """Print what may come next and leave the line as it is; inside quotes it is a character."""
        buffer = event.current_buffer
        text = buffer.document.text_before_cursor
        if lex(text).open_quote:
            buffer.insert_text("?")
        else:
            self._explain(buffer.text, text, "?")

    def _explain(self, whole: str, text: str, key: str) -> None:
        session = self._session
        assert session is not None
        lines = self._help(text) or []
        _, prompt = session.prompt()
        shown = "\n".join([f"{prompt}{whole}{key}", *lines]) + "\n"
        run_in_terminal(lambda: self.raw(shown.replace("\n", "\r\n")))

    def _tab(self, event: KeyPressEvent) -> None:
        """Go on with the word as far as it is certain; list what there is when nothing is."""
        buffer = event.current_buffer
        text = buffer.document.text_before_cursor
        addition, lines = self._addition(text)
        if addition:
            buffer.insert_text(addition)
        elif lines:
            self._explain(buffer.text, text, "")

    def _help(self, text: str) -> list[str] | None:
        """What `?` prints for this text; None inside quotes, where it is a character."""
        assert self._session is not None
        return help_for(self._session, text, self.screen.columns)

    def _addition(self, text: str) -> tuple[str, list[str]]:
        """What is certain to come next in this text, and the lines that say what there is."""
        assert self._session is not None
        return addition_for(self._session, text, self.screen.columns)
