"""Traces as somebody sees them who is confined to tenants: from own vports, and of what belongs to others only that
something decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.trace import Hop, Question, Trace, Way
from data.access import Access
from data.addresses import Ip
from data.errors import CommandFailed
from data.path import Path
from nshell.sessions.confined_topology import without_endpoints

if TYPE_CHECKING:
    from controller.trace.tracing import Tracing
    from nshell.sessions.confined import FormerTenants

__all__ = ["ConfinedTracing"]

SOMEBODY_ELSE = "something of somebody else decides"
ELSEWHERE = "elsewhere"

Reads = Callable[[Path], bool]
"""Whether the user may read what is, or in a revision of the past was, at a path."""


class ConfinedTracing:
    """What `Tracing` is to handlers, for one user."""

    def __init__(
        self,
        tracing: Tracing,
        access: Access,
        hosts: Callable[[str], bool],
        former_tenants: Callable[[], Awaitable[FormerTenants]],
        *,
        underlay: bool = False,
    ) -> None:
        """`hosts` says whether a hypervisor may be named; `underlay` whether tunnel addresses may."""
        self._tracing = tracing
        self._access = access
        self._hosts = hosts
        self._former_tenants = former_tenants
        self._underlay = underlay

    async def trace(
        self, question: Question, *, revision: int | None = None, live: bool = False, underlay: bool = True
    ) -> Trace:
        """As the fabric's, without what the user may not see. Raises CommandFailed."""
        former = None if revision is None else await self._former_tenants()

        def reads(path: Path) -> bool:
            return self._access.reads(path) and not (former is not None and former.had(path, revision or 0))

        to = question.destination
        for path in (question.source,) if isinstance(to, Ip) else (question.source, to):
            if not reads(path):
                raise CommandFailed(f"vport {path[-1]}", "there is no such vport", "'show vports' lists yours")
        whole = await self._tracing.trace(question, revision=revision, live=live, underlay=underlay and self._underlay)
        seen = {dvrs: self._hosts(dvrs) for dvrs in whole.visited}
        visited = tuple(dvrs for dvrs in whole.visited if seen[dvrs])
        return replace(whole, ways=tuple(self._way(way, seen, reads) for way in whole.ways), visited=visited)

    def _way(self, way: Way, seen: dict[str, bool], reads: Reads) -> Way:
        mine = way.at is None or reads(way.at)
        receiver = way.receiver if way.receiver is not None and reads(way.receiver) else None
        return replace(
            way,
            hops=tuple(self._hop(hop, seen, reads) for hop in way.hops),
            at=way.at if mine else None,
            reason=way.reason if mine else SOMEBODY_ELSE,
            receiver=receiver,
            reply=None if way.reply is None else self._way(way.reply, seen, reads),
        )

    def _hop(self, hop: Hop, seen: dict[str, bool], reads: Reads) -> Hop:
        dvrs = hop.dvrs if seen.get(hop.dvrs) else ELSEWHERE
        if hop.object is None:  # of the fabric itself, without the underlay
            return Hop(dvrs, hop.table, hop.words, plain=hop.plain, copy=hop.copy)
        if not reads(hop.object):
            return Hop(dvrs, hop.table, SOMEBODY_ELSE, plain=hop.plain, copy=hop.copy)
        flow = hop.flow if hop.flow is None or self._underlay else without_endpoints(hop.flow)
        return replace(hop, dvrs=dvrs, flow=flow)
