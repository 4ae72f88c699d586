"""Damping of neighbours and routes that flap (`controller/damping.py`), of as many as there may be.

Bounded: at most LIMIT are remembered, and what flapped least lately is forgotten first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from controller.damping import Flaps, Limits

__all__ = ["LIMIT", "NEIGHBOURS", "ROUTES", "Damping"]

LIMIT = 10_000

NEIGHBOURS = Limits(half_life=60, suppress=5000, reuse=1500, max_suppress=300)
"""A session that is lost six times in a minute is left alone for about two."""
ROUTES = Limits(half_life=900, suppress=6000, reuse=750, max_suppress=3600)
"""Of single prefixes: RFC 7196 section 4 recommends 6000 at least, so that only the worst are held back."""


class Damping:
    """Penalties of whatever can be a key. `clock` gives seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._known: dict[Hashable, Flaps] = {}
        self._crowded_out: list[Hashable] = []  # suppressed, and forgotten because there were too many

    def flap(self, key: Hashable) -> bool:
        """One more; whether it is suppressed now."""
        known = self._known.pop(key, Flaps()).lost(self._clock(), self._limits)
        self._known[key] = known
        if len(self._known) > LIMIT:
            oldest = next(iter(self._known))
            if self._known.pop(oldest).suppressed:
                self._crowded_out.append(oldest)
        return known.suppressed

    def suppressed(self, key: Hashable) -> bool:
        """Whether it is held back; `due` lets it go."""
        known = self._known.get(key)
        return known is not None and known.suppressed

    def forget(self, key: Hashable) -> None:
        """Its flaps count no more."""
        self._known.pop(key, None)

    def remaining(self, key: Hashable) -> float:
        """Seconds until a suppressed one may be used again."""
        known, limits = self._known.get(key), self._limits
        if known is None or not known.suppressed:
            return 0.0
        left, seconds = known.level(self._clock(), limits), 0.0
        while left >= limits.reuse:  # in whole half-lives
            left, seconds = left / 2, seconds + limits.half_life
        return seconds

    def due(self) -> list[Hashable]:
        """Those that may be used again; they are suppressed no longer. What has almost no penalty left is forgotten."""
        now = self._clock()
        found, self._crowded_out = self._crowded_out, []
        for key, known in list(self._known.items()):
            after = known.settled(now, self._limits)
            if known.suppressed and not after.suppressed:
                found.append(key)
            if not after.suppressed and after.penalty < self._limits.reuse / 2:
                del self._known[key]
            elif known.suppressed != after.suppressed:
                self._known[key] = after
        return found
