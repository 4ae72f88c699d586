"""One session over SSH, whatever was asked for.

    ssh -p 2022 bob@host                          a prompt on a pty: Pty below a Terminal
    ssh -p 2022 bob@host "show vports"            one command (or several, a line each): Exec
    ssh -p 2022 bob@host < site.set               a batch on standard input: Exec
    ssh -p 2022 bob@host -- --json show vports    options of the `nshell` command, or NSHELL_JSON=1 in the environment

Exit codes are those of the `nshell` command. Files that commands name are the user's own here (files.py).
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Protocol

import asyncssh

from data.errors import CommandFailed, NshellError, SyntaxProblem
from nshell import frames
from nshell.serving.service import Service, terminal_module
from nshell.serving.transport import CHUNK, Keyboard, Unattended
from nshell.serving.users import Caller
from nshell.sessions.batch import Batch
from nshell.sessions.context import FAILED
from nshell.sessions.session import Session
from nshell.ssh.files import UserFiles
from views.color import wants_color
from views.render import Screen, ScreenSettings, encode, harmless

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("nshell.ssh")

INTERRUPT = b"\x03"
END = b"\x04" * 4
"""What the end of input types at a prompt: out of `load terminal`, an edit, configure mode, and the session."""
KEYS = 65536
JSON, KEEP_GOING = "--json", "--keep-going"
VARIABLES = {JSON: "NSHELL_JSON", KEEP_GOING: "NSHELL_KEEP_GOING"}
OFF = ("", "0")
LIBRARIES = re.compile(r"-(paramiko|libssh|asyncssh|go\b|jsch|sshj|russh|ssh2js)", re.IGNORECASE)
"""Versions of clients that are programs: whatever terminal they ask for, they look for prompts, not at a screen."""
SENDING = 300.0
"""Seconds until the end of a batch on standard input."""
FROM_STDIN = "standard input"


class Wire(Protocol):
    """The connection below a channel, as far as channels care."""

    async def drained(self) -> None:
        """Waits until the socket takes more."""
        ...


class Streams:
    """The three streams of a channel, its screen and its user's files: what Exec and Pty have in common."""

    def __init__(
        self,
        wire: Wire,
        stdin: asyncssh.SSHReader[bytes],
        stdout: asyncssh.SSHWriter[bytes],
        stderr: asyncssh.SSHWriter[bytes],
        files: UserFiles,
    ) -> None:
        self._wire = wire
        self.stdin = stdin
        self._stdout, self._stderr = stdout, stderr
        self.channel: asyncssh.SSHServerChannel[bytes] = stdout.channel  # type: ignore[assignment]
        self.read_file, self.write_file = files.read_file, files.write_file
        self.environment = self.channel.get_environment()
        self.term = self.channel.get_terminal_type() or ""
        if self.term and LIBRARIES.search(str(self.channel.get_extra_info("client_version"))):
            self.term = "dumb"
        self.settings = ScreenSettings()
        self._unicode = shows_unicode(self.environment)
        self._color = wants_color(self.term, self.environment)

    @property
    def screen(self) -> Screen:
        columns, rows, _, _ = self.channel.get_terminal_size()
        return self.settings.applied(Screen(columns, rows, self._unicode, self._color))

    def put(self, data: bytes) -> None:
        """Bytes for the screen, while somebody looks."""
        if not self.channel.is_closing():
            self._stdout.write(data)

    async def drain(self) -> None:
        """Waits until both the channel and the socket take more. Raises ConnectionError."""
        try:
            await self._stdout.drain()
            await self._wire.drained()
        except asyncssh.Error as problem:
            raise ConnectionResetError(str(problem)) from None
        if self.channel.is_closing():
            raise ConnectionResetError("the client is gone")


class Exec(Streams, Unattended):
    """The transport of commands that were sent along, and of batches; with a pty (`ssh -t`) ctrl-c stops them."""

    async def write(self, text: str) -> None:
        await self._write(self._stdout, text)

    async def write_error(self, text: str) -> None:
        await self._write(self._stdout if self.term else self._stderr, text)

    async def _write(self, stream: asyncssh.SSHWriter[bytes], text: str) -> None:
        data = encode(harmless(text), self.screen)
        if self.term:
            data = data.replace(b"\n", b"\r\n")
        for at in range(0, len(data), CHUNK):
            if self.channel.is_closing():
                raise ConnectionResetError("the client is gone")
            stream.write(data[at : at + CHUNK])
            await self.drain()

    async def gone(self) -> None:
        """Ends when nobody is there any more, or ctrl-c is pressed on its pty."""
        if self.term:
            async for key in keys_of(self.stdin):
                if INTERRUPT in key:
                    return
        await self.channel.wait_closed()


