"""Statistics of 10,000 vports as series beside the plain way: a table in SQLite with a row per value.

One vport of ten is busy all the time, three are heard now and then, six say nothing. Both sides get the same numbers in
one transaction per look, WAL, synchronous=NORMAL; the plain table leaves out what is zero, and has no roll-up. A table
of them since some time ago is compared with what somebody who types may wait.
"""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from commands.statistics.counted import Period, in_the_past, with_totals
from commands.statistics.measured import Listed, ranked
from controller.telemetry.archive import FILE, Archive, Series
from controller.telemetry.keys import MEASURES_OF, Level, Measure, SeriesKey
from controller.telemetry.service import Telemetry
from controller.telemetry.shelf import Shelf
from data.steps import spread
from tests.bench.measure import Row, median, timed

NAME = "series"
ABOUT = "statistics of 10,000 vports: a look, a year on disk, reading; beside a row per value"
VPORTS = 10_000
SUBNETS = 250
LOOKS = 200
INTERVAL = 20
YEAR_VPORTS = 256
YEAR_HOURS = 8760
MEBI = 1024 * 1024
SHOWN = 100
TABLE_TOLD = ((3600, 7 * 24), (60, 24 * 60), (10, 60))
"""Looks of so many seconds, so many: hours, minutes, looks of the present."""
TABLE_SINCE = (("1h", 3600), ("1d", 86_400), ("7d", 7 * 86_400))
TABLE_BUDGET = 2.0  # seconds that somebody who types may wait
BEGINNING = 1_800_057_600
MEASURES = MEASURES_OF[Level.VPORT]
_SENDS, _SENDS_PACKETS, _GETS, _GETS_PACKETS = MEASURES[:4]
_BUSY, _HEARD = 10, 40  # of a hundred

Counted = dict[SeriesKey, Mapping[Measure, int]]


