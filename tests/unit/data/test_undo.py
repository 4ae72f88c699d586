"""undo: the latest command on a candidate, whatever it was, as if it had not been given."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.candidate import Candidate
from data.errors import CommandFailed, SyntaxProblem
from data.merge import Edit
from data.path import Path
from data.schema.objects import Object, Vport
from data.steps import at_once
from data.text import set_lines
from tests.unit.data.examples import WEB_1, any_lines, edited, objects, running, words


def candidate() -> Candidate:
    return Candidate(running(), "ops")


def lines_of(one: Candidate) -> set[str]:
    return set(set_lines(one.view))


def test_undo_takes_back_one_command_after_the_other() -> None:
    one = candidate()
    states = [objects(one.view)]
    for line in (
        "set enterprise acme domain prod vport web-1 description x",
        "delete enterprise acme domain prod vport web-2",
        "rename enterprise acme to acme2",
        "copy enterprise acme2 to acme3",
        "deactivate enterprise acme3",
        'annotate enterprise acme3 "a copy"',
        "set user bob password correct-horse class operator",
    ):
        verb, *rest = words(line)
        if verb in ("rename", "copy"):
            getattr(one, verb)(rest[:-2], rest[-1])
        elif verb == "annotate":
            one.annotate(rest[:-1], rest[-1])
        else:
            getattr(one, verb)(rest)
        states.append(objects(one.view))
    one.load("override", "set enterprise only", "terminal")
    states.append(objects(one.view))
    one.rollback_to(states[0])
    states.append(objects(one.view))
    one.set(words("enterprise more"))
    states.append(objects(one.view))
    one.discard()
    said = []
    while True:
        try:
            said.append(one.undo())
        except CommandFailed as problem:
            assert "nothing to undo" in str(problem)
            break
        assert objects(one.view) == states.pop()
    assert not one.differs
    assert said == [
        "took back: discard",
        "took back: set enterprise more",
        "took back: rollback",
        "took back: load override of terminal",
        "took back: set user bob password ******** class operator",
        'took back: annotate enterprise acme3 "a copy"',
        "took back: deactivate enterprise acme3",
        "took back: copy enterprise acme2 to acme3",
        "took back: rename enterprise acme to acme2",
        "took back: delete enterprise acme domain prod vport web-2",
        "took back: set enterprise acme domain prod vport web-1 description x",
    ]


def test_undo_gives_back_exactly_what_was_there_and_what_the_store_keeps_of_it() -> None:
    state = running()
    one = edited(state, "set enterprise new")
    one.saved(one.unsaved())
    before, rows = objects(one.view), one.rows()
    one.load("override", "set dvrs hv9 tunnel-address 10.0.0.1")
    one.undo()
    assert objects(one.view) == before and one.rows() == rows
    assert {path: row for path, row in one.unsaved().items() if rows.get(path) != row} == {}


def test_a_command_that_changed_nothing_is_no_step() -> None:
    one = candidate()
    one.set(words("enterprise acme domain prod vport web-1 mac 02:00:0a:01:01:0b"))
    with pytest.raises(SyntaxProblem):
        one.set(words("enterprise acme nonsense"))
    with pytest.raises(CommandFailed, match="nothing to undo"):
        one.undo()


def test_a_long_command_on_a_copy_is_one_step_and_the_slices_of_a_batch_are_one() -> None:
    one = candidate()
    one.set(words("enterprise first"))
    copy = at_once(one.copied())
    copy.apply_batch(["set enterprise a"], "f")
    copy.apply_batch(["set enterprise b"], "f")
    copy.saved(copy.unsaved())
    copy.apply_batch(["set enterprise c"], "f")
    assert copy.undo() == "took back: set enterprise c" and len(copy.edits()) == 3
    copy.undo()
    assert list(copy.edits()) == [("enterprise", "first")]
    loading = at_once(copy.copied())
    at_once(loading.loading("set", ["set enterprise x", "set enterprise y"], "g"))
    assert loading.undo() == "took back: load set of g" and len(loading.edits()) == 1


def test_undo_follows_what_others_committed_meanwhile() -> None:
    state = running()
    one = edited(state, "set enterprise acme domain prod vport web-1 description mine")
    one.delete(words("enterprise acme domain prod vport web-1 description"))
    state.apply(edited(state, "set enterprise acme domain prod vport web-1 mac 02:00:00:00:00:07").merge(), 2)
    one.undo()
    vport = one.view.get(WEB_1)
    assert isinstance(vport, Vport) and (vport.description, vport.mac) == ("mine", "02:00:00:00:00:07")


def test_what_is_a_revision_is_not_taken_back_here() -> None:
    state = running()
    one = edited(state, "set enterprise new")
    edits = one.merge()
    state.apply(edits, 2)
    one.committed(edits)
    with pytest.raises(CommandFailed, match="nothing to undo"):
        one.undo()


def test_only_the_latest_hundred_commands_can_be_taken_back() -> None:
    one = candidate()
    for number in range(120):
        one.set(["enterprise", f"e{number}"])
    for _ in range(100):
        one.undo()
    with pytest.raises(CommandFailed):
        one.undo()
    assert len(one.edits()) == 20


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), any_lines, any_lines)
def test_undo_gives_back_every_state_in_turn_whatever_the_commands_were(
    draw: st.DataObject, mine: list[list[str]], more: list[list[str]]
) -> None:
    one = candidate()
    states: list[tuple[dict[Path, Object], dict[Path, Edit]]] = []
    for line in mine + more:
        before = objects(one.view), one.rows()
        paths = [path for path, _ in one.view.walk()]
        verb = draw.draw(st.sampled_from(["set", "set", "delete", "rename", "copy", "deactivate", "annotate", "load"]))
        path = draw.draw(st.sampled_from(paths)) if paths else None
        try:
            if verb == "set" or path is None:
                one.set(line)
            elif verb in ("rename", "copy"):
                getattr(one, verb)(list(path), draw.draw(st.sampled_from(["7", "n1", "n2"])))
            elif verb == "annotate":
                one.annotate(list(path), draw.draw(st.sampled_from(["", "x"])))
            elif verb == "load":
                mode = draw.draw(st.sampled_from(["replace", "override", "merge"]))
                one.load(mode, "\n".join(set_lines(one.view, path)))
            else:
                getattr(one, verb)(list(path))
        except (CommandFailed, SyntaxProblem):
            assert (objects(one.view), one.rows()) == before
            continue
        uuids = [item.uuid for _, item in one.view.walk()]
        assert len(uuids) == len(set(uuids))
        if one.rows() != before[1]:
            states.append(before)
        if draw.draw(st.booleans()):
            one.saved(one.unsaved())
    while states:
        one.undo()
        assert (objects(one.view), one.rows()) == states.pop()
    with pytest.raises(CommandFailed, match="nothing to undo"):
        one.undo()
