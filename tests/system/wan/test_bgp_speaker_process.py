"""The speaker's process on the machine: what it may do, what ends it, what it listens on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.bgp import wire
from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Down, Up
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from data.errors import CommandFailed
from tests.system.wan.bgp_speaking import OURS, Heard, neighbour, own_prefix, speaking, until, vpn_routes
from tests.system.wan.peers import PeerNetwork
from tests.system.wan.peers.raw_peer import UPDATE, RawPeer

ROOT = Path(__file__).parents[3]
VPNV4 = (1, 128)


@pytest.fixture
def network() -> Iterator[PeerNetwork]:
    with PeerNetwork(own_prefix("spp")) as made:
        for name in ("raw", "other"):
            made.add(name)
        yield made


def status(pid: int) -> dict[str, list[str]]:
    """/proc/PID/status by its first words."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


async def established(network: PeerNetwork, heard: Heard, name: str, number: int = 1) -> RawPeer:
    peer = RawPeer(network.space(name), network.address(name), OURS)
    await peer.connect(network.here)
    await peer.establish([VPNV4], router_id=f"9.9.9.{network.numbers[name]}")
    await heard.up(name, number)
    return peer


async def test_it_is_nobody_and_can_do_nothing_but_listen(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True, password="hunter2")])
        assert speaker.pid is not None
        said = status(speaker.pid)
        assert set(said["Uid"]) == {"65534"} and set(said["Gid"]) == {"65534"} and not said["Groups"]
        assert int(said["CapEff"][0], 16) == int(said["CapPrm"][0], 16) == 1 << 10  # CAP_NET_BIND_SERVICE
        assert int(said["CapAmb"][0], 16) == int(said["CapInh"][0], 16) == 0
        assert said["NoNewPrivs"] == ["1"] and said["Threads"] == ["1"]
        limits = Path(f"/proc/{speaker.pid}/limits").read_text()
        assert next(line.split()[2:4] for line in limits.splitlines() if line.startswith("Max processes")) == ["0", "0"]
        open_files = {os.readlink(one) for one in Path(f"/proc/{speaker.pid}/fd").iterdir()}
        assert {one.partition(":")[0] for one in open_files} <= {"socket", "pipe", "/dev/null", "anon_inode"}


async def test_signals_to_the_whole_service_do_not_end_sessions(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])
        peer = await established(network, heard, "raw")
        assert speaker.pid is not None
        for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
            os.kill(speaker.pid, one)
        await speaker.announce(["raw"], vpn_routes(1, next_hop=network.here))
        await peer.until(UPDATE)
        assert not heard.of(Down)
        await peer.close()


@pytest.mark.parametrize("stuck", [False, True])
async def test_it_dies_with_the_daemon_even_when_it_is_stuck(stuck: bool) -> None:
    program = (
        "import asyncio\n"
        "from controller.bgp.speaker.exabgp import ExabgpSpeaker\n"
        "async def main():\n"
        "    speaker = ExabgpSpeaker(lambda event: None)\n"
        "    await speaker.start()\n"
        "    print(speaker.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        if stuck:
            os.kill(pid, signal.SIGSTOP)
        daemon.kill()

    def gone() -> bool:
        try:
            return status(pid)["State"][0] in "ZX"
        except FileNotFoundError:
            return True

    await until(gone, "the end of the process")


async def test_an_address_that_cannot_be_listened_on_is_told_and_tried_again(
    network: PeerNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.bgp.speaker.exabgp.LISTEN_AGAIN", 0.5)
    heard = Heard()
    taken = socket.socket()
    taken.bind((network.here, 1799))
    taken.listen()
    speaker = ExabgpSpeaker(heard, port=1799)
    await speaker.start()
    try:
        called = RawPeer(network.space("other"), network.address("other"), OURS)
        called.listen(179)
        with pytest.raises(CommandFailed, match="already be in use"):
            await speaker.configure([neighbour(network, "raw", passive=True), neighbour(network, "other")])
        await called.accepted()  # the other neighbour is configured all the same
        await called.establish([VPNV4])
        await heard.up("other")
        taken.close()
        peer = RawPeer(network.space("raw"), network.address("raw"), OURS)
        await peer.connect(network.here, 1799)
        await peer.establish([VPNV4], router_id="9.9.9.7")
        await heard.up("raw")
        assert not heard.of(Down) and len(heard.of(Up)) == 2
        await peer.close()
        await called.close()
    finally:
        taken.close()
        await speaker.stop()


async def test_why_a_session_does_not_come_up_can_be_asked(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw"), neighbour(network, "other", OURS + 1, passive=True)])
        await until(lambda: "refused" in speaker.failures.get("raw", ""), "why raw does not come up")
        wrong = RawPeer(network.space("other"), network.address("other"), OURS)
        await wrong.connect(network.here)
        wrong.send(wrong.open_message([VPNV4]))
        await until(lambda: "ASN" in speaker.failures.get("other", ""), "why other does not come up")
        await wrong.close()


async def test_nothing_is_announced_to_a_neighbor_that_is_listened_to_only(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True, listens_only=True)])
        peer = await established(network, heard, "raw")
        await speaker.announce(["raw"], vpn_routes(10, next_hop=network.here))
        await speaker.end_of_rib("raw", [Family.VPNV4])
        await peer.until(UPDATE)
        assert [body for kind, body in peer.messages if kind == UPDATE] == [
            wire.update_body(wire.end_of_rib(Family.VPNV4))
        ]
        await peer.close()


async def test_a_neighbor_that_is_renamed_begins_anew_under_its_new_name(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        await speaker.configure([neighbour(network, "raw", passive=True)])
        peer = await established(network, heard, "raw")
        renamed = replace(neighbour(network, "raw", passive=True), name="pe9")
        await speaker.configure([renamed])
        await heard.down("raw")
        await peer.close()
        again = RawPeer(network.space("raw"), network.address("raw"), OURS)
        await again.connect(network.here)
        await again.establish([VPNV4])
        await heard.up("pe9")
        await again.close()


async def test_a_neighbor_that_is_deleted_and_set_again_at_once_comes_up(network: PeerNetwork) -> None:
    heard = Heard()
    async with speaking(network, heard) as speaker:
        peers = [neighbour(network, "raw", passive=True)]
        for number in range(1, 6):
            await speaker.configure(peers)
            peer = await established(network, heard, "raw", number)
            await asyncio.gather(speaker.configure([]), speaker.configure(peers))
            await heard.down("raw", number)
            await peer.close()
