"""BFD of a real bfdd ends a BGP session whose path is cut, long before its hold time; FRR is the neighbour.

    namespace `us`: bfdd of ours, the service, its speaker ── bridge ── namespace `pe`: FRR's bgpd and bfdd

Everything of ours runs inside the namespace, for one machine has one bfdd. The wire is taken away at the bridge, so
that neither end sees its own link go. What it takes is printed as lines that begin with `bfd:`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent import namespaces
from controller.bgp.routes import Family
from data.schema.objects import Controller, Domain
from data.schema.wan import Bgp as Settings
from data.schema.wan import Neighbor
from nshell.lab.wan.frr import Frr
from tests.system.wan.bgp_speaking import own_prefix, until
from tests.system.wan.peers import PeerNetwork
from tests.unit.bgp.service_bench import TARGET, Wan
from tests.unit.controller.model import PROD, uuid

HOLD = 90  # seconds
MOST = 15.0  # seconds that may pass on a machine that does much else; 0.9 on an idle one
THEIRS = "10.99.0.0/24"


@pytest.fixture
def network() -> Iterator[PeerNetwork]:
    with PeerNetwork(own_prefix("bf")) as made:
        yield made


def routers(network: PeerNetwork, *, by_bgpd: bool = True) -> tuple[Frr, Frr]:
    """bfdd of ours, and the neighbour, which tells one prefix; its BFD session is made by its bgpd, or by hand."""
    network.add("us")
    network.add("pe")
    here = network.address("us")
    by_hand = ["bfd", f" {there(network)}", " exit", "exit"]
    theirs = network.frr(
        "pe",
        "router bgp 65000", " bgp router-id 10.255.0.9", " no bgp default ipv4-unicast", " bgp graceful-restart",
        f" neighbor {here} remote-as 65000", f" neighbor {here} timers 30 {HOLD}", f" neighbor {here} timers connect 1",
        *([f" neighbor {here} bfd"] if by_bgpd else []), " address-family ipv4 vpn", f"  neighbor {here} activate",
        f"  network {THEIRS} rd 65000:9 label 300", " exit-address-family", "exit",
        *([] if by_bgpd else by_hand),
        daemons=("zebra", "bfdd", "bgpd"),
    )  # fmt: skip
    ours = Frr(network.space_name("us"), network.space("us"), ("bfdd",))
    ours.start(["! nothing yet"])
    return ours, theirs


def there(network: PeerNetwork) -> str:
    """The line of the BFD session in the neighbour."""
    return f"peer {network.address('us')} local-address {network.address('pe')}"


@asynccontextmanager
async def wan(network: PeerNetwork, directory: Path, instance: str) -> AsyncIterator[Wan]:
    """The service with one neighbour, whose path is watched."""
    made = Wan(directory)
    try:
        await made.begin()
        await made.change({
            ("controller",): Controller(uuid=uuid(300), listen_address=network.address("us")),
            ("bgp",): Settings(uuid=uuid(301), autonomous_system=65000, bfd_instance=instance),
            ("bgp-neighbor", "pe"): neighbor(network, "single-hop"),
            PROD: Domain(uuid=uuid(101), route_target=(TARGET,)),
        })  # fmt: skip
        yield made
    finally:
        await made.bgp.stop()
        await made.upkeep.stop()
        made.store.close()


def neighbor(network: PeerNetwork, bfd: str | None) -> Neighbor:
    return Neighbor(
        uuid=uuid(302), address=network.address("pe"), autonomous_system=65000, family=("vpnv4",), hold_time=HOLD,
        bfd=bfd,
    )  # fmt: skip


def within(network: PeerNetwork, scenario: Callable[[], Awaitable[None]]) -> None:
    """Runs a scenario in the namespace `us`, with all processes that it starts."""
    namespaces.inside(network.space("us"), lambda: asyncio.run(scenario()))  # type: ignore[arg-type]


def outside(work: Callable[[], None]) -> None:
    """Does something where the bridge is: in the namespace of the test's main thread."""
    namespaces.inside(Path(f"/proc/{os.getpid()}/ns/net"), work)


