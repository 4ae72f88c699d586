"""One series over a period: which tier each part of the period is read from, and how it is put onto a regular step.

The finest tier is read only where a finer step needs it, or where nothing coarser is there yet:

    hours                                  | minutes           | looks
    ... ── minutes end here, a day ago ────┼── open hour ──────┼── open minute ── now
                                           (from here on there is no hour yet)

Numbers that were counted over more than one step are cut as if they had been counted evenly (rollup.py).
"""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from controller.telemetry.archive.columns import KNOWN, columns_of, slot_of, slots_of_pack
from controller.telemetry.archive.rollup import part
from controller.telemetry.archive.tiers import BLOCK, HOUR, MINUTE, WIDTH, Place, Tier
from controller.telemetry.keys import GAUGES, Measure

__all__ = ["Series", "Steps", "Sums", "pack_id", "plan", "series", "sums", "sums_together"]

Sums: TypeAlias = "list[list[int]]"
"""A row of how long a series was known in each step, then one for each measure."""

_NICE = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
"""Steps in seconds that people read easily; above them whole weeks."""
MOST_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Series:
    """Regular steps: value `i` is of the `step` seconds from `since + i * step` on (seconds since the epoch).

    Per second (bytes, packets) while it was known, or of the step when only the counts of it are; gauges: the mean of
    that time; None: nothing is known.
    """

    since: float
    step: float
    values: Mapping[Measure, Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class Steps:
    """`count` steps of `step` milliseconds from `since` on."""

    since: int
    step: int
    count: int

    @property
    def until(self) -> int:
        return self.since + self.step * self.count

    @staticmethod
    def over(since: int, until: int, points: int, place: Place) -> Steps:
        """Steps of a length that reads well, not more than `points` (and one, because they begin at whole steps), not
        finer than what is kept of any of it."""
        points = min(max(points, 1), MOST_POINTS)
        until = max(until, since + 1)
        finest = max(place.length, 1)
        if until <= place.looks_since:
            finest = MINUTE if until > place.minutes_since else HOUR
        wanted = max(-(-(until - since) // points), finest)
        week = _NICE[-1] * 1000
        step = next((nice * 1000 for nice in _NICE if nice * 1000 >= wanted), -(-wanted // week) * week)
        first = since - since % step
        return Steps(first, step, -(-(until - first) // step))


def series(steps: Steps, measures: Sequence[Measure], counted: Sums | None) -> Series:
    """What was added up, per second that it was known; None for what was never kept."""
    known, *rows = _nothing(measures, steps) if counted is None else counted
    values: dict[Measure, Sequence[float | None]] = {}
    for measure, row in zip(measures, rows, strict=True):
        scale = 1 if measure in GAUGES else 1000
        values[measure] = [
            value * scale / (time or steps.step) if time or value else None
            for value, time in zip(row, known, strict=True)
        ]
    return Series(steps.since / 1000, steps.step / 1000, values)


def plan(since: int, until: int, step: int, place: Place) -> list[tuple[Tier, int, int]]:
    """Which tier each part of a period is read from, in order.

    Whole hours where the step is not finer, then whole minutes likewise; what is left of the finest tier that is there.
    Seams lie on edges of the coarser tier's buckets, so nothing is read twice.
    """
    if place.minute is None or since >= until:
        return []
    kept = {
        Tier.HOUR: (0, place.minutes_since if place.hour is None else place.hour),
        Tier.MINUTE: (place.minutes_since, place.minute),
        Tier.LOOK: (place.looks_since, until),
    }
    told: list[tuple[Tier, int, int]] = []
    rest = [(since, until)]
    for tier in (Tier.HOUR, Tier.MINUTE):
        left: list[tuple[int, int]] = []
        for begin, end in rest:
            low, high = kept[tier]
            first, last = max(-(-begin // WIDTH[tier]) * WIDTH[tier], low), min(end - end % WIDTH[tier], high)
            if WIDTH[tier] <= step and first < last:
                told.append((tier, first, last))
                left += [piece for piece in ((begin, first), (last, end)) if piece[0] < piece[1]]
            else:
                left.append((begin, end))
        rest = left
    for begin, end in rest:
        cuts = {begin, end, *(edge for edges in kept.values() for edge in edges if begin < edge < end)}
        told += [(_finest(kept, *piece), *piece) for piece in pairwise(sorted(cuts))]
    return sorted(told, key=lambda piece: piece[1])


def _finest(kept: Mapping[Tier, tuple[int, int]], begin: int, end: int) -> Tier:
    """The finest tier that holds all of a piece; looks are all that there is of the open minute."""
    for tier in (Tier.LOOK, Tier.MINUTE, Tier.HOUR):
        low, high = kept[tier]
        if low <= begin and end <= high:
            return tier
    return Tier.MINUTE if end <= kept[Tier.MINUTE][1] else Tier.LOOK


def pack_id(chunk: int, measure: int, tier: Tier, block: int) -> int:
    """Where the pack of a block of buckets lies: 20 bits of chunk, 8 of measure, 2 of tier, 26 of block."""
    return ((chunk << 8 | measure) << 2 | tier) << 26 | block


def sums(
    db: sqlite3.Connection,
    where: tuple[int, int],
    measures: Sequence[int],
    steps: Steps,
    parts: Sequence[tuple[Tier, int, int]],
) -> Sums:
    """Per step the milliseconds that a series (chunk, slot) was known, then per measure what was counted in it."""
    chunk, slot = where
    table = _nothing(measures, steps)
    for tier, since, until in parts:
        for start, end, numbers in _cells(db, where, measures, tier, since, until):
            _spread(table, steps, start, end, max(since, start), min(until, end), numbers)
        if tier is not Tier.LOOK:
            _add_packs(db, chunk, measures, tier, since, until, steps, {slot: table})
    return table


def sums_together(
    db: sqlite3.Connection,
    chunk: int,
    slots: Collection[int],
    measures: Sequence[int],
    steps: Steps,
    parts: Sequence[tuple[Tier, int, int]],
) -> dict[int, Sums]:
    """The same of several series of a chunk, by slot: what lies in one step is added up for all slots at once."""
    tables = {slot: _nothing(measures, steps) for slot in slots}
    whole: dict[tuple[int, int], list[int]] = {}  # (step, row) -> the sums of all slots
    for tier, since, until in parts:
        for start, end, data in _blobs(db, chunk, tier, since, until):
            found = columns_of(data)
            columns = [found.get(measure) for measure in (KNOWN, *measures)]
            index = (max(since, start) - steps.since) // steps.step
            if since <= start and end <= until and index == (end - 1 - steps.since) // steps.step:
                for row, column in enumerate(columns):
                    if column is not None:
                        have = whole.setdefault((index, row), [0] * len(column))
                        whole[index, row] = list(map(operator.add, have, column))
                continue
            for slot, table in tables.items():
                numbers = [0 if column is None else column[slot] for column in columns]
                if any(numbers):
                    _spread(table, steps, start, end, max(since, start), min(until, end), numbers)
        if tier is not Tier.LOOK:
            _add_packs(db, chunk, measures, tier, since, until, steps, tables)
    for (index, row), added in whole.items():
        for slot, table in tables.items():
            table[row][index] += added[slot]
    return tables


def _nothing(measures: Sequence[object], steps: Steps) -> Sums:
    return [[0] * steps.count for _ in range(1 + len(measures))]


def _blobs(db: sqlite3.Connection, chunk: int, tier: Tier, since: int, until: int) -> Iterator[tuple[int, int, bytes]]:
    """Begin, end and content of the cells that meet a period."""
    yield from db.execute(
        "SELECT start, end, data FROM cells WHERE tier = ? AND chunk = ? AND end > ? AND start < ?",
        (tier, chunk, since, until),
    )


def _cells(
    db: sqlite3.Connection, where: tuple[int, int], measures: Sequence[int], tier: Tier, since: int, until: int
) -> Iterator[tuple[int, int, list[int]]]:
    chunk, slot = where
    wanted = (KNOWN, *measures)
    for start, end, data in _blobs(db, chunk, tier, since, until):
        numbers = slot_of(data, slot, wanted)
        if any(numbers):
            yield start, end, numbers


def _add_packs(
    db: sqlite3.Connection,
    chunk: int,
    measures: Sequence[int],
    tier: Tier,
    since: int,
    until: int,
    steps: Steps,
    tables: Mapping[int, Sums],
) -> None:
    """Add to the table of each slot what the packs of its chunk have of a period."""
    width, count = WIDTH[tier], BLOCK[tier]
    first, last = since // (width * count), (until - 1) // (width * count)
    for row, measure in enumerate((KNOWN, *measures)):
        base = pack_id(chunk, measure, tier, 0)
        for number, data in db.execute(
            "SELECT id, data FROM packs WHERE id BETWEEN ? AND ?", (base + first, base + last)
        ).fetchall():
            begin = (number - base) * count * width
            for table, values in zip(tables.values(), slots_of_pack(data, tables, count), strict=True):
                _add_pack(table[row], values, begin, width, since, until, steps)


def _add_pack(
    row: list[int], values: Sequence[int], begin: int, width: int, since: int, until: int, steps: Steps
) -> None:
    """Add the buckets of a pack that begins at `begin` to a row of steps."""
    low, high = max(0, (since - begin) // width), min(len(values), -(-(until - begin) // width))
    if not (steps.step % width or steps.since % width or since % width or until % width):
        # Whole buckets in a step: added up by the slice.
        while low < high:
            index = (begin + low * width - steps.since) // steps.step
            ahead = min(high, (steps.since + (index + 1) * steps.step - begin) // width)
            row[index] += sum(values[low:ahead])
            low = ahead
        return
    for place in range(low, high):
        if value := values[place]:
            start = begin + place * width
            _spread([row], steps, start, start + width, max(since, start), min(until, start + width), [value])


def _spread(
    table: Sequence[list[int]], steps: Steps, start: int, end: int, since: int, until: int, numbers: Sequence[int]
) -> None:
    """Add what was counted from `start` to `end`, as far as it lies between `since` and `until`, to its steps."""
    first, last = (since - steps.since) // steps.step, (until - 1 - steps.since) // steps.step
    if first == last and since == start and until == end:
        for row, value in zip(table, numbers, strict=True):
            row[first] += value
        return
    for index in range(first, last + 1):
        begin = steps.since + index * steps.step
        low, high = max(begin, since), min(begin + steps.step, until)
        for row, value in zip(table, numbers, strict=True):
            row[index] += part(value, start, end, low, high)
