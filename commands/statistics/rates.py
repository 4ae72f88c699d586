"""Counters of a switch per second, from one look to the next: for what telemetry does not count, or when it is off."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Hashable, Mapping

from views.models import Trend

TREND = 20
"""Rates that a sparkline remembers."""


class Rates:
    """What counters say per second: from the last two looks, and of the last TREND ones."""

    def __init__(self) -> None:
        self._before: dict[Hashable, int] = {}
        self._at = 0.0
        self._trends: defaultdict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=TREND))
        self._now: dict[Hashable, float] = {}

    def take(self, totals: Mapping[Hashable, int]) -> None:
        """One look: the totals now. A counter that fell was reset with its flow and counts from zero."""
        now = time.monotonic()
        passed, first = now - self._at, not self._at
        self._now = {}
        for key, total in totals.items():
            if not first and passed > 0:
                grown = total - self._before.get(key, 0)
                self._now[key] = (grown if grown >= 0 else total) / passed
                self._trends[key].append(self._now[key])
        self._before, self._at = dict(totals), now

    def of(self, key: Hashable) -> float | None:
        """Per second; None before the second look."""
        return self._now.get(key)

    def trend(self, key: Hashable) -> Trend:
        return Trend(tuple(self._trends[key]))
