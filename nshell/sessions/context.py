"""A session as its handlers see it (the Context of commands/context.py): who, in which mode, with which rights.

Here a user's class takes effect on everything that is looked at and changed: `running`, `configuration` and `fabric`
show what it lets be seen, `candidate` has the guard, `commit` looks at the edits once more.
Next: session.py, which runs lines.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from commands.context import Schedule, SessionFacts, WebFacts
from commands.language.registry import Mode
from data.access import Access
from data.confined import seen
from data.errors import CommandFailed
from data.path import Path
from data.steps import Steps, spread
from data.store.records import AuditRow
from nshell import __version__
from nshell.serving.transport import Transport
from nshell.sessions.accounts import access_for, is_trusted
from nshell.sessions.confined import facade
from views.render import ScreenSettings

if TYPE_CHECKING:
    from controller.fabric import Fabric, Outcome
    from data.candidate import Candidate
    from data.configuration import Configuration, Edits
    from nshell.serving.service import Service
    from nshell.sessions.session import Session

T = TypeVar("T")

DONE = 0
FAILED = 1
NUMBERS = itertools.count(1)
"""Numbers of sessions, for `show sessions` and `request session`."""


class SessionContext:
    """Who is there, in which mode, at which place, with which rights. Lines are run by `Session`."""

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
        self.entered: list[Path] = []
        self.ended = False
        self.busy = False
        self.task = asyncio.current_task()
        self.version = __version__
        self.seen_revision = service.fabric.running.revision
        self._audited = False
        self._began_with = self._access
        self._in_turn = False
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
        fabric = self.service.fabric
        found = access_for(
            fabric.acting, fabric.running, self.user, trusted=is_trusted(self.uid), local=self.uid is not None
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
        candidate.limit = None if access.unlimited else access.refuse_provider_leaves

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The user's sessions change their candidate one after the other."""
        lock = self.service.candidates.turn(self.user)
        await lock.acquire()
        self._in_turn = True
        try:
            yield
        finally:
            if self._in_turn:
                self._in_turn = False
                lock.release()

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[None]:
        """Let the user's other sessions go on while this one waits for somebody to type or to send a file.

        Handlers read what they need before they look at the candidate, so that nothing they know is out of date then.
        """
        if not self._in_turn:
            yield
            return
        lock = self.service.candidates.turn(self.user)
        self._in_turn = False
        lock.release()
        try:
            yield
        finally:
            await lock.acquire()
            self._in_turn = True

    async def save_candidate(self) -> None:
        await self.service.candidates.save(self.user)

    async def change_candidate(self, work: Callable[[Candidate], Steps[T]]) -> T:
        def guarded(copy: Candidate) -> Awaitable[T]:
            self.guard(copy)
            return spread(work(copy))

        return await self.service.candidates.change(self.user, guarded)

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        running = self.service.fabric.running
        anew: Callable[[], Edits] | None = how.pop("again", None)

        def permitted(found: Edits) -> Edits:
            self.access.refuse_verb("commit", True, "commit")
            self.access.refuse_edits(found, running)
            return found

        def again() -> Edits:  # a commit that was before this one may have taken the right away
            return permitted(edits if anew is None else anew())

        permitted(edits)
        outcome = await self.fabric.commit(edits, author=self.user, audit=self._row, again=again, **how)
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
        self.mode, self.level, self.entered = Mode.CONFIGURE, (), []
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
        self.mode, self.level, self.entered = Mode.OPERATIONAL, (), []
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

    @property
    def web(self) -> WebFacts:
        return self.service.web

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

    async def dashboard(self, screen: str) -> None:
        busy, self.busy = self.busy, False  # it waits for its user, as the prompt does
        try:
            await self.transport.dashboard(cast("Session", self), screen)
        finally:
            self.busy = busy

    async def read_secret(self, prompt: str) -> str:
        async with self._aside():
            return await self.transport.read_secret(prompt)

    async def read_file(self, name: str) -> str:
        async with self._aside():
            contents = await self.transport.read_file(name)
        try:
            return contents.decode()
        except UnicodeDecodeError as problem:
            raise CommandFailed(name, f"byte {problem.start} is not UTF-8 text", "save it as UTF-8") from None

    async def write_file(self, name: str, contents: str | bytes) -> None:
        await self.transport.write_file(name, contents.encode() if isinstance(contents, str) else contents)

    async def read_terminal(self, prompt: str) -> str:
        async with self._aside():
            return await self.transport.read_terminal(prompt)


def objects(count: int) -> str:
    """'1 changed object', '2 changed objects'."""
    return f"{count} changed object" if count == 1 else f"{count} changed objects"
