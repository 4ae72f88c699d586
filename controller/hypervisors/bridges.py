"""The set-up of hypervisors' bridges: br-nsh, its tunnel port and where it dials, as the configuration wants it."""

from __future__ import annotations

import time

from controller.events import Kind
from controller.network import Network
from controller.ovsdb.connection import Hypervisor as Database
from controller.ovsdb.export import Collector
from controller.ovsdb.model import BRIDGE
from controller.ovsdb.setup import ensure, setup_for
from data.schema.objects import Controller, Dvrs
from data.schema.seen import FlowExport

__all__ = ["Bridges", "datapath_id"]

SETUP_WHOLE = 10.0  # seconds between two parts of one set-up: a tunnel port waits until the switch has made another


def datapath_id(dvrs: Dvrs) -> int:
    """The datapath id that br-nsh of this hypervisor is given: the first 8 bytes of the object's UUID."""
    return int(dvrs.uuid.replace("-", "")[:16], 16)


class Bridges:
    """Makes each bridge what it must be, and tells when one was not."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._made: dict[str, tuple[Database, float]] = {}  # hypervisor -> when a part of its bridge was last made

    async def ensure(self, name: str, item: Dvrs, database: Database) -> None:
        """Makes our bridge what it must be. Raises OvsdbError."""
        settings = self._network.running.settings(Controller)
        setup = setup_for(
            database,
            tunnel_address=item.tunnel_address or "",
            datapath_id=datapath_id(item),
            openflow_port=settings.openflow_port,
            inactivity_probe=settings.probe_interval * 1000,
            collectors=self._collectors(),
        )
        if await ensure(database, setup):
            self._told(name, database)

    def forget(self, name: str) -> None:
        """A hypervisor is not ours any more."""
        self._made.pop(name, None)

    def _collectors(self) -> tuple[Collector, ...]:
        """Who is told of sampled packets, by the numbers that flows call them."""
        network = self._network
        found = ((network.numbers.find("object", body.uuid), body) for _, body in network.running.objects(FlowExport))
        return tuple(
            Collector(number, body.collector, body.port)
            for number, body in found
            if number is not None and body.collector is not None
        )

    def _told(self, name: str, database: Database) -> None:
        """Tells that the bridge was changed: its parts come one after the other, and are told as one."""
        now = time.monotonic()
        former, at = self._made.get(name, (None, 0.0))
        self._made[name] = database, now
        if former is not database or now > at + SETUP_WHOLE:
            about = ("dvrs", name)
            self._network.events.add(Kind.HYPERVISOR, f"{name}: bridge {BRIDGE} set up", about=about, dvrs=name)
