"""A thousand endpoints at each of two sites, cut apart and joined again: how long until all is right, and what the
traffic inside each site notices of it.

The endpoints are interfaces of switches without anybody behind them; real machines ping meanwhile. Lines that begin
with `sites:` are figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nshell.lab.probing import wait_until
from tests.system.traffic import Ping100Hz
from tests.system.wan.sites import DOMAIN, EAST, WEST, Site, Sites, machine, of_one_site, vport

PATIENCE = 120.0  # seconds
COUNT = 1000  # endpoints at each site
CHANGED = 100  # of them go while the sites are apart
STALE = 5  # seconds
MACHINES = {
    WEST: [machine("web-1", "hv1", 1, 11), machine("web-2", "hv2", 1, 12), machine("app-1", "hv1", 2, 11)],
    EAST: [machine("web-3", "hv1", 1, 13), machine("web-4", "hv2", 1, 14), machine("app-2", "hv1", 3, 11)],
}
SITES = {WEST: 100, EAST: 110}
MANY = f"{DOMAIN} zone many subnet many"


def endpoint(site: str, number: int) -> str:
    high, low = divmod(number, 250)
    address, hardware = f"10.{SITES[site]}.{high}.{low + 1}", f"02:00:0a:{SITES[site]:02x}:{high:02x}:{low:02x}"
    return f"set {DOMAIN} vport {site}-{number} subnet many mac {hardware} address {address}"


def lines(site: str) -> list[str]:
    shared = [vport(f"web-{host - 10}", 1, host) for host in (11, 12, 13, 14)]
    net, app = (2, "app-1") if site == WEST else (3, "app-2")
    many = [f"set {MANY} prefix 10.64.0.0/10", f"set {MANY} vni 10150"]
    return [*of_one_site(net), *shared, vport(app, net, 11), *many, *(endpoint(site, n) for n in range(COUNT))]


@pytest.fixture
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    made = Sites(
        tmp_path_factory.mktemp("sites"), "sc", MACHINES, {site: lines(site) for site in SITES},
        bgp=("set bgp hold-time 9",),
    )  # fmt: skip
    try:
        yield made
    finally:
        made.close()


def plug(site: Site, name: str, numbers: range, word: str) -> None:
    """Interfaces for these endpoints, or (`del-port`) none any more; even ones on hv1, odd ones on hv2."""
    for hypervisor in (1, 2):
        words: list[str] = []
        for number in numbers:
            if number % 2 == hypervisor - 1:
                continue
            port = f"e{number}"
            words += ["--", "--if-exists", "del-port", "br-nsh", port]
            if word == "add-port":
                words += ["--", "add-port", "br-nsh", port, "--", "set", "Interface", port, "type=patch",
                          "options:peer=nobody", f"external_ids:iface-id=acme/prod/{name}-{number}"]  # fmt: skip
        site.lab.ovs(f"hv{hypervisor}").vsctl(*words[1:])


def heard(site: Site) -> int:
    return int(site.neighbour()["received"])


@pytest.mark.soak
def test_a_thousand_endpoints_at_each_site_are_all_right_again_after_a_partition(sites: Sites) -> None:
    west, east = sites.both
    began = time.monotonic()
    for site, name in ((west, WEST), (east, EAST)):
        plug(site, name, range(COUNT), "add-port")
    for site in sites.both:
        up = lambda at=site: sum(state == "up" for state in at.vport_states().values()) == COUNT + 3  # noqa: E731
        assert wait_until(up, PATIENCE, 0.5)
    assert wait_until(lambda: all(heard(site) > 2 * COUNT for site in sites.both), PATIENCE, 0.1)
    sites.joined(PATIENCE)
    routes = [heard(site) for site in sites.both]
    print(f"\nsites: {COUNT} endpoints at each site, {routes} routes heard, {time.monotonic() - began:.1f} s")
    for site in sites.both:
        site.batch(f"configure\nset bgp stale-time {STALE}\ncommit\n")
    with (
        Ping100Hz(west.lab, "web-1", "web-2") as switched,
        Ping100Hz(west.lab, "app-1", "web-2") as routed,
        Ping100Hz(east.lab, "web-3", "web-4") as other,
    ):
        sites.wan.partition()
        try:
            assert wait_until(lambda: not any(map(heard, sites.both)), PATIENCE, 0.2)
            plug(east, EAST, range(CHANGED), "del-port")
            left = lambda: sum(state == "up" for state in east.vport_states().values())  # noqa: E731
            assert wait_until(lambda: left() == COUNT + 3 - CHANGED, PATIENCE, 0.2)
        finally:
            healed = time.monotonic()
            sites.wan.heal()
        assert wait_until(sites.established, PATIENCE, 0.05)
        session = time.monotonic() - healed
        sites.joined(PATIENCE)
        told = time.monotonic() - healed
        assert wait_until(lambda: flows_to(west, EAST, COUNT - CHANGED), PATIENCE, 0.2), "flows of what was told"
        assert wait_until(lambda: flows_to(east, WEST, COUNT), PATIENCE, 0.2), "flows of what was told"
        right = time.monotonic() - healed
    pings = (switched, routed, other)
    lost, sent = sum(ping.lost for ping in pings), sum(ping.sent for ping in pings)
    print(f"sites: healed: session after {session:.1f} s, all told {told:.1f} s, all flows there {right:.1f} s")
    print(f"sites: inside each site meanwhile: {lost} of {sent} packets lost")
    assert [ping.lost for ping in pings] == [0, 0, 0]
    assert wait_until(lambda: west.lab.ping("web-1", "10.1.1.13").ok, PATIENCE)


def flows_to(site: Site, other: str, count: int) -> bool:
    """Whether each hypervisor of a site has flows to exactly so many endpoints of the other."""
    hardware = f"dl_dst=02:00:0a:{SITES[other]:02x}:"
    found = [sum(hardware in flow and "set_field" in flow for flow in flows) for flows in site.all_flows().values()]
    return found == [count] * len(found)
