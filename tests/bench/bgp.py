"""100,000 VPNv4 routes: announced to GoBGP and received from it, beside GoBGP telling them to FRR, in one run.

    ours, announcing ──100,000──> GoBGP (route reflector) ──100,000──> FRR bgpd
                                                          └─100,000──> ours, receiving

All on one bridge, each router in its own namespace. The three transfers follow one another, so each has the machine to
itself, and each round begins with no routes anywhere.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from os_ken.lib.packet.bgp import BGPMessage  # type: ignore[import-untyped]

from agent.host import run
from controller.bgp.wire import Decoder, encode_updates, update_body
from tests.bench.bgp_ours import OURS, TENANTS, TIMEOUT, Ours
from tests.bench.measure import (
    Processes,
    Row,
    Unavailable,
    cpu_seconds,
    median,
    processes,
    resident,
    timed,
    wait_until,
)
from tests.system.wan.bgp_speaking import vpn_routes
from tests.system.wan.peers import PeerNetwork

NAME = "bgp"
ROUTES = 100_000
ABOUT = f"{ROUTES:,} VPNv4 routes to GoBGP and back beside GoBGP to FRR"
ROUNDS = 3
LOOK = 0.05  # seconds between two looks at how many routes somebody has
MOST_DECODING = 0.5  # of the peer's time
PREFIX = "bwb"  # of namespaces and links


@dataclass(slots=True)
class Transfer:
    """One direction, an element a round: seconds until the receiver has all, CPU seconds and MiB at the highest of who
    sends and of who receives."""

    seconds: list[float] = field(default_factory=list)
    sender_cpu: list[float] = field(default_factory=list)
    receiver_cpu: list[float] = field(default_factory=list)
    sender_memory: list[float] = field(default_factory=list)
    receiver_memory: list[float] = field(default_factory=list)


class Bench:
    """The routers, running and with no routes; FRR's session is shut down."""

    def __init__(self, network: PeerNetwork, started: Processes) -> None:
        self.network, self.started = network, started
        for name in ("gobgp", "frr"):
            network.add(name)
        self.second = f"169.254.{network.subnet}.2"  # of ours, which receives
        run(["ip", "address", "add", f"{self.second}/24", "dev", network.bridge])
        neighbours = (network.here, self.second, network.address("frr"))
        self.gobgp = network.gobgp("gobgp", _reflector(neighbours))
        self.frr = network.frr("frr", *_listening(network.address("gobgp")))

    def pid(self, name: str) -> int:
        process = self.gobgp.process if name == "gobgp" else self.frr.process("bgpd")
        if process is None:
            raise RuntimeError(f"{name} has ended")
        return process.pid

    def told(self, address: str) -> int:
        """Routes that GoBGP has from a neighbour."""
        for one in self.gobgp.show("neighbor"):
            if one["state"]["neighbor_address"] == address:
                return sum(int(each["state"].get("received", 0)) for each in one["afi_safis"])
        return 0

    def heard(self) -> int | None:
        """Routes that FRR has from GoBGP; None before the session is up."""
        said = self.frr.show("show bgp ipv4 vpn summary json")
        peer = said.get("peers", {}).get(self.network.address("gobgp"), {})
        return int(peer["pfxRcd"]) if peer.get("state") == "Established" else None

    def session(self, up: bool) -> None:
        """FRR's with GoBGP."""
        shut = f" {'no ' if up else ''}neighbor {self.network.address('gobgp')} shutdown"
        self.frr.configure([f"router bgp {OURS}", shut])


def measure() -> Iterator[Row]:
    if absent := [one for one in ("gobgpd", "gobgp", "vtysh") if shutil.which(one) is None]:
        raise Unavailable(f"no {', '.join(absent)} (make bench installs frr, gobgpd)")
    announced, received, peers = Transfer(), Transfer(), Transfer()
    for _ in range(ROUNDS):
        with processes() as started, PeerNetwork(PREFIX) as network:
            one_round(Bench(network, started), announced, received, peers)
    shape = f"{ROUTES:,} routes over {TENANTS} route targets, median of {ROUNDS} rounds"
    yield row("VPNv4 routes announced to GoBGP", announced.seconds, peers.seconds, "s",
              f"{shape}: from the call that announces them until GoBGP has all; peer: GoBGP to FRR, from session "
              "established until FRR has all")  # fmt: skip
    yield row("VPNv4 routes received from GoBGP", received.seconds, peers.seconds, "s",
              f"{shape}: from session established until policy and best path are done; peer: as above")  # fmt: skip
    yield row("  info: announced", rates(announced), rates(peers), "/s")
    yield row("  info: received", rates(received), rates(peers), "/s")
    yield row("  info: CPU of announcing", announced.sender_cpu, peers.sender_cpu, "s", "our processes; peer: gobgpd")
    yield row("  info: CPU of receiving", received.receiver_cpu, peers.receiver_cpu, "s", "our processes; peer: bgpd")
    yield row("  info: memory of who announced", announced.sender_memory, peers.sender_memory, "MiB",
              "at the highest, our processes; peer: gobgpd, which has received them before")  # fmt: skip
    yield row("  info: memory of who received", received.receiver_memory, peers.receiver_memory, "MiB",
              "at the highest, our processes, rib included; peer: bgpd")  # fmt: skip
    yield decoding()


