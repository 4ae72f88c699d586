"""Annotations, inactive objects and secrets in the three forms of text, in differences and in merges."""

from __future__ import annotations

import json

import pytest

from data.candidate import Candidate
from data.configuration import Running
from data.difference import between, difference_hierarchy, difference_lines
from data.errors import BatchProblem, MergeConflict, NothingThere, SyntaxProblem
from data.schema.completion import complete
from data.schema.objects import User
from data.schema.secret import HIDDEN, matches
from data.text import hierarchy_lines, json_form, json_text, set_lines
from tests.unit.data.examples import PROD, WEB_1, edited, objects, running

LINES = """\
set enterprise acme domain prod zone web
set enterprise acme domain prod vport web-1 type vm description "one /* two"
annotate enterprise acme "the \\\\ \\"big\\" one"
annotate enterprise acme domain prod zone web "; } # {"
annotate enterprise acme domain prod vport web-1 "first"
deactivate enterprise acme domain prod vport web-1
annotate access "nobody else"
set enterprise umbrella
deactivate enterprise umbrella
"""
HIERARCHY = """\
/* nobody else */
access;
/* the \\ "big" one */
enterprise acme {
    domain prod {
        /* ; } # { */
        zone web;
        /* first */
        inactive: vport web-1 {
            description "one /* two";
        }
    }
}
inactive: enterprise umbrella;
"""


def state() -> Running:
    return running(LINES)


def test_each_form_shows_what_an_object_says_about_itself() -> None:
    assert "\n".join(hierarchy_lines(state())) + "\n" == HIERARCHY
    assert list(set_lines(state())) == [
        'annotate access "nobody else"',
        "set enterprise acme domain prod zone web",
        'annotate enterprise acme "the \\\\ \\"big\\" one"',
        'annotate enterprise acme domain prod zone web "; } # {"',
        'set enterprise acme domain prod vport web-1 description "one /* two"',
        "annotate enterprise acme domain prod vport web-1 first",
        "deactivate enterprise acme domain prod vport web-1",
        "set enterprise umbrella",
        "deactivate enterprise umbrella",
    ]
    vport = json_form(state())["enterprise"]["acme"]["domain"]["prod"]["vport"]["web-1"]
    assert vport == {"@annotation": "first", "@inactive": True, "description": "one /* two"}


@pytest.mark.parametrize("mode", ["merge", "replace", "override", "set"])
def test_each_form_reads_back_in_every_mode(mode: str) -> None:
    lines = "\n".join(set_lines(state()))
    for text in (lines,) if mode == "set" else (lines, HIERARCHY, json_text(state())):
        candidate = Candidate(Running(), "ops")
        candidate.load(mode, text)
        assert list(set_lines(candidate.view)) == list(set_lines(state()))


def test_printed_lines_can_be_applied_one_by_one_also_below_a_path() -> None:
    for under in ((), ("enterprise", "acme"), (*PROD, "vport", "web-1")):
        candidate = Candidate(Running(), "ops")
        lines = list(set_lines(state(), under))
        assert candidate.apply_batch(lines, "f") == len(lines)


def test_below_a_path_its_own_remarks_stand_at_the_margin() -> None:
    assert list(hierarchy_lines(state(), (*PROD, "vport", "web-1"))) == [
        "# /* first */",
        "# inactive:",
        'description "one /* two";',
    ]


def test_replacing_and_overriding_take_away_what_the_text_does_not_say() -> None:
    candidate = Candidate(state(), "ops")
    candidate.load("override", HIERARCHY.replace("inactive: ", "").replace("/* first */", "# first"))
    vport = candidate.view.get(WEB_1)
    assert vport is not None and (vport.annotation, vport.inactive) == (None, False)
    candidate = Candidate(state(), "ops")
    candidate.load("merge", "active: enterprise umbrella;")
    assert not candidate.view.get(("enterprise", "umbrella")).inactive  # type: ignore[union-attr]


