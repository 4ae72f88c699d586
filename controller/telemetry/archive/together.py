"""Many series over one period, chunk by chunk: what a table of 10,000 vports since yesterday is made of.

A chunk's cells hold its 128 series side by side, so opening a cell once for all of them costs little more than for one:
10,000 vports of seven measures over two hours take 0.8 s instead of 16 (tests/bench/series.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from controller.telemetry.archive.catalogue import Catalogue
from controller.telemetry.archive.reading import Steps, Sums, sums, sums_together
from controller.telemetry.archive.tiers import Tier
from controller.telemetry.keys import Measure, SeriesKey

__all__ = ["portions", "sums_of_many"]

_PORTION = 256
"""Series after which others get their turn of the archive: 15 ms of a period of hours, 200 ms of a year."""
_TOGETHER = 8
"""Series of a chunk from which on opening all of its columns costs less than cutting out one after the other."""


def portions(catalogue: Catalogue, keys: Iterable[SeriesKey]) -> list[list[SeriesKey]]:
    """Keys in parts that are read one after the other: those of a chunk together, some hundred in each."""
    chunks: dict[int, list[SeriesKey]] = {}
    for key in keys:
        where = catalogue.where(key)
        chunks.setdefault(-1 if where is None else where[0], []).append(key)
    found: list[list[SeriesKey]] = []
    for some in chunks.values():
        if found and len(found[-1]) < _PORTION:
            found[-1] += some
        else:
            found.append(some)
    return found


def sums_of_many(
    db: sqlite3.Connection,
    catalogue: Catalogue,
    keys: Iterable[SeriesKey],
    measures: Sequence[Measure],
    steps: Steps,
    parts: Sequence[tuple[Tier, int, int]],
) -> dict[SeriesKey, Sums | None]:
    """What `sums` says of each; None for what was never kept."""
    found: dict[SeriesKey, Sums | None] = dict.fromkeys(keys)
    chunks: dict[int, dict[int, SeriesKey]] = {}
    for key in found:
        if (where := catalogue.where(key)) is not None:
            chunks.setdefault(where[0], {})[where[1]] = key
    numbers = catalogue.of_measures(measures)
    for chunk, slots in chunks.items():
        if len(slots) >= _TOGETHER:
            for slot, counted in sums_together(db, chunk, slots, numbers, steps, parts).items():
                found[slots[slot]] = counted
            continue
        for slot, key in slots.items():
            found[key] = sums(db, (chunk, slot), numbers, steps, parts)
    return found
