"""show statistics, graph and monitor statistics over telemetry whose numbers are known."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.access import Access
from data.errors import CommandFailed, NothingThere, NotPermitted, SyntaxProblem
from nshell.sessions.confined import facade
from tests.unit.shell.pretend import PretendContext
from tests.unit.statistics.fake_telemetry import FakeTelemetry
from views.graph import Graph
from views.json import document
from views.models import Document, Model, Stream, Table
from views.render import Screen, render

PROD = ("enterprise", "acme", "domain", "prod")
WEB_1, WEB_2 = (*PROD, "vport", "web-1"), (*PROD, "vport", "web-2")
OTHER = ("enterprise", "umbrella", "domain", "lab", "vport", "web-1")
RULE = (*PROD, "ingress-policy", "base", "entry", "10")
SENDS, GETS = Measure.SENDS_BYTES, Measure.GETS_BYTES


class Shop(PretendContext):
    """Two busy vports and an idle one, a rule, tunnels, a neighbour and a router."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.count(Level.VPORT, WEB_1, {SENDS: 4_000_000, GETS: 900, Measure.DENIED_PACKETS: 3}, {SENDS: 125.0})
        self.count(Level.VPORT, WEB_2, {SENDS: 10, GETS: 2_000_000_000}, {SENDS: 1.0, GETS: 400_000.0})
        self.count(Level.VPORT, OTHER, {SENDS: 5_000_000}, {})
        self.count(Level.RULE, RULE, {Measure.HIT_PACKETS: 12, Measure.HIT_BYTES: 900}, {Measure.HIT_PACKETS: 0.5})
        tell = self.telemetry.count
        tell(Level.TUNNEL, "hv1>hv2", {SENDS: 7_000}, {SENDS: 1_000.0})
        tell(Level.PE, "pe1/eth0", {SENDS: 10, GETS: 20}, {SENDS: 1.0, GETS: 2.0})
        tell(Level.PE, "pe1/eth1", {SENDS: 30, GETS: 40}, {SENDS: 3.0, GETS: 4.0})
        tell(Level.DVRS, "hv1", {SENDS: 9, Measure.FLOWS: 120}, {SENDS: 1.0})

    @property
    def telemetry(self) -> FakeTelemetry:
        return self.fabric.telemetry

    def key(self, level: Level, path: tuple[str, ...]) -> SeriesKey:
        body = self.running.get(path)
        assert body is not None
        return SeriesKey(level, body.uuid)

    def count(
        self, level: Level, path: tuple[str, ...], totals: Mapping[Measure, int], rates: Mapping[Measure, float]
    ) -> None:
        self.telemetry.count(level, self.key(level, path).name, totals, rates)

    async def ask(self, line: str) -> Any:
        command, arguments = parse(Mode.OPERATIONAL, lex(line).words, self, False)
        return await command.handler(self, arguments)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def rows(model: Model) -> list[dict[str, Any]]:
    return document(model)["rows"]  # type: ignore[index]


async def test_vports_stand_with_the_busiest_first_and_rates_in_bits(shop: Shop) -> None:
    table = await shop.ask("show statistics vports")
    found = rows(table)
    assert [row["name"] for row in found] == ["acme/prod/web-2", "acme/prod/web-1", "umbrella/lab/web-1"]
    assert (found[1]["sends"], found[1]["sent"], found[1]["dropped"]) == (1000.0, 4_000_000, 3)
    assert found[0]["gets"] == 3_200_000.0 and found[0]["got"] == 2_000_000_000
    assert found[2]["sends"] is None and found[2]["sent"] == 5_000_000, "no rate is known of it, but what it sent"
    text = "\n".join(render(table, Screen(columns=80)))
    assert "3.2 Mb/s" in text and "2.0 GB" in text


async def test_a_place_and_a_number_narrow_them_down(shop: Shop) -> None:
    assert [row["name"] for row in rows(await shop.ask("show statistics vports enterprise umbrella"))] == [
        "umbrella/lab/web-1"
    ]
    table = await shop.ask("show statistics vports enterprise acme domain prod top 1")
    assert len(table.rows) == 1 and "1 more are less busy" in table.detail
    with pytest.raises(NothingThere, match="there is no enterprise nobody"):
        await shop.ask("show statistics vports enterprise nobody")


