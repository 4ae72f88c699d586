"""When the rib is next looked at because of time alone: routes grow too stale, neighbours are left alone no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, time

__all__ = ["Clock"]

_TICK = 30.0  # seconds at most between two looks
_PAUSE = 0.05  # seconds at least


class Clock:
    """`now` never goes back, in seconds."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self.now = now
        self._sooner = asyncio.Event()

    def epoch(self, moment: float) -> float:
        """A moment of `now` in seconds since 1970."""
        return time() - self.now() + moment

    def sooner(self) -> None:
        """Deadlines may be others: `until` asks for them again."""
        self._sooner.set()

    async def until(self, deadline: Callable[[], float | None]) -> None:
        """Returns when the deadline is over, or after 30 s."""
        while True:
            at = deadline()
            wait = _TICK if at is None else min(_TICK, max(_PAUSE, at - self.now()))
            self._sooner.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), wait)
                continue
            return
