"""The way to one hypervisor's switch: one at a time, ready or not, and what is owed to it meanwhile.

    no switch ──connected──> owing ──reconciled, debts paid──> ready ──lost──> no switch
                               │                                │
                    changes are noted in `owed`        changes are sent as bundles

A channel is `ready` while its flows are known to equal the committed configuration. While it is being reconciled,
committed changes are only noted, and sent at the end of the reconcile (`reconcile.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.openflow.bundle import Bundle
from controller.openflow.errors import SwitchGone
from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES
from controller.patience import patience

__all__ = ["Channel", "Prepared", "Switch"]


class Switch(Protocol):
    """What a change needs of an OpenFlow connection (`controller.openflow.connection.Switch`)."""

    progress: int

    def bundle(self) -> Bundle: ...

    async def flows(self, table: int = ALL_TABLES) -> list[FlowEntry]: ...

    async def flow_count(self, table: int = ALL_TABLES) -> int: ...

    async def flush_conntrack(self, zone: int) -> None: ...

    def close(self, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bundle that the switch has taken in whole and not yet carried out. `started` is a time.perf_counter()."""

    channel: Channel
    switch: Switch
    bundle: Bundle
    started: float

    async def commit(self) -> float:
        """Carries it out; milliseconds from the preparation to the switch's barrier reply."""
        self.channel.pushes += 1
        with patience(self.switch, self.bundle.count):
            await self.bundle.commit()
        self.channel.pushes += 1
        return (time.perf_counter() - self.started) * 1000

    async def discard(self) -> None:
        """Throws it away; a switch that is gone has done so already."""
        with patience(self.switch):
            await self.bundle.discard()


class Channel:
    """One hypervisor's switch as the controller changes it."""

    __slots__ = ("name", "owed", "pushes", "ready", "switch")

    def __init__(self, name: str) -> None:
        self.name = name
        self.switch: Switch | None = None
        self.ready = False
        self.owed: list[bytes] = []
        self.pushes = 0  # counts the begins and ends of our own changes: a read between two equal counts is clean

    def connected(self, switch: Switch) -> None:
        """A new connection: nothing is known of its flows, so nothing is owed yet either."""
        self.switch, self.ready, self.owed = switch, False, []

    def lost(self) -> None:
        """The connection is gone; what was owed will be found by the next reconcile."""
        self.switch, self.ready, self.owed = None, False, []

    async def prepare(self, messages: Iterable[bytes]) -> Prepared:
        """Fills a bundle and has it checked. Raises BundleRefused or SwitchGone, and leaves nothing open then."""
        switch = self.switch
        if switch is None:
            raise SwitchGone("not connected")
        started = time.perf_counter()
        with patience(switch):
            bundle = switch.bundle()
            await bundle.open()
            await bundle.add(messages)
            await bundle.close()
        return Prepared(self, switch, bundle, started)

    async def forget_connections(self, zone: int) -> None:
        """Empties a conntrack zone; nothing when there is no switch. Raises RequestRefused or SwitchGone."""
        if self.switch is not None:
            with patience(self.switch):
                await self.switch.flush_conntrack(zone)

    async def push(self, messages: Sequence[bytes]) -> float:
        """One bundle there and behind a barrier; milliseconds. Raises BundleRefused or SwitchGone."""
        if not messages:
            return 0.0
        return await (await self.prepare(messages)).commit()
