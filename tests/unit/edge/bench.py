"""A small network whose subnet web1 serves everything, packets that its vports send, and what they are answered."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from controller.commit.planning import Change, draft
from controller.edge.context import EdgeContext
from controller.hypervisors.punted import Punted
from controller.openflow.actions import Action
from controller.openflow.packets import PacketIn
from controller.packets.headers import UDP, ip_frame, mac_bytes, udp
from controller.pipeline import Feature, Owner, Table, cookie
from data.addresses import Ip, address
from data.configuration import Edits
from data.path import Path
from data.schema.objects import Subnet, Vport
from tests.unit.controller.model import WEB, Model, vport, vport_path

ROUTER = "00:00:5e:00:01:01"
MAC, OTHER_MAC = "02:00:0a:01:01:02", "02:00:0a:01:01:03"
FOUR, SIX = "10.1.1.2", "2001:db8:1::2"
FIRST = vport_path(2)
PORT = 7  # OpenFlow port of vm-2 on hv1


class EdgeModel(Model):
    """Two hypervisors, what the controller sends out by them, and a clock that tests set."""

    def __init__(self, vports: int) -> None:
        super().__init__(vports=vports)
        self.time = 1000.0
        self.sent: list[tuple[str, bytes]] = []
        self.punted = Punted(self.network)
        self.context = EdgeContext(self.network, self.upkeep, self.punted, lambda: self.time)

    async def listen(self) -> None:
        """Both are there, and what is sent by them is kept."""
        await self.connect("hv1", "hv2")
        for name, switch in self.switches.items():
            switch.packet_out = lambda frame, actions, name=name: self._out(name, frame, actions)  # type: ignore[method-assign, misc]

    def _out(self, name: str, frame: bytes, actions: Sequence[Action]) -> bool:
        self.sent.append((name, frame))
        return True

    async def commit(self, edits: Edits) -> None:
        network = self.network
        made = await draft(network.running, edits, network.state, network.topology)
        for name, messages in made.messages.items():
            await network.channels[name].push(messages)
        network.commit(made, Change(edits, edits), network.running.revision + 1)
        await self.upkeep.idle()


class Bench(EdgeModel):
    """vm-2 on hv1 and vm-3 on hv2, with addresses of both families; a clock that tests set."""

    def __init__(self) -> None:
        super().__init__(2)

    async def begin(self, **leaves: object) -> None:
        """Everything is up; `leaves` are those of the subnet web1."""
        await self.listen()
        bodies = {n: msgspec.structs.replace(vport(n), address=(f"10.1.1.{n}", f"2001:db8:1::{n}")) for n in (2, 3)}
        await self.commit({vport_path(n): body for n, body in bodies.items()})
        self.attach("hv1", 2, PORT)
        self.attach("hv2", 3, PORT)
        await self.upkeep.idle()
        await self.serve(**{"ipv6_prefix": "2001:db8:1::/64", **leaves})

    async def serve(self, **leaves: object) -> None:
        """Changes leaves of the subnet web1."""
        subnet = self.network.running.get(WEB)
        assert isinstance(subnet, Subnet)
        await self.commit({WEB: msgspec.structs.replace(subnet, **leaves)})

    def vport(self, number: int = 2) -> Vport:
        found = self.network.running.get(vport_path(number))
        assert isinstance(found, Vport)
        return found

    def hear(self, feature: Feature, frame: bytes, path: Path = FIRST, dvrs: str = "hv1") -> list[bytes]:
        """A packet comes up; what is answered at once."""
        self.sent.clear()
        owner = Owner.VPORT if path[-2] == "vport" else Owner.SUBNET
        mark = cookie(owner, feature, self.network.state.number(path))
        self.punted.packet(dvrs, PacketIn(mark, Table.SPOOF_GUARD, frame, len(frame), fields={"reg1": PORT}))
        return [frame for _, frame in self.sent]


def dhcp_message(kind: int, *options: tuple[int, bytes], mac: str = MAC) -> bytes:
    """A client's message, broadcast (RFC 2131 figure 1)."""
    data = struct.pack("!BBBB4sHH16x6s202x", 1, 1, 6, 0, b"mine", 0, 0, mac_bytes(mac)) + bytes((99, 130, 83, 99))
    for code, value in ((53, bytes((kind,))), *options):
        data += bytes((code, len(value))) + value
    nobody, every = address("0.0.0.0"), address("255.255.255.255")
    return ip_frame(mac, "ff:ff:ff:ff:ff:ff", nobody, every, UDP, udp(nobody, every, 68, 67, data + b"\xff"))


def dns_query(query: bytes, source: Ip, gateway: Ip, mac: str = MAC) -> bytes:
    """A query in a frame."""
    return ip_frame(mac, ROUTER, source, gateway, UDP, udp(source, gateway, 4242, 53, query))
