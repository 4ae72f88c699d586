"""The frames that probe one target, and how its answer is known among all packets that come.

Everything is asked by the gateway of the target's subnet, with the gateways' MAC address, and sent to the vport alone.
An answer counts when it comes from the slot and MAC address that were asked; by ping with this process's identifier, by
TCP to the port and with the acknowledgement of the last question. So nobody answers for another.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from controller.compile import State
from controller.compile.addresses import gateways
from controller.compile.health import Probe
from controller.compile.services.probed import FIRST_PORT, PORT_MASK
from controller.hypervisors.punted import Punt
from controller.packets import probe as packets
from controller.packets.probe import EchoReply, Holder, TcpAnswer
from data.addresses import Ip, address
from data.schema.objects import Controller, Subnet

__all__ = ["Answer", "Asked", "Question", "Questions"]

_PORTS = ~PORT_MASK & 0xFFFF  # as many source ports, less one


class Asked(NamedTuple):
    """Who was asked what: the slot on a hypervisor, MAC, address, kind and TCP port."""

    dvrs: str
    slot: int
    hardware: str
    address: Ip
    kind: str
    port: int


class Question(NamedTuple):
    """A frame for one slot, and what its answer must acknowledge (TCP)."""

    asked: Asked
    frame: bytes
    acknowledgement: int = 0


class Answer(NamedTuple):
    """Who answered, whether it serves, and a frame that ends the connection."""

    asked: Asked
    good: bool
    acknowledgement: int = 0
    ending: bytes | None = None


class Questions:
    """Makes questions and reads answers; one per process."""

    def __init__(self) -> None:
        self._identifier = secrets.randbelow(0x10000)
        self._sequence = 0

    def ask(self, state: State, probe: Probe) -> Question | None:
        """What to send where; None while the vport is unresolved or its subnet has no gateway of this family."""
        place = state.place(probe.vport)
        subnet = None if place is None else state.view.get(place.subnet)
        if place is None or not isinstance(subnet, Subnet):
            return None
        target = address(probe.address)
        source = next((one for one in gateways(subnet) if one.version == target.version), None)
        if source is None:
            return None
        router = state.view.settings(Controller).anycast_gateway_mac
        asked = Asked(place.location.dvrs, state.slot(probe.vport), probe.hardware, target, probe.kind, probe.port)
        self._sequence = self._sequence + 1 & 0xFFFFFFFF
        if probe.kind == "icmp":
            sequence = self._sequence & 0xFFFF
            frame = packets.echo_request(router, probe.hardware, source, target, self._identifier, sequence)
            return Question(asked, frame)
        if probe.kind == "tcp":
            number, port = secrets.randbits(32), FIRST_PORT + self._sequence % _PORTS
            frame = packets.tcp_syn(router, probe.hardware, source, target, port, probe.port, number)
            return Question(asked, frame, number + 1 & 0xFFFFFFFF)
        return Question(asked, packets.who_has(router, source, target, probe.hardware))

    def read(self, state: State, punt: Punt) -> Answer | None:
        """What a packet says, whether or not anybody asked."""
        said = packets.answer(punt.frame)
        if isinstance(said, Holder):
            return Answer(Asked(punt.dvrs, punt.slot, said.mac, said.address, "arp", 0), True)
        if isinstance(said, EchoReply):
            asked = Asked(punt.dvrs, punt.slot, said.mac, said.address, "icmp", 0)
            return Answer(asked, True) if said.identifier == self._identifier else None
        if isinstance(said, TcpAnswer):
            asked = Asked(punt.dvrs, punt.slot, said.mac, said.address, "tcp", said.port)
            router = state.view.settings(Controller).anycast_gateway_mac
            ending = packets.tcp_reset(router, said.mac, said) if said.open else None
            return Answer(asked, said.open, said.acknowledgement, ending)
        return None
