"""Routes that are kept are no business of the garbage collector: it would look at all of them again and again."""

from __future__ import annotations

import gc

__all__ = ["Memory"]

_FREEZE = 2_000  # routes that a full collection looks at: 10 ms; 400,000 of them stopped the loop for 0.6 s


class Memory:
    """Counts routes that came."""

    def __init__(self) -> None:
        self._came = 0

    def grew(self, routes: int) -> None:
        """So many more are kept; from time to time they are taken out of the collector's sight."""
        self._came += routes
        if self._came >= _FREEZE:
            self._came = 0
            gc.collect(1)  # what is garbage already would be kept for ever
            gc.freeze()
