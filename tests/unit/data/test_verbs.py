"""rename, copy, annotate, deactivate and activate on a candidate."""

from __future__ import annotations

import pytest

from data.candidate import Candidate
from data.errors import BatchProblem, CommandFailed, MergeConflict, NothingThere, NotPermitted, SyntaxProblem
from data.path import path_text
from data.rules import check
from data.schema.accounts import ClassRule
from data.schema.objects import Entry, LoginClass, Vport
from data.text import set_lines
from tests.unit.data.examples import ACME, PROD, WEB_1, edited, running, without_uuids, words
from tests.unit.data.test_guard import Tenant


def candidate() -> Candidate:
    return Candidate(running(), "ops")


def lines_of(one: Candidate) -> set[str]:
    return set(set_lines(one.view))


# rename and copy


def test_a_renamed_enterprise_keeps_every_uuid_below_it() -> None:
    state = running(ACME + "set login-class staff permission show enterprise acme\n")
    one = edited(state)
    one.rename(words("enterprise acme"), "acme2")
    old = {path[2:]: item.uuid for path, item in state.walk(("enterprise", "acme"))}
    assert {path[2:]: item.uuid for path, item in one.view.walk(("enterprise", "acme2"))} == old
    assert one.view.get(("enterprise", "acme")) is None
    staff = one.view.get(("login-class", "staff"))
    assert isinstance(staff, LoginClass) and staff.enterprise == ("acme2",)
    assert check(one.view, one.edits(), state) == []


def test_references_follow_a_renamed_object_inside_its_scope() -> None:
    state = running()
    one = edited(state, "rename enterprise acme domain prod policy-group frontends to edge")
    one.rename(words("zone app"), "application", at=PROD)
    one.rename(words("enterprise acme domain prod zone web subnet web1"), "w")
    vport, entry = one.view.get(WEB_1), one.view.get((*PROD, "ingress-policy", "base", "entry", "10"))
    assert isinstance(vport, Vport) and vport.policy_group == ("edge",) and vport.subnet == "w"
    assert isinstance(entry, Entry) and str(entry.from_) == "policy-group edge" and str(entry.to) == "zone application"
    assert check(one.view, one.edits(), state) == []


def test_rules_of_login_classes_that_are_about_a_renamed_object_go_with_it() -> None:
    rule = "set login-class staff permission show rule"
    state = running(
        f'{ACME}{rule} 1 path "enterprise acme domain prod vport" access none\n'
        f'{rule} 2 path "enterprise * domain prod" access none\n{rule} 3 path "enterprise acme2" access none\n'
    )
    one = edited(state, "rename enterprise acme to other")
    paths = [item.path for _, item in one.view.objects(ClassRule)]
    assert paths == ["enterprise other domain prod vport", "enterprise * domain prod", "enterprise acme2"]
    one.set([*words("login-class staff rule 4 path"), "login-class staff rule"])
    one.rename(words("login-class staff"), "crew")
    item = one.view.get(("login-class", "crew", "rule", "4"))
    assert isinstance(item, ClassRule) and item.path == "login-class crew rule"
    confined = Candidate(state, "bob")
    confined.guard = Tenant().guard
    with pytest.raises(NotPermitted) as caught:
        confined.rename(words("enterprise acme domain prod vport web-1"), "x")
        confined.rename(words("enterprise acme domain prod"), "x")
    assert "login-class" not in str(caught.value)


def test_renaming_there_and_back_changes_nothing() -> None:
    one = candidate()
    one.rename(words("enterprise acme"), "acme2")
    one.rename(words("enterprise acme2"), "acme")
    assert not one.differs


def test_what_is_made_in_the_place_of_a_renamed_object_is_another_object() -> None:
    state = running()
    one = edited(state, "rename enterprise acme to acme2", "set enterprise acme domain prod")
    uuids = [item.uuid for _, item in one.view.walk()]
    assert len(uuids) == len(set(uuids))
    one = edited(state, "set enterprise new", "rename enterprise new to newer", "set enterprise new")
    uuids = [item.uuid for _, item in one.view.walk()]
    assert len(uuids) == len(set(uuids))


