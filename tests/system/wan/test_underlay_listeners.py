"""Listening to real routers: what is seen of them, what follows for tunnel endpoints, and that nothing is told to them.

Every test runs against FRR's ospfd and isisd, four routers and a listener each (listened.py).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from controller.events import Events
from controller.underlay import listener
from controller.underlay.endpoints import Reachability
from controller.underlay.service import Underlay
from data.addresses import Ip
from tests.system.wan.listened import FAR, LISTENER, NEAR, ROUTERS, Listened, endpoint, until

DAMPING = "set underlay half-life 60 suppress 2500 reuse 2400 max-suppress 20"
"""Three losses within half a minute suppress, however slow the machine; 20 seconds later it is calm at the latest."""
REACHED, LOST = Reachability.REACHABLE, Reachability.LOST


@pytest.fixture(scope="module", params=["ospf", pytest.param("isis", marks=pytest.mark.soak)])
def lab(request: pytest.FixtureRequest) -> Iterator[Listened]:
    lab = Listened(request.param)
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture(autouse=True)
def _short_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 seconds before each test would be most of its time."""
    monkeypatch.setattr(listener, "SETTLE", 3.0)


@pytest.fixture
def events() -> Events:
    return Events()


@pytest_asyncio.fixture
async def underlay(lab: Listened, events: Events) -> AsyncIterator[Underlay]:
    """The service, when it has seen everything and believes the listener."""
    underlay = lab.underlay(events)
    await underlay.start()
    try:
        await complete(lab, underlay)
        yield underlay
    finally:
        await underlay.stop()


async def complete(lab: Listened, underlay: Underlay) -> None:
    routers = {lab.key(name) for name in ROUTERS}

    def whole() -> bool:
        pictures = underlay.topologies()
        if not pictures:
            return False
        topology = pictures[0].topology
        between = {(one.source, one.target) for links in topology.links.values() for one in links}
        ways = {(a, b) for a, b in between if a in routers and b in routers}
        return len(ways) == 8 and endpoint(underlay).state is REACHED and endpoint(underlay, NEAR).state is REACHED

    await until(whole, "the listener sees all routers")
    await until(lambda: not underlay.listeners["core"].settling, "the listener has settled")


def texts(events: Events) -> list[str]:
    return [event.text for event in events]


async def test_the_topology_is_that_of_the_routers(lab: Listened, underlay: Underlay) -> None:
    seen = underlay.topologies()[0]
    topology = seen.topology
    assert topology.own == lab.key(LISTENER)
    assert {node.key for node in topology.nodes.values() if not node.lan} == {
        lab.key(name) for name in (*ROUTERS, LISTENER)
    }
    metrics = {
        (link.source, link.target): link.metric
        for links in topology.links.values()
        for link in links
        if lab.key(LISTENER) not in (link.source, link.target) and not topology.nodes[link.target].lan
    }
    keys = {name: lab.key(name) for name in ROUTERS}
    pairs = [("r1", "r2"), ("r1", "r3"), ("r2", "r4"), ("r3", "r4")]
    expected = {(keys[a], keys[b]): 10 for a, b in (*pairs, *((b, a) for a, b in pairs))}
    assert {pair: metric for pair, metric in metrics.items() if pair in expected} == expected
    found = seen.paths.between(keys["r1"], keys["r4"])
    assert sorted(path.links[0].target for path in found) == [keys["r2"], keys["r3"]]
    assert [(path.cost, path.alternate) for path in found] == [(20, False), (20, False)]
    # r1 to r2 goes straight; the way over r3 and r4 would come back through r1 for an r3 that has not heard of it.
    assert [path.alternate for path in seen.paths.between(keys["r1"], keys["r2"])] == [False]
    here = underlay.cost(NEAR)
    assert here is not None and underlay.cost(FAR) == here + 10
    assert underlay.preferred([FAR, NEAR]) == [NEAR, FAR]
    # From the other end it is the other way round.
    assert underlay.preferred([FAR, NEAR], origin=FAR) == [FAR, NEAR]


