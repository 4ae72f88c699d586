"""Packets that flows send up to the controller, and who answers them.

A flow that punts says in the Feature of its cookie what the packet is about; whoever serves that feature is called with
it, on the loop, and must be quick. Answers go out by `send`, as packet-outs that nobody waits for. Open vSwitch limits
how many packets come (`controller_rate_limit`, per hypervisor); each handler limits what a packet may cost.

    DHCP, SOLICITED, DNS         edge/dhcp.py, edge/routers.py, edge/names.py
    LEARN, CLAIM                 edge/learning.py, edge/claims.py
    GLEAN, ANSWER                edge/gleaning.py, edge/beyond.py
    PROBED                       edge/health.py
    RULE                         policylog.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.network import Network
from controller.openflow import actions
from controller.openflow.actions import Action
from controller.openflow.packets import PacketIn
from controller.pipeline import Feature, Owner, Register, Table, split_cookie
from data.path import Path

__all__ = ["Handler", "Punt", "Punted"]


@dataclass(frozen=True, slots=True)
class Punt:
    """A packet that a flow of ours sent up: from which hypervisor, on account of which object, as far as it is known.

    `path` is None when the object is gone meanwhile, or for the fabric's own flows.
    """

    dvrs: str
    owner: Owner
    path: Path | None
    packet: PacketIn

    @property
    def frame(self) -> bytes:
        """The packet, perhaps cut off."""
        return self.packet.frame

    @property
    def slot(self) -> int:
        """The slot of the vport that sent it."""
        return self.packet.register(Register.FROM_PORT)


Handler = Callable[[Punt], None]


class Punted:
    """Hands packets to whoever serves their feature, and sends what they answer."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._handlers: dict[Feature, Handler] = {}

    def serve(self, feature: Feature, handler: Handler) -> None:
        """`handler` gets the packets of this feature from now on."""
        self._handlers[feature] = handler

    def packet(self, dvrs: str, packet: PacketIn) -> None:
        """A packet-in from a hypervisor; from flows that are not ours, or not served, it is ignored."""
        parts = split_cookie(packet.cookie)
        if parts is None:
            return
        owner, feature, number = parts
        handler = self._handlers.get(feature)
        if handler is None:
            return
        uuid = self._network.objects.get(number)
        handler(Punt(dvrs, owner, None if uuid is None else self._network.running.by_uuid(uuid), packet))

    def send(self, dvrs: str, frame: bytes, acts: Sequence[Action]) -> bool:
        """Has a hypervisor do this to a frame; False when it is not there or too slow."""
        channel = self._network.channels.get(dvrs)
        return channel is not None and channel.switch is not None and channel.switch.packet_out(frame, acts)

    def answer(self, punt: Punt, frame: bytes) -> bool:
        """Sends a frame back out of the port that a packet came in by, as its vport expects it."""
        return self.deliver(punt.dvrs, punt.slot, frame)

    def deliver(self, dvrs: str, slot: int, frame: bytes) -> bool:
        """Sends a frame to the vport that has this slot, by its own way out: VLAN tag, limits and mirrors apply."""
        acts = [actions.set_reg(Register.TO_PORT, slot), actions.resubmit(Table.DELIVER)]
        return self.send(dvrs, frame, acts)
