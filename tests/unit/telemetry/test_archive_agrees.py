"""Random looks, gaps, series and restarts: the archive tells what a naive model tells, that keeps every look."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.telemetry.archive import FILE, Archive, together
from controller.telemetry.archive.columns import (
    KNOWN,
    LARGEST,
    SLOTS,
    add,
    blank,
    cell,
    columns_of,
    pack,
    rows_of,
    slot_of,
    slot_of_pack,
)
from controller.telemetry.archive.reading import plan
from controller.telemetry.archive.tiers import HOUR, MINUTE, Place
from controller.telemetry.keys import GAUGES, Level, Measure, SeriesKey
from tests.unit.telemetry.naive_series import NaiveSeries

lenient = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEYS = [*(SeriesKey(Level.VPORT, name) for name in "abc"), SeriesKey(Level.DVRS, "hv1")]
MEASURES = (Measure.SENDS_BYTES, Measure.GETS_PACKETS, Measure.FLOWS)
BEGINNING = 1_800_000_123_457
"""Milliseconds; on no edge."""


@dataclass(frozen=True)
class Burst:
    """Looks that follow each other: after a pause, `count` of `length` milliseconds each; then perhaps a restart."""

    pause: int
    length: int
    count: int
    counted: dict[SeriesKey, dict[Measure, int]]
    restart: bool


numbers = st.one_of(st.just(0), st.integers(0, 300), st.integers(0, 2**40))
bursts = st.builds(
    Burst,
    pause=st.sampled_from([0, 0, 0, 1_000, 47_000, 3_500_000, 90_000_000, 3_000_000_000]),
    length=st.sampled_from([1_000, 9_990, 10_000, 10_007, 60_000, 299_999, 3_600_000, 100_000_000]),
    count=st.integers(1, 60),
    counted=st.dictionaries(st.sampled_from(KEYS), st.dictionaries(st.sampled_from(MEASURES), numbers)),
    restart=st.booleans(),
)


def told(archive: Archive, story: list[Burst]) -> tuple[NaiveSeries, int]:
    """Tell looks to the archive and to the model; returns the model and the time of the end in milliseconds."""
    model, at = NaiveSeries(), BEGINNING
    for burst in story:
        at += burst.pause
        for turn in range(burst.count):
            counted = {
                key: {
                    measure: value % 2**20 if measure in GAUGES else value * (turn % 3) for measure, value in of.items()
                }
                for key, of in burst.counted.items()
            }
            archive.append((at + burst.length) / 1000, burst.length / 1000, counted)
            model.append(at, at + burst.length, counted)
            at += burst.length
        if burst.restart:
            archive.close()
            assert archive.open() is None
    return model, at


def aligned(value: int, since: int, until: int, width: int) -> int:
    """An edge of a bucket that lies in the period, or its end."""
    value = since + value * (until - since) // 1000
    return min(until, -(-value // width) * width)


@lenient
@given(story=st.lists(bursts, min_size=1, max_size=6), cuts=st.lists(st.integers(0, 1000), min_size=2, max_size=6))
def test_totals_equal_those_of_every_look_added_up(story: list[Burst], cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = Archive(Path(directory) / FILE)
        archive.open()
        model, end = told(archive, story)
        wanted = MEASURES[:2]
        begin = BEGINNING - BEGINNING % HOUR
        edges = sorted({begin, end, *(aligned(cut, BEGINNING, end, HOUR) for cut in cuts)})
        anywhere = sorted({begin, end, *(BEGINNING + cut * (end - BEGINNING) // 1000 for cut in cuts)})
        for key in KEYS:
            whole = archive.total(key, wanted, begin / 1000, end / 1000)
            assert whole == {measure: model.total(key, measure, begin, end) for measure in wanted}
            hours = [archive.total(key, wanted, since / 1000, until / 1000) for since, until in pairwise(edges)]
            for measure in wanted:
                assert sum(each[measure] for each in hours) == whole[measure]
            for (since, until), parts in zip(pairwise(edges), hours, strict=True):
                for measure in wanted:
                    # A look, minute or gap that is cut is rounded down once in each tier.
                    assert abs(parts[measure] - model.total(key, measure, since, until)) < 6
            pieces = [archive.total(key, wanted, since / 1000, until / 1000) for since, until in pairwise(anywhere)]
            for measure in wanted:
                # A gap, or a look of more than a minute, that is cut where no bucket ends.
                assert abs(sum(piece[measure] for piece in pieces) - whole[measure]) <= 2 * len(cuts)
        archive.close()


@lenient
@given(story=st.lists(bursts, min_size=1, max_size=5), points=st.integers(1, 300), begin=st.integers(0, 1000))
def test_rates_are_those_of_every_look_on_steps_that_hold_whole_hours(
    story: list[Burst], points: int, begin: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = Archive(Path(directory) / FILE)
        archive.open()
        model, end = told(archive, story)
        since = BEGINNING + begin * (end - BEGINNING) // 1000
        for key in KEYS:
            series = archive.read(key, MEASURES, since / 1000, end / 1000, points)
            first, step = round(series.since * 1000), round(series.step * 1000)
            count = len(series.values[Measure.FLOWS])
            assert first <= since < first + step
            assert first + (count - 1) * step < max(end, since + 1) <= first + count * step
            assert count <= points + 1
            for measure in MEASURES:
                for index, value in enumerate(series.values[measure]):
                    begun = first + index * step
                    known = model.known(key, begun, begun + step)
                    if step % HOUR == 0:
                        assert (value is None) == (known == 0)
                    if value is None or step % HOUR:
                        continue
                    expected = model.total(key, measure, begun, begun + step)
                    if measure in GAUGES:
                        weighted = sum(
                            of[key].get(measure, 0) * max(0, min(until, begun + step) - max(start, begun))
                            for start, until, of in model.looks
                            if key in of
                        )
                        assert abs(value - weighted / known) <= 6 / known + abs(value) * 1e-9
                    else:
                        assert abs(value * known / 1000 - expected) <= 6 + expected * 1e-9
        archive.close()


@lenient
@given(story=st.lists(bursts, min_size=1, max_size=5), points=st.integers(1, 300), begin=st.integers(0, 1000))
def test_many_series_that_are_read_at_once_are_those_that_are_read_one_by_one(
    story: list[Burst], points: int, begin: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, mock.patch.multiple(together, _TOGETHER=1, _PORTION=2):
        archive = Archive(Path(directory) / FILE)
        archive.open()
        _model, end = told(archive, story)
        since = (BEGINNING + begin * (end - BEGINNING) // 1000) / 1000
        keys = [*KEYS, SeriesKey(Level.VPORT, "never seen")]
        found = archive.read_together(keys, MEASURES, since, end / 1000, points)
        assert found == {key: archive.read(key, MEASURES, since, end / 1000, points) for key in keys}
        totals = archive.total_together(keys, MEASURES, since, end / 1000)
        assert totals == {key: archive.total(key, MEASURES, since, end / 1000) for key in keys}
        assert sorted(key for some in archive.portions(keys) for key in some) == sorted(keys)
        archive.close()


@lenient
@given(
    since=st.integers(0, 400 * HOUR), length=st.integers(1, 400 * HOUR), step=st.integers(1, 48 * HOUR),
    now=st.integers(30 * HOUR, 300 * HOUR), hour_open=st.booleans(), kept=st.integers(0, 29),
)  # fmt: skip
def test_every_part_of_a_period_is_read_from_exactly_one_tier(
    since: int, length: int, step: int, now: int, hour_open: bool, kept: int
) -> None:
    place = Place(
        end=now, minute=now - now % MINUTE, hour=now - now % HOUR if hour_open else None,
        looks_since=(now - HOUR) // MINUTE * MINUTE, minutes_since=(now - kept * HOUR) // HOUR * HOUR,
    )  # fmt: skip
    parts = plan(since, since + length, step, place)
    assert parts[0][1] == since
    assert parts[-1][2] == since + length
    assert all(one[2] == other[1] for one, other in pairwise(parts))
    assert all(begin < end for _tier, begin, end in parts)


columns = st.dictionaries(
    st.integers(0, 254),
    st.dictionaries(st.integers(0, SLOTS - 1), st.one_of(st.integers(1, 300), st.integers(1, LARGEST)), min_size=1),
    max_size=6,
).map(lambda found: {measure: column(slots) for measure, slots in found.items()})


def column(slots: dict[int, int]):  # type: ignore[no-untyped-def]
    made = blank()
    for slot, value in slots.items():
        made[slot] = value
    return made


@lenient
@given(found=columns, slot=st.integers(0, SLOTS - 1))
def test_a_cell_holds_its_columns(found, slot: int) -> None:  # type: ignore[no-untyped-def]
    blob = cell(found)
    assert columns_of(blob) == found
    wanted = [254, KNOWN, *found, 7]
    assert slot_of(blob, slot, wanted) == [found[each][slot] if each in found else 0 for each in wanted]


@lenient
@given(rows=st.lists(st.one_of(st.none(), columns), min_size=1, max_size=40), slot=st.integers(0, SLOTS - 1))
def test_a_pack_holds_its_rows(rows, slot: int) -> None:  # type: ignore[no-untyped-def]
    of_one = [next(iter(row.values()), None) if row else None for row in rows]
    blob = pack(of_one)
    plain = [blank() if row is None else row for row in of_one]
    assert rows_of(blob, len(rows)) == plain
    assert list(slot_of_pack(blob, slot, len(rows))) == [row[slot] for row in plain]


def test_sums_stop_at_the_largest_number_instead_of_failing() -> None:
    have = {1: column({3: LARGEST - 5})}
    add(have, {1: column({3: 100}), 2: column({0: 4})})
    assert (have[1][3], have[2][0]) == (LARGEST, 4)
