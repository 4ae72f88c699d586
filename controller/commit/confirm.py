"""Commits that return by themselves unless they are confirmed.

`commit confirmed 5` writes a deadline into the store before it changes anything; this module waits for it. The wait
belongs to no session, and a controller that was dead over the deadline returns to the former revision when it starts.
The return is an ordinary commit, with author RETURNER and a comment that says why. A further commit confirms a waiting
one, as on Junos.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controller.events import Events, Kind, Severity
from data.errors import NshellError

__all__ = ["RETURNER", "Confirmation", "Waiting"]

RETURNER = "system"  # author of the commit that returns to the former revision
_LOOK = 30.0  # longest sleep in seconds: the wall clock may be set meanwhile
_AGAIN = 30.0  # seconds until a return that failed is tried again


@dataclass(frozen=True, slots=True)
class Waiting:
    """A commit that wants confirmation: its revision, until when (seconds since the epoch), what returns else, and
    whose it is."""

    revision: int
    deadline: float
    back_to: int
    author: str

    @property
    def comment(self) -> str:
        return f"revision {self.revision} was not confirmed in time: returned to revision {self.back_to}"


class Confirmation:
    """The one commit that waits for confirmation, if any. `give_back` commits the former revision."""

    def __init__(
        self, events: Events, give_back: Callable[[Waiting], Awaitable[None]], clock: Callable[[], float] = time.time
    ) -> None:
        self._events = events
        self._give_back = give_back
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.waiting: Waiting | None = None

    def begin(self, waiting: Waiting) -> None:
        """Waits for this commit from now on, in place of an earlier one."""
        self.end()
        self.waiting = waiting
        self._task = asyncio.create_task(self._wait(waiting), name=f"confirm revision {waiting.revision}")

    def end(self) -> None:
        """Stops waiting: confirmed, returned, or the controller stops. Does not touch the store."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._task = self.waiting = None

    async def _wait(self, waiting: Waiting) -> None:
        while (left := waiting.deadline - self._clock()) > 0:  # noqa: ASYNC110 - wall clock, see _LOOK
            await asyncio.sleep(min(left, _LOOK))
        while self.waiting is waiting:
            try:
                await self._give_back(waiting)
                return
            except Exception as error:  # a mistake of ours, too: nobody else would see it, or return
                if self.waiting is not waiting:
                    return
                cause = error.cause if isinstance(error, NshellError) else repr(error)
                text = f"returning to revision {waiting.back_to} failed: {cause}; trying again"
                facts = {"revision": waiting.revision, "to": waiting.back_to}
                self._events.add(Kind.FAULT, text, severity=Severity.CRITICAL, facts=facts)
                await asyncio.sleep(_AGAIN)
