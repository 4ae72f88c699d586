"""show bgp …: what an operator reads, with the reasons."""

from __future__ import annotations

import pytest

from commands.show import bgp as show_bgp
from controller.bgp.bfd import Bfd, BfdStanding
from controller.bgp.rib.views import Views
from controller.bgp.speaker.backend import Down, Refused
from data.errors import CommandFailed, NothingThere
from data.steps import at_once
from tests.unit.bgp.rib_model import Fabric, mac, neighbour, settings, site, vpn
from tests.unit.shell.pretend import PretendContext
from tests.unit.shell.test_commands import cells, run
from views.models import Document, Lines, Several, Table

FAR = "02:00:00:00:00:42"


class Service:
    """What the fabric has as `bgp`."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.views = Views(fabric.rib, fabric.beneath)
        self.bfd = Bfd(lambda name, reason: None, lambda kind, text: None)
        self.reset_: list[str] = []

    def epoch(self, clock: float) -> float:
        return clock + 1_700_000_000

    async def reset(self, name: str) -> None:
        self.reset_.append(name)

    async def unfreeze(self) -> int:
        return len(self.views.frozen())


@pytest.fixture
def context() -> PretendContext:
    fabric = site(settings(neighbour("pe", "192.0.2.1"), neighbour("pe2", "192.0.2.2", 65002)))
    fabric.up("pe", "pe2")
    fabric.hears("pe", vpn("10.9.0.0/16"), mac(FAR, "10.1.1.42"), vpn("10.7.0.0/16", path=(65001, 65000)))
    fabric.hears("pe2", vpn("10.9.0.0/16", "192.0.2.2", path=(65002, 65001)), vpn("10.6.0.0/16", "192.0.2.2", "1:404"))
    fabric.events(Refused("pe2", "attribute ORIGIN has 2 bytes"))
    found = PretendContext()
    found.fabric.bgp = Service(fabric)  # type: ignore[attr-defined]
    return found


def test_the_summary_counts_what_each_neighbour_told_and_was_told(context: PretendContext) -> None:
    table = run(context, "show bgp summary")
    assert cells(table, "name") == ["pe", "pe2"]
    assert cells(table, "state") == ["established", "established"]
    assert cells(table, "received") == [3, 2]
    assert cells(table, "refused") == [1, 0]
    told = cells(run(context, "show bgp advertised pe"), "destination")
    assert cells(table, "advertised") == [len(told), len(told)] and told


def test_received_routes_say_why_they_are_not_taken(context: PretendContext) -> None:
    table = run(context, "show bgp received pe")
    said = dict(zip(cells(table, "destination"), cells(table, "standing"), strict=True))
    assert said == {
        "10.9.0.0/16": "best",
        f"{FAR} 10.1.1.42": "best",
        "10.7.0.0/16": "refused: AS loop: our own AS is in its path",
    }
    table = run(context, "show bgp received pe2 family vpnv4")
    said = dict(zip(cells(table, "destination"), cells(table, "standing"), strict=True))
    assert said == {
        "10.9.0.0/16": "lost: longer AS path",
        "10.6.0.0/16": "best, but not taken: no route target that we import",
    }
    assert cells(run(context, "show bgp received pe2 family evpn"), "destination") == []


def test_routes_show_ours_and_theirs_and_who_takes_them(context: PretendContext) -> None:
    table = run(context, "show bgp routes family evpn detail")
    rows = dict(zip(cells(table, "destination"), cells(table, "neighbor"), strict=True))
    assert rows[f"{FAR} 10.1.1.42"] == "pe" and rows["02:00:0a:01:01:0b 10.1.1.11"] == "ours"
    taken = dict(zip(cells(table, "destination"), cells(table, "taken_by"), strict=True))
    assert taken[f"{FAR} 10.1.1.42"] == "acme/prod/web1"
    assert set(cells(run(context, "show bgp routes"), "family")) == {"evpn", "vpnv4"}


def test_a_neighbour_in_full_says_what_could_not_be_read(context: PretendContext) -> None:
    found = run(context, "show bgp neighbors")
    assert isinstance(found, Several) and list(found.parts) == ["pe", "pe2"]
    one = found.parts["pe2"]
    assert isinstance(one, Document)
    assert one.facts["not_read"] == ["attribute ORIGIN has 2 bytes"]
    assert one.facts["state"] == "established" and one.facts["type"] == "external"


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ("prefix 10.9.0.0/16", {"10.9.0.0/16"}),
        ("prefix 10.6.0.0/15", {"10.6.0.0/16"}),
        (f"mac {FAR}", {f"{FAR} 10.1.1.42"}),
        ("prefix 10.1.1.42/32 family evpn", {f"{FAR} 10.1.1.42"}),
        ("prefix 2001:db8::/32", set()),
    ],
)
def test_routes_are_chosen_by_prefix_and_mac(context: PretendContext, chosen: str, shown: set[str]) -> None:
    assert set(cells(run(context, f"show bgp routes {chosen}"), "destination")) == shown


def test_routes_of_a_domain_are_those_that_it_takes_and_its_own(context: PretendContext) -> None:
    shown = set(cells(run(context, "show bgp routes enterprise acme domain prod"), "destination"))
    assert {"10.9.0.0/16", f"{FAR} 10.1.1.42"} <= shown and "10.6.0.0/16" not in shown
    table = run(context, "show bgp routes enterprise acme domain prod")
    assert {"pe", "pe2", "ours"} == set(cells(table, "neighbor"))
    with pytest.raises(NothingThere):
        run(context, "show bgp routes enterprise acme domain nowhere")


def test_what_one_neighbour_told_and_is_told_is_chosen_alike(context: PretendContext) -> None:
    assert cells(run(context, "show bgp received pe prefix 10.7.0.0/16"), "destination") == ["10.7.0.0/16"]
    assert cells(run(context, f"show bgp received pe2 mac {FAR}"), "destination") == []
    told = cells(run(context, "show bgp advertised pe family evpn mac 02:00:0a:01:01:0b"), "destination")
    assert told and all(str(one).startswith("02:00:0a:01:01:0b") for one in told)


def test_routes_that_go_while_they_are_shown_do_no_harm(context: PretendContext) -> None:
    service = context.fabric.bgp  # type: ignore[attr-defined]
    shown = [service.views.routes(), service.views.received("pe"), service.views.received("pe2")]
    for steps in shown:
        next(steps)
    service.fabric.events(*(Down(name, "gone", graceful=False) for name in ("pe", "pe2")))
    for steps in shown:
        found = at_once(steps)
        assert all(one.neighbour in ("ours", "pe", "pe2") for one in found)


def test_only_so_many_rows_are_shown_and_the_table_says_how_to_see_others(
    context: PretendContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show_bgp, "ROWS", 2)
    table = run(context, "show bgp routes")
    assert isinstance(table, Table) and len(table.rows) == 2
    assert "only the first 2" in table.summary and "prefix" in table.summary


def test_bfd_stands_beside_the_session_that_it_watches(context: PretendContext) -> None:
    service = context.fabric.bgp  # type: ignore[attr-defined]
    service.bfd.standing["pe"] = BfdStanding("down", 1.0, "the path is down")
    facts = run(context, "show bgp neighbors pe").facts  # type: ignore[union-attr]
    assert (facts["bfd"], facts["bfd_reason"]) == ("down", "the path is down")
    assert "bfd" not in run(context, "show bgp neighbors pe2").facts  # type: ignore[union-attr]


def test_it_is_all_json_too(context: PretendContext) -> None:
    shown = run(context, "show bgp received pe | display json")
    assert isinstance(shown, Lines)
    assert any("AS loop" in line for line in shown.lines)


def test_without_bgp_the_command_says_how_to_begin() -> None:
    context = PretendContext()
    context.fabric.bgp = None  # type: ignore[attr-defined]
    with pytest.raises(CommandFailed) as raised:
        run(context, "show bgp summary")
    assert "set bgp autonomous-system" in str(raised.value)


def test_a_neighbour_that_is_not_there_is_said_with_those_that_are(context: PretendContext) -> None:
    with pytest.raises(NothingThere) as raised:
        run(context, "show bgp received nobody")
    assert "pe, pe2" in str(raised.value)


def test_a_session_is_reset_by_name(context: PretendContext) -> None:
    run(context, "request bgp-neighbor pe reset")
    assert context.fabric.bgp.reset_ == ["pe"]  # type: ignore[attr-defined]


def test_duplicate_addresses_are_listed_and_cleared(context: PretendContext) -> None:
    from tests.unit.bgp.test_rib_mobility import storm

    fabric = context.fabric.bgp.fabric  # type: ignore[attr-defined]
    storm(fabric, 5)
    table = run(context, "show bgp duplicates")
    assert isinstance(table, Table)
    assert cells(table, "mac") == ["02:00:0a:01:01:0b"]
    assert run(context, "request bgp duplicates clear").document == {"addresses": 1}  # type: ignore[union-attr]
