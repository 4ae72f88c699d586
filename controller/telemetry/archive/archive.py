"""The archive as the collector uses it: open, append a look, read a series, add up a period, close."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from controller.telemetry.archive import file as files
from controller.telemetry.archive.catalogue import Catalogue
from controller.telemetry.archive.columns import KNOWN, LARGEST, SLOTS, blank, cell, columns_of
from controller.telemetry.archive.reading import Series, Steps, Sums, plan, series, sums
from controller.telemetry.archive.rollup import Group, Item, OpenBucket
from controller.telemetry.archive.tidying import Tidying
from controller.telemetry.archive.tiers import DAY, HOUR, KEPT, LONGEST_INTERVAL, MINUTE, Place, Tier
from controller.telemetry.archive.together import portions, sums_of_many
from controller.telemetry.keys import GAUGES, Measure, SeriesKey
from data.errors import StoreUnavailable
from data.store.failures import unavailable

__all__ = ["Archive", "Look", "Size"]

FILE = "statistics.db"
LATEST = 10**11
"""The last time that is accepted, in seconds: the year 5138."""
JITTER = 500
"""Two looks that are told to be so many milliseconds apart, or to overlap so much, follow each other."""

Counted = Mapping[SeriesKey, Mapping[Measure, int]]


class Look(NamedTuple):
    """What was counted in so many seconds. Of series that are `told` the time was known before, or is by another look
    that ends now: what is counted of them is added to it."""

    length: float
    counted: Counted
    told: Collection[SeriesKey] = ()


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of the file and its log, series that are kept, and since when (seconds since the epoch; None: nothing)."""

    bytes: int
    series: int
    oldest: float | None


