"""The kinds of packet test that the demo's expectations name (examples/demo/expectations.toml).

Each is a function of the lab and the test's settings; it sends real packets and gives whether what happened is
what was expected, with what was seen in words.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from nshell.lab import packets
from nshell.lab.lab import Lab
from nshell.lab.probing import wait_until

FRAMES = 5  # forged frames per test
COUNTED_WITHIN = 4.0  # seconds until Open vSwitch adds datapath counters to its flows
BLOCKED = ("timeout", "unreachable")
ALIVE_WITHIN = 8.0  # seconds for a server that has just begun to be probed, and the dead one to be left out
TOLD_WITHIN = 20.0  # seconds until BGP has told both ends, and both have done what it says
READ_WITHIN = 15.0  # seconds until the switches' counters were read, every 2 s in the demo
UNCOUNTED = 20  # packets that a machine sent before its port was a vport's, or while a switch learned a connection


@dataclass(slots=True)
class Scene:
    """The lab, and what is kept for a later test."""

    lab: Lab
    ask: Callable[[str], Any]
    """The answer of the demo's nshell to a command, as data."""
    flows: dict[str, set[str]] = field(default_factory=dict)

    def keep_flows(self, hypervisor: str) -> None:
        """Remember a hypervisor's flows for `same_flows`."""
        self.flows[hypervisor] = _flows(self.lab, hypervisor)


@dataclass(frozen=True, slots=True)
class Seen:
    """The outcome of a test."""

    ok: bool
    words: str


Settings = Mapping[str, Any]


def ping(scene: Scene, test: Settings) -> Seen:
    """Three echo requests: all answered (with the TTL that is expected), or none."""
    silent = test["expect"] == "silent"
    report = scene.lab.ping(test["from"], test["to"], timeout=0.5 if silent else 2.0)
    ttl = f", ttl {report.ttl[0]}" if report.ttl else ""
    if silent:
        return Seen(report.received == 0, f"{report.received} of {report.sent} answered{ttl}")
    as_expected = report.ok and ("ttl" not in test or report.ttl == (test["ttl"],))
    return Seen(as_expected, f"{report.received} of {report.sent} answered{ttl}")


def tcp(scene: Scene, test: Settings) -> Seen:
    """A TCP connect to a port where a server really listens."""
    with scene.lab.tcp_server(test["to"], test["port"]):
        report = scene.lab.tcp(test["from"], test["to"], test["port"], timeout=1.0)
    words = f"{report.result}{' and echoed' if report.echoed else ''}"
    return Seen(report.echoed if test["expect"] == "connected" else report.result in BLOCKED, words)


def service(scene: Scene, test: Settings) -> Seen:
    """A TCP connection to a virtual address while these machines serve it: they have to be found alive first."""
    connected = test["expect"] == "connected"
    with ExitStack() as stack:
        for server in test["servers"]:
            stack.enter_context(scene.lab.tcp_server(server, test["port"]))
        started = time.monotonic()
        answered = wait_until(
            lambda: scene.lab.tcp(test["from"], test["to"], test["port"], timeout=0.5).echoed,
            ALIVE_WITHIN if connected else 2.0,
        )
        took = time.monotonic() - started
    words = f"connected after {took:.1f} s and echoed" if answered else "no answer"
    return Seen(answered is connected, words)


def beyond(scene: Scene, test: Settings) -> Seen:
    """Three echo requests answered across the edge of the fabric, in a tunnel of this kind in both directions."""
    started = time.monotonic()
    told = wait_until(lambda: scene.lab.ping(test["from"], test["to"], count=1, timeout=0.5).ok, TOLD_WITHIN)
    took = time.monotonic() - started
    with scene.lab.capture(test["hypervisor"], test["filter"]) as uplink:
        report = scene.lab.ping(test["from"], test["to"])
    carried = [line for line in uplink.lines if test["carried"] in line]
    ends = [tuple(re.findall(r"(?:label|vni) (\d+)", line)) for line in carried if "echo" in line]
    numbers = sorted({number for one in ends for number in one})
    words = f"{report.received} of {report.sent} answered, {len(ends)} packets by {test['tunnel']} {'/'.join(numbers)}"
    return Seen(told and report.ok and len(ends) >= 2 * report.sent, f"{words}; told after {took:.1f} s")