class Plain:
    """The peer."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute(
            "CREATE TABLE samples(series INTEGER, measure INTEGER, time INTEGER, value INTEGER,"
            " PRIMARY KEY (series, measure, time)) WITHOUT ROWID"
        )
        self.numbers: dict[SeriesKey, int] = {}

    def append(self, at: int, counted: Counted) -> None:
        for key in counted:
            self.numbers.setdefault(key, len(self.numbers))
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany(
            "INSERT INTO samples VALUES (?, ?, ?, ?)",
            (
                (self.numbers[key], MEASURES.index(measure), at, value)
                for key, values in counted.items()
                for measure, value in values.items()
                if value
            ),
        )
        self.db.execute("COMMIT")

    def read(self, key: SeriesKey, measure: Measure, since: int, until: int, step: int) -> list[tuple[int, float]]:
        return self.db.execute(
            "SELECT time / ?4, sum(value) * 1.0 / ?4 FROM samples"
            " WHERE series = ?1 AND measure = ?2 AND time > ?3 AND time <= ?5 GROUP BY 1",
            (self.numbers[key], MEASURES.index(measure), since, step, until),
        ).fetchall()

    def size(self) -> int:
        """Bytes, the log written back."""
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.file.stat().st_size


def network(vports: int, subnets: int) -> dict[SeriesKey, int]:
    """Series, and how busy each is, of a hundred."""
    drawn = random.Random(1)
    found = {SeriesKey(Level.VPORT, f"{number:08x}-0000-4000-8000-000000000000"): drawn.randrange(100)
             for number in range(vports)}  # fmt: skip
    return found | {SeriesKey(Level.SUBNET, f"{number:08x}-0000-4000-9000-000000000000"): 0
                    for number in range(subnets)}  # fmt: skip


def look(network: Mapping[SeriesKey, int], at: int, seconds: int, drawn: random.Random) -> Counted:
    """What is counted in the seconds that end at a time: busy ones follow the day."""
    day = 1 + 0.6 * math.sin(at / 86_400 * 2 * math.pi)
    counted: Counted = {}
    for key, rank in network.items():
        if rank < _BUSY:
            sent = 10_000 * 2**rank * seconds * day
            counted[key] = {
                _SENDS: int(sent * drawn.uniform(0.8, 1.2)), _SENDS_PACKETS: int(sent / 900 * drawn.uniform(0.8, 1.2)),
                _GETS: int(sent * drawn.uniform(0.4, 0.9)), _GETS_PACKETS: int(sent / 800 * drawn.uniform(0.8, 1.2)),
            }  # fmt: skip
        elif rank < _HEARD:
            heard = seconds * drawn.uniform(0.9, 1.1)
            counted[key] = {
                _SENDS: int(60 * heard), _SENDS_PACKETS: int(0.6 * heard),
                _GETS: int(50 * heard), _GETS_PACKETS: int(0.5 * heard),
            }  # fmt: skip
        else:
            counted[key] = {}
    return counted


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="nshell-bench-") as folder:
        yield from appended(Path(folder))
    with tempfile.TemporaryDirectory(prefix="nshell-bench-") as folder:
        yield from a_year(Path(folder))
    with tempfile.TemporaryDirectory(prefix="nshell-bench-") as folder:
        yield from a_table(Path(folder))


def appended(folder: Path) -> Iterator[Row]:
    """Looks, one after the other to both sides; more than an hour, so that roll-up, packing and deleting are in it."""
    archive, plain = Archive(folder / FILE), Plain(folder / "plain.db")
    archive.open()
    series = network(VPORTS, SUBNETS)
    drawn = random.Random(2)
    looks = [look(series, BEGINNING, INTERVAL, drawn) for _ in range(6)]
    ours: list[float] = []
    peers: list[float] = []
    for number in range(1, LOOKS + 1):
        at, counted = BEGINNING + number * INTERVAL, looks[number % len(looks)]
        ours.append(timed(lambda at=at, counted=counted: archive.append(at, INTERVAL, counted)))  # type: ignore[misc]
        peers.append(timed(lambda at=at, counted=counted: plain.append(at, counted)))  # type: ignore[misc]
    now = BEGINNING + LOOKS * INTERVAL
    busy = next(key for key, rank in series.items() if rank < _BUSY)
    yield Row(
        f"a look at {VPORTS} vports kept, worst {max(ours) * 1000:.0f} ms", median(ours) * 1000, median(peers) * 1000,
        0.5, "ms", f"{LOOKS} looks of {INTERVAL} s, with roll-up; peer: executemany, a row per value",
        {"ours": ours, "peer": peers},
    )  # fmt: skip
    read = [timed(lambda: archive.read(busy, MEASURES[:4], now - 3600, now)) for _ in range(21)]
    yield Row("  info: one vport over an hour, 4 measures", median(read) * 1000, None, None, "ms")
    archive.close()


def a_year(folder: Path) -> Iterator[Row]:
    """A year of hours of some vports, then a day of minutes and an hour of looks: what is on disk, for 10,000."""
    archive, plain = Archive(folder / FILE), Plain(folder / "plain.db")
    archive.open()
    series = network(YEAR_VPORTS, 0)
    drawn = random.Random(3)
    at = BEGINNING
    for _ in range(YEAR_HOURS):
        at += 3600
        counted = look(series, at, 3600, drawn)
        archive.append(at, 3600, counted)
        plain.append(at, counted)
    hours = plain.size()
    busy = next(key for key, rank in series.items() if rank < _BUSY)
    ours = [timed(lambda: archive.read(busy, MEASURES[:1], at - YEAR_HOURS * 3600, at)) for _ in range(21)]
    peers = [timed(lambda: plain.read(busy, _SENDS, at - YEAR_HOURS * 3600, at, 172_800)) for _ in range(21)]
    yield Row(
        "one measure of one vport over a year", median(ours) * 1000, median(peers) * 1000, None, "ms",
        f"{YEAR_HOURS} hours in at most 200 steps, of {YEAR_VPORTS} vports; both files in the page cache",
        {"ours": ours, "peer": peers},
    )  # fmt: skip
    for seconds, count in ((60, 24 * 60), (INTERVAL, 3600 // INTERVAL)):
        for _ in range(count):
            at += seconds
            archive.append(at, seconds, look(series, at, seconds, drawn))
    archive.close()
    kept = packed_bytes(archive.file)
    scale = VPORTS / YEAR_VPORTS
    yield Row(
        f"{VPORTS} vports, hours of a year on disk", kept * scale / MEBI, hours * scale / MEBI, 0.25, "MiB",
        f"of {YEAR_VPORTS} vports, multiplied; peer: a row per value, the index is the table",
    )  # fmt: skip
    yield Row(
        f"  info: {VPORTS} vports, all tiers: looks, minutes, hours", archive.file.stat().st_size * scale / MEBI, None,
        None, "MiB", "the file after a year of hours, a day of minutes and an hour of looks, multiplied",
    )  # fmt: skip


class Kept:
    """As much of telemetry as a table since some time ago asks of."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(folder, lambda text: None)

    async def series_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float, points: int,
        told: Callable[[int], None],
    ) -> Mapping[SeriesKey, Series]:  # fmt: skip
        return await self.shelf.read_together(keys, measures, since, until, points, told)

    async def totals_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float
    ) -> Mapping[SeriesKey, dict[Measure, int]]:
        return await self.shelf.total_together(keys, measures, since, until)


