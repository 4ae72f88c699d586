"""What it costs the controller to read the counters of 20 hypervisors with 5,000 flows each every 10 seconds.

The fake hypervisors (fake_switch.py) run in another process; half of the vports and rules count 1,000 packets a second.
The controller's CPU is measured with the counters unread and read, and the difference is the cost: asking, reading,
accounting, attributing to vports and all that they are part of, and writing the archive. The peer column of that row
is the budget, 10 % of one core.

The same replies are then read by ours and by os-ken's parser, and what is asked is compared with everything: a
controller like os-ken's reads a switch by parsing all its flow statistics.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.fabric import Controller
from tests.bench.measure import Row, median, processes, wait_until

NAME = "telemetry"
HYPERVISORS, VPORTS, RULES = 20, 42, 20
ABOUT = f"the counters of {HYPERVISORS} fake hypervisors, read every 10 s"
INTERVAL = 10
UNREAD, READ = 20.0, 60.0  # seconds of CPU that are compared
BUDGET = 10.0  # percent of one core
PARSES = 5
FLOWS = 5000
AT_MOST = 0.1  # of os-ken's CPU time


def measure() -> Iterator[Row]:
    names = [f"f{number}" for number in range(HYPERVISORS)]
    with processes() as started:
        controller = Controller(started, "nshell")
        controller.ask("fleet", names=names, vports=VPORTS, rules=RULES)
        controller.ask("polling", interval=0)
        fakes = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.fake_switch", str(HYPERVISORS), str(controller.ovsdb_port),
             str(controller.openflow_port), str(VPORTS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"BUSY": "1"},
        )  # fmt: skip
        started.adopt(fakes)
        flows = settled(controller, fakes)
        unread = share(controller, UNREAD)
        controller.ask("polling", interval=INTERVAL)
        wait_until(lambda: controller.ask("counted")["vports"] > 0, "the first round", timeout=60, interval=0.5)
        before = controller.ask("counted")
        read = share(controller, READ)
        after = controller.ask("counted")
    if after["packets"] <= before["packets"] or after["interval"] != INTERVAL:
        raise RuntimeError(f"it did not count as often as it should: {before}, {after}")
    shape = (
        f"{HYPERVISORS} switches, {flows:,} flows, {HYPERVISORS * VPORTS} vports of which {after['vports']} send, "
        f"read every {INTERVAL} s for {READ:g} s: the controller's CPU less that with counters unread ({unread:.2f} %)"
    )
    yield Row("reading all counters every 10 s, of one core", read - unread, BUDGET, 1.0, "%", shape)
    yield from parsing()


def settled(controller: Controller, fakes: subprocess.Popen[bytes]) -> int:
    """Wait until all are ready and nothing changes; how many flows they hold."""
    assert fakes.stdout is not None
    last, alike = -1, 0
    until = time.monotonic() + 180
    while alike < 10:
        flows = int(json.loads(fakes.stdout.readline())["flows"])
        ready = controller.ask("standing")["ready"] == HYPERVISORS
        alike = alike + 1 if ready and flows == last else 0
        last = flows
        if time.monotonic() > until:
            raise RuntimeError("the fake hypervisors did not settle")
    return last


def share(controller: Controller, seconds: float) -> float:
    """The controller's CPU, percent of one core."""
    cpu = controller.cpu
    time.sleep(seconds)
    return (controller.cpu - cpu) / seconds * 100


def parsing() -> Iterator[Row]:
    """The statistics of 5,000 flows of which one in ten counts, read by ours and by os-ken."""
    parts = replies()
    ours = [ours_reads(parts) for _ in range(PARSES)]
    peer = [os_ken_parses(parts) for _ in range(PARSES)]
    yield Row(
        f"reading the statistics of {FLOWS:,} flows", median(ours), median(peer), AT_MOST, "s",
        f"the same {sum(map(len, parts)):,} bytes; ours: packets and bytes by flow and what it counts; os-ken: its "
        f"objects, of which the counters are then taken; CPU time, median of {PARSES}", {"ours": ours, "peer": peer},
    )  # fmt: skip


def replies() -> list[bytes]:
    """Flow statistics as Open vSwitch sends them, in parts of less than 64 KiB."""
    from controller.openflow import actions, match
    from controller.openflow.packed import flow
    from controller.pipeline import Feature, Owner, Register, Table, cookie

    head = struct.Struct("!HBxIIHHHHH2xQQQ")
    parts, part = [], b""
    for number in range(FLOWS):
        mark = cookie(Owner.VPORT, Feature.RECEIVED, number)
        acts = [actions.set_reg(Register.SUBNET, 5000), actions.set_reg(Register.FROM_PORT, number)]
        message = flow(Table.CLASSIFY, 100, mark, [match.in_port(number + 1), match.vlan_vid(0)], acts, 1)
        packets = number * 1000 if number % 10 == 0 else 0
        part += head.pack(len(message), 0, 77, 5, 100, 0, 0, 0, 0, mark, packets, packets * 500) + message[48:]
        if len(part) > 60_000 or number == FLOWS - 1:
            parts.append(part)
            part = b""
    return parts


def ours_reads(parts: list[bytes]) -> float:
    from controller.openflow import statistics
    from controller.telemetry.purposes import PURPOSES, TUNNELS

    async def read() -> float:
        began = time.process_time()
        found = await statistics.flows(parts, PURPOSES, TUNNELS)
        seconds = time.process_time() - began
        assert len(found) == FLOWS // 10 - 1, len(found)
        return seconds

    return asyncio.run(read())


def os_ken_parses(parts: list[bytes]) -> float:
    from os_ken.ofproto import ofproto_v1_4_parser as parser  # type: ignore[import-untyped]

    began = time.process_time()
    sums: dict[int, int] = {}
    for part in parts:
        at = 0
        while at < len(part):
            stats = parser.OFPFlowStats.parser(part, at)
            at += stats.length
            if stats.packet_count:
                sums[stats.cookie] = sums.get(stats.cookie, 0) + stats.packet_count
    seconds = time.process_time() - began
    assert len(sums) == FLOWS // 10 - 1, len(sums)
    return seconds
