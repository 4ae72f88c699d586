"""Candidates: private, all or nothing, keeping UUIDs, and merged with what others commit meanwhile."""

from __future__ import annotations

import pytest

from data.candidate import Candidate
from data.configuration import Running
from data.errors import BatchProblem, MergeConflict, NothingThere, SyntaxProblem
from data.merge import Edit
from data.path import Path
from data.schema.objects import Enterprise, Object, Vport
from data.steps import at_once
from tests.unit.data.examples import ACME, PROD, WEB_1, edited, objects, running, words

WEB = "enterprise acme domain prod vport web-1"


def commit(state: Running, candidate: Candidate) -> None:
    state.apply(candidate.merge(), state.revision + 1)
    candidate.discard()


def web_1(view: Candidate | Running) -> Vport:
    item = (view.view if isinstance(view, Candidate) else view).get(WEB_1)
    assert isinstance(item, Vport)
    return item


def uuid_of(view: Running | Candidate, path: Path) -> str:
    item = (view.view if isinstance(view, Candidate) else view).get(path)
    assert item is not None
    return item.uuid


def test_an_edit_keeps_the_uuid_and_so_does_deleting_and_setting_again() -> None:
    state = running()
    former = web_1(state).uuid
    candidate = edited(state, f"set {WEB} mac 02:00:00:00:00:01")
    assert web_1(candidate).uuid == former
    candidate = edited(state, "delete enterprise acme", f"set {WEB} mac 02:00:00:00:00:01")
    assert web_1(candidate).uuid == former
    assert uuid_of(candidate, ("enterprise", "acme")) == uuid_of(state, ("enterprise", "acme"))
    fresh = edited(state, "set enterprise new")
    made = uuid_of(fresh, ("enterprise", "new"))
    fresh.delete(["enterprise", "new"])
    assert not fresh.differs
    fresh.set(["enterprise", "new"])
    assert uuid_of(fresh, ("enterprise", "new")) == made


def test_setting_back_to_what_was_leaves_no_difference() -> None:
    candidate = edited(running(), f"set {WEB} mac 02:00:00:00:00:01")
    assert candidate.differs
    candidate.set(words(f"{WEB} mac 02:00:0a:01:01:0b"))
    assert not candidate.differs
    assert list(candidate.unsaved().values()) == [None]


def test_rollback_brings_back_the_objects_of_a_revision_with_their_uuids() -> None:
    state = running()
    first = objects(state)
    candidate = edited(state, "delete enterprise acme")
    commit(state, candidate)
    candidate.apply_batch(ACME.splitlines(), "again")
    commit(state, candidate)
    assert web_1(state).uuid != first[WEB_1].uuid
    candidate.rollback_to(first)
    assert objects(candidate.view) == first
    commit(state, candidate)
    assert objects(state) == first
    assert state.by_uuid(first[WEB_1].uuid) == WEB_1


def test_changes_of_different_leaves_by_two_people_are_both_kept() -> None:
    state = running()
    mine = edited(state, f"set {WEB} description mine address 10.1.1.50")
    theirs = edited(state, f"set {WEB} type container address 10.1.1.60", f"delete {WEB} policy-group")
    commit(state, theirs)
    assert web_1(mine).type == "container"
    assert web_1(mine).address == ("10.1.1.11", "10.1.1.50", "10.1.1.60")
    commit(state, mine)
    assert (web_1(state).description, web_1(state).type, web_1(state).policy_group) == (
        "mine",
        "container",
        (),
    )


def test_two_different_changes_of_one_leaf_conflict_by_path_naming_revision_and_author() -> None:
    state = running()
    mine = edited(state, f"set {WEB} mac 02:00:00:00:00:01", "set enterprise acme description fine")
    commit(state, edited(state, f"set {WEB} mac 02:00:00:00:00:02"))
    assert mine.clashing() == [WEB_1]
    with pytest.raises(MergeConflict) as caught:
        mine.merge({WEB_1: (2, "alice")}.get)
    (conflict,) = caught.value.conflicts
    assert (conflict.path_text, conflict.revision, conflict.author) == (f"{WEB} mac", 2, "alice")
    assert str(caught.value) == (
        f"error: {WEB} mac\n"
        "  changed in revision 2 by alice: now 02:00:00:00:00:02; yours: 02:00:00:00:00:01\n"
        "  'set' or 'delete' it once more: as yours to keep yours, as it is now to accept that"
    )
    assert caught.value.exit_code == 3
    assert web_1(mine).mac == "02:00:00:00:00:01", "the candidate is kept"


def test_a_conflict_is_settled_by_setting_the_leaf_once_more_either_way() -> None:
    for mac in ("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"):
        state = running()
        mine = edited(state, f"set {WEB} mac 02:00:00:00:00:01 description mine")
        commit(state, edited(state, f"set {WEB} mac 02:00:00:00:00:02 type host"))
        mine.set(words(f"{WEB} mac {mac}"))
        commit(state, mine)
        assert (web_1(state).mac, web_1(state).description, web_1(state).type) == (mac, "mine", "host")


