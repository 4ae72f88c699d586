"""What is kept of a line that holds a secret: never the secret, however the line is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.path import quoted
from data.schema.redaction import redacted

BOB = ("user", "bob")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("set user bob password hunter2hunter2", "set user bob password ********"),
        ('set user bob password "hunter2 and more" class operator', "set user bob password ******** class operator"),
        ("set us bob passw hunter2", "set us bob passw ********"),
        ("  set us bob p hunter2  cl operator", "  set us bob p ********  cl operator"),
        ("password hunter2", "password ********"),
        ("set p hunter2", "set p ********"),
        ("set pass [ hunter2 hunter3 ]", "set pass ******** ******** ******** ********"),
        ('set user bob password "hunter2 never closed', "set user bob password ********"),
        ("set user bob password correct horse battery", "set user bob password ******** ..."),
        ("set bgp-neighbor pe1 password hunter2 hold-time 9", "set bgp-neighbor pe1 password ******** hold-time 9"),
        ("set pe pe1 driver frr pass hunter2", "set pe pe1 driver frr pass ********"),
        ("set pe pe1 pasword hunter2", "set pe pe1 ..."),
        ("set pe pe1 driver frr", "set pe pe1 driver frr"),
        ("set user bob password hunter2;class", "set user bob password ********"),
        ("set user bob pasword hunter2", "set user bob ..."),
        ("sett user bob hunter2", "sett user bob ..."),
        ("user bob { password hunter2; class operator; }", "user bob { password ********; class operator; }"),
        ("delete user bob password hunter2", "delete user bob password ********"),
        ("set user bob class operator", "set user bob class operator"),
        ("rename user bob to bobby", "rename user bob to bobby"),
        ('annotate user bob "for the night"', 'annotate user bob "for the night"'),
        ("show audit user bob since 1h", "show audit user bob since 1h"),
        (
            "show configuration user bob password | display set",
            "show configuration user bob password ******** display set",
        ),
        ("set enterprise acme domain prod vport web-1 policy-group frontends",) * 2,
        ("set enterprise acme domain prod ingress-policy p priority 10",) * 2,
        ("commit comment tonight",) * 2,
        ('set "us\\er" bob "pa\\ssword" hunter2', 'set "us\\er" bob "pa\\ssword" ********'),
        ("",) * 2,
    ],
)
def test_a_line_is_kept_without_its_secret(line: str, kept: str) -> None:
    shown = redacted(line)
    assert "hunter" not in shown and "horse" not in shown
    assert shown == kept


def test_words_are_joined_and_an_edit_level_says_what_they_are_about() -> None:
    assert redacted(["set", "user", "bob", "password", "a b"]) == "set user bob password ********"
    assert redacted("set pasword hunter2", BOB) == "set ..."
    assert redacted("set class operator", BOB) == "set class operator"


_verbs = st.sampled_from(["set", "s", "load set", "", "run set", "xyz", "delete", "commit ;"])
_users = st.sampled_from(["user bob", "us bob", "u bob class operator", "user bob class x", "", "user"])
_keys = st.sampled_from(["password", "pass", "p", "passwo"])
_tails = st.sampled_from(["", " class operator", " nonsense", " }", " | match x", ' "', " ]"])


@settings(max_examples=500, deadline=None)
@given(_verbs, _users, _keys, st.text("HUNTER257 \"\\[]{};|'", min_size=8, max_size=20), _tails, st.booleans())
def test_no_spelling_of_a_line_gives_a_password_away(
    verb: str, user: str, key: str, password: str, tail: str, in_quotes: bool
) -> None:
    word = quoted(password) if in_quotes else password
    shown = redacted(f"{verb} {user} {key} {word}{tail}")
    assert not set("HUNTER257") & set(shown.replace("********", ""))
