"""How often one workload may ask the controller: more than that is not answered, and costs a look into a table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable

__all__ = ["Allowance"]


class Allowance:
    """`rate` questions in each second for everybody who asks; only who asked in this second is remembered."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._second = 0
        self._asked: Counter[Hashable] = Counter()

    def take(self, who: Hashable) -> bool:
        """Whether this one may ask once more now."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._asked.clear()
        self._asked[who] += 1
        return self._asked[who] <= self._rate
