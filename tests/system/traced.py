"""Real switches that are given a case's flows, and packets followed through them by ofproto/trace.

Each hypervisor is an ovs-vswitchd of its own. The flows come from the compiler over the OpenFlow connection that the
controller uses. A packet is followed from its vport's port; when it leaves by the tunnel, on from the tunnel port of
the hypervisor at the other end. ofproto/trace tracks no connections: it is told what conntrack says.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from controller.compile import Location, Placement, State, compile_all, start
from controller.compile.layered import Layered
from controller.numbers import Numbers
from controller.openflow.connection import Switch
from controller.openflow.packed import as_delete_strict
from controller.openflow.server import OpenFlowServer
from data.acting import Acting, acting_edits
from data.candidate import Candidate
from data.configuration import Overlay, Running
from data.path import Path
from data.rules import check
from data.steps import at_once
from tests.system.ovs import RealOvs
from tests.system.random_policies import HYPERVISORS, PORTS, Case
from tests.system.reference import Packet

TUNNEL_PORT = 65000
_STATES = {
    "new": "trk,new", "established": "trk,est", "reply": "trk,est,rpl", "related": "trk,rel", "invalid": "trk,inv",
}  # fmt: skip
_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp"}
_HEADER = re.compile(r"\b(dl_src|dl_dst|nw_ttl)=([^,\s]+)")


class InvalidCase(AssertionError):
    """The generator made what no commit accepts."""


class Hypervisor:
    """One real switch: what it holds, its OpenFlow connection, and its control socket, to trace by."""

    def __init__(self, name: str, ovs: RealOvs) -> None:
        self.name, self.ovs = name, ovs
        self.held: Mapping[bytes, bytes] = {}
        self.switch: Switch
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(str(ovs.directory / "ovs-vswitchd.ctl"))
        self.decoder = json.JSONDecoder()

    async def program(self, contents: Mapping[bytes, bytes]) -> None:
        """Turn what it holds into `contents`, in one bundle."""
        changes = [message for key, message in contents.items() if self.held.get(key) != message]
        changes += [as_delete_strict(message) for key, message in self.held.items() if key not in contents]
        bundle = self.switch.bundle()
        await bundle.open()
        await bundle.add(changes)
        await bundle.close()
        await bundle.commit()
        self.held = contents
        assert await self.switch.flow_count() == len(contents)

    def trace(self, flow: str, states: Iterable[str]) -> str:
        """What ofproto/trace says."""
        words = ["br-nsh", flow]
        for state in states:
            words += ["--ct-next", _STATES[state]]
        return self.ask("ofproto/trace", *words)

    def ask(self, method: str, *words: str) -> str:
        """A command by the protocol of ovs-appctl, which takes a hundredth of its time."""
        self.control.sendall(json.dumps({"method": method, "params": words, "id": 0}).encode())
        text = ""
        while True:
            text += self.control.recv(1 << 20).decode()
            try:
                answer, _ = self.decoder.raw_decode(text)
            except ValueError:
                continue
            assert answer["error"] is None, f"{method} {' '.join(words)}: {answer['error']}"
            told: str = answer["result"] or ""
            return told


@asynccontextmanager
async def fabric(*, tunnels: bool = False) -> AsyncIterator[dict[str, Hypervisor]]:
    """The hypervisors, connected and empty; with real `tunnels`, or such as only ofproto/trace leads through."""
    with _switches(tunnels) as hypervisors:
        arrived: asyncio.Queue[Switch] = asyncio.Queue()
        server = OpenFlowServer(arrived.put)
        port = await server.start("127.0.0.1", 0)
        try:
            for hypervisor in hypervisors.values():
                await asyncio.to_thread(hypervisor.ovs.vsctl, "set-controller", "br-nsh", f"tcp:127.0.0.1:{port}")
                hypervisor.switch = await asyncio.wait_for(arrived.get(), 10)
                hypervisor.ovs.ofctl("del-flows")
            yield hypervisors
        finally:
            await server.close()


@contextmanager
def _switches(tunnels: bool) -> Iterator[dict[str, Hypervisor]]:
    started: list[RealOvs] = []
    try:
        hypervisors = {}
        for name in HYPERVISORS:
            ovs = RealOvs(name, tunnels=tunnels)
            started.append(ovs)
            ovs.start()
            ovs.add_bridge(ports=PORTS)
            ovs.vsctl(
                "add-port", "br-nsh", "nsh-vxlan", "--", "set", "Interface", "nsh-vxlan", "type=vxlan",
                "options:remote_ip=flow", "options:key=flow", f"ofport_request={TUNNEL_PORT}",
            )  # fmt: skip
            hypervisors[name] = Hypervisor(name, ovs)
        yield hypervisors
    finally:
        for ovs in started:
            ovs.stop()


def compiled(made: Case) -> State:
    """The state of a case, as a commit of its lines makes it."""
    running = Running()
    candidate = Candidate(running, "test")
    candidate.apply_batch(made.lines, "test")
    edits, acting = candidate.edits(), Acting(running)
    acts = acting_edits(acting, edits)
    if problems := check(Overlay(acting, acts), acts, acting, Overlay(running, edits)):
        raise InvalidCase(f"seed {made.seed}: {problems}")
    acting.apply(edits, acts, 1)
    places = {}
    for (enterprise, name), where in made.places.items():
        body = acting.get(("enterprise", enterprise, "domain", "prod", "vport", name))
        if body is not None:
            places[body.uuid] = where
    placement = Placement(dict.fromkeys(HYPERVISORS, TUNNEL_PORT), Layered(places))
    return at_once(start(acting, placement, Numbers()))


async def program(hypervisors: Mapping[str, Hypervisor], state: State) -> None:
    for name, hypervisor in hypervisors.items():
        await hypervisor.program(at_once(compile_all(state, name)))


class Journey:
    """A packet followed through the switches: `arrived` says where it came out, `told` what ofproto/trace said."""

    def __init__(self, hypervisors: Mapping[str, Hypervisor], state: State, sender: Path, packet: Packet) -> None:
        self.hypervisors, self.state = hypervisors, state
        self.told = ""
        self.arrived: list[Location] = []
        place = state.place(sender)
        assert place is not None
        flow = f"in_port={place.location.port},dl_src={packet.mac},dl_dst={self._next_hop(sender, packet)}"
        self._follow(place.location.dvrs, flow, packet, 64, [packet.ingress, packet.egress])

    def _next_hop(self, sender: Path, packet: Packet) -> str:
        """The MAC address it is sent to: that of the receiver in the same subnet, or the gateway's."""
        own = self.state.place(sender)
        for name in self.state.view.children(sender[:4], "vport"):
            place = self.state.place((*sender[:4], "vport", name))
            if place and own and place.subnet == own.subnet and packet.destination in place.vport.address:
                assert place.vport.mac is not None
                return place.vport.mac
        return self.state.gateway_mac().hex(":")

    def _follow(self, name: str, entry: str, packet: Packet, ttl: int, states: list[str]) -> None:
        told = self.hypervisors[name].trace(f"{entry},{_fields(packet, ttl)}", states)
        self.told += f"--- {name}\n{told}\n"
        tunnel = {"tun_id": "", "tun_dst": ""}
        for line in told.splitlines():
            step = line.strip()
            if step.startswith("set_field:") and (target := step.partition("->")[2]) in tunnel:
                tunnel[target] = step[len("set_field:") :].partition("->")[0]
            elif step.startswith("output:"):
                port = int(step[len("output:") :])
                if port != TUNNEL_PORT:
                    self.arrived.append(Location(name, port))
                    continue
                there = HYPERVISORS[int(tunnel["tun_dst"].rpartition(".")[2]) - 1]
                assert there != name, f"a packet that {name} sends to itself\n{self.told}"
                header = dict(_HEADER.findall(told.rpartition("Final flow:")[2].partition("\n")[0]))
                onward = f"in_port={TUNNEL_PORT},tun_id={tunnel['tun_id']}"
                onward += f",dl_src={header['dl_src']},dl_dst={header['dl_dst']}"
                self._follow(there, onward, packet, int(header["nw_ttl"]), states[1:])


def _fields(packet: Packet, ttl: int) -> str:
    """The packet in the syntax of ovs-fields(7)."""
    six = ":" in packet.source
    name = _NAMES.get(packet.protocol)
    if six and packet.fragment == "later":  # the fragment header is what Open vSwitch shows, whatever is behind it
        text = "ipv6,nw_proto=44"
    elif name is None or (name in ("icmp", "icmp6") and six is not (name == "icmp6")):
        text = f"{'ipv6' if six else 'ip'},nw_proto={packet.protocol}"
    else:
        text = f"{name}6" if six and name != "icmp6" else name
    kind = "ipv6" if six else "nw"
    text += f",{kind}_src={packet.source},{kind}_dst={packet.destination},nw_tos={(packet.dscp or 0) << 2},nw_ttl={ttl}"
    if packet.source_port is not None:
        text += f",{name}_src={packet.source_port},{name}_dst={packet.destination_port}"
    if packet.icmp_type is not None:
        kind = "icmpv6" if six else "icmp"
        text += f",{kind}_type={packet.icmp_type},{kind}_code={packet.icmp_code}"
    return text + f",nw_frag={packet.fragment}"
