"""A damaged file, a full disk and a year of looks: the archive goes on, tells what it lost, and stays small."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from controller.telemetry.archive import FILE, Archive
from controller.telemetry.archive.tiers import BLOCK, WIDTH, Tier
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.errors import StoreUnavailable

SENDS = Measure.SENDS_BYTES
KEYS = [SeriesKey(Level.VPORT, f"vport-{number}") for number in range(200)]
NOON = 1_800_057_600
DAY = 86_400


def tell(archive: Archive, at: float, length: float = 10, value: int = 5) -> str | None:
    return archive.append(at, length, {key: {SENDS: value} for key in KEYS}, b"memory")


def test_only_the_user_may_read_the_file(archive: Archive) -> None:
    tell(archive, NOON)
    for file in archive.file.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_what_is_no_database_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_bytes(b"this was never a database" * 1000)
    archive = Archive(file)
    told = archive.open()
    assert told is not None
    assert "set aside as statistics.db.damaged" in told
    assert (tmp_path / "statistics.db.damaged").read_bytes().startswith(b"this was never")
    tell(archive, NOON)
    assert archive.total(KEYS[0], [SENDS], 0, NOON) == {SENDS: 5}
    archive.close()


@pytest.mark.parametrize("read_first", [False, True])
def test_a_page_that_is_damaged_under_way_costs_the_past_and_not_the_look(archive: Archive, read_first: bool) -> None:
    """`packs` is first read by the append that looks for what has expired."""
    for number in range(20):
        tell(archive, NOON + 10 * number)
    archive.close()
    with sqlite3.connect(archive.file) as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'packs'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    with archive.file.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(os.urandom(size))
    assert archive.open() is None
    if read_first:
        with pytest.raises(StoreUnavailable, match="damaged"):
            archive.read(KEYS[0], [SENDS], NOON - 86_400, NOON + 200)
    told = tell(archive, NOON + 200, value=7)
    assert told is not None
    assert "statistics begin anew" in told
    assert archive.total(KEYS[9], [SENDS], 0, NOON + 200) == {SENDS: 7}
    assert archive.state() == b"memory"
    assert tell(archive, NOON + 210, value=7) is None


def test_a_file_of_a_newer_version_is_left_alone(archive: Archive) -> None:
    archive.close()
    with sqlite3.connect(archive.file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreUnavailable, match="newer nshell"):
        archive.open()


def test_a_closed_archive_says_so(archive: Archive) -> None:
    archive.close()
    with pytest.raises(StoreUnavailable, match="not open"):
        tell(archive, NOON)
    with pytest.raises(StoreUnavailable, match="not open"):
        archive.total(KEYS[0], [SENDS], 0, NOON)


def test_a_full_disk_fails_one_look_whole_and_the_next_goes_on(archive: Archive) -> None:
    """SQLite's own limit stands for the disk: it fails the same way, with SQLITE_FULL."""
    kept = refused = 0
    for number in range(1, 60):
        tell(archive, NOON + 20 * number, 20)
        kept += 1
    database = archive._db
    assert database is not None
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages + 2}")
    for number in range(60, 400):
        try:
            tell(archive, NOON + 20 * number, 20)
            kept += 1
        except StoreUnavailable as error:
            assert "the disk is full" in error.cause
            assert archive.total(KEYS[3], [SENDS], 0, NOON + 20 * number) == {SENDS: 5 * kept}
            refused += 1
            if refused == 5:
                database.execute("PRAGMA max_page_count = 1000000")
    assert refused >= 5
    archive.append(NOON + 8000, 10, {SeriesKey(Level.ZONE, "new"): {SENDS: 1}})
    archive.close()
    assert archive.open() is None
    assert archive.total(KEYS[3], [SENDS], 0, NOON + 8000) == {SENDS: 5 * kept}


def test_a_year_and_more_stays_within_bounds(archive: Archive) -> None:
    """Looks of six hours, so that 500 days take seconds; every tier lets go of what is too old."""
    sizes = {}
    for number in range(1, 500 * 4 + 1):
        now = NOON + number * 21_600
        present = KEYS[:3] if number < 100 else KEYS[2:5]
        archive.append(now, 21_600, {key: {SENDS: 21_600 * 9, Measure.DENIED_PACKETS: number} for key in present})
        if number % 40 == 0:
            sizes[number // 4] = archive.size().bytes
    assert sizes[500] <= sizes[400] * 1.1
    with sqlite3.connect(archive.file) as db:
        for tier, kept in ((Tier.LOOK, 7 * 3600), (Tier.MINUTE, 26 * 3600), (Tier.HOUR, 370 * DAY)):
            oldest = db.execute("SELECT min(end) FROM cells WHERE tier = ?", (tier,)).fetchone()[0]
            assert oldest / 1000 >= now - kept
        packs = db.execute("SELECT id FROM packs").fetchall()
        assert packs
        block = WIDTH[Tier.HOUR] * BLOCK[Tier.HOUR] // 1000
        assert min(number & 2**26 - 1 for (number,) in packs) * block >= now - (370 * DAY + block)
        # The series that ended after 25 days is gone, and its slot free.
        assert db.execute("SELECT count(*) FROM keys").fetchone()[0] == 3
    db.close()
    series = archive.read(KEYS[2], [SENDS], now - 360 * DAY, now, 100)
    assert {round(value, 3) for value in series.values[SENDS] if value is not None} == {9}
    assert None not in series.values[SENDS]
    assert archive.read(KEYS[0], [SENDS], NOON, now, 100).values[SENDS] == [None] * len(
        archive.read(KEYS[0], [SENDS], NOON, now, 100).values[SENDS]
    )
    oldest = archive.size().oldest
    assert oldest is not None
    assert now - 367 * DAY <= oldest <= now - 365 * DAY


def test_pages_that_are_no_longer_needed_go_back_to_the_disk(archive: Archive) -> None:
    """Ten times the network for a while must not leave ten times the file for a year."""
    many = [SeriesKey(Level.VPORT, f"many-{number}") for number in range(6000)]
    at = NOON
    for number in range(90):
        at += 40
        archive.append(
            at,
            40,
            {
                key: {SENDS: number * place * 1_000_003 % 2**40, Measure.GETS_BYTES: number * place * 7_654_321 % 2**41}
                for place, key in enumerate(many)
            },
        )
    full = archive.size().bytes
    for _ in range(400):
        at += 300
        archive.append(at, 300, {KEYS[0]: {SENDS: 1}})
    archive.close()
    assert archive.open() is None
    assert archive.size().bytes < full / 2
