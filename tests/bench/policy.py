"""One network on nshell and on OVN: from empty to all flows, one more port, one more rule.

Both are given the same (workload.py), on real Open vSwitch with the dummy datapath, over real sockets, with all
interfaces plugged and seen before the clock starts. Whole cycles alternate, each from nothing; times are medians.

    OVN     one ovn-nbctl --wait=hv transaction, until it returns and every port is up; ovn-nbctl's start included
    nshell  one Fabric.commit, until every hypervisor's receipt says verified and the revision is in the store

How one more port scales is measured on nshell alone: three of them run at once and take their ports in turn: with
PORTS, with FEW_PORTS, and with FEW_PORTS configured while as many interfaces are plugged as with PORTS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench import ovn, workload
from tests.bench.fabric import Controller
from tests.bench.measure import Processes, Row, median, processes, wait_until
from tests.bench.objects import full_name
from tests.bench.switches import Hypervisor, start_hypervisor
from tests.bench.workload import FEW_PORTS, HYPERVISORS, PORTS, RULES, SUBNETS, Port, Rule

NAME = "policy"
ABOUT = f"{SUBNETS} subnets, {HYPERVISORS} hypervisors, {PORTS:,} ports in a group, {RULES} stateful rules, beside OVN"
CYCLES = 3
PEER_CHANGES = 4  # ports and rules added to OVN in a cycle: each port costs it a second
OUR_CHANGES = 20
MOST_BULK, MOST_PORT, MOST_RULE, MOST_GROWTH = 1 / 3, 1 / 20, 1 / 3, 1.5
BRIDGE = "br-nsh"


@dataclass(slots=True)
class Side:
    """Everything measured on one side, a list entry each time: seconds, CPU seconds, MiB, flows."""

    bulk: list[float] = field(default_factory=list)
    port: list[float] = field(default_factory=list)
    rule: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    flows: list[int] = field(default_factory=list)


def ovn_cycle(side: Side, empty: list[float]) -> None:
    with processes() as started:
        peer = ovn.Ovn(started)
        peer.plug(workload.ports(PORTS + PEER_CHANGES))
        cpu = peer.cpu()
        side.bulk.append(peer.configure(workload.ports(PORTS), workload.rules(RULES)))
        side.cpu.append(peer.cpu() - cpu)
        side.memory.append(peer.memory())
        side.flows.append(sum(peer.flow_counts()))
        side.port += [peer.add_port(Port(PORTS + extra)) for extra in range(PEER_CHANGES)]
        side.rule += [peer.add_rule(Rule(RULES + extra)) for extra in range(PEER_CHANGES)]
        empty.append(peer.empty_command())


class Ours:
    """nshell with its hypervisors and `plugged` interfaces, all seen, and only the hypervisors configured."""

    def __init__(self, started: Processes, ports: int, plugged: int, side: Side) -> None:
        self.ports, self.side = ports, side
        self.rules = RULES
        self.controller = Controller(started, "nshell")
        self.hypervisors = join(started, self.controller)
        for number, hypervisor in enumerate(self.hypervisors):
            mine = [port for port in workload.ports(plugged) if port.hypervisor == number]
            hypervisor.plug(BRIDGE, [(port.interface, full_name(port.name)) for port in mine])
        self.controller.wait_interfaces(plugged)

    def bulk(self) -> None:
        controller, cpu = self.controller, self.controller.cpu
        self.side.bulk.append(controller.commit("network", HYPERVISORS, ports=self.ports, rules=RULES))
        self.side.cpu.append(controller.cpu - cpu)
        self.side.memory.append(controller.memory)
        self.side.flows.append(sum(self.flow_counts()))

    def add_port(self) -> None:
        self.side.port.append(self.controller.commit("port", HYPERVISORS, number=self.ports))
        self.ports += 1

    def add_rule(self) -> None:
        self.side.rule.append(self.controller.commit("rule", HYPERVISORS, number=self.rules))
        self.rules += 1

    def flow_counts(self) -> list[int]:
        return [hypervisor.flow_count(BRIDGE) for hypervisor in self.hypervisors]


def our_cycle(many: Side, few: Side, idle: Side) -> None:
    """All sizes at once, so that what else the machine does hits them alike."""
    with processes() as first, processes() as second, processes() as third:
        sides = [
            Ours(first, PORTS, PORTS + OUR_CHANGES, many),
            Ours(second, FEW_PORTS, FEW_PORTS + OUR_CHANGES, few),
            Ours(third, FEW_PORTS, PORTS + OUR_CHANGES, idle),
        ]
        for side in sides:
            side.bulk()
        before = [side.flow_counts() for side in sides]
        for _ in range(OUR_CHANGES):
            for side in sides:
                side.add_port()
        for side, counts in zip(sides, before, strict=True):
            after = side.flow_counts()
            if any(more - less < OUR_CHANGES for less, more in zip(counts, after, strict=True)):
                raise RuntimeError(f"{OUR_CHANGES} ports were verified, but flows went from {counts} to {after}")
        for _ in range(OUR_CHANGES):
            for side in sides:
                side.add_rule()


def join(started: Processes, controller: Controller) -> list[Hypervisor]:
    """Four Open vSwitch pointed at the controller and admitted by it; their bridges are there and ready."""
    names = [f"hv{number}" for number in range(HYPERVISORS)]
    controller.ask("hypervisors", names=names)
    hypervisors = [start_hypervisor(started, name, {"nshell-datapath": "dummy"}) for name in names]
    for hypervisor in hypervisors:
        hypervisor.vsctl("set-manager", f"tcp:127.0.0.1:{controller.ovsdb_port}", wait=False)
    for hypervisor in hypervisors:
        wait_until(lambda: hypervisor.has_bridge(BRIDGE), f"{BRIDGE} on {hypervisor.name}")  # noqa: B023
    controller.wait_ready(HYPERVISORS)
    return hypervisors


def measure() -> Iterator[Row]:
    release = ovn.version()
    peer, ours, few, idle, empty = Side(), Side(), Side(), Side(), list[float]()
    for _ in range(CYCLES):
        ovn_cycle(peer, empty)
        our_cycle(ours, few, idle)
    yield Row(
        f"empty to all flows verified, {PORTS:,} ports (OVN {release})",
        median(ours.bulk), median(peer.bulk), MOST_BULK, "s",
        "interfaces plugged before; ours: Fabric.commit of everything until all receipts are verified; peer: one "
        "ovn-nbctl --wait=hv transaction until it returns and all ports are up", samples(ours.bulk, peer.bulk),
    )  # fmt: skip
    yield Row(
        "  info: CPU of the control plane for that", median(ours.cpu), median(peer.cpu), None, "s",
        "ours: the controller process, peer: ovn-northd and the four ovn-controllers",
        samples(ours.cpu, peer.cpu),
    )  # fmt: skip
    port_ms, peer_port_ms = median(ours.port) * 1000, median(peer.port) * 1000
    yield Row(
        "one more port, already plugged", port_ms, peer_port_ms, MOST_PORT, "ms",
        "ours: Fabric.commit until verified on all four hypervisors; peer: ovn-nbctl --wait=hv, of which the program "
        f"itself costs {median(empty) * 1000:.0f} ms", samples(ours.port, peer.port),
    )  # fmt: skip
    yield Row(
        f"one more port at {PORTS:,} ports, beside the same at {FEW_PORTS}", port_ms, median(few.port) * 1000,
        MOST_GROWTH, "ms", "both sides nshell, as above, running at once and changed in turn",
        samples(ours.port, few.port),
    )  # fmt: skip
    yield Row(
        f"  info: the same, {PORTS:,} interfaces plugged on both sides", port_ms,
        median(idle.port) * 1000, None, "ms", "what is left of the growth without ovs-vswitchd's own: each turn of its "
        "main loop costs CPU by the interface (0.6 ms with 30, 1.8 ms with 250 dummy ones, measured), and four of them "
        "share this machine", samples(ours.port, idle.port),
    )  # fmt: skip
    yield Row(
        "one more rule on the group", median(ours.rule) * 1000, median(peer.rule) * 1000, MOST_RULE, "ms",
        "ours: Fabric.commit of an entry and its macro until verified on all four; peer: ovn-nbctl --wait=hv acl-add",
        samples(ours.rule, peer.rule),
    )  # fmt: skip
    yield Row(
        "  info: memory of the control plane", median(ours.memory), median(peer.memory), None, "MiB",
        "resident after everything is programmed; ours: the controller process; peer: ovn-northd and four "
        "ovn-controllers, without OVN's databases", samples(ours.memory, peer.memory),
    )  # fmt: skip
    yield Row(
        "  info: flows on all four hypervisors", median(ours.flows), median(peer.flows), None, "",
        "as the switches count them", samples(ours.flows, peer.flows),
    )  # fmt: skip


def samples(ours: list[float] | list[int], peer: list[float] | list[int]) -> dict[str, list[float]]:
    return {"ours": [float(each) for each in ours], "peer": [float(each) for each in peer]}