class Archive:
    """Series in a file. Blocking, and for one thread at a time: the collector's writer thread."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._db: sqlite3.Connection | None = None
        self._series: Catalogue | None = None
        self._tidying = Tidying()
        self._place = Place()
        self._minute = OpenBucket(MINUTE)
        self._hour = OpenBucket(HOUR)
        self._day = 0
        self._damaged = False
        self._identity: tuple[int, int] | None = None

    def open(self) -> str | None:
        """Open the file, making it as needed, and go on where it ended. A damaged file is set aside and a new one
        begun: the sentence that tells of it is returned. Raises StoreUnavailable."""
        try:
            with self._explained():
                self._load()
        except StoreUnavailable:
            if not self._damaged:
                raise
            return self._begin_anew()
        return None

    def close(self) -> None:
        """Close the file; `open` opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = self._series = None

    def append(
        self,
        at: float,
        length: float,
        counted: Counted,
        state: bytes | None = None,
        beside: Sequence[Look] = (),
    ) -> str | None:
        """Keep one look in one transaction: what was counted in the `length` seconds that end at `at` (seconds since
        the epoch), gauges as they are; a series without traffic is told with no measure at all, or zeros. `state` is
        the accounting's own memory, kept in the same transaction; None leaves it as it is. `beside` is what was counted
        in other lengths of time that end now too, of other series or of the same: a hypervisor that was away.

        A series that is not in `counted` is unknown in that time. Returns what an operator should be told, if anything
        (a damaged file was set aside). Raises StoreUnavailable, for a full disk for example: then nothing is kept of
        this look, and the next one may be tried; ValueError for times and numbers that cannot be.
        """
        looks = [Look(length, counted), *beside]
        for look in looks:
            if not (0 < at < LATEST and 0 <= look.length < math.inf):
                raise ValueError(f"a look of {look.length} s that ends at {at}")
        sentence = self._begin_anew() if self._damaged else None  # a read may have found it
        if self._db is not None and files.identity(self.file) != self._identity:
            with self._explained():
                self._load()  # what is written to a file that was removed is lost
            sentence = f"somebody removed {self.file}; statistics begin anew"
        try:
            self._append(round(at * 1000), looks, state)
        except StoreUnavailable:
            if not self._damaged or sentence:
                raise
            sentence = self._begin_anew()
            self._append(round(at * 1000), looks, state)
        return sentence

    def state(self) -> bytes | None:
        """The accounting's memory as of the last look that was kept."""
        with self._explained():
            row = self._open.execute("SELECT state FROM place").fetchone()
        return row[0] if row else None

    def read(
        self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float, points: int = 200
    ) -> Series:
        """A series over a period in at most about `points` steps. Raises StoreUnavailable."""
        steps = Steps.over(round(since * 1000), round(until * 1000), points, self._place)
        where, counted = self._catalogue.where(key), None
        if where is not None:
            parts = plan(steps.since, steps.until, steps.step, self._place)
            with self._explained():
                counted = sums(self._open, where, self._catalogue.of_measures(measures), steps, parts)
        return series(steps, measures, counted)

    def read_together(
        self, keys: Iterable[SeriesKey], measures: Sequence[Measure], since: float, until: float, points: int = 200
    ) -> dict[SeriesKey, Series]:
        """What `read` says of each; those that lie in one chunk are read at once. Raises StoreUnavailable."""
        steps = Steps.over(round(since * 1000), round(until * 1000), points, self._place)
        found = self._sums_of_many(keys, measures, steps, plan(steps.since, steps.until, steps.step, self._place))
        return {key: series(steps, measures, counted) for key, counted in found.items()}

    def total_together(
        self, keys: Iterable[SeriesKey], measures: Sequence[Measure], since: float, until: float
    ) -> dict[SeriesKey, dict[Measure, int]]:
        """What `total` says of each, likewise. Raises StoreUnavailable."""
        wanted = [measure for measure in measures if measure not in GAUGES]
        begin, end = round(since * 1000), round(until * 1000)
        if begin >= end:
            return {key: dict.fromkeys(wanted, 0) for key in keys}
        steps = Steps(begin, end - begin, 1)
        found = self._sums_of_many(keys, wanted, steps, plan(begin, end, HOUR, self._place))
        return {
            key: dict.fromkeys(wanted, 0) if counted is None
            else {measure: row[0] for measure, row in zip(wanted, counted[1:], strict=True)}
            for key, counted in found.items()
        }  # fmt: skip

    def portions(self, keys: Iterable[SeriesKey]) -> list[list[SeriesKey]]:
        """Keys in parts that are read one after the other, so that others get their turn."""
        return portions(self._catalogue, keys)

    def _sums_of_many(
        self,
        keys: Iterable[SeriesKey],
        measures: Sequence[Measure],
        steps: Steps,
        parts: Sequence[tuple[Tier, int, int]],
    ) -> dict[SeriesKey, Sums | None]:
        catalogue = self._catalogue
        with self._explained():
            return sums_of_many(self._open, catalogue, keys, measures, steps, parts)

    def total(self, key: SeriesKey, measures: Sequence[Measure], since: float, until: float) -> dict[Measure, int]:
        """What was counted in a period. Gauges are left out. Raises StoreUnavailable.

        Exact when `since` and `until` are edges of what is kept of their time (looks for an hour, then minutes for a
        day, then hours); otherwise of the bucket that an edge falls into the part that lies in the period, as if it had
        been counted evenly. Periods that follow each other add up exactly when they are cut at such edges, or inside
        a look that is no longer than a minute; a gap that is cut elsewhere, or a longer look, may lose or gain 2.
        """
        wanted = [measure for measure in measures if measure not in GAUGES]
        where = self._catalogue.where(key)
        begin, end = round(since * 1000), round(until * 1000)
        if where is None or begin >= end:
            return dict.fromkeys(wanted, 0)
        parts = plan(begin, end, HOUR, self._place)
        with self._explained():
            _known, *rows = sums(
                self._open, where, self._catalogue.of_measures(wanted), Steps(begin, end - begin, 1), parts
            )
        return {measure: row[0] for measure, row in zip(wanted, rows, strict=True)}

    def forget(self, keys: Iterable[SeriesKey]) -> None:
        """Never tell of these series again. Raises StoreUnavailable."""
        with self._changing():
            self._catalogue.forget(keys)

    def size(self) -> Size:
        """How much is kept."""
        used = sum(
            part.stat().st_size for part in (self.file, self.file.with_name(self.file.name + "-wal")) if part.exists()
        )
        place = self._place
        oldest = max(place.oldest, place.hours_since)
        return Size(used, len(self._catalogue.numbers), oldest / 1000 if place.minute is not None else None)

    # how it works

    @property
    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreUnavailable(str(self.file), "the statistics are not open", "see the log for the reason")
        return self._db

    @property
    def _catalogue(self) -> Catalogue:
        if self._series is None:
            with self._explained():
                self._series = Catalogue(self._open)
        return self._series

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            self._damaged = self._damaged or files.is_damage(error)
            raise unavailable(self.file, error) from error

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A transaction; when it fails, what is in memory is as it was before."""
        try:
            with self._explained(), files.transaction(self._open):
                yield
        except BaseException:
            self._series = None
            raise

    def _load(self) -> None:
        self.close()
        db = self._db = files.connect(self.file)
        self._identity = files.identity(self.file)
        self._tidying = Tidying()
        self._minute, self._hour, self._place, self._day = OpenBucket(MINUTE), OpenBucket(HOUR), Place(), 0
        row = db.execute("SELECT place FROM place").fetchone()
        if row is None:
            return
        place = self._place = Place(**json.loads(row[0]))
        self._minute = self._refilled(OpenBucket(MINUTE, place.minute, place.minute_row), Tier.LOOK)
        self._hour = self._refilled(OpenBucket(HOUR, place.hour, place.hour_row), Tier.MINUTE)
        self._day = place.end // DAY

    def _refilled(self, bucket: OpenBucket, source: Tier) -> OpenBucket:
        """The bucket with what was told to it before the restart."""
        if bucket.start is not None:
            for chunk in range(self._catalogue.chunks):
                for start, end, data in self._open.execute(
                    "SELECT start, end, data FROM cells WHERE tier = ? AND chunk = ? AND end > ? AND id >= ?",
                    (source, chunk, bucket.start, bucket.row),
                ):
                    bucket.refill(Item(start, end, {chunk: columns_of(data)}))
        return bucket

    def _begin_anew(self) -> str:
        self.close()
        told = files.set_aside(self.file)
        self._damaged = False
        with self._explained():
            self._load()
        return told

    def _append(self, end: int, looks: Sequence[Look], state: bytes | None) -> None:
        starts = [max(0, end - max(1, min(round(look.length * 1000), KEPT[Tier.HOUR]))) for look in looks]
        before = self._place.end
        if abs(starts[0] - before) <= min(JITTER, (end - starts[0]) // 4) and before < end:
            starts[0] = before
        minute, hour, day = self._minute.copy(), self._hour.copy(), end // DAY
        with self._changing():
            for start, look in zip(starts, looks, strict=True):
                self._catalogue.enter(look.counted, end)
                self._roll_up(Item(start, end, self._group(look, end - start)), minute, hour)
            place = _advanced(self._place, starts[0], end, minute, hour)
            if day != self._day:
                self._catalogue.seen((key for look in looks for key in look.counted), end, place.hours_since)
            self._tidying.some(
                self._open, place, end - starts[0], self._catalogue.chunks, len(self._catalogue.measures)
            )
            self._open.execute(
                "INSERT INTO place VALUES (1, ?1, ?2)"
                " ON CONFLICT (id) DO UPDATE SET place = ?1, state = coalesce(?2, state)",
                (json.dumps(asdict(place)), state),
            )
        self._minute, self._hour, self._place, self._day = minute, hour, place, day

    def _roll_up(self, look: Item, minute: OpenBucket, hour: OpenBucket) -> None:
        row = self._write(Tier.LOOK, look)
        for closed in minute.feed(look, row):
            row = self._write(Tier.MINUTE, closed)
            for whole in hour.feed(closed, row):
                self._write(Tier.HOUR, whole)

    def _group(self, look: Look, length: int) -> Group:
        """A look as columns; a gauge is multiplied by its time, so that it adds up like the rest."""
        group: Group = {}
        numbers, measures = self._catalogue.numbers, self._catalogue.measures
        for key, values in look.counted.items():
            chunk, slot = divmod(numbers[key], SLOTS)
            columns = group.get(chunk)
            if columns is None:
                columns = group[chunk] = {KNOWN: blank()}
            if key not in look.told:
                columns[KNOWN][slot] = length
            for measure, value in values.items():
                if value:
                    number = measures.get(measure) or self._catalogue.measure(measure)
                    column = columns.get(number)
                    if column is None:
                        column = columns[number] = blank()
                    try:
                        column[slot] = min(value * length, LARGEST) if measure in GAUGES else value
                    except (OverflowError, TypeError) as error:
                        raise ValueError(f"{key}: {value} cannot have been counted as {measure}") from error
        return group

    def _write(self, tier: Tier, item: Item) -> int:
        """Write an item's cells; returns the row of the first, or what the next will have."""
        first: int | None = None
        for chunk, columns in item.group.items():
            if data := cell(columns):
                row = self._open.execute(
                    "INSERT INTO cells(tier, chunk, start, end, data) VALUES (?, ?, ?, ?, ?)",
                    (tier, chunk, item.start, item.end, data),
                ).lastrowid
                first = first or row
        if first is None:
            row_of_last = self._open.execute("SELECT seq FROM sqlite_sequence WHERE name = 'cells'").fetchone()
            return 1 + (row_of_last[0] if row_of_last else 0)
        return first


