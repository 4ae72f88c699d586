"""The routers that tests have for peers: FRR, GoBGP and BIRD speak BGP with each other, die and come back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from agent import namespaces
from data.errors import CommandFailed
from nshell.lab import processes
from nshell.lab.probing import wait_until
from nshell.lab.wan import frr as instances
from tests.system.wan.peers import Bird, Frr, GoBgp, PeerNetwork

PATIENCE = 60.0  # seconds
PREFIX = "wlp"


@pytest.fixture(scope="module")
def peers() -> Iterator[PeerNetwork]:
    with PeerNetwork(PREFIX) as network:
        yield network


def frr_lines(peers: PeerNetwork) -> list[str]:
    """FRR r1 in AS 65001 with GoBGP g1 (65002) and BIRD b1 (65003) as neighbours, and a prefix of its own."""
    lines = [
        "router bgp 65001",
        f" bgp router-id {peers.address('r1')}",
        " no bgp ebgp-requires-policy",
        " no bgp network import-check",
    ]
    for number, name in ((65002, "g1"), (65003, "b1")):
        lines += [f" neighbor {peers.address(name)} remote-as {number}", f" neighbor {peers.address(name)} timers 3 9"]
        lines += [f" neighbor {peers.address(name)} timers connect 1"]
    return [*lines, " address-family ipv4 unicast", "  network 198.51.100.0/24", " exit-address-family"]


def gobgp_toml(peers: PeerNetwork) -> str:
    return f"""
[global.config]
as = 65002
router-id = "{peers.address("g1")}"
[[neighbors]]
[neighbors.config]
neighbor-address = "{peers.address("r1")}"
peer-as = 65001
[neighbors.timers.config]
connect-retry = 1
"""


def bird_conf(peers: PeerNetwork) -> str:
    return f"""
router id {peers.address("b1")};
protocol device {{}}
protocol bgp r1 {{
  strict bind on;
  local {peers.address("b1")} as 65003;
  neighbor {peers.address("r1")} as 65001;
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 {{ import all; export none; }};
}}
"""


@pytest.fixture(scope="module")
def routers(peers: PeerNetwork) -> tuple[Frr, GoBgp, Bird]:
    for name in ("r1", "g1", "b1"):
        peers.add(name)
    return (
        peers.frr("r1", *frr_lines(peers)),
        peers.gobgp("g1", gobgp_toml(peers)),
        peers.bird("b1", bird_conf(peers)),
    )


def both_have_the_prefix(gobgp: GoBgp, bird: Bird) -> bool:
    held = gobgp.show("global", "rib")
    return "198.51.100.0/24" in held and "198.51.100.0/24" in bird.ask("show route")


def test_all_three_exchange_routes(peers: PeerNetwork, routers: tuple[Frr, GoBgp, Bird]) -> None:
    frr, gobgp, bird = routers
    assert wait_until(lambda: both_have_the_prefix(gobgp, bird), PATIENCE, 0.1)
    assert gobgp.established(peers.address("r1"))
    assert bird.established("r1")
    summary = frr.show("show bgp ipv4 unicast summary json")
    assert {one["state"] for one in summary["peers"].values()} == {"Established"}


def test_the_root_namespace_reaches_every_router(peers: PeerNetwork, routers: tuple[Frr, GoBgp, Bird]) -> None:
    for name in ("r1", "g1", "b1"):
        assert " 0% packet loss" in peers.run(name, "ping", "-c", "1", "-W", "5", peers.here)
        assert " 0% packet loss" in peers.run(name, "ping", "-c", "1", "-W", "5", peers.here6)


def test_a_killed_bgpd_comes_back_with_what_was_configured_since(
    peers: PeerNetwork, routers: tuple[Frr, GoBgp, Bird]
) -> None:
    frr, _, bird = routers
    frr.configure(["router bgp 65001", " address-family ipv4 unicast", "  network 203.0.113.0/24"])
    assert wait_until(lambda: "203.0.113.0/24" in bird.ask("show route"), PATIENCE, 0.1)
    frr.kill("bgpd")
    assert not frr.runs("bgpd") and frr.runs("zebra")
    assert wait_until(lambda: not bird.established("r1"), PATIENCE, 0.1)
    frr.restart("bgpd")
    assert wait_until(lambda: "203.0.113.0/24" in bird.ask("show route"), PATIENCE, 0.1)


@pytest.mark.parametrize("which", [1, 2])
def test_a_killed_peer_comes_back(peers: PeerNetwork, routers: tuple[Frr, GoBgp, Bird], which: int) -> None:
    victim = routers[which]
    assert isinstance(victim, GoBgp | Bird)
    victim.kill()
    assert not victim.runs
    victim.restart()
    assert wait_until(lambda: both_have_the_prefix(routers[1], routers[2]), PATIENCE, 0.1)


def test_a_cut_wire_is_noticed_by_the_hold_timer_alone(peers: PeerNetwork, routers: tuple[Frr, GoBgp, Bird]) -> None:
    _, _, bird = routers
    assert wait_until(lambda: bird.established("r1"), PATIENCE, 0.1)
    peers.cut("b1")
    try:
        assert wait_until(lambda: not bird.established("r1"), PATIENCE, 0.1)
    finally:
        peers.mend("b1")
    assert wait_until(lambda: bird.established("r1"), PATIENCE, 0.1)


def test_a_line_that_frr_refuses_is_said_with_its_number(peers: PeerNetwork, routers: tuple[Frr, GoBgp, Bird]) -> None:
    with pytest.raises(CommandFailed, match=r"line 2: % Unknown command.*remoteas"):
        routers[0].configure(["router bgp 65001", " neighbor 192.0.2.1 remoteas 1"])
    with pytest.raises(CommandFailed, match="Unknown command"):
        routers[0].ask("show nonsense")


def test_a_router_that_does_not_start_leaves_nothing_running(peers: PeerNetwork) -> None:
    with pytest.raises(CommandFailed, match="Unknown command"):
        peers.frr("bad", "router bgp 65001", " neighbour 192.0.2.1")
    router = Frr(peers.space_name("bad"), peers.space("bad"), ("zebra", "bgpd"))
    assert not router.runs("zebra") and not router.runs("bgpd")


def test_nothing_is_left_of_a_network_that_was_abandoned() -> None:
    abandoned = PeerNetwork("wlq")
    abandoned.__enter__()
    router = abandoned.frr("r1", "router bgp 65001")
    process = router.process("bgpd")
    assert process is not None
    with PeerNetwork("wlq"):  # as the next run does
        assert not processes.is_alive(process)
        assert instances.instances("wlq-") == []
        assert not any(name.startswith("wlq-") for name in os.listdir(namespaces.NAMED))
    assert "wlq-peers" not in os.listdir("/sys/class/net")
