"""show fabric and show topology: what they say of a network of which something is not well."""

from __future__ import annotations

import time
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from controller.telemetry.keys import Level, Measure
from controller.topology import Interface, Standing
from controller.underlay.endpoints import Endpoint, Reachability
from data.access import Access
from data.path import Path
from nshell.sessions.confined import facade
from tests.unit.statistics.test_show_statistics import GETS, SENDS, WEB_1, Shop
from views.json import document
from views.render import Screen, render


class Site(Shop):
    """hv1 is ready with two machines, hv2 away; of two neighbours one is down; a router is not in sync."""

    def __post_init__(self) -> None:
        super().__post_init__()
        fabric: Any = self.fabric
        fabric.topology.stand("hv1", Standing.READY, "")
        fabric.topology.restore(
            [
                Interface("hv1", "tap1", "acme/prod/web-1", 1, 0.0, 1),
                Interface("hv1", "tap2", "acme/prod/web-2", 2, 0.0, 2),
            ]
        )
        neighbours = [
            SimpleNamespace(name="pe1", address="192.0.2.1", state="established"),
            SimpleNamespace(name="vtep", address="192.0.2.9", state="idle"),
        ]
        fabric.bgp = SimpleNamespace(views=SimpleNamespace(neighbours=lambda: neighbours))
        fabric.pe = SimpleNamespace(all=lambda: [SimpleNamespace(name="pe1", state="pending")])
        ends = [("172.31.0.1", "dvrs hv1"), ("192.0.2.1", "pe pe1"), ("192.0.2.9", "next hop of bgp routes")]
        fabric.underlay = SimpleNamespace(
            endpoints=[Endpoint(ip_address(at), who, Reachability.REACHABLE, 0.0) for at, who in ends]
        )
        self.telemetry.count(Level.DVRS, "hv1", {SENDS: 9, Measure.FLOWS: 120}, {SENDS: 2_000.0, GETS: 125_000.0})
        self.telemetry.count(Level.TUNNEL, "hv1>192.0.2.1", {SENDS: 5_000_000}, {SENDS: 125_000.0})
        self.telemetry.trends[next(iter(self.telemetry.all_latest(Level.DVRS))), SENDS] = (1.0, 3.0)


@pytest.fixture
def site() -> Site:
    return Site()


async def test_what_is_not_well_is_named_in_one_look(site: Site) -> None:
    model = await site.ask("show fabric")
    facts: Any = document(model)
    assert facts["dvrs"] == {"up": 1, "away": 1, "unknown": 0, "unwell": ["hv2"]}
    assert facts["vports"] == {"up": 2, "unresolved": 1, "unwell": ["umbrella/lab/web-1"]}
    assert facts["bgp"] == {"up": 1, "down": 1, "unwell": ["vtep"]}
    assert facts["pe"] == {"in sync": 0, "pending": 1, "unwell": ["pe1"]}
    assert facts["flows"] == 120 and facts["drift"] == {"differ": 0, "repaired": 0}
    assert facts["traffic"] == {"sends": 16_000.0, "sends_trend": [8.0, 24.0], "gets": 1_000_000.0, "gets_trend": []}
    assert [one["vport"] for one in facts["top"]] == ["acme/prod/web-2", "acme/prod/web-1"]
    lines = render(model, Screen(columns=80))
    assert "  bgp       1 up   1 down   (vtep)" in lines
    assert "  traffic   sends 16.0 kb/s   ▃█   gets 1.0 Mb/s" in lines
    assert max(map(len, lines)) <= 80


async def test_a_commit_that_waits_to_be_confirmed_is_told(site: Site) -> None:
    fabric: Any = site.fabric
    fabric.waiting = (1, time.time() + 271)

    async def history(limit: int, number: int | None = None) -> list[Any]:
        return [SimpleNamespace(number=1, time=time.time() - 120, author="ops")]

    fabric.history = history
    text = "\n".join(render(await site.ask("show fabric"), Screen()))
    assert "revision  1 running   committed 00:02:00 ago   author ops   unconfirmed until " in text


async def test_a_tenant_sees_its_vports_and_nothing_of_the_network(site: Site) -> None:
    site.access = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))
    site.count(Level.ENTERPRISE, ("enterprise", "acme"), {}, {SENDS: 10.0})
    site.count(Level.ENTERPRISE, ("enterprise", "umbrella"), {}, {SENDS: 10_000.0})
    whole: Any = site.fabric

    async def lives(path: Path) -> list[Any]:
        return []

    whole.lives = lives
    site.fabric = facade(whole, site.access)  # type: ignore[assignment]
    facts: Any = document(await site.ask("show fabric"))
    assert set(facts) == {"revision", "vports", "traffic", "top"}
    assert facts["vports"] == {"up": 2, "unresolved": 0}
    assert facts["traffic"]["sends"] == 80.0


async def test_a_map_can_be_drawn_of_the_topology(site: Site) -> None:
    model = await site.ask("show topology")
    lines = render(model, Screen(columns=80))
    assert lines[1].startswith("├── hv1   ready") and lines[1].endswith("tunnel 172.31.0.1")
    assert lines[2:6] == [
        "│   ├── port 1   acme/prod/web-1   tap1",
        "│   ├── port 2   acme/prod/web-2   tap2",
        "│   ├── to pe1    1.0 Mb/s   5.0 MB in all",
        "│   └── to hv2    8.0 kb/s   7.0 kB in all",
    ]
    assert lines[-3:-1] == [
        "├── pe1   PE router, pending   tunnel 192.0.2.1   reachable",
        "└── 192.0.2.9   bgp-neighbor vtep   reachable",
    ]
    whole: Any = document(model)
    names = {one["name"] for one in (*whole["hypervisors"], *whole["ends"])}
    assert {(one["from"], one["to"], one["rate"]) for one in whole["tunnels"]} == {
        ("hv1", "pe1", 1_000_000.0),
        ("hv1", "hv2", 8_000.0),
    }
    assert all(one["from"] in names and one["to"] in names for one in whole["tunnels"])
    assert WEB_1[-1] in str(whole["hypervisors"])