def a_table(folder: Path) -> Iterator[Row]:
    """`show statistics vports since ...`: what the archive is asked for each vport, and in all for those shown, and by
    how much others of the same loop are late meanwhile."""
    archive = Archive(folder / FILE)
    archive.open()
    series, drawn, at = network(VPORTS, SUBNETS), random.Random(4), BEGINNING
    for seconds, count in TABLE_TOLD:
        looks = [look(series, at, seconds, drawn) for _ in range(4)]
        for number in range(count):
            at += seconds
            archive.append(at, seconds, looks[number % len(looks)])
    archive.close()
    keys = [key for key in series if key.level is Level.VPORT]
    for name, seconds in TABLE_SINCE:
        took, late = asyncio.run(a_look_back(folder, keys, Period(at - seconds, at)))
        yield Row(
            f"show statistics vports since {name}, of {VPORTS}", took, TABLE_BUDGET, 1.0, "s",
            f"{SHOWN} rows are shown; the loop was late by {late * 1000:.0f} ms at most",
        )  # fmt: skip


async def a_look_back(folder: Path, keys: Sequence[SeriesKey], when: Period) -> tuple[float, float]:
    """Seconds that a table takes, and the longest that the loop was late."""
    kept, late = Kept(folder), 0.0
    await kept.shelf.open()

    async def watch() -> None:
        nonlocal late
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            late = max(late, time.monotonic() - begun - 0.01)

    watching = asyncio.create_task(watch())
    begun = time.monotonic()
    past = await in_the_past(cast(Telemetry, kept), keys, when, lambda done: None)
    found = [Listed(key, key.name, (), past[key]) for key in keys]
    busiest = await spread(ranked(Level.VPORT, found, [past[key] for key in keys], SHOWN))
    shown = await with_totals(cast(Telemetry, kept), {each.key: its for each, its in busiest}, when)
    took = time.monotonic() - begun
    watching.cancel()
    if len(shown) != SHOWN or not all(its.totals.get(_SENDS) for its in shown.values()):
        raise RuntimeError("the table lacks what was sent")
    await kept.shelf.close()
    return took, late


def packed_bytes(file: Path) -> int:
    """What the hours of a year take in the archive's file, pages that are not full included (dbstat is not compiled
    into every SQLite, so they are counted as it lays them out: 4,096 bytes a page)."""
    db = sqlite3.connect(file)
    hours = db.execute("SELECT length(data) FROM packs WHERE (id >> 26 & 3) = 2").fetchall()
    db.close()
    return sum(-(-length // 4096) * 4096 for (length,) in hours)
