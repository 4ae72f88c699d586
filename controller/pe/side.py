"""PE routers in the commit transaction (commit/sides.py): the same phases as for switches.

    plan      the router itself compares: candidate loaded, compared, discarded
    prepare   loaded and compared, before any switch changes; who refuses ends the commit here
    commit    after the switches and BGP, to be undone by the router itself unless it is confirmed
    settle    confirmed
    discard, revert

One that is away owes the revision: its receipt is pending until `routers.py` has caught up with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from controller.commit.receipts import Kept, Receipt
from controller.pe.errors import PeAway, PeProblem, PeRefused
from controller.pe.held import UNDECIDED, Held
from controller.pe.intent import Wanted
from controller.pe.router import Router, RouterState, counted
from data.errors import ApplyFailed

__all__ = ["Change", "PreparedPes", "prepare"]

REMEDY = "nothing was applied and your candidate is kept; 'show pe' and 'show pe NAME config diff' say more"
Keep = Callable[[Router, Held], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Change:
    """One router's part of a commit. `leaves`: it is configured no more; `away` says why it is not there; `committed`:
    it was told to commit."""

    router: Router
    wanted: Wanted
    leaves: bool = False
    difference: str = ""
    away: str = ""
    committed: bool = False
    holds: bool = False  # the router's lock
    begun: float = field(default_factory=time.monotonic)

    def receipt(self, state: Kept, reason: str = "") -> Receipt:
        """What it confirmed."""
        added, removed = counted(self.difference)
        return Receipt(self.router.part, state, added, removed, (time.monotonic() - self.begun) * 1000, reason)


@dataclass(slots=True, eq=False)
class PreparedPes:
    """The routers that a commit concerns; `revision` is the one it makes. `settled` and `reverted` are told when it is
    over: what is committed now, and who is in doubt."""

    changes: list[Change]
    revision: int
    strict: bool
    keep: Keep
    settled: Callable[[Sequence[Change]], None]
    doubted: Callable[[Router], None]

    async def commit(self) -> Sequence[Receipt]:
        """All at once. Raises ApplyFailed naming the first router that failed."""
        results = await asyncio.gather(*(self._commit(one) for one in self.changes), return_exceptions=True)
        receipts: list[Receipt] = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            receipts += result
        return receipts

    async def settle(self) -> None:
        """Confirms, and lets go of everybody."""
        try:
            await asyncio.gather(*(self._settle(one) for one in self.changes))
            self.settled(self.changes)
        finally:
            self._release()

    async def discard(self) -> None:
        """Gives up the candidates."""
        try:
            await asyncio.gather(*(one.router.give_up() for one in self.changes if one.holds))
        finally:
            self._release()

    async def revert(self) -> None:
        """Undoes what was committed, gives up the rest."""
        try:
            await asyncio.gather(*(self._revert(one) for one in self.changes))
        finally:
            self._release()

    async def _commit(self, change: Change) -> list[Receipt]:
        router = change.router
        if change.away:
            return [] if change.leaves else [change.receipt(Kept.PENDING, change.away)]
        if not change.difference:
            return [change.receipt(Kept.VERIFIED)]
        session = router.session()
        router.decided = False
        try:
            await self.keep(router, router.held.begun(change.wanted.intent, self.revision, session.config_session))
            change.committed = True
            await session.commit(f"nshell revision {self.revision}", change.wanted.pe.revert_timer)
        except PeAway as problem:
            change.away = f"it was lost while it committed: {problem}"
            if self.strict:
                raise _failed(router, change.away) from None
            return [change.receipt(Kept.PENDING, change.away)]
        except PeRefused as problem:
            raise _failed(router, f"it refused the change: {problem}") from None
        except OSError as problem:
            raise _failed(router, f"what it may hold cannot be written down: {problem}") from None
        return [change.receipt(Kept.VERIFIED)]

    async def _settle(self, change: Change) -> None:
        router = change.router
        router.decided, router.leaving = True, change.leaves
        try:
            if change.away:
                await self.keep(router, replace(router.held, owed=True))
                return
            if change.committed:
                await router.session().confirm()
            else:
                await router.give_up()
            await self.keep(router, Held.of(change.wanted.intent))
        except (PeProblem, OSError) as problem:
            change.away = f"it did not confirm: {problem}"

    async def _revert(self, change: Change) -> None:
        router = change.router
        router.decided = False
        if not change.committed:
            if not change.away:
                await router.give_up()
            return
        try:
            session = router.session()
            if not session.timed or await session.pending(router.held.session):
                await session.rollback()
            await self.keep(router, Held.of(router.wanted.intent))
        except (PeProblem, OSError) as problem:
            router.state, router.reason = RouterState.PENDING, f"it did not go back: {problem}"
            with suppress(OSError):  # another commit will have the number of this one
                await self.keep(router, replace(router.held, revision=UNDECIDED))
        self.doubted(router)  # it is looked at again in any case: what it says it did is not what counts

    def _release(self) -> None:
        for change in self.changes:
            if change.holds:
                change.router.close()
                change.router.lock.release()
        self.changes = []


async def prepare(
    changes: list[Change], revision: int, strict: bool, keep: Keep,
    settled: Callable[[Sequence[Change]], None], doubted: Callable[[Router], None],
) -> PreparedPes:  # fmt: skip
    """Loads and compares on every router at once. Raises ApplyFailed when one refuses, or is away and `strict`; the
    others have discarded theirs then."""
    prepared = PreparedPes(changes, revision, strict, keep, settled, doubted)
    try:
        results = await asyncio.gather(*(_prepare(one) for one in changes), return_exceptions=True)
        for change, result in zip(changes, results, strict=True):
            if isinstance(result, PeAway):
                change.away = str(result)
                if change.holds:
                    change.router.close()
                if strict:
                    raise ApplyFailed(
                        change.router.part, f"it is away and the commit is strict: {result}",
                        "wait until it is there (show pe), or commit without 'strict'",
                    )  # fmt: skip
            elif isinstance(result, PeRefused):
                raise _failed(change.router, f"it refused the change: {result}")
            elif isinstance(result, BaseException):
                raise result
    except BaseException:
        await prepared.discard()
        raise
    return prepared


async def _prepare(change: Change) -> None:
    router = change.router
    await router.acquire()
    change.holds = True
    router.close()  # of a former visit, perhaps with other credentials
    if router.held.revision:
        router.session(router.wanted)
        await router.finish()
        router.close()
    change.difference = await router.candidate(change.wanted)


def _failed(router: Router, cause: str) -> ApplyFailed:
    return ApplyFailed(router.part, f"{router.name}: {cause}", REMEDY)
