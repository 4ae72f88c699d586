"""What tenants see of what their domains inherit: all of it, in order, and nothing of the template itself."""

from __future__ import annotations

import asyncio
from typing import cast

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from data.access import Access
from data.acting import Acting
from data.configuration import Configuration, Running
from tests.unit.service.test_confined_shows import TINA, Confined
from tests.unit.shell.pretend import PretendFabric, running
from views.json import document
from views.models import Plan, PlanDomain, Several, Table
from views.plan import render_plan

LINES = """
set domain-template office zone web subnet web1 prefix 10.1.1.0/24
set domain-template office policy-group front
set domain-template office qos silver ingress-rate 1000
set domain-template office default-qos silver
set domain-template office ingress-policy base priority 900 entry 10 from policy-group front action deny
set domain-template office ingress-policy base entry 20 from network-macro wan action allow
set domain-template office ingress-policy base entry 30 from zone web protocol tcp destination-port 443 action allow
set domain-template office egress-policy base entry 10 to subnet web1 protocol udp action allow
set enterprise acme network-macro wan prefix 192.0.2.0/24
set enterprise acme domain prod template office
set enterprise acme domain prod ingress-policy own priority 1 entry 5 from vport v2 action allow stateful
set enterprise acme domain prod ingress-policy own entry 6 from vport v3 action allow
set enterprise acme domain prod ingress-policy base entry 30 destination-port 80
set enterprise acme domain prod vport v2 subnet web1 mac 02:00:00:00:00:02 address 10.1.1.2 policy-group front
set enterprise acme domain prod vport v3 subnet web1 mac 02:00:00:00:00:03 address 10.1.1.3
set enterprise other domain prod template office
set enterprise other domain prod vport v2 subnet web1 mac 02:00:00:00:00:02 address 10.1.1.2
"""


def context(access: Access = TINA) -> Confined:
    state: Running = running(LINES)
    made = Confined(running=state, access=access)
    whole = PretendFabric(state)
    whole.acting = cast(Running, Acting(state))
    made.fabric = whole
    return made


def said(line: str, access: Access = TINA) -> object:
    made = context(access)
    command, arguments = parse(Mode.OPERATIONAL, lex(line).words, made, False)
    return asyncio.run(command.handler(made, arguments))


def cells(table: object, *keys: str) -> list[tuple[object, ...]]:
    assert isinstance(table, Table)
    at = [next(i for i, column in enumerate(table.columns) if column.key == key) for key in keys]
    return [tuple(row[i] for i in at) for row in table.rows]


def test_a_tenant_sees_what_decides_about_a_vport_in_its_order_and_where_it_comes_from() -> None:
    shown = said("show vport v2 policy")
    assert isinstance(shown, Several) and list(shown.parts) == ["objects", "ingress", "egress"]
    assert cells(shown.parts["objects"], "what", "name", "from") == [
        ("domain", "acme/prod", None),
        ("template", "office", None),
        ("zone", "web", "template office"),
        ("subnet", "web1", "template office"),
        ("policy-group", "front", "template office"),
        ("qos", "silver", "template office"),
    ]
    assert cells(shown.parts["ingress"], "order", "rule", "action", "by") == [
        (1, "base/10", "deny", "template office"),
        (2, "base/30", "allow", "template office, overridden in the domain"),
        (3, "own/5", "allow", "domain"),
        (None, "default", "deny", "an ingress-policy has an entry"),
    ]
    assert cells(shown.parts["egress"], "rule", "by") == [
        ("base/10", "template office"),
        ("default", "an egress-policy has an entry"),
    ]
    assert '"domain-template' not in str(document(shown))


def test_another_vport_meets_other_rules() -> None:
    shown = said("show vport acme/prod/v3 policy")
    assert isinstance(shown, Several)
    assert cells(shown.parts["ingress"], "rule") == [("base/30",), ("own/6",), ("default",)]
    both = said("show vport v2 policy", Access("root", "super-user", frozenset(("all",))))
    assert isinstance(both, Several) and list(both.parts) == ["acme/prod/v2", "other/prod/v2"]


def test_shows_of_zones_subnets_groups_and_policies_hold_what_is_inherited_and_not_the_template() -> None:
    everything = Access("root", "super-user", frozenset(("all",)))
    for access, domains in ((TINA, ["acme/prod"]), (everything, ["acme/prod", "other/prod"])):
        for line, key in (("show zones", "name"), ("show subnets", "name"), ("show policy-groups", "name")):
            assert [row[0] for row in cells(said(line, access), "domain")] == domains, (line, key)
        rows = cells(said("show policies", access), "domain", "direction", "entry")
        assert [entry for domain, direction, entry in rows if (domain, direction) == ("acme/prod", "ingress")] == [
            "base/10",
            "base/20",
            "base/30",
            "own/5",
            "own/6",
            "default",
        ]
    assert cells(said("show domains"), "zones", "subnets") == [(1, 1)]
    assert cells(said("show arp"), "address", "owner")[0] == ("10.1.1.1", "gateway")


def test_a_plan_names_some_domains_and_with_detail_all() -> None:
    domains = tuple(
        PlanDomain(f"acme/d{n}", tuple(f"acme/d{n}/v{m}" for m in range(n)), ("hv1",) * bool(n)) for n in range(20)
    )
    lines = render_plan(Plan(2, (), (), domains=domains))
    assert lines[:3] == [
        "domains    20 domains: 190 vports on hv1",
        "           acme/d0: no vport there is concerned",
        "           acme/d1: 1 vport on hv1 (v0)",
    ]
    assert "           acme/d7: 7 vports on hv1 (v0, v1, v2, v3 and 3 more)" in lines
    assert lines[17] == "           and 4 more: 'commit check detail' names all"
    whole = render_plan(Plan(2, (), (), domains=domains, detail=True))
    assert f"           acme/d19: 19 vports on hv1 ({', '.join(f'v{m}' for m in range(19))})" in whole


def test_the_tenants_view_of_what_acts_does_not_hold_the_template() -> None:
    acting: Configuration = context().fabric.acting
    assert acting.get(("domain-template", "office")) is None and acting.children((), "domain-template") == []
    assert acting.children(("enterprise", "acme", "domain", "prod"), "zone") == ["web"]
