"""The network as somebody sees it who is confined to tenants: a facade that has only what is safe, and filters it.

Handlers declared `confined=True` get this as `context.fabric`. What is not written down here does not exist for them,
so that a new method of the fabric is hidden until somebody decides otherwise.

    running, acting     data/confined.py        flows       those that belong to something visible
    topology            confined_topology.py    history     commits that touched something visible
    plan, commit        as the fabric's; the edits were checked by the candidate's guard, and are once more
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import msgspec

from controller.commit.plan import DvrsPlan
from controller.compile.services.sharing import Share
from controller.compile.wan.shown import Elsewhere, RemoteRoute
from controller.edge.claims import Held
from controller.edge.dhcp import LeaseRecord
from controller.edge.health import Target
from controller.edge.learning import Entry
from controller.openflow.messages import METERS, table_of
from controller.openflow.packed import cookie
from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES
from controller.pipeline import split_cookie
from data.access import Access
from data.addresses import Ip
from data.configuration import Configuration, Edits, Running
from data.confined import Confined
from data.difference import Changes
from data.errors import ApplyFailed, CommandFailed
from data.path import Path
from data.schema.objects import Object, Vport
from data.store import HistoryEntry
from nshell.sessions.confined_analysis import ConfinedAnalysis
from nshell.sessions.confined_events import ConfinedEvents, of_provider
from nshell.sessions.confined_telemetry import ConfinedTelemetry
from nshell.sessions.confined_topology import ConfinedTopology, without_endpoints
from nshell.sessions.confined_trace import ConfinedTracing

if TYPE_CHECKING:
    from controller.fabric import Fabric, Outcome, Plan


class Part(Protocol):
    """What a part of the network confirmed, now or of the past."""

    @property
    def part(self) -> str: ...


R = TypeVar("R", bound=Part)
BEYOND = "a part of the network beyond the enterprise does not take it now"


def visible(changes: Changes, access: Access) -> Changes:
    """The part of a difference that this user may read."""
    return {path: pair for path, pair in changes.items() if access.reads(path)}


class FormerTenants:
    """Other tenants that had the names of the user's before: a name that is given out again shows nothing of theirs."""

    def __init__(self, lives: Mapping[str, Sequence[tuple[int, int | None]]]) -> None:
        """`lives`: for each name from which revision on, and until which, it was another tenant's."""
        self._lives = lives

    def had(self, path: Path, number: int) -> bool:
        """Whether what was at the path in this revision belonged to another tenant."""
        if path[:1] != ("enterprise",) or len(path) < 2:
            return False
        return any(begin <= number and (end is None or number < end) for begin, end in self._lives.get(path[1], ()))

    def without(self, changes: Changes, first: int, second: int) -> Changes:
        """What is left of a difference between two revisions."""
        kept = {
            path: (None if self.had(path, first) else old, None if self.had(path, second) else new)
            for path, (old, new) in changes.items()
        }
        return {path: pair for path, pair in kept.items() if pair[0] != pair[1]}


