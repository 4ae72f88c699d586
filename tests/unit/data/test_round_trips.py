"""What is printed and read back is the same configuration, and a difference applied is the other one."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.candidate import Candidate
from data.configuration import Running
from data.difference import between, difference_hierarchy, difference_lines, of_edits
from data.path import quoted
from data.schema.tokens import split
from data.text import hierarchy_lines, json_text, set_lines
from tests.unit.data.examples import any_configuration, any_lines, apply, edited, objects, running, without_uuids

lenient = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def loaded(mode: str, text: str, over: Running | None = None) -> Candidate:
    candidate = Candidate(over or Running(), "ops")
    candidate.load(mode, text)
    return candidate


@lenient
@given(any_configuration(), st.randoms(use_true_random=False))
def test_set_lines_read_back_in_any_order_give_the_same_configuration(state: Running, order: random.Random) -> None:
    lines = list(set_lines(state))
    order.shuffle(lines)
    assert without_uuids(loaded("override", "\n".join(lines)).view) == without_uuids(state)


@lenient
@given(any_configuration())
def test_a_printed_hierarchy_reads_back_as_the_same_configuration(state: Running) -> None:
    assert without_uuids(loaded("override", "\n".join(hierarchy_lines(state))).view) == without_uuids(state)


@lenient
@given(any_configuration())
def test_printed_json_reads_back_as_the_same_configuration(state: Running) -> None:
    assert without_uuids(loaded("merge", json_text(state)).view) == without_uuids(state)


@lenient
@given(any_configuration())
def test_loading_what_is_running_over_itself_changes_nothing_not_even_a_uuid(state: Running) -> None:
    for text in ("\n".join(set_lines(state)), "\n".join(hierarchy_lines(state)), json_text(state)):
        for mode in ("override", "replace", "merge"):
            assert not loaded(mode, text, state).differs


@lenient
@given(any_configuration(), any_configuration())
def test_the_lines_of_a_difference_turn_one_configuration_into_the_other(old: Running, new: Running) -> None:
    candidate = Candidate(old, "ops")
    candidate.load("set", "\n".join(difference_lines(between(old, new))))
    assert without_uuids(candidate.view) == without_uuids(new)


@lenient
@given(any_configuration(), any_configuration())
def test_the_difference_of_edits_is_the_difference_of_the_whole_configurations(old: Running, new: Running) -> None:
    candidate = Candidate(old, "ops")
    candidate.rollback_to(objects(new))
    assert objects(candidate.view) == objects(new)
    assert of_edits(old, candidate.edits()) == between(old, new)


@lenient
@given(any_configuration(), any_configuration())
def test_the_unmarked_and_added_lines_of_a_hierarchy_difference_can_be_read(old: Running, new: Running) -> None:
    kept = [line[2:] for line in difference_hierarchy(between(old, new)) if not line.startswith("-")]
    candidate = Candidate(old, "ops")
    candidate.load("merge", "\n".join(kept))


@lenient
@given(any_lines)
def test_each_printed_word_is_cut_out_again_as_it_was(commands: list[list[str]]) -> None:
    from data.path import quoted

    for command in commands:
        assert split(" ".join(quoted(word) for word in command)) == command


@lenient
@given(any_configuration(), any_lines)
def test_deleting_all_that_was_set_leaves_the_configuration_as_it_was(
    state: Running, commands: list[list[str]]
) -> None:
    candidate = Candidate(state, "ops")
    apply(candidate, commands)
    candidate.load("set", "\n".join(difference_lines(between(candidate.view, state))))
    assert without_uuids(candidate.view) == without_uuids(state)


def test_names_come_in_natural_order_and_entries_by_number() -> None:
    state = running(
        "set enterprise acme domain prod policy-group g10\n"
        "set enterprise acme domain prod policy-group g9\n"
        "set enterprise acme domain prod policy-group 2\n"
        "set enterprise acme domain prod ingress-policy p entry 100 action deny\n"
        "set enterprise acme domain prod ingress-policy p entry 20 action allow\n"
    )
    ends = [line.split("prod ")[1] for line in set_lines(state)]
    assert ends == [
        "policy-group 2",
        "policy-group g9",
        "policy-group g10",
        "ingress-policy p entry 20 action allow",
        "ingress-policy p entry 100 action deny",
    ]


def test_a_hierarchy_below_a_path_shows_its_own_leaves_at_the_margin() -> None:
    lines = list(hierarchy_lines(running(), ("enterprise", "acme", "domain", "prod", "vport", "web-1")))
    assert lines == [
        "subnet web1;",
        "mac 02:00:0a:01:01:0b;",
        "address 10.1.1.11;",
        "policy-group frontends;",
    ]


def test_a_difference_is_shown_inside_the_objects_that_it_is_in() -> None:
    state = running()
    candidate = Candidate(state, "ops")
    candidate.load(
        "set",
        "set enterprise acme domain prod vport web-1 description front\n"
        "delete enterprise acme domain prod vport web-2\n"
        "set enterprise acme domain prod zone db\n",
    )
    assert difference_hierarchy(of_edits(state, candidate.edits())) == [
        "  enterprise acme {",
        "      domain prod {",
        "+         zone db;",
        "          vport web-1 {",
        "+             description front;",
        "          }",
        "-         vport web-2 {",
        "-             subnet web1;",
        "-             mac 02:00:0a:01:01:0c;",
        "-             address 10.1.1.12;",
        "-         }",
        "      }",
        "  }",
    ]
    assert difference_lines(of_edits(state, candidate.edits())) == [
        "delete enterprise acme domain prod vport web-2",
        "set enterprise acme domain prod zone db",
        "set enterprise acme domain prod vport web-1 description front",
    ]


@pytest.mark.parametrize("text", ["/*/", "/*", "/* x */", '"/*', "a/*b", "*/"])
def test_a_text_that_looks_like_a_remark_is_read_back_as_it_is(text: str) -> None:
    state = edited(running(), f"set enterprise acme description {quoted(text)}").view
    printed = "\n".join(hierarchy_lines(state))
    assert without_uuids(loaded("override", printed).view) == without_uuids(state)
