"""Long work in steps: a generator that yields often can run at once or share the event loop.

A compile of 100,000 flows takes most of a second. Done in one go it would stall every echo, session and BGP keepalive;
`spread` runs it a few milliseconds at a time (measured: worst echo latency 7-13 ms at 10,000 vports).
"""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

from data.steps import Steps, at_once

T = TypeVar("T")

BUDGET = 0.002  # seconds of work before the event loop gets its turn

__all__ = ["BUDGET", "Steps", "at_once", "spread"]


async def spread(steps: Steps[T], budget: float = BUDGET) -> T:
    """Run to the end, giving way to the event loop every `budget` seconds."""
    until = time.perf_counter() + budget
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + budget
