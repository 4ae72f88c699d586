"""One router's NAPALM driver, in a thread of its own: one question after the other, each with a time limit.

    prepare ──> commit ──> confirm ──> close       a commit; the connection stays open in between (EOS knows its
       └─ discard  └─ rollback                     commit by the session that began it)
    compare, ask                                   everything else: opened, asked, closed

A driver that does not answer in time is given up with its thread, which closes it whenever it comes back; the next
question has a new one. Nothing here raises anything but PeProblem, and no text holds a secret.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from controller.pe.drivers import COMMENTED, TIMED, Place, driver_of, rounded
from controller.pe.errors import PeAway, PeProblem, PeRefused
from controller.pe.render import hidden

__all__ = ["LIMIT", "PROBE", "Session"]

LIMIT = 120.0  # seconds for one step; a router takes tens of seconds for a large commit
PROBE = 3.0  # seconds until a router that does not take a TCP connection counts as away
_LONGEST = 500  # characters of what a router says that are repeated
_LOST = ("Connection", "Timeout", "SSHException", "EOFError", "ConnectError", "SessionClosed", "Transport")
"""Beginnings or ends of the names of exceptions by which the drivers' many libraries say that a router is lost."""
T = TypeVar("T")


class _Thread:
    """A thread that calls what it is given, in order, until it is told to end. A daemon: nobody waits for a router."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()

    def call(self, work: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, problem: Exception | None) -> None:
            if done.cancelled():
                return
            if problem is not None:
                done.set_exception(problem)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def carry() -> None:
            try:
                result, problem = work(), None
            except Exception as caught:  # whatever the drivers' libraries raise
                result, problem = None, caught
            try:
                loop.call_soon_threadsafe(settle, result, problem)
            except RuntimeError:
                return  # the loop is closed: nobody wants to know any more

        self._queue.put(carry)
        return done

    def end(self, last: Callable[[], object]) -> None:
        """Calls `last` after everything else, and ends."""

        def quietly() -> None:
            try:
                last()
            except Exception:
                return  # a connection that cannot be closed is closed

        self._queue.put(quietly)
        self._queue.put(None)


class Session:
    """One router. Not for two users at once: `routers.py` has a lock around it. `make` gives the driver."""

    def __init__(
        self, name: str, place: Place, key: str | None = None, make: Callable[[Place], Any] = driver_of,
        limit: float = LIMIT,
    ) -> None:  # fmt: skip
        self._name = name
        self.place = place
        self.key = key
        self._make = make
        self._limit = limit
        self._thread: _Thread | None = None
        self._driver: Any = None

    @property
    def timed(self) -> bool:
        """Whether a commit there is undone by the router itself unless it is confirmed."""
        return self.place.pe.driver in TIMED

    async def open(self) -> None:
        """Connects, unless it is. Raises PeAway."""
        if self._driver is not None:
            return
        await self._probe()
        thread = self._thread = _Thread(f"pe {self._name}")

        def connect() -> Any:
            driver = self._make(self.place)
            driver.open()
            return driver

        task = thread.call(connect)
        try:
            async with asyncio.timeout(self._limit):
                self._driver = await task
        except TimeoutError:
            self._abandon()
            raise PeAway(f"it did not let us in within {self._limit:g} s") from None
        except Exception as problem:
            self._abandon()
            raise PeAway(self._text(problem)) from None

    async def prepare(self, text: str) -> str:
        """Loads a candidate to be merged; the difference that it makes, empty when there is none.

        Raises PeAway, PeRefused.
        """
        await self.open()

        def load(driver: Any) -> str:
            driver.load_merge_candidate(config=text)
            return str(driver.compare_config() or "")

        return self._clean(await self._do(load))

    async def commit(self, comment: str, revert_timer: int) -> None:
        """Commits the candidate; where it can be, to be undone after so many seconds. Raises PeAway, PeRefused."""
        kind = self.place.pe.driver
        options: dict[str, Any] = {"message": comment} if kind in COMMENTED else {}
        if self.timed:
            options["revert_in"] = rounded(kind, revert_timer)
        await self._do(lambda driver: driver.commit_config(**options))

    async def confirm(self) -> None:
        """Makes the commit final; one that needs none is final already."""
        if self.timed:
            await self._do(lambda driver: driver.confirm_commit())

    async def rollback(self) -> None:
        """Undoes the commit."""
        await self._do(lambda driver: driver.rollback())

    async def discard(self) -> None:
        """Gives the candidate up."""
        await self._do(lambda driver: driver.discard_config())

    async def pending(self, session: str = "") -> bool:
        """Whether a commit waits for its confirmation there; `session` is what EOS knows it by."""
        if not self.timed:
            return False
        await self.open()

        def ask(driver: Any) -> bool:
            if session:
                driver.config_session = session
            return bool(driver.has_pending_commit())

        return await self._do(ask)

    async def running(self) -> str:
        """The running configuration."""
        await self.open()
        return str(await self._do(lambda driver: driver.get_config(retrieve="running")["running"]))

    async def ask(self, getter: str) -> Any:
        """What one of NAPALM's getters answers. Raises PeRefused where the driver has none."""
        await self.open()
        return await self._do(lambda driver: getattr(driver, getter)())

    @property
    def config_session(self) -> str:
        """What EOS calls the candidate."""
        return str(getattr(self._driver, "config_session", None) or "")

    def close(self) -> None:
        """Ends the connection, in the background."""
        driver, thread, self._driver, self._thread = self._driver, self._thread, None, None
        if thread is not None:
            thread.end(driver.close if driver is not None else _nothing)

    async def _probe(self) -> None:
        where = self.place.where
        if where is None:
            return
        try:
            async with asyncio.timeout(PROBE):
                _, writer = await asyncio.open_connection(*where)
        except (OSError, TimeoutError) as problem:
            code = None if isinstance(problem, TimeoutError) else problem.errno
            cause = "no answer" if isinstance(problem, TimeoutError) else os.strerror(code) if code else str(problem)
            raise PeAway(f"{where[0]} port {where[1]}: {cause}") from None
        writer.close()

    async def _do(self, work: Callable[[Any], T]) -> T:
        driver, thread = self._driver, self._thread
        if driver is None or thread is None:
            raise PeAway("the connection is closed")
        task = thread.call(lambda: work(driver))
        try:
            async with asyncio.timeout(self._limit):
                return await task
        except TimeoutError:
            if task.done() and not task.cancelled():
                self._abandon()
                raise PeAway("it stopped answering") from None
            self._abandon()
            raise PeAway(f"no answer in {self._limit:g} s") from None
        except asyncio.CancelledError:
            self._abandon()
            raise
        except Exception as problem:
            if _is_lost(problem):
                self._abandon()
                raise PeAway(self._text(problem)) from None
            raise PeRefused(self._text(problem)) from None

    def _abandon(self) -> None:
        self.close()

    def _text(self, problem: Exception) -> str:
        if isinstance(problem, PeProblem):
            return str(problem)
        said = " ".join(self._clean(str(problem)).split()) or type(problem).__name__
        return said[:_LONGEST]

    def _clean(self, text: str) -> str:
        return hidden(text, self.key, self.place.pe.password)


def _is_lost(problem: Exception) -> bool:
    """By the classes of the exception: the drivers' libraries have no base of their own for it."""
    if isinstance(problem, (OSError, EOFError)) and not isinstance(problem, (FileNotFoundError, PermissionError)):
        return True
    names = [kind.__name__ for kind in type(problem).__mro__]
    return any(name.startswith(_LOST) or name.endswith(("ClosedError", "TimeoutException")) for name in names)


def _nothing() -> None:
    """There is no driver to close."""
