"""What comes bit by bit: refresh, pipes on parts and wholes, rates, and pictures that do not flicker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from commands.language.lexer import lex, split_pipes
from commands.language.registry import Arguments
from commands.pipes import Output, output_of, run_pipe
from commands.show.events import monitor_events
from commands.statistics.rates import Rates
from commands.streams import parts
from controller.events import Kind
from data.errors import CommandFailed
from tests.unit.shell.pretend import PretendContext
from views.models import Lines, Model, Rate, Stream, Trend
from views.picture import BEGIN, CLEAR, picture
from views.render import Screen
from views.sparkline import sparkline
from views.table import cell_text


@pytest.fixture
def context() -> PretendContext:
    return PretendContext()


async def through(text: str, context: PretendContext, model: Model | Stream, repeat: bool = True) -> list[list[str]]:
    """The texts of all parts of a result behind these pipes."""

    async def again() -> Output:
        return output_of(model)

    output = Output(model, again=again) if repeat and not isinstance(model, Stream) else output_of(model)
    for pipe in split_pipes(lex(text).words)[1:]:
        output = await run_pipe(pipe, context, output, False)  # type: ignore[arg-type]
    if output.stream is None:
        return [output.lines(Screen())]
    return [part.lines(Screen()) async for part in parts(output)]


def counting(endless: bool) -> Stream:
    async def lines() -> AsyncIterator[Model]:
        for number in range(3):
            yield Lines([f"line {number}"])

    return Stream(lines, endless=endless)


async def test_refresh_runs_what_is_before_it_again(context: PretendContext) -> None:
    assert await through("| match b | refresh 1 times 2", context, Lines(["ab", "c"])) == [["ab"], ["ab"]]


async def test_pipes_behind_refresh_act_on_each_picture(context: PretendContext) -> None:
    assert await through("| refresh 1 times 2 | count", context, Lines(["ab", "c"])) == [["Count: 2 lines"]] * 2


async def test_what_changes_something_is_not_repeated(context: PretendContext) -> None:
    with pytest.raises(CommandFailed, match="more than look"):
        await through("| refresh 1", context, Lines([]), repeat=False)


async def test_filters_act_on_each_part_of_a_stream(context: PretendContext) -> None:
    assert await through("| match 1", context, counting(True)) == [[], ["line 1"], []]


async def test_a_stream_that_ends_has_a_whole_and_one_that_does_not_has_none(context: PretendContext) -> None:
    assert await through("| except 1 | count", context, counting(False)) == [["Count: 2 lines"]]
    assert await through("| last 1", context, counting(False)) == [["line 2"]]
    with pytest.raises(CommandFailed, match="does not end"):
        await through("| last 1", context, counting(True))


async def test_events_are_told_as_they_happen_and_watching_ends_with_the_command(context: PretendContext) -> None:
    events = context.fabric.events
    stream = await monitor_events(context, Arguments({"kind": "vport"}, frozenset({"monitor", "events"})))  # type: ignore[arg-type]
    happening = stream.parts()
    first = asyncio.ensure_future(anext(happening))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    events.add(Kind.COMMIT, "not wanted")
    events.add(Kind.VPORT, "web-1 appeared")
    part = await first
    assert isinstance(part, Lines) and part.lines[0].endswith("vport       web-1 appeared")
    assert isinstance(part.document, dict) and part.document["kind"] == "vport"
    await happening.aclose()  # type: ignore[attr-defined]
    assert not events._watchers


def test_rates_are_per_second_and_a_counter_that_fell_began_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 13.0])
    monkeypatch.setattr("commands.statistics.rates.time.monotonic", lambda: next(clock))
    rates = Rates()
    rates.take({"a": 100})
    assert rates.of("a") is None
    rates.take({"a": 300, "b": 50})
    assert rates.of("a") == 100 and rates.of("b") == 25
    rates.take({"a": 40})
    assert rates.of("a") == 40 and rates.of("b") is None
    assert rates.trend("a") == Trend((100.0, 40.0))


def test_rates_and_trends_read_well() -> None:
    assert [cell_text(Rate(value)) for value in (0, 999, 1_500, 123_456, 3.1e9, 4.2e12)] == [
        "0 b/s", "999 b/s", "1.5 kb/s", "123 kb/s", "3.1 Gb/s", "4.2 Tb/s"]  # fmt: skip
    assert sparkline((0, 5, 10)) == "▁▅█" and sparkline((0, 5, 10), unicode=False) == "_-#"
    assert sparkline(()) == "" and sparkline((0, 0)) == "▁▁"


def test_a_picture_overwrites_the_one_before_it_and_fits() -> None:
    screen = Screen(10, 4)
    first = picture(["one", "x" * 20], screen, True)
    assert first.startswith(CLEAR + BEGIN) and "x" * 9 + "…\x1b[K" in first
    later = picture(["1", "2", "3", "4", "5"], screen, False)
    assert CLEAR not in later and "... 3 more lines" not in later and "... 3 m" in later
    assert later.count("\r\n") == 3
    assert "\x1b[31m" not in picture(["\x1b[31mred"], Screen(80, 4), False)
