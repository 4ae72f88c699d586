"""Series in a file: appended looks come back as rates and totals, whatever happens to the clock and to the process."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from controller.telemetry.archive import FILE, Archive, Look
from controller.telemetry.keys import Level, Measure, SeriesKey
from tests.unit.telemetry.archive_writer import BEGINNING, KEYS, LENGTH

ROOT = Path(__file__).parents[3]
WEB = SeriesKey(Level.VPORT, "web-1")
DB = SeriesKey(Level.VPORT, "db-1")
HV1 = SeriesKey(Level.DVRS, "hv1")
NOON = 1_800_057_600
"""A whole hour."""
DAY = 86_400
SENDS = Measure.SENDS_BYTES


def reopened(archive: Archive) -> None:
    archive.close()
    assert archive.open() is None


def test_a_look_comes_back_as_a_rate_per_second(archive: Archive) -> None:
    for number in range(1, 7):
        archive.append(NOON + 10 * number, 10, {WEB: {SENDS: 1000 * number}, DB: {}})
    series = archive.read(WEB, [SENDS, Measure.GETS_BYTES], NOON, NOON + 60, points=6)
    assert (series.since, series.step) == (NOON, 10)
    assert series.values[SENDS] == [100, 200, 300, 400, 500, 600]
    assert series.values[Measure.GETS_BYTES] == [0] * 6
    assert archive.read(DB, [SENDS], NOON, NOON + 60, points=6).values[SENDS] == [0] * 6


def test_what_was_never_seen_is_unknown_and_not_zero(archive: Archive) -> None:
    archive.append(NOON + 10, 10, {WEB: {SENDS: 10}})
    archive.append(NOON + 40, 10, {WEB: {SENDS: 10}})
    assert archive.read(WEB, [SENDS], NOON, NOON + 50, points=5).values[SENDS] == [1, None, None, 1, None]
    assert archive.read(DB, [SENDS], NOON, NOON + 50, points=5).values[SENDS] == [None] * 5
    assert archive.total(DB, [SENDS], 0, NOON + 50) == {SENDS: 0}


def test_an_archive_without_a_look_reads_as_nothing(archive: Archive) -> None:
    assert archive.state() is None
    assert archive.size().oldest is None
    assert set(archive.read(WEB, [SENDS], NOON, NOON + 50).values[SENDS]) == {None}


def test_a_gauge_is_the_mean_of_its_values_in_every_tier(archive: Archive) -> None:
    for number in range(1, 6 * 60 * 3 + 1):
        archive.append(NOON + 10 * number, 10, {HV1: {Measure.FLOWS: 100 if number % 2 else 300}})
    now = NOON + 3 * 3600
    for span, points in ((600, 10), (3 * 3600, 180), (3 * 3600, 3)):
        values = archive.read(HV1, [Measure.FLOWS], now - span, now, points).values[Measure.FLOWS]
        assert len(values) == points
        assert values == [200] * points
    assert archive.total(HV1, [Measure.FLOWS, SENDS], NOON, now) == {SENDS: 0}


def test_an_absence_of_the_controller_is_spread_evenly_over_the_gap(archive: Archive) -> None:
    archive.append(NOON + 30, 10, {WEB: {SENDS: 1000}})
    gap = 5 * 3600 + 20
    archive.append(NOON + 30 + gap, gap, {WEB: {SENDS: 50 * gap}})
    now = NOON + 30 + gap
    for points in (5, 300, 1000):
        values = archive.read(WEB, [SENDS], NOON + 3600, NOON + 5 * 3600, points).values[SENDS]
        assert values == [50] * len(values)
    assert archive.total(WEB, [SENDS], NOON + 3600, NOON + 7200) == {SENDS: 50 * 3600}
    assert archive.total(WEB, [SENDS], 0, now) == {SENDS: 1000 + 50 * gap}


def test_a_gap_of_a_month_costs_as_little_as_a_look(archive: Archive) -> None:
    archive.append(NOON, 10, {WEB: {SENDS: 1000}})
    before = archive.size().bytes
    archive.append(NOON + 30 * DAY, 30 * DAY, {WEB: {SENDS: 10**9}})
    assert archive.size().bytes - before < 200_000
    assert archive.total(WEB, [SENDS], 0, NOON + 30 * DAY) == {SENDS: 10**9 + 1000}


def test_tiers_join_without_a_seam_over_two_days(archive: Archive) -> None:
    for number in range(1, 2 * DAY // 60 + 1):
        archive.append(NOON + 60 * number, 60, {WEB: {SENDS: 60 * 7}, DB: {SENDS: number}})
    now = NOON + 2 * DAY
    for points in (48, 96, 500, 2880):
        values = archive.read(WEB, [SENDS], NOON, now, points).values[SENDS]
        assert values == [7] * len(values)
    count = 2 * DAY // 60
    assert archive.total(DB, [SENDS], NOON, now) == {SENDS: count * (count + 1) // 2}
    cuts = [NOON, NOON + 3600, NOON + DAY + 7, NOON + DAY + 3000, now - 1800, now - 77, now]
    parts = [archive.total(DB, [SENDS], *cut)[SENDS] for cut in pairwise(cuts)]
    assert sum(parts) == count * (count + 1) // 2


def test_looks_go_after_an_hour_and_minutes_after_a_day(archive: Archive, tmp_path: Path) -> None:
    for number in range(1, 2 * DAY // 300 + 1):
        archive.append(NOON + 300 * number, 300, {WEB: {SENDS: 300}})
    now = NOON + 2 * DAY
    finest = [archive.read(WEB, [SENDS], now - ago, now - ago + 60, 1000).step for ago in (600, 8000, DAY + 8000)]
    assert finest == [300, 60, 3600]


def test_polling_may_become_faster_and_slower(archive: Archive) -> None:
    at, counted = float(NOON), 0
    for length in [1.0] * 30 + [300.0] * 3 + [2.5] * 40 + [10.0] * 40:
        at += length
        counted += int(length * 100)
        archive.append(at, length, {WEB: {SENDS: int(length * 100)}})
    assert archive.total(WEB, [SENDS], NOON, at) == {SENDS: counted}
    series = archive.read(WEB, [SENDS], NOON, at, 100)
    assert {round(value) for value in series.values[SENDS] if value is not None} == {100}


def test_a_clock_put_back_corrupts_nothing(archive: Archive) -> None:
    at, looks = float(NOON), 0
    for shift in (0, -40, -3 * 3600, 5 * 3600, -30 * DAY, 31 * DAY):
        at += shift
        for _ in range(400):
            at += 10
            looks += 1
            archive.append(at, 10, {WEB: {SENDS: 11}})
        reopened(archive)
    assert archive.total(WEB, [SENDS], 0, at) == {SENDS: 11 * looks}
    values = archive.read(WEB, [SENDS], NOON - 31 * DAY, at, 900).values[SENDS]
    assert {round(value, 6) for value in values if value is not None} == {1.1}


def test_a_clock_ahead_for_a_moment_does_not_take_the_history(archive: Archive) -> None:
    for number in range(1, 200):
        archive.append(NOON + 3600 * number, 3600, {WEB: {SENDS: 3600}})
    now = NOON + 3600 * 199
    archive.append(now + 10 * 365 * DAY, 10, {WEB: {SENDS: 10}})
    for number in range(1, 50):
        archive.append(now + 10 * number, 10, {WEB: {SENDS: 10}})
    assert archive.total(WEB, [SENDS], now - 100 * 3600, now) == {SENDS: 100 * 3600}
    series = archive.read(WEB, [SENDS], now - 10 * 3600, now + 490, 20)
    assert {round(value, 6) for value in series.values[SENDS] if value is not None} == {1.0}


def test_a_hypervisor_that_was_away_is_told_for_the_whole_of_its_absence(archive: Archive) -> None:
    for number in range(1, 61):
        beside = [Look(400.0, {DB: {SENDS: 800}})] if number == 60 else []
        archive.append(NOON + 10 * number, 10, {WEB: {SENDS: 10}}, b"%d" % number, beside)
    reopened(archive)
    assert archive.state() == b"60"
    archive.append(NOON + 610, 10, {WEB: {SENDS: 10}, DB: {}})
    assert archive.total(DB, [SENDS], NOON + 240, NOON + 300) == {SENDS: 120}
    assert archive.total(DB, [SENDS], NOON, NOON + 600) == {SENDS: 800}
    assert archive.total(WEB, [SENDS], NOON, NOON + 600) == {SENDS: 600}
    assert archive.read(DB, [SENDS], NOON, NOON + 600, 10).values[SENDS][4:] == [2] * 6
    for number in range(1, 200):
        archive.append(NOON + 610 + 60 * number, 60, {WEB: {SENDS: 60}})
    assert archive.total(DB, [SENDS], NOON, NOON + 7200) == {SENDS: 800}


def test_what_it_shares_with_others_gets_its_counts_for_the_whole_of_its_absence_too(archive: Archive) -> None:
    """Their subnet, say: its time is known by the others, and neither twice nor with a jump at the end."""
    for number in range(1, 61):
        beside = [Look(400.0, {DB: {SENDS: 800}, WEB: {SENDS: 800}}, {WEB})] if number == 60 else []
        archive.append(NOON + 10 * number, 10, {WEB: {SENDS: 10}}, b"", beside)
    reopened(archive)
    for number in range(1, 200):
        assert archive.total(WEB, [SENDS], NOON, NOON + 600) == {SENDS: 1400}
        assert archive.total(WEB, [SENDS], NOON + 240, NOON + 300) == {SENDS: 180}
        for found in (archive.read(WEB, [SENDS], NOON, NOON + 600, 10),
                      archive.read_together([WEB, DB], [SENDS], NOON, NOON + 600, 10)[WEB]):  # fmt: skip
            assert found.values[SENDS][:3] == [1] * 3 and found.values[SENDS][4:10] == [3] * 6
        archive.append(NOON + 600 + 60 * number, 60, {WEB: {SENDS: 60}})
        if number % 50 == 0:
            reopened(archive)


def test_what_was_counted_while_nobody_was_known_is_shown_all_the_same(archive: Archive) -> None:
    archive.append(NOON + 10, 10, {DB: {}})
    archive.append(NOON + 610, 10, {WEB: {}}, b"", [Look(600.0, {WEB: {SENDS: 600}}, {WEB})])
    assert archive.read(WEB, [SENDS], NOON, NOON + 600, 10).values[SENDS][1:] == [1] * 9


def test_series_appear_and_go_and_a_forgotten_one_begins_anew(archive: Archive) -> None:
    for number in range(1, 31):
        archive.append(NOON + 10 * number, 10, {SeriesKey(Level.VPORT, f"p{number + each}"): {SENDS: 5}
                                                for each in range(40)})  # fmt: skip
    assert archive.size().series == 69
    assert archive.total(SeriesKey(Level.VPORT, "p30"), [SENDS], 0, NOON + 300) == {SENDS: 5 * 30}
    archive.forget([SeriesKey(Level.VPORT, "p30"), SeriesKey(Level.VPORT, "nobody")])
    archive.append(NOON + 310, 10, {SeriesKey(Level.VPORT, "p30"): {SENDS: 9}})
    reopened(archive)
    assert archive.total(SeriesKey(Level.VPORT, "p30"), [SENDS], 0, NOON + 310) == {SENDS: 9}
    assert archive.size().series == 69


def test_state_is_of_the_last_look(archive: Archive) -> None:
    archive.append(NOON, 10, {WEB: {SENDS: 1}}, b"first")
    archive.append(NOON + 10, 10, {WEB: {SENDS: 1}})
    reopened(archive)
    assert archive.state() == b"first"
    archive.append(NOON + 20, 10, {}, b"second")
    assert archive.state() == b"second"


@pytest.mark.parametrize("value", [-1, 2**64, 1.5])
def test_a_number_that_cannot_have_been_counted_is_refused_whole(archive: Archive, value: int) -> None:
    archive.append(NOON, 10, {WEB: {SENDS: 1}}, b"1")
    with pytest.raises(ValueError, match="db-1"):
        archive.append(NOON + 10, 10, {WEB: {SENDS: 1}, DB: {SENDS: value}}, b"2")
    archive.append(NOON + 20, 10, {WEB: {SENDS: 1}, DB: {SENDS: 4}}, b"3")
    reopened(archive)
    assert archive.total(WEB, [SENDS], 0, NOON + 20) == {SENDS: 2}
    assert archive.total(DB, [SENDS], 0, NOON + 20) == {SENDS: 4}


@pytest.mark.parametrize("at, length", [(float("nan"), 1), (-5, 1), (NOON, float("inf")), (NOON, -1), (10**12, 1)])
def test_a_time_that_cannot_be_is_refused(archive: Archive, at: float, length: float) -> None:
    with pytest.raises(ValueError, match="a look of"):
        archive.append(at, length, {WEB: {SENDS: 1}})


def test_a_process_killed_while_it_appends_loses_no_kept_look_and_counts_none_twice(tmp_path: Path) -> None:
    """The number of looks is in the state of each; the series must tell the same."""
    file = tmp_path / FILE
    for kept_before_the_kill in (1, 9, 40, 150, 77):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.telemetry.archive_writer", str(file)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert writer.stdout is not None
        last = 0
        for _ in range(kept_before_the_kill):
            last = int(writer.stdout.readline())
        writer.kill()
        last = max([last, *map(int, writer.stdout.read().split())])
        writer.wait()
        archive = Archive(file)
        assert archive.open() is None
        kept = int(archive.state() or b"0")
        assert kept >= last
        now = BEGINNING + kept * LENGTH
        for key in (KEYS[0], KEYS[150], KEYS[299]):
            assert archive.total(key, [SENDS, Measure.GETS_PACKETS], 0, now) == {
                SENDS: 7 * kept, Measure.GETS_PACKETS: kept,
            }  # fmt: skip
        archive.close()
