"""What tests of faults share: the network of test_wan.py with raw peers beside it, and a watch over all that must not
suffer meanwhile: packets to the PE and the VTEP, the other sessions, the daemon's memory and its answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nshell.lab.probing import wait_until
from nshell.lab.wan.plan import Wan
from tests.system.network import PATIENCE, Network
from tests.system.traffic import Ping100Hz
from tests.system.wan.raw_peers import RawPeers
from tests.system.wan.test_wan import MACHINES, NEIGHBOURS, POLICY, both, speaker, told

MEBIBYTE = 1 << 20


@contextmanager
def faulty(folder: Path, prefix: str) -> Iterator[tuple[Network, RawPeers]]:
    """The network, its PE and its VTEP with hold time 9, and no raw peer yet."""
    with ExitStack() as stack:
        made = Network(folder, prefix, machines=MACHINES, policy=POLICY, hypervisors=2, wan=Wan(), agents=True)
        stack.callback(made.close)
        local = made.lab.controller_address
        lines = [f"bgp-neighbor {name} address {made.lab.wan.address(name)}" for name in NEIGHBOURS]
        made.commit(
            "set bgp autonomous-system 65000 hold-time 9",
            *(f"set {line} autonomous-system 65000 local-address {local}" for line in lines),
        )
        made.lab.wan.wait_converged()
        told(made)
        yield made, stack.enter_context(RawPeers(f"{prefix}p"))


def summary(network: Network, name: str) -> dict[str, Any]:
    """A neighbour's row."""
    return next(dict(row) for row in network.rows("show bgp summary") if row["name"] == name)


def comes(network: Network, name: str, state: str) -> dict[str, Any]:
    """Waits until a neighbour is in that state; its row."""
    assert wait_until(lambda: summary(network, name)["state"] == state, 2 * PATIENCE, 0.1), network.run(
        "show bgp summary", "show events"
    )
    return summary(network, name)


def facts(network: Network, name: str) -> dict[str, Any]:
    """All that `show bgp neighbors` says of one."""
    said: dict[str, Any] = json.loads(network.shell.run("--json", "-c", f"show bgp neighbors {name}").stdout)
    return said


def resident(pid: int) -> int:
    """MiB of memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) // 1024


class Untouched:
    """While it lasts, 100 echo requests a second go to the PE and the VTEP, and the daemon is asked again and again.

    On leaving, AssertionError when one was lost or a session of `neighbours` is another than before. With
    `lossless=False` packets are only counted: while the lab's Open vSwitch takes a bundle of 50,000 flows, its main
    thread, which carries packets here, carries none. `memory` and `speaker_memory` are the most in MiB, `slowest` the
    longest answer to `show version` in seconds.
    """

    def __init__(self, network: Network, neighbours: Iterable[str] = NEIGHBOURS, *, lossless: bool = True) -> None:
        self._network = network
        self._lossless = lossless
        self._neighbours = tuple(neighbours)
        self._ending = threading.Event()
        self._asking = threading.Thread(target=self._ask, daemon=True)
        self.memory = self.speaker_memory = 0
        self.slowest = 0.0
        self.pings: tuple[Ping100Hz, ...] = ()

    def __enter__(self) -> Self:
        self._flaps = {name: self._of(name) for name in self._neighbours}
        self.pings = both(self._network)
        for ping in self.pings:
            ping.__enter__()
        self._asking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._asking.join(2 * PATIENCE)
        for ping in self.pings:
            ping.__exit__(kind, value, trace)
        if kind is None:
            assert not (self._lossless and any(ping.lost for ping in self.pings)), str(self)
            assert {name: self._of(name) for name in self._neighbours} == self._flaps
            assert self.slowest > 0, "the daemon was never asked"

    def __str__(self) -> str:
        pe, vtep = self.pings
        return (
            f"pe {pe}; vtep {vtep}; daemon at most {self.memory} MiB, speaker {self.speaker_memory} MiB, "
            f"show version {self.slowest:.2f} s at most"
        )

    def _of(self, name: str) -> tuple[Any, ...]:
        """What changes when a session does."""
        said = facts(self._network, name)
        return said["state"], said["since"], said["flaps"]

    def _ask(self) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            self._network.run("show version")
            self.slowest = max(self.slowest, time.monotonic() - began)
            pid = self._network.shell.pid
            assert pid is not None
            self.memory = max(self.memory, resident(pid))
            with suppress(FileNotFoundError, AssertionError):  # it is being started again
                self.speaker_memory = max(self.speaker_memory, resident(speaker(self._network)))
