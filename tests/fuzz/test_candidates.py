"""Candidates of several users over one running configuration, in any order of commands, against a simple model.

the model knows      what a view was before each command, what the store kept, what was committed
and demands that     an error changes nothing; undo puts back exactly what was; what the store kept is the candidate;
                     a commit is what its user saw; a commit of somebody else takes no edit away that it does not touch
"""

# ruff: noqa: E501 (lines of data are easier to read whole)

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from data.candidate import LOAD_MODES, Candidate
from data.configuration import Configuration, Running
from data.errors import CommandFailed, MergeConflict, NshellError
from data.merge import Edit
from data.path import Path
from data.schema.base import MARKS
from data.schema.nodes import NODES, node_of, parent_of
from data.schema.objects import Object
from tests.fuzz.runs import LONGER, SIZES, bounded
from tests.fuzz.states import FORMS, remarks
from tests.unit.data.examples import any_lines, objects
from tests.unit.data.examples import running as example

USERS = ("ann", "bob", "eve")
users = st.sampled_from(USERS)
few = st.sampled_from(["a", "b", "acme", "prod", "web-1", "web1", "frontends", "10", "20"])
"""Few names, so that users meet."""
START = """
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod policy-group frontends
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11 policy-group frontends
set enterprise acme domain prod ingress-policy base entry 10 from policy-group frontends action allow
set login-class staff permission [ show configure ] enterprise acme
set user bob class staff ssh-key "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB ops@host"
"""
FIELDS = ("description", *MARKS)


def simple(draw: Callable[[st.SearchStrategy[object]], object]) -> list[str]:
    """Words of a small change of what others change, too."""
    words = draw(
        st.sampled_from(
            [
                ["enterprise", "acme"],
                ["enterprise", "acme", "domain", "prod"],
                ["enterprise", "acme", "domain", "prod", "vport", "web-1"],
                ["enterprise", "acme", "domain", "prod", "zone", "web", "subnet", "web1"],
                ["enterprise", "acme", "domain", "prod", "policy-group", "frontends"],
                ["user", "bob"],
                ["system"],
            ]
        )
    )
    assert isinstance(words, list)
    leaf = draw(st.sampled_from([["description", "one"], ["description", "two"], ["description", "three"]]))
    if words[-2:-1] == ["vport"]:
        leaf = draw(
            st.sampled_from(
                [["address", "10.1.1.11"], ["address", "10.1.1.12"], ["type", "host"], ["policy-group", "a"], leaf]
            )
        )
    assert isinstance(leaf, list)
    return [*words, *leaf]


def field_values(path: Path, item: Object) -> dict[str, object]:
    """What can be edited of an object, by field."""
    return {field: getattr(item, field) for field in (*node_of(path).fields, *MARKS)}


