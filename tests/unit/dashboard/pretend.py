"""A Source whose answers come from the real handlers, over a fixed network at a fixed time: what `show` says there."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from commands.language.lexer import lex, split_pipes
from commands.language.parse import parse
from commands.language.registry import Mode
from commands.show import flows_top as show_flows_top
from controller.events import Events, Kind
from controller.telemetry.keys import Level, Measure
from controller.topology import Standing, Topology
from data.access import EVERYTHING, Access
from data.configuration import Running
from data.store import HistoryEntry
from data.store.records import Receipt
from tests.unit.shell.pretend import PretendContext, PretendFabric, running
from views.models import Model, Stream
from views.render import Screen

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
CONFIGURATION = """
set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set dvrs hv3 tunnel-address 172.31.0.3
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod zone db subnet db1 prefix 10.1.3.0/24
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
set enterprise acme domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12
set enterprise acme domain prod vport db-1 subnet db1 mac 02:00:0a:01:03:15 address 10.1.3.21
set enterprise acme domain prod vport db-2 subnet db1 mac 02:00:0a:01:03:16 address 10.1.3.22
set enterprise umbrella domain lab zone z subnet s prefix 10.1.1.0/24
set enterprise umbrella domain lab vport web-1 subnet s mac 02:00:0a:01:01:0b address 10.1.1.11
"""
PLUGGED = (("acme/prod/web-1", "hv1", 1), ("acme/prod/web-2", "hv2", 1), ("acme/prod/db-1", "hv2", 2),
           ("umbrella/lab/web-1", "hv1", 2))  # fmt: skip
MEGABIT = 125_000.0  # bytes per second


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is always NOW, in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: NOW)
    numbers = itertools.count(1)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(numbers)))
    monkeypatch.setattr(show_flows_top, "APART", 0.0)
    monkeypatch.setattr(show_flows_top, "time", SimpleNamespace(monotonic=lambda: 0.0))


class Network(PretendFabric):
    """Three hypervisors, one of them away; five vports, one unresolved; traffic, events, three revisions."""

    def __init__(self, state: Running) -> None:
        super().__init__(state)
        self.at = NOW - 7200
        self.events = Events(lambda: self.at)
        self.topology = Topology(self.events, lambda: self.at)
        self.agents = SimpleNamespace(connected=list)
        for name in state.children((), "dvrs"):
            self.topology.configure(name, name, getattr(state.get(("dvrs", name)), "tunnel_address", ""))
        for name in ("hv1", "hv2"):
            self.topology.stand(name, Standing.READY, "")
        self.at = NOW - 3600
        for vport, dvrs, port in PLUGGED:
            self.topology.appear(dvrs, f"tap{port}", vport, port)
            self.events.add(Kind.VPORT, f"{vport} up on {dvrs}, port {port}, 4 ms")
        self.at = NOW - 90
        self.topology.stand("hv3", Standing.AWAY, "OpenFlow is closed by the other end")
        self.events.add(Kind.COMMIT, "revision 3 by ops")
        self.at = NOW
        self._count()

    def _count(self) -> None:
        sums: dict[tuple[Level, str], float] = {}
        for number, (vport, dvrs, _) in enumerate(PLUGGED, 1):
            path = self.running.vport_by_name(vport)
            assert path is not None
            body = self.running.get(path)
            assert body is not None
            self._see(Level.VPORT, body.uuid, number * MEGABIT)
            sums[Level.DVRS, dvrs] = sums.get((Level.DVRS, dvrs), 0) + number * MEGABIT
            tenant = self.running.get(path[:2])
            assert tenant is not None
            sums[Level.ENTERPRISE, tenant.uuid] = sums.get((Level.ENTERPRISE, tenant.uuid), 0) + number * MEGABIT
        for (level, name), rate in sums.items():
            self._see(level, name, rate)

    def _see(self, level: Level, name: str, rate: float) -> None:
        ways = {Measure.SENDS_BYTES: 1.0, Measure.GETS_BYTES: 0.5, Measure.SENDS_PACKETS: 0.001}
        rates = {measure: rate * share for measure, share in ways.items()}
        totals = {measure: int(value * 3600) for measure, value in rates.items()}
        if level is Level.DVRS:
            totals[Measure.FLOWS] = 911 if name == "hv1" else 804
        key = self.telemetry.count(level, name, totals, rates)
        for measure, value in rates.items():
            wave = tuple(value * (1 + at % 5) / 5 for at in range(20))
            self.telemetry.trends[key, measure] = wave

    async def flow_count(self, dvrs: str) -> int:
        return 0

    async def flows(self, dvrs: str, table: int = 255) -> list[Any]:
        return []

    def explain(self, cookie: int) -> None:
        return None

    async def last_changes(self, paths: object) -> dict[Any, Any]:
        return {}

    async def history(self, limit: int, newest: int | None = None) -> list[HistoryEntry]:
        receipts = (Receipt("hv1", "verified", 2, 0, 4.0, NOW - 89), Receipt("hv3", "pending", 0, 0, 0.0, NOW - 89))
        found = [
            HistoryEntry(3, "ops", NOW - 90, "let the app tier in", "applied", "", receipts),
            HistoryEntry(2, "eve", NOW - 5000, "", "applied", "", receipts[:1]),
            HistoryEntry(1, "ops", NOW - 9000, "first", "applied"),
        ]
        return [one for one in found if newest is None or one.number <= newest][:limit]


class PretendSource:
    """The answers of handlers as the user with this access gets them. `asked` is what was asked, `models` the last
    answers, `typed` what was typed behind `:`."""

    user = "ops"
    hostname = "nsh1"

    def __init__(self, screen: Screen, access: Access = EVERYTHING, configuration: str = CONFIGURATION) -> None:
        self.screen = screen
        state = running(configuration)
        self.context = PretendContext(running=state, access=access)
        self.context.fabric = Network(state)
        self.asked: list[str] = []
        self.models: dict[str, Model] = {}
        self.typed: list[str] = []
        self.instead: dict[str, Any] = {}
        """Line -> what is answered in place of the handler: a model, or an error that is raised."""
        self.answer: Callable[[str, Callable[[str], None]], Any] | None = None

    async def ready(self) -> None:
        await asyncio.sleep(0)

    async def ask(self, line: str) -> Model:
        self.asked.append(line)
        if line in self.instead:
            answer = self.instead[line]
            if isinstance(answer, Exception):
                raise answer
            model = cast("Model", answer)
        else:
            model = await self._handled(line)
        self.models[line] = model
        return model

    async def _handled(self, line: str) -> Any:
        command, arguments = parse(Mode.OPERATIONAL, split_pipes(lex(line).words)[0], cast("Any", self.context), False)
        return await command.handler(self.context, arguments)

    async def follow(self, line: str) -> AsyncIterator[Model]:
        self.asked.append(line)
        stream = await self._handled(line)
        assert isinstance(stream, Stream)
        async for part in stream.parts():
            yield part

    def prompt(self) -> str:
        return "ops@nsh1> "

    def complete(self, text: str) -> tuple[str, Sequence[str]]:
        return ("ow ", ()) if text == "sh" else ("", ("  events", "  vports"))

    def explain(self, text: str) -> Sequence[str] | None:
        return None if text.count('"') % 2 else ("  <enter>   that is all",)

    async def run(self, line: str, write: Callable[[str], None], draw: Callable[[Sequence[str]], None]) -> bool:
        self.typed.append(line)
        if self.answer is not None:
            await self.answer(line, write)
        else:
            write(f"done: {line}\n")
        return line != "exit"
