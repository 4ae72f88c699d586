"""Flap damping (RFC 2439 sections 4.2 to 4.8): who comes and goes too often is left alone until it is calm.

    penalty                   each loss costs PENALTY; it halves every `half_life` seconds
      3000 |   .
      2500 |..:.\\..........  suppress: not used from here
           | :   \\
       750 |:......\\.......  reuse: used again below, or after `max_suppress` seconds at the latest
           +------------- time

Pure: time comes with every call, in seconds of a clock that never goes back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["PENALTY", "Flaps", "Limits"]

PENALTY = 1000.0  # for one loss (RFC 2439 section 4.4.1)


@dataclass(frozen=True, slots=True)
class Limits:
    """When to hold back and when to let go; times in seconds."""

    half_life: float = 60.0
    suppress: float = 2500.0
    reuse: float = 750.0
    max_suppress: float = 300.0

    @property
    def ceiling(self) -> float:
        """The highest penalty: that which decays to `reuse` within `max_suppress` (RFC 2439 section 4.2)."""
        # 2 ** 1000 is near what a float holds; so long a suppression has no ceiling to speak of.
        return self.reuse * math.exp2(min(self.max_suppress / self.half_life, 1000.0))


@dataclass(frozen=True, slots=True)
class Flaps:
    """The history of one thing that flaps: how often it was lost, and its penalty as of `at`."""

    count: int = 0
    penalty: float = 0.0
    at: float = 0.0
    suppressed: bool = False

    def lost(self, now: float, limits: Limits) -> Flaps:
        """It was lost once more."""
        penalty = min(self.level(now, limits) + PENALTY, max(limits.ceiling, PENALTY))
        suppressed = self.suppressed or (penalty >= limits.suppress and penalty >= limits.reuse)
        return Flaps(self.count + 1, penalty, now, suppressed)

    def level(self, now: float, limits: Limits) -> float:
        """The penalty at this time."""
        return self.penalty * math.exp2(-max(now - self.at, 0.0) / limits.half_life)

    def settled(self, now: float, limits: Limits) -> Flaps:
        """The same at this time: no more suppressed once the penalty has decayed below `reuse`."""
        level = self.level(now, limits)
        return replace(self, penalty=level, at=max(now, self.at), suppressed=self.suppressed and level >= limits.reuse)

    def until(self, now: float, limits: Limits) -> float:
        """Seconds until it is used again, if nothing happens; 0 when it is not suppressed."""
        level = self.level(now, limits)
        if not self.suppressed or level < limits.reuse:
            return 0.0
        return limits.half_life * math.log2(level / limits.reuse)
