"""Looks become minutes, and minutes hours: each tier has one open bucket that is filled, closed and told to the next.

    look ──> [ open minute ] ── closed ──> [ open hour ] ── closed ──> kept for a year

An item is what was counted between two times. One that covers several buckets is cut at their edges as if it had been
counted evenly: up to time x it has counted `value * (x - start) // (end - start)`. Every part is a difference of two
such numbers, so parts always add up to the whole, wherever it is cut. Whole buckets inside a long item (a controller
that was away) stay one item: a gap of a month costs as much as a look.

An item that ends before the open bucket begins means that the clock was put back: the bucket is closed as it is, and
an earlier one opened. Where a period is kept twice because of that, numbers of both add up, also the time known.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from controller.telemetry.archive.columns import Columns, add

__all__ = ["Group", "Item", "OpenBucket", "part"]

Group = dict[int, Columns]
"""Columns by number of chunk."""


@dataclass(frozen=True, slots=True)
class Item:
    """What was counted from `start` to `end` (milliseconds since the epoch). `late`: it belongs before the open
    bucket, though the clock was not put back."""

    start: int
    end: int
    group: Group
    late: bool = False

    def between(self, since: int, until: int) -> Group:
        """The part of it that lies between two times; columns may be those of the item itself."""
        since, until = max(since, self.start), min(until, self.end)
        if since >= until:
            return {}
        if since == self.start and until == self.end:
            return self.group
        begun, ended, whole = since - self.start, until - self.start, self.end - self.start
        return {
            chunk: {
                measure: array("Q", [value * ended // whole - value * begun // whole for value in column])
                for measure, column in columns.items()
            }
            for chunk, columns in self.group.items()
        }


def part(value: int, start: int, end: int, since: int, until: int) -> int:
    """What of `value`, counted from `start` to `end`, is counted between two times; the same rule as of items."""
    since, until = max(since, start), min(until, end)
    if since >= until:
        return 0
    whole = end - start
    return value if until - since == whole else value * (until - start) // whole - value * (since - start) // whole


class OpenBucket:
    """The bucket of one tier that is being filled.

    `start` is where it begins, None before the first item; `row` the row of the first item it got (with it the bucket
    is filled again after a restart).
    """

    __slots__ = ("group", "row", "start", "width")

    def __init__(self, width: int, start: int | None = None, row: int = 0) -> None:
        self.width = width
        self.start = start
        self.row = row
        self.group: Group = {}

    def copy(self) -> OpenBucket:
        """One to try changes with: a transaction may fail."""
        other = OpenBucket(self.width, self.start, self.row)
        # `add` never changes a column, it makes another, so that columns may be shared.
        other.group = {chunk: dict(columns) for chunk, columns in self.group.items()}
        return other

    def feed(self, item: Item, row: int) -> list[Item]:
        """Add an item that is kept from this row on; returns what is closed by it, in order."""
        told: list[Item] = []
        if self.start is None:
            self._begin(item.start, row)
        elif item.end <= self.start:
            if item.late:
                return [item]
            told += self._closed()
            self._begin(item.start, row)
        elif item.start >= self.start + self.width:
            told += self._closed()
            self._begin(item.start, row)
        assert self.start is not None
        if item.start < self.start:
            told.append(Item(item.start, self.start, item.between(item.start, self.start), late=True))
        edge = self.start + self.width
        self._fill(item, self.start, edge)
        if item.end > edge:
            told += self._closed()
            self._begin(item.end, row)
            if self.start > edge:
                told.append(Item(edge, self.start, item.between(edge, self.start)))
            self._fill(item, self.start, item.end)
        return told

    def refill(self, item: Item) -> None:
        """Add what `feed` had added of this item before a restart."""
        assert self.start is not None
        self._fill(item, self.start, self.start + self.width)

    def _begin(self, time: int, row: int) -> None:
        self.start, self.row, self.group = time - time % self.width, row, {}

    def _fill(self, item: Item, since: int, until: int) -> None:
        for chunk, columns in item.between(since, until).items():
            add(self.group.setdefault(chunk, {}), columns)

    def _closed(self) -> list[Item]:
        assert self.start is not None
        return [Item(self.start, self.start + self.width, self.group)] if self.group else []
