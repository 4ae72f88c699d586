"""Whether a silent peer is still there: an echo request after each interval without a word from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

MISSED_PROBES: Final = 3


class Probes:
    """Calls ``ask`` after each ``interval()`` (seconds; may change) without anything ``heard``, and ``give_up`` with
    the reason when MISSED_PROBES went without an answer.
    """

    __slots__ = ("_ask", "_give_up", "_interval", "_loop", "_missed", "_timer", "heard")

    def __init__(self, interval: Callable[[], float], ask: Callable[[], None], give_up: Callable[[str], None]) -> None:
        self._interval = interval
        self.heard = False
        self._ask, self._give_up = ask, give_up
        self._loop = asyncio.get_running_loop()
        self._missed = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        self._timer = self._loop.call_later(self._interval(), self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self.heard:
            self._missed = 0
        elif self._missed == MISSED_PROBES:
            self._give_up(f"no answer to {MISSED_PROBES} echo requests in {self._interval() * MISSED_PROBES:g} s")
            return
        else:
            self._missed += 1
            self._ask()
        self.heard = False
        self.start()