async def test_what_is_gone_from_the_configuration_is_left_out(shop: Shop) -> None:
    shop.telemetry.count(Level.VPORT, "00000000-0000-0000-0000-000000000000", {SENDS: 1}, {})
    assert len(rows(await shop.ask("show statistics vports"))) == 3


async def test_the_past_comes_from_the_archive(shop: Shop) -> None:
    web_1 = shop.key(Level.VPORT, WEB_1)
    shop.telemetry.past = lambda key, measure, at: 1000.0 if (key, measure) == (web_1, SENDS) else None
    found = rows(await shop.ask("show statistics vports since 2h"))
    assert found[0]["name"] == "acme/prod/web-1"
    assert found[0]["sends"] == 8000.0 and found[0]["sent"] == pytest.approx(7_200_000, rel=1e-6)
    assert found[1]["sends"] is None and found[1]["sent"] is None, "nothing is known of it in that time"
    assert {until - since for _, since, until, _ in shop.telemetry.asked} == {7200.0}


async def test_totals_of_the_past_are_added_up_for_those_that_are_shown(shop: Shop) -> None:
    shop.telemetry.past = lambda key, measure, at: 1000.0 if measure is SENDS else None
    table = await shop.ask("show statistics vports since 2h top 1")
    assert "2 more are less busy" in table.detail and rows(table)[0]["sent"] == pytest.approx(7_200_000, rel=1e-6)
    assert len(shop.telemetry.asked) == 3 + 1, "the archive is asked for the course of all, and for one total"


async def test_a_table_that_takes_long_says_how_far_it_is_to_who_waits_for_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.statistics.show.PROGRESS", 1e-9)
    for shop.interactive, said in ((True, ["1 of 3 read", "2 of 3 read"]), (False, [])):
        shop.notes.clear()
        await shop.ask("show statistics vports since 2h")
        assert shop.notes == said


async def test_of_one_object_every_measure_is_told(shop: Shop) -> None:
    shop.telemetry.past = lambda key, measure, at: None if measure is not SENDS else 100.0 if at % 600 < 300 else 300.0
    table = await shop.ask("show statistics vport web-1 enterprise acme")
    assert table.title == "Statistics of vport acme/prod/web-1" and table.note == "the last hour"
    by_name = {row["measure"]: row for row in rows(table)}
    sends = by_name["sends bytes"]
    assert sends["total"] == 4_000_000 and sends["now"] == 1000.0
    assert (sends["least"], sends["most"]) == (800.0, 2400.0) and 800.0 < sends["mean"] < 2400.0
    assert len(sends["trend"]) == 12
    assert by_name["denied packets"]["total"] == 3 and by_name["denied packets"]["mean"] is None
    past = {row["measure"]: row for row in rows(await shop.ask("show statistics vport acme/prod/web-1 since 1d"))}
    assert past["sends bytes"]["total"] == pytest.approx(200 * 86_400, rel=0.1)


@pytest.mark.parametrize(
    "words", ["subnet web1 enterprise nope", "domain prod enterprise nope", "enterprise nope domain prod"]
)
async def test_an_enterprise_that_is_not_there_is_what_the_error_is_about(shop: Shop, words: str) -> None:
    with pytest.raises(NothingThere) as failed:
        await shop.ask(f"show statistics {words}")
    assert failed.value.where == "enterprise nope" and "acme" in failed.value.remedy


