"""What a tenant's administrator is told of a trace: all of his own, and of others only that something decided."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from controller.trace import Compiled, Question, Trace, Verdict, trace
from data.access import Access
from data.addresses import address
from data.errors import CommandFailed
from data.path import Path
from data.steps import at_once
from nshell.sessions.confined import FormerTenants
from nshell.sessions.confined_trace import ELSEWHERE, SOMEBODY_ELSE, ConfinedTracing
from tests.unit.compile.committed import Committed, Plugged
from tests.unit.trace.network import vport

LINES = [
    *(f"set dvrs hv{n} tunnel-address 172.31.0.{n}" for n in (1, 2)),
    "set enterprise infra domain svc shared access-prefix 100.64.0.0/24",
    "set enterprise infra domain svc zone z subnet pub prefix 172.16.0.0/24",
    "set enterprise infra domain svc vport dns subnet pub mac 02:00:00:00:06:01 address 172.16.0.53",
    "set enterprise infra domain svc egress-policy hidden entry 10 protocol tcp action allow",
    "set enterprise acme domain prod use infra/svc",
    "set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24",
    "set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:00:00:01:01 address 10.1.1.11",
]


class Whole:
    """`Tracing` of a network without switches."""

    def __init__(self) -> None:
        model = Committed()
        model.commit(*LINES)
        model.plug([Plugged("acme/prod/web-1", "hv1", 1), Plugged("infra/svc/dns", "hv2", 1)])
        self._state = model.state

    async def trace(self, question: Question, *, underlay: bool, **how: Any) -> Trace:
        return at_once(trace(self._state, question, Compiled(self._state), underlay=underlay))


def confined(former: FormerTenants, *names: str) -> ConfinedTracing:
    names = names or ("acme",)

    async def tenants() -> FormerTenants:
        return former

    class Theirs:
        def reads(self, path: Path) -> bool:
            return path[:2] in [("enterprise", name) for name in names]

    return ConfinedTracing(cast(Any, Whole()), cast(Access, Theirs()), lambda dvrs: dvrs == "hv1", tenants)


def ask(to: str, protocol: str, former: FormerTenants | None = None, **how: Any) -> Trace:
    question = Question(vport("web-1"), address(to), protocol=protocol, destination_port=53)
    return asyncio.run(confined(former or FormerTenants({})).trace(question, **how))


@pytest.mark.parametrize(("protocol", "verdict"), [("tcp", Verdict.DELIVERED), ("udp", Verdict.DENIED)])
def test_of_what_belongs_to_somebody_else_only_that_it_decided_is_told(protocol: str, verdict: Verdict) -> None:
    answer = ask("172.16.0.53", protocol)
    assert answer.verdict is verdict
    assert answer.reason == SOMEBODY_ELSE
    assert answer.at is None
    words = [hop.words for hop in answer.hops]
    assert "source 10.1.1.11 / 02:00:00:00:01:01 is web-1's" in words
    assert SOMEBODY_ELSE in words
    assert {hop.dvrs for hop in answer.hops} == {"hv1", ELSEWHERE}
    assert answer.visited == ("hv1",)
    assert all(hop.flow is None for hop in answer.hops if hop.object is None)
    for secret in ("hidden", "dns", "172.31", "svc", "hv2"):
        assert secret not in " ".join([*words, answer.reason]), secret


def test_nobody_traces_from_what_is_not_his() -> None:
    question = Question(vport("infra/svc/dns"), address("10.1.1.11"))
    with pytest.raises(CommandFailed, match="there is no such vport"):
        asyncio.run(confined(FormerTenants({})).trace(question))


def test_the_past_of_a_former_tenant_with_the_same_name_is_not_told() -> None:
    former = FormerTenants({"acme": [(1, 5)]})
    assert ask("172.16.0.53", "tcp", former, revision=7).verdict is Verdict.DELIVERED
    with pytest.raises(CommandFailed, match="there is no such vport"):
        ask("172.16.0.53", "tcp", former, revision=3)


def test_of_two_own_tenants_the_past_of_the_former_one_of_the_other_name_is_not_told() -> None:
    """Who administers both had nothing to do with the infra of revision 3, to which acme's packets went then."""
    former = FormerTenants({"infra": [(1, 5)]})
    question = Question(vport("web-1"), address("172.16.0.53"), protocol="tcp", destination_port=53)
    both = confined(former, "acme", "infra")
    now, then = (asyncio.run(both.trace(question, revision=number)) for number in (7, 3))
    assert now.ways[0].receiver is not None and "hidden" in " ".join(hop.words for hop in now.hops)
    assert then.ways[0].receiver is None and then.at is None and then.reason == SOMEBODY_ELSE
    assert "hidden" not in repr(then) and "dns" not in repr(then)
    with pytest.raises(CommandFailed, match="vport dns"):
        asyncio.run(both.trace(Question(vport("web-1"), vport("infra/svc/dns")), revision=3))
