"""The numbers as they are now: totals, rates of the last round, and a few rounds before.

A *round* is a look at everything that could be looked at. What is counted in it is added hypervisor by hypervisor,
each with the time that its own look covers; rates and times are shown at once when the round ends. What is idle costs a
set entry: only what moved has rates, kept as packed numbers for the last RECENT rounds.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.telemetry.keys import GAUGES, MEASURES_OF, Level, Measure, SeriesKey
from data.steps import Steps

__all__ = ["RECENT", "Board", "Counted", "Latest", "Overview"]

RECENT = 60
"""Rounds that are remembered: 10 minutes at the usual pace."""
_TOGETHER = 64  # keys between two looks at the clock, about 100 µs
LARGEST = 2**63 - 1  # of a total; what the archive can keep
_RECENT_KEYS = 200_000  # busy keys in all remembered rounds, 170 bytes each, beyond which the oldest are forgotten
Counted = Mapping[SeriesKey, Mapping[Measure, int]]
_PACK = {level: struct.Struct(f"{len(measures)}f") for level, measures in MEASURES_OF.items()}


@dataclass(frozen=True, slots=True)
class Latest:
    """What was seen of one key at the last look that counted it.

    `time`: seconds since the epoch. `totals`: counted since the series began, over moves, resets and restarts; gauges:
    the value. `rates`: per second between the last two looks (bytes, not bits); empty before the second.
    """

    time: float
    totals: Mapping[Measure, int]
    rates: Mapping[Measure, float]


class Overview(Mapping[SeriesKey, Latest]):
    """The latest of many keys, each made when it is asked for: whoever goes through 10,000 gives way now and then."""

    def __init__(self, board: Board, keys: Iterable[SeriesKey]) -> None:
        self._board = board
        self._keys = dict.fromkeys(keys)

    def __getitem__(self, key: SeriesKey) -> Latest:
        found = self._board.latest(key) if key in self._keys else None
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[SeriesKey]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class Board:
    """See the module. Times are seconds since the epoch."""

    def __init__(self, totals: Mapping[SeriesKey, dict[Measure, int]] | None = None, time: float = 0.0) -> None:
        self.totals: dict[SeriesKey, dict[Measure, int]] = dict(totals or {})
        self._times: dict[SeriesKey, float] = dict.fromkeys(self.totals, time)
        self._rates: dict[SeriesKey, dict[Measure, float]] = {}
        self._measured: set[SeriesKey] = set()  # what the last two rounds both looked at
        self._rounds: deque[dict[SeriesKey, bytes]] = deque(maxlen=RECENT)
        self._gathered: dict[SeriesKey, dict[Measure, float]] = {}

    # A round ------------------------------------------------------------------------------------------------

    def add(self, counted: Counted, length: float | None) -> None:
        """What one part of the network has counted in so many seconds; None when it is not known in how many."""
        for key, measures in counted.items():
            totals = self.totals.setdefault(key, {})
            speeds = self._gathered.setdefault(key, {})
            for measure, number in measures.items():
                if measure in GAUGES:
                    totals[measure] = number
                    continue
                totals[measure] = min(totals.get(measure, 0) + number, LARGEST)
                if length:
                    speeds[measure] = speeds.get(measure, 0.0) + number / length

    def finish(self, time: float, looked_at: Collection[SeriesKey]) -> Steps[None]:
        """Ends the round; `looked_at` is all that would have been counted in it, had there been anything. What it shows
        changes at once, at the end."""
        speeds, self._gathered = self._gathered, {}
        recent: dict[SeriesKey, bytes] = {}
        measured: set[SeriesKey] = set()
        for number, (key, of_key) in enumerate(speeds.items()):
            if number % _TOGETHER == 0:
                yield
            totals = self.totals[key]
            values = (
                float(totals.get(one, 0)) if one in GAUGES else of_key.get(one, 0.0) for one in MEASURES_OF[key.level]
            )
            recent[key] = _PACK[key.level].pack(*values)
        for keys in (speeds, looked_at):
            for number, key in enumerate(keys):
                if number % _TOGETHER == 0:
                    yield
                if key in self._times:
                    measured.add(key)
        for keys in (speeds, looked_at):
            self._times.update(dict.fromkeys(keys, time))
        self._measured, self._rates = measured, speeds
        self._rounds.append(recent)
        while len(self._rounds) > 1 and sum(map(len, self._rounds)) > _RECENT_KEYS:
            self._rounds.popleft()

    def recall(self, totals: Mapping[SeriesKey, Mapping[Measure, int]], time: float) -> None:
        """Adds what an earlier process had counted up to a time: the archive could not be read before."""
        for key, measures in totals.items():
            had = self.totals.setdefault(key, {})
            for measure, number in measures.items():
                had[measure] = had.get(measure, number) if measure in GAUGES else had.get(measure, 0) + number
            self._times.setdefault(key, time)

    def prune(self, before: float, there: Callable[[SeriesKey], bool]) -> None:
        """Forgets what was seen last before this time and is not there any more."""
        for key in [key for key, time in self._times.items() if time < before and not there(key)]:
            self.totals.pop(key, None)
            del self._times[key]

    # What is shown ------------------------------------------------------------------------------------------

    def latest(self, key: SeriesKey) -> Latest | None:
        """None of what was never looked at."""
        time = self._times.get(key)
        if time is None:
            return None
        measures = MEASURES_OF[key.level]
        had = self.totals.get(key, {})
        totals = {measure: had[measure] if measure in had else 0 for measure in measures if _shown(measure, had)}
        if key not in self._measured:
            return Latest(time, totals, {})
        speeds = self._rates.get(key, {})
        return Latest(time, totals, {measure: speeds.get(measure, 0.0) for measure in totals if measure not in GAUGES})

    def keys(self, level: Level) -> Iterator[SeriesKey]:
        """All of a level that were ever looked at."""
        return (key for key in self._times if key.level is level)

    def recent(self, key: SeriesKey, measure: Measure, count: int) -> tuple[float, ...]:
        """Rates of the last rounds, oldest first; of gauges the values."""
        measures = MEASURES_OF[key.level]
        if measure not in measures or count < 1:
            return ()
        place, layout = measures.index(measure), _PACK[key.level]
        found: list[float] = []
        value = 0.0
        for each in list(self._rounds)[-count:]:
            packed = each.get(key)
            if packed is not None:
                value = layout.unpack(packed)[place]
            elif measure not in GAUGES:
                value = 0.0
            found.append(value)
        return tuple(found)


def _shown(measure: Measure, had: Mapping[Measure, int]) -> bool:
    return measure in had or measure not in GAUGES
