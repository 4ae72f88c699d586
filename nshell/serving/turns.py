"""Who guesses, a few at a time from each source: many at once would all find no failure yet to wait for.

Who hangs up leaves the queue. What was begun is a failure also when nobody waits for the answer: or hanging up would
make guesses cheap.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TOGETHER = 3
"""Attempts from one source that are looked at at a time."""


class Turns:
    """The turns of each source (throttle.py)."""

    def __init__(self) -> None:
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._trying: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many have a turn, or wait for one."""
        return self._trying.total()

    @asynccontextmanager
    async def one(self, network: str) -> AsyncIterator[None]:
        """A turn of this source, when it comes."""
        turns = self._turns.setdefault(network, asyncio.Semaphore(TOGETHER))
        self._trying[network] += 1
        try:
            async with turns:
                yield
        finally:
            self._trying[network] -= 1
            if not self._trying[network]:
                del self._trying[network], self._turns[network]
