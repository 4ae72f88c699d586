"""Events on their way to their file: gathered for DELAY, written by a thread of their own, so that nobody waits.

    Events.watch ──> waiting (WAITING, then the oldest are lost and counted) ──DELAY──> thread: Kept.append
                                                        ^ a disk that is full: again after RETRY, told once

What was told is in the file at most a second later, and all of it after `stop`. Whatever the disk does, the controller
goes on: `read` then answers from memory.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from pathlib import Path as FilePath
from typing import ParamSpec, TypeVar

from controller.events.event import Event, Kind, Severity
from controller.events.kept import Kept, Visible
from controller.events.recent import Events
from controller.events.selection import Selection

__all__ = ["DELAY", "RETRY", "WAITING", "Keeper"]

DELAY = 0.3  # seconds from an event to its batch
RETRY = 5.0  # seconds until a file that could not be written is tried again
WAITING = 20_000  # events that wait for the disk, about 10 MB

P = ParamSpec("P")
T = TypeVar("T")

Trouble = (sqlite3.Error, OSError)


class Keeper:
    """Keeps events in the directory of the store. Life: `start`, `stop`."""

    def __init__(self, directory: FilePath, events: Events) -> None:
        self._kept = Kept(directory)
        self._events = events
        self._thread = ThreadPoolExecutor(1, "events")
        self._waiting: deque[Event] = deque()
        self._lost = 0
        self._troubled = False
        self._open = False
        self._writing: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._turn = asyncio.Lock()  # of batches, so that they stay in order

    async def start(self) -> None:
        """Opens the file and goes on from its last number."""
        self._events.keep(self)
        await self._reopen()

    async def stop(self) -> None:
        """Writes what waits, and closes the file."""
        self._stopping.set()
        if self._writing is not None:
            await self._writing
        if self._waiting:
            await self._write_once()
        await self._in_thread(self._kept.close)
        self._thread.shutdown()

    def take(self, event: Event) -> None:
        """Has an event written soon."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(event)
        if (self._writing is None or self._writing.done()) and not self._stopping.is_set():
            self._writing = asyncio.get_running_loop().create_task(self._write(), name="events", context=Context())

    async def read(self, selection: Selection, limit: int, visible: Visible | None = None) -> list[Event] | None:
        """See `Kept.read`, with what waits written first; None when the file cannot be read."""
        if self._waiting and not await self._write_once():
            return None
        try:
            return await self._in_thread(self._kept.read, selection, limit, visible)
        except Trouble:
            return None

    async def _write(self) -> None:
        wait = DELAY
        while self._waiting and not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), wait)
            except TimeoutError:
                wait = DELAY if await self._write_once() else RETRY

    async def _write_once(self) -> bool:
        """Whether what waited is in the file."""
        async with self._turn:
            return await self._in_order()

    async def _in_order(self) -> bool:
        if not self._open and not await self._reopen():
            return False
        batch = tuple(self._waiting)
        self._waiting.clear()
        try:
            await self._in_thread(self._kept.append, batch)
        except Trouble as problem:
            room = WAITING - len(self._waiting)
            self._lost += max(0, len(batch) - room)
            self._waiting.extendleft(reversed(batch[-room:] if room > 0 else ()))
            self._tell(problem)
            self._open = False  # what is damaged, or was moved away, is opened anew
            await self._in_thread(self._kept.close)
            return False
        except Exception as problem:  # one event that cannot be written must not take the others with it
            await self._one_by_one(batch, problem)
        if self._troubled:
            self._troubled = False
            lost, self._lost = self._lost, 0
            self._events.add(
                Kind.FAULT, f"events are kept again, {lost} of them were lost",
                severity=Severity.WARNING if lost else Severity.NOTICE, facts={"lost": lost},
            )  # fmt: skip
        return True

    async def _one_by_one(self, batch: Sequence[Event], problem: Exception) -> None:
        lost = 0
        for event in batch:
            try:
                await self._in_thread(self._kept.append, (event,))
            except Exception:  # counted and told below
                lost += 1
        self._events.once(Kind.FAULT, "events", repr(problem), f"{lost} events cannot be kept: {problem!r}")

    async def _reopen(self) -> bool:
        try:
            number, problem = await self._in_thread(self._kept.open)
        except Trouble as trouble:
            self._tell(trouble)
            return False
        self._open = True
        self._events.go_on_from(number)
        if problem:
            self._events.add(Kind.FAULT, problem, severity=Severity.WARNING)
        return True

    def _tell(self, problem: Exception) -> None:
        if not self._troubled:
            self._troubled = True
            self._events.add(Kind.FAULT, f"events cannot be kept in {self._kept.file}: {problem}")

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))
