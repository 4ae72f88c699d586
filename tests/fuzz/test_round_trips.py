"""Print and read: every form of any configuration says the same, whole, shuffled, over itself, and cut anywhere."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from data.candidate import Candidate
from data.configuration import Running
from data.difference import between, difference_lines
from data.errors import NshellError
from data.text import read, set_lines
from tests.fuzz.runs import fuzzed, soon
from tests.fuzz.states import FORMS, configurations, secrets, told
from tests.unit.data.examples import objects

forms = st.sampled_from(list(FORMS))


def loaded(mode: str, text: str, over: Running | None = None) -> Candidate:
    candidate = Candidate(over or Running(), "ops")
    candidate.load(mode, text)
    return candidate


@fuzzed(60, configurations(), forms, st.sampled_from(["override", "replace", "merge"]))
def test_what_is_printed_reads_back_the_same_and_prints_the_same(state: Running, form: str, mode: str) -> None:
    text = FORMS[form](state)
    view = loaded(mode, text).view
    assert told(view) == told(state)
    again = FORMS[form](loaded(mode, text, state).view)
    assert again == text


@fuzzed(60, configurations(), st.randoms(use_true_random=False))
def test_set_lines_may_stand_in_any_order(state: Running, order: random.Random) -> None:
    lines = list(set_lines(state))
    order.shuffle(lines)
    assert told(loaded("override", "\n".join(lines)).view) == told(state)


@fuzzed(60, configurations())
def test_set_lines_can_be_applied_one_after_the_other(state: Running) -> None:
    candidate = Candidate(Running(), "ops")
    candidate.apply_batch(set_lines(state), "test")
    assert told(candidate.view) == told(state)


@fuzzed(60, configurations(), forms, st.sampled_from(["override", "replace", "merge"]))
def test_a_text_over_what_it_says_changes_nothing_not_even_a_secret(state: Running, form: str, mode: str) -> None:
    candidate = loaded(mode, FORMS[form](state), state)
    assert not candidate.differs
    assert list(secrets(candidate.view)) == list(secrets(state))


@fuzzed(60, configurations(), forms)
def test_no_text_holds_a_secret(state: Running, form: str) -> None:
    text = FORMS[form](state)
    assert not any(secret in text for secret in secrets(state))


@fuzzed(40, configurations(), configurations())
def test_the_lines_of_a_difference_make_the_one_from_the_other(old: Running, new: Running) -> None:
    lines = difference_lines(between(old, new))
    candidate = Candidate(old, "ops")
    candidate.load("set", "\n".join(lines))
    assert told(candidate.view) == told(new)
    candidate = Candidate(old, "ops")
    candidate.rollback_to(objects(new))
    assert objects(candidate.view) == objects(new)


@fuzzed(60, configurations(), forms, st.data())
def test_a_text_that_is_cut_off_is_read_or_refused_in_words(state: Running, form: str, data: st.DataObject) -> None:
    text = FORMS[form](state)
    for _ in range(8):
        cut = data.draw(st.integers(0, len(text)))
        with soon():
            try:
                read(text[:cut], "test")
            except NshellError as problem:
                assert str(problem) and problem.cause
