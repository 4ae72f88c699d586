"""How long a switch may do nothing of what it was asked: a hung one must not hold a commit, nor the turn, for longer.

The probes of an idle connection give a hung switch up after three of them, 15-20 s. Whoever holds the turn waits less:
when the switch neither takes nor says anything for PATIENCE, its connection is closed, so that all that waits for it
ends with SwitchGone. It then counts as any other that is lost: pending, or a failure when strict, and reconciled when
it dials in again. Progress of any kind begins the wait anew, so a large change on a slow switch is not hurt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["PATIENCE", "PER_FLOW", "patience"]

PATIENCE = 5.0  # seconds
PER_FLOW = 0.0001  # seconds more: vswitchd is deaf while it carries a bundle out, 13 µs a flow on an idle machine
_LOOKS = 10  # looks per allowed time


class Watched(Protocol):
    """What is watched (`controller.openflow.connection.Switch`). `progress` grows whenever the switch does anything."""

    progress: int

    def close(self, reason: str) -> None: ...


@contextmanager
def patience(switch: Watched, flows: int = 0) -> Iterator[None]:
    """Closes the connection when the switch makes no progress meanwhile; `flows` is how many it has to change."""
    loop = asyncio.get_running_loop()
    allowed = PATIENCE + flows * PER_FLOW
    seen, since = switch.progress, loop.time()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal seen, since, timer
        if switch.progress != seen:
            seen, since = switch.progress, loop.time()
        elif loop.time() - since >= allowed:
            switch.close(f"it hangs: no sign of life within {allowed:g} s while it was to change flows")
            return
        timer = loop.call_later(allowed / _LOOKS, look)

    timer = loop.call_later(allowed / _LOOKS, look)
    try:
        yield
    finally:
        timer.cancel()
