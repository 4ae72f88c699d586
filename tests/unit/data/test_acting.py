"""What is deactivated is configured and has no effect, what is inherited has effect and is not configured: what acts,
and its edits, compared with a computation from nothing."""

from __future__ import annotations

from uuid import UUID, uuid5

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.acting import Acting, acting_edits
from data.candidate import Candidate
from data.configuration import Configuration, Overlay, Running
from data.path import Path
from data.rules import check
from data.schema.nodes import children_of, node_of, parent_of
from data.schema.objects import KINDS, Domain, Object
from data.templates import DECIDES
from tests.unit.data.examples import PROD, WEB_1, any_configuration, any_lines, apply, edited, objects, running

lenient = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def acts(view: Configuration) -> dict[Path, Object]:
    """The same from nothing: every object that no inactive one covers, and in each domain those of its template."""
    found: dict[Path, Object] = {}
    for path, item in view.walk():
        if not item.inactive and (not parent_of(path) or parent_of(path) in found):
            found[path] = item
    for domain, item in list(found.items()):
        template = ("domain-template", item.template) if isinstance(item, Domain) else ()
        for path in [path for path in found if template and path[:2] == template]:
            here, given = (*domain, *path[2:]), found[path]
            if here not in found:
                name = str(uuid5(UUID(item.uuid), given.uuid))
                found[here] = msgspec.structs.replace(given, uuid=name, inherited=True, annotation=None)
                continue
            leaves = (
                {"ingress_default", "egress_default", "default_qos"} if here == domain else set(node_of(path).fields)
            )
            own = found[here]
            fresh = node_of(path).kind(uuid="")
            leaves = {field for field in leaves if getattr(own, field) == getattr(fresh, field)}
            for field, others in DECIDES.get(path[-2], {}).items() if here != domain else ():
                if getattr(own, field) != getattr(fresh, field):
                    leaves -= set(others)
            values = {field: getattr(given, field) for field in leaves}
            found[here] = msgspec.structs.replace(own, **values, **({} if here == domain else {"inherited": True}))
    return found


def made_from_templates(candidate: Candidate, draw: st.DataObject) -> None:
    """Let some domains be made from templates that there are, and some from none, and have objects of these."""
    view = candidate.view
    names = view.children((), "domain-template")
    for path, _ in list(view.objects(Domain)):
        name = draw.draw(st.none() | st.sampled_from(names)) if names else None
        if name is not None:
            candidate.set([*path, "template", name])
            below = [one for one, _ in view.walk(("domain-template", name))][1:]
            for one in draw.draw(st.lists(st.sampled_from(below), max_size=3)) if below else ():
                candidate.set([*path, *one[2:], "description", "own"])
        elif draw.draw(st.booleans()) and getattr(view.get(path), "template", None):
            candidate.delete([*path, "template"])


def turn(candidate: Candidate, draw: st.DataObject, most: int = 6) -> None:
    """Deactivate and activate arbitrary objects."""
    paths = [path for path, _ in candidate.view.walk()]
    for path in draw.draw(st.lists(st.sampled_from(paths), max_size=most)) if paths else ():
        if candidate.view.get(path) is not None:
            (candidate.deactivate if draw.draw(st.booleans()) else candidate.activate)([], at=path)


@lenient
@given(any_configuration(), any_lines, st.data())
def test_acting_edits_make_what_a_computation_from_nothing_makes(
    state: Running, commands: list[list[str]], draw: st.DataObject
) -> None:
    first = Candidate(state, "ops")
    turn(first, draw)
    made_from_templates(first, draw)
    state.apply(first.edits(), 2)
    acting, former = Acting(state), Running(acts(state), 2)
    assert objects(acting) == objects(former)
    candidate = Candidate(state, "ops")
    apply(candidate, commands)
    paths = [path for path, _ in state.walk()]
    for path in draw.draw(st.lists(st.sampled_from(paths), max_size=3)) if paths else ():
        if candidate.view.get(path) is not None:
            candidate.delete(list(path))
    turn(candidate, draw)
    made_from_templates(candidate, draw)
    edits = candidate.edits()
    found = acting_edits(acting, edits)
    wanted = acts(candidate.view)
    assert objects(Overlay(former, found)) == wanted
    assert objects(Overlay(acting, found)) == wanted
    assert all(former.get(path) != item for path, item in found.items()) or found is edits
    if draw.draw(st.booleans()):
        acting.apply(edits, found, 3)
    else:
        acting.become(acting.successor(edits, found, 3))
    assert objects(acting) == wanted and objects(state) == objects(Running(objects(state)))
    assert acting.edits == Acting(state).edits
    gone = dict.fromkeys(objects(state))
    acting.apply(gone, acting_edits(acting, gone), 4)
    assert not state.inactive and not acting.edits