def test_a_line_about_an_object_that_is_nowhere_is_an_error() -> None:
    for mode in ("merge", "override", "set"):
        candidate = Candidate(Running(), "ops")
        with pytest.raises((NothingThere, BatchProblem), match="nothing to annotate"):
            candidate.load(mode, 'annotate enterprise nobody "x"')
    candidate = Candidate(state(), "ops")
    candidate.load("merge", 'annotate enterprise acme "x"')
    assert candidate.view.get(("enterprise", "acme")).annotation == "x"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("/* " + "x" * 300 + " */ enterprise acme;", "the text has 300 characters"),
        ("enterprise acme { inactive: description x; }", "only an object can be inactive"),
        ("inactive: ;", "ends too early"),
        ('{"enterprise": {"acme": {"@inactive": "yes"}}}', '"yes" is not true or false'),
        ('{"enterprise": {"acme": {"@annotation": 7}}}', "7 is not a string"),
        ('{"enterprise": {"acme": {"@annotation": "a */"}}}', "would end the remark"),
        ('{"@annotation": "x"}', "'@annotation' is not known here"),
        ("set enterprise acme\nrename enterprise acme to b", "use 'load set'"),
    ],
)
def test_what_is_wrong_with_a_remark_is_said(text: str, cause: str) -> None:
    with pytest.raises(SyntaxProblem, match=cause.replace("(", "\\(")):
        Candidate(Running(), "ops").load("merge", text)


def test_remarks_elsewhere_are_read_over() -> None:
    candidate = Candidate(Running(), "ops")
    text = "/* a */ /* b */ enterprise /* c */ acme { /* d */ description x; /* e */ }\n/* f */"
    candidate.load("merge", text)
    (item,) = objects(candidate.view).values()
    assert (item.annotation, item.description) == ("a b", "x")


def test_a_difference_shows_what_is_said_and_what_is_turned_off_or_on() -> None:
    old = state()
    new = edited(
        old,
        'annotate enterprise acme "small"',
        'annotate enterprise acme domain prod vport web-1 ""',
        "activate enterprise acme domain prod vport web-1",
        "set enterprise acme domain prod vport web-1 type container",
        "deactivate enterprise acme domain prod zone web",
        "set enterprise other",
        "deactivate enterprise other",
        'annotate enterprise other "o"',
    )
    changes = between(old, new.view)
    assert difference_hierarchy(changes) == [
        '- /* the \\ "big" one */',
        "+ /* small */",
        "  enterprise acme {",
        "      domain prod {",
        "!         inactive: zone web;",
        "-         /* first */",
        "!         active: vport web-1 {",
        "+             type container;",
        "!         }",
        "      }",
        "  }",
        "+ /* o */",
        "+ inactive: enterprise other;",
    ]
    lines = difference_lines(changes)
    assert lines == [
        "annotate enterprise acme small",
        "deactivate enterprise acme domain prod zone web",
        "set enterprise acme domain prod vport web-1 type container",
        'annotate enterprise acme domain prod vport web-1 ""',
        "activate enterprise acme domain prod vport web-1",
        "set enterprise other",
        "annotate enterprise other o",
        "deactivate enterprise other",
    ]
    again = Candidate(old, "ops")
    again.load("set", "\n".join(lines))
    assert not between(again.view, new.view).keys() - {("enterprise", "other")}


def test_remarks_and_activity_merge_and_conflict_by_path() -> None:
    base = running("set enterprise acme domain prod vport web-1\n")
    mine = edited(base, 'annotate enterprise acme "mine"', "deactivate enterprise acme domain prod vport web-1")
    base.apply(
        edited(base, "deactivate enterprise acme", "set enterprise acme domain prod vport web-1 type vm").edits(), 2
    )
    merged = mine.merge()
    acme = merged["enterprise", "acme"]
    assert acme is not None and (acme.annotation, acme.inactive) == ("mine", True)
    base.apply(edited(base, 'annotate enterprise acme "theirs"').edits(), 3)
    with pytest.raises(MergeConflict) as caught:
        mine.merge()
    (conflict,) = caught.value.conflicts
    assert (conflict.path_text, conflict.mine, conflict.theirs) == ("enterprise acme annotation", "mine", "theirs")
    mine.annotate(["enterprise", "acme"], "both")
    assert mine.merge()["enterprise", "acme"].annotation == "both"  # type: ignore[union-attr]


# Secrets


def with_bob() -> Running:
    return running("set user bob class operator password correct-horse\n")


def password(view: Candidate) -> str | None:
    item = view.view.get(("user", "bob"))
    return item.password if isinstance(item, User) else None


