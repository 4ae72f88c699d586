"""Long work on an event loop, a few milliseconds at a time.

A batch of 100,000 lines takes seconds, and 100,000 flows most of one to compile, pack, send or read; echoes of
switches, BGP and other sessions must not wait for it. A worker thread or process was measured worse (the interpreter
lock, unpickling). So pure code is a generator that yields often, and whoever runs it says how.

    Steps      such a generator: it knows neither clock nor loop
    at_once    drives it to its end without giving way
    spread     drives it by the clock: worst echo latency 7-13 ms at 10,000 vports
    Pace       for coroutines: `await pace.breathe()` between small pieces of work
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work that yields between steps of well under a millisecond and returns its result."""

SLICE = 0.002  # seconds of work in one go; a timer waits for three of them at worst, which stays under 10 ms

__all__ = ["SLICE", "Pace", "Steps", "at_once", "spread"]


class Pace:
    """``await pace.breathe()`` between small pieces of work: it yields once SLICE has passed, else costs 0.1 µs."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = perf_counter() + SLICE

    @property
    def due(self) -> bool:
        """Whether the slice is used up."""
        return perf_counter() > self._until

    async def breathe(self) -> None:
        """Let others run when it is their turn."""
        if perf_counter() > self._until:
            await asyncio.sleep(0)
            self._until = perf_counter() + SLICE


def at_once(steps: Steps[T]) -> T:
    """Run a generator to its end without giving way."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def spread(steps: Steps[T]) -> T:
    """Run a generator to its end, giving way to the event loop whenever a slice is used up."""
    pace = Pace()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if pace.due:
            await pace.breathe()