async def test_least_and_most_are_those_of_single_looks_and_of_now(shop: Shop) -> None:
    begun = time.time() - 3600

    def past(key: SeriesKey, measure: Measure, at: float) -> float | None:
        if measure is not SENDS or at < begun + 1800:
            return None
        return 500.0 if begun + 1830 <= at < begun + 1840 else 150.0

    shop.telemetry.past = past
    for words, least in (("", 1000.0), (" since 1h", 1000.0), (" since 1h until 1m", 1200.0)):
        table = await shop.ask(f"show statistics vport acme/prod/web-1{words}")
        sends = {row["measure"]: row for row in rows(table)}["sends bytes"]
        assert sends["most"] == 4000.0, "ten seconds of an hour, between two of its greater parts"
        assert sends["least"] == least and sends["now"] == 1000.0, "now is part of what goes on until now"
        assert sends["trend"][:6] == [None] * 6 and 1200.0 < sends["trend"][6] < 4000.0
        assert sends["trend"][7:] == [1200.0] * 5


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("vport acme/prod/web-1", "vport acme/prod/web-1"),
        ("subnet web1 enterprise acme domain prod", "subnet acme/prod/web1"),
        ("subnet app1", "subnet acme/prod/app1"),
        ("zone app", "zone acme/prod/app"),
        ("domain prod", "domain acme/prod"),
        ("enterprise acme domain prod", "domain acme/prod"),
        ("enterprise acme domain prod zone web", "zone acme/prod/web"),
        ("enterprise acme", "enterprise acme"),
        ("rule acme/prod/ingress/base/10", "rule acme/prod/ingress/base/10"),
        ("rule base/10", "rule acme/prod/ingress/base/10"),
        ("dvrs hv2", "dvrs hv2"),
        ("tunnel hv1>hv2", "tunnel hv1>hv2"),
        ("pe pe1", "pe pe1"),
        ("pe pe1/eth1", "pe pe1/eth1"),
        ("subnet acme/prod/web1", "subnet acme/prod/web1"),
        ("zone acme/prod/web", "zone acme/prod/web"),
        ("domain acme/prod", "domain acme/prod"),
        ("subnet acme/prod/web1 enterprise acme", "subnet acme/prod/web1"),
    ],
)
async def test_an_object_is_named_as_elsewhere(shop: Shop, words: str, title: str) -> None:
    assert (await shop.ask(f"show statistics {words}")).title == f"Statistics of {title}"


async def test_a_router_is_the_sum_of_its_interfaces(shop: Shop) -> None:
    found = {row["measure"]: row for row in rows(await shop.ask("show statistics pe pe1"))}
    assert (found["sends bytes"]["total"], found["gets bytes"]["now"]) == (40, 48.0)


async def test_a_name_that_several_have_is_refused_with_what_to_type(shop: Shop) -> None:
    with pytest.raises(CommandFailed, match=r"acme/prod/web-1, umbrella/lab/web-1(.|\n)*names in full"):
        await shop.ask("show statistics vport web-1")
    with pytest.raises(NothingThere, match="there is no zone nowhere"):
        await shop.ask("show statistics zone nowhere")
    for other in ("subnet umbrella/prod/web1", "subnet prod/web1", "subnet acme/prod/web1 enterprise umbrella"):
        with pytest.raises(NothingThere, match="there is no subnet"):
            await shop.ask(f"show statistics {other}")
    with pytest.raises(NothingThere, match="nothing was counted"):
        await shop.ask("show statistics tunnel hv2>hv9")


async def test_a_period_that_has_not_begun_is_refused(shop: Shop) -> None:
    with pytest.raises(CommandFailed, match="still to come"):
        await shop.ask("show statistics vport acme/prod/web-1 since 2999-12-31")


async def test_a_period_that_ends_before_it_begins_is_refused(shop: Shop) -> None:
    with pytest.raises(CommandFailed, match="ends before it begins"):
        await shop.ask("graph throughput vport acme/prod/web-1 since 1h until 2h")
    with pytest.raises(SyntaxProblem, match="'yesterday' is not a time"):
        await shop.ask("graph throughput vport acme/prod/web-1 since yesterday")


async def test_the_storage_is_told(shop: Shop) -> None:
    model = await shop.ask("show statistics storage")
    assert isinstance(model, Document)
    assert "52.4 MB" in "\n".join(render(model, Screen()))
    assert document(model)["series"] == 312  # type: ignore[index]


async def test_nothing_is_shown_as_counted_when_telemetry_is_disabled() -> None:
    off = Shop()
    off.telemetry.enabled = False
    with pytest.raises(CommandFailed, match=r"counters are not read(.|\n)*delete telemetry disabled"):
        await off.ask("show statistics vports")


