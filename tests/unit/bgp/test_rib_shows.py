"""show bgp …: what an operator reads, with the reasons."""

from __future__ import annotations

import pytest

from controller.bgp.rib.views import Views
from controller.bgp.speaker.backend import Refused
from data.errors import CommandFailed, NothingThere
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
