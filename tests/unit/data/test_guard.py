"""What a candidate may not touch: the guard of its user, and what a load or a rollback is confined to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from data.candidate import Candidate
from data.configuration import Running
from data.errors import BatchProblem, NotPermitted, NshellError
from data.path import Path, path_text
from data.steps import at_once
from data.text import set_lines
from tests.unit.data.examples import ACME, PROD, edited, objects, running, words


def candidate() -> Candidate:
    return Candidate(running(), "ops")


def lines_of(one: Candidate) -> set[str]:
    return set(set_lines(one.view))


class Tenant:
    """Somebody who may change enterprise acme alone, and not its vport app-1."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def writes(self, path: Path) -> bool:
        return path[:2] == ("enterprise", "acme") and path[-1] != "app-1"

    def guard(self, path: Path, verb: str) -> None:
        self.asked.append((path_text(path), verb))
        if not self.writes(path):
            raise NotPermitted(path_text(path), f"you may not {verb} this", "ask")


def confined(state: Running | None = None) -> tuple[Candidate, Tenant]:
    tenant = Tenant()
    one = Candidate(state or running(ACME + "set enterprise umbrella domain prod\n"), "bob")
    one.guard, one.confine = tenant.guard, tenant.writes
    return one, tenant


@pytest.mark.parametrize(
    "line",
    [
        "set enterprise umbrella description x",
        "set enterprise nobody",
        "delete enterprise umbrella",
        "delete enterprise nobody",
        "rename enterprise umbrella to x",
        "rename enterprise nobody to x",
        "rename enterprise acme to umbrella",
        "rename enterprise acme to other",
        "copy enterprise acme to acme2",
        "copy enterprise umbrella domain prod to x",
        "annotate enterprise umbrella x",
        "deactivate enterprise nobody",
        "activate enterprise umbrella domain prod",
        "set system hostname x",
        "delete enterprise acme domain prod vport app-1",
        "delete enterprise acme domain prod",
        "rename enterprise acme domain prod to p",
        "copy enterprise acme domain prod to p",
    ],
)
def test_the_guard_refuses_every_verb_before_anything_is_looked_up(line: str) -> None:
    one, _ = confined()
    for act in (
        lambda: one.apply_batch(["set enterprise acme description x", line], "f"),
        lambda: one.load("set", line, "f"),
    ):
        with pytest.raises(BatchProblem) as caught:
            act()
        assert isinstance(caught.value.problem, NotPermitted) and caught.value.exit_code == 6
        assert "configured" not in str(caught.value) and "already" not in str(caught.value)
        assert not one.differs


def test_nothing_is_said_of_what_must_not_be_seen_below() -> None:
    one, _ = confined()
    with pytest.raises(NotPermitted) as caught:
        one.delete(words("enterprise acme domain prod"))
    assert "app-1" not in str(caught.value) and "you may not delete all of it" in str(caught.value)


@pytest.mark.parametrize("mode", ["merge", "replace", "override"])
def test_a_load_touches_nothing_outside(mode: str) -> None:
    one, _ = confined()
    with pytest.raises(NotPermitted):
        one.load(mode, "set enterprise acme domain new\nset enterprise umbrella domain x")
    assert not one.differs
    one.load(mode, "set enterprise acme domain new")
    outside = {path: item for path, item in running().walk() if path[:2] != ("enterprise", "acme")}
    assert {path: item for path, item in one.view.walk() if path[:1] == ("dvrs",)}.keys() == outside.keys()
    assert one.view.get(("enterprise", "umbrella", "domain", "prod")) is not None
    left = [path_text(path[4:]) for path, _ in one.view.walk(PROD)]
    if mode != "merge":
        assert left == ["", "vport app-1"]


def test_a_rollback_leaves_everything_outside_as_it_is() -> None:
    state = running(ACME + "set enterprise umbrella domain old\n")
    former = objects(state)
    state.apply(
        edited(
            state,
            "delete enterprise umbrella domain old",
            "set enterprise umbrella domain new",
            "delete enterprise acme domain prod vport web-2",
            "set enterprise acme domain later",
            "delete enterprise acme domain prod vport app-1",
        ).edits(),
        2,
    )
    one, _ = confined(state)
    one.rollback_to(former)
    names = {path_text(path): new is not None for path, new in one.edits().items()}
    assert names == {"enterprise acme domain later": False, "enterprise acme domain prod vport web-2": True}


def test_objects_made_on_the_way_are_asked_about() -> None:
    one, tenant = confined()
    with pytest.raises(NotPermitted):
        one.set(words("enterprise other domain x"))
    one.set(words("enterprise acme domain d zone z"))
    assert ("enterprise acme domain d", "set") in tenant.asked
    copy = at_once(one.copied())
    with pytest.raises(NotPermitted):
        copy.set(words("system hostname x"))


@pytest.mark.parametrize("verb", ["deactivate", "activate"])
def test_what_is_turned_off_with_all_below_may_be_changed_below(verb: str) -> None:
    state = running(ACME)
    if verb == "activate":
        state.apply(edited(state, "deactivate enterprise acme domain prod").edits(), 2)
    one, _ = confined(state)
    other = {path: replace(item, inactive=verb == "deactivate") for path, item in state.walk(PROD)}
    for act in (
        lambda: getattr(one, verb)(words("enterprise acme domain prod")),
        lambda: one.load("set", f"{verb} enterprise acme domain prod", "f"),
        lambda: one.rollback_to(other),
    ):
        with pytest.raises(NshellError) as caught:
            act()
        problem = getattr(caught.value, "problem", caught.value)
        assert isinstance(problem, NotPermitted) and f"you may not {verb} all of it" in str(problem)
        assert "app-1" not in str(problem) and not one.differs
    getattr(one, verb)(words("enterprise acme domain prod vport web-1"))
