"""What totals were when somebody cleared them: his shows count from there, and nobody else's.

Nothing is set to 0: the totals of the board, series, thresholds and /metrics go on as they are. A baseline is one
user's, in all of his sessions, until he undoes it, somebody else's takes its place (there are USERS at a time, 220
bytes for each object that had counted anything), or the daemon ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.telemetry.keys import GAUGES, MEASURES_OF, Measure, SeriesKey

__all__ = ["USERS", "Baseline", "Baselines"]

USERS = 8
"""Of how many there is a baseline, of those who cleared last: 21 MB with 12,000 objects each."""

Totals = Mapping[Measure, float]


@dataclass(slots=True)
class Baseline:
    """One user's; `at` is when anything was cleared last, in seconds since the epoch."""

    at: float
    _were: dict[SeriesKey, tuple[int, ...]] = field(default_factory=dict)

    def note(self, key: SeriesKey, totals: Mapping[Measure, int]) -> None:
        """What is counted of a key begins here."""
        were = tuple(0 if one in GAUGES else totals.get(one, 0) for one in MEASURES_OF[key.level])
        if any(were):
            self._were[key] = were
        else:
            self._were.pop(key, None)

    def since(self, key: SeriesKey, totals: Totals) -> Totals:
        """What came since then; gauges are what they are."""
        were = self._were.get(key)
        if were is None:
            return totals
        before = dict(zip(MEASURES_OF[key.level], were, strict=True))
        return {measure: max(0, number - before.get(measure, 0)) for measure, number in totals.items()}


class Baselines:
    """Those of all users, by name."""

    def __init__(self) -> None:
        self._of: dict[str, Baseline] = {}

    def of(self, user: str) -> Baseline | None:
        """None of one who has cleared nothing."""
        return self._of.get(user)

    def clear(
        self, user: str, at: float, totals: Iterable[tuple[SeriesKey, Mapping[Measure, int]]], *, whole: bool
    ) -> Baseline:
        """These are the totals from which what is counted counts for the user; with `whole` a former baseline ends."""
        baseline = self._of.pop(user, None)
        if whole or baseline is None:
            baseline = Baseline(at)
        baseline.at, self._of[user] = at, baseline
        for key, numbers in totals:
            baseline.note(key, numbers)
        while len(self._of) > USERS:
            del self._of[next(iter(self._of))]
        return baseline

    def undo(self, user: str) -> bool:
        """The user's totals are those since counting began again; whether there was a baseline."""
        return self._of.pop(user, None) is not None
