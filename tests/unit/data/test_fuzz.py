"""Whatever is loaded or typed is understood, or an error of the house says why not and nothing has changed."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.candidate import LOAD_MODES, Candidate
from data.errors import NshellError
from data.schema.nodes import NODES
from data.schema.verbs import VERBS
from data.text import hierarchy_lines, json_text, set_lines
from tests.unit.data.examples import objects, running

_keywords = sorted({word for keywords, node in NODES.items() for word in (*keywords, *node.leaves)})
_marks = ["{", "}", ";", "[", "]", '"', "\\", "/*", "*/", "#", "\n", "to", "inactive:", "active:", "@inactive", ""]
_values = [
    "acme",
    "prod",
    "web-1",
    "10.1.1.0/24",
    "10.1.1.9",
    "02:00:00:00:00:01",
    "any",
    "1",
    "********",
    "x y",
    "\x00",
    "é",
]
_words = st.sampled_from(_keywords) | st.sampled_from(_marks) | st.sampled_from(_values) | st.sampled_from(list(VERBS))
_lines = st.lists(_words, max_size=12).map(" ".join)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(_values),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_keywords, *_values, "@annotation", "@inactive"]), inner, max_size=4)
    ),
    max_leaves=12,
).map(json.dumps)
_texts = st.lists(_lines, max_size=6).map("\n".join) | _json | st.text(max_size=60)
often = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@often
@given(_texts, st.sampled_from(list(LOAD_MODES)))
def test_a_load_is_understood_or_refused_in_the_houses_words(text: str, mode: str) -> None:
    candidate = Candidate(running(), "ops")
    before = objects(candidate.view)
    try:
        candidate.load(mode, text)
    except NshellError as problem:
        assert problem.cause and objects(candidate.view) == before
        json.dumps(problem.as_dict())
    for shown in (
        "\n".join(set_lines(candidate.view)),
        "\n".join(hierarchy_lines(candidate.view)),
        json_text(candidate.view),
    ):
        again = Candidate(running(), "ops")
        again.load("override", shown)


@often
@given(st.sampled_from(list(VERBS)), st.lists(_words, max_size=8), st.booleans(), st.sampled_from(_values))
def test_a_command_is_understood_or_refused_in_the_houses_words(
    verb: str, words: list[str], short: bool, name: str
) -> None:
    candidate = Candidate(running(), "ops")
    before = objects(candidate.view)
    more = [name] if verb in ("rename", "copy", "annotate") else []
    try:
        getattr(candidate, verb)(words, *more, abbreviations=short)
    except NshellError as problem:
        assert problem.cause and objects(candidate.view) == before
