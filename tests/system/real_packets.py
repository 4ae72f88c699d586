"""Real frames through the switches of `traced.py`: put in at a vport's interface, looked for at all the others.

The hypervisors' tunnels are real: VXLAN by native tunnelling, over a br-phy in each that is linked to the others' by
dummy interfaces with sockets. Each frame bears a tag, and what comes out of an interface is in its pcap file. Nothing
is waited for by the clock: a fence is a frame that takes the same links after all others, so that when it has come
through twice, whatever was to come has come.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from controller.compile import Location
from tests.system.random_policies import HYPERVISORS, PORTS
from tests.system.traced import Hypervisor, fabric

_FENCE, _SINK = 100, 101  # OpenFlow ports of br-phy
_LINK = 1  # and the first of its links
_FENCE_TYPE = 0x88B5  # IEEE 802: for local experiments
_PATIENCE = 60.0  # seconds for a fence; 0.05 on a machine with nothing else to do


class Pcap:
    """What came out of one interface since it was last looked at."""

    def __init__(self, file: Path) -> None:
        self._file, self._at = file, 24  # behind the file's own header

    def frames(self) -> list[bytes]:
        """Those that are whole."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return []
        found, at = [], 0
        while at + 16 <= len(data):
            (length,) = struct.unpack_from("=I", data, at + 8)
            if at + 16 + length > len(data):
                break
            found.append(data[at + 16 : at + 16 + length])
            at += 16 + length
        self._at += at
        return found


class RealPackets:
    """The switches with their links. `hypervisors` as `traced.fabric` gives them."""

    def __init__(self, hypervisors: Mapping[str, Hypervisor]) -> None:
        self.hypervisors = hypervisors
        self._ports: dict[Location, Pcap] = {}
        self._sinks: dict[str, Pcap] = {}
        self._fences = 0
        for number, name in enumerate(HYPERVISORS, 1):
            self._wire(number, hypervisors[name])
        for name in HYPERVISORS:
            for other in HYPERVISORS:
                if other != name:
                    self._flow(name, f"ip,nw_dst={_address(other)},actions=output:{_link(other)}")
            self._flow(name, f"priority=9,ip,nw_dst={_address(name)},actions=LOCAL")
            links = ",".join(f"output:{_link(other)}" for other in HYPERVISORS if other != name)
            self._flow(name, f"priority=9,in_port={_FENCE},actions={links}")
            self._flow(name, f"priority=8,dl_type=0x{_FENCE_TYPE:x},actions=output:{_SINK}")

    def _wire(self, number: int, hypervisor: Hypervisor) -> None:
        """Its br-phy with address and links, and pcap files for all its interfaces."""
        ovs, directory = hypervisor.ovs, hypervisor.ovs.directory
        ovs.vsctl("add-br", "br-phy", "--", "set", "Bridge", "br-phy", "datapath_type=dummy", "fail_mode=secure",
                  "protocols=OpenFlow14", f"other-config:hwaddr={_mac(hypervisor.name)}")  # fmt: skip
        for name in ("fence", "sink"):
            self._add(hypervisor, name, _FENCE if name == "fence" else _SINK, f"options:tx_pcap={directory / name}")
        for other in HYPERVISORS:
            if other == hypervisor.name:
                continue
            first, second = sorted((hypervisor.name, other))
            path = self.hypervisors[first].ovs.directory / f"link-{second}"
            kind = f"pstream=punix:{path}" if hypervisor.name == first else f"stream=unix:{path}"
            self._add(hypervisor, f"to-{other}", _link(other), f"options:{kind}")
        self.ask(hypervisor.name, "netdev-dummy/ip4addr", "br-phy", f"{_address(hypervisor.name)}/24")
        self.ask(hypervisor.name, "ovs/route/add", "172.31.0.0/24", "br-phy")
        for other in HYPERVISORS:
            if other != hypervisor.name:
                self.ask(hypervisor.name, "tnl/neigh/set", "br-phy", _address(other), _mac(other))
        self._sinks[hypervisor.name] = Pcap(directory / "sink")
        for port in range(1, PORTS + 1):
            file = directory / f"p{port}.pcap"
            ovs.vsctl("set", "Interface", f"p{port}", f"options:tx_pcap={file}")
            self._ports[Location(hypervisor.name, port)] = Pcap(file)

    def _add(self, hypervisor: Hypervisor, name: str, port: int, *options: str) -> None:
        hypervisor.ovs.vsctl("add-port", "br-phy", name, "--", "set", "Interface", name, "type=dummy",
                             f"ofport_request={port}", *options)  # fmt: skip

    def _flow(self, name: str, flow: str) -> None:
        self.hypervisors[name].ovs.ofctl("add-flow", flow, bridge="br-phy")

    def ask(self, name: str, method: str, *words: str) -> str:
        """What ovs-vswitchd answers to a command of ovs-appctl."""
        return self.hypervisors[name].ask(method, *words)

    def forget(self) -> None:
        """Has the switches forget datapath flows and connections."""
        for name in HYPERVISORS:
            self.ask(name, "revalidator/purge")
            self.ask(name, "dpctl/flush-conntrack")

    async def send(self, frames: Sequence[tuple[Location, bytes]]) -> dict[Location, list[bytes]]:
        """Puts frames in, each at an interface; what came out, and where."""
        for where, frame in frames:
            self.ask(where.dvrs, "netdev-dummy/receive", f"p{where.port}", frame.hex())
        await self._fence()
        await self._fence()
        found = {where: pcap.frames() for where, pcap in self._ports.items()}
        return {where: came for where, came in found.items() if came}

    async def _fence(self) -> None:
        """Returns when a frame that follows all others has gone from everywhere to everywhere."""
        self._fences += 1
        frame = b"\xff" * 6 + b"\x02" + bytes(5) + struct.pack("!HI40x", _FENCE_TYPE, self._fences)
        for name in HYPERVISORS:
            self.ask(name, "netdev-dummy/receive", "fence", frame.hex())
        missing = dict.fromkeys(HYPERVISORS, len(HYPERVISORS) - 1)
        async with asyncio.timeout(_PATIENCE):
            while any(missing.values()):
                for name, sink in self._sinks.items():
                    missing[name] -= sum(one[:18] == frame[:18] for one in sink.frames())
                await asyncio.sleep(0.002)


def _address(name: str) -> str:
    return f"172.31.0.{HYPERVISORS.index(name) + 1}"


def _mac(name: str) -> str:
    return f"02:00:ac:1f:00:{HYPERVISORS.index(name) + 1:02x}"


def _link(name: str) -> int:
    return _LINK + HYPERVISORS.index(name)


@asynccontextmanager
async def wired() -> AsyncIterator[RealPackets]:
    """The switches, linked and empty."""
    async with fabric(tunnels=True) as hypervisors:
        yield await asyncio.to_thread(RealPackets, hypervisors)