def udp(scene: Scene, test: Settings) -> Seen:
    """A UDP datagram to a server: answered, or never seen by it."""
    with scene.lab.udp_server(test["to"], test["port"]) as server:
        answers = scene.lab.udp(test["from"], test["to"], test["port"], source_port=test.get("source_port", 0))
    received = server.report["received"]
    words = f"{received} received, {answers} answered"
    return Seen(answers == 1 if test["expect"] == "answered" else received == 0, words)


def forged_tcp(scene: Scene, test: Settings) -> Seen:
    """A TCP segment made by hand, of no connection; the receiver must not see it."""
    source, target = scene.lab.machines[test["from"]], scene.lab.machines[test["to"]]
    segment = packets.tcp(source.ip, target.ip, test["source_port"], test["port"], test["flags"], 1, 1)
    gateway = scene.lab.arp(source.name, str(source.gateway))[0]
    frame = packets.ethernet(
        gateway, source.mac, packets.ETHERTYPE_IPV4, packets.ipv4(source.ip, target.ip, 6, segment)
    )
    seen = _frames_at(scene, test["to"], test["from"], frame)
    return Seen(not seen, f"{len(seen)} of {FRAMES} seen by {test['to']}")


def same_host(scene: Scene, test: Settings) -> Seen:
    """Routed on one host: received with TTL 63, and no tunnel packet on the uplink."""
    with (
        scene.lab.capture(test["hypervisor"], "udp port 4789") as uplink,
        scene.lab.watch(test["to"]) as watched,
    ):
        report = scene.lab.ping(test["from"], test["to"])
    ttls = sorted({one["ttl"] for one in watched.report["frames"] if one["kind"] == "icmp"})
    words = f"{report.received} of {report.sent} answered, arrived with ttl {ttls}, {len(uplink.lines)} on the uplink"
    return Seen(report.ok and ttls == [63] and not uplink.lines, words)


def no_multicast(scene: Scene, test: Settings) -> Seen:
    """An ARP broadcast for an unknown address and a ping: no outer multicast on any uplink."""
    captures = [scene.lab.capture(name, "ether multicast and not ether broadcast") for name in scene.lab.hypervisors]
    try:
        scene.lab.arp(test["from"], test["unknown"], timeout=0.3)
        report = scene.lab.ping(test["from"], test["to"])
    finally:
        multicast = sum(len(capture.stop()) for capture in captures)
    return Seen(report.ok and multicast == 0, f"{multicast} multicast packets on {len(captures)} uplinks")


def spoof(scene: Scene, test: Settings) -> Seen:
    """Forged frames: none arrives, and a drop flow of the sender's switch counts every one."""
    source, target = scene.lab.machines[test["from"]], scene.lab.machines[test["to"]]
    echo = packets.icmp_echo()
    if test["lie"] == "mac":
        body = packets.ipv4(source.ip, target.ip, 1, echo)
        frame = packets.ethernet(target.mac, "02:99:99:99:99:99", packets.ETHERTYPE_IPV4, body)
    elif test["lie"] == "ip":
        body = packets.ipv4("10.1.1.77", target.ip, 1, echo)
        frame = packets.ethernet(target.mac, source.mac, packets.ETHERTYPE_IPV4, body)
    else:
        claim = packets.arp(2, source.mac, str(source.gateway), target.mac, target.ip)
        frame = packets.ethernet(target.mac, source.mac, packets.ETHERTYPE_ARP, claim)
    before = _dropped(scene.lab, test["hypervisor"])
    seen = _frames_at(scene, test["to"], test["from"], frame)

    def counted() -> int:
        after = _dropped(scene.lab, test["hypervisor"])
        return max((count - before.get(flow, 0) for flow, count in after.items()), default=0)

    wait_until(lambda: counted() >= FRAMES, COUNTED_WITHIN)
    number = counted()
    return Seen(not seen and number >= FRAMES, f"{len(seen)} of {FRAMES} arrived, {number} counted as dropped")


