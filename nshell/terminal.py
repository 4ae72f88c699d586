"""The interactive session: a prompt on a raw terminal at the other end of the socket.

    keys --frames D--> Terminal.keys --+-- a prompt waits: prompt_toolkit's pipe
                                       +-- the pager is open: its queue (pager.py)
                                       +-- a command runs: ctrl-c cancels it, the rest waits for the next prompt

prompt_toolkit draws the line; completion and `?` come from commands/complete.py, one walk of the token tree per key.
"""

from __future__ import annotations

import asyncio
import os

from prompt_toolkit.application import create_app_session, run_in_terminal
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.posix_pipe import PosixPipeInput
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import PromptSession

from commands.complete import complete, help_lines
from commands.lexer import lex
from nshell import frames
from nshell.link import KEYS_LIMIT, Link
from nshell.pager import Pager
from nshell.session import Session
from views.render import encode, harmless

INTERRUPT = b"\x03"
RETRY = 0.01
"""Seconds until keys that did not fit into the pipe are tried again (a paste of more than 64 KiB)."""


class _Stream:
    """The file that prompt_toolkit writes to."""

    encoding = "utf-8"

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        self._terminal.raw(text)
        return len(text)

    def flush(self) -> None:
        """Frames leave by themselves."""

    def isatty(self) -> bool:
        return True


class Terminal(Link):
    """The transport of one interactive session, and its loop of prompt and command."""

    interactive = True

    def __init__(self, link: Link, state: str) -> None:
        super().__init__(link.reader, link.writer)
        self.hello = link.hello
        self._screen = link.screen
        self._state = state
        self._input: PosixPipeInput | None = None
        self._pending = bytearray()
        self._prompting = False
        self._pager: Pager | None = None
        self._command: asyncio.Task[int] | None = None
        self._prompt: PromptSession[str] | None = None
        self._session: Session | None = None

    # The wire -----------------------------------------------------------------------------------------------------

    def raw(self, text: str) -> None:
        """Bytes for the screen as they are; nothing when nobody looks any more."""
        if not self.writer.is_closing():
            self.writer.write(frames.pack(frames.DATA, encode(text, self._screen)))

    async def write(self, text: str) -> None:
        self.raw(harmless(text).replace("\n", "\r\n"))
        await self.writer.drain()

    async def write_error(self, text: str) -> None:
        await self.write(text)

    def keys(self, data: bytes) -> None:
        data = data[: max(0, KEYS_LIMIT - len(self._pending))]
        if self._prompting:
            self._pending += data
            self._feed()
        elif INTERRUPT in data:
            self._interrupt(data.rpartition(INTERRUPT)[2])
        elif self._pager is not None:
            self._pager.keys(data)
        else:
            self._pending += data

    def _interrupt(self, behind: bytes) -> None:
        """Ctrl-c outside the prompt: what was typed ahead of it is forgotten, `behind` is what follows it."""
        self._pending[:] = behind
        if self._pager is not None and self._pager.waits:
            self._pager.keys(INTERRUPT)
        elif self._command is not None:
            self._command.cancel()

    def _feed(self) -> None:
        if self._input is None or not self._pending or not self._prompting:
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
        if self._prompting and self._prompt is not None:
            self._prompt.app._on_resize()

    # The loop -----------------------------------------------------------------------------------------------------

    async def run(self, session: Session) -> int:
        """Prompt and run until the operator leaves; returns the session's exit code."""
        self._session = session
        output = Vt100_Output(_Stream(self), self._size, term=self.hello.term if self.hello else None, enable_cpr=False)  # type: ignore[arg-type]
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
            assert isinstance(pipe, PosixPipeInput)
            os.set_blocking(pipe.pipe.write_fd, False)
            self._input = pipe
            self._prompt = PromptSession(
                history=self._history(session.user), key_bindings=self._bindings(), input=pipe, output=output
            )
            while not session.ended:
                line = await self._line(session)
                if line is None:
                    line = "exit"
                if line.strip():
                    await self._run(session, line)
        return 0

    async def _line(self, session: Session) -> str | None:
        """One line from the operator, '' after ctrl-c, None at the end of input."""
        for text in await session.news():
            await self.write(f"note: {text}\n")
        above, prompt = session.prompt()
        try:
            return await self._read((above + "\n" if above else "") + prompt)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    async def _read(self, prompt: str) -> str:
        assert self._prompt is not None
        self._prompting = True
        asyncio.get_running_loop().call_soon(self._feed)
        try:
            return await self._prompt.prompt_async(prompt, handle_sigint=False)
        finally:
            self._prompting = False

    async def _run(self, session: Session, line: str) -> None:
        """Run one line as a task that ctrl-c cancels."""
        self._command = asyncio.create_task(session.execute(line))
        try:
            await self._command
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._command.cancel()
                raise
            await self.write("^C\n")
        finally:
            self._command = None

    async def read_terminal(self, prompt: str) -> str:
        await self.write(prompt + "\n")
        lines: list[str] = []
        while True:
            try:
                lines.append(await self._read(""))
            except EOFError:
                return "\n".join(lines) + "\n"
            except KeyboardInterrupt:
                raise asyncio.CancelledError from None

    async def show(self, lines: list[str], pager: bool) -> None:
        page = self._screen.rows - 1
        if not pager or page < 2 or len(lines) <= page:
            await super().show(lines, pager)
            return
        write = super().show
        self._pager = Pager(lines, lambda: max(2, self._screen.rows - 1), lambda shown: write(shown, False), self.raw)
        try:
            self._pending += await self._pager.run()
        finally:
            self._pager = None

    def _size(self) -> Size:
        return Size(rows=self._screen.rows or 24, columns=self._screen.columns or 80)

    def _history(self, user: str) -> History:
        """The user's earlier lines, kept in the state directory."""
        folder = os.path.join(self._state, "history")
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            path = os.path.join(folder, user)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            return InMemoryHistory()  # a full or read-only disk must not keep the operator out
        return FileHistory(path)

    # Keys ---------------------------------------------------------------------------------------------------------

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        bindings.add("?")(self._question)
        bindings.add("tab")(self._tab)
        return bindings

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
        lines = help_lines(session.mode, text, session, self._screen.columns)
        _, prompt = session.prompt()
        shown = "\n".join([f"{prompt}{whole}{key}", *lines]) + "\n"
        run_in_terminal(lambda: self.raw(shown.replace("\n", "\r\n")))

    def _tab(self, event: KeyPressEvent) -> None:
        """Go on with the word as far as it is certain; list what there is when nothing is."""
        session = self._session
        assert session is not None
        buffer = event.current_buffer
        text = buffer.document.text_before_cursor
        found = complete(session.mode, text, session)
        words = [candidate.word for candidate in found.candidates if not candidate.hint and candidate.word != "|"]
        typed = text[found.start :]
        if len(words) == 1:
            addition = words[0][len(typed) :] if words[0].startswith(typed) else ""
            buffer.insert_text(addition + " ")
            return
        common = beginning(words)
        if len(common) > len(typed) and common.startswith(typed):
            buffer.insert_text(common[len(typed) :])
        elif found.candidates:
            self._explain(buffer.text, text, "")


def beginning(words: list[str]) -> str:
    """The longest text that all words begin with."""
    if not words:
        return ""
    low, high = min(words), max(words)
    at = next(
        (at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), min(len(low), len(high))
    )
    return low[:at]
