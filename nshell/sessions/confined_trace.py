"""Traces as somebody sees them who is confined to tenants: from own vports, and of what belongs to others only that
something decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.trace import Hop, Question, Trace, Way
from data.access import Access
from data.errors import CommandFailed

if TYPE_CHECKING:
    from controller.trace.tracing import Tracing
    from nshell.sessions.confined import FormerTenants

__all__ = ["ConfinedTracing"]

SOMEBODY_ELSE = "something of somebody else decides"
ELSEWHERE = "elsewhere"


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
        own = self._access.reads(question.source)
        if own and revision is not None:
            own = not (await self._former_tenants()).had(question.source, revision)
        if not own:
            raise CommandFailed(f"vport {question.source[-1]}", "there is no such vport", "'show vports' lists yours")
        whole = await self._tracing.trace(question, revision=revision, live=live, underlay=underlay and self._underlay)
        seen = {dvrs: self._hosts(dvrs) for dvrs in whole.visited}
        visited = tuple(dvrs for dvrs in whole.visited if seen[dvrs])
        return replace(whole, ways=tuple(self._way(way, seen) for way in whole.ways), visited=visited)

    def _way(self, way: Way, seen: dict[str, bool]) -> Way:
        mine = way.at is None or self._access.reads(way.at)
        receiver = way.receiver if way.receiver is not None and self._access.reads(way.receiver) else None
        return replace(
            way,
            hops=tuple(self._hop(hop, seen) for hop in way.hops),
            at=way.at if mine else None,
            reason=way.reason if mine else SOMEBODY_ELSE,
            receiver=receiver,
            reply=None if way.reply is None else self._way(way.reply, seen),
        )

    def _hop(self, hop: Hop, seen: dict[str, bool]) -> Hop:
        dvrs = hop.dvrs if seen.get(hop.dvrs) else ELSEWHERE
        if hop.object is None:  # of the fabric itself, without the underlay
            return Hop(dvrs, hop.table, hop.words, plain=hop.plain, copy=hop.copy)
        if not self._access.reads(hop.object):
            return Hop(dvrs, hop.table, SOMEBODY_ELSE, plain=hop.plain, copy=hop.copy)
        return replace(hop, dvrs=dvrs)
