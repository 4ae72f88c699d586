"""What `commit check` tells a tenant administrator of a shared domain that the tenant begins to use: the own part."""

from __future__ import annotations

from typing import Any, cast

from controller.commit.plan import Plan
from controller.commit.plan import describe as planned
from controller.commit.planning import change_of, draft
from controller.openflow.text import describe
from controller.pipeline import split_cookie
from data.access import Access
from data.path import Path
from nshell.sessions.confined import ConfinedFabric
from tests.unit.compile.committed import Committed
from tests.unit.compile.test_isolation import NETWORK

TINA = Access("tina", "bolt-admin", frozenset(("configure", "commit")), frozenset(("bolt",)))
INGE = Access("inge", "infra-admin", frozenset(("configure", "commit")), frozenset(("infra",)))
Places = tuple[tuple[str, str], ...]
SECRET = ("172.16.0.10", "02:00:ac:10:00:0a")


class Fabric:
    """Plans on a model; what is visible of it is the facade's affair."""

    def __init__(self, model: Committed) -> None:
        self.model = model
        self.acting = self.running = model.acting
        self.topology, self.numbers = model.topology, model.numbers

    def explain(self, cookie: int) -> Path | None:
        parts = split_cookie(cookie)
        uuids = {number: uuid for (pool, uuid), number in self.model.numbers.items() if pool == "object"}
        return None if parts is None else self.acting.by_uuid(uuids.get(parts[2], ""))

    async def plan(self, edits: Any) -> Plan:
        change = await change_of(self.model.acting, edits)
        made = await draft(self.model.acting, change.acting, self.model.state, self.topology)
        return await planned(made, edits, self.model.configured, 2, self.topology)


async def plans(*lines: str, access: Access = TINA, used: bool = False, more: Places = ()) -> tuple[Plan, Plan]:
    """What the network plans, and what the administrator of bolt sees of it; whether bolt uses the shared domain."""
    model = Committed()
    edits = model.candidate()
    edits.apply_batch(
        [line for line in NETWORK if used or line != "set enterprise bolt domain prod use infra/services"], "t"
    )
    await model.carry_out(edits.merge())
    for name, dvrs in (("infra/services/dns", "hv1"), ("bolt/prod/web", "hv2"), *more):
        await model.appear(name, dvrs, model.port())
    candidate = model.candidate()
    candidate.apply_batch(lines, "test")
    fabric = Fabric(model)
    return await fabric.plan(candidate.merge()), await ConfinedFabric(cast(Any, fabric), access).plan(candidate.merge())


def text(plan: Plan) -> str:
    return "\n".join(describe(message) for each in plan.dvrs for message in each.messages)


async def test_who_begins_to_use_a_shared_domain_sees_no_flow_and_no_hypervisor_of_it() -> None:
    whole, mine = await plans("set enterprise bolt domain prod use infra/services")
    assert all(secret in text(whole) for secret in SECRET), "the hypervisor gets flows of the shared domain"
    assert {each.name for each in whole.dvrs} == {"hv1", "hv2"}
    assert not [secret for secret in SECRET if secret in text(mine)]
    assert [each.name for each in mine.dvrs] == ["hv2"]
    assert mine.dvrs[0].messages and mine.dvrs[0].added == len(mine.dvrs[0].messages)
    assert sum(added for added, _ in mine.dvrs[0].by_table.values()) == mine.dvrs[0].added


async def test_a_plan_that_is_about_the_own_tenant_alone_is_shown_whole() -> None:
    whole, mine = await plans("set enterprise bolt domain prod ingress-policy base entry 10 action allow log")
    assert whole.dvrs and mine.dvrs == whole.dvrs


async def test_who_runs_a_shared_domain_does_not_learn_on_which_hypervisors_those_are_who_use_it() -> None:
    line = "set enterprise infra domain services egress-policy more entry 77 protocol udp action deny"
    whole, mine = await plans(line, access=INGE, used=True)
    assert {each.name for each in whole.dvrs} == {"hv1", "hv2"}, "the hypervisor of who uses it has its flows, too"
    assert [each.name for each in mine.dvrs] == ["hv1"] and mine.dvrs[0].messages


async def test_flows_of_ones_own_say_nothing_of_the_addresses_of_hypervisors() -> None:
    line = "set enterprise bolt domain prod vport more subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12"
    whole, mine = await plans(line, more=(("bolt/prod/more", "hv1"),))
    assert "set_field:172.31.0.2->tun_dst" in text(whole)
    assert "172.31." not in text(mine) and "set_field:0.0.0.0->tun_dst" in text(mine)
