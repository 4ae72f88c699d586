"""How often is looked: as configured, and less often where it would disturb.

    a switch answers slowly     that switch alone is looked at every 2nd, 4th ... 32nd round
    a round takes long          all rounds are 2, 4, 8 times as long: the controller, or the machine, is busy

Both grow at once and shrink step by step when it is calm again, and both are told.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["SLOW", "Rhythm"]

SLOW = 1.0
"""Seconds that a switch may take for its answers."""
_HUNG = 32  # rounds between two looks at a switch, at most
_BUSY = 0.5  # share of the interval that a round may take
_CALM = 0.2
_LONGEST = 8  # times the configured interval
_CALM_ROUNDS = 3

Tell = Callable[[str], None]


class Rhythm:
    """See the module. `configured` is the polling interval in seconds; `tell` is told changes in words."""

    def __init__(self, configured: float, tell: Tell) -> None:
        self.configured = configured
        self._tell = tell
        self._factor = 1
        self._calm = 0
        self._every: dict[str, int] = {}  # hypervisor -> every how many rounds it is looked at, when not in all
        self._missed: dict[str, int] = {}

    @property
    def interval(self) -> float:
        """Seconds between two rounds now."""
        return min(self.configured * self._factor, max(300.0, self.configured))

    def due(self, dvrs: str) -> bool:
        """Whether a switch is looked at in this round; asked once in each."""
        every = self._every.get(dvrs, 1)
        missed = self._missed.get(dvrs, 0) + 1
        self._missed[dvrs] = 0 if missed >= every else missed
        return missed >= every

    def answered(self, dvrs: str, seconds: float) -> None:
        """How long a switch took; one that gave no answer took infinitely long."""
        every = self._every.get(dvrs, 1)
        if seconds > SLOW:
            now = min(every * 2, _HUNG)
        else:
            now = max(every // 2, 1)
        if now == every:
            return
        self._every[dvrs] = now
        if every == 1:
            why = "does not answer" if seconds == float("inf") else f"answers after {seconds:.1f} s"
            self._tell(f"{dvrs} {why}: its counters are read less often")
        elif now == 1:
            del self._every[dvrs]
            self._tell(f"{dvrs} answers in time: its counters are read every {self.interval:g} s again")

    def round(self, seconds: float) -> None:
        """How long a round took, waiting for its turns left out."""
        before = self._factor
        if seconds > self.interval * _BUSY:
            self._calm = 0
            self._factor = min(self._factor * 2, _LONGEST)
        elif seconds < self.interval * _CALM:
            self._calm += 1
            if self._calm >= _CALM_ROUNDS:
                self._calm = 0
                self._factor = max(self._factor // 2, 1)
        else:
            self._calm = 0
        if self._factor > before:
            self._tell(f"counters are read every {self.interval:g} s: reading them took {seconds:.1f} s")
        elif self._factor < before:
            self._tell(f"counters are read every {self.interval:g} s again")

    def forget(self, dvrs: str) -> None:
        """A switch is gone."""
        self._every.pop(dvrs, None)
        self._missed.pop(dvrs, None)