def isolated(scene: Scene, test: Settings) -> Seen:
    """One tenant's machine answers; the other tenant's machine with the same address sees nothing."""
    with scene.lab.watch(test["other"]) as other:
        report = scene.lab.ping(test["from"], test["to"])
    heard = other.report["count"]
    words = f"{report.received} of {report.sent} answered, {heard} frames at {test['other']}"
    return Seen(report.ok and heard == 0, words)


def same_flows(scene: Scene, test: Settings) -> Seen:
    """The hypervisor holds exactly the flows it held when they were remembered."""
    before, now = scene.flows.get(test["hypervisor"], set()), _flows(scene.lab, test["hypervisor"])
    return Seen(bool(now) and now == before, f"{len(now)} flows, {len(now - before)} new, {len(before - now)} gone")


def counted(scene: Scene, test: Settings) -> Seen:
    """What statistics say that a vport sent, in all, is what its machine says."""
    machine = scene.lab.machines[test["from"]]
    scene.lab.ping(machine.name, test["to"], count=100, rate=100.0)

    def numbers() -> tuple[int, int]:
        link = json.loads(scene.lab.exec(machine.name, ["ip", "-json", "-stats", "link", "show", "eth0"]).stdout)[0]
        rows = scene.ask(f"show statistics vport {machine.vport}")["rows"]
        total = next(row["total"] for row in rows if row["measure"] == "sends packets")
        return int(link["stats64"]["tx"]["packets"]), int(total or 0)

    def agree() -> bool:
        sent, told = numbers()
        return told <= sent <= told + UNCOUNTED

    ok = wait_until(agree, READ_WITHIN, 0.2)
    sent, told = numbers()
    return Seen(ok, f"{sent} packets sent since it was switched on, {told} counted")


KINDS: dict[str, Callable[[Scene, Settings], Seen]] = {
    one.__name__: one
    for one in (
        ping,
        tcp,
        service,
        beyond,
        udp,
        forged_tcp,
        same_host,
        no_multicast,
        spoof,
        isolated,
        same_flows,
        counted,
    )
}


def _frames_at(scene: Scene, receiver: str, sender: str, frame: bytes) -> list[Mapping[str, Any]]:
    """Send a forged frame FRAMES times; what of it the receiver saw (its own other traffic left aside)."""
    with scene.lab.watch(receiver) as watched:
        scene.lab.send_frames(sender, [frame], count=FRAMES)
        scene.lab.ping(sender, receiver, count=1)  # what was sent before it has arrived when it is answered
    forged = packets.described(frame)
    return [one for one in watched.report["frames"] if all(one.get(key) == value for key, value in forged.items())]


def _flow_lines(lab: Lab, hypervisor: str) -> list[str]:
    return [line for line in lab.ofctl(hypervisor, "dump-flows", "--no-names").splitlines() if "table=" in line]


def _flows(lab: Lab, hypervisor: str) -> set[str]:
    """A hypervisor's flows without their counters and ages."""
    return {
        re.sub(r" (duration|n_packets|n_bytes|idle_age|hard_age)=[^ ]*", "", line)
        for line in _flow_lines(lab, hypervisor)
    }


def _dropped(lab: Lab, hypervisor: str) -> dict[str, int]:
    """Packet counts of the flows that drop."""
    counts = {}
    for line in _flow_lines(lab, hypervisor):
        number = re.search(r"n_packets=(\d+)", line)
        if line.rstrip().endswith("actions=drop") and number is not None:
            counts[re.sub(r" (duration|n_packets|n_bytes|idle_age|hard_age)=[^ ]*", "", line)] = int(number[1])
    return counts
