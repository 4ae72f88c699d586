"""One PE router: what it shall hold, what it may hold, how it stands, and how it is brought there.

state       what is meant
new         not asked yet since the controller started
in sync     it holds what is committed
pending     it owes a commit: it was away, or was lost in the middle
away        it is not reached; it held all when it was last
changed     somebody else changed our part of it; the next commit that concerns it, or a repair, puts it right
refused     it does not take what is committed
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from controller.pe.errors import PeAway, PeProblem, PeRefused
from controller.pe.fragment import DIALECTS, fragment
from controller.pe.held import UNDECIDED, Held
from controller.pe.intent import Wanted
from controller.pe.session import Session

__all__ = ["BUSY", "Carried", "Router", "RouterState", "counted"]

BUSY = 30.0  # seconds that a commit waits for what else is done with the router


class RouterState(StrEnum):
    """See the module."""

    NEW = "new"
    IN_SYNC = "in sync"
    PENDING = "pending"
    AWAY = "away"
    CHANGED = "changed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Carried:
    """What a visit to a router came to: the difference that was found, and whether it was carried out."""

    difference: str
    committed: bool
    milliseconds: float


@dataclass(slots=True, eq=False)
class Router:
    """One router. Whoever speaks to it has `lock`; `keep` writes down what it may hold.

    `decided`: the commit that `held` tells is under way is in the store. `leaving`: it is configured no more, and
    forgotten once it holds nothing of ours.
    """

    name: str
    wanted: Wanted
    make: Callable[[str, Wanted], Session]
    held: Held = field(default_factory=Held)
    state: RouterState = RouterState.NEW
    reason: str = ""
    contact: float | None = None  # seconds since the epoch
    decided: bool = False
    leaving: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    _session: Session | None = None

    @property
    def part(self) -> str:
        """Its name in receipts and plans."""
        return f"pe {self.name}"

    @property
    def owes(self) -> bool:
        """Whether it may hold anything else than what is committed."""
        return not self.held.only(self.wanted.intent)

    def session(self, wanted: Wanted | None = None) -> Session:
        """The way to it, the same until `close`. Needs the lock."""
        if self._session is None:
            self._session = self.make(self.name, wanted or self.wanted)
        return self._session

    def close(self) -> None:
        """Ends the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    async def acquire(self) -> None:
        """The lock. Raises PeAway when somebody else has it for long."""
        try:
            async with asyncio.timeout(BUSY):
                await self.lock.acquire()
        except TimeoutError:
            raise PeAway("it is busy with what was asked of it before") from None

    async def candidate(self, wanted: Wanted) -> str:
        """Loads what would bring it there; the difference that it makes, none when it is there already. Needs the lock.

        Raises PeAway, PeRefused.
        """
        session = self.session(wanted)
        dialect = DIALECTS.get(wanted.intent.driver)
        running = None
        if dialect is not None and dialect.names_running and any(one != wanted.intent for one in self.held.parts):
            running = await session.running()
        text = fragment(wanted.intent, self.held.parts, key=wanted.key, running=running)
        return await session.prepare(text) if text else ""

    async def finish(self) -> None:
        """What a commit that was cut short left: confirmed when it was decided, else undone. Needs the lock."""
        if not self.held.revision:
            return
        session = self.session()
        if await session.pending(self.held.session):
            await (session.confirm() if self.decided else session.rollback())

    async def carry(self, keep: Callable[[Router, Held], Awaitable[None]], comment: str, *, repair: bool) -> Carried:
        """Brings it to what is committed, where it owes that, or always with `repair`; else only looks.

        Raises PeAway, PeRefused. Needs the lock.
        """
        begun = time.monotonic()
        try:
            await self.finish()
            difference = await self.candidate(self.wanted)
            session, owes = self.session(), self.owes
            if difference and (owes or repair):
                await keep(
                    self, self.held.begun(self.wanted.intent, self.held.revision or UNDECIDED, session.config_session)
                )
                await session.commit(comment, self.wanted.pe.revert_timer)
                await session.confirm()
            elif difference:
                await session.discard()
                return Carried(difference, False, _since(begun))
            if owes or repair:
                await keep(self, Held.of(self.wanted.intent))
            return Carried(difference, bool(difference), _since(begun))
        except PeRefused:
            await self.give_up()
            raise
        finally:
            self.close()

    async def give_up(self) -> None:
        """Drops the candidate of a router that refused it. Raises nothing: a connection that ends drops it too."""
        try:
            await self.session().discard()
        except PeProblem:
            self.close()


def counted(difference: str) -> tuple[int, int]:
    """Lines that a difference adds and removes; those of a text without signs all count as added."""
    lines = [line for line in difference.splitlines() if line.strip()]
    removed = sum(1 for line in lines if line.lstrip()[:1] == "-")
    added = sum(1 for line in lines if line.lstrip()[:1] == "+")
    return (added, removed) if added or removed else (len(lines), 0)


def _since(begun: float) -> float:
    return (time.monotonic() - begun) * 1000
