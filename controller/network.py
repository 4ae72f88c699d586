"""What is true now: the committed configuration, its compiled state, and the turn to change them.

    configured  all that is committed, changed in place by a commit that has been decided
    acting    the part of it that is not deactivated, one object for life
    running   the same for the moment: `configured` itself, which answers faster, as long as nothing is deactivated
    state     what acts, compiled, together with where every vport is; immutable, replaced as a whole
    turn      the lock under which either may change: commits, topology changes and repairs go one after the other
    channels  the way to each configured hypervisor's switch

A hypervisor that is connected but still being reconciled gets the flow-mods of each change noted in its channel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from controller.channel import Channel
from controller.compile import Location, Placement, compile_all, start
from controller.compile.layered import Layered
from controller.events import Events
from controller.numbers import Numbers
from controller.pace import spread
from controller.planning import Draft, dvrs_of, located, vport_of
from controller.topology import TUNNEL_PORT, Interface, Topology
from data.acting import Acting
from data.configuration import Configuration, Edits, Running
from data.steps import at_once

__all__ = ["Network"]

_MANY = 2000  # edits; applying them takes 12 ms


class Network:
    """What is committed, compiled and connected. Synchronous; whoever changes it holds `turn`."""

    def __init__(
        self,
        configured: Running,
        numbers: Numbers,
        interfaces: Sequence[Interface],
        events: Events,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.configured = configured
        self.acting = Acting(configured)
        self.numbers = numbers
        self.events = events
        self.topology = Topology(events, clock)
        self.turn = asyncio.Lock()
        self.channels: dict[str, Channel] = {}
        self.objects: dict[int, str] = {}  # object number -> UUID, for cookies
        self.on_change: Callable[[Draft], None] | None = None
        running = self.running
        for name, item in dvrs_of(running):
            self.topology.configure(name, item.system_id or name, item.tunnel_address or "")
            self.channels[name] = Channel(name)
        self.topology.restore(interfaces)
        self.topology.take_changed()
        self.topology.take_touched()
        self.topology.take_released()
        self.state = at_once(start(running, self._placement(interfaces), numbers))
        self.objects.update(numbers.keys("object"))

    @property
    def running(self) -> Configuration:
        """What acts now; ask anew after each commit."""
        return self.acting if self.configured.inactive else self.configured

    async def compile_all(self, dvrs: str) -> Mapping[bytes, bytes]:
        """Everything that a hypervisor must hold now, flow key -> flow-mod. Needs the turn."""
        return await spread(compile_all(self.state, dvrs))

    async def successor(self, edits: Edits, revision: int) -> Running | None:
        """Prepares the configuration after many edits, so that `commit` does not stall the loop:
        100,000 vports take 0.6 s. None when they are few. Needs the turn, which keeps what the thread reads."""
        if len(edits) <= _MANY:
            return None
        return await asyncio.to_thread(self.configured.successor, edits, revision)

    def commit(self, made: Draft, edits: Edits, revision: int, successor: Running | None = None) -> None:
        """Makes edits whose revision is in the store the configuration, and their draft the state."""
        numbers = made.new.numbers.new
        if successor is None:
            self.configured.apply(edits, revision)
        else:
            self.configured.become(successor)
        self.numbers.adopt(numbers)
        self.numbers.new.clear()
        self.objects.update((n, key) for (pool, key), n in numbers.items() if pool == "object" and n is not None)
        self.install(made)

    def install(self, made: Draft) -> None:
        """Makes a change that has been carried out the state; who is not ready yet owes it."""
        self.state = made.new.settled(self.running, self.numbers)
        for name, messages in made.messages.items():
            channel = self.channels.get(name)
            if channel is not None and channel.switch is not None and not channel.ready:
                channel.owed.extend(messages)
        if self.on_change is not None:
            self.on_change(made)

    def _placement(self, interfaces: Iterable[Interface]) -> Placement:
        vports: dict[str, Location] = {}
        for interface in interfaces:
            named = vport_of(self.running, interface.iface_id)
            where = None if named is None else located(self.topology, *named)
            if named is not None and where is not None:
                vports[named[0]] = where
        return Placement(dict.fromkeys(self.channels, TUNNEL_PORT), Layered(vports))