class Pty(Streams):
    """The pipe to a terminal at the other end."""

    keyboard: Keyboard | None = None

    async def pump(self) -> None:
        """Hand keys and window changes on until nobody is there any more."""
        async for data in keys_of(self.stdin):
            if self.keyboard is not None and data:
                self.keyboard.keys(data)
            elif self.keyboard is not None:
                self.keyboard.resized()
        if self.keyboard is not None:
            self.keyboard.keys(END)
        await self.channel.wait_closed()


async def keys_of(stdin: asyncssh.SSHReader[bytes]):  # type: ignore[no-untyped-def]
    """Keys as they are pressed, b'' when the window changed, until the end of input."""
    while True:
        try:
            data = await stdin.read(KEYS)
        except asyncssh.TerminalSizeChanged:
            yield b""
            continue
        except (asyncssh.BreakReceived, asyncssh.SignalReceived):
            data = INTERRUPT
        except (asyncssh.Error, OSError):
            return
        if not data:
            return
        yield data


async def attend(
    service: Service,
    caller: Caller,
    wire: Wire,
    stdin: asyncssh.SSHReader[bytes],
    stdout: asyncssh.SSHWriter[bytes],
    stderr: asyncssh.SSHWriter[bytes],
) -> None:
    """One channel, from its request to its exit code. Raises nothing but CancelledError."""
    code = FAILED
    try:
        files = UserFiles(service.state, caller.name)
        command = stdout.channel.get_command()  # type: ignore[attr-defined]
        if command is None and stdout.channel.get_terminal_type():  # type: ignore[attr-defined]
            pty = Pty(wire, stdin, stdout, stderr, files)
            terminal = (await terminal_module()).Terminal(pty, service.state)
            code = await service.attend(caller, terminal, terminal.run, pty.pump())
        else:
            code = await _run(service, caller, Exec(wire, stdin, stdout, stderr, files), command or "")
    except (ConnectionError, asyncssh.Error) as problem:
        log.debug("user=%s origin=%r session ended by its connection: %s", caller.name, caller.origin, problem)
    except Exception:
        log.exception("user=%s origin=%r internal error", caller.name, caller.origin)
    finally:
        if not stdout.channel.is_closing():
            stdout.channel.exit(code)  # type: ignore[attr-defined]


async def _run(service: Service, caller: Caller, exchange: Exec, command: str) -> int:
    async def work(session: Session) -> int:
        try:
            words, options = split_options(command, exchange.environment)
            exchange.json = JSON in options
            batch = Batch.of_commands(words.splitlines()) if words else await _from_stdin(exchange.stdin)
        except NshellError as problem:
            return await session.refuse(problem)
        return await service.run_batches(session, [batch], KEEP_GOING in options)

    return await service.attend(caller, exchange, work, exchange.gone())


async def _from_stdin(stdin: asyncssh.SSHReader[bytes]) -> Batch:
    """The batch on standard input. Raises CommandFailed and SyntaxProblem."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(SENDING):
            while data := await stdin.read(CHUNK):
                parts.append(data)
                size += len(data)
                if size > frames.MAXIMUM:
                    raise CommandFailed(FROM_STDIN, f"longer than {frames.MAXIMUM >> 20} MiB", "split it")
    except TimeoutError:
        raise CommandFailed(FROM_STDIN, f"it did not end within {SENDING:g} s", "send a file") from None
    return Batch.of_file(FROM_STDIN, b"".join(parts))


def split_options(command: str, environment: Mapping[str, str]) -> tuple[str, set[str]]:
    """The command without the options before it, and the options, from the environment, too.

    Raises SyntaxProblem for an option that is none.
    """
    options = {option for option, name in VARIABLES.items() if environment.get(name, "") not in OFF}
    while command.startswith("--"):
        word, _, command = command.partition(" ")
        if word not in VARIABLES:
            raise SyntaxProblem("", f"unknown option '{word}'", f"use {JSON} or {KEEP_GOING}, or none")
        options.add(word)
    return command, options


def shows_unicode(environment: Mapping[str, str]) -> bool:
    """Whether the other end shows more than ASCII; who says nothing about it does."""
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or "utf8"
    return "utf8" in locale.lower().replace("-", "")
