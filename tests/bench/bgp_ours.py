"""The controller's side of BGP in a process of its own, driven over a pipe: speaker, codec, and for what is received
the rib with policy and best path. Its memory and CPU are its own and its speaker process's.

    benchmark ──{"do": "announce", "count": 100000}──> python -m tests.bench.bgp_ours ── ExaBGP ──BGP──> GoBGP
              <──{"seconds": 1.2}──────────────────
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from controller.bgp.rib.rib import Rib
from controller.bgp.rib.settings import NeighbourPolicy, Settings
from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Changed, Event, Peer, Up
from controller.bgp.speaker.exabgp import ExabgpSpeaker
from data.addresses import Ip, address
from data.steps import spread
from tests.bench.measure import Processes, cpu_seconds, resident
from tests.system.wan.bgp_speaking import OURS, vpn_routes

NEIGHBOUR = "gobgp"
TENANTS = 200
"""Route targets, and so sets of attributes, that the routes are spread over."""
TIMEOUT = 300.0  # seconds

Reply = dict[str, Any]


class Ours:
    """The benchmark's end of the pipe. `ask` raises RuntimeError with the process's own words when it failed."""

    def __init__(self, processes: Processes, name: str, local: str, peer: str) -> None:
        self.log = Path(processes.directory / f"{name}.log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.bgp_ours", local, peer],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        processes.adopt(self.process)
        self.speaker = int(self.ask("start")["pid"])

    def ask(self, do: str, **arguments: object) -> Reply:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        reply = cast(Reply, json.loads(line)) if line else {"error": self.log.read_text(errors="replace")[-2000:]}
        if "error" in reply:
            raise RuntimeError(f"our speaker was asked to {do}: {reply['error']}")
        return reply

    @property
    def cpu(self) -> float:
        """CPU seconds so far, of both processes."""
        return cpu_seconds(self.process.pid) + cpu_seconds(self.speaker)

    @property
    def memory(self) -> float:
        """MiB at the highest, of both processes."""
        return resident(self.process.pid, peak=True) + resident(self.speaker, peak=True)

    def stop(self) -> None:
        """Ends the session and both processes."""
        self.ask("stop")
        self.process.wait(timeout=TIMEOUT)


class Anywhere:
    """An underlay of which nobody says anything: all of it is usable, at no known cost."""

    def usable(self, ip: Ip) -> bool:
        return True

    def cost(self, ip: Ip) -> int | None:
        return None


class Driver:
    """The process's end: one neighbour, and a rib that has heard what it said."""

    def __init__(self, local: str, peer: str) -> None:
        self.local = local
        families = (Family.VPNV4,)
        self.peer = Peer(NEIGHBOUR, peer, local, OURS, OURS, local, families)
        policy = NeighbourPolicy(NEIGHBOUR, address(peer), OURS, frozenset(families), prefix_limit=1_000_000)
        self.rib = Rib(Anywhere(), time.monotonic)
        for _ in self.rib.configure(Settings(OURS, address(local), neighbours={NEIGHBOUR: policy})):
            pass  # no routes yet, so its steps are few
        self.events: list[Event] = []
        self.more = asyncio.Event()
        self.up_at = 0.0
        self.speaker = ExabgpSpeaker(self.heard)

    def heard(self, event: Event) -> None:
        if isinstance(event, Up):
            self.up_at = time.perf_counter()
        self.events.append(event)
        self.more.set()

    async def start(self) -> Reply:
        await self.speaker.start()
        return {"pid": self.speaker.pid}

    async def connect(self) -> Reply:
        """Returns when the session is up."""
        await self.speaker.configure([self.peer])
        while not self.up_at:
            self.more.clear()
            await asyncio.wait_for(self.more.wait(), TIMEOUT)
        return {}

    async def announce(self, count: int) -> Reply:
        """Seconds until the speaker has taken so many routes, which are there already as values."""
        routes = vpn_routes(count, next_hop=self.local, targets=TENANTS)
        began = time.perf_counter()
        await self.speaker.announce([NEIGHBOUR], routes)
        return {"seconds": time.perf_counter() - began, "began": began}

    async def receive(self, count: int) -> Reply:
        """Seconds from the session's coming up until the rib has taken and decided so many routes."""
        await self.speaker.configure([self.peer])
        held, latest = 0, 0.0
        while held < count:
            while not self.events:
                self.more.clear()
                await asyncio.wait_for(self.more.wait(), TIMEOUT)
            events, self.events = self.events, []
            await spread(self.rib.take(events))
            held += sum(len(event.announced) for event in events if isinstance(event, Changed))
            latest = time.perf_counter()
        table = self.rib.inbound.tables[NEIGHBOUR]
        refused = sum(1 for one in table.heard() if one.refused)
        return {"seconds": latest - self.up_at, "held": len(table), "refused": refused}

    async def stop(self) -> Reply:
        await self.speaker.stop(graceful=False)
        return {}


async def serve(local: str, peer: str) -> None:
    """Answer requests from standard input until it ends or one says stop."""
    driver, loop = Driver(local, peer), asyncio.get_running_loop()
    requests: dict[str, Callable[..., Awaitable[Reply]]] = {
        "start": driver.start,
        "connect": driver.connect,
        "announce": driver.announce,
        "receive": driver.receive,
        "stop": driver.stop,
    }
    try:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            request = json.loads(line)
            do = request.pop("do")
            try:
                reply = await requests[do](**request)
            except Exception as problem:  # whatever it is, the benchmark has to hear of it
                reply = {"error": f"{type(problem).__name__}: {problem}"}
            print(json.dumps(reply), flush=True)
            if do == "stop":
                return
    finally:
        await driver.speaker.stop(graceful=False)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
