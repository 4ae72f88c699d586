"""The speaker when its daemon is killed: sessions go on until the next daemon is ready, or the restart time is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.bgp.speaker import left
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from controller.bgp.speaker.left import Left
from tests.system.wan.bgp_speaking import OURS, Heard, neighbour, own_prefix, until
from tests.system.wan.peers import PeerNetwork
from tests.system.wan.peers.raw_peer import KEEPALIVE, NOTIFICATION, RawPeer

ROOT = Path(__file__).parents[3]
VPNV4 = (1, 128)
HOLD = 3  # seconds
PROGRAM = """
import asyncio, sys
from pathlib import Path
from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Peer, Up
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from controller.bgp.speaker.left import Left

async def main(file, here, there, restart_time):
    up = asyncio.Event()
    speaker = ExabgpSpeaker(
        lambda event: up.set() if isinstance(event, Up) else None, listen=[here], left=Left(Path(file)))
    await speaker.start()
    await speaker.configure([Peer("raw", there, here, 65000, 65000, "10.255.0.1", (Family.VPNV4,), passive=True,
        restart_time=int(restart_time))])
    await up.wait()
    print(speaker.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def network() -> Iterator[PeerNetwork]:
    with PeerNetwork(own_prefix("spa")) as made:
        for name in ("raw", "other"):
            made.add(name)
        yield made


class Killed:
    """A daemon whose session with `peer` is established. `speaker` is the number of its speaker's process."""

    def __init__(self, daemon: subprocess.Popen[str], peer: RawPeer) -> None:
        self.daemon, self.peer, self.speaker = daemon, peer, 0

    async def established(self, network: PeerNetwork) -> None:
        await self.peer.connect(network.here)
        await self.peer.establish([VPNV4])
        assert self.daemon.stdout is not None
        self.speaker = int(self.daemon.stdout.readline())

    def kill(self) -> None:
        self.daemon.kill()
        self.daemon.wait()

    def gone(self) -> bool:
        """Whether the speaker has ended."""
        try:
            stat = Path(f"/proc/{self.speaker}/stat").read_text()
        except FileNotFoundError:
            return True
        return stat.rpartition(")")[2].split()[0] in "ZX"


@contextmanager
def killed(network: PeerNetwork, folder: Path, *, theirs: int | None = 120, ours: int = 120) -> Iterator[Killed]:
    """`theirs` and `ours` are the restart times in seconds; None: without graceful restart."""
    argv = [sys.executable, "-c", PROGRAM, str(folder / left.FILE), network.here, network.address("raw"), str(ours)]
    peer = RawPeer(network.space("raw"), network.address("raw"), OURS, hold=HOLD, restart=theirs)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as daemon:
        made = Killed(daemon, peer)
        try:
            yield made
        finally:
            daemon.kill()
            Left(folder / left.FILE).end()


async def test_the_session_goes_on_in_silence_until_the_next_daemon_is_ready(
    network: PeerNetwork, tmp_path: Path
) -> None:
    with killed(network, tmp_path) as one:
        await one.established(network)
        one.kill()
        before = one.peer.count(KEEPALIVE)
        await one.peer.until(KEEPALIVE, before + HOLD + 1)  # longer than its hold time
        assert not one.peer.closed and {kind for kind, _ in one.peer.messages[-HOLD:]} == {KEEPALIVE}
        other = RawPeer(network.space("other"), network.address("other"), OURS)
        with pytest.raises(TimeoutError):
            await other.connect(network.here, patience=0.5)  # nobody listens
        heard = Heard()
        speaker = ExabgpSpeaker(heard, listen=[network.here], left=Left(tmp_path / left.FILE))
        await speaker.start()
        try:
            assert one.gone(), "it is gone before the next one dials"
            await one.peer.gone()
            assert one.peer.count(NOTIFICATION) == 0
            await speaker.configure([neighbour(network, "raw", passive=True)])
            again = RawPeer(network.space("raw"), network.address("raw"), OURS)
            await again.connect(network.here)
            await again.establish([VPNV4])
            await heard.up("raw")
            await again.close()
        finally:
            await speaker.stop()
        await one.peer.close()


async def test_one_that_is_stuck_is_ended_by_the_next_daemon(network: PeerNetwork, tmp_path: Path) -> None:
    with killed(network, tmp_path) as one:
        await one.established(network)
        os.kill(one.speaker, signal.SIGSTOP)
        one.kill()
        speaker = ExabgpSpeaker(Heard(), left=Left(tmp_path / left.FILE))
        await speaker.start()
        await speaker.stop()
        assert one.gone()
        await one.peer.close()


@pytest.mark.parametrize(("theirs", "ours"), [(None, 120), (120, 0)])
async def test_without_graceful_restart_it_ends_with_the_daemon(
    network: PeerNetwork, tmp_path: Path, theirs: int | None, ours: int
) -> None:
    with killed(network, tmp_path, theirs=theirs, ours=ours) as one:
        await one.established(network)
        one.kill()
        await one.peer.gone()
        await until(one.gone, "the end of the process")
        assert one.peer.count(NOTIFICATION) == 0
        await one.peer.close()


async def test_when_nobody_came_within_the_restart_time_neighbours_are_told_that_it_is_over(
    network: PeerNetwork, tmp_path: Path
) -> None:
    with killed(network, tmp_path, ours=1) as one:
        await one.established(network)
        one.kill()
        assert tuple(await one.peer.until(NOTIFICATION))[:2] == (6, 2)
        await until(one.gone, "the end of the process")
        await one.peer.close()


async def test_it_ends_when_its_last_session_does(network: PeerNetwork, tmp_path: Path) -> None:
    with killed(network, tmp_path) as one:
        await one.established(network)
        one.kill()
        await one.peer.close(reset=True)
        await until(one.gone, "the end of the process")
