"""The network as somebody sees it who is confined to tenants: a facade that has only what is safe, and filters it.

Handlers declared `confined=True` get this as `context.fabric`. What is not written down here does not exist for them,
so that a new method of the fabric is hidden until somebody decides otherwise.

    running, acting     data/confined.py        flows       those that belong to something visible
    topology            where own vports are    history     commits that touched something visible
    plan, commit        as the fabric's; the edits were checked by the candidate's guard, and are once more
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES
from controller.topology import Attachment, Hypervisor, Interface
from data.access import Access
from data.configuration import Configuration, Edits
from data.confined import Confined
from data.difference import Changes
from data.errors import CommandFailed
from data.path import Path, vport_name
from data.schema.objects import Object, Vport
from data.store import HistoryEntry

if TYPE_CHECKING:
    from controller.fabric import Fabric, Outcome, Plan


def visible(changes: Changes, access: Access) -> Changes:
    """The part of a difference that this user may read."""
    return {path: pair for path, pair in changes.items() if access.reads(path)}


class ConfinedTopology:
    """Where the vports are that the user sees; nothing else of the hypervisors but that they are there."""

    def __init__(self, fabric: Fabric, running: Configuration) -> None:
        self._topology = fabric.topology
        self._running = running
        self.unknown: Mapping[str, Hypervisor] = {}

    def attachment(self, vport: str, full_name: str) -> Attachment | None:
        """Where a vport is; None for one that the user does not see."""
        return self._topology.attachment(vport, full_name) if self._running.by_uuid(vport) is not None else None

    @property
    def hypervisors(self) -> Mapping[str, Hypervisor]:
        """The hypervisors that own vports are on: name and state, not their addresses and versions."""
        found: dict[str, Hypervisor] = {}
        for path, vport in self._running.objects(Vport):
            where = self._topology.attachment(vport.uuid, vport_name(path))
            if where is not None and where.dvrs not in found and where.dvrs in self._topology.hypervisors:
                known = self._topology.hypervisors[where.dvrs]
                found[where.dvrs] = Hypervisor(known.name, "", known.state, known.since)
        return found

    def claims_of(self, dvrs: str) -> Iterable[Interface]:
        """The interfaces on a hypervisor that are own vports'."""
        for claim in self._topology.claims_of(dvrs):
            if self._running.by_uuid(claim.iface_id) is not None:
                yield claim


class ConfinedFabric:
    """What `Fabric` is to handlers, for one user."""

    def __init__(self, fabric: Fabric, access: Access) -> None:
        self._fabric = fabric
        self._access = access
        self.running: Configuration = Confined(fabric.running, access)
        self.acting = self.running if fabric.acting is fabric.running else Confined(fabric.acting, access)
        self.numbers = fabric.numbers

    @property
    def topology(self) -> ConfinedTopology:
        """Where own vports are."""
        return ConfinedTopology(self._fabric, self.running)

    @property
    def waiting(self) -> tuple[int, float] | None:
        """Revision and deadline of the commit that waits for confirmation."""
        return self._fabric.waiting

    def explain(self, cookie: int) -> Path | None:
        """The object that a flow belongs to, when the user may read it."""
        path = self._fabric.explain(cookie)
        return path if path is not None and self._access.reads(path) else None

    async def flows(self, dvrs: str, table: int = ALL_TABLES) -> list[FlowEntry]:
        """The flows of a hypervisor that belong to something visible. Raises CommandFailed."""
        if dvrs not in self.topology.hypervisors:
            raise CommandFailed(f"dvrs {dvrs}", "there is no such hypervisor", "'show vports' tells where yours are")
        return [flow for flow in await self._fabric.flows(dvrs, table) if self.explain(flow.cookie) is not None]

    async def history(self, limit: int) -> list[HistoryEntry]:
        """The commits that changed something visible, newest first; one that also changed more has no comment."""
        found = []
        for entry in await self._fabric.history(limit):
            changes = await self._fabric.difference(entry.number - 1, entry.number) if not entry.reason else {}
            own = visible(changes, self._access)
            mine = entry.author == self._access.user
            if own and len(own) == len(changes):
                found.append(entry)
            elif own or mine:
                touched = {path[1] for path in own if path[0] == "dvrs"}
                receipts = entry.receipts if mine else tuple(one for one in entry.receipts if one.dvrs in touched)
                comment, reason = (entry.comment, entry.reason) if mine else ("", "")
                found.append(replace(entry, comment=comment, reason=reason, receipts=receipts))
        return found

    async def difference(self, first: int, second: int) -> Changes:
        """What changed between two revisions, as far as it is visible."""
        return visible(await self._fabric.difference(first, second), self._access)

    async def objects_at(self, number: int) -> dict[Path, Object]:
        """The visible objects of a revision."""
        objects = await self._fabric.objects_at(number)
        return {path: item for path, item in objects.items() if self._access.reads(path)}

    async def at_revision(self, number: int) -> Configuration:
        """The configuration of a revision, as far as it is visible."""
        return Confined(await self._fabric.at_revision(number), self._access)

    async def last_changes(self, paths: Iterable[Path]) -> dict[Path, tuple[int, str]]:
        """Revision and author of the last change of each path."""
        return await self._fabric.last_changes([path for path in paths if self._access.reads(path)])

    async def plan(self, edits: Edits) -> Plan:
        """What a commit of these edits would change."""
        return await self._fabric.plan(edits)

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        """Commits edits that the user may make; not over somebody else's commit that waits to be confirmed."""
        if self._fabric.waiting is not None:
            raise CommandFailed(
                "commit",
                f"revision {self._fabric.waiting[0]} waits to be confirmed, and this commit would confirm it",
                "wait until it is confirmed or has returned",
            )
        return await self._fabric.commit(edits, **how)


class PartlyHidden(ConfinedFabric):
    """The same for somebody who may work on the whole network, with parts of the configuration hidden."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fabric, name)

    @property
    def topology(self) -> Any:
        return self._fabric.topology

    async def flows(self, dvrs: str, table: int = ALL_TABLES) -> list[FlowEntry]:
        return await self._fabric.flows(dvrs, table)

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        return await self._fabric.commit(edits, **how)


def facade(fabric: Fabric, access: Access) -> Fabric:
    """The fabric as this user may use it: itself when nothing is hidden."""
    if access.whole:
        return fabric
    return cast("Fabric", ConfinedFabric(fabric, access) if access.confined else PartlyHidden(fabric, access))