def _advanced(place: Place, start: int, end: int, minute: OpenBucket, hour: OpenBucket) -> Place:
    """How far the archive has come with a look."""
    assert minute.start is not None
    length, whole_hour = end - start, minute.start - minute.start % HOUR
    # After a pause the open hour may lie far back: it needs its minutes until it is closed.
    open_hour = whole_hour if hour.start is None else min(hour.start, whole_hour)
    first = place.minute is None
    # What is kept begins at most an hour (or two looks) later after each look: a clock that is years ahead for a
    # moment takes next to nothing of the history.
    most = max(HOUR, 2 * length - 2 * length % HOUR)

    def since(before: int, now: int) -> int:
        return now if first else max(before, min(now, before + most))

    return Place(
        end=end,
        length=length if length <= LONGEST_INTERVAL else place.length,
        minute=minute.start,
        minute_row=minute.row,
        hour=hour.start,
        hour_row=hour.row,
        # After the clock was put back, what is kept from now on lies before what was the present.
        looks_since=min(minute.start, since(place.looks_since, minute.start - KEPT[Tier.LOOK])),
        minutes_since=min(open_hour, since(place.minutes_since, whole_hour - KEPT[Tier.MINUTE])),
        hours_since=since(place.hours_since, whole_hour - KEPT[Tier.HOUR]),
        oldest=start if first else min(place.oldest, start),
    )