async def test_a_link_that_goes_leads_to_the_alternate(lab: Listened, underlay: Underlay, events: Events) -> None:
    changes: list[frozenset[Ip]] = []
    underlay.on_change(changes.append)
    near = underlay.cost(NEAR)
    assert near is not None
    lab.link("r1", "r2", up=False)
    try:
        await until(lambda: underlay.cost(NEAR) == near + 20, "r2 is reached by r3 and r4")
        await until(lambda: any(NEAR in some for some in changes), "best path is told")
        assert underlay.usable(NEAR) and underlay.usable(FAR)
        seen = underlay.topologies()[0]
        way = seen.paths.between(lab.key("r1"), lab.key("r2"))
        assert [[link.target for link in path.links] for path in way] == [
            [lab.key(name) for name in ("r3", "r4", "r2")]
        ]
    finally:
        lab.link("r1", "r2", up=True)
    await until(lambda: underlay.cost(NEAR) == near, "the link is back")
    assert not [text for text in texts(events) if " is lost" in text]


async def test_an_endpoint_that_is_lost_is_an_event_and_not_used(
    lab: Listened, underlay: Underlay, events: Events
) -> None:
    lab.far_is_there(False)
    try:
        took = await until(lambda: endpoint(underlay).state is LOST, "192.0.2.4 is lost")
        print(f"{lab.protocol}: withdrawn by its router, lost here after {took * 1000:.0f} ms")
        assert not underlay.usable(FAR) and underlay.cost(FAR) is None and underlay.usable(NEAR)
        assert underlay.preferred([FAR, NEAR]) == [NEAR]
        assert any(text.startswith("dvrs far (192.0.2.4) is lost: it was behind ") for text in texts(events))
    finally:
        lab.far_is_there(True)
    await until(lambda: underlay.usable(FAR), "192.0.2.4 is back")
    assert any(text.startswith("dvrs far (192.0.2.4) is reachable again") for text in texts(events))


async def test_an_endpoint_whose_router_is_cut_off_is_lost(lab: Listened, underlay: Underlay, events: Events) -> None:
    """Its router cannot withdraw anything: its LSA stays in the database, and nobody has a link to it any more."""
    for neighbour in ("r2", "r3"):
        lab.link("r4", neighbour, up=False)
    try:
        await until(lambda: endpoint(underlay).state is LOST, "192.0.2.4 is lost")
        assert any("no path leads to" in text for text in texts(events))
    finally:
        for neighbour in ("r2", "r3"):
            lab.link("r4", neighbour, up=True)
    await until(lambda: underlay.usable(FAR), "192.0.2.4 is back")


async def test_an_endpoint_that_flaps_twenty_times_is_damped_and_counted(lab: Listened, events: Events) -> None:
    underlay = lab.underlay(events, DAMPING)
    await underlay.start()
    try:
        await complete(lab, underlay)
        suppressed_at = None
        for flap in range(1, 21):
            lab.far_is_there(False)
            await until(lambda: endpoint(underlay).state is LOST, f"flap {flap}: lost")
            lab.far_is_there(True)
            await until(lambda: endpoint(underlay).state is REACHED, f"flap {flap}: back")
            assert endpoint(underlay).flaps.count == flap
            if endpoint(underlay).flaps.suppressed and suppressed_at is None:
                suppressed_at = flap
                assert not underlay.usable(FAR) and underlay.cost(FAR) is not None
        print(f"{lab.protocol}: suppressed at flap {suppressed_at}, {len(texts(events))} events")
        assert suppressed_at is not None
        assert any("flaps: lost" in text for text in texts(events))
        assert len([text for text in texts(events) if "192.0.2.4" in text]) < 2 * 20
        took = await until(lambda: underlay.usable(FAR), "it is calm and used again")
        print(f"{lab.protocol}: calm after {took:.1f} s")
        await until(lambda: any("is calm and used again; it was lost 20 times" in one for one in texts(events)), "told")
    finally:
        await underlay.stop()


