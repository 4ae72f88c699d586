"""Two sites that have a session with a route reflector alone, FRR: what it hands on, and what its end costs.

Lines that begin with `sites:` are figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from nshell.lab.probing import wait_until
from tests.system.traffic import Ping100Hz, TcpStream
from tests.system.wan.sites import EAST, PATIENCE, WEST, Sites, listening, mac, machine, of_one_site, vport

MACHINES = {
    WEST: [machine("web-1", "hv1", 1, 11), machine("app-1", "hv1", 2, 11)],
    EAST: [machine("web-3", "hv1", 1, 13), machine("web-4", "hv1", 1, 14), machine("app-2", "hv1", 3, 11)],
}
MOST_MOVE = 100  # packets of a 100 Hz ping; 7 to 20 on a machine that does nothing else


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    stretched = [vport(f"web-{host - 10}", 1, host) for host in (11, 13, 14)]
    lines = {WEST: [*of_one_site(2), *stretched, vport("app-1", 2, 11)],
             EAST: [*of_one_site(3), *stretched, vport("app-2", 3, 11)]}  # fmt: skip
    folder = tmp_path_factory.mktemp("sites")
    sites = Sites(folder, "sar", MACHINES, lines, reflector=True, hypervisors=1)
    try:
        yield sites
    finally:
        sites.close()


def test_what_a_reflector_hands_on_is_as_good_as_what_the_other_site_says_itself(sites: Sites) -> None:
    west, east = sites.both
    for site, source, targets in (
        (west, "web-1", ("10.1.1.13", "2001:db8:1::13")), (east, "app-2", ("10.1.2.11", "2001:db8:2::11")),
        (west, "app-1", ("10.1.1.14", "2001:db8:1::14")),
    ):  # fmt: skip
        for target in targets:
            assert wait_until(lambda at=site, one=source, to=target: at.lab.ping(one, to).ok, PATIENCE)  # type: ignore[misc]
    with east.lab.tcp_server("app-2", 8080):
        assert west.lab.tcp("web-1", "10.1.3.11", 8080, timeout=PATIENCE).echoed
    told = [one for one in west.routes("family evpn") if one["neighbor"] == "rr"]
    assert {one["next_hop"] for one in told} == {east.lab.tunnel_address("hv1")}, "not the reflector's"


def test_a_machine_that_goes_over_behind_a_reflector_keeps_its_connection(sites: Sites) -> None:
    west, east = sites.both
    with ExitStack() as stack:
        stack.enter_context(listening(east, "web-3", 8443))
        stream = stack.enter_context(TcpStream(west.lab, "app-1", "10.1.1.13", 8443, server=False, stall=PATIENCE))
        for turn, (here, there) in enumerate(((east, west), (west, east)), 1):
            with Ping100Hz(west.lab, "web-1", "10.1.1.13") as ping:
                here.lab.hand_over("web-3", there.lab, "hv1")
                sites.until_at("web-3", there, mac(1, 13))
            stream.alive(PATIENCE)
            print(f"\nsites: move {turn} behind a reflector: {ping}")
            assert [site.mobility(mac(1, 13)) for site in sites.both] == [turn, turn]
            assert ping.lost <= MOST_MOVE


def test_a_reflector_that_is_killed_and_comes_back_costs_no_packet(sites: Sites) -> None:
    west, east = sites.both
    before = [site.all_flows() for site in sites.both]
    with (
        Ping100Hz(west.lab, "web-1", "10.1.1.13") as switched,
        Ping100Hz(east.lab, "app-2", "10.1.2.11") as routed,
        Ping100Hz(west.lab, "app-1", "2001:db8:3::11") as routed6,
    ):
        sites.wan.kill("rr")
        for site in sites.both:
            assert wait_until(lambda at=site: at.neighbour()["state"] != "established", PATIENCE)  # type: ignore[misc]
        assert all(int(site.neighbour()["stale"]) == int(site.neighbour()["received"]) > 0 for site in sites.both)
        sites.wan.restart("rr")
        started = time.monotonic()
        sites.joined()
        took = time.monotonic() - started
    pings = (switched, routed, routed6)
    lost, sent = sum(ping.lost for ping in pings), sum(ping.sent for ping in pings)
    print(f"\nsites: kill -9 of the reflector: {lost} of {sent} packets lost, joined {took:.1f} s after it came back")
    assert [ping.lost for ping in pings] == [0, 0, 0]
    assert wait_until(lambda: [site.all_flows() for site in sites.both] == before, PATIENCE, 0.2)


@pytest.mark.parametrize("name", [WEST, pytest.param(EAST, marks=pytest.mark.soak)])
def test_a_controller_that_is_killed_behind_this_reflector_costs_what_is_routed_no_packet(
    sites: Sites, name: str
) -> None:
    west, east = sites.both
    before = [site.all_flows() for site in sites.both]
    with Ping100Hz(west.lab, "web-1", "10.1.1.13") as switched, Ping100Hz(east.lab, "app-2", "10.1.2.11") as routed:
        getattr(sites, name).restart_controller()
        sites.joined()
        assert wait_until(lambda: west.lab.ping("web-1", "10.1.1.13").ok, PATIENCE)
    print(f"\nsites: kill -9 of the controller of {name} behind a reflector: switched {switched}; routed {routed}")
    assert routed.lost == 0  # FRR keeps stale routes of VPNs, and not of EVPN (8.4.4, FOREACH_AFI_SAFI_NSF)
    assert wait_until(lambda: [site.all_flows() for site in sites.both] == before, PATIENCE, 0.2)