@pytest.mark.parametrize(
    ("line", "error", "cause"),
    [
        ("rename enterprise nobody to x", NothingThere, "nothing to rename: it is not configured"),
        ("rename enterprise acme domain prod vport web-1 to web-2", CommandFailed, "web-2 is already there"),
        ("rename enterprise acme domain prod zone web subnet web1 to app1", CommandFailed, "app1 is already there"),
        ("rename enterprise acme to acme", CommandFailed, "already there"),
        ("rename enterprise acme to a/b", SyntaxProblem, "'a/b' is not a name"),
        ("rename enterprise acme acme2", SyntaxProblem, "the new name is missing"),
        ("rename system to x", SyntaxProblem, "exists once and has no name"),
        ("copy enterprise acme domain prod vport web-1 mac to x", SyntaxProblem, "'mac' is a value"),
        ("deactivate enterprise nobody", NothingThere, "nothing to deactivate"),
        ("deactivate", SyntaxProblem, "what to deactivate is missing"),
        ('annotate enterprise acme "a */ b"', SyntaxProblem, "would end the remark"),
        ("annotate enterprise nobody x", NothingThere, "nothing to annotate"),
        ("undo", SyntaxProblem, "'undo' is not a command here"),
    ],
)
def test_a_verb_that_cannot_be_done_says_why_and_changes_nothing(
    line: str, error: type[CommandFailed], cause: str
) -> None:
    one = candidate()
    with pytest.raises(BatchProblem) as caught:
        one.apply_batch(["set enterprise other", line], "f")
    assert cause in str(caught.value) and isinstance(caught.value.problem, error)
    assert not one.differs


def test_a_copy_has_the_same_leaves_and_uuids_of_its_own() -> None:
    state = running()
    one = edited(state, 'annotate enterprise acme domain prod "the one"', "copy enterprise acme domain prod to test")
    copied = {path[4:]: item for path, item in one.view.walk(("enterprise", "acme", "domain", "test"))}
    original = {path[4:]: item for path, item in one.view.walk(PROD)}
    assert without_uuids(copied) == without_uuids(original)
    assert not {item.uuid for item in copied.values()} & {item.uuid for item in original.values()}
    assert check(one.view, one.edits(), state) == []


def test_values_that_only_one_may_hold_are_copied_and_named_by_the_check() -> None:
    state = running()
    one = edited(state, "copy enterprise acme domain prod vport web-1 to web-3")
    said = [str(problem) for problem in check(one.view, one.edits(), state)]
    assert any("02:00:0a:01:01:0b is already that of vport web-1" in text for text in said)
    assert any("10.1.1.11 is already that of vport web-1" in text for text in said)


def test_two_users_who_rename_the_same_object_differently_conflict_by_path() -> None:
    state = running()
    mine = edited(state, "rename enterprise acme to mine")
    state.apply(edited(state, "rename enterprise acme to theirs").merge(), 2)
    with pytest.raises(MergeConflict) as caught:
        mine.merge()
    assert any("enterprise mine" in str(one.path_text) for one in caught.value.conflicts)
    mine.delete(words("enterprise mine"))
    assert mine.merge() == {}


def test_a_rename_conflicts_with_what_somebody_changed_below_it() -> None:
    state = running()
    mine = edited(state, "rename enterprise acme to mine")
    state.apply(edited(state, "set enterprise acme domain prod vport web-1 description x").merge(), 2)
    with pytest.raises(MergeConflict) as caught:
        mine.merge()
    assert path_text(WEB_1) in [one.path_text for one in caught.value.conflicts]


# annotate, deactivate


def test_an_annotation_stays_until_it_is_taken_away() -> None:
    one = candidate()
    one.annotate(words("enterprise acme"), "  the   big one ")
    assert one.view.get(("enterprise", "acme")).annotation == "the big one"  # type: ignore[union-attr]
    one.set(words("enterprise acme description x"))
    assert one.view.get(("enterprise", "acme")).annotation == "the big one"  # type: ignore[union-attr]
    one.annotate(words("enterprise acme"), "")
    one.delete(words("enterprise acme description"))
    assert not one.differs


def test_an_object_is_inactive_until_it_is_activated() -> None:
    one = candidate()
    one.deactivate([], at=WEB_1)
    one.deactivate(words("ent acme dom prod vp web-2"), abbreviations=True)
    assert [path[-1] for path, item in one.view.walk() if item.inactive] == ["web-1", "web-2"]
    one.activate(words("vport web-1"), at=PROD)
    one.activate(words("vport web-2"), at=PROD)
    assert not one.differs


def test_a_container_can_be_annotated_before_anything_in_it_is_set() -> None:
    one = candidate()
    one.annotate(["system"], "nothing special")
    assert one.view.get(("system",)) is not None
    one.annotate(["system"], "")
    assert not one.differs
