"""Files to load: damaged, mixed, random; in every way of loading. An error in words, and nothing is changed by it."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from commands.language.registry import Mode
from data.candidate import LOAD_MODES, Candidate
from data.configuration import Running
from data.errors import BatchProblem, NshellError
from data.merge import Edit
from data.path import Path
from data.text import read
from tests.fuzz.lines import SPECIAL, lines, tails
from tests.fuzz.runs import fuzzed, soon
from tests.fuzz.states import FORMS, configurations
from tests.unit.data.examples import running

SECRET = "ЖЩЮЖЩЮЖЩЮ"
"""A password of letters that nothing else has."""
MORE = """
set user bob class operator
set user ann class super-user
set enterprise umbrella
annotate enterprise umbrella "the other one"
deactivate enterprise umbrella
"""
WITH_SECRETS = (
    f"set user bob password {SECRET} class operator\nset enterprise acme",
    f'set user bob class operator password "{SECRET} {SECRET}"\nset user ann password {SECRET}',
    f"user bob {{\n    class operator;\n    password {SECRET};\n}}\nenterprise acme;",
    f'inactive: user bob {{ /* x */ password "{SECRET} {SECRET}"; alias a command "show version"; }}',
    f'{{"user": {{"bob": {{"class": "operator", "password": "{SECRET}"}}}}, "enterprise": {{"acme": {{}}}}}}',
    f"delete user bob password {SECRET}",
    f"rename user bob to ann\nset user ann password {SECRET}",
)
modes = st.sampled_from(list(LOAD_MODES))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["enterprise", "user", "system", "domain", "a", "@inactive", "@annotation", "class", "ssh"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str], most: int = 4) -> str:
    """A text with pieces cut out, put in, doubled or moved."""
    text = draw(texts)
    for _ in range(draw(st.integers(1, most))):
        first, second = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        how = draw(st.integers(0, 4))
        if how == 0:
            text = text[:first] + text[min(second, first + draw(st.integers(1, 8))) :]
        elif how == 1:
            text = text[:first] + draw(st.sampled_from(SPECIAL) | st.text(max_size=4)) + text[first:]
        elif how == 2:
            text = text[:second] + text[first:]
        elif how == 3:
            text = text[:first]
        else:
            text = text[first:second] + text[:first] + text[second:]
    return text


@st.composite
def with_typo(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with one small mistake. With two, nothing need be left that tells that it is about a secret."""
    text = draw(texts)
    at = draw(st.integers(0, len(text)))
    put_in = draw(
        st.sampled_from(["", *SPECIAL]) | st.text(max_size=2).filter(lambda each: not set(SECRET) & set(each))
    )
    left_out = (
        0 if put_in.splitlines() != [put_in] and put_in else draw(st.integers(0, 2))
    )  # a new line is a mistake alone
    return text[:at] + put_in + text[at + left_out :]


@st.composite
def printed(draw: st.DrawFn) -> str:
    """Any form of any configuration, perhaps two behind one another."""
    pieces = [FORMS[draw(st.sampled_from(list(FORMS)))](draw(configurations())) for _ in range(draw(st.integers(1, 2)))]
    return draw(st.sampled_from(["\n", "", " ", "\x00"])).join(pieces)


any_text = (
    damaged(printed())
    | printed()
    | st.text(max_size=200)
    | st.lists(lines(Mode.CONFIGURE), max_size=5).map("\n".join)
    | st.lists(tails().map(" ".join), max_size=5).map(lambda each: " { ".join(each) + ";" + "}" * len(each))
    | JSON.map(lambda form: msgspec.json.encode({"enterprise": {"acme": form}, "user": form}).decode())
    | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "replace"))
)


def candidate_of(state: Running) -> Candidate:
    """A candidate that differs, of which the store has a part."""
    candidate = Candidate(state, "ops")
    candidate.load("set", MORE)
    candidate.saved(candidate.unsaved())
    candidate.set(["enterprise", "third"])
    return candidate


def all_of(candidate: Candidate) -> tuple[dict[Path, Edit], dict[Path, Edit | None], object]:
    """What a candidate is: its rows, what the store does not have of them, and what it shows."""
    return candidate.rows(), candidate.unsaved(), dict(candidate.view.walk())


def whole(problem: NshellError) -> str:
    """Everything that an error could show somewhere."""
    inner = f"{problem.problem!r} {problem.problem} {problem.line}" if isinstance(problem, BatchProblem) else ""
    return f"{problem} {problem.as_dict()} {problem.args} {inner}"


@fuzzed(150, any_text)
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with soon():
        try:
            read(text, "test")
        except NshellError as problem:
            assert str(problem) and problem.cause and problem.as_dict()


@fuzzed(150, any_text, modes)
def test_a_text_is_loaded_whole_or_changes_nothing(text: str, mode: str) -> None:
    candidate = candidate_of(running())
    before = all_of(candidate)
    with soon():
        try:
            candidate.load(mode, text)
        except NshellError as problem:
            assert str(problem) and problem.as_dict()
            assert all_of(candidate) == before
        else:
            if all_of(candidate)[0] != before[0]:
                assert f"load {mode}" in candidate.undo()
            assert all_of(candidate)[2] == before[2]
        assert candidate.undo() == "took back: set enterprise third"


@fuzzed(400, with_typo(st.sampled_from(WITH_SECRETS)), modes)
def test_no_error_tells_a_secret_of_the_text(text: str, mode: str) -> None:
    try:
        candidate_of(running()).load(mode, text)
    except NshellError as problem:
        said = whole(problem)
        assert not set(SECRET) & set(said), said


@fuzzed(
    150,
    st.text(max_size=3),
    st.sampled_from(["[", "{", '{"a":', '{"enterprise":', "enterprise a {", "[ ", "/*", '"']),
    modes,
)
def test_deep_nesting_is_borne(start: str, piece: str, mode: str) -> None:
    with soon():
        try:
            candidate_of(running()).load(mode, start + piece * (20_000 // len(piece)))
        except NshellError as problem:
            assert len(str(problem)) < 30_000
