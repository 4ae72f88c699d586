"""The speaker process, seen from the daemon: started, listened to, started again when it dies.

It has one end of a socket pair and its standard error; no file, no port but those of BGP. When the daemon dies it ends
by itself, without a NOTIFICATION; where `left` notes it, only after its sessions have been kept for a while, or when
the first process of the next daemon is ready.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence

from controller.bgp.speaker.frames import FrameError, Kind, Splitter
from controller.bgp.speaker.left import Left
from data.errors import CommandFailed

__all__ = ["COMMAND", "Child"]

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "controller.bgp.speaker.child")
START_TIMEOUT = 60.0  # seconds; ExaBGP takes 0.3 on an idle machine
FIRST_PAUSE, LAST_PAUSE = 0.1, 10.0  # seconds before it is started again, doubled each time
STEADY = 30.0  # seconds that it must have lived to be started again without a pause
END_TIMEOUT = 5.0  # seconds for NOTIFICATIONs to go out
READ_SIZE = 1 << 16  # bytes at once: what is read while one listener's turn lasts
LINES_KEPT = 20  # of standard error
LINE_LIMIT = 400  # characters


class Child:
    """Runs the process. `begun` is called when one is ready for commands, `told` with every frame, `ended` when it is
    gone, with the reason; in that order, one after the other."""

    def __init__(
        self,
        begun: Callable[[], Awaitable[None]],
        told: Callable[[Kind, bytes], Awaitable[None]],
        ended: Callable[[str], None],
        secrets: Callable[[], Collection[str]],
        command: Sequence[str] = COMMAND,
        left: Left | None = None,
    ) -> None:
        self._begun, self._told, self._ended, self._secrets = begun, told, ended, secrets
        self._left = left
        self._command = tuple(command)
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Its process number while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def answers(self) -> bool:
        """Whether commands can be sent."""
        return self._writer is not None

    async def start(self) -> None:
        """Start it, and keep it running. Raises CommandFailed when the first start fails."""
        self._stopping = False
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._supervise(first), name="bgp speaker")
        try:
            await first
        except BaseException:
            await self.stop()
            raise

    async def stop(self, last_words: bytes = b"") -> None:
        """End it for good: with `last_words`, a frame, it may end by itself."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            if last_words and self._writer is not None:
                self._writer.write(last_words)
                try:
                    await asyncio.wait_for(asyncio.shield(process.wait()), END_TIMEOUT)
                except TimeoutError:
                    log.warning("the speaker did not end within %.0f s", END_TIMEOUT)
            _kill(process)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def kill(self) -> None:
        """kill -9, as if it crashed; it is started again."""
        if self._process is not None:
            _kill(self._process)

    def send(self, data: bytes) -> None:
        """Frames for it. Raises ConnectionError when it is not there."""
        if self._writer is None:
            raise ConnectionError("the speaker does not run")
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until it has taken most of what was sent. Raises ConnectionError."""
        if self._writer is not None:
            await self._writer.drain()

    async def _supervise(self, first: asyncio.Future[None]) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            started = time.monotonic()
            reason = await self._run(first)
            if not first.done():
                first.set_exception(CommandFailed("bgp", f"the speaker does not start: {reason}", "see the log"))
                return
            if self._stopping:
                return
            log.warning("the speaker ended: %s", reason)
            if time.monotonic() - started > STEADY:
                pause = FIRST_PAUSE
                continue  # peers that cannot restart gracefully lose packets until it is back
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    async def _run(self, first: asyncio.Future[None]) -> str:
        """One life of it; how it ended."""
        ours, theirs = socket.socketpair()
        lines: deque[str] = deque(maxlen=LINES_KEPT)
        try:
            outlive = () if self._left is None else ("outlive",)
            argv = (*self._command, str(theirs.fileno()), str(os.getpid()), *outlive)
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, pass_fds=(theirs.fileno(),), cwd="/"
            )
        except OSError as problem:
            ours.close()
            return f"{self._command[0]}: {problem.strerror}"
        finally:
            theirs.close()
        self._process = process
        self._note(process.pid)
        errors = asyncio.create_task(self._errors(process, lines))
        reader, writer = await asyncio.open_connection(sock=ours, limit=READ_SIZE)
        reason = ""
        begun = False
        try:
            splitter = Splitter()
            async with asyncio.timeout(START_TIMEOUT) as deadline:
                while data := await reader.read(READ_SIZE):
                    for kind, payload in splitter.feed(data):
                        if kind is not Kind.READY:
                            await self._told(kind, payload)
                            continue
                        deadline.reschedule(None)
                        if self._left is not None and not first.done():
                            await asyncio.to_thread(self._left.end, but=process.pid)
                        self._writer, begun = writer, True
                        await self._begun()
                        if not first.done():
                            first.set_result(None)
        except TimeoutError:
            reason = f"not ready after {START_TIMEOUT:.0f} s"
        except FrameError as problem:
            reason = f"it said what is no frame: {problem}"
        except OSError as problem:
            reason = f"the connection to it broke: {problem.strerror}"
        finally:
            self._writer = None
            if not reason and not self._stopping:
                await _ended(process)
            _kill(process)
            await process.wait()
            await errors
            writer.close()
            status = process.returncode
            reason = reason or (f"exit code {status}" if status is None or status >= 0 else f"signal {-status}")
            reason = ": ".join((reason, *list(lines)[-1:]))
            if begun:
                self._ended(reason)
        return reason

    def _note(self, number: int) -> None:
        """A process that cannot be noted would be found by nobody, and keep peers from its successor: it goes on,
        and the log says why sessions may come up late when this daemon is killed."""
        if self._left is not None:
            try:
                self._left.note(number)
            except OSError as problem:
                log.warning("the speaker is not noted for the next daemon: %s", problem)

    async def _errors(self, process: Process, lines: deque[str]) -> None:
        """Standard error into the log, a line at a time, without passwords."""
        assert process.stderr is not None
        while raw := await _line(process.stderr):
            text = "".join(one if one.isprintable() else " " for one in raw.decode(errors="replace")).strip()
            for secret in self._secrets():
                text = text.replace(secret, "***")
            if text:
                lines.append(text[:LINE_LIMIT])
                log.info("speaker: %s", text[:LINE_LIMIT])


async def _ended(process: Process) -> None:
    """Wait for the end of a process that has closed its connection, to learn how it was."""
    try:
        await asyncio.wait_for(process.wait(), END_TIMEOUT)
    except TimeoutError:
        log.warning("the speaker closed its connection and did not end")


async def _line(stream: asyncio.StreamReader) -> bytes:
    """A line, or what there is of one that is too long; nothing at the end."""
    try:
        return await stream.readline()
    except ValueError:
        return b"(a line that is too long)"


def _kill(process: Process) -> None:
    if process.returncode is None:
        try:
            process.send_signal(signal.SIGKILL)
        except ProcessLookupError:
            return  # it ended in this moment