def test_no_text_shows_a_secret() -> None:
    state = with_bob()
    kept = password(Candidate(state, "ops"))
    assert kept is not None and matches("correct-horse", kept) and not matches("wrong-horse", kept)
    changed = edited(state, "set user bob password another-horse")
    changes = between(state, changed.view)
    places = [["user", "bob"], ["user", "bob", "password"]]
    offered = [complete(words, "", state, verb=verb) for verb in ("set", "delete") for words in places]
    texts = [
        "\n".join(set_lines(state)),
        "\n".join(hierarchy_lines(state)),
        json_text(state),
        "\n".join(difference_lines(changes)),
        "\n".join(difference_hierarchy(changes)),
        str(offered),
    ]
    for text in texts:
        assert "scrypt" not in text and "horse" not in text
    assert all(HIDDEN in text for text in texts)
    assert difference_hierarchy(changes) == [
        "  user bob {",
        f"-     password {HIDDEN};",
        f"+     password {HIDDEN};",
        "  }",
    ]
    assert difference_lines(changes) == [f"set user bob password {HIDDEN}"]


@pytest.mark.parametrize("mode", ["merge", "replace", "override"])
def test_a_hidden_secret_keeps_what_is_there(mode: str) -> None:
    state = with_bob()
    kept = password(Candidate(state, "ops"))
    for text in ("\n".join(set_lines(state)), "\n".join(hierarchy_lines(state)), json_text(state)):
        candidate = Candidate(state, "ops")
        candidate.load(mode, text)
        assert not candidate.differs
        candidate.load(mode, text.replace("operator", "read-only"))
        assert password(candidate) == kept
        candidate = Candidate(Running(), "ops")
        candidate.load(mode, text)
        assert password(candidate) is None


def test_a_secret_is_set_deleted_and_kept_by_single_commands() -> None:
    state = with_bob()
    candidate = Candidate(state, "ops")
    candidate.set(["user", "bob", "password", HIDDEN])
    assert not candidate.differs
    candidate.delete(["user", "bob", "password", HIDDEN])
    assert password(candidate) is None
    candidate.set(["user", "bob", "password", HIDDEN])
    assert password(candidate) is None
    candidate.undo()
    candidate.rename(["user", "bob"], "bobby")
    item = candidate.view.get(("user", "bobby"))
    assert isinstance(item, User) and item.password is not None and matches("correct-horse", item.password)


def test_two_users_who_change_a_secret_conflict_without_telling_it() -> None:
    state = with_bob()
    mine = edited(state, "set user bob password my-own-horse")
    state.apply(edited(state, "set user bob password their-own-horse").merge(), 2)
    with pytest.raises(MergeConflict) as caught:
        mine.merge()
    assert HIDDEN in str(caught.value) and "scrypt" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "set user bob password hunter2",
        "set user bob password hunter2hunter2 nonsense",
        "set user bob password hunter2-correct horse battery hunter2",
        "set user bob password hunter2hunter2 password hunter2hunter3",
        "set user bob pasword hunter2hunter2",
        "set user bob passw hunter2hunter2",
        "set user bob class x password hunter2hunter2 ssh-key other",
        "delete user bob password hunter2hunter2",
        "delete user bob password hunter2hunter2 more",
        'set user bob password "hunter2',
        "set user bob password [ hunter2hunter2",
        "set user bob password $scrypt$hunter2",
        "rename user bob password hunter2hunter2 to x",
        "annotate user bob password hunter2hunter2 x",
    ],
)
def test_no_error_repeats_a_secret(line: str) -> None:
    candidate = Candidate(with_bob(), "ops")
    for act in (
        lambda: candidate.apply_batch([line], "f"),
        lambda: candidate.load("merge", line),
        lambda: candidate.load("merge", "user bob { " + line.removeprefix("set user bob ") + "; }"),
        lambda: candidate.load("merge", "user bob {\n" + line.removeprefix("set user bob ") + "\n}"),
        lambda: candidate.load("merge", json.dumps({"user": {"bob": {"password": ["hunter2hunter2"]}}})),
        lambda: candidate.load("merge", json.dumps({"user": {"bob": "hunter2hunter2"}})),
        lambda: candidate.load("merge", json.dumps({"user": {"bob": {"password": "hunter2"}}})),
        lambda: candidate.set(line.split()[1:]),
        lambda: candidate.delete(line.split()[1:]),
    ):
        try:
            act()
        except (SyntaxProblem, NothingThere) as problem:
            said = f"{problem} {problem.as_dict()} {problem.args} {problem.__cause__} {problem.__context__}"
            assert "hunter2" not in said.replace("'hunter2-correct'", ""), said
