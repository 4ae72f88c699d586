"""The analysis of rules as somebody sees it who is confined to tenants: of own domains alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.analysis import Finding
from controller.compile.policy import DomainPolicy
from data.access import Access
from data.addresses import Ip
from data.errors import NothingThere, NotPermitted
from data.path import Path, vport_name

if TYPE_CHECKING:
    from controller.analysis import Analysis, Answer
    from controller.analysis.changes import By
    from controller.trace.question import Question, Way

SOMEBODY_ELSES = "something that is not in your enterprise"


class ConfinedAnalysis:
    """What `Analysis` is to handlers, for one user."""

    def __init__(self, analysis: Analysis, access: Access) -> None:
        self._analysis = analysis
        self._access = access

    def policy(self, domain: Path) -> DomainPolicy | None:
        """The compiled policy of an own domain, with the entries that the user may read."""
        policy = self._analysis.policy(domain) if self._access.reads(domain) else None
        if policy is None:
            return None
        return replace(policy, rules={path: rule for path, rule in policy.rules.items() if self._access.reads(path)})

    async def findings(self, domain: Path) -> Mapping[Path, Finding]:
        """What is found of the entries of an own domain that the user may read."""
        if not self._access.reads(domain):
            return {}
        found = await self._analysis.findings(domain)
        return {
            path: replace(finding, by=tuple(each for each in finding.by if self._access.reads(each)))
            for path, finding in found.items()
            if self._access.reads(path)
        }

    async def why_not(self, question: Question, by: By, access: Access) -> Answer:
        """From an own vport, to an own vport or to any address. Raises NothingThere, CommandFailed."""
        to = question.destination
        for path in (question.source,) if isinstance(to, Ip) else (question.source, to):
            if not self._access.reads(path):
                raise NothingThere(f"vport {vport_name(path)}", "there is no such vport", "'show vports' lists yours")
        whole = await self._analysis.why_not(question, by, self._access)
        refused = whole.refused
        if isinstance(refused, NotPermitted) and not self._access.reads(tuple(refused.where.split())):
            refused = NotPermitted(SOMEBODY_ELSES, refused.cause, refused.remedy)
        return replace(
            whole,
            trace=replace(whole.trace, ways=tuple(self._way(way) for way in whole.trace.ways), visited=()),
            stopped=None if whole.stopped is None else self._way(whole.stopped),
            left=None if whole.left is None else self._way(whole.left),
            refused=refused,
        )

    def _way(self, way: Way) -> Way:
        """Without its hops, and of what belongs to others only that it decided."""
        mine = way.at is None or self._access.reads(way.at)
        seen = way.receiver is not None and self._access.reads(way.receiver)
        return replace(
            way,
            hops=(),
            at=way.at if mine else None,
            reason=way.reason if mine else SOMEBODY_ELSES,
            receiver=way.receiver if seen else None,
            reply=None if way.reply is None else self._way(way.reply),
        )