def test_an_object_changed_here_and_deleted_there_conflicts_until_one_side_is_chosen() -> None:
    for choice, left in ((f"delete {WEB}", False), (f"set {WEB} description mine", True)):
        state = running()
        mine = edited(state, f"set {WEB} description mine")
        commit(state, edited(state, f"delete {WEB}"))
        with pytest.raises(MergeConflict, match="now deleted; yours: changed"):
            mine.merge()
        mine.apply_batch([choice], "test")
        commit(state, mine)
        assert (state.get(WEB_1) is not None) is left


def test_an_object_deleted_here_and_changed_there_conflicts_until_one_side_is_chosen() -> None:
    state = running()
    mine = edited(state, f"delete {WEB}")
    commit(state, edited(state, f"set {WEB} description theirs"))
    with pytest.raises(MergeConflict, match="now changed; yours: deleted"):
        mine.merge()
    mine.set(words(WEB))
    mine.delete(words(WEB))
    commit(state, mine)
    assert state.get(WEB_1) is None


def test_something_added_below_what_is_deleted_here_conflicts_until_it_is_deleted_too() -> None:
    state = running()
    mine = edited(state, "delete enterprise acme")
    commit(state, edited(state, "set enterprise acme domain prod zone late"))
    with pytest.raises(MergeConflict, match="zone late"):
        mine.merge()
    mine.delete(["enterprise", "acme"])
    commit(state, mine)
    assert list(objects(state)) == [("dvrs", "hv1"), ("dvrs", "hv2")]


def test_something_added_below_what_somebody_deleted_conflicts_until_it_is_made_again() -> None:
    state = running()
    mine = edited(state, "set enterprise acme domain prod zone late")
    commit(state, edited(state, "delete enterprise acme"))
    with pytest.raises(MergeConflict, match="enterprise acme domain prod"):
        mine.merge()
    mine.set(words("enterprise acme domain prod"))
    commit(state, mine)
    assert state.get((*PROD, "zone", "late")) is not None


def test_the_same_change_made_by_both_is_no_conflict_and_no_difference() -> None:
    state = running()
    mine = edited(state, f"set {WEB} mac 02:00:00:00:00:01")
    commit(state, edited(state, f"set {WEB} mac 02:00:00:00:00:01"))
    assert not mine.differs
    assert mine.merge() == {}


def test_the_same_name_made_by_both_is_one_object_with_the_committed_uuid() -> None:
    state = running()
    mine = edited(state, "set enterprise new description mine")
    commit(state, edited(state, "set enterprise new domain d"))
    theirs = uuid_of(state, ("enterprise", "new"))
    commit(state, mine)
    item = state.get(("enterprise", "new"))
    assert isinstance(item, Enterprise) and (item.uuid, item.description) == (theirs, "mine")


def test_what_the_store_kept_becomes_the_same_candidate_after_a_restart() -> None:
    state = running()
    candidate = edited(state, f"set {WEB} description mine", "delete dvrs hv2", "set enterprise new")
    kept: dict[Path, Edit] = {}

    def keep() -> None:
        rows = candidate.unsaved()
        for path, row in rows.items():
            kept.pop(path, None)
            if row is not None:
                kept[path] = row
        candidate.saved(rows)

    keep()
    assert candidate.unsaved() == {}
    candidate.delete(["enterprise", "new"])
    keep()
    again = Candidate(state, "ops", kept)
    assert again.edits() == candidate.edits()
    assert objects(again.view) == objects(candidate.view)
    commit(state, edited(state, f"set {WEB} type host"))
    late = Candidate(state, "ops", kept)
    assert (web_1(late).description, web_1(late).type) == ("mine", "host")


def test_a_command_that_fails_half_way_changes_nothing() -> None:
    candidate = edited(running(), "set enterprise kept")
    before = (candidate.edits(), candidate.unsaved(), objects(candidate.view))
    with pytest.raises(SyntaxProblem):
        candidate.set(words("enterprise other domain d zone z colour"))
    with pytest.raises(NothingThere):
        candidate.delete(words("enterprise nobody"))
    with pytest.raises(BatchProblem):
        candidate.load(
            "override",
            "enterprise x {\n    domain y {\n        zone z;\n        colour red;\n    }\n}\n",
            "f.cfg",
        )
    with pytest.raises(SyntaxProblem):
        candidate.load("merge", '{"enterprise": {"x": {"domain": {"y": {"colour": 1}}}}}', "f.json")
    assert (candidate.edits(), candidate.unsaved(), objects(candidate.view)) == before


def test_load_merge_adds_replace_takes_the_top_level_parts_and_override_everything() -> None:
    text = "enterprise acme {\n    domain prod {\n        zone db;\n    }\n}\n"
    for mode, left in (
        ("merge", {"dvrs": 2, "vports": 3, "zones": ["app", "db", "web"]}),
        ("replace", {"dvrs": 2, "vports": 0, "zones": ["db"]}),
        ("override", {"dvrs": 0, "vports": 0, "zones": ["db"]}),
    ):
        candidate = Candidate(running(), "ops")
        candidate.load(mode, text)
        view = candidate.view
        assert {
            "dvrs": view.count((), "dvrs"),
            "vports": view.count(PROD, "vport"),
            "zones": view.children(PROD, "zone"),
        } == left
    with pytest.raises(SyntaxProblem, match="not a way to load"):
        Candidate(running(), "ops").load("mangle", text)


