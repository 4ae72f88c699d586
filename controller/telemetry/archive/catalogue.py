"""Which series there are and where their numbers lie: chunk and slot of a key, number of a measure.

Series of one level share chunks, so that a chunk has only columns of measures that its series have. A slot is given
to another series only when all that was kept of the former is gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from controller.telemetry.archive.columns import SLOTS
from controller.telemetry.archive.tiers import BLOCK, DAY, WIDTH, Tier
from controller.telemetry.keys import Level, Measure, SeriesKey

__all__ = ["Catalogue"]

EXPIRED_AT_A_TIME = 2_000
"""Series that are dropped in one day's turn."""
SPARED = 2 * WIDTH[Tier.HOUR] * BLOCK[Tier.HOUR] + DAY
"""A pack goes when all of it is too old, and `seen` is noted once a day."""
_UNSEEN = 255
"""The number of a measure that nothing was ever kept of."""


class Catalogue:
    """Numbers of series and measures, in memory as in the file. Changes are made inside a transaction of the caller;
    after one that failed a new catalogue is loaded."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.numbers: dict[SeriesKey, int] = {}
        self.measures: dict[str, int] = {}
        self.chunks = 0
        self._free: dict[str, list[int]] = {}
        taken: dict[str, set[int]] = {}
        levels = {level.value: level for level in Level}
        for number, level, name in db.execute("SELECT number, level, name FROM keys"):
            taken.setdefault(level, set()).add(number)
            self.chunks = max(self.chunks, number // SLOTS + 1)
            # A level of another version of nshell keeps its slots; a forgotten series has no name.
            if name is not None and level in levels:
                self.numbers[SeriesKey(levels[level], name)] = number
        for level, used in taken.items():
            chunks = {number // SLOTS for number in used}
            free = {chunk * SLOTS + slot for chunk in chunks for slot in range(SLOTS)} - used
            self._free[level] = sorted(free, reverse=True)
        for number, name in db.execute("SELECT number, name FROM measures"):
            self.measures[name] = number

    def where(self, key: SeriesKey) -> tuple[int, int] | None:
        """Chunk and slot of a series; None when nothing was ever kept of it."""
        number = self.numbers.get(key)
        return None if number is None else divmod(number, SLOTS)

    def of_measures(self, measures: Iterable[Measure]) -> list[int]:
        """Numbers of measures."""
        return [self.measures.get(measure, _UNSEEN) for measure in measures]

    def enter(self, counted: Mapping[SeriesKey, Mapping[Measure, int]], at: int) -> None:
        """Give numbers to series and measures that are new."""
        fresh = [key for key in counted if key not in self.numbers]
        for key in fresh:
            number = self._slot(key.level.value)
            self.numbers[key] = number
            self._db.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", (number, key.level.value, key.name, at))
        for measure in {measure for key in fresh for measure in counted[key]}:
            self.measure(measure)

    def measure(self, measure: Measure) -> int:
        """The number of a measure, given now if it has none."""
        number = self.measures.get(measure)
        if number is None:
            number = len(self.measures) + 1
            self._db.execute("INSERT INTO measures VALUES (?, ?)", (number, measure.value))
            self.measures[measure.value] = number
        return number

    def forget(self, keys: Iterable[SeriesKey]) -> None:
        """Let series have no name: their numbers are never read again, and expire."""
        for key in keys:
            number = self.numbers.pop(key, None)
            if number is not None:
                self._db.execute("UPDATE keys SET name = NULL WHERE number = ?", (number,))

    def seen(self, keys: Iterable[SeriesKey], at: int, hours_since: int) -> None:
        """Note once a day which series are there, and drop those of which nothing is kept any more."""
        present = [(at, self.numbers[key]) for key in keys if key in self.numbers]
        self._db.executemany("UPDATE keys SET seen = ? WHERE number = ?", present)
        gone = self._db.execute(
            "SELECT number, level, name FROM keys WHERE seen < ? LIMIT ?",
            (hours_since - SPARED, EXPIRED_AT_A_TIME),
        ).fetchall()
        for number, level, name in gone:
            self._db.execute("DELETE FROM keys WHERE number = ?", (number,))
            self._free.setdefault(level, []).append(number)
            if name is not None:
                self.numbers = {key: have for key, have in self.numbers.items() if have != number}

    def _slot(self, level: str) -> int:
        free = self._free.setdefault(level, [])
        if not free:
            first = self.chunks * SLOTS
            self.chunks += 1
            free += range(first + SLOTS - 1, first - 1, -1)
        return free.pop()
