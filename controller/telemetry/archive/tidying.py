"""What keeps the file small, a little at every look: buckets are packed, what is too old is deleted.

Chunks are visited in turn, so that an append of 10,000 series does a bounded part of it and never makes a pause. Two
turns: looks are deleted and buckets packed as fast as they come; packs, and gaps, expire slowly and are visited slowly.
"""

from __future__ import annotations

import sqlite3
from array import array
from dataclasses import dataclass

from controller.telemetry.archive.columns import add, columns_of, pack, rows_of
from controller.telemetry.archive.reading import pack_id
from controller.telemetry.archive.tiers import BLOCK, HOUR, WIDTH, Place, Tier

__all__ = ["Tidying"]

VISITED = 64
"""Chunks that one append looks at."""
LOOKS_DELETED = 16
"""Looks of one chunk that one append deletes: more than come in, so that a rest is caught up with."""
PACKED = 2
"""Blocks of one chunk, all measures, that one append packs, and twice the number of those that become whole in the time
of its look (not more than PACKED_AFTER_GAP when that was a gap). One of minutes takes 4 ms, one of hours 15 ms."""
PACKED_AFTER_GAP = 8
EXPIRING = 2
"""Chunks whose packs and gaps one append looks at, and more when there are few looks: each once an hour."""
EXPIRED = 64
"""Packs of one measure, or gaps, that are deleted at a time."""
FREE_PAGES = 1024
"""4 MiB of free pages stay in the file, or a quarter of it: they are filled again within the hour."""
PAGES_RETURNED = 128


@dataclass(slots=True)
class Tidying:
    """Where the two turns stand."""

    next: int = 0
    next_expiring: int = 0

    def some(self, db: sqlite3.Connection, place: Place, length: int, chunks: int, measures: int) -> None:
        """Do a part of it, inside the transaction of a look of this length."""
        if not chunks:
            return

        def whole(time: int) -> int:
            return 2 * chunks * time // HOUR

        packed, most = 0, PACKED + max(whole(place.length), min(whole(length), PACKED_AFTER_GAP))
        for turn in range(min(VISITED, chunks)):
            chunk = (self.next + turn) % chunks
            _delete_cells(db, Tier.LOOK, chunk, place.looks_since, LOOKS_DELETED)
            for tier in (Tier.HOUR, Tier.MINUTE):
                if packed < most and place.hour is not None:
                    packed += _pack(db, tier, chunk, place.hour)
        self.next = (self.next + VISITED) % chunks if chunks > VISITED else 0
        until = {Tier.MINUTE: place.minutes_since, Tier.HOUR: place.hours_since}
        expiring = min(chunks, EXPIRING + chunks * place.length // HOUR)
        for turn in range(expiring):
            for tier, edge in until.items():
                _expire(db, (self.next_expiring + turn) % chunks, tier, edge, measures)
        self.next_expiring = (self.next_expiring + expiring) % chunks
        _return_pages(db)


def _delete_cells(db: sqlite3.Connection, tier: Tier, chunk: int, until: int, most: int) -> None:
    db.execute(
        "DELETE FROM cells WHERE id IN"
        " (SELECT id FROM cells WHERE tier = ? AND chunk = ? AND end <= ? ORDER BY end LIMIT ?)",
        (tier, chunk, until, most),
    )


def _expire(db: sqlite3.Connection, chunk: int, tier: Tier, until: int, measures: int) -> None:
    _delete_cells(db, tier, chunk, until, EXPIRED)
    block = until // (WIDTH[tier] * BLOCK[tier])
    for measure in range(measures + 1):
        base = pack_id(chunk, measure, tier, 0)
        db.execute(
            "DELETE FROM packs WHERE id IN (SELECT id FROM packs WHERE id >= ? AND id < ? LIMIT ?)",
            (base, base + max(0, block), EXPIRED),
        )


def _pack(db: sqlite3.Connection, tier: Tier, chunk: int, hour: int) -> int:
    """Pack the oldest whole block of a chunk that is not packed; returns how many were."""
    width, count = WIDTH[tier], BLOCK[tier]
    length = width * count
    edge = hour - hour % length
    found = db.execute(
        "SELECT start FROM cells WHERE tier = ? AND chunk = ? AND end <= ? AND end - start = ? ORDER BY end LIMIT 1",
        (tier, chunk, edge, width),
    ).fetchone()
    if found is None:
        return 0
    begin = found[0] - found[0] % length
    cells = db.execute(
        "SELECT id, start, data FROM cells WHERE tier = ? AND chunk = ? AND end > ? AND end <= ? AND end - start = ?",
        (tier, chunk, begin, begin + length, width),
    ).fetchall()
    rows: dict[int, list[array[int] | None]] = {}
    for _number, start, data in cells:
        for measure, column in columns_of(data).items():
            _put(rows.setdefault(measure, [None] * count), (start - begin) // width, column)
    for measure, columns in rows.items():
        number = pack_id(chunk, measure, tier, begin // length)
        # There is one already when the clock was put back: numbers of both add up.
        for (data,) in db.execute("SELECT data FROM packs WHERE id = ?", (number,)).fetchall():
            for index, column in enumerate(rows_of(data, count)):
                _put(columns, index, column)
        db.execute("INSERT OR REPLACE INTO packs VALUES (?, ?)", (number, pack(columns)))
    db.executemany("DELETE FROM cells WHERE id = ?", ((number,) for number, _start, _data in cells))
    return 1


def _return_pages(db: sqlite3.Connection) -> None:
    free = db.execute("PRAGMA freelist_count").fetchone()[0]
    if free > FREE_PAGES and free * 4 > db.execute("PRAGMA page_count").fetchone()[0]:
        for _ in range(PAGES_RETURNED):
            # Python takes one step of this statement, and a step is a page: a number in brackets would not be obeyed.
            db.execute("PRAGMA incremental_vacuum(1)")


def _put(rows: list[array[int] | None], index: int, column: array[int]) -> None:
    have = rows[index]
    if have is None:
        rows[index] = column
    else:
        both = {0: have}
        add(both, {0: column})
        rows[index] = both[0]
