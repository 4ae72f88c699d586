"""Long work on the event loop, a few milliseconds at a time.

Compiling, packing, sending or reading 100,000 flows takes most of a second; echoes, BGP and operators must not wait
for it. A worker thread or process was measured worse (the interpreter lock, unpickling), so work pauses by the clock.

    Pace      for coroutines: `await pace.breathe()` between small pieces of work
    spread    for generators that yield often (`data/steps.py`): worst echo latency 7-13 ms at 10,000 vports
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TypeVar

from data.steps import Steps

T = TypeVar("T")

SLICE = 0.002  # seconds of work in one go; a timer waits for three of them at worst, which stays under 10 ms

__all__ = ["SLICE", "Pace", "spread"]


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
