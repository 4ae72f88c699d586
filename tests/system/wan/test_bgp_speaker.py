"""Sessions of the speaker with real routers: restarts, deletions, passwords, hop counts."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator

import pytest

from controller.bgp.speaker.backend import Down, Fault, Up
from tests.system.wan.bgp_speaking import (
    OURS,
    Heard,
    frr_lines,
    neighbour,
    own_prefix,
    speaking,
    until,
    vpn,
    vpn_routes,
)
from tests.system.wan.peers import PeerNetwork
from tests.system.wan.peers.raw_peer import RawPeer


@pytest.fixture
def network() -> Iterator[PeerNetwork]:
    with PeerNetwork(own_prefix("spr")) as made:
        yield made


@pytest.mark.parametrize("ending", ["kill", "stop"])
async def test_peers_keep_every_route_while_the_speaker_is_killed_or_stopped_and_started(
    network: PeerNetwork, ending: str
) -> None:
    network.add("frr")
    frr = network.frr("frr", *frr_lines(network, 11))
    heard = Heard()
    routes = vpn_routes(200, next_hop=network.here)
    least = [200]

    async def watch() -> None:
        while True:
            least[0] = min(least[0], len(vpn(frr)))
            await asyncio.sleep(0.05)

    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "frr")])
        up = await heard.up("frr")
        await speaker.announce(["frr"], routes)
        await speaker.end_of_rib("frr", up.families)
        await until(lambda: len(vpn(frr)) == 200, "all routes")
        watching = asyncio.create_task(watch())
        if ending == "kill":
            speaker.kill()
            await heard.restarted()
            down = await heard.down("frr")
            assert down.graceful
            await heard.up("frr", 2)
        else:
            await speaker.stop()
            assert speaker.pid is None
            await until(lambda: "Established" not in frr.ask(f"show bgp neighbors {network.here}"), "FRR saw the end")
            again = Heard()
            speaker = type(speaker)(again, listen=[network.here])
            await speaker.start()
            await speaker.configure([neighbour(network, "frr")])
            await again.up("frr")
        try:
            await asyncio.sleep(1.0)  # time to drop them, were they dropped before they are announced anew
            await speaker.announce(["frr"], routes[:150])
            await speaker.end_of_rib("frr", up.families)
            await until(lambda: len(vpn(frr)) == 150, "what was not announced anew is gone after the end of the table")
            watching.cancel()
            assert least[0] >= 150
        finally:
            if ending == "stop":
                await speaker.stop()


async def test_stopping_without_grace_takes_our_routes_from_peers_at_once(network: PeerNetwork) -> None:
    network.add("frr")
    frr = network.frr("frr", *frr_lines(network, 11))
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "frr")])
        await heard.up("frr")
        await speaker.announce(["frr"], vpn_routes(50, next_hop=network.here))
        await until(lambda: len(vpn(frr)) == 50, "all routes")
        await speaker.stop(graceful=False)
        await until(lambda: not vpn(frr), "no route left")
        assert "Cease" in frr.ask(f"show bgp neighbors {network.here}")


async def test_a_neighbor_taken_out_of_the_configuration_loses_our_routes_and_others_stay_up(
    network: PeerNetwork,
) -> None:
    network.add("frr")
    network.add("other")
    frr = network.frr("frr", *frr_lines(network, 11))
    network.frr("other", *frr_lines(network, 12))
    heard = Heard()
    async with speaking(network, heard) as speaker:
        both = [neighbour(network, "frr"), neighbour(network, "other")]
        await speaker.configure(both)
        await heard.up("frr")
        await heard.up("other")
        await speaker.announce(["frr", "other"], vpn_routes(50, next_hop=network.here))
        await until(lambda: len(vpn(frr)) == 50, "all routes")
        await speaker.configure(both[1:])
        down = await heard.down("frr")
        assert not down.graceful
        await until(lambda: not vpn(frr), "no route left")
        await speaker.configure(both)
        await heard.up("frr", 2)
        assert not heard.of(Down, "other") and len(heard.of(Up, "other")) == 1


async def test_a_killed_peer_is_down_and_back(network: PeerNetwork) -> None:
    network.add("frr")
    frr = network.frr("frr", *frr_lines(network, 11))
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "frr")])
        await heard.up("frr")
        frr.kill("bgpd")
        down = await heard.down("frr")
        assert down.graceful
        frr.restart("bgpd")
        up = await heard.up("frr", 2)
        assert up.restart_time is not None
        assert not heard.of(Fault)[1:]


async def test_a_peer_that_reboots_without_a_word_is_taken_back_before_the_hold_time_is_over(
    network: PeerNetwork,
) -> None:
    network.add("frr")
    frr = network.frr("frr", *frr_lines(network, 11))
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "frr", hold_time=3000)])
        up = await heard.up("frr")
        assert up.hold_time == 30
        network.cut("frr")
        frr.kill("bgpd")
        network.run("frr", "ip", "link", "set", "eth0", "down")  # what TCP still has to say is lost
        network.run("frr", "ip", "link", "set", "eth0", "up")
        frr.restart("bgpd")
        network.mend("frr")
        down = await heard.down("frr")
        assert down.graceful
        await heard.up("frr", 2)


async def test_a_password_lets_in_the_right_peer_alone(network: PeerNetwork) -> None:
    secret = 'it "is}; long; enough'
    network.add("right")
    network.add("wrong")
    network.frr("right", *frr_lines(network, 11, neighbor=("password abc123DEF",)))
    network.frr("wrong", *frr_lines(network, 12, neighbor=("password abc123DEG",)))
    heard = Heard()
    async with speaking(network, heard) as speaker:
        right = neighbour(network, "right", password="abc123DEF")
        wrong = neighbour(network, "wrong", password="abc123DEF")
        await speaker.configure([right, wrong])
        await heard.up("right")
        status = open(f"/proc/{speaker.pid}/cmdline").read() + open(f"/proc/{speaker.pid}/environ").read()
        assert "abc123DEF" not in status and "abc123DEF" not in repr([right, heard.events])
        await asyncio.sleep(3)  # several attempts of both ends
        assert not heard.of(Up, "wrong")
        await speaker.configure([right, neighbour(network, "wrong", password="abc123DEG")])
        await heard.up("wrong")
        assert not heard.of(Down, "right")
        await speaker.configure([neighbour(network, "right", password=secret)])
        await heard.down("right")
        await asyncio.sleep(3)
        assert len(heard.of(Up, "right")) == 1


async def test_ttl_security_works_with_frr_and_keeps_out_who_is_too_many_hops_away(network: PeerNetwork) -> None:
    for name in ("frr", "near", "far", "called"):
        network.add(name)
    network.frr("frr", *frr_lines(network, 11, neighbor=("ttl-security hops 1",)))
    near = RawPeer(network.space("near"), network.address("near"), OURS, ttl=255)
    far = RawPeer(network.space("far"), network.address("far"), OURS, ttl=254)
    called = RawPeer(network.space("called"), network.address("called"), OURS, ttl=254)
    called.listen(1790)
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure(
            [
                neighbour(network, "frr", ttl_security=1),
                neighbour(network, "near", ttl_security=1, passive=True),
                neighbour(network, "far", ttl_security=1, passive=True),
                neighbour(network, "called", ttl_security=1, port=1790),
            ]
        )
        await heard.up("frr")
        await near.connect(network.here)
        await near.establish([(1, 128)], router_id="9.9.9.1")
        await heard.up("near")
        await far.connect(network.here)
        far.send(far.open_message([(1, 128)], "9.9.9.2"))
        await far.gone()
        assert not far.messages
        with pytest.raises(TimeoutError):  # its answer to our SYN does not even reach TCP
            await asyncio.wait_for(called.accepted(), 5)
        assert not heard.of(Up, "far") and not heard.of(Up, "called")
        # without it, at the same listening socket, distance does not count; and the others stay
        await speaker.configure(
            [
                neighbour(network, "near", ttl_security=1, passive=True),
                neighbour(network, "far", ttl_security=2, passive=True),
                neighbour(network, "called", passive=True),
            ]
        )
        await far.connect(network.here)
        await far.establish([(1, 128)], router_id="9.9.9.2")
        await heard.up("far")
        await called.connect(network.here)
        await called.establish([(1, 128)], router_id="9.9.9.3")
        await heard.up("called")
        assert not heard.of(Down, "near")
        for peer in (near, far, called):
            await peer.close()


async def test_peers_are_spoken_to_over_ipv6_too(network: PeerNetwork) -> None:
    network.add("frr")
    lines = [one.replace(network.here, network.here6) for one in frr_lines(network, 11)]
    frr = network.frr("frr", *lines)
    heard = Heard()
    async with speaking(network, heard) as speaker:
        peer = neighbour(network, "frr", address=network.address6("frr"), local_address=network.here6)
        await speaker.configure([peer])
        await heard.up("frr")
        assert ipaddress.ip_address(peer.address).version == 6
        await speaker.announce(["frr"], vpn_routes(5, next_hop=network.here))
        await until(lambda: len(vpn(frr)) == 5, "routes")
