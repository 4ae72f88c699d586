"""Graphs in a terminal: what they look like (frames/*.txt), at every size, and what they never do."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.statistics.frames import assert_looks_like
from views.axes import scale, times
from views.color import LINES, PLAIN
from views.graph import Graph, Line
from views.plot import NOTHING, plot
from views.render import Screen, encode, render

SINCE = 1_795_437_000.0  # 2026-11-23 12:30 UTC
DAY = 86_400


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Frames say times of the day."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def wave(count: int, low: float, high: float, over: float) -> list[float | None]:
    middle, reach = (low + high) / 2, (high - low) / 2
    return [middle + reach * math.sin(at / over) for at in range(count)]


def throughput(step: float = 30.0) -> Graph:
    sends, gets = wave(120, 20e6, 92e6, 14), wave(120, 2e6, 9e6, 20)
    sends[50:62] = gets[50:62] = [None] * 12
    lines = (Line("sends", sends), Line("gets", gets))
    return Graph("Throughput of vport acme/prod/web-1", "bit/s", SINCE, step, lines, "the last hour")


def drops(values: list[float | None], step: float = 30.0) -> Graph:
    return Graph("Drops of vport acme/prod/web-1", "packet/s", SINCE, step, (Line("denied", values),))


@pytest.mark.parametrize(
    ("name", "graph", "width", "height", "unicode"),
    [
        ("throughput-80x20", throughput(), 80, 20, True),
        ("throughput-ascii-60x14", throughput(), 60, 14, False),
        ("throughput-160x24-of-a-day", throughput(720), 160, 24, True),
        ("throughput-30x8", throughput(), 30, 8, True),
        ("drops-none-at-all", drops([0.0] * 60), 60, 10, True),
        ("drops-nothing-known", drops([None] * 60), 60, 10, True),
        ("drops-one-look", drops([*[None] * 30, 12.0, *[None] * 29]), 60, 10, True),
        ("drops-of-a-month", drops(wave(60, 0, 3, 5), DAY / 2), 60, 12, True),
    ],
)
def test_a_graph_looks_like_its_frame(name: str, graph: Graph, width: int, height: int, unicode: bool) -> None:
    lines = plot(graph, width, height, unicode)
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert_looks_like(name, lines)


def test_where_nothing_is_known_nothing_is_drawn() -> None:
    values: list[float | None] = [5.0] * 100
    values[40:60] = [None] * 20
    rows = [re.split("[┤│]", line)[1] for line in plot(drops(values), 106, 12)[2:-2]]
    drawn = {column for row in rows for column, sign in enumerate(row) if sign != " "}
    width = 106 - 6
    assert all(column / width < 0.41 or column / width > 0.59 for column in drawn)
    assert any(column / width > 0.9 for column in drawn)


def test_lines_are_told_apart_without_colour_and_coloured_alike_with_it() -> None:
    plain, colored = plot(throughput(), 80, 20), plot(throughput(), 80, 20, color=True)
    assert [line.translate(PLAIN) for line in colored] == plain
    assert "─● gets" in plain[1] or "─●─ gets" in plain[1]
    assert any("●" in line for line in plain[2:])
    assert any(LINES[0] in line for line in colored[2:]) and any(LINES[1] in line for line in colored[2:])


def test_a_terminal_without_unicode_gets_ascii_alone() -> None:
    lines = render(throughput(), Screen(columns=80, rows=24, unicode=False, color=False))
    assert encode("\n".join(lines), Screen(unicode=False)) == "\n".join(lines).encode("ascii")


def test_a_graph_leaves_room_for_the_prompt_and_fills_no_giant_screen() -> None:
    assert len(render(throughput(), Screen(columns=80, rows=24))) == 22
    assert len(render(throughput(), Screen(columns=200, rows=100))) == 30
    assert len(render(throughput(), Screen())) == 20


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(0, 1e15)), max_size=300),
    width=st.integers(1, 220),
    height=st.integers(1, 60),
    step=st.floats(1, 10 * DAY),
)
def test_any_numbers_fit_any_screen(values: list[float | None], width: int, height: int, step: float) -> None:
    lines = plot(drops(values, step), width, height)
    assert len(lines) == max(height, 8)
    assert max(map(len, lines)) <= max(width, 30)
    assert (NOTHING[:20] in "\n".join(lines)) == all(value is None for value in values)


@settings(max_examples=200, deadline=None)
@given(highest=st.floats(1e-3, 1e17), most=st.integers(1, 12))
def test_an_axis_reaches_over_the_highest_value_in_round_steps(highest: float, most: int) -> None:
    axis = scale(highest, "bit/s", most)
    assert axis.top >= highest * (1 - 1e-9)
    assert axis.top <= highest * 2.51 + 1e-9 or len(axis.ticks) == 2
    assert 2 <= len(axis.ticks) <= most + 1
    assert len(set(axis.labels)) == len(axis.labels)
    steps = {round((b - a) / axis.ticks[1], 6) for a, b in zip(axis.ticks, axis.ticks[1:], strict=False)}
    assert steps == {1.0}
    for tick, label in zip(axis.ticks, axis.labels, strict=True):
        assert float(label) * axis.factor == pytest.approx(tick, rel=1e-6, abs=1e-12)


def test_units_have_the_prefix_of_their_axis() -> None:
    assert scale(920, "bit/s", 4).unit == "bit/s" or scale(920, "bit/s", 4).top >= 1000
    assert scale(61e6, "bit/s", 5).unit == "Mbit/s"
    assert scale(3.1e9, "bit/s", 5).labels[-1] in ("3.5", "4", "4.0")


@pytest.mark.parametrize(
    ("length", "most", "expected"),
    [
        (60, 6, ["12:30:00", "12:30:10", "12:30:20", "12:30:30", "12:30:40", "12:30:50", "12:31:00"]),
        (3600, 7, ["12:30", "12:40", "12:50", "13:00", "13:10", "13:20", "13:30"]),
        (DAY, 6, ["16:00", "20:00", "00:00", "04:00", "08:00", "12:00"]),
        (3 * DAY, 7, ["24 Nov", "12:00", "25 Nov", "12:00", "26 Nov", "12:00"]),
    ],
)
def test_ticks_of_time_stand_at_whole_times(length: int, most: int, expected: list[str]) -> None:
    labels = [text for _, text in times(SINCE, SINCE + length, most)]
    assert labels == expected


@settings(max_examples=100, deadline=None)
@given(length=st.floats(1, 5 * 365 * DAY), most=st.integers(1, 20))
def test_ticks_of_time_are_few_and_inside(length: float, most: int) -> None:
    found = times(SINCE, SINCE + length, most)
    assert len(found) <= most + 1 or length > 364 * DAY * most
    assert all(SINCE <= at <= SINCE + length for at, _ in found)


def test_a_change_to_winter_time_moves_no_tick_off_its_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    since = datetime(2026, 10, 24, 20, 0).timestamp()
    assert all(datetime.fromtimestamp(at).minute == 0 for at, _ in times(since, since + DAY, 8))