async def both_up(made: Wan) -> None:
    await until(lambda: made.bgp.established("pe"), "the session")
    await until(lambda: bfd(made) == "up", "BFD")
    await until(lambda: theirs(made), "its routes")


def bfd(made: Wan) -> str:
    found = made.bgp.bfd.standing.get("pe")
    return "" if found is None else found.state


def theirs(made: Wan) -> int:
    return len(made.bgp.rib.inbound.tables["pe"])


def test_a_path_that_is_cut_ends_the_session_at_once_and_its_routes_are_gone(
    network: PeerNetwork, tmp_path: Path
) -> None:
    ours, _ = routers(network)

    async def scenario() -> None:
        async with wan(network, tmp_path, ours.name) as made:
            await both_up(made)
            outside(lambda: network.cut("pe"))
            began = time.monotonic()
            await until(lambda: not made.bgp.established("pe"), "the end of the session", MOST)
            print(f"bfd: a cut path ends the session after {time.monotonic() - began:.2f} s; its hold time is {HOLD} s")
            assert theirs(made) == 0, "dropped, not kept as stale, although it offered graceful restart"
            assert made.bgp.rib.inbound.tables["pe"].reason.startswith("BFD: ")
            assert any("BFD down" in event.text for event in made.events)
            outside(lambda: network.mend("pe"))
            await both_up(made)

    within(network, scenario)


def test_bfdd_that_is_killed_or_told_to_end_a_session_takes_no_session_down(
    network: PeerNetwork, tmp_path: Path
) -> None:
    ours, pe = routers(network, by_bgpd=False)

    async def scenario() -> None:
        async with wan(network, tmp_path, ours.name) as made:
            await both_up(made)
            flaps = made.bgp.rib.inbound.tables["pe"].flaps
            pe.configure(["bfd", f" {there(network)}", "  shutdown", " exit", "exit"])
            await until(lambda: bfd(made) == "down", "its end by an operator")
            assert made.bgp.established("pe")
            pe.configure(["bfd", f" {there(network)}", "  no shutdown", " exit", "exit"])
            await until(lambda: bfd(made) == "up", "BFD again")
            ours.kill("bfdd")
            await until(lambda: bfd(made) == "away", "no bfdd")
            assert made.bgp.established("pe")
            ours.restart("bfdd")
            await until(lambda: bfd(made) == "up", "BFD with another bfdd")
            assert made.bgp.established("pe") and made.bgp.rib.inbound.tables["pe"].flaps == flaps

    within(network, scenario)


def test_sessions_are_made_and_removed_with_the_configuration_and_those_of_others_stay(
    network: PeerNetwork, tmp_path: Path
) -> None:
    ours, _ = routers(network)
    ours.configure(["bfd", " peer 192.0.2.77 local-address 192.0.2.1", " exit", "exit"])

    def peers() -> list[str]:
        return sorted(line.strip() for line in ours.running().splitlines() if line.startswith(" peer "))

    others = ["peer 192.0.2.77 local-address 192.0.2.1"]
    mine = f"peer {network.address('pe')} local-address {network.address('us')}"

    async def scenario() -> None:
        async with wan(network, tmp_path, ours.name) as made:
            await both_up(made)
            assert peers() == sorted([*others, mine])
            path = ("bgp-neighbor", "pe")
            await made.change({path: neighbor(network, "multihop")})
            await until(lambda: peers() == sorted([*others, mine.replace(" local", " multihop local")]), "multihop")
            await made.change({path: neighbor(network, None)})
            await until(lambda: peers() == others, "the removal of ours")
            assert made.bgp.bfd.standing == {}
            assert Family.VPNV4 in made.bgp.rib.inbound.tables["pe"].families

    within(network, scenario)
