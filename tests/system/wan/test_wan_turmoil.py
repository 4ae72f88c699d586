"""BGP's configuration changed at the worst moments: whoever is not meant keeps session, routes and packets.

Figures are printed as lines that begin with `wan:`.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network
from tests.system.wan.raw_peers import RawPeers, announced, many, target, vpn
from tests.system.wan.test_wan import NEIGHBOURS, both, speaker, told
from tests.system.wan.wan_faults import Untouched, comes, faulty, summary
from tests.system.wan.wan_rows import established

Site = tuple[Network, RawPeers]
TARGET = target(65000, 77)
AWAY = 3.0  # seconds that nobody starts the controller again


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with faulty(tmp_path_factory.mktemp("turmoil"), "fat") as (network, peers):
        yield network, peers


def received(network: Network, name: str, count: int) -> None:
    """Waits until so many routes of a neighbour are there."""
    assert wait_until(lambda: summary(network, name)["received"] == count, PATIENCE, 0.1), network.run(
        "show bgp summary", "show events"
    )


def test_two_neighbours_swap_addresses_and_names_and_routes_follow_them(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("x1"), *peers.neighbour("x2"))
    one, other = peers.net.address("x1"), peers.net.address("x2")
    first, second = peers.established("x1"), peers.established("x2")
    peers.send(first, announced(peers.hop("x1"), vpn(b"\x3c\0\1", 24), TARGET))
    received(network, "x1", 1)
    with Untouched(network):
        network.commit(f"set bgp-neighbor x1 address {other}", f"set bgp-neighbor x2 address {one}")
        assert summary(network, "x1")["received"] == 0, "what the other machine told is not its own"
        peers.do(first.gone())
        peers.do(second.gone())
        first, second = peers.established("x1"), peers.established("x2")
        peers.send(first, announced(peers.hop("x1"), vpn(b"\x3c\0\1", 24), TARGET))
        received(network, "x2", 1)
        network.commit("rename bgp-neighbor x1 to x9")
        peers.do(second.gone())
        assert not first.closed and summary(network, "x2")["received"] == 1
        network.commit("delete bgp-neighbor x9", "delete bgp-neighbor x2")
        peers.do(first.gone())


def test_a_neighbour_is_deleted_in_the_middle_of_its_storm(site: Site) -> None:
    network, peers = site
    before = network.all_flows()
    network.commit(*peers.neighbour("storm"))
    storm = peers.established("storm")
    with Untouched(network, lossless=False) as watch:
        for one in many(30_000, peers.hop("storm"), TARGET):
            peers.send(storm, one)
        assert wait_until(lambda: summary(network, "storm")["received"] > 1000, PATIENCE, 0.05)
        began = time.monotonic()
        network.commit("delete bgp-neighbor storm")
        took = time.monotonic() - began
        assert wait_until(lambda: network.all_flows() == before, 4 * PATIENCE, 0.5)
        clean = time.monotonic() - began
    print(f"wan: deleted in a storm of 30,000: {took:.1f} s, its last flow gone after {clean:.1f} s; {watch}")


def test_four_operators_commit_neighbours_at_once(site: Site) -> None:
    network, _ = site

    def commit(number: int) -> str:
        return network.batch(
            f"configure private\nset bgp-neighbor u{number} address 192.0.2.{number + 1} autonomous-system 65001 "
            f"multihop 5 local-address {network.lab.controller_address}\ncommit\n"
        )

    with Untouched(network), ThreadPoolExecutor(4) as pool:
        list(pool.map(commit, range(4)))
        names = {row["name"] for row in network.rows("show bgp summary")}
        assert names >= {f"u{number}" for number in range(4)}
        network.commit(*(f"delete bgp-neighbor u{number}" for number in range(4)))


@pytest.mark.soak
def test_a_commit_that_nobody_confirms_gives_the_neighbours_back(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("cc"))
    peer = peers.established("cc")
    with Untouched(network):
        network.batch("configure\nset bgp-neighbor cc hold-time 30\ncommit confirmed 1\n")
        peers.do(peer.gone())
        peer = peers.established("cc")
        comes(network, "cc", "established")
        assert wait_until(lambda: peer.closed, 3 * PATIENCE, 0.5), "its old settings came back"
        peer = peers.established("cc")
        assert comes(network, "cc", "established")["reason"] is None
    network.commit("delete bgp-neighbor cc")


def test_a_port_that_is_taken_fails_the_commit_and_nothing_else(site: Site) -> None:
    network, peers = site
    network.commit(*peers.neighbour("waits"))
    with socket.create_server((peers.net.here, 1790)), Untouched(network):
        said = network.batch("configure\nset bgp port 1790\ncommit\n", code=4)
        assert "1790" in said and "nothing was applied" in said
        network.batch("configure\ndiscard\n")
        peers.close(peers.established("waits"))  # on the port of before
    network.commit("delete bgp-neighbor waits")


@pytest.mark.soak
def test_another_autonomous_system_of_ours_ends_all_sessions_and_the_old_one_brings_them_back(site: Site) -> None:
    network, _ = site
    network.commit("set bgp autonomous-system 65100")
    assert wait_until(lambda: "Bad Peer AS" in str(summary(network, "pe")["reason"]), PATIENCE, 0.1)
    began = time.monotonic()
    network.commit("set bgp autonomous-system 65000")
    assert wait_until(lambda: established(network) >= set(NEIGHBOURS), 2 * PATIENCE, 0.1)
    print(f"wan: sessions of the old autonomous system are back after {time.monotonic() - began:.1f} s")
    told(network)
    assert not network.stale_flows()
    assert wait_until(lambda: established(network) >= set(NEIGHBOURS), 2 * PATIENCE, 0.1)


def told_again(network: Network, node: str) -> bool:
    """Whether a router has our end-of-RIB of every family of its session."""
    said = network.lab.wan.router(node).show(f"show bgp neighbors {network.lab.controller_address} json")
    one = said[network.lab.controller_address]
    ended = one.get("gracefulRestartInfo", {}).get("endOfRibRecv", {})
    return one["bgpState"] == "Established" and bool(ended) and all(ended.values())


def test_no_packet_is_lost_while_there_is_no_controller(site: Site) -> None:
    """FRR 8.4 as VTEP drops EVPN routes with the session, so it is the session that has to last."""
    network, _ = site
    pe, vtep = both(network)
    with pe, vtep:
        network.kill()
        time.sleep(AWAY)
    network.start_controller()
    assert wait_until(lambda: established(network) == set(NEIGHBOURS), 2 * PATIENCE, 0.1)
    told(network)
    print(f"wan: {AWAY:.0f} s without a controller: pe {pe}; vtep {vtep}")
    assert pe.lost == 0 and vtep.lost == 0


@pytest.mark.soak  # test_wan.py kills it once
def test_the_speaker_is_killed_again_and_again_and_no_packet_to_the_pe_is_lost(site: Site) -> None:
    network, _ = site
    pe, vtep = both(network)
    with pe, vtep:
        for _ in range(3):
            os.kill(speaker(network), signal.SIGKILL)
            assert wait_until(lambda: established(network) != set(NEIGHBOURS), PATIENCE, 0.02)
            # before that a peer must drop what is stale when it loses us again (RFC 4724 section 4.2)
            assert wait_until(lambda: all(told_again(network, name) for name in NEIGHBOURS), 2 * PATIENCE, 0.1)
    print(f"wan: kill -9 of the speaker three times: pe {pe}; vtep {vtep}")
    assert pe.lost == 0  # FRR 8.4 keeps no EVPN routes for one that restarts: the VTEP's outage is measured alone


@pytest.mark.soak  # behind the others FRR sometimes comes back without its stale routes
def test_a_pe_whose_bgpd_is_killed_keeps_forwarding_and_loses_no_packet(site: Site) -> None:
    """The VTEP is FRR 8.4, whose zebra empties the kernel's FDB when bgpd dies (its NSF covers no EVPN): its outage is
    measured, not asserted."""
    network, _ = site
    for name in NEIGHBOURS:
        pe, vtep = both(network)
        with pe, vtep:
            network.lab.wan.kill(name)
            assert wait_until(lambda one=name: one not in established(network), PATIENCE, 0.1)  # type: ignore[misc]
            network.lab.wan.restart(name)
            assert wait_until(lambda: established(network) == set(NEIGHBOURS), 2 * PATIENCE, 0.1)
            told(network)
        print(f"wan: kill -9 of the bgpd of {name}: pe {pe}; vtep {vtep}")
        assert pe.lost == 0, "RFC 4724: both ends keep their forwarding state"
        assert name == "vtep" or vtep.lost == 0
