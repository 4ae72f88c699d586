"""All PE routers of a controller: a side of every commit, and what is due between commits.

    returns after it was away       catches up with what it owes, and settles its receipts
    was lost in the middle          what waits there for a confirmation is confirmed or undone, as the store decided
    changed by hand in our part     told as an event, shown by `show pe NAME config diff`, repaired on request

One task for each router looks at it every LOOK seconds, one that owes something sooner at first.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller.commit.plan import SidePlan
from controller.commit.planning import Draft
from controller.events import Kind, Severity
from controller.network import Network
from controller.pe.drivers import Place
from controller.pe.errors import PeAway, PeProblem, PeRefused
from controller.pe.held import Held, HeldFiles
from controller.pe.intent import PeIntent, Wanted, routers
from controller.pe.render import HIDDEN, hidden
from controller.pe.router import Router, RouterState, counted
from controller.pe.session import Session
from controller.pe.side import Change, PreparedPes, prepare
from data.errors import CommandFailed, NothingThere, NshellError

__all__ = ["AGAIN", "LOOK", "PATIENCE", "PeRouters"]

LOOK = 60.0  # seconds between two looks at a router, the longest time until a change by hand is seen
AGAIN = 2.0  # seconds until a router that owes something is tried again, doubled each time up to LOOK
PATIENCE = 45.0  # seconds that a command waits for a router

Settled = Callable[[str, int, int, float], Awaitable[None]]


class PeRouters:
    """See the module. `settled` is told what a router that caught up added, removed and took (ms); `session` makes the
    way to a router; `directory` is the state directory."""

    def __init__(
        self,
        network: Network,
        directory: Path,
        settled: Settled,
        *,
        session: Callable[[str, Wanted], Session] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._network = network
        self._files = HeldFiles(directory)
        self._settled = settled
        self._session = session or (lambda name, wanted: Session(name, Place(wanted.pe, directory), wanted.key))
        self._clock = clock
        self._routers: dict[str, Router] = {}
        self._held: dict[str, Held] = {}
        self._running = False

    # Life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reads what routers may hold and begins to look at them. What a crash cut short is decided by the revision
        that the store has."""
        self._held = await asyncio.to_thread(self._files.load)
        self._running = True
        revision = self._network.configured.revision
        for name, wanted in routers(self._network.state).items():
            router = self._add(name, wanted)
            router.decided = 0 < router.held.revision <= revision
        for name in self._held.keys() - self._routers.keys():
            self._network.events.add(Kind.PE, f"pe {name} is not configured any more and may still hold our part")

    async def stop(self) -> None:
        """Ends all tasks and connections; routers keep what they hold."""
        self._running = False
        tasks = [router.task for router in self._routers.values() if router.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for router in self._routers.values():
            router.close()

    # A side of commits --------------------------------------------------------------------------------------

    async def plan(self, made: Draft) -> Sequence[SidePlan]:
        """What the routers that it concerns say would change."""
        return await asyncio.gather(*(self._plan(*one) for one in self._concerned(made).items()))

    async def prepare(self, made: Draft, strict: bool) -> PreparedPes | None:
        """Raises ApplyFailed. None when it concerns no router."""
        concerned = self._concerned(made)
        if not concerned:
            return None
        there = set(made.new.view.children((), "pe"))
        changes = [Change(router, wanted, router.name not in there) for router, wanted in concerned.items()]
        return await prepare(
            changes, self._network.configured.revision + 1, strict, self._keep, self._take, self._doubt
        )

    def _concerned(self, made: Draft) -> dict[Router, Wanted]:
        """Routers that shall hold something else than before, or be reached otherwise; new ones and those that go."""
        after = routers(made.new)
        found: dict[Router, Wanted] = {}
        for name, wanted in after.items():
            known = self._routers.get(name)
            if known is None:  # until its commit is decided nothing shall be there
                nothing = replace(wanted, intent=PeIntent(wanted.pe.driver))
                known = Router(name, nothing, self._session, self._held.get(name, Held()), leaving=True)
            if known.state is RouterState.CHANGED or known.wanted != wanted or name not in self._routers:
                found[known] = wanted
        for name, known in self._routers.items():
            if name not in after and not known.leaving:
                found[known] = Wanted(known.wanted.pe, PeIntent(known.wanted.pe.driver))
        return found

    async def _plan(self, router: Router, wanted: Wanted) -> SidePlan:
        try:
            await router.acquire()
        except PeAway as problem:
            return SidePlan(router.part, str(problem))
        try:
            router.close()
            difference = await router.candidate(wanted)
            if difference:
                await router.session().discard()
            return SidePlan(router.part, "ready", tuple(difference.splitlines()), *counted(difference))
        except PeAway as problem:
            return SidePlan(router.part, f"away: {problem}; it catches up when it returns")
        except PeRefused as problem:
            return SidePlan(router.part, f"it would refuse this: {problem}")
        finally:
            router.close()
            router.lock.release()

    def _take(self, changes: Sequence[Change]) -> None:
        """A commit is decided: what it wanted is what is committed."""
        for change in changes:
            router = change.router
            router.wanted = change.wanted
            if self._routers.get(router.name) is not router:
                self._routers[router.name] = router
                self._spawn(router)
            if change.away:
                router.state, router.reason = RouterState.PENDING, change.away
                router.wake.set()
            else:
                router.state, router.reason, router.contact = RouterState.IN_SYNC, "", self._clock()
                if change.leaves:
                    self._forget(router)

    def _doubt(self, router: Router) -> None:
        """A commit on it failed: it is looked at, also one that would have been new, until it holds nothing of ours."""
        if router.name not in self._routers:
            self._routers[router.name] = router
            self._spawn(router)
        router.wake.set()

    # Between commits ----------------------------------------------------------------------------------------

    def _add(self, name: str, wanted: Wanted) -> Router:
        router = self._routers[name] = Router(name, wanted, self._session, self._held.get(name, Held()))
        self._spawn(router)
        return router

    def _spawn(self, router: Router) -> None:
        if self._running:
            router.task = asyncio.create_task(self._look_for_ever(router), name=router.part)

    def _forget(self, router: Router) -> None:
        self._routers.pop(router.name, None)
        self._held.pop(router.name, None)
        if router.task is not None:
            router.task.cancel()

    async def _keep(self, router: Router, held: Held) -> None:
        gone = None if router.leaving and not held.parts else held
        await asyncio.to_thread(self._files.save, router.name, gone)
        router.held = self._held[router.name] = held

    async def _look_for_ever(self, router: Router) -> None:
        wait = 0.0 if router.state is RouterState.NEW else LOOK
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await router.wake.wait()
                    wait = 0.0  # it owes something new: soon again
            router.wake.clear()
            async with router.lock:
                settled = await self._look(router)
            wait = LOOK if settled else min(LOOK, max(AGAIN, wait * 2))
            if router.leaving and settled:
                self._forget(router)

    async def _look(self, router: Router, repair: bool = False) -> bool:
        """Visits a router; whether it holds what is committed or only a repair would make it so. Needs the lock."""
        events, about, path = self._network.events, router.part, ("pe", router.name)
        owes = router.owes
        try:
            done = await router.carry(self._keep, "nshell: catches up", repair=repair)
        except PeAway as problem:
            router.state = RouterState.PENDING if owes else RouterState.AWAY
            router.reason = str(problem)
            events.once(Kind.PE, about, "away", f"{about} is away: {problem}", severity=Severity.ERROR, about=path)
            return False
        except PeRefused as problem:
            router.state, router.reason = RouterState.REFUSED, str(problem)
            events.once(Kind.FAULT, about, str(problem), f"{about} refuses what is committed: {problem}", about=path)
            return False
        except OSError as problem:
            text = f"what {about} may hold cannot be written down: {problem}"
            events.once(Kind.FAULT, about, "disk", text, about=path)
            return False
        router.contact = self._clock()
        if done.difference and not done.committed:
            router.state, router.reason = RouterState.CHANGED, "somebody else changed our part"
            events.once(
                Kind.DRIFT, about, done.difference,
                f"{about} was changed by somebody else: {_first(done.difference)}; "
                f"'show pe {router.name} config diff', 'request pe {router.name} repair'",
                about=path, facts={"difference": _first(done.difference)},
            )  # fmt: skip
            return True
        before, router.state, router.reason = router.state, RouterState.IN_SYNC, ""
        events.settled(about)
        if before in (RouterState.AWAY, RouterState.PENDING, RouterState.REFUSED):
            text = f"{about} is back, and holds what is committed"
            events.add(Kind.PE, text, severity=Severity.NOTICE, about=path)
        if owes and not router.leaving:
            try:
                await self._settled(about, *counted(done.difference), done.milliseconds)
            except NshellError as problem:
                events.once(Kind.FAULT, about, "receipt", f"the receipt of {about} could not be written: {problem}")
                return False
        return True

    # What is shown and asked --------------------------------------------------------------------------------

    def all(self) -> list[Router]:
        """Every router, by name."""
        return [self._routers[name] for name in sorted(self._routers)]

    async def ask(self, name: str, getter: str) -> Any:
        """What one of NAPALM's getters says of the router now. Raises NothingThere, CommandFailed."""
        return await self._visit(name, lambda router: router.session().ask(getter))

    async def difference(self, name: str) -> str:
        """What must change there so that it holds what is committed; empty when nothing must."""

        async def compare(router: Router) -> str:
            found = await router.candidate(router.wanted)
            if found:
                await router.session().discard()
            return found

        found: str = await self._visit(name, compare)
        return found

    async def repair(self, name: str) -> str:
        """Makes it hold what is committed; the difference that was carried out."""

        async def put_right(router: Router) -> str:
            found = await router.candidate(router.wanted)
            router.close()
            if not await self._look(router, repair=True):
                raise PeRefused(router.reason)
            return found

        found: str = await self._visit(name, put_right)
        return found

    async def _visit(self, name: str, work: Callable[[Router], Awaitable[Any]]) -> Any:
        router, where = self._routers.get(name), f"pe {name}"
        if router is None:
            raise NothingThere(where, f"there is no pe {name}", "'show pe' lists what there is")
        try:
            async with asyncio.timeout(PATIENCE):
                async with router.lock:
                    try:
                        return await work(router)
                    finally:
                        router.close()
        except TimeoutError:
            raise CommandFailed(where, f"it has not answered in {PATIENCE:g} s", "try again later") from None
        except PeProblem as problem:
            raise CommandFailed(where, str(problem), "see 'show pe'") from None


def _first(difference: str) -> str:
    """The first line that differs, shortened."""
    lines = [line.strip() for line in difference.splitlines() if line.lstrip()[:1] in ("+", "-")]
    text = hidden(lines[0] if lines else difference.strip().partition("\n")[0])
    return text[:100].replace("\n", " ") or HIDDEN
