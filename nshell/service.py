"""`nshell serve`: the daemon. Owns the state directory, opens the store, runs the fabric, answers clients.

    own the directory -> Store.open -> Fabric.start -> agents -> unix socket -> 'ok' to whoever started us -> serve
    SIGTERM, SIGINT: close the socket, cancel sessions, stop the fabric, release the directory

Sessions are coroutines; everything blocking goes through the fabric's one writer thread.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from data.errors import CommandFailed, NshellError
from nshell import __version__, admission, daemon
from nshell.batch import run_batch
from nshell.candidates import UserCandidates
from nshell.link import Link
from nshell.places import socket_path, state_directory
from nshell.session import FAILED, Session
from nshell.users import Peer, peer_of
from views.render import harmless

if TYPE_CHECKING:
    from controller.fabric import Fabric

log = logging.getLogger("nshell.service")

USAGE = """\
usage: nshell serve [--state DIR] [--log FILE] [--log-level LEVEL]
  --state DIR        state directory (also $NSHELL_STATE)
  --log FILE         append the log to a file instead of standard error
  --log-level LEVEL  debug, info (default), warning or error
"""
BACKLOG = 128
SESSIONS = 256
"""Most sessions at a time; each is a connection and perhaps a terminal of 2 MB."""
GREETING = 5.0
"""Seconds from connecting to the hello; a client sends it at once."""
SENDING = 60.0
"""Seconds from the hello to the last line of a batch; 100 MB take one."""
LINGER = 5.0
"""Seconds that sessions get to end after they were cancelled."""


TOO_MANY = CommandFailed(
    "", f"{SESSIONS} sessions are open already", "end one; 'show sessions' in another tells whose they are"
)


class OneLine(logging.Formatter):
    """One line for each record (a traceback apart): what a stranger calls itself can forge no second one."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = harmless(record.message).replace("\n", "\\n")
        return super().formatMessage(record)


class Service:
    """The running daemon as its sessions see it."""

    def __init__(self, state: str, fabric: Fabric, candidates: UserCandidates) -> None:
        self.state = state
        self.fabric = fabric
        self.candidates = candidates
        self.sessions: set[Session] = set()
        self.stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from greeting to exit code."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = peer_of(writer.get_extra_info("socket"))
        try:
            await self._converse(reader, writer, peer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            log.debug("user=%s pid=%d session ended by its connection", peer.name, peer.pid)
        except ValueError as problem:
            log.warning("user=%s pid=%d spoke something else than nshell frames: %s", peer.name, peer.pid, problem)
        except TimeoutError:
            log.warning("user=%s pid=%d did not say in time what it wants", peer.name, peer.pid)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        link = Link(reader, writer)
        async with asyncio.timeout(GREETING):
            hello = await link.greet()
        terminal = None
        if hello.interactive:
            # 200 ms of imports, once, off the loop: keepalives to switches must not wait for them.
            module = await asyncio.to_thread(importlib.import_module, "nshell.terminal")
            link = terminal = module.Terminal(link, self.state)
        session = Session(self, peer.name, f"local pid {peer.pid}", link)
        if len(self.sessions) >= SESSIONS:
            log.warning("user=%s pid=%d refused: %d sessions are open", peer.name, peer.pid, SESSIONS)
            await link.close(await session.refuse(TOO_MANY))
            return
        self.sessions.add(session)
        log.info("user=%s pid=%d session opened interactive=%d", peer.name, peer.pid, hello.interactive)
        code = FAILED
        try:
            if terminal is not None:
                code = await self._while_connected(link, terminal.run(session))
            else:
                code = await self._one_shot(link, session, hello.keep_going)
        finally:
            self.sessions.discard(session)
            log.info("user=%s pid=%d session closed code=%d", peer.name, peer.pid, code)
        await link.close(code)

    async def _one_shot(self, link: Link, session: Session, keep_going: bool) -> int:
        try:
            async with asyncio.timeout(SENDING):
                batches = await link.work()
        except NshellError as problem:
            return await session.refuse(problem)

        async def run() -> int:
            code, session.busy = 0, True
            for batch in batches:
                try:
                    result = await run_batch(session, batch, keep_going)
                except ConnectionError:
                    raise
                except Exception as problem:
                    result = await session.refuse(problem)
                code = code or result
                if session.ended or (code and not keep_going):
                    break
            return code

        return await self._while_connected(link, run())

    async def _while_connected(self, link: Link, work: Coroutine[Any, Any, int]) -> int:
        """Run a session; a client that hangs up cancels what runs."""
        main = asyncio.create_task(work)
        pump = asyncio.create_task(link.pump())
        try:
            await asyncio.wait({main, pump}, return_when=asyncio.FIRST_COMPLETED)
            if not main.done():
                main.cancel()
                await asyncio.wait({main})
            return int(await main)
        finally:
            for task in (main, pump):
                task.cancel()

    async def end_sessions(self) -> None:
        """End all sessions: one that runs a command may see it through for LINGER seconds, so that whoever typed
        `commit` learns what it came to.
        """
        self.stopping = True
        busy = {session.task for session in self.sessions if session.busy and session.task is not None}
        for session in self.sessions:
            session.ended = session.ended or session.interactive
        for task in self._tasks - busy:
            task.cancel()
        if busy:
            await asyncio.wait(busy, timeout=LINGER)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LINGER)


