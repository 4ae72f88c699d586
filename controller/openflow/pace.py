"""Long work on the event loop, a few milliseconds at a time.

Packing, sending or reading 100,000 flows takes most of a second; echo requests, BGP and operators must not
wait for it. A worker thread or process was measured worse (the interpreter lock, unpickling), so work pauses
by the clock.
"""

from __future__ import annotations

import asyncio
from time import perf_counter

SLICE = 0.002  # seconds of work in one go; a timer waits for three of them at worst, which stays under 10 ms


class Pace:
    """``await pace.breathe()`` between small pieces of work: it yields once SLICE has passed, else costs 0.1
    µs.
    """

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
