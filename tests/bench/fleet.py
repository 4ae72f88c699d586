"""500 hypervisors that are only protocol, connected and fully programmed: time, CPU and memory of the controller.

The fake hypervisors (fake_switch.py) run in another process. The configuration is committed before they come; the clock
starts when they dial and stops when the controller calls every one ready and the flows they hold no longer change.
There is no peer: 500 real ovs-vswitchd or ovn-controllers do not fit on the machine that runs this.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.fabric import Controller
from tests.bench.measure import Row, median, processes

NAME = "fleet"
HYPERVISORS = 500
ABOUT = f"{HYPERVISORS} fake hypervisors, connected and fully programmed"
VPORTS = 4  # on each of them
RULES = 20  # in each domain
ROUNDS = 3
IDLE = 5.0  # seconds over which the cost of keeping them is measured
TIMEOUT = 180.0
SEEN_ALIKE = 5  # looks 0.1 s apart at which nothing changes any more


@dataclass(slots=True)
class Fleet:
    """What was measured, an element a round: seconds, CPU seconds, percent of one core, MiB."""

    flows: int = 0
    commit: list[float] = field(default_factory=list)
    programmed: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)


def measure() -> Iterator[Row]:
    fleet = Fleet()
    for _ in range(ROUNDS):
        one_round(fleet)
    shape = f"{HYPERVISORS} hypervisors, {VPORTS} vports each, a domain for every 20, {RULES} rules a domain"
    yield row(f"{HYPERVISORS} fake switches connected and fully programmed", fleet.programmed, "s",
              f"{shape}: from the first dial to all ready with {fleet.flows:,} flows, as many as a compilation from "
              f"nothing; OVSDB set-up of each bridge included; median of {ROUNDS} rounds")  # fmt: skip
    yield Row("  info: flows they hold", fleet.flows, None, None, "")
    yield row("  info: committing their configuration before they come", fleet.commit, "s")
    yield row("  info: controller CPU until all are programmed", fleet.cpu, "s")
    yield row("  info: controller CPU afterwards, of one core", fleet.idle, "%", f"over {IDLE:g} s")
    yield row("  info: controller memory, configured, no switch", fleet.before, "MiB")
    yield row("  info: controller memory with all of them", fleet.after, "MiB", "resident")


def row(name: str, samples: list[float], unit: str, measured: str = "") -> Row:
    return Row(name, median(samples), None, None, unit, measured, {"ours": samples})


def one_round(fleet: Fleet) -> None:
    names = [f"f{number}" for number in range(HYPERVISORS)]
    with processes() as started:
        controller = Controller(started, "nshell")
        fleet.commit.append(controller.ask("fleet", names=names, vports=VPORTS, rules=RULES)["seconds"])
        cpu = controller.cpu
        fleet.before.append(controller.memory)
        fakes = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.fake_switch", str(HYPERVISORS), str(controller.ovsdb_port),
             str(controller.openflow_port), str(VPORTS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        started.adopt(fakes)
        seconds, fleet.flows = settle(controller, fakes)
        fleet.programmed.append(seconds)
        fleet.cpu.append(controller.cpu - cpu)
        fleet.after.append(controller.memory)
        cpu = controller.cpu
        time.sleep(IDLE)
        fleet.idle.append((controller.cpu - cpu) / IDLE * 100)
        expected = controller.ask("expected")["flows"]
        if fleet.flows != expected:
            raise RuntimeError(f"the switches hold {fleet.flows} flows, a compilation from nothing has {expected}")


def settle(controller: Controller, fakes: subprocess.Popen[bytes]) -> tuple[float, int]:
    """Wait until all are ready and their flows no longer change; seconds until then, without the looks that
    confirmed it, and the number of flows."""
    assert fakes.stdout is not None
    began = time.perf_counter()
    last, since, alike = -1, began, 0
    while True:
        line = fakes.stdout.readline()
        if not line:
            raise RuntimeError("the fake hypervisors ended")
        flows = int(json.loads(line)["flows"])
        if flows != last:
            last, since, alike = flows, time.perf_counter(), 0
        elif flows and controller.ask("standing")["ready"] == HYPERVISORS:
            alike += 1
            if alike >= SEEN_ALIKE:
                return since - began, flows
        if time.perf_counter() - began > TIMEOUT:
            raise RuntimeError(f"after {TIMEOUT:g} s: {controller.ask('standing')}, {line.decode().strip()}")
