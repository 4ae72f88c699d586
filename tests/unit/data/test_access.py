"""What login classes come to: verbs, paths, tenants, and a configuration seen through them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from data.access import Access, Rule, access_of
from data.candidate import Candidate
from data.confined import Confined, seen
from data.errors import NotPermitted
from data.path import Path
from data.rules import check
from data.schema.completion import complete
from data.schema.objects import Controller, Vport
from tests.unit.shell.pretend import LINES, running

CLASSES = """
set login-class acme-admin permission [ show configure commit ] enterprise acme
set login-class acme-web permission [ show configure commit ] enterprise acme
set login-class acme-web rule 10 path "enterprise acme domain * vport" access write
set login-class acme-web rule 20 path "enterprise acme domain prod zone" access read
set login-class acme-web rule 30 path "enterprise acme" access none
set login-class planner permission [ show configure commit ]
set login-class planner rule 10 path "login-class" access none
set login-class planner rule 20 path "dvrs *" access read
set controller anycast-gateway-mac 02:00:00:00:00:01
"""
ACME: Path = ("enterprise", "acme")
PROD: Path = (*ACME, "domain", "prod")
UMBRELLA: Path = ("enterprise", "umbrella")


@pytest.fixture(scope="module")
def configuration():
    return running(LINES + CLASSES)


def access(configuration, name: str, user: str = "tina") -> Access:
    found = access_of(configuration, user, name)
    assert found is not None
    return found


def test_built_in_classes_are_there_and_unknown_ones_are_not(configuration) -> None:
    assert access(configuration, "super-user").unlimited
    assert access(configuration, "operator").permits("tools")
    assert not access(configuration, "read-only").permits("configure")
    assert access_of(configuration, "tina", "nobody") is None


def test_everybody_may_leave(configuration) -> None:
    assert access(configuration, "read-only").permits("session")


def test_a_confined_class_reaches_its_tenants_alone(configuration) -> None:
    tina = access(configuration, "acme-admin")
    assert tina.confined and tina.writes((*PROD, "vport", "web-1"))
    for path in (
        UMBRELLA,
        (*UMBRELLA, "domain", "lab"),
        ("dvrs", "hv1"),
        ("system",),
        ("user", "other"),
        ("controller",),
    ):
        assert not tina.reads(path) and not tina.sees(path) and not tina.writes(path), path


@pytest.mark.parametrize("verb", ["delete", "rename", "copy", "deactivate"])
def test_a_tenant_cannot_take_its_own_enterprise_away(configuration, verb: str) -> None:
    tina = access(configuration, "acme-admin")
    tina.refuse_write(ACME, "set")
    with pytest.raises(NotPermitted):
        tina.refuse_write(ACME, verb)
    with pytest.raises(NotPermitted):
        tina.refuse_write((), verb)


def test_a_refusal_does_not_tell_whether_the_object_exists(configuration) -> None:
    tina = access(configuration, "acme-admin")
    causes = set()
    for name in ("umbrella", "not-there"):
        with pytest.raises(NotPermitted) as refusal:
            tina.refuse_write(("enterprise", name), "set")
        causes.add((refusal.value.cause, refusal.value.remedy))
    assert len(causes) == 1 and "umbrella" not in str(causes)


def test_the_first_rule_that_matches_decides(configuration) -> None:
    web = access(configuration, "acme-web")
    assert web.writes((*PROD, "vport", "web-1"))
    assert web.reads((*PROD, "zone", "web")) and not web.writes((*PROD, "zone", "web"))
    assert not web.reads((*PROD, "ingress-policy", "base"))
    assert web.sees(PROD) and not web.reads(PROD), "it leads to what may be read"


def test_rules_of_a_confined_class_never_reach_beyond_its_tenants() -> None:
    state = running(LINES + 'set login-class x permission show enterprise acme\n'
                    'set login-class x rule 1 path "enterprise umbrella" access write\n'
                    'set login-class x rule 2 path "dvrs" access read\n')  # fmt: skip
    found = access(state, "x")
    assert not found.sees(UMBRELLA) and not found.sees(("dvrs", "hv1"))


@pytest.mark.parametrize("path", [("user", "mallory"), ("login-class", "x"), ("access",), ("ssh",), ("alias", "sv")])
def test_nobody_without_all_can_give_themselves_more(configuration, path: Path) -> None:
    plan = access_of(running(LINES + "set login-class p permission [ show configure commit request tools audit ]\n"),
                     "mallory", "p")  # fmt: skip
    assert plan is not None and plan.reads(path) and not plan.writes(path)
    assert access(configuration, "super-user").writes(path)


def test_own_aliases_are_everybodys_own_business(configuration) -> None:
    tina = access(configuration, "acme-admin")
    assert tina.writes(("user", "tina", "alias", "sv")) and tina.sees(("user", "tina"))
    assert not tina.writes(("user", "tina")) and not tina.sees(("user", "other", "alias", "sv"))


def test_a_confined_view_has_no_trace_of_other_tenants(configuration) -> None:
    view = Confined(configuration, access(configuration, "acme-admin"))
    assert view.children((), "enterprise") == ["acme"]
    assert view.search((), "enterprise", "", 10) == ["acme"] and view.count((), "enterprise") == 1
    assert view.children((), "dvrs") == [] and view.get(("dvrs", "hv1")) is None
    assert {path[1] for path, _ in view.objects(Vport)} == {"acme"}
    assert all(path[:2] == ACME for path, _ in view.walk())
    other = configuration.get((*UMBRELLA, "domain", "lab", "vport", "web-1"))
    assert view.by_uuid(other.uuid) is None
    assert view.holders("vport", "mac", (*UMBRELLA, "domain", "lab"), "02:00:0a:01:01:0b") == ()
    assert view.naming("subnet", (*UMBRELLA, "domain", "lab"), "s") == set()


def test_what_only_leads_somewhere_has_a_name_and_no_leaves(configuration) -> None:
    view = Confined(configuration, access(configuration, "acme-web"))
    domain = view.get(PROD)
    assert domain is not None and domain.description is None
    assert view.get((*PROD, "ingress-policy", "base")) is None
    assert view.children(PROD, "vport") == ["web-1", "web-2"]


def test_the_gateway_mac_is_no_secret_but_the_rest_of_the_controller_is(configuration) -> None:
    view = Confined(configuration, access(configuration, "acme-admin"))
    assert view.settings(Controller).anycast_gateway_mac == "02:00:00:00:00:01"
    assert view.get(("controller",)) is None


def test_nothing_stands_between_somebody_who_sees_everything_and_the_configuration(configuration) -> None:
    assert seen(configuration, access(configuration, "operator")) is configuration
    assert seen(configuration, access(configuration, "planner")) is not configuration


def test_edits_made_with_more_rights_are_refused_also_what_goes_off_with_the_object_above(configuration) -> None:
    web = access(configuration, "acme-web")
    vport = (*PROD, "vport", "web-1")
    item, above = configuration.get(vport), configuration.get(PROD)
    assert item is not None and above is not None
    web.refuse_edits({vport: replace(item, description="x")}, configuration)
    for edits in ({PROD: replace(above, description="x")}, {(*UMBRELLA, "domain", "x"): None}):
        with pytest.raises(NotPermitted):
            web.refuse_edits(edits, configuration)
    admin = access(configuration, "acme-admin")
    admin.refuse_edits({PROD: replace(above, inactive=True)}, configuration)
    part = Access("tina", "part", frozenset(("configure", "commit")), None, (Rule(vport, "read"),))
    part.refuse_edits({PROD: replace(above, description="x")}, configuration)
    with pytest.raises(NotPermitted, match="you may not deactivate all of it"):
        part.refuse_edits({PROD: replace(above, inactive=True)}, configuration)


SERVICES = """
set domain-template office zone z subnet s prefix 10.0.0.0/24
set enterprise ops domain dns shared access-prefix 198.18.0.0/16
set enterprise ops domain hidden zone z subnet s prefix 10.98.0.0/24
set enterprise acme domain own shared
set enterprise acme domain dev use ops/dns
"""


def test_a_tenant_reaches_all_of_its_services_and_no_template(configuration) -> None:
    tina = access(configuration, "acme-admin")
    for path in (
        (*ACME, "l2-domain", "wire", "vport", "a"),
        (*PROD, "virtual-ip", "10.1.1.100"),
        (*PROD, "static-route", "0.0.0.0/0"),
        (*PROD, "load-balancer", "www", "backend", "web-1"),
        (*PROD, "forwarding-policy", "chain", "redirect", "10"),
        (*PROD, "mirror", "tap"),
    ):
        assert tina.reads(path) and tina.writes(path), path
    for path in (("domain-template", "office"), ("enterprise", "ops", "domain", "dns")):
        assert not tina.reads(path) and not tina.sees(path) and not tina.writes(path), path


def test_a_tenant_is_offered_its_own_shared_domains_alone(configuration) -> None:
    state = running(LINES + CLASSES + SERVICES)
    mine = Confined(state, access(configuration, "acme-admin"))
    use = ["enterprise", "acme", "domain", "prod", "use"]
    assert [one.word for one in complete(use, "", mine) if one.live] == ["acme/own"]
    assert [one.word for one in complete(use, "", state) if one.live] == ["acme/own", "ops/dns"]
    assert mine.users_of(("enterprise", "ops", "domain", "dns")) == {(*ACME, "domain", "dev")}
    assert not any(one.live for one in complete([*use[:4], "template"], "", mine))


@pytest.mark.parametrize("leaf", ["use ops/dns", "template office"])
def test_an_error_about_what_is_outside_tells_a_tenant_no_names(leaf: str) -> None:
    before = running(LINES + SERVICES)
    keyword, name = leaf.split()
    candidate = Candidate(before, "tina")
    candidate.set(["enterprise", "acme", "domain", "prod", keyword, f"{name}x"])
    text = str(check(candidate.view, candidate.merge(), before)[0])
    assert f"{name}x" in text and name not in text.replace(f"{name}x", "")


@pytest.mark.parametrize(
    "line",
    [
        "enterprise acme domain prod vport other type bridge uplink wan",
        "enterprise acme domain prod vport gate vlan 200",
        "enterprise acme domain prod mirror tap vport web-1 collector 172.31.0.1",
        "enterprise acme domain prod zone web subnet web1 dns-proxy",
        "enterprise acme domain prod template other",
    ],
)
def test_what_reaches_beyond_the_tenant_is_not_for_its_administrators(line: str) -> None:
    view = running(LINES + CLASSES + "set enterprise acme domain prod vport gate uplink wan vlan 100\n")
    made = Candidate(view, "tina")
    made.set(line.split())
    with pytest.raises(NotPermitted, match="beyond the enterprise"):
        access(view, "acme-admin").refuse_edits(made.edits(), view)
    access(view, "super-user").refuse_edits(made.edits(), view)


def test_an_administrator_of_a_tenant_may_rename_and_remove_what_has_an_uplink() -> None:
    view = running(LINES + CLASSES + "set enterprise acme domain prod vport gate type bridge uplink wan vlan 100\n")
    gate = view.get((*PROD, "vport", "gate"))
    edits = {(*PROD, "vport", "gate"): None, (*PROD, "vport", "door"): gate}
    access(view, "acme-admin").refuse_edits(edits, view)