@lenient
@given(any_configuration(), st.data())
def test_the_acting_configuration_answers_as_one_of_the_acting_objects(state: Running, draw: st.DataObject) -> None:
    candidate = Candidate(state, "ops")
    made_from_templates(candidate, draw)
    turn(candidate, draw)
    state.apply(candidate.edits(), 2)
    acting, plain = Acting(state), Running(acts(state), 2)
    assert acting.revision == 2
    for path, item in [((), None), *state.walk(), *plain.walk()]:
        if item is not None:
            assert acting.get(path) == plain.get(path)
            assert acting.by_uuid(item.uuid) == plain.by_uuid(item.uuid)
            if plain.get(path) is not None:
                assert acting.referrers(path) == plain.referrers(path)
            for unique in node_of(path).unique:
                value = path[-1] if unique.field == "name" else getattr(item, unique.field)
                for one in value if isinstance(value, tuple) else (value,):
                    asked = (path[-2], unique.field, path[: unique.scope_length], one)
                    assert sorted(acting.holders(*asked)) == sorted(plain.holders(*asked))
            for disjoint in node_of(path).disjoint:
                prefix = getattr(item, disjoint.field)
                if prefix:
                    asked = (path[-2], disjoint.field, path[: disjoint.scope_length], prefix)
                    assert sorted(acting.overlapping(*asked)) == sorted(plain.overlapping(*asked))
        for keyword in children_of(path):
            assert acting.children(path, keyword) == plain.children(path, keyword)
            assert acting.count(path, keyword) == plain.count(path, keyword)
            assert acting.search(path, keyword, "", 1) == plain.search(path, keyword, "", 1)
    for kind in KINDS:
        assert list(acting.objects(kind)) == list(plain.objects(kind))
        if kind.declared.key is None:
            assert acting.settings(kind) == plain.settings(kind)


def test_while_everything_acts_the_edits_are_taken_as_they_are() -> None:
    state = running()
    edits = edited(state, "set enterprise other").edits()
    assert acting_edits(Acting(state), edits) is edits


def test_a_successor_knows_what_is_inactive_apart_from_the_one_before() -> None:
    state = running()
    made = state.successor(edited(state, "deactivate enterprise acme").edits(), 2)
    assert made.inactive and not state.inactive
    later = made.successor(edited(made, "activate enterprise acme").edits(), 3)
    assert made.inactive and not later.inactive
    state.become(made)
    assert Acting(state).get(PROD) is None and state.get(PROD) is not None


def problems(state: Running, *lines: str) -> list[str]:
    edits = edited(state, *lines).edits()
    acting = Acting(state)
    found = acting_edits(acting, edits)
    return [str(one) for one in check(Overlay(acting, found), found, acting, Overlay(state, edits))]


def test_what_refers_to_an_inactive_object_says_so_and_what_to_do() -> None:
    state = running()
    (said,) = problems(state, "deactivate enterprise acme domain prod zone web")
    assert said == (
        "error: enterprise acme domain prod zone web subnet web1\n"
        "  cannot be deactivated: vport web-1, vport web-2 still name it\n"
        "  change or deactivate those in the same commit"
    )
    off = "deactivate enterprise acme domain prod "
    assert problems(state, off + "zone web", off + "vport web-1", off + "vport web-2") == []
    state.apply(edited(state, off + "zone web", off + "vport web-1", off + "vport web-2").edits(), 2)
    (said,) = problems(state, "activate enterprise acme domain prod vport web-1")
    assert said == (
        "error: enterprise acme domain prod vport web-1 subnet\n"
        "  subnet web1 is deactivated with enterprise acme domain prod zone web\n"
        "  activate enterprise acme domain prod zone web, or name another subnet"
    )
    (said,) = problems(state, "deactivate enterprise acme domain prod policy-group frontends")
    assert "cannot be deactivated: ingress-policy base entry 10 still names it" in said


def test_an_inactive_object_holds_no_value_that_is_unique_and_is_checked_when_it_returns() -> None:
    state = running()
    state.apply(edited(state, "deactivate enterprise acme domain prod vport web-1").edits(), 2)
    taken = "set enterprise acme domain prod vport web-9 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11"
    assert problems(state, taken) == []
    state.apply(edited(state, taken).edits(), 3)
    assert (
        "02:00:0a:01:01:0b is already that of" in problems(state, "activate enterprise acme domain prod vport web-1")[0]
    )
    assert problems(state, "set enterprise acme domain prod vport web-1 address 192.0.2.1") == []
    assert state.get(WEB_1) is not None