async def test_a_daemon_that_is_killed_is_told_and_loses_no_endpoint(
    lab: Listened, underlay: Underlay, events: Events
) -> None:
    daemon = lab.routers[LISTENER].daemons[-1]
    lab.routers[LISTENER].kill(daemon)
    await until(lambda: underlay.listeners["core"].standing.state == "away", "it is away")
    assert underlay.usable(FAR) and underlay.cost(FAR) is not None
    lab.routers[LISTENER].restart(daemon)
    await until(lambda: underlay.listeners["core"].standing.state == "isolated", "it answers, and has no neighbour yet")
    assert underlay.usable(FAR) and underlay.cost(FAR) is not None
    await until(lambda: underlay.listeners["core"].standing.state == "listening", "it listens again")
    await complete(lab, underlay)
    assert not [text for text in texts(events) if " is lost" in text]
    assert any(text.startswith("listener core (") and " is away" in text for text in texts(events))


async def test_the_listener_announces_nothing_and_carries_nothing(lab: Listened, underlay: Underlay) -> None:
    """Seen from its neighbour: what the listener originated, and where the neighbour's routes lead."""
    # While its adjacency forms, OSPF itself names the prefix of the link that both are on (RFC 2328 section 12.4.1.2).
    await until(lambda: originated(lab) == [], "the adjacency is full and the listener has originated no prefix")
    # A second link makes li the equal of r2 and r3 between r1 and r4, if anybody would send through it.
    lab.link(LISTENER, "r4", up=True)
    try:
        key = lab.key("r4")
        await until(
            lambda: any(
                link.target == key or link.target.startswith("lan 10.0.54")
                for link in underlay.topologies()[0].topology.links.get(lab.key(LISTENER), ())
            ),
            "both links of the listener are up",
        )
        await until(lambda: originated(lab) == [], "with two links it has originated no prefix either")
        protocol = lab.protocol
        route = lab.show("r1", f"show ip route {FAR}/32 json")[f"{FAR}/32"][0]
        hops = {hop["interfaceName"] for hop in route["nexthops"] if hop.get("active")}
        assert route["protocol"] == protocol and hops == {"r2", "r3"}, hops
        listed = lab.ask("r1", f"show ip route {protocol}")
        assert not re.search(r"via [0-9.]+, li\b", re.sub(r"10\.0\.5[14]\.0/24.*", "", listed)), listed
    finally:
        lab.link(LISTENER, "r4", up=False)
    # What the listener learned did not become routes of the machine it runs on.
    kernel = lab.ask(LISTENER, f"show ip route {lab.protocol}")
    assert not re.search(r"^[OI]>\*", kernel, re.MULTILINE), kernel


def originated(lab: Listened) -> list[str]:
    """Every prefix in r1's database that the listener originated, and every other thing that it should not say."""
    own = lab.router_id(LISTENER)
    if lab.protocol == "isis":
        text = lab.ask("r1", f"show isis database detail {lab.key(LISTENER)}.00-00") or ""
        assert re.search(r"\d/\d/1\s", text), f"it is not overloaded: {text}"
        assert "Extended Reachability" in text, text
        return [line for line in text.splitlines() if "IP Reachability" in line or "IPv6 Reachability" in line]
    areas = lab.show("r1", "show ip ospf database router json")["routerLinkStates"]["areas"].values()
    lsas = [lsa for area in areas for lsa in area if lsa["advertisingRouter"] == own]
    links = [link for lsa in lsas for link in lsa["routerLinks"].values()]
    assert links and all(link["tos0Metric"] == 65535 for link in links if link["linkType"] != "Stub Network"), links
    found = [f"stub {link['networkAddress']}" for link in links if link["linkType"] == "Stub Network"]
    for kind in ("network", "summary", "asbr-summary", "external", "nssa-external", "opaque-as", "opaque-area"):
        text = lab.ask("r1", f"show ip ospf database {kind} adv-router {own}")
        if "Advertising Router" in text:
            found.append(text)
    return found