class ConfinedFabric:
    """What `Fabric` is to handlers, for one user."""

    def __init__(self, fabric: Fabric, access: Access) -> None:
        self._fabric = fabric
        self._access = access
        self.running: Configuration = Confined(fabric.running, access)
        self.acting = self.running if fabric.acting is fabric.running else Confined(fabric.acting, access)
        self.numbers = fabric.numbers

    def acting_after(self, edits: Edits) -> Configuration:
        """What would act after these edits, as far as it is visible."""
        return Confined(self._fabric.acting_after(edits), self._access)

    @property
    def topology(self) -> ConfinedTopology:
        """Where own vports are."""
        return ConfinedTopology(self._fabric, self.running)

    @property
    def events(self) -> ConfinedEvents:
        """What happened to something that the user may read."""
        return ConfinedEvents(self._fabric, self._access, self._tells_of_others)

    @property
    def tracing(self) -> ConfinedTracing:
        """Traces from own vports; of others' objects it says only that they decided."""
        return ConfinedTracing(self._fabric.tracing, self._access, self.topology.hosts, self._former_tenants)

    @property
    def telemetry(self) -> ConfinedTelemetry:
        """What own objects send and get."""
        return ConfinedTelemetry(self._fabric.telemetry, self._access)

    @property
    def analysis(self) -> ConfinedAnalysis:
        """What the rules of own domains are good for."""
        return ConfinedAnalysis(self._fabric.analysis, self._access)

    def health(self) -> list[Target]:
        """What is probed of own vports."""
        return [target for target in self._fabric.health() if self._access.reads(target.probe.vport)]

    def held(self, path: Path) -> Held:
        """Who has a virtual IP that the user sees."""
        held = self._fabric.held(path)
        return held if self._access.reads(path) else Held(None, None, {})

    def sharing(self, path: Path) -> list[Share]:
        """Who shares the flows of an own static route or redirection target."""
        return self._fabric.sharing(path) if self._access.reads(path) else []

    def remote_routes(self, domain: Path) -> Iterator[RemoteRoute]:
        """What leads out of an own domain, but not where in the underlay."""
        found = self._fabric.remote_routes(domain) if self._access.reads(domain) else ()
        return (replace(one, tunnels=()) for one in found)

    def elsewhere(self, path: Path) -> Elsewhere | None:
        """Whether an own vport is at another site, but not where in the underlay."""
        found = self._fabric.elsewhere(path) if self._access.reads(path) else None
        return None if found is None else Elsewhere(None)

    def learned(self) -> dict[Path, Mapping[str, Entry]]:
        """What is behind own bridge vports."""
        return {path: entries for path, entries in self._fabric.learned().items() if self._access.reads(path)}

    @property
    def waiting(self) -> tuple[int, float] | None:
        """Revision and deadline of the commit that waits for confirmation."""
        return self._fabric.waiting

    def access_address(self, shared: str, vport: Vport, ip: Ip) -> Ip | None:
        """As the fabric's, for a vport that the user sees."""
        return self._fabric.access_address(shared, vport, ip) if self.acting.by_uuid(vport.uuid) else None

    def explain(self, cookie: int) -> Path | None:
        """The object that a flow belongs to, when the user may read it."""
        path = self._fabric.explain(cookie)
        return path if path is not None and self._access.reads(path) else None

    def dhcp_leases(self) -> Iterator[LeaseRecord]:
        """What own vports heard of DHCP."""
        return (lease for lease in self._fabric.dhcp_leases() if self._access.reads(lease.path))

    async def flows(self, dvrs: str, table: int = ALL_TABLES) -> list[FlowEntry]:
        """The flows of a known hypervisor that belong to something visible. Raises CommandFailed."""
        self.topology.require(dvrs)
        found = [flow for flow in await self._fabric.flows(dvrs, table) if self.explain(flow.cookie) is not None]
        return [msgspec.structs.replace(flow, instructions=without_endpoints(flow.instructions)) for flow in found]

    async def history(self, limit: int, number: int | None = None) -> list[HistoryEntry]:
        """The commits that changed something visible, newest first; one that also changed more has no comment."""
        found = []
        whose = await self._former_tenants()
        for whole in await self._fabric.history(limit, number):
            entry = replace(whole, receipts=self._known(whole.receipts))
            changes = await self._fabric.difference(entry.number - 1, entry.number) if not entry.reason else {}
            own = whose.without(visible(changes, self._access), entry.number - 1, entry.number)
            mine = entry.author == self._access.user
            if own and own == changes:
                found.append(entry)
            elif own or mine:
                touched = {path[1] for path in own if path[0] == "dvrs"}
                receipts = entry.receipts if mine else tuple(one for one in entry.receipts if one.part in touched)
                comment, reason = (entry.comment, self._cause(entry.reason)) if mine else ("", "")
                found.append(replace(entry, comment=comment, reason=reason, receipts=receipts))
        return found

    def _known(self, receipts: tuple[R, ...], also: frozenset[str] = frozenset()) -> tuple[R, ...]:
        """Those of hypervisors that are known, or of `also`: neighbours and routers are the provider's."""
        topology = self.topology
        return tuple(one for one in receipts if one.part in also or topology.hosts(one.part))

    def _tells_of_others(self, where: str, cause: str) -> bool:
        """Whether the place or the cause of a failure is not for this user: of the provider's, or of a hypervisor that
        is not known.
        """
        return of_provider(where) or self.topology.names_others(f"{where} {cause}")

    def _cause(self, reason: str) -> str:
        """Why an own commit failed, when it is told of known hypervisors alone."""
        topology = self.topology
        known = topology.hosts(reason.partition(" ")[0]) and not topology.names_others(reason)
        return reason if known else reason and BEYOND

    async def difference(self, first: int, second: int) -> Changes:
        """What changed between two revisions, as far as it is visible."""
        changes = visible(await self._fabric.difference(first, second), self._access)
        return (await self._former_tenants()).without(changes, first, second)

    async def objects_at(self, number: int) -> dict[Path, Object]:
        """The visible objects of a revision."""
        objects = await self._fabric.objects_at(number)
        whose = await self._former_tenants()
        return {
            path: item for path, item in objects.items() if self._access.reads(path) and not whose.had(path, number)
        }

    async def at_revision(self, number: int) -> Configuration:
        """The configuration of a revision, as far as it is visible."""
        whose = await self._former_tenants()
        objects = await self._fabric.objects_at(number)
        kept = {path: item for path, item in objects.items() if not whose.had(path, number)}
        return Confined(await asyncio.to_thread(Running, kept, number), self._access)

    async def _former_tenants(self) -> FormerTenants:
        lives = {}
        for name in self._access.enterprises or ():
            tenant = self._fabric.running.get(("enterprise", name))
            mine = None if tenant is None else tenant.uuid
            rows = await self._fabric.lives(("enterprise", name))
            lives[name] = [(begin, end) for uuid, begin, end in rows if uuid != mine]
        return FormerTenants(lives)

    async def last_changes(self, paths: Iterable[Path]) -> dict[Path, tuple[int, str]]:
        """Revision and author of the last change of each path."""
        return await self._fabric.last_changes([path for path in paths if self._access.reads(path)])

    async def plan(self, edits: Edits) -> Plan:
        """What a commit of these edits would change, as far as it is about something visible: hypervisors that begin
        to know a shared domain get flows of that, too, and those of the shared domain one for each own vport.
        """
        plan = await self._fabric.plan(edits)
        topology, touched = self.topology, self._touched(edits)
        known = [each for each in plan.dvrs if each.name in touched or topology.hosts(each.name)]
        narrowed = [await self._narrowed(each, plan.objects) for each in known]
        return replace(plan, dvrs=tuple(narrowed), sides=())

    def _touched(self, edits: Edits) -> frozenset[str]:
        return self.topology.touched({path: item for path, item in edits.items() if self._access.reads(path)})

    async def _narrowed(self, plan: DvrsPlan, made: Mapping[int, Path]) -> DvrsPlan:
        own: list[bytes] = []
        for message in plan.messages:
            parts = None if table_of(message) == METERS else split_cookie(cookie(message))
            if parts is None:
                continue
            path = made.get(parts[2]) or self._fabric.explain(cookie(message))
            if path is not None and self._access.reads(path):
                own.append(without_endpoints(message))
        own += [message for message in plan.messages if table_of(message) == METERS]
        return await plan.only(own)

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        """Commits edits that the user may make; not over somebody else's commit that waits to be confirmed, also when
        that one was under way before this.
        """
        anew: Callable[[], Edits] | None = how.pop("again", None)

        def again() -> Edits:
            self._refuse_confirming()
            return edits if anew is None else anew()

        self._refuse_confirming()
        touched = self._touched(edits)
        try:
            outcome = await self._fabric.commit(edits, again=again, **how)
        except ApplyFailed as failed:
            if not self._tells_of_others(failed.where, failed.cause):
                raise
            raise ApplyFailed("commit", BEYOND, "try again later, or ask whoever runs the network") from None
        return replace(outcome, receipts=self._known(outcome.receipts, touched))

    def waits_for(self, user: str) -> bool:
        """Whether an own commit waits to be confirmed."""
        return self._fabric.waiting_author == user

    async def confirm(self, author: str, revision: int) -> int:
        """Confirms an own commit."""
        self._refuse_confirming()
        return await self._fabric.confirm(author, revision)

    def _refuse_confirming(self) -> None:
        if self._fabric.waiting is not None and not self.waits_for(self._access.user):
            raise CommandFailed(
                "commit",
                f"revision {self._fabric.waiting[0]} waits to be confirmed, and this commit would confirm it",
                "wait until it is confirmed or has returned",
            )


