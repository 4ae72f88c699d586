"""Two sites that exchange their machines by MP-BGP, their controllers' sessions direct: real packets both ways.

Lines that begin with `sites:` are figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from nshell.lab.probing import wait_until
from tests.system.saying import said, tunnel
from tests.system.traffic import Ping100Hz, TcpStream
from tests.system.wan.sites import (
    DOMAIN,
    EAST,
    PATIENCE,
    WEST,
    Site,
    Sites,
    listening,
    mac,
    machine,
    of_one_site,
    vport,
)

STRETCHED = {"web-1": 11, "web-2": 12, "web-3": 13, "web-4": 14}
LINES = [vport(name, 1, host) for name, host in STRETCHED.items()]
MACHINES = {
    WEST: [machine("web-1", "hv1", 1, 11), machine("web-2", "hv2", 1, 12), machine("app-1", "hv1", 2, 11)],
    EAST: [machine("web-3", "hv1", 1, 13), machine("web-4", "hv2", 1, 14), machine("app-2", "hv1", 3, 11)],
}
MOST_MOVE = 100  # packets of a 100 Hz ping; 20 to 40 on a machine that does nothing else
POLICY = (
    f"set {DOMAIN} policy-group trusted",
    f"set {DOMAIN} egress-policy base entry 10 from policy-group trusted to subnet web1 protocol icmp action allow",
    f"set {DOMAIN} egress-policy base entry 20 to subnet web1 protocol icmp action deny",
    f"set {DOMAIN} vport web-3 policy-group trusted",
)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    lines = {WEST: [*of_one_site(2), *LINES, vport("app-1", 2, 11)],
             EAST: [*of_one_site(3), *LINES, vport("app-2", 3, 11)]}  # fmt: skip
    sites = Sites(tmp_path_factory.mktemp("sites"), "sa", MACHINES, lines)
    try:
        yield sites
    finally:
        sites.close()


def reaches(here: Site, source: str, there: Site, target: str) -> None:
    """Echo requests of both families and a TCP connection from a machine of one site to one of the other."""
    for address in (there.lab.address(target), there.lab.address6(target)):
        assert wait_until(lambda to=address: here.lab.ping(source, to).ok, PATIENCE), f"{source} to {address}"  # type: ignore[misc]
        with there.lab.tcp_server(target, 8080):
            assert here.lab.tcp(source, address, 8080, timeout=PATIENCE).echoed


def test_a_subnet_that_is_at_both_sites_is_one_broadcast_domain(sites: Sites) -> None:
    west, east = sites.both
    reaches(west, "web-1", east, "web-3")
    reaches(east, "web-4", west, "web-2")
    assert west.lab.ping("web-1", "10.1.1.14").ttl == (64,), "switched: nobody took one from its hops"


def test_subnets_of_one_site_are_routed_to_the_other(sites: Sites) -> None:
    west, east = sites.both
    reaches(west, "app-1", east, "app-2")
    reaches(east, "app-2", west, "web-2")
    reaches(west, "app-1", east, "web-4")
    assert west.lab.ping("app-1", "10.1.3.11").ttl == (62,), "routed at both sites (RFC 9135, symmetric)"


@pytest.mark.parametrize(
    ("source", "to", "ttl"),
    [
        ("web-1", "10.1.1.13", 64),
        ("web-2", "2001:db8:1::14", 64),
        ("app-1", "10.1.3.11", 63),
        ("app-1", "10.1.1.14", 63),
    ],
)
def test_trace_says_to_which_hypervisor_of_the_other_site_packets_come_and_on_which_vni(
    sites: Sites, source: str, to: str, ttl: int
) -> None:
    west, east = sites.both
    assert wait_until(lambda: west.lab.ping(source, to).ok, PATIENCE), f"{source} to {to}"
    told = said(west, f"trace from {source} to {to}")
    here = west.lab.tunnel_address(west.lab.machines[source].hypervisor)
    own = west.lab.address6(source) if ":" in to else west.lab.address(source)
    with ExitStack() as stack:
        through = f"udp port 4789 and src host {here}"
        seen = [stack.enter_context(east.lab.capture(name, through)) for name in ("hv1", "hv2")]
        assert west.lab.ping(source, to, count=2).ok
    lines = [line for one in seen for line in one.lines if f"{own} > {to}: " in line]
    assert lines
    for line in lines:
        assert told.end == f"left: leaves to {tunnel(line, here)}"
        assert f"{'hlim' if ':' in to else 'ttl'} {ttl}" in line and told.ttl == ttl


def test_a_policy_group_holds_for_members_that_are_at_the_other_site(sites: Sites) -> None:
    west, east = sites.both

    def answered(source: str) -> bool:
        return east.lab.ping(source, "10.1.1.11", count=5, timeout=0.5).ok

    assert answered("web-3") and answered("web-4")
    west.commit(*POLICY)
    try:
        assert wait_until(lambda: answered("web-3") and not answered("web-4"), PATIENCE)
        west.commit(
            f"delete {DOMAIN} vport web-3 policy-group trusted", f"set {DOMAIN} vport web-4 policy-group trusted"
        )
        assert wait_until(lambda: answered("web-4") and not answered("web-3"), PATIENCE)
    finally:
        west.commit(f"delete {DOMAIN} egress-policy base", f"delete {DOMAIN} vport web-4 policy-group trusted",
                    f"delete {DOMAIN} policy-group trusted")  # fmt: skip
    assert wait_until(lambda: answered("web-3") and answered("web-4"), PATIENCE)


def test_a_machine_goes_to_the_other_site_and_back_with_its_connections(sites: Sites) -> None:
    west, east = sites.both
    hardware = mac(1, 13)
    routes = [destinations(site) for site in sites.both]
    with ExitStack() as stack:
        stack.enter_context(listening(east, "web-3", 8443))
        routed = stack.enter_context(TcpStream(west.lab, "app-1", "10.1.1.13", 8443, server=False, stall=PATIENCE))
        switched = stack.enter_context(TcpStream(east.lab, "web-4", "10.1.1.13", 8443, server=False, stall=PATIENCE))
        for turn, (here, there) in enumerate(((east, west), (west, east)), 1):
            with Ping100Hz(west.lab, "web-1", "10.1.1.13") as ping, Ping100Hz(east.lab, "web-4", "10.1.1.13") as other:
                here.lab.hand_over("web-3", there.lab, "hv1")
                sites.until_at("web-3", there, hardware)
            for stream in (routed, switched):
                stream.alive(PATIENCE)
            numbers = [site.mobility(hardware) for site in sites.both]
            print(f"\nsites: move {turn}: from west {ping}; from east {other}; mobility sequence {numbers}")
            assert numbers == [turn, turn]
            assert max(ping.lost, other.lost) <= MOST_MOVE
            held = there.vport_states()["acme/prod/web-3"], here.vport_states()["acme/prod/web-3"]
            assert held == ("up", "elsewhere")
    print(f"sites: TCP stood still for {routed.longest_gap:.2f} s (routed), {switched.longest_gap:.2f} s (switched)")
    assert [destinations(site) for site in sites.both] == routes
    assert sites.wrong_flows() == []


def destinations(site: Site) -> set[tuple[str, str, str]]:
    """What its routes say, but for sequence numbers."""
    return {(str(one["destination"]), str(one["neighbor"]), str(one["next_hop"])) for one in site.routes()}


def test_a_machine_that_is_at_both_sites_at_once_is_reported_and_after_five_moves_frozen(sites: Sites) -> None:
    west, east = sites.both
    hardware = mac(1, 11)
    west.run("request bgp duplicates clear")
    east.lab.add(machine("web-1", "hv2", 1, 11))
    try:
        sites.until_at("web-1", east, hardware)
        told = " ".join(west.events("bgp"))
        assert f"{hardware} is here and, with the higher sequence number 1, at another site" in told, told

        def frozen() -> bool:
            return any(site.rows("show bgp duplicates") for site in sites.both)

        turns = 0
        while not frozen() and turns < 10:
            site = (west, east)[turns % 2]
            site.lab.unplug("web-1")
            site.lab.plug("web-1")
            assert wait_until(lambda at=site: at.taken(hardware, "ours"), PATIENCE, 0.1) or frozen()  # type: ignore[misc]
            turns += 1
        assert frozen(), [site.run("show bgp routes family evpn detail") for site in sites.both]
        where = next(site for site in sites.both if site.rows("show bgp duplicates"))
        assert f"duplicate address {hardware} is in two places at once" in " ".join(where.events("bgp"))
        numbers = [site.mobility(hardware) for site in sites.both]
        print(f"\nsites: duplicate address frozen at {EAST if where is east else WEST} after {turns} moves: {numbers}")
    finally:
        east.lab.remove("web-1")
        for site in sites.both:
            site.run("request bgp duplicates clear")
    sites.until_at("web-1", west, hardware)
    reaches(east, "web-4", west, "web-1")
