"""The controller in a process of its own, driven over a pipe: the real Fabric and Store, without the shell around them.

    benchmark ──{"do": "port", "number": 1000}──> python -m tests.bench.fabric STATE ──OpenFlow, OVSDB──> Open vSwitch
              <──{"seconds": 0.012, …}───────────

A commit is timed inside the process, around Fabric.commit: from edits in hand through check, plan, bundles and barriers
on every hypervisor and the store's transaction (synchronous=FULL) to the outcome. Its memory and CPU are its own, and
the pipe is in no measurement.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from tests.bench import objects, workload
from tests.bench.measure import Processes, cpu_seconds, free_ports, resident, wait_until
from tests.bench.workload import Port, Rule

Reply = dict[str, Any]
READY_TIMEOUT = 60.0  # seconds for hypervisors to become ready, and for their interfaces to be seen


class Controller:
    """The benchmark's end of the pipe. `ask` raises RuntimeError with the process's own words when it failed."""

    def __init__(self, processes: Processes, name: str) -> None:
        self.openflow_port, self.ovsdb_port, self.agent_port = free_ports(3)
        self.state = processes.directory / name
        log = (processes.directory / f"{name}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.fabric", str(self.state)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
        log.close()
        self.log = Path(processes.directory / f"{name}.log")
        processes.adopt(self.process)
        self.ask("start", openflow=self.openflow_port, ovsdb=self.ovsdb_port, agent=self.agent_port)

    def ask(self, do: str, **arguments: object) -> Reply:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the controller ended while asked to {do}: {self.log.read_text()[-2000:]}")
        reply = cast(Reply, json.loads(line))
        if "error" in reply:
            raise RuntimeError(f"{do}: {reply['error']}")
        return reply

    def commit(self, do: str, changes: int, **arguments: object) -> float:
        """Ask for a commit that changes so many hypervisors; seconds it took.

        Raises RuntimeError unless there are as many receipts and all say verified.
        """
        reply = self.ask(do, **arguments)
        if bad := {dvrs: state for dvrs, state in reply["receipts"].items() if state != "verified"}:
            raise RuntimeError(f"{do}: not verified everywhere: {bad}")
        if len(reply["receipts"]) != changes:
            raise RuntimeError(f"{do}: {len(reply['receipts'])} hypervisors were changed, not {changes}")
        return float(reply["seconds"])

    def wait_ready(self, count: int) -> None:
        wait_until(lambda: self.ask("standing")["ready"] >= count, f"{count} ready hypervisors", timeout=READY_TIMEOUT)

    def wait_interfaces(self, count: int) -> None:
        wait_until(lambda: self.ask("standing")["interfaces"] >= count, f"{count} interfaces", timeout=READY_TIMEOUT)

    @property
    def cpu(self) -> float:
        return cpu_seconds(self.process.pid)

    @property
    def memory(self) -> float:
        return resident(self.process.pid)

    @property
    def peak_memory(self) -> float:
        return resident(self.process.pid, peak=True)


def seed(state: Path) -> None:
    """A state directory whose configuration says one thing: free ports to listen on, so that a daemon started on it
    meets no other."""
    from data.store import Revision, Store

    openflow, ovsdb, agent = free_ports(3)
    store = Store.open(state)
    store.commit(objects.controller(openflow, ovsdb, agent), Revision(1, "bench", time.time(), ""), {}, [])
    store.close()


class Driver:
    """The process's end of the pipe: one method per thing that can be asked for."""

    def __init__(self, state: Path) -> None:
        self.state = state

    async def answer(self, request: Mapping[str, Any]) -> Reply:
        arguments = {key: value for key, value in request.items() if key != "do"}
        method = getattr(self, str(request["do"]))
        return cast(Reply, await method(**arguments))

    async def start(self, openflow: int, ovsdb: int, agent: int) -> Reply:
        from controller.fabric import Fabric
        from data.store import Revision, Store

        os.makedirs(self.state, exist_ok=True)
        store = Store.open(self.state)
        store.commit(objects.controller(openflow, ovsdb, agent), Revision(1, "bench", time.time(), ""), {}, [])
        self.fabric = Fabric(store)
        await self.fabric.start()
        return {}

    async def commit(self, edits: objects.Objects) -> Reply:
        gc.collect()
        cpu = time.process_time()
        began = time.perf_counter()
        outcome = await self.fabric.commit(edits, author="bench")
        seconds = time.perf_counter() - began
        receipts = {receipt.part: str(receipt.state) for receipt in outcome.receipts}
        return {"seconds": seconds, "cpu": time.process_time() - cpu, "receipts": receipts}

    async def hypervisors(self, names: list[str]) -> Reply:
        return await self.commit(objects.hypervisors(names))

    async def network(self, ports: int, rules: int) -> Reply:
        """The whole workload in one commit."""
        return await self.commit({
            **objects.network(),
            **objects.vports(workload.ports(ports)),
            **objects.entries(workload.rules(rules)),
        })  # fmt: skip

    async def port(self, number: int) -> Reply:
        return await self.commit(objects.vports([Port(number)]))

    async def rule(self, number: int) -> Reply:
        return await self.commit(objects.entries([Rule(number)]))

    async def fleet(self, names: list[str], vports: int, rules: int) -> Reply:
        """Many hypervisors, with a domain for every twenty of them: commit before they have connected."""
        return await self.commit(objects.fleet(names, vports, rules))

    async def standing(self) -> Reply:
        topology = self.fabric.topology
        states = [str(each.state) for each in topology.hypervisors.values()]
        interfaces = sum(1 for name in topology.hypervisors for _ in topology.claims_of(name))
        return {"ready": states.count("ready"), "interfaces": interfaces}

    async def polling(self, interval: int) -> Reply:
        """How often counters are read, in seconds; 0: not at all."""
        from data.schema.seen import Telemetry

        how = {"polling_interval": interval} if interval else {"disabled": True}
        return await self.commit({("telemetry",): Telemetry(uuid=objects.fresh(), **how)})

    async def counted(self) -> Reply:
        """How many vports are known to have sent something, how much all of them did, and how often is looked."""
        from controller.telemetry.keys import Level, Measure

        found = self.fabric.telemetry.all_latest(Level.VPORT).values()
        sent = [latest.totals.get(Measure.SENDS_PACKETS, 0) for latest in found]
        return {
            "vports": sum(1 for each in sent if each),
            "packets": sum(sent),
            "interval": self.fabric.telemetry.interval,
        }

    async def expected(self) -> Reply:
        """How many flows all hypervisors together must hold: a compilation from nothing."""
        from controller.compile import compile_all
        from data.steps import at_once

        state = self.fabric.network.state
        return {"flows": sum(len(at_once(compile_all(state, name))) for name in self.fabric.topology.hypervisors)}


async def serve(state: Path) -> None:
    """Answer requests from standard input until it ends, while the Fabric runs in the same loop."""
    driver = Driver(state)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            reply = await driver.answer(json.loads(line))
        except Exception as problem:  # whatever it is, the benchmark has to hear of it
            reply = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