async def test_a_graph_has_the_values_of_the_archive_in_bits_and_its_gaps(shop: Shop) -> None:
    middle = time.time() - 1800
    shop.telemetry.past = lambda key, measure, at: None if at < middle else 1000.0 if measure is SENDS else 10.0
    graph = await shop.ask("graph throughput vport acme/prod/web-1")
    assert isinstance(graph, Graph)
    assert (graph.title, graph.unit) == ("Throughput of vport acme/prod/web-1", "bit/s")
    assert [line.label for line in graph.lines] == ["sends", "gets"]
    sends = graph.lines[0].values
    assert set(sends) == {None, 8000.0} and sends.index(8000.0) == pytest.approx(len(sends) / 2, abs=2)
    assert graph.step * len(sends) == pytest.approx(3600)


async def test_of_an_hour_of_which_little_is_known_that_is_drawn_and_said(shop: Shop) -> None:
    begun = time.time() - 300
    shop.telemetry.past = lambda key, measure, at: None if at < begun else 1000.0
    graph = await shop.ask("graph throughput vport acme/prod/web-1")
    assert isinstance(graph, Graph)
    assert graph.step * len(graph.lines[0].values) == pytest.approx(300, abs=20)
    assert graph.note == f"the last hour, known since {time.strftime('%H:%M:%S', time.localtime(graph.since))}"
    begun = time.time() - 40
    graph = await shop.ask("graph throughput vport acme/prod/web-1")
    assert isinstance(graph, Graph)
    assert graph.step * len(graph.lines[0].values) == pytest.approx(120, abs=20), "a moment is no graph"
    asked = await shop.ask("graph throughput vport acme/prod/web-1 since 1h")
    assert isinstance(asked, Graph)
    assert asked.step * len(asked.lines[0].values) == pytest.approx(3600), "what is asked for is drawn whole"
    shop.telemetry.past = lambda key, measure, at: None
    graph = await shop.ask("graph throughput vport acme/prod/web-1")
    assert isinstance(graph, Graph) and graph.note == "the last hour"


async def test_a_graph_of_what_an_object_has_not_says_what_it_has(shop: Shop) -> None:
    with pytest.raises(CommandFailed, match=r"a vport has no hits(.|\n)*throughput, packets, drops"):
        await shop.ask("graph hits vport acme/prod/web-1")
    graph = await shop.ask("graph hits rule base/10 since 2h until 1h")
    assert graph.unit == "packet/s" and shop.telemetry.asked[-1][2] - shop.telemetry.asked[-1][1] == 3600


async def test_a_monitor_makes_telemetry_look_and_draws_what_show_says(shop: Shop) -> None:
    for line in ("monitor statistics vports", "monitor vports"):
        shop.telemetry.looks = 0
        stream = await shop.ask(f"{line} interval 1 times 2")
        assert isinstance(stream, Stream) and stream.redraws
        drawn = [model async for model in stream.parts()]
        assert shop.telemetry.looks == 2 and len(drawn) == 2
        assert all(isinstance(model, Table) and model.rows[0][0] == "acme/prod/web-2" for model in drawn)


class Tenant(Shop):
    """The same, for the administrator of acme."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.whole = self.fabric
        self.access = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))
        self.fabric = facade(self.whole, self.access)  # type: ignore[arg-type,assignment]


async def test_a_tenant_sees_its_own_numbers_alone() -> None:
    tina = Tenant()
    assert [row["name"] for row in rows(await tina.ask("show statistics vports"))] == [
        "acme/prod/web-2",
        "acme/prod/web-1",
    ]
    assert (await tina.ask("show statistics vport web-1")).title == "Statistics of vport acme/prod/web-1"
    with pytest.raises(NothingThere, match="there is no"):
        await tina.ask("graph throughput vport umbrella/lab/web-1")
    with pytest.raises(NothingThere, match="there is no enterprise umbrella"):
        await tina.ask("graph throughput enterprise umbrella")


@pytest.mark.parametrize("word", ["dvrs", "tunnels", "bgp", "pe", "dvrs hv1", "tunnel hv1>hv2", "storage"])
async def test_a_tenant_sees_nothing_of_what_all_tenants_share(word: str) -> None:
    with pytest.raises(NotPermitted):
        await Tenant().ask(f"show statistics {word}")
