"""What a tenant learns of rules and of packets that do not come through: of others only that they decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.analysis import Analysis
from controller.trace.question import Question, Verdict
from data.access import Rule
from data.addresses import address
from data.errors import NothingThere, NotPermitted
from nshell.sessions.confined_analysis import SOMEBODY_ELSES, ConfinedAnalysis
from tests.unit.analysis.office import PROD, network, tenant, vport
from tests.unit.analysis.test_why_not import NTP, SSH, USED, WITH_NTP

TOOLS = ("enterprise", "beta", "domain", "tools")
SECRET = f"{USED}set enterprise beta domain tools egress-policy zzsecret entry 77 action deny"


def confined(lines: str = SECRET) -> ConfinedAnalysis:
    return ConfinedAnalysis(Analysis(network(lines, WITH_NTP)), tenant())


async def test_rules_of_another_tenant_are_not_there() -> None:
    analysis = confined()
    assert analysis.policy(TOOLS) is None
    assert await analysis.findings(TOOLS) == {}
    assert analysis.policy(PROD) is not None


async def test_who_denies_at_another_tenants_is_not_said() -> None:
    question = replace(SSH, destination=address("10.9.1.11"))
    answer = await confined().why_not(question, "vport", tenant())
    assert answer.stopped is not None and answer.stopped.verdict is Verdict.DENIED
    assert answer.stopped.at is None and answer.stopped.reason == SOMEBODY_ELSES
    assert answer.offer is None and isinstance(answer.refused, NotPermitted)
    assert "zzsecret" not in repr(answer) and "77" not in repr(answer.refused)


@pytest.mark.parametrize("question", [replace(SSH, destination=NTP), Question(NTP, vport("web-1"))])
async def test_vports_of_another_tenant_are_not_there(question: Question) -> None:
    with pytest.raises(NothingThere):
        await confined().why_not(question, "vport", tenant())


async def test_only_entries_that_may_be_read_are_named() -> None:
    hidden = Rule((*PROD, "egress-policy", "guard"), "none")
    out = "set enterprise acme domain prod egress-policy"
    lines = f"{out} guard entry 1 action deny\n{out} own entry 1 protocol tcp action allow"
    access = replace(tenant(), rules=(hidden,))
    analysis = ConfinedAnalysis(Analysis(network(lines)), access)
    found = await analysis.findings(PROD)
    assert {path[5] for path in found} == {"own"}
    assert all(finding.by == () for finding in found.values())
    policy = analysis.policy(PROD)
    assert policy is not None and {path[5] for path in policy.rules} == {"own"}
