"""The running network as sessions see it: one object that starts, commits, answers and stops.

    sessions ──> Fabric ── commits.py      check, plan, apply, revert; confirmed commits
                   │   ├── upkeep.py       workloads that move, reconcile, drift
                   │   ├── hypervisors.py  contact: admission, set-up, identity
                   │   ├── edge/           what is answered to, learned from and probed of workloads
                   │   ├── listeners.py    where hypervisors dial in
                   │   ├── bgp/            what neighbours are told, and what they tell
                   │   ├── underlay/       the network below the tunnels, listened to
                   │   ├── pe/             routers configured through NAPALM
                   │   ├── trust/          whom they are let in as
                   │   ├── events/         what happened: kept, told to syslog servers
                   │   ├── telemetry/      what passes through the network, counted
                   │   └── network.py      what is committed and compiled now
                   └── store, through ONE writer thread

All methods belong to the event loop; `submit` is the only way to the store.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from controller.agents import AgentServer
from controller.analysis import Analysis
from controller.bgp.kept import Kept
from controller.bgp.service import Bgp
from controller.bgp.side import BgpSide
from controller.commits import Commits, Outcome, Participant
from controller.compile import Observed
from controller.compile.access import access_address, used_path
from controller.compile.services.sharing import Share, sharing
from controller.compile.wan.circuits import Circuit, circuits
from controller.compile.wan.shown import Elsewhere, RemoteRoute, beyond, remote_routes
from controller.edge import Edge
from controller.edge.claims import Held
from controller.edge.dhcp import LeaseRecord
from controller.edge.health import Target
from controller.edge.learning import Entry
from controller.events import Events, Kind
from controller.events.told import Told
from controller.hypervisors import Hypervisors
from controller.listeners import Listeners
from controller.neighbours import Neighbours
from controller.network import Network
from controller.numbers import Numbers
from controller.openflow.errors import OpenFlowError
from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES
from controller.pace import spread
from controller.pe.routers import PeRouters
from controller.plan import Plan
from controller.reconcile import Reconciled
from controller.remembered import Remembered
from controller.telemetry.others import Others
from controller.telemetry.service import Telemetry
from controller.topology import Interface, Topology
from controller.trace.tracing import Tracing
from controller.transaction import silent
from controller.trust.office import Trust
from controller.underlay.service import Underlay
from controller.upkeep import Upkeep
from data.acting import acting_edits
from data.addresses import Ip
from data.configuration import Configuration, Edits, Overlay, Running
from data.difference import Changes
from data.errors import CommandFailed
from data.path import Path
from data.schema.objects import Controller, Object, Vport
from data.store import AuditRow, HistoryEntry, Store

__all__ = ["Fabric", "Outcome", "Participant", "Plan"]

P = ParamSpec("P")
T = TypeVar("T")


class Fabric:
    """The network of one controller. `clock` gives seconds since the epoch."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.events = Events(clock)
        self._clock = clock
        self._writer = ThreadPoolExecutor(1, "store")
        self._remembered = Remembered(store.file.parent)
        self.told = Told(store.file.parent, self.events, lambda: self.acting)  # syslog servers, thresholds
        self._network: Network | None = None

    # Life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Loads, compiles, closes what a crash left open, then listens.

        A port that is taken is told as an event and tried again (`listeners.py`). Raises StoreUnavailable.
        """
        await self.told.start()
        running = await self.submit(self.store.load)
        numbers = Numbers(await self.submit(self.store.numbers))
        interfaces, observed = await self.submit(self._remembered.load)
        self._network = network = Network(running, numbers, interfaces, self.events, self._clock, observed)
        self.events.know_tenants(network.tenant)
        self.analysis = Analysis(network)  # what the rules of a domain are good for
        self.tracing = Tracing(network, self.flows, self.at_revision)  # where a packet goes, and why
        self._upkeep = Upkeep(network, self._remember, self._returned)
        self.drift = self._upkeep.drift  # what others changed in switches, and what is done about it
        self.drift.audit = lambda rows: self.submit(self.store.add_audit, rows)
        self._edge = Edge(network, self._upkeep, self._clock)
        self._hypervisors = Hypervisors(network, self._upkeep, self._edge.punted)
        self._trust = Trust(self.store, self.submit, self.events, self._clock)
        await self._trust.start()
        self._listeners = Listeners(self._hypervisors, network, self._trust)
        neighbours = Neighbours(network, lambda system_id, peers: self.agents.set_peers(system_id, peers))
        self._underlay = Underlay(self.events, lambda: network.running)
        self._commits = Commits(
            network, self.store, self.submit, self._upkeep.stranded,
            (self._listeners, self._hypervisors, self._underlay, self.told.syslog), self._clock,
        )  # fmt: skip
        self._bgp = Bgp(
            network, self._upkeep, self._underlay, Kept(self.store.file.parent), self.submit, self._commits.settled
        )
        self._commits.add_side(BgpSide(self._bgp))
        self._edge.beyond.tell = self._bgp.answered
        self._pe = PeRouters(network, self.store.file.parent, self._commits.settled)
        self._commits.add_side(self._pe)
        others = Others(lambda: self.bgp, self._pe, network.turn.locked)
        self._telemetry = Telemetry(network, self.store.file.parent, self.events, others, self._clock)
        await self.told.follow(self._telemetry)
        await self._commits.recover()
        neighbours.all()
        await self._listeners.open(running.settings(Controller))
        self._upkeep.start()
        self._edge.start()
        await self._underlay.start()
        await self._bgp.start()
        await self._pe.start()
        await self._telemetry.start()
        gc.collect()
        gc.freeze()  # the configuration is not looked at again by every collection

    def add_participant(self, participant: Participant) -> None:
        """Lets something else take part in every commit from now on (the SSH listener, the sessions)."""
        self._commits.add_participant(participant)

    async def stop(self) -> None:
        """Ends commits that are under way, listeners and tasks; switches keep their flows."""
        if self._network is not None:
            await self._commits.stop()
            await self._telemetry.stop()
            await self._pe.stop()
            await self._bgp.stop()
            await self._listeners.close()
            await self._underlay.stop()
            await self._trust.stop()
            await self._upkeep.stop()
        await self.told.stop()
        await asyncio.to_thread(self._writer.shutdown)

    async def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a store call in the one writer thread, after those submitted before."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: work(*args, **kwargs))

    # What is ------------------------------------------------------------------------------------------------

    @property
    def network(self) -> Network:
        """What is committed, compiled and connected."""
        assert self._network is not None, "start() first"
        return self._network

    @property
    def running(self) -> Running:
        """The committed configuration; changed in place by commits."""
        return self.network.configured

    @property
    def acting(self) -> Configuration:
        """The part of it that is not deactivated, what the network does. Ask anew after each commit."""
        return self.network.running

    def acting_after(self, edits: Edits) -> Configuration:
        """What would act after these edits of what is configured. Costs them, and what they come to."""
        return Overlay(self.acting, acting_edits(self.network.acting, edits)) if edits else self.acting

    @property
    def numbers(self) -> Numbers:
        return self.network.numbers

    @property
    def agents(self) -> AgentServer:
        """The hypervisors' agents that are connected, for diagnostics."""
        return self._listeners.agents

    @property
    def edge(self) -> Edge:
        """The services at the edge: leases, what was learned, health."""
        return self._edge

    @property
    def bgp(self) -> Bgp | None:
        """What neighbours are told and tell; None without a number of our own."""
        return None if self._bgp.rib.settings.autonomous_system is None else self._bgp

    def health(self) -> list[Target]:
        """Everything that is probed, and what is known of it."""
        return list(self._edge.health.targets.values())

    def dhcp_leases(self) -> Iterator[LeaseRecord]:
        """What vports heard of DHCP since the controller started."""
        return self._edge.dhcp.leases()

    def held(self, path: Path) -> Held:
        """Who has a virtual IP now."""
        return self._edge.claims.held(path)

    def sharing(self, path: Path) -> list[Share]:
        """Who shares the flows of a static route, a redirection target or a load balancer now."""
        return sharing(self.network.state, path)

    def remote_routes(self, domain: Path) -> Iterator[RemoteRoute]:
        """What leads out of a domain to PE routers, VTEPs and other sites."""
        return remote_routes(self.network.state, domain)

    def elsewhere(self, path: Path) -> Elsewhere | None:
        """Where a vport is that is not resolved here, when another site or a VTEP tells its MAC address or address."""
        tunnel = beyond(self.network.state, path)
        return None if tunnel is None else Elsewhere(tunnel.endpoint)

    async def circuits(self) -> list[Circuit]:
        """The labels by which domains and PE routers exchange packets."""
        sessions = {} if self.bgp is None else self.bgp.views.vpn_sessions()
        return await spread(circuits(self.network.state, sessions))

    def learned(self) -> dict[Path, Mapping[str, Entry]]:
        """What is behind bridge vports: vport -> MAC address -> its addresses, and when it was heard of."""
        found = ((self.acting.by_uuid(uuid), entries) for uuid, entries in self._edge.learning.everything())
        return {path: entries for path, entries in found if path is not None and entries}

    def forget_learned(self, path: Path) -> int:
        """Forgets what is behind a bridge vport, to learn it anew; how many MAC addresses it was."""
        vport = self.acting.get(path)
        return 0 if vport is None else self._edge.learning.clear(vport.uuid)

    @property
    def underlay(self) -> Underlay:
        """What listeners hear of the network below the tunnels."""
        return self._underlay

    @property
    def pe(self) -> PeRouters:
        """The PE routers that are configured with commits."""
        return self._pe

    @property
    def telemetry(self) -> Telemetry:
        """What passes through the network, counted."""
        return self._telemetry

    @property
    def trust(self) -> Trust:
        """Certificates of hypervisors, and the tokens with which they join."""
        return self._trust

    @property
    def topology(self) -> Topology:
        return self.network.topology

    async def flows(self, dvrs: str, table: int = ALL_TABLES) -> list[FlowEntry]:
        """The flows of a hypervisor, of one table or all, read from its switch now.

        Raises CommandFailed when it is not there.
        """
        channel = self.network.channels.get(dvrs)
        where = f"dvrs {dvrs}"
        if channel is None:
            raise CommandFailed(where, "there is no such hypervisor", "see 'show dvrs'")
        if channel.switch is None:
            raise CommandFailed(where, f"it is away: {self.topology.hypervisors[dvrs].reason}", "see 'show dvrs'")
        try:
            return await channel.switch.flows(table)
        except OpenFlowError as problem:
            raise CommandFailed(where, f"its flows could not be read: {problem}", "try again") from problem

    async def flow_count(self, dvrs: str) -> int | None:
        """How many flows a switch holds, counted by itself now; None when it is not there."""
        channel = self.network.channels.get(dvrs)
        if channel is None or channel.switch is None:
            return None
        try:
            return await channel.switch.flow_count()
        except OpenFlowError:
            return None

    def access_address(self, shared: str, vport: Vport, ip: Ip) -> Ip | None:
        """By which address the shared domain of this full name knows an address of a user's vport."""
        return access_address(self.acting, self.numbers, used_path(shared), vport, ip)

    def explain(self, cookie: int) -> Path | None:
        """The object that a flow with this cookie belongs to; None for the fabric itself and for foreign flows."""
        return self.network.owner(cookie)

    async def history(self, limit: int, number: int | None = None) -> list[HistoryEntry]:
        """Revisions and failed commits with their receipts, the newest first; of one number alone if it is given."""
        return await self.submit(self.store.history, limit, number)

    async def difference(self, first: int, second: int) -> Changes:
        """What changed from one revision to another, which may be the older one."""
        return await self.submit(self.store.difference, first, second)

    async def objects_at(self, number: int) -> dict[Path, Object]:
        """Every object of a revision."""
        return await self.submit(self.store.objects_at, number)

    async def at_revision(self, number: int) -> Running:
        """The whole configuration of a revision; its index is built in a thread."""
        return await asyncio.to_thread(Running, await self.objects_at(number), number)

    async def lives(self, path: Path) -> list[tuple[str, int, int | None]]:
        """Whose place a path was: UUID, first revision with it, first revision without it."""
        return await self.submit(self.store.lives, path)

    async def last_changes(self, paths: Iterable[Path]) -> dict[Path, tuple[int, str]]:
        """Revision and author of the last change of each path that was ever there."""
        return await self.submit(self.store.last_changes, list(paths))

    # Change -------------------------------------------------------------------------------------------------

    async def plan(self, edits: Edits) -> Plan:
        """The check and plan phases: what a commit would change. Touches nothing. Raises CheckFailed."""
        return await self._commits.plan(edits)

    async def commit(
        self,
        edits: Edits,
        *,
        author: str,
        comment: str = "",
        confirmed: int | None = None,
        strict: bool = False,
        progress: Callable[[str], None] | None = None,
        candidate_of: str | None = None,
        again: Callable[[], Edits] | None = None,
        audit: AuditRow | None = None,
    ) -> Outcome:
        """Makes the edits the next revision, on every hypervisor and in the store, or changes nothing.

        `confirmed`: minutes after which the former revision returns unless somebody confirms. `strict`: an absent
        hypervisor is a failure. `progress` is told how far it is. `candidate_of`: the user whose kept candidate ends
        with the revision, in the same transaction. `again` gives the edits anew when somebody else's commit came
        first, because these were made from the revision before. The caller leaves `edits` as they are. `audit`: the row
        of the command, which is written in the same transaction.

        Raises CheckFailed, ApplyFailed (everything is back as it was), StoreUnavailable (the same).
        """
        return await self._commits.commit(
            edits, author, comment,
            confirmed=confirmed, strict=strict, report=progress or silent, candidate_of=candidate_of, again=again,
            audit=audit,
        )  # fmt: skip

    async def confirm(self, author: str, revision: int) -> int:
        """Confirms the commit of this revision; its number. Raises CommandFailed when it does not wait (any more)."""
        return await self._commits.confirm(author, revision)

    @property
    def waiting(self) -> tuple[int, float] | None:
        """Revision and deadline of the commit that waits for confirmation."""
        waiting = self._commits.confirmation.waiting
        return None if waiting is None else (waiting.revision, waiting.deadline)

    def waits_for(self, user: str) -> bool:
        """Whether a commit waits that this user may confirm; everybody who sees the whole network may."""
        return self._commits.confirmation.waiting is not None

    @property
    def waiting_author(self) -> str | None:
        """Who made the commit that waits for confirmation."""
        waiting = self._commits.confirmation.waiting
        return None if waiting is None else waiting.author

    # What the parts tell ------------------------------------------------------------------------------------

    async def _remember(self, changed: Mapping[tuple[str, str], Interface | None], observed: Observed) -> None:
        try:
            await self.submit(self._remembered.note, changed, observed)
        except OSError as problem:
            self.events.add(Kind.FAULT, f"interfaces are not remembered over a restart: {problem}")

    async def _returned(self, dvrs: str, done: Reconciled) -> None:
        await self._commits.settled(dvrs, done.added, done.removed, done.milliseconds)
