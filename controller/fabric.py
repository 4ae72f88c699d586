"""The running network as sessions see it: one object that starts, commits, answers and stops.

    sessions ──> Fabric ── commit/         check, plan, apply, revert; confirmed commits
                   │   ├── hypervisors/    contact: where they dial in, who they are; reconcile, drift
                   │   ├── edge/           what is answered to, learned from and probed of workloads
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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from controller.analysis import Analysis
from controller.answers import Answers
from controller.bgp.kept import Kept
from controller.bgp.service import Bgp
from controller.bgp.side import BgpSide
from controller.commit.commits import Commits, Outcome, Participant
from controller.commit.plan import Plan
from controller.commit.transaction import silent
from controller.compile import Observed
from controller.edge import Edge
from controller.events import Events, Kind
from controller.events.told import Told
from controller.hypervisors.contact import Hypervisors
from controller.hypervisors.listeners import Listeners
from controller.hypervisors.neighbours import Neighbours
from controller.hypervisors.reconcile import Reconciled
from controller.hypervisors.remembered import Remembered
from controller.hypervisors.upkeep import Upkeep
from controller.network import Network
from controller.numbers import Numbers
from controller.pe.routers import PeRouters
from controller.telemetry.others import Others
from controller.telemetry.service import Telemetry
from controller.topology import Interface
from controller.trace.tracing import Tracing
from controller.trust.office import Trust
from controller.underlay.service import Underlay
from data.configuration import Edits
from data.schema.objects import Controller
from data.schema.seen import Telemetry as Counting
from data.store import AuditRow, Store

__all__ = ["Fabric", "Outcome", "Participant", "Plan"]

P = ParamSpec("P")
T = TypeVar("T")


class Fabric(Answers):
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

        A port that is taken is told as an event and tried again (`hypervisors/listeners.py`). Raises StoreUnavailable.
        """
        await self.told.start()
        running = await self.submit(self.store.load)
        numbers = Numbers(await self.submit(self.store.numbers))
        interfaces, observed = await self.submit(self._remembered.load)
        self._network = network = Network(running, numbers, interfaces, self.events, self._clock, observed)
        self.events.know_tenants(network.tenant)
        self._assemble(network)
        await self._trust.start()
        await self.told.follow(self._telemetry)
        await self._commits.recover()
        self._neighbours.all()
        await self._listeners.open(running.settings(Controller))
        self._upkeep.start()
        self._edge.start()
        await self._underlay.start()
        await self._bgp.start()
        await self._pe.start()
        await self._telemetry.start()
        gc.collect()
        gc.freeze()  # the configuration is not looked at again by every collection

    def _assemble(self, network: Network) -> None:
        """Makes the parts, and makes them known to each other; none of them does anything yet."""
        directory = self.store.file.parent
        self.analysis = Analysis(network)  # what the rules of a domain are good for
        self.tracing = Tracing(network, self.flows, self.at_revision)  # where a packet goes, and why
        self._upkeep = Upkeep(network, self._remember, self._returned)
        self.drift = self._upkeep.drift  # what others changed in switches, and what is done about it
        self.drift.audit = lambda rows: self.submit(self.store.add_audit, rows)
        self._edge = Edge(network, self._upkeep, self._clock)
        self._hypervisors = Hypervisors(network, self._upkeep, self._edge.punted)
        self._trust = Trust(self.store, self.submit, self.events, self._clock)
        self._listeners = Listeners(self._hypervisors, network, self._trust)
        self._neighbours = Neighbours(network, lambda system_id, peers: self.agents.set_peers(system_id, peers))
        self._underlay = Underlay(self.events, lambda: network.running)
        self._commits = Commits(
            network, self.store, self.submit, self._upkeep.stranded,
            (self._listeners, self._hypervisors, self._underlay, self.told.syslog), self._clock,
        )  # fmt: skip
        self._bgp = Bgp(network, self._upkeep, self._underlay, Kept(directory), self.submit, self._commits.settled)
        self._commits.add_side(BgpSide(self._bgp))
        self._edge.beyond.tell = self._bgp.answered
        self._pe = PeRouters(network, directory, self._commits.settled)
        self._commits.add_side(self._pe)
        others = Others(
            lambda: self.bgp, self._pe, network.turn.locked, lambda: network.running.settings(Counting).pe_interval
        )
        self._telemetry = Telemetry(network, directory, self.events, others, self._clock)

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
            self.topology.end()
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
    def commit_counts(self) -> Mapping[str, int]:
        """How many commits were applied, and failed, since the start."""
        return self._commits.counts

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
