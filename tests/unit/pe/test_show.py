"""What is shown of PE routers, and that who is confined sees none of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands.language.registry import Arguments, Mode, commands
from commands.show import pe as show_pe
from tests.unit.controller.wan_bench import CHANGE, WanBench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[WanBench]:
    bench = WanBench(tmp_path)
    await bench.begin()
    yield bench
    await bench.pe.stop()
    await bench.commits.stop()
    bench.store.close()


def asked(bench: WanBench) -> Any:
    return SimpleNamespace(fabric=SimpleNamespace(pe=bench.pe))


R1 = Arguments({"pe": "r1"}, frozenset())


async def test_the_summary_has_a_line_for_each_router_and_says_what_it_owes(bench: WanBench) -> None:
    bench.devices["r2"].there = False
    await bench.commit(CHANGE)
    table = await show_pe.show_pe(asked(bench), Arguments({}, frozenset()))
    rows = {row[0]: row for row in table.rows}  # type: ignore[union-attr]
    assert rows["r1"][1:5] == ("in sync", "junos", "r1", 1) and rows["r1"][6] is None
    assert rows["r2"][1] == "pending" and "hunter2" not in str(rows["r2"][6])


async def test_facts_and_differences_are_asked_of_the_router_itself(bench: WanBench) -> None:
    facts = await show_pe.show_facts(asked(bench), R1)
    assert ("vendor", "Fake") in facts.rows and ("uptime", None) in facts.rows
    same = await show_pe.show_difference(asked(bench), R1)
    assert same.lines == ["r1 holds what is committed"] and same.document == {"pe": "r1", "diff": []}
    bench.devices["r1"].lines.clear()
    lines = (await show_pe.show_difference(asked(bench), R1)).lines
    assert any(line.startswith("+protocols bgp") for line in lines)
    await show_pe.repair(asked(bench), R1)
    assert (await show_pe.show_difference(asked(bench), R1)).document == {"pe": "r1", "diff": []}


async def test_neighbors_are_shown_by_address_family() -> None:
    found = {"global": {"router_id": "1.1.1.1", "peers": {"192.0.2.1": {
        "remote_as": 65000, "is_up": True, "uptime": 5,
        "address_family": {"vpnv4": {"received_prefixes": 3, "accepted_prefixes": 2, "sent_prefixes": -1}},
    }}}}  # fmt: skip

    async def ask(name: str, getter: str) -> Any:
        return found

    context: Any = SimpleNamespace(fabric=SimpleNamespace(pe=SimpleNamespace(ask=ask)))
    table = await show_pe.show_bgp(context, R1)
    assert list(table.rows) == [("global", "192.0.2.1", 65000, "up", 5, "vpnv4", 3, 2, None)]


def test_nobody_who_is_confined_may_use_any_of_it() -> None:
    mine = [one for one in commands(Mode.OPERATIONAL) if one.handler.__module__ == "commands.show.pe"]
    assert len(mine) == 6 and not any(one.confined for one in mine)
    assert [one.permission for one in mine if one.grammar.startswith("request")] == ["request"]