class PartlyHidden(ConfinedFabric):
    """The same for somebody who may work on the whole network, with parts of the configuration hidden."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fabric, name)

    @property
    def topology(self) -> Any:
        return self._fabric.topology

    def _known(self, receipts: tuple[R, ...], also: frozenset[str] = frozenset()) -> tuple[R, ...]:
        return tuple(one for one in receipts if not of_provider(one.part))

    def _tells_of_others(self, where: str, cause: str) -> bool:
        return of_provider(where)

    def _cause(self, reason: str) -> str:
        return BEYOND if reason and of_provider(reason) else reason

    @property
    def tracing(self) -> ConfinedTracing:
        return ConfinedTracing(
            self._fabric.tracing, self._access, lambda dvrs: True, self._former_tenants, underlay=True
        )

    def elsewhere(self, path: Path) -> Elsewhere | None:
        return self._fabric.elsewhere(path)

    async def flows(self, dvrs: str, table: int = ALL_TABLES) -> list[FlowEntry]:
        return await self._fabric.flows(dvrs, table)

    async def plan(self, edits: Edits) -> Plan:
        return await self._fabric.plan(edits)

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        return await self._fabric.commit(edits, **how)

    def waits_for(self, user: str) -> bool:
        return self._fabric.waits_for(user)

    async def confirm(self, author: str, revision: int) -> int:
        return await self._fabric.confirm(author, revision)


def facade(fabric: Fabric, access: Access) -> Fabric:
    """The fabric as this user may use it: itself when nothing is hidden."""
    if access.whole:
        return fabric
    return cast("Fabric", ConfinedFabric(fabric, access) if access.confined else PartlyHidden(fabric, access))
