"""Keeping switches right between commits: workloads that come, move and go, and hypervisors that return.

    interface appeared, moved, vanished ──> settle   recompile what it touches, new place before old
    OpenFlow connected, revert failed   ──> program  reconcile the whole switch
    a flow changed by somebody else     ──> drift.py

Every one of them is a task of its own that nobody waits for, so what fails is told as an event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

from controller.commit.plan import told
from controller.commit.planning import Draft, located, relocation, vports_of, work
from controller.commit.transaction import Rank, Work
from controller.compile import Learned, Observed
from controller.compile.remote import Remote, RemoteKey
from controller.events import Kind, Severity
from controller.hypervisors.channel import Channel
from controller.hypervisors.drift import Drift
from controller.hypervisors.reconcile import LOST, Reconciled, reconcile
from controller.network import Network
from controller.openflow.errors import OpenFlowError, RequestRefused, SwitchGone
from controller.pipeline import SERVICE_ZONE, TRUNK_SLOTS
from controller.topology import Interface, Standing

__all__ = ["Upkeep"]

_AGAIN = 5.0  # seconds until a refused reconcile is tried again


class _Gathering:
    """Facts observed since they were last taken, the latest about each."""

    def __init__(self) -> None:
        self._learned: dict[str, Learned | None] = {}
        self._holders: dict[str, str | None] = {}
        self._health: dict[str, bool | None] = {}
        self._remote: dict[RemoteKey, Remote | None] = {}

    def add(self, facts: Observed) -> None:
        self._learned.update(facts.learned)
        self._holders.update(facts.holders)
        self._health.update(facts.health)
        self._remote.update(facts.remote)

    @property
    def facts(self) -> Observed:
        return Observed(self._learned, self._holders, self._health, self._remote)


class Upkeep:
    """The tasks that follow the topology. `remember` keeps interfaces over a restart, `returned` is told of each
    hypervisor that is ready (again)."""

    def __init__(
        self,
        network: Network,
        remember: Callable[[Mapping[tuple[str, str], Interface | None], Observed], Awaitable[None]],
        returned: Callable[[str, Reconciled], Awaitable[None]],
    ) -> None:
        self._network = network
        self._remember = remember
        self._returned = returned
        self._tasks: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()  # those that end with the controller alone
        self._settling = False
        self._observed = _Gathering()
        self._programming: set[str] = set()
        self.drift = Drift(network, self.spawn, self.stranded)

    def start(self) -> None:
        """Begins the periodic comparison."""
        self.spawn(self.drift.periodically(), "audit of flows", lasting=True)

    async def stop(self) -> None:
        """Ends all tasks."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Returns when nothing is under way any more but what lasts: the periodic comparison, services at the edge."""
        while tasks := [task for task in self._tasks if task not in self._lasting]:
            await asyncio.gather(*tasks, return_exceptions=True)

    def settle(self) -> None:
        """Interfaces changed: recompiles what they touch. Calls within one loop tick, or during a commit, are one."""
        if not self._settling:
            self._settling = True
            self.spawn(self._settle(), "settle")

    def observe(self, facts: Observed) -> None:
        """Facts about workloads and other places are others now: recompiles what depends on them, together with what
        else changed. Costs the facts alone, however many wait already."""
        self._observed.add(facts)
        self.settle()

    def program(self, dvrs: str) -> None:
        """Reconciles a hypervisor whose connection is new or whose flows are in doubt."""
        # Two at a time: the later one would undo what is committed after the first has made the switch ready.
        if dvrs not in self._programming:
            self._programming.add(dvrs)
            self.spawn(self._program(dvrs), f"reconcile {dvrs}")

    def stranded(self, channel: Channel, reason: str) -> None:
        """A change could neither be carried out nor be taken back there: reconciles it, now or when it returns."""
        channel.ready = False
        if channel.switch is None:
            return
        self._network.topology.stand(channel.name, Standing.CONNECTED, f"its flows are in doubt: {reason}")
        self.program(channel.name)

    def spawn(self, work: Coroutine[object, object, None], name: str, *, lasting: bool = False) -> asyncio.Task[None]:
        """Runs work that nobody waits for, `lasting` until `stop`; what it raises is told as an event."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        if lasting:
            self._lasting.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._lasting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._network.events.add(Kind.FAULT, f"{task.get_name()}: {task.exception()!r}")

    # Workloads that come, move and go -----------------------------------------------------------------------

    async def _settle(self) -> None:
        network = self._network
        async with network.turn:
            self._settling = False
            started = time.perf_counter()
            changed = network.topology.take_changed()
            touched = network.topology.take_touched()
            released = network.topology.take_released()
            seen, self._observed = self._observed.facts, _Gathering()
            if changed or seen:
                await self._remember(changed, seen)
            moved = {}
            for iface_id in touched:
                for path, vport in vports_of(network.running, iface_id):
                    now = located(network.topology, path, vport)
                    if now != network.state.placement.location(vport.uuid):
                        moved[vport.uuid] = now
            tunnels = {
                name: known.vxlan_port
                for name, known in network.topology.hypervisors.items()
                if network.state.placement.tunnel_ports.get(name) != known.vxlan_port
            }
            if moved or tunnels or seen:
                made = await relocation(network.state, moved, tunnels, seen)
                await self.carry(made)
                self._tell(made, (time.perf_counter() - started) * 1000)
            for dvrs, port in released:
                await self._forget_connections(dvrs, port)

    async def carry(self, made: Draft) -> None:
        """Pushes a change that cannot be refused, because the world has changed already, and makes it the state.

        Needs the turn. Who refuses it is reconciled, who is lost will be.
        """
        network = self._network
        items = await work(made, network.channels)
        for rank in Rank:
            ready = [item for item in items if item.rank == rank and item.channel.ready]
            results = await asyncio.gather(
                *(item.channel.push(item.messages) for item in ready), return_exceptions=True
            )
            self._strand(ready, results)
        network.install(made)

    def _strand(self, items: Sequence[Work], results: Sequence[object]) -> None:
        for item, result in zip(items, results, strict=True):
            if isinstance(result, RequestRefused):
                name = item.channel.name
                text = f"{name} refused a change of the topology: {result}"
                self._network.events.add(Kind.FAULT, text, about=("dvrs", name), dvrs=name)
                self.stranded(item.channel, str(result))
            elif isinstance(result, BaseException) and not isinstance(result, SwitchGone):
                raise result

    def _tell(self, made: Draft, milliseconds: float) -> None:
        for news in told(made, self._network.ready):
            self._network.events.add(
                Kind.VPORT, f"{news.text}, {milliseconds:.0f} ms", about=news.about, dvrs=news.dvrs,
                facts={**news.facts, "milliseconds": round(milliseconds)},
            )  # fmt: skip

    async def _forget_connections(self, dvrs: str, port: int) -> None:
        """Empties the conntrack zones of a port that is free again, before another workload gets it."""
        channel = self._network.channels.get(dvrs)
        if channel is not None and 0 < port < TRUNK_SLOTS:
            try:
                await channel.forget_connections(port)
                await channel.forget_connections(port | SERVICE_ZONE)
            except OpenFlowError as problem:
                text = f"{dvrs} keeps the connections of port {port}: {problem}"
                self._network.events.add(Kind.FAULT, text, about=("dvrs", dvrs), dvrs=dvrs)

    # Hypervisors that return --------------------------------------------------------------------------------

    async def _program(self, dvrs: str) -> None:
        try:
            done = await self._reconcile(dvrs)
        finally:
            self._programming.discard(dvrs)
        if done is not None:
            await self._returned(dvrs, done)

    async def _reconcile(self, dvrs: str) -> Reconciled | None:
        """Until it is ready, or gone; also when it dials in again meanwhile."""
        network = self._network
        while True:
            channel = network.channels.get(dvrs)
            if channel is None or channel.switch is None or channel.ready:
                return None
            switch = channel.switch
            try:
                done = await reconcile(channel, network.compile_all, network.turn)
            except LOST:
                if network.channels.get(dvrs) is channel and channel.switch is switch:
                    return None  # the loss is told by the connection itself
                continue
            except RequestRefused as refusal:
                reason = f"refuses its flows: {refusal}"
                network.events.add(
                    Kind.FAULT, f"{dvrs} {reason}", severity=Severity.CRITICAL, about=("dvrs", dvrs), dvrs=dvrs
                )
                network.topology.stand(dvrs, Standing.CONNECTED, reason)
                await asyncio.sleep(_AGAIN)
                continue
            network.topology.stand(dvrs, Standing.READY, "")
            self.drift.settled(dvrs)
            if done.difference:
                text = f"+{done.added} -{done.removed} of {done.flows} flows in {done.milliseconds:.0f} ms"
            else:
                text = f"in agreement, {done.flows} flows"
            network.events.add(
                Kind.RECONCILE, f"{dvrs} {text}", about=("dvrs", dvrs), dvrs=dvrs,
                facts={
                    "flows": done.flows, "added": done.added, "removed": done.removed,
                    "milliseconds": round(done.milliseconds, 1),
                },
            )  # fmt: skip
            return done
