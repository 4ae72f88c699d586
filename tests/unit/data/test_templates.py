"""Domains made from a template: what they inherit, what they override, what is refused, and what an edit costs."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest

from data.access import Access
from data.acting import Acting, acting_edits, inherited_from
from data.candidate import Candidate
from data.configuration import Configuration, Overlay, Running
from data.confined import Confined
from data.errors import NothingThere
from data.path import Path
from data.rules import check
from data.schema.completion import complete
from data.schema.objects import Domain, Entry, Subnet
from data.text.inheritance import Inheritance
from tests.unit.data.examples import edited, objects, running

OFFICE = """\
set domain-template office ingress-default allow
set domain-template office zone web subnet web1 prefix 10.1.1.0/24 mtu 9000 dhcp
set domain-template office policy-group front
set domain-template office ingress-policy base priority 500 entry 10 from network-macro wan protocol tcp action allow
set domain-template office ingress-policy base entry 20 from policy-group front to zone web action deny
set enterprise acme network-macro wan prefix 192.0.2.0/24
set enterprise acme domain prod template office
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11 policy-group front
set enterprise acme domain other zone web subnet web1 prefix 10.1.1.0/24
"""
PROD = ("enterprise", "acme", "domain", "prod")
SUBNET = (*PROD, "zone", "web", "subnet", "web1")
ENTRY = (*PROD, "ingress-policy", "base", "entry", "10")


def office() -> tuple[Running, Acting]:
    state = running(OFFICE)
    return state, Acting(state)


def commit(acting: Acting, *lines: str) -> dict[Path, object]:
    """Makes the lines the configuration, which they must be fit for; what they change of what acts."""
    edits = edited(acting.configured, *lines).edits()
    assert problems(acting, *lines) == []
    found = acting_edits(acting, edits)
    acting.apply(edits, found, acting.revision + 1)
    return dict(found)


def problems(acting: Acting, *lines: str) -> list[str]:
    edits = edited(acting.configured, *lines).edits()
    found = acting_edits(acting, edits)
    said = check(Overlay(acting, found), found, acting, Overlay(acting.configured, edits))
    return [f"{one.path_text}: {one.cause}; {one.remedy}" for one in said]


def subnet(view: Configuration, path: Path = SUBNET) -> Subnet:
    item = view.get(path)
    assert isinstance(item, Subnet)
    return item


def test_a_domain_has_what_its_template_has_under_uuids_of_its_own_that_stay() -> None:
    state, acting = office()
    given = state.get(("domain-template", "office", "zone", "web", "subnet", "web1"))
    domain = state.get(PROD)
    assert given is not None and domain is not None and state.get(SUBNET) is None
    found = subnet(acting)
    assert (found.prefix, found.mtu, found.dhcp, found.inherited) == ("10.1.1.0/24", 9000, True, True)
    assert found.uuid == str(uuid5(UUID(domain.uuid), given.uuid)) and acting.by_uuid(found.uuid) == SUBNET
    assert objects(Acting(Running(objects(state), 7))) == objects(acting), "after a restart"
    assert acting.resolve((*PROD, "vport", "web-1"), "subnet", "web1") == SUBNET
    assert acting.referrers(SUBNET) == {(*PROD, "vport", "web-1")}
    assert acting.resolve(ENTRY, "network-macro", "wan") == ("enterprise", "acme", "network-macro", "wan")
    inside = acting.get(PROD)
    assert isinstance(inside, Domain) and inside.ingress_default == "allow" and inside.uuid == domain.uuid
    assert inherited_from(state, SUBNET) == ("domain-template", "office", "zone", "web", "subnet", "web1")
    assert inherited_from(state, (*PROD, "vport", "web-1")) is None


def test_the_domain_wins_leaf_by_leaf_and_goes_on_to_follow_the_others() -> None:
    state, acting = office()
    commit(acting, "set enterprise acme domain prod zone web subnet web1 mtu 1400")
    own = subnet(state)
    assert (own.prefix, own.mtu, own.dhcp) == (None, 1400, False), "what was typed, and no more"
    found = subnet(acting)
    assert (found.prefix, found.mtu, found.dhcp, found.uuid) == ("10.1.1.0/24", 1400, True, own.uuid)
    commit(acting, "set domain-template office zone web subnet web1 mtu 8000 domain-name a.example")
    found = subnet(acting)
    assert (found.mtu, found.domain_name) == (1400, "a.example")
    commit(acting, "delete enterprise acme domain prod zone web")
    assert subnet(acting).mtu == 8000 and subnet(acting).uuid != own.uuid
    commit(acting, "set enterprise acme domain prod ingress-policy base entry 10 action deny")
    entry = acting.get(ENTRY)
    assert isinstance(entry, Entry) and (entry.action, entry.protocol, str(entry.from_)) == (
        "deny",
        "tcp",
        "network-macro wan",
    )
    commit(acting, "deactivate enterprise acme domain prod ingress-policy base")
    entry = acting.get(ENTRY)
    assert isinstance(entry, Entry) and entry.action == "allow", "what is deactivated overrides nothing"


def test_a_leaf_that_would_not_fit_what_the_domain_says_is_not_inherited() -> None:
    _, acting = office()
    commit(acting, "set domain-template office ingress-policy base entry 10 destination-port 80 stateful")
    commit(acting, "set domain-template office zone web subnet web1 gateway 10.1.1.254")
    commit(acting, "set enterprise acme domain prod ingress-policy base entry 10 action deny")
    entry = acting.get(ENTRY)
    assert isinstance(entry, Entry) and (entry.action, entry.stateful) == ("deny", False)
    assert (entry.protocol, entry.destination_port) == ("tcp", ("80",))
    commit(acting, "set enterprise acme domain prod ingress-policy base entry 10 protocol icmp")
    entry = acting.get(ENTRY)
    assert isinstance(entry, Entry) and (entry.protocol, entry.destination_port) == ("icmp", ())
    commit(acting, "set enterprise acme domain prod zone web subnet web1 prefix 10.1.0.0/23")
    assert subnet(acting).gateway is None and subnet(acting).mtu == 9000


def test_what_is_inactive_in_the_template_or_all_of_it_acts_nowhere() -> None:
    _, acting = office()
    found = commit(acting, "deactivate domain-template office ingress-policy base")
    assert acting.children(PROD, "ingress-policy") == [] and found[ENTRY] is None
    commit(acting, "activate domain-template office ingress-policy base")
    assert acting.children((*PROD, "ingress-policy", "base"), "entry") == ["10", "20"]
    (first, *_) = problems(acting, "deactivate domain-template office")
    assert "domain-template office" in first


def test_a_domain_follows_another_template_when_it_is_made_from_it() -> None:
    state, acting = office()
    before = objects(acting)
    commit(
        acting,
        "set domain-template lab zone web subnet web1 prefix 10.1.1.0/24",
        "set domain-template lab policy-group front",
    )
    commit(acting, "set enterprise acme domain prod template lab")
    assert acting.children(PROD, "ingress-policy") == [] and subnet(acting).mtu == 1450
    commit(acting, "set enterprise acme domain prod template office", "delete domain-template lab")
    assert objects(acting) == before
    commit(acting, "delete enterprise acme domain prod vport web-1", "delete enterprise acme domain prod template")
    assert not acting.edits and objects(acting) == objects(state)


def test_what_is_renamed_stays_what_it_is_and_what_vports_name_is_not_renamed_under_them() -> None:
    state, acting = office()
    before = {path: item.uuid for path, item in acting.walk(PROD)}
    commit(acting, "rename domain-template office to hq")
    assert {path: item.uuid for path, item in acting.walk(PROD)} == before
    assert getattr(state.get(PROD), "template", None) == "hq"
    commit(acting, "rename enterprise acme domain prod to live")
    assert acting.get(PROD) is None
    live = {(*PROD[:3], "live", *path[4:]): uuid for path, uuid in before.items()}
    assert {path: item.uuid for path, item in acting.walk((*PROD[:3], "live"))} == live
    commit(acting, "rename domain-template hq zone web to front")
    entry = acting.get((*PROD[:3], "live", "ingress-policy", "base", "entry", "20"))
    assert isinstance(entry, Entry) and str(entry.to) == "zone front"
    (said,) = problems(acting, "rename domain-template hq zone front subnet web1 to web2")
    assert "cannot be deleted: in acme/live vport web-1 still name it" in said
    commit(acting, "copy enterprise acme domain live to next", "delete enterprise acme domain next vport web-1")
    assert acting.count((*PROD[:3], "next"), "zone") == 1 and len({item.uuid for _, item in acting.walk()}) == len(
        objects(acting)
    )


def test_names_of_a_template_are_looked_up_where_they_mean_something() -> None:
    _, acting = office()
    assert problems(
        acting, "set domain-template office ingress-policy base entry 30 from vport web-1 action allow"
    ) == [
        "domain-template office ingress-policy base entry 30 from: vports cannot be named in a template: each domain "
        "made from it has its own; name a policy-group of the template, and let the vports of each domain be in it"
    ]
    assert (
        problems(acting, "set domain-template spare ingress-policy x entry 30 from network-macro any-name action deny")
        == []
    )
    entry = "set domain-template office ingress-policy base entry 30 from network-macro lan action allow"
    assert problems(acting, entry) == [
        "domain-template office ingress-policy base entry 30 from: the enterprise has no network-macro lan "
        "(in domain acme/prod); did you mean wan? enterprise acme has: wan"
    ]
    assert problems(acting, entry, "set enterprise acme network-macro lan prefix 10.0.0.0/8") == []


def test_a_problem_of_many_domains_is_told_once_and_at_the_template() -> None:
    _, acting = office()
    many = [f"set enterprise acme domain d{number} template office" for number in range(99)]
    bad = "set domain-template office ingress-policy base entry 30 destination-port 80 action allow"
    (said,) = problems(acting, *many, bad)
    assert said.startswith(
        "domain-template office ingress-policy base entry 30 destination-port: destination-port needs"
    )
    entry = "set domain-template office ingress-policy base entry 30 from network-macro lan action allow"
    (said,) = problems(acting, *many, entry)
    assert "the enterprise has no network-macro lan (in 100 domains, for example acme/d0)" in said
    route = "set domain-template office static-route 0.0.0.0/0 next-hop 10.9.9.9"
    (said,) = problems(acting, *many, route)
    assert "10.9.9.9 is in no subnet of the domain (in 100 domains, for example acme/d0)" in said
    overlap = "set enterprise acme domain d7 zone own subnet own prefix 10.1.1.0/25"
    (said,) = problems(acting, *many, overlap)
    assert "10.1.1.0/24" in said and "d7" in said


def test_what_vports_use_is_not_taken_from_a_template() -> None:
    _, acting = office()
    for number in range(5):
        words = f"set enterprise acme domain d{number}"
        commit(
            acting, f"{words} template office", f"{words} vport v subnet web1 mac 02:00:00:00:00:01 address 10.1.1.2"
        )
    found = problems(acting, "delete domain-template office zone web subnet web1")
    assert found == [
        "domain-template office zone web subnet web1: cannot be deleted: in acme/d0 vport v; in acme/d1 vport v; "
        "in acme/d2 vport v; in 3 more domains others still name it; change those in the same commit, or give these "
        "domains a subnet web1 of their own"
    ]
    own = [f"set enterprise acme domain d{number} zone web subnet web1 prefix 10.1.1.0/24" for number in range(5)]
    assert len(problems(acting, "delete domain-template office zone web subnet web1", *own)) == 1
    own.append("set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24")
    own.append("delete domain-template office ingress-policy base entry 20")
    assert problems(acting, "delete domain-template office zone web", *own) == []
    (said, *_) = problems(acting, "delete enterprise acme domain d0 template")
    assert said == (
        "enterprise acme domain d0 zone web subnet web1: it came from domain-template office, and vport v still name "
        "it; change those in the same commit, or set enterprise acme domain d0 zone web subnet web1"
    )


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        ("zone web subnet web1", "delete"),
        ("zone web subnet web1 mtu", "delete"),
        ("ingress-default", "delete"),
        ("ingress-policy base entry 10", "deactivate"),
        ("policy-group front", "annotate"),
    ],
)
def test_what_comes_from_a_template_cannot_be_deleted_in_the_domain(words: str, verb: str) -> None:
    state, _ = office()
    candidate = Candidate(state, "ops")
    path = [*PROD, *words.split()]
    with pytest.raises(NothingThere, match=f"nothing to {verb}: it comes from domain-template office"):
        if verb == "delete":
            candidate.delete(path)
        elif verb == "deactivate":
            candidate.deactivate(path)
        else:
            candidate.annotate(path, "x")
    assert not candidate.differs


def test_completion_offers_what_a_domain_inherits_also_to_its_tenant_who_does_not_see_the_template() -> None:
    state, _ = office()
    candidate = Candidate(state, "ops")
    candidate.set([*"domain-template office zone web subnet web2 prefix 10.1.2.0/24".split()])
    tenant = Access("eve", "acme", frozenset(("configure",)), frozenset(("acme",)))
    for view in (candidate.view, Confined(candidate.view, tenant)):
        found = complete([*PROD, "vport", "v9", "subnet"], "", view)
        assert [(one.word, one.help) for one in found] == [
            ("web1", "in zone web   from domain-template office"),
            ("web2", "in zone web   from domain-template office"),
        ]
        assert [one.word for one in complete([*PROD, "vport", "v9", "policy-group"], "fr", view)] == ["front"]
        zones = complete([*PROD, "zone"], "", view)
        assert (zones[0].word, zones[0].help) == ("web", "from domain-template office")
        assert [one.word for one in complete([*PROD, "vport", "v9", "subnet"], "web2", view)] == ["web2"]
    assert Confined(candidate.view, tenant).get(("domain-template", "office")) is None
    other = complete(["enterprise", "acme", "domain", "other", "vport", "v9", "subnet"], "", candidate.view)
    assert [one.word for one in other] == ["web1"] and "template" not in other[0].help


def test_the_text_with_inheritance_marks_each_thing_that_is_not_configured() -> None:
    state, acting = office()
    commit(acting, "set enterprise acme domain prod zone web subnet web1 mtu 1400")
    shown = Inheritance(state, acting, (*PROD, "zone", "web"))
    assert list(shown.hierarchy()) == [
        "subnet web1 {",
        "    mtu 1400;",
        "    prefix 10.1.1.0/24; ## inherited from domain-template office",
        "    dhcp; ## inherited from domain-template office",
        "}",
    ]
    at = "set enterprise acme domain prod zone web subnet web1"
    assert list(shown.set_lines()) == [
        f"{at} mtu 1400",
        f"{at} prefix 10.1.1.0/24 dhcp ## inherited from domain-template office",
    ]
    inherited = {"prefix": "domain-template office", "dhcp": "domain-template office"}
    leaves = {"mtu": 1400, "prefix": "10.1.1.0/24", "dhcp": True, "@inherited": inherited}
    assert shown.json_form() == {"@inherited": {}, "subnet": {"web1": leaves}} or shown.json_form() == {
        "subnet": {"web1": leaves}
    }
    whole = list(Inheritance(state, acting, PROD).set_lines())
    assert [line for line in whole if "## " not in line] == [
        "set enterprise acme domain prod template office",
        f"{at} mtu 1400",
        *(line for line in OFFICE.splitlines() if "prod vport web-1" in line),
    ]


class Counting(Running):
    """Counts how often it is asked."""

    asked = 0

    def get(self, path: Path) -> object:  # type: ignore[override]
        Counting.asked += 1
        return super().get(path)


def test_an_edit_of_a_template_costs_the_domains_made_from_it_and_not_what_else_there_is() -> None:
    def cost(domains: int, vports: int) -> tuple[int, int]:
        lines = OFFICE.splitlines()
        lines += [f"set enterprise acme domain d{number} template office" for number in range(domains)]
        lines += [
            f"set enterprise acme domain big vport v{number} mac 02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
            for number in range(vports)
        ]
        state = Counting(objects(running("\n".join(lines))), 1)
        acting = Acting(state)
        Counting.asked = 0
        edits = edited(state, "set domain-template office ingress-policy base entry 30 action deny").edits()
        Counting.asked = 0
        found = acting_edits(acting, edits)
        acting.apply(edits, found, 2)
        return len(found), Counting.asked

    few, asked = cost(20, 10)
    assert few == 22 and cost(20, 2000) == (few, asked)
    many, more = cost(40, 10)
    assert many == 42 and more <= 2 * asked
