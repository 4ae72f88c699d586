"""The daemon as its clients see it: makes sessions, runs what they ask, ends them; the unix socket's clients, too.

    unix socket ── client() ──┐
                              ├── attend() ── Session ── interactive: Terminal.run
    SSH channel ── ssh/ ──────┤                ├──────── one-shot, batch: run_batches
    browser ── web/ ──────────┘                └──────── a dashboard: web/browser.py

Sessions are coroutines; everything blocking goes through the fabric's one writer thread. The process around it is
serve.py; a session's commands run in session.py, a batch in batch.py, SSH is ssh/.

It takes part in commits, to tell the people at their prompts what others committed.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from data.configuration import Edits
from data.errors import CommandFailed, NshellError
from nshell.serving import logs
from nshell.serving.authentication import Authentication
from nshell.serving.link import Link
from nshell.serving.transport import Transport
from nshell.serving.users import Caller, peer_of
from nshell.sessions.accounts import is_trusted
from nshell.sessions.audit import AuditLog
from nshell.sessions.batch import Batch, run_batch
from nshell.sessions.candidates import UserCandidates
from nshell.sessions.context import DONE, FAILED
from nshell.sessions.exclusive import Exclusive
from nshell.sessions.scheduled import ScheduledCommits
from nshell.sessions.session import Session
from nshell.sessions.visitors import Visitors
from nshell.ssh.listener import SshListener
from nshell.web.listener import WebListener

if TYPE_CHECKING:
    from controller.fabric import Fabric

log = logging.getLogger("nshell.service")

SESSIONS = 256
"""Most sessions at a time; each is a connection and perhaps a terminal of 2 MB."""
OWN = 128
"""Sessions of one user who is not the administrator of this machine: nobody keeps all others out."""
RESERVED = 16
"""Sessions that only the administrator of this machine gets, to end others with."""
GREETING = 5.0
"""Seconds from connecting to the hello; a client sends it at once."""
SENDING = 60.0
"""Seconds from the hello to the last line of a batch; 100 MB take one."""
LINGER = 5.0
"""Seconds that sessions get to end after they were cancelled."""

TOO_MANY = CommandFailed(
    "", f"{SESSIONS} sessions are open already", "end one; 'show sessions' in another tells whose they are"
)

Work = Callable[[Session], Coroutine[Any, Any, int]]
"""What a session is opened for; returns its exit code."""


class Service:
    """The running daemon as its sessions see it."""

    def __init__(self, state: str, fabric: Fabric, candidates: UserCandidates) -> None:
        self.state = state
        self.fabric = fabric
        self.candidates = candidates
        self.audit = AuditLog(fabric)
        self.visitors = Visitors(fabric.events)
        self.sessions: set[Session] = set()
        self.exclusive = Exclusive()
        self.scheduled = ScheduledCommits(self)
        self.stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endings: dict[Session, asyncio.Future[tuple[str, int]]] = {}
        self._visits: dict[Session, float] = {}  # those who came at a terminal of this machine, and when
        self.authentication = Authentication(fabric)
        self._ssh = SshListener(self)
        self.web = WebListener(self)

    async def start(self) -> None:
        """Take part in commits, and listen for SSH and HTTPS where the configuration says so."""
        self.fabric.add_participant(self)
        await self.scheduled.start()
        await self._ssh.open()
        await self.web.open()

    # Sessions -------------------------------------------------------------------------------------------------------

    async def attend(self, caller: Caller, transport: Transport, work: Work, gone: Awaitable[object]) -> int:
        """One session from opening to exit code. `gone` ends when nobody is at the other end any more; that, and
        `end`, cancels what runs. Raises ConnectionError.
        """
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            try:
                session = self.open(caller, transport)
            except NshellError as problem:
                log.warning("user=%s origin=%r refused: %s", caller.name, caller.origin, problem.cause)
                return await Session(self, caller.name, caller.origin, transport, caller.uid).refuse(problem)
            logs.speaker.set((session.user, session.origin))
            code = FAILED
            try:
                code = await self._until_over(session, work(session), gone)
            finally:
                self._close(session, code)
            return code
        finally:
            self._tasks.discard(task)

    def open(self, caller: Caller, transport: Transport) -> Session:
        """A session of this caller, counted. Raises CommandFailed when there are too many."""
        if len(self.sessions) >= SESSIONS:
            raise TOO_MANY
        if not is_trusted(caller.uid):
            if len(self.sessions) >= SESSIONS - RESERVED:
                raise TOO_MANY
            if sum(session.user == caller.name for session in self.sessions) >= OWN:
                raise CommandFailed("", f"{OWN} of your sessions are open already", "end one; 'show sessions' has them")
        session = Session(self, caller.name, caller.origin, transport, caller.uid)
        self.sessions.add(session)
        self._endings[session] = asyncio.get_running_loop().create_future()
        log.info("user=%s origin=%r session opened interactive=%d", session.user, session.origin, session.interactive)
        if session.interactive and caller.uid is not None:  # who comes over the network was told when he logged in
            self._visits[session] = self.visitors.came(session.user, session.origin, "")
        return session

    def _close(self, session: Session, code: int) -> None:
        self.sessions.discard(session)
        self.exclusive.release(session)
        self._endings.pop(session).cancel()
        if session in self._visits:
            self.visitors.went(session.user, session.origin, self._visits.pop(session))
        log.info("user=%s origin=%r session closed code=%d", session.user, session.origin, code)

    def end(self, session: Session, reason: str, code: int) -> None:
        """End a session from outside: what runs is cancelled, `reason` is the last thing it shows."""
        ending = self._endings.get(session)
        if ending is not None and not ending.done():
            ending.set_result((reason, code))

    async def _until_over(self, session: Session, work: Coroutine[Any, Any, int], gone: Awaitable[object]) -> int:
        main = asyncio.create_task(work)
        left = asyncio.ensure_future(gone)
        ending = self._endings[session]
        first: set[asyncio.Future[Any]] = {main, left, ending}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if main.done() or not ending.done():
                if not main.done():
                    main.cancel()
                    await asyncio.wait({main})
                return int(await main)
            reason, code = ending.result()
            main.cancel()
            await asyncio.wait({main})
            log.info("user=%s origin=%r %s", session.user, session.origin, reason)
            await session.transport.write_error(reason + "\n")
            return code
        finally:
            main.cancel()
            left.cancel()

    async def run_batches(self, session: Session, batches: Sequence[Batch], keep_going: bool) -> int:
        """Run batches one after the other; returns the exit code of the first error, 0 when there was none."""
        code, session.busy = DONE, True
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

    # The unix socket ------------------------------------------------------------------------------------------------

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from greeting to exit code."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = peer_of(writer.get_extra_info("socket"))
        try:
            await self._converse(Link(reader, writer), peer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            log.debug("user=%s origin=%r session ended by its connection", peer.name, peer.origin)
        except ValueError as problem:
            log.warning("user=%s origin=%r spoke no nshell frames: %s", peer.name, peer.origin, problem)
        except TimeoutError:
            log.warning("user=%s origin=%r did not say in time what it wants", peer.name, peer.origin)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, link: Link, peer: Caller) -> None:
        async with asyncio.timeout(GREETING):
            hello = await link.greet()
        if hello.interactive:
            terminal = (await terminal_module()).Terminal(link, self.state)
            code = await self.attend(peer, terminal, terminal.run, link.pump())
        else:
            code = await self._one_shot(link, peer, hello.keep_going)
        await link.close(code)

    async def _one_shot(self, link: Link, peer: Caller, keep_going: bool) -> int:
        received = asyncio.Event()

        async def work(session: Session) -> int:
            try:
                async with asyncio.timeout(SENDING):
                    batches = await link.work()
            except NshellError as problem:
                return await session.refuse(problem)
            finally:
                received.set()
            return await self.run_batches(session, batches, keep_going)

        async def gone() -> None:
            await received.wait()
            await link.pump()

        return await self.attend(peer, link, work, gone())

    # Taking part in commits -----------------------------------------------------------------------------------------

    async def prepare(self, edits: Edits) -> None:
        """Sessions stand in the way of no commit."""

    async def drop(self) -> None:
        """The commit failed: nothing was done for it."""

    async def changed(self, edits: Edits) -> None:
        """Tell people at their prompts what somebody else committed."""
        for session in tuple(self.sessions):
            if session.interactive:
                task = asyncio.create_task(self._tell(session))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _tell(self, session: Session) -> None:
        for text in await session.news():
            session.transport.notice(text)

    # The end --------------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """End all sessions, then SSH and HTTPS; what they did is in the audit then."""
        await self.scheduled.stop()
        await self._end_sessions()
        await self._ssh.close()
        await self.web.close()
        self.authentication.close()
        await self.audit.written()

    async def _end_sessions(self) -> None:
        """End all sessions: one that runs a command may see it through for LINGER seconds, so that whoever typed
        `commit` learns what it came to.
        """
        self.stopping = True
        busy = {session.task for session in self.sessions if session.busy and session.task is not None}
        for session in self.sessions:
            if session.interactive:
                session.ended = True
                session.transport.notice("the daemon stops")
        for task in self._tasks - busy:
            task.cancel()
        if busy:
            await asyncio.wait(busy, timeout=LINGER)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LINGER)


async def terminal_module() -> Any:
    """nshell.terminal.loop: 200 ms of imports, once, off the loop: keepalives to switches must not wait for them."""
    return await asyncio.to_thread(importlib.import_module, "nshell.terminal.loop")
