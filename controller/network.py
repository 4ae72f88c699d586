"""What is true now: the committed configuration, its compiled state, and the turn to change them.

    configured  all that is committed, changed in place by a commit that has been decided
    acting    the same without what is deactivated and with what is inherited from templates, one object for life
    running   the same for the moment: `configured` itself, which answers faster, as long as there is neither
    state     what acts, compiled, together with where every vport is; immutable, replaced as a whole
    turn      the lock under which either may change: commits, topology changes and repairs go one after the other
    channels  the way to each configured hypervisor's switch

A hypervisor that is connected but still being reconciled gets the flow-mods of each change noted in its channel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from controller.commit.planning import Change, Draft, dvrs_of, located, vports_of
from controller.compile import Location, Observed, Placement, compile_all, start
from controller.compile.layered import Layered
from controller.events import Events
from controller.hypervisors.channel import Channel
from controller.numbers import Numbers
from controller.pipeline import split_cookie
from controller.topology import TUNNEL_PORT, Interface, Topology
from data.acting import Acting, Successor
from data.configuration import Configuration, Running
from data.path import Path
from data.steps import at_once, spread

__all__ = ["Network"]

_MANY = 2000  # edits; applying them takes 12 ms


def ignore(*told: object) -> None:
    """Until somebody wants to be told."""


class Network:
    """What is committed, compiled and connected. Synchronous; whoever changes it holds `turn`."""

    def __init__(
        self,
        configured: Running,
        numbers: Numbers,
        interfaces: Sequence[Interface],
        events: Events,
        clock: Callable[[], float] = time.time,
        observed: Observed | None = None,
    ) -> None:
        self.configured = configured
        self.acting = Acting(configured)
        self.numbers = numbers
        self.events = events
        self.topology = Topology(events, clock)
        self.turn = asyncio.Lock()
        self.channels: dict[str, Channel] = {}
        self.objects: dict[int, str] = {}  # object number -> UUID, for cookies
        self.on_change: list[Callable[[Draft], None]] = []
        self.on_connected: Callable[[str], None] = ignore
        self.on_flow_removed: Callable[[str, bytes], None] = ignore  # with the message: what it had counted
        running = self.running
        for name, item in dvrs_of(running):
            self.topology.configure(name, item.system_id or name, item.tunnel_address or "")
            self.channels[name] = Channel(name)
        self.topology.restore(interfaces)
        self.topology.take_changed()
        self.topology.take_touched()
        self.topology.take_released()
        self.state = at_once(start(running, self._placement(interfaces).with_observed(observed or Observed()), numbers))
        self.objects.update(numbers.keys("object"))

    @property
    def running(self) -> Configuration:
        """What acts now; ask anew after each commit."""
        return self.acting if self.acting.edits else self.configured

    def owner(self, cookie: int) -> Path | None:
        """The object that a flow with this cookie belongs to; None for the fabric itself and for foreign flows."""
        parts = split_cookie(cookie)
        uuid = None if parts is None else self.objects.get(parts[2])
        return None if uuid is None else self.running.by_uuid(uuid) or self.configured.by_uuid(uuid)

    def tenant(self, name: str) -> str | None:
        """The UUID of the enterprise that has this name now."""
        item = self.configured.get(("enterprise", name))
        return None if item is None else item.uuid

    def ready(self, dvrs: str) -> bool:
        """Whether a hypervisor holds all that it must."""
        channel = self.channels.get(dvrs)
        return channel is not None and channel.ready

    async def compile_all(self, dvrs: str) -> Mapping[bytes, bytes]:
        """Everything that a hypervisor must hold now, flow key -> flow-mod. Needs the turn."""
        return await spread(compile_all(self.state, dvrs))

    async def successor(self, change: Change, revision: int) -> Successor | None:
        """Prepares the configuration after many edits, so that `commit` does not stall the loop:
        100,000 vports take 0.6 s. None when they are few. Needs the turn, which keeps what the thread reads."""
        if max(len(change.edits), len(change.acting)) <= _MANY:
            return None
        return await asyncio.to_thread(self.acting.successor, change.edits, change.acting, revision)

    def commit(self, made: Draft, change: Change, revision: int, successor: Successor | None = None) -> None:
        """Makes edits whose revision is in the store the configuration, and their draft the state."""
        numbers = made.new.numbers.new
        if successor is None:
            self.acting.apply(change.edits, change.acting, revision)
        else:
            self.acting.become(successor)
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
        for listener in self.on_change:
            listener(made)

    def _placement(self, interfaces: Iterable[Interface]) -> Placement:
        vports: dict[str, Location] = {}
        for interface in interfaces:
            for path, vport in vports_of(self.running, interface.iface_id):
                where = located(self.topology, path, vport)
                if where is not None:
                    vports[vport.uuid] = where
        return Placement(dict.fromkeys(self.channels, TUNNEL_PORT), Layered(vports))
