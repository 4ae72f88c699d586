"""100,000 compiled flows into one real Open vSwitch, beside `ovs-ofctl --bundle add-flows` with the same flows.

    compile ──> Channel.push: one atomic bundle over TCP, closed, committed, barrier ──┐
                                                                                      ├──> ovs-vswitchd
    text file ──> ovs-ofctl -O OpenFlow14 --bundle add-flows over its unix socket ────┘

Both load an empty bridge, in turn, the same number of times; emptying it is not timed. That both loaded the same is
checked by reading the flows back as text: the peer's file is what the switch showed after the first push.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from controller.compile import Location, Placement, compile_all, start
from controller.hypervisors.channel import Channel
from controller.numbers import Numbers
from controller.openflow.connection import Switch
from controller.openflow.server import OpenFlowServer
from data.configuration import Running
from data.schema.objects import Vport
from data.steps import at_once
from tests.bench import objects, workload
from tests.bench.measure import Row, median, processes, run, timed, wait_until
from tests.bench.switches import Hypervisor, start_hypervisor

NAME = "push"
ABOUT = "100,000 compiled flows into one Open vSwitch beside ovs-ofctl --bundle add-flows"
FLOWS = 100_000
VPORTS = 16_000  # of which a quarter is here: some 6.5 flows each
ROUNDS = 5
MOST = 1.2  # times the peer
BRIDGE = "br0"
TUNNEL_PORT = 65000


@dataclass(slots=True)
class Times:
    """Seconds of each round, one list a side."""

    compiled: list[float]
    ours: list[float]
    peer: list[float]


def compiled() -> list[bytes]:
    """FLOWS flow-mods as the compiler makes them for a hypervisor with a quarter of VPORTS vports."""
    names = [f"hv{number}" for number in range(workload.HYPERVISORS)]
    ports = workload.ports(VPORTS)
    view = Running(
        {
            **objects.hypervisors(names),
            **objects.network(),
            **objects.vports(ports),
            **objects.entries(workload.rules(workload.RULES)),
        },
        1,
    )
    places = {}
    for port in ports:
        vport = view.get(objects.vport_path(port.name))
        assert isinstance(vport, Vport)
        places[vport.uuid] = Location(names[port.hypervisor], 1 + port.number // workload.HYPERVISORS)
    placement = Placement().with_hypervisors(dict.fromkeys(names, TUNNEL_PORT)).with_vports(places)
    state = at_once(start(view, placement, Numbers()))
    flows = list(islice(at_once(compile_all(state, names[0])).values(), FLOWS))
    if len(flows) < FLOWS:
        raise RuntimeError(f"{VPORTS} vports compile to {len(flows)} flows only; the benchmark needs more of them")
    return flows


async def load(hypervisor: Hypervisor, flows: list[bytes], times: Times) -> None:
    """The rounds: ours, the peer, ours, the peer …"""
    arrived: asyncio.Future[Switch] = asyncio.get_running_loop().create_future()

    async def connected(switch: Switch) -> None:
        if not arrived.done():
            arrived.set_result(switch)

    server = OpenFlowServer(connected)
    port = await server.start("127.0.0.1", 0)
    await asyncio.to_thread(hypervisor.vsctl, "set-controller", BRIDGE, f"tcp:127.0.0.1:{port}")
    channel = Channel(hypervisor.name)
    channel.connected(await asyncio.wait_for(arrived, 30))
    text = hypervisor.directory / "flows.txt"
    first = ""
    for _ in range(ROUNDS):
        await asyncio.to_thread(hypervisor.ofctl, "del-flows", BRIDGE)
        began = time.perf_counter()
        await channel.push(flows)
        times.ours.append(time.perf_counter() - began)
        if not first:
            first = await asyncio.to_thread(dump, hypervisor)
            text.write_text(first)
        await asyncio.to_thread(hypervisor.ofctl, "del-flows", BRIDGE)
        times.peer.append(await asyncio.to_thread(timed, lambda: add_flows(hypervisor, str(text))))
    if await asyncio.to_thread(dump, hypervisor) != first:
        raise RuntimeError("the two sides did not load the same flows")
    await server.close()


def add_flows(hypervisor: Hypervisor, path: str) -> None:
    hypervisor.ofctl("add-flows", BRIDGE, path, options=("--bundle",))


def dump(hypervisor: Hypervisor) -> str:
    """The bridge's flows in ovs-ofctl's own syntax, sorted, without counters."""
    shown = hypervisor.ofctl("dump-flows", BRIDGE, options=("--no-stats", "--no-names"))
    flows = sorted(line.strip() for line in shown.splitlines() if "actions=" in line)
    if len(flows) != FLOWS:
        raise RuntimeError(f"the bridge holds {len(flows)} flows, not {FLOWS}")
    return "\n".join(flows) + "\n"


def measure() -> Iterator[Row]:
    times = Times([], [], [])
    flows: list[bytes] = []
    for _ in range(3):
        began = time.perf_counter()
        flows = compiled()
        times.compiled.append(time.perf_counter() - began)
    with processes() as started:
        hypervisor = start_hypervisor(started, "hv0", {})
        run("ovs-vsctl", f"--db={hypervisor.database}", "add-br", BRIDGE, "--", "set", "bridge", BRIDGE,
            "datapath-type=dummy", "fail-mode=secure", "protocols=OpenFlow14",
            "other-config:disable-in-band=true")  # fmt: skip
        wait_until(lambda: hypervisor.has_bridge(BRIDGE), f"bridge {BRIDGE}")
        asyncio.run(load(hypervisor, flows, times))
    yield Row(
        f"{FLOWS:,} compiled flows into one Open vSwitch",
        median(times.ours), median(times.peer), MOST, "s",
        "ours: flow-mods already compiled, from bundle open to the reply of the barrier after its commit; "
        "peer: ovs-ofctl --bundle add-flows, from fork to exit, with the same flows as text; "
        f"median of {ROUNDS} rounds in turn",
        {"ours": times.ours, "peer": times.peer},
    )  # fmt: skip
    yield Row(
        f"  info: compiling them ({VPORTS:,} vports)", median(times.compiled), None, None, "s",
        "objects to configuration to state to the flow-mods of one hypervisor", {"ours": times.compiled},
    )  # fmt: skip
