"""show rules: what is used, what is not, and what is too young to tell, from the series of an archive."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path as File

import pytest

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from controller.analysis import Analysis
from controller.network import Network
from controller.telemetry.archive import Archive, Series
from controller.telemetry.board import Latest
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.path import Path
from tests.unit.analysis.office import PROD, network
from tests.unit.shell.pretend import PretendContext
from views.json import document
from views.models import Lines, Table
from views.render import Screen, render

OUT = "set enterprise acme domain prod egress-policy p entry"
DAY = 86_400.0
LOOK = 8  # hours that one look of the pretended past counts
RULES = f"""
{OUT} 10 to zone web action allow
{OUT} 20 to zone app action allow
{OUT} 30 to zone db action allow
{OUT} 40 to vport db-1 protocol tcp action deny
"""
"""10 was met yesterday, 20 never in 40 days, 30 is of today; 40 is behind 30."""


class PretendTelemetry:
    """Telemetry whose archive is a real one, and whose memory is what was told last."""

    def __init__(self, file: File) -> None:
        self.archive = Archive(file)
        self.archive.open()
        self.seen: dict[SeriesKey, Latest] = {}
        self.reads = 0

    def latest(self, key: SeriesKey) -> Latest | None:
        return self.seen.get(key)

    async def series_of_many(
        self, keys: Sequence[SeriesKey], measures: Sequence[Measure], since: float, until: float, points: int = 200
    ) -> Mapping[SeriesKey, Series]:
        self.reads += 1
        return self.archive.read_together(keys, measures, since, until, points)


def entry(number: int) -> Path:
    return (*PROD, "egress-policy", "p", "entry", str(number))


def key_of(where: Network, number: int) -> SeriesKey:
    found = where.running.get(entry(number))
    assert found is not None
    return SeriesKey(Level.RULE, found.uuid)


@pytest.fixture
def context(tmp_path: File) -> PretendContext:
    where = network(RULES)
    made = PretendContext(running=where.configured)
    told = PretendTelemetry(tmp_path / "statistics.db")
    made.fabric.analysis, made.fabric.telemetry = Analysis(where), told  # type: ignore[attr-defined]
    now = time.time()
    keys = {number: key_of(where, number) for number in (10, 20, 30, 40)}
    for hours in range(40 * 24, 0, -LOOK):
        known = [number for number in keys if number != 30 or hours == LOOK]
        hit = {10: {Measure.HIT_PACKETS: 36}} if hours == 24 + LOOK else {}
        counted: Mapping[SeriesKey, Mapping[Measure, int]] = {keys[number]: hit.get(number, {}) for number in known}
        told.archive.append(now - (hours - LOOK) * 3600, LOOK * 3600.0, counted)
    for number, key in keys.items():
        told.seen[key] = Latest(now, {Measure.HIT_PACKETS: 36} if number == 10 else {}, {Measure.HIT_PACKETS: 0.0})
    return made


async def run(context: PretendContext, line: str) -> object:
    command, arguments = parse(Mode.OPERATIONAL, lex(line).words, context, False)  # type: ignore[arg-type]
    return await command.handler(context, arguments)


async def rows(context: PretendContext, line: str) -> dict[str, dict[str, object]]:
    table = await run(context, line)
    assert isinstance(table, Table)
    names = [column.key for column in table.columns]
    return {str(row[names.index("rule")]): dict(zip(names, row, strict=True)) for row in table.rows}


async def test_hits_and_when_the_last_one_was(context: PretendContext) -> None:
    found = await rows(context, "show rules")
    assert list(found) == ["p/10", "p/20", "p/30", "p/40"]
    assert found["p/10"]["hits"] == 36 and found["p/20"]["hits"] == 0
    last, watched = found["p/10"]["last_hit"], found["p/20"]["watched"]
    assert isinstance(last, float) and abs(time.time() - DAY - last) < 7200
    assert isinstance(watched, float) and abs(time.time() - 40 * DAY - watched) < DAY
    assert found["p/20"]["last_hit"] is None


async def test_rules_that_are_watched_alike_are_read_together(context: PretendContext) -> None:
    await rows(context, "show rules")
    told = context.fabric.telemetry
    assert isinstance(told, PretendTelemetry)
    assert told.reads <= 10, "one by one it would be twice as often"


async def test_with_detail_a_narrow_terminal_has_a_line_for_every_value(context: PretendContext) -> None:
    table = await run(context, "show rules detail")
    assert isinstance(table, Table)
    lines = render(table, Screen(60, 24))
    assert any(line.startswith("Last hit ") for line in lines) and max(map(len, lines)) <= 60
    narrow = render(await run(context, "show rules"), Screen(80, 24))  # type: ignore[arg-type]
    assert not any("…" in line or "~" in line for line in narrow) and max(map(len, narrow)) <= 80


async def test_unused_is_what_was_watched_for_all_of_the_time(context: PretendContext) -> None:
    found = await rows(context, "show rules unused since 30d")
    assert {rule: str(row["finding"]).split(";")[0] for rule, row in found.items()} == {
        "p/20": "unused", "p/30": "new", "p/40": "unused",
    }  # fmt: skip
    assert set(await rows(context, "show rules unused since 1h")) == {"p/10", "p/20", "p/30", "p/40"}


async def test_the_lines_take_away_what_is_unused_and_not_what_is_new(context: PretendContext) -> None:
    lines = await run(context, "show rules unused since 30d removal")
    assert isinstance(lines, Lines)
    assert [line for line in lines.lines if not line.startswith("#")] == [
        f"delete {' '.join(entry(20))}", f"delete {' '.join(entry(40))}",
    ]  # fmt: skip
    context.own.apply_batch(lines.lines, "test")
    assert context.own.view.get(entry(20)) is None and context.own.view.get(entry(30)) is not None
    assert json.dumps(document(lines))


async def test_shadowed_needs_no_hits(context: PretendContext) -> None:
    assert set(await rows(context, "show rules shadowed")) == {"p/40"}
