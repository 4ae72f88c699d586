"""The analysis of the network as it is now, beside everything else that the loop does; what was found is kept until the
policy or the configuration is another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from controller.analysis.allowed import Answer, why_not
from controller.analysis.changes import By
from controller.analysis.ends import ends_now
from controller.analysis.findings import Finding, findings
from controller.compile.policy import DIRECTIONS, DomainPolicy
from controller.network import Network
from controller.trace.question import Question
from data.access import Access
from data.path import Path
from data.steps import spread

__all__ = ["Analysis"]

_KEPT = 200  # domains whose findings are kept


class Analysis:
    """What is asked of the rules of the running network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._found: OrderedDict[Path, tuple[DomainPolicy, int, Mapping[Path, Finding]]] = OrderedDict()

    def policy(self, domain: Path) -> DomainPolicy | None:
        """The compiled policy of a domain or l2-domain; None when there is none."""
        return self._network.state.policies.get(domain)

    async def findings(self, domain: Path) -> Mapping[Path, Finding]:
        """What is found of the entries of a domain. Costs its rules squared at worst, and its vports."""
        policy, revision = self.policy(domain), self._network.configured.revision
        if policy is None:
            return {}
        kept = self._found.get(domain)
        if kept is not None and kept[0] is policy and kept[1] == revision:
            return kept[2]
        found: dict[Path, Finding] = {}
        if any(rule.direction in DIRECTIONS for rule in policy.rules.values()):
            ends = await spread(ends_now(self._network.state.view, policy))
            for side in DIRECTIONS:
                found.update(await spread(findings(policy, side, ends[side])))
        self._found[domain] = policy, revision, found
        self._found.move_to_end(domain)
        if len(self._found) > _KEPT:
            self._found.popitem(last=False)
        return found

    async def why_not(self, question: Question, by: By, access: Access) -> Answer:
        """Why a packet does not come through, and the smallest change of what this user may write after which it does.
        Raises CommandFailed."""
        return await why_not(self._network, question, by, access)