def test_an_error_in_a_hierarchy_names_its_line_and_word() -> None:
    candidate = Candidate(running(), "ops")
    with pytest.raises(BatchProblem) as caught:
        candidate.load(
            "merge",
            "enterprise acme {\n    # remark\n    domain prod {\n        zon db;\n    }\n}\n",
            "f.cfg",
        )
    assert (caught.value.source, caught.value.line_number) == ("f.cfg", 4)
    assert "did you mean zone?" in caught.value.remedy
    for text, cause in (
        ("enterprise acme {", "is not closed"),
        ("enterprise acme", "is not ended"),
        ("enterprise acme; }", "closes nothing"),
        ('enterprise acme { description "x; }', "a quote or a remark is not closed"),
        ("enterprise acme { description { x; } }", "not a place"),
        ("system { hostname -; }", "not a host name"),
    ):
        with pytest.raises(SyntaxProblem, match=cause):
            candidate.load("merge", text, "f.cfg")
    assert not candidate.differs


def test_discard_forgets_every_edit_and_tells_the_store_to() -> None:
    state = running()
    candidate = edited(state, "delete enterprise acme", "set enterprise new")
    candidate.saved(candidate.unsaved())
    candidate.discard()
    assert not candidate.differs
    assert objects(candidate.view) == objects(state)
    assert set(candidate.unsaved().values()) == {None}


def test_the_view_is_one_object_that_follows_edits_and_commits() -> None:
    state = running()
    candidate = Candidate(state, "ops")
    view = candidate.view
    candidate.set(["enterprise", "new"])
    assert view.get(("enterprise", "new")) is not None
    commit(state, edited(state, "set enterprise other"))
    assert candidate.view is view
    assert view.children((), "enterprise") == ["acme", "new", "other"]


def test_every_edited_object_is_frozen() -> None:
    item: Object = web_1(running())
    with pytest.raises(AttributeError):
        item.description = "changed"  # type: ignore[misc]


def test_a_copy_changes_nothing_of_its_candidate_and_has_all_of_it() -> None:
    state = running()
    candidate = edited(state, "set enterprise new", "delete dvrs hv2")
    before = candidate.edits()
    copy = at_once(candidate.copied())
    assert copy.edits() == before and copy.unsaved() == candidate.unsaved()
    at_once(copy.loading("set", ["set enterprise other", "delete enterprise new"]))
    assert candidate.edits() == before
    assert ("enterprise", "other") in copy.edits() and ("enterprise", "new") not in copy.edits()
    assert objects(copy.view) != objects(candidate.view)


def test_a_copy_follows_what_was_committed_while_it_was_made() -> None:
    state = running()
    candidate = edited(state, f"set {WEB} description mine")
    steps = candidate.copied()
    next(steps)
    commit(state, edited(state, f"set {WEB} mac 02:00:00:00:00:01"))
    copy = at_once(steps)
    assert (web_1(copy).description, web_1(copy).mac) == ("mine", "02:00:00:00:00:01")
    assert copy.merge() == candidate.merge()


def test_after_its_commit_nothing_is_left_to_be_kept() -> None:
    state = running()
    candidate = edited(state, "set enterprise new", "delete dvrs hv2")
    candidate.saved(candidate.unsaved())
    edits = candidate.merge()
    state.apply(edits, 2)
    candidate.committed(edits)
    assert not candidate.differs and not candidate.unsaved()
    assert objects(candidate.view) == objects(state)


def test_a_row_that_was_kept_in_an_older_form_is_dropped_after_the_commit() -> None:
    state = running()
    candidate = edited(state, f"set {WEB} description mine")
    candidate.saved(candidate.unsaved())
    commit(state, edited(state, f"set {WEB} mac 02:00:00:00:00:01"))
    edits = candidate.merge()
    state.apply(edits, state.revision + 1)
    candidate.committed(edits)
    assert candidate.unsaved() == {WEB_1: None}, "the store has the row as it was before the merge"


def test_what_the_store_could_not_keep_is_put_back_to_what_it_has() -> None:
    state = running()
    candidate = edited(state, f"set {WEB} mac 02:00:00:00:00:01")
    candidate.saved(candidate.unsaved())
    kept = candidate.edits()
    for line in (f"set {WEB} mac 02:00:00:00:00:02", "set enterprise umbrella", "delete enterprise acme domain prod"):
        verb, *rest = line.split()
        (candidate.set if verb == "set" else candidate.delete)(rest)
    assert candidate.edits() != kept
    candidate.put_back()
    assert candidate.edits() == kept and not candidate.unsaved()
    assert web_1(candidate).mac == "02:00:00:00:00:01"
    assert candidate.view.get(("enterprise", "umbrella")) == state.get(("enterprise", "umbrella"))
    candidate.discard()
    candidate.put_back()
    assert candidate.edits() == kept