def decoding() -> Row:
    """The codec alone, in this process."""
    messages = encode_updates(vpn_routes(ROUTES, next_hop="192.0.2.1", targets=TENANTS))

    def ours() -> None:
        decoder = Decoder()
        held = sum(len(decoder.update(update_body(message)).announced) for message in messages)
        if held != ROUTES:
            raise RuntimeError(f"of {ROUTES:,} routes {held:,} were decoded")

    def peer() -> None:
        for message in messages:
            BGPMessage.parser(message)

    samples = {"ours": [timed(ours) for _ in range(ROUNDS)], "peer": [timed(peer) for _ in range(ROUNDS)]}
    return Row(f"{ROUTES:,} VPNv4 routes decoded", median(samples["ours"]), median(samples["peer"]), MOST_DECODING, "s",
               f"{len(messages)} messages, one process; peer: os-ken's bgp.BGPMessage.parser", samples)  # fmt: skip


def one_round(bench: Bench, announced: Transfer, received: Transfer, peers: Transfer) -> None:
    """All three transfers, of routes that nobody has yet."""
    sender = Ours(bench.started, "announcing", bench.network.here, bench.network.address("gobgp"))
    sender.ask("connect")
    spent, gobgp = sender.cpu, cpu_seconds(bench.pid("gobgp"))
    reply = sender.ask("announce", count=ROUTES)
    wait_until(lambda: bench.told(bench.network.here) >= ROUTES, "GoBGP to have them", timeout=TIMEOUT, interval=LOOK)
    announced.seconds.append(time.perf_counter() - float(reply["began"]))
    announced.sender_cpu.append(sender.cpu - spent)
    announced.receiver_cpu.append(cpu_seconds(bench.pid("gobgp")) - gobgp)
    announced.sender_memory.append(sender.memory)
    announced.receiver_memory.append(resident(bench.pid("gobgp"), peak=True))
    to_frr(bench, peers)
    receiver = Ours(bench.started, "receiving", bench.second, bench.network.address("gobgp"))
    spent, gobgp = receiver.cpu, cpu_seconds(bench.pid("gobgp"))
    reply = receiver.ask("receive", count=ROUTES)
    if (reply["held"], reply["refused"]) != (ROUTES, 0):
        raise RuntimeError(f"of {ROUTES:,} routes there are {reply['held']:,}, {reply['refused']:,} of them refused")
    received.seconds.append(float(reply["seconds"]))
    received.sender_cpu.append(cpu_seconds(bench.pid("gobgp")) - gobgp)
    received.receiver_cpu.append(receiver.cpu - spent)
    received.sender_memory.append(resident(bench.pid("gobgp"), peak=True))
    received.receiver_memory.append(receiver.memory)
    for one in (receiver, sender):
        one.stop()


def to_frr(bench: Bench, peers: Transfer) -> None:
    """GoBGP tells FRR all that it has."""
    gobgp, bgpd = bench.pid("gobgp"), bench.pid("frr")
    before = cpu_seconds(gobgp), cpu_seconds(bgpd)
    bench.session(up=True)
    wait_until(lambda: bench.heard() is not None, "FRR's session", timeout=TIMEOUT, interval=0.005)
    began = time.perf_counter()
    wait_until(lambda: (bench.heard() or 0) >= ROUTES, "FRR to have them", timeout=TIMEOUT, interval=LOOK)
    peers.seconds.append(time.perf_counter() - began)
    peers.sender_cpu.append(cpu_seconds(gobgp) - before[0])
    peers.receiver_cpu.append(cpu_seconds(bgpd) - before[1])
    peers.sender_memory.append(resident(gobgp, peak=True))
    peers.receiver_memory.append(resident(bgpd, peak=True))
    bench.session(up=False)
    wait_until(lambda: bench.heard() is None, "FRR's session to end", timeout=TIMEOUT)


def rates(transfer: Transfer) -> list[float]:
    return [ROUTES / one for one in transfer.seconds]


def row(name: str, ours: list[float], peer: list[float], unit: str, measured: str = "") -> Row:
    """No target: what the figures are for is to know at which size the speaker should be another."""
    return Row(name, median(ours), median(peer), None, unit, measured, {"ours": ours, "peer": peer})


def _reflector(neighbours: tuple[str, ...]) -> str:
    """GoBGP's configuration: VPNv4 from each of them to each other."""
    some = "".join(
        f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{one}"\npeer-as = {OURS}\n'
        "[neighbors.timers.config]\nconnect-retry = 1\n"
        "[neighbors.route-reflector.config]\nroute-reflector-client = true\n"
        'route-reflector-cluster-id = "10.255.0.12"\n'
        '[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "l3vpn-ipv4-unicast"\n'
        for one in neighbours
    )
    return f'[global.config]\nas = {OURS}\nrouter-id = "10.255.0.12"\nport = 179\n{some}'


def _listening(gobgp: str) -> list[str]:
    """FRR's configuration: VPNv4 from GoBGP, once the session may be."""
    return [
        f"router bgp {OURS}",
        " bgp router-id 10.255.0.11",
        " no bgp default ipv4-unicast",
        f" neighbor {gobgp} remote-as {OURS}",
        f" neighbor {gobgp} timers connect 1",
        f" neighbor {gobgp} shutdown",
        " address-family ipv4 vpn",
        f"  neighbor {gobgp} activate",
        " exit-address-family",
    ]
