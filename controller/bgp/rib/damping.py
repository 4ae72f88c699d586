"""Damping of what flaps (RFC 2439): each flap adds a penalty, which halves every half-life; who reaches `suppress` is
held back until the penalty has fallen below `reuse`.

Bounded: at most LIMIT are remembered, and what flapped least lately is forgotten first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

__all__ = ["LIMIT", "NEIGHBOURS", "ROUTES", "Damping", "Values"]

LIMIT = 10_000
PENALTY = 1000.0


@dataclass(frozen=True, slots=True)
class Values:
    """Penalties, and times in seconds."""

    half_life: float
    suppress: float
    reuse: float
    longest: float

    @property
    def ceiling(self) -> float:
        """The highest penalty: what takes `longest` to fall to `reuse` (RFC 2439 section 4.2)."""
        return float(self.reuse * 2 ** (self.longest / self.half_life))


NEIGHBOURS = Values(half_life=60, suppress=5000, reuse=1500, longest=300)
"""A session that is lost six times in a minute is left alone for about two."""
ROUTES = Values(half_life=900, suppress=6000, reuse=750, longest=3600)
"""Of single prefixes: RFC 7196 section 4 recommends 6000 at least, so that only the worst are held back."""


@dataclass(slots=True)
class _Penalty:
    value: float
    at: float
    suppressed: bool = False


class Damping:
    """Penalties of whatever can be a key. `clock` gives seconds."""

    def __init__(self, values: Values, clock: Callable[[], float]) -> None:
        self._values = values
        self._clock = clock
        self._known: dict[Hashable, _Penalty] = {}

    def flap(self, key: Hashable) -> bool:
        """One more; whether it is suppressed now."""
        now, values = self._clock(), self._values
        known = self._known.pop(key, None) or _Penalty(0.0, now)
        known.value, known.at = min(self._now(known, now) + PENALTY, values.ceiling), now
        known.suppressed = known.suppressed or known.value >= values.suppress
        self._known[key] = known
        if len(self._known) > LIMIT:
            del self._known[next(iter(self._known))]
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
        known, values = self._known.get(key), self._values
        if known is None or not known.suppressed:
            return 0.0
        left, seconds = self._now(known, self._clock()), 0.0
        while left >= values.reuse:
            left, seconds = left / 2, seconds + values.half_life
        return seconds

    def due(self) -> list[Hashable]:
        """Those that may be used again; they are suppressed no longer. What has almost no penalty left is forgotten."""
        now, found = self._clock(), []
        for key, known in list(self._known.items()):
            value = self._now(known, now)
            if known.suppressed and value < self._values.reuse:
                known.suppressed = False
                found.append(key)
            if not known.suppressed and value < self._values.reuse / 2:
                del self._known[key]
        return found

    def _now(self, known: _Penalty, now: float) -> float:
        return float(known.value * 0.5 ** ((now - known.at) / self._values.half_life))