class Candidates(RuleBasedStateMachine):
    """Three users, one network."""

    @initialize()
    def begin(self) -> None:
        self.running: Running = example(START)
        self.candidates = {user: Candidate(self.running, user) for user in USERS}
        self.kept: dict[str, dict[Path, Edit]] = {user: {} for user in USERS}
        self.done: dict[str, list[tuple[int, dict[Path, Object]]]] = {user: [] for user in USERS}
        self.revisions = [objects(self.running)]

    # What is done

    def change(self, user: str, work: Callable[[Candidate], object]) -> None:
        """Do something to a candidate: all of it, or nothing and an error in words."""
        candidate = self.candidates[user]
        before, rows, unsaved = objects(candidate.view), candidate.rows(), candidate.unsaved()
        try:
            work(candidate)
        except NshellError as problem:
            assert str(problem)
            assert objects(candidate.view) == before and candidate.rows() == rows and candidate.unsaved() == unsaved
            return
        if candidate.rows() != rows:
            self.done[user].append((self.running.revision, before))

    @rule(user=users, data=st.data())
    def set(self, user: str, data: st.DataObject) -> None:
        lines = data.draw(any_lines) if data.draw(st.booleans()) else []
        words = data.draw(st.sampled_from(lines)) if lines else simple(data.draw)
        self.change(user, lambda candidate: candidate.set(words))

    def some_path(self, user: str, data: st.DataObject) -> list[str]:
        paths = [path for path, _ in self.candidates[user].view.walk()]
        return list(data.draw(st.sampled_from(paths))) if paths else ["system"]

    @rule(user=users, data=st.data())
    def delete(self, user: str, data: st.DataObject) -> None:
        words = self.some_path(user, data)
        if data.draw(st.booleans()):
            words = [*words, data.draw(st.sampled_from(list(NODES[tuple(words[::2])].leaves)))]
        self.change(user, lambda candidate: candidate.delete(words))

    @rule(user=users, name=few, data=st.data(), copy=st.booleans())
    def rename_or_copy(self, user: str, name: str, data: st.DataObject, copy: bool) -> None:
        words = self.some_path(user, data)
        self.change(user, lambda candidate: (candidate.copy if copy else candidate.rename)(words, name))

    @rule(user=users, text=remarks | st.just(""), data=st.data())
    def annotate(self, user: str, text: str, data: st.DataObject) -> None:
        words = self.some_path(user, data)
        self.change(user, lambda candidate: candidate.annotate(words, text))

    @rule(user=users, data=st.data(), on=st.booleans())
    def activate(self, user: str, data: st.DataObject, on: bool) -> None:
        words = self.some_path(user, data)
        self.change(user, lambda candidate: (candidate.activate if on else candidate.deactivate)(words))

    @rule(user=users, of=users, form=st.sampled_from(list(FORMS)), mode=st.sampled_from(list(LOAD_MODES)))
    def load(self, user: str, of: str, form: str, mode: str) -> None:
        text = FORMS[form](self.candidates[of].view)
        self.change(user, lambda candidate: candidate.load(mode, text))

    @rule(user=users, data=st.data())
    def rollback(self, user: str, data: st.DataObject) -> None:
        wanted = data.draw(st.sampled_from(self.revisions[-4:]))
        self.change(user, lambda candidate: candidate.rollback_to(wanted))
        assert objects(self.candidates[user].view) == wanted

    @rule(user=users)
    def discard(self, user: str) -> None:
        self.change(user, lambda candidate: candidate.discard())
        assert objects(self.candidates[user].view) == objects(self.running)
        assert not self.candidates[user].differs

    @rule(user=users)
    def undo(self, user: str) -> None:
        candidate, done = self.candidates[user], self.done[user]
        if not done:
            with pytest.raises(CommandFailed):
                candidate.undo()
            return
        revision, before = done.pop()
        assert candidate.undo().startswith("took back")
        if revision == self.running.revision:
            assert objects(candidate.view) == before

    # What is kept

    @rule(user=users)
    def save(self, user: str) -> None:
        candidate, kept = self.candidates[user], self.kept[user]
        rows = candidate.unsaved()
        for path, edit in rows.items():
            if edit is None:
                kept.pop(path, None)
            else:
                kept[path] = edit
        candidate.saved(rows)
        assert not candidate.unsaved()

    @rule(user=users)
    def restart(self, user: str) -> None:
        """The daemon begins again: what the store kept is the candidate."""
        self.save(user)
        candidate = self.candidates[user]
        again = Candidate(self.running, user, self.kept[user])
        assert again.rows() == candidate.rows()
        assert objects(again.view) == objects(candidate.view)
        assert {clash.path for clash in again._clashes} == {clash.path for clash in candidate._clashes}
        self.candidates[user], self.done[user] = again, []

    @rule(user=users, data=st.data())
    def fail_to_save(self, user: str, data: st.DataObject) -> None:
        """The disk is full: the candidate is what it was when it was saved."""
        self.save(user)
        candidate = self.candidates[user]
        before, steps = objects(candidate.view), len(self.done[user])
        self.change(user, lambda candidate: candidate.set(simple(data.draw)))
        candidate.put_back()
        assert objects(candidate.view) == before and not candidate.unsaved()
        del self.done[user][steps:]

    @rule(user=users)
    def commit(self, user: str) -> None:
        candidate = self.candidates[user]
        view, unclean = objects(candidate.view), candidate.clashing()
        try:
            edits = candidate.merge()
        except MergeConflict as conflict:
            assert unclean and conflict.conflicts and str(conflict)
            return
        assert not unclean
        others = {
            name: (dict(other.rows()), objects(other.view))
            for name, other in self.candidates.items()
            if name != user and not other.clashing()
        }
        former = objects(self.running)
        self.running.apply(edits, self.running.revision + 1)
        self.revisions.append(objects(self.running))
        for path in edits:
            self.kept[user].pop(path, None)
        candidate.committed(edits)
        self.done[user] = []
        assert objects(self.running) == view == objects(candidate.view)
        assert not candidate.differs
        for name, (rows, seen) in others.items():
            self.follows(self.candidates[name], former, rows, seen)

    def follows(
        self, other: Candidate, former: dict[Path, Object], rows: dict[Path, Edit], seen: dict[Path, Object]
    ) -> None:
        """Somebody else's candidate after a commit: its own edits where the commit did not touch, the commit elsewhere."""
        after, now, clashing = objects(other.view), objects(self.running), set(other.clashing())
        for path in {*former, *rows, *now}:
            base, mine, theirs = former.get(path), seen.get(path), now.get(path)
            if path in clashing or any(path[: len(clash)] == clash or clash[: len(path)] == path for clash in clashing):
                continue
            if base == mine:
                assert after.get(path) == theirs, (path, "what I did not edit is what is committed")
            elif base == theirs:
                assert after.get(path) == mine, (path, "what they did not touch is what I want")
            elif base is not None and mine is not None and theirs is not None:
                got = after.get(path)
                assert got is not None
                was, want, have = field_values(path, base), field_values(path, mine), field_values(path, theirs)
                for field, value in field_values(path, got).items():
                    self.merged(path, field, was[field], want[field], have[field], value)

    def merged(self, path: Path, field: str, was: object, mine: object, theirs: object, got: object) -> None:
        if isinstance(was, tuple) and isinstance(mine, tuple) and isinstance(theirs, tuple) and isinstance(got, tuple):
            assert {*mine} - {*was} <= {*got} and {*theirs} - {*was} <= {*got}, (path, field, "values added are there")
            assert not ({*was} - {*mine}) & {*got} or {*theirs} & ({*was} - {*mine}) == set(), (path, field, "removed")
        elif mine == was:
            assert got == theirs, (path, field)
        else:
            assert got == mine, (path, field)

    # What always holds

    @invariant()
    def every_view_is_whole(self) -> None:
        for candidate in getattr(self, "candidates", {}).values():
            if not candidate.clashing():
                whole(candidate.view)

    @invariant()
    def what_is_committed_is_whole(self) -> None:
        if hasattr(self, "running"):
            whole(self.running)


def whole(view: Configuration) -> None:
    """Nothing lacks the object above it, and every question is answered as by a configuration made from nothing."""
    items = objects(view)
    plain = Running(items)
    assert len({item.uuid for item in items.values()}) == len(items), "two objects have one UUID"
    for path, item in items.items():
        assert not parent_of(path) or parent_of(path) in items, path
        assert view.by_uuid(item.uuid) == path
        assert view.referrers(path) == plain.referrers(path), path
        for keyword in node_of(path).children:
            assert view.children(path, keyword) == plain.children(path, keyword)
            assert view.count(path, keyword) == plain.count(path, keyword)
        for unique in node_of(path).unique:
            values = path[-1] if unique.field == "name" else getattr(item, unique.field)
            for value in values if isinstance(values, tuple) else (values,):
                asked = (path[-2], unique.field, path[: unique.scope_length], value)
                assert sorted(view.holders(*asked)) == sorted(plain.holders(*asked)), asked


@pytest.mark.parametrize("longer", SIZES)
def test_any_sequence_of_commands_of_several_users(longer: int) -> None:
    steps = 25 if longer < LONGER else 60
    from hypothesis import settings

    run_state_machine_as_test(Candidates, settings=settings(bounded(40 * longer), stateful_step_count=steps))
