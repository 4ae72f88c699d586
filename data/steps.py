"""Long work in steps: a generator that yields often, so that an event loop can drive it beside other work.

A batch of 100,000 lines takes seconds. In one go it would stall every keepalive to a switch and every other session;
`controller.pace.spread` drives the same generator a few milliseconds at a time.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work that yields between steps of well under a millisecond and returns its result."""

__all__ = ["Steps", "at_once"]


def at_once(steps: Steps[T]) -> T:
    """Run to the end without giving way."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
