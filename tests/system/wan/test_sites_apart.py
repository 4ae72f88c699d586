"""What two sites keep when the way between them, a controller or a speaker is gone; packets counted at 100 Hz.

Lines that begin with `sites:` are figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from nshell.lab.probing import wait_until
from tests.system.traffic import Ping100Hz, TcpStream
from tests.system.wan.sites import EAST, PATIENCE, WEST, Site, Sites, machine, of_one_site, vport

MACHINES = {
    WEST: [machine("web-1", "hv1", 1, 11), machine("web-2", "hv2", 1, 12), machine("app-1", "hv1", 2, 11)],
    EAST: [machine("web-3", "hv1", 1, 13), machine("web-4", "hv2", 1, 14), machine("app-2", "hv1", 3, 11)],
}
STALE = 6  # seconds
BGP = ("set bgp hold-time 6",)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    stretched = [vport(f"web-{host - 10}", 1, host) for host in (11, 12, 13, 14)]
    lines = {WEST: [*of_one_site(2), *stretched, vport("app-1", 2, 11)],
             EAST: [*of_one_site(3), *stretched, vport("app-2", 3, 11)]}  # fmt: skip
    sites = Sites(tmp_path_factory.mktemp("sites"), "sc", MACHINES, lines, bgp=BGP)
    try:
        yield sites
    finally:
        sites.close()


@contextmanager
def between(sites: Sites) -> Iterator[dict[str, Ping100Hz]]:
    """100 Hz from site to site, switched and routed, both ways and of both families."""
    west, east = sites.both
    ways = {
        "switched": (west, "web-1", "10.1.1.13"),
        "switched, IPv6, from east": (east, "web-4", "2001:db8:1::12"),
        "routed, from east": (east, "app-2", "10.1.2.11"),
        "routed, IPv6": (west, "app-1", "2001:db8:3::11"),
    }
    for site, source, target in ways.values():
        assert wait_until(lambda at=site, one=source, to=target: at.lab.ping(one, to).ok, PATIENCE)  # type: ignore[misc]
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Ping100Hz(site.lab, source, target))
            for name, (site, source, target) in ways.items()
        }


@contextmanager
def inside(sites: Sites) -> Iterator[dict[str, Ping100Hz]]:
    """100 Hz and a TCP connection inside each site."""
    west, east = sites.both
    with ExitStack() as stack:
        yield {
            "inside west": stack.enter_context(Ping100Hz(west.lab, "web-1", "web-2")),
            "inside west, routed": stack.enter_context(Ping100Hz(west.lab, "app-1", "web-2")),
            "inside east": stack.enter_context(Ping100Hz(east.lab, "web-3", "web-4")),
        }


def report(what: str, pings: dict[str, Ping100Hz]) -> None:
    sent, lost = sum(ping.sent for ping in pings.values()), sum(ping.lost for ping in pings.values())
    gap = max(ping.longest_gap for ping in pings.values())
    print(f"\nsites: {what}: {lost} of {sent} packets lost, longest gap {gap * 1000:.0f} ms")


def none_lost(what: str, pings: dict[str, Ping100Hz]) -> None:
    report(what, pings)
    assert {name: ping.lost for name, ping in pings.items() if ping.lost} == {}


@pytest.mark.parametrize("name", [WEST, pytest.param(EAST, marks=pytest.mark.soak)])
def test_a_controller_that_is_killed_and_comes_back_costs_no_packet(sites: Sites, name: str) -> None:
    site = getattr(sites, name)
    before = [one.all_flows() for one in sites.both]
    with between(sites) as pings:
        site.kill()
        time.sleep(1.0)
        site.start_controller()
        sites.joined()
    none_lost(f"kill -9 of the controller of {name}", pings)
    assert wait_until(lambda: [one.all_flows() for one in sites.both] == before, PATIENCE, 0.2)


@pytest.mark.parametrize("name", [WEST, pytest.param(EAST, marks=pytest.mark.soak)])
def test_a_speaker_that_is_killed_costs_no_packet(sites: Sites, name: str) -> None:
    site = getattr(sites, name)
    other = sites.east if site is sites.west else sites.west
    before, old, began = [one.all_flows() for one in sites.both], site.speaker(), other.flaps()
    with between(sites) as pings:
        site.kill_speaker()
        started = time.monotonic()
        assert wait_until(lambda: other.flaps() > began, PATIENCE, 0.05)
        sites.joined()
        took = time.monotonic() - started
    none_lost(f"kill -9 of the speaker of {name}, joined again within {took:.1f} s", pings)
    assert site.speaker() != old
    assert [one.all_flows() for one in sites.both] == before


def test_apart_each_site_works_on_and_what_it_knew_of_the_other_is_kept_and_ages_out(sites: Sites) -> None:
    west = sites.west
    for site in sites.both:
        site.batch(f"configure\nset bgp stale-time {STALE}\ncommit\n")
    before = [site.all_flows() for site in sites.both]
    with ExitStack() as stack:
        untouched = stack.enter_context(inside(sites))
        stream = stack.enter_context(TcpStream(west.lab, "app-1", "web-2", 8443))
        sites.wan.partition()
        cut = time.monotonic()
        try:
            kept = [int(site.neighbour()["received"]) for site in sites.both]
            for site in sites.both:
                assert wait_until(lambda at=site: at.neighbour()["state"] != "established", PATIENCE)  # type: ignore[misc]
            noticed = time.monotonic() - cut
            stale = [int(site.neighbour()["stale"]) for site in sites.both]
            assert stale == kept, "all that the other told is kept"
            assert [site.all_flows() for site in sites.both] == before, "with its flows"
            assert wait_until(lambda: not any(int(one.neighbour()["received"]) for one in sites.both), PATIENCE)
            aged = time.monotonic() - cut
            assert wait_until(lambda: not any(map(leads_away, sites.both)), PATIENCE), "flows to the other site"
            print(f"\nsites: apart: noticed after {noticed:.1f} s, {stale} stale routes aged out after {aged:.1f} s")
        finally:
            healed = time.monotonic()
            sites.wan.heal()
        assert wait_until(lambda: west.lab.ping("web-1", "10.1.1.13", count=1, timeout=0.2).ok, PATIENCE, 0.05)
        reached = time.monotonic() - healed
        sites.joined()
        print(
            f"sites: healed: first answer after {reached:.1f} s, all exchanged after {time.monotonic() - healed:.1f} s"
        )
        stream.alive()
    none_lost("inside each site, cut off and joined again", untouched)
    print(f"sites: TCP inside west stood still for {stream.longest_gap:.2f} s at most")
    assert wait_until(lambda: [site.all_flows() for site in sites.both] == before, PATIENCE, 0.2)


def leads_away(site: Site) -> list[str]:
    """Flows of a site whose packets go to hypervisors of the other."""
    away = "0xac1f00" if site.lab.tunnel_address("hv1").startswith("172.31.2.") else "0xac1f02"
    network = "172.31.0." if away == "0xac1f00" else "172.31.2."
    return [flow for flows in site.all_flows().values() for flow in flows if away in flow or network in flow]