async def serve(state: str, ready: int | None) -> None:
    """Run the daemon until a signal ends it. Raises DaemonFailed and NshellError when it cannot start."""
    os.umask(admission.PRIVATE)
    lock = daemon.own(state)
    # Imported only now: a second daemon that finds the lock taken fails in 50 ms.
    from controller.fabric import Fabric
    from data.store import Store

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    fabric = Fabric(Store.open(state))
    await fabric.start()
    candidates = UserCandidates(fabric)
    await candidates.load()
    service = Service(state, fabric, candidates)
    path = socket_path(state)
    group = admission.group()
    server = await asyncio.start_unix_server(service.client, path, backlog=BACKLOG)
    admission.admit(state, path, group)
    gc.collect()
    gc.freeze()
    log.info("version=%s state=%s revision=%d serving", __version__, state, fabric.running.revision)
    if ready is not None:
        os.write(ready, b"ok")
        os.close(ready)
    try:
        await stop.wait()
        log.info("stopping")
    finally:
        server.close()
        try:
            os.unlink(path)  # 3.11 leaves it; from now on a client starts a new daemon, which waits for our lock
        except OSError as problem:
            log.warning("the socket stays behind: %s", problem)
        await service.end_sessions()
        await fabric.stop()
        fabric.store.close()  # its write-ahead log goes into the database: one file to back up
        os.close(lock)


def main(arguments: list[str]) -> int:
    """Entry point of `nshell serve`; returns the exit code."""
    state, log_file, level, ready = "", "", "info", None
    rest = iter(arguments)
    try:
        for word in rest:
            if word in ("-h", "--help"):
                print(USAGE, end="")
                return 0
            if word == "--state":
                state = next(rest)
            elif word == "--log":
                log_file = next(rest)
            elif word == "--log-level":
                level = next(rest)
            elif word == "--ready-fd":
                ready = int(next(rest))
            else:
                raise ValueError(word)
        number = logging.getLevelNamesMapping()[level.upper()]
    except (ValueError, StopIteration, KeyError):
        sys.stderr.write(USAGE)
        return 2
    try:
        logging.raiseExceptions = False  # a log on a full disk is cut, and says no more about it
        handler = logging.FileHandler(log_file) if log_file else logging.StreamHandler()
        handler.setFormatter(OneLine("%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"))
        logging.basicConfig(handlers=[handler], level=number)
        asyncio.run(serve(state_directory(state), ready))
        return 0
    except daemon.DaemonFailed as problem:
        code, reason = 1, str(problem)
    except NshellError as problem:
        code, reason = problem.exit_code, f"{problem.where}: {problem.cause}\n  {problem.remedy}"
    except OSError as problem:
        place = problem.filename or state_directory(state)
        code, reason = 1, f"{place}: {problem.strerror or problem}\n  mend that, or choose another --state"
    except Exception as problem:
        log.exception("the daemon cannot go on")
        code, reason = 1, f"internal error: {type(problem).__name__}: {problem}\n  its log has more; please report it"
    sys.stderr.write(f"error: {reason}\n")
    if ready is not None:
        try:
            os.write(ready, reason.encode())
        except OSError:
            log.debug("nobody waits for this daemon any more")
    return code
