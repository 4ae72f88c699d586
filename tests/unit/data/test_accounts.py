"""Who may come in: classes that are always there, what classes name, and the paths of their rules."""

from __future__ import annotations

import pytest

from data.rules import check
from tests.unit.data.examples import edited, running

STAFF = "set login-class staff permission [ show configure ] enterprise acme"


def problems(*lines: str, over: str = "") -> list[str]:
    state = running("set enterprise acme domain prod\n" + over)
    candidate = edited(state, *lines)
    return [str(one) for one in check(candidate.view, candidate.edits(), state)]


def test_a_user_may_have_a_class_that_is_built_in_or_configured() -> None:
    assert problems("set user bob class operator", STAFF, "set user eve class staff") == []
    assert problems("set access default-class read-only") == []
    (said,) = problems("set user bob class stafff", over=STAFF)
    assert said == (
        "error: user bob class\n"
        "  the configuration has no login-class stafff\n"
        "  did you mean staff? the configuration has: super-user, operator, read-only, staff"
    )


def test_a_built_in_class_cannot_be_configured() -> None:
    (said,) = problems("set login-class operator permission all")
    assert "operator is built in and cannot be configured" in said
    assert "delete login-class operator" in said


def test_a_class_says_what_it_allows() -> None:
    (said,) = problems("set login-class staff description nobody")
    assert "permission is missing" in said


def test_a_tenant_that_a_class_names_is_not_deleted() -> None:
    (said,) = problems("delete enterprise acme", over=STAFF)
    assert said.startswith("error: enterprise acme\n  cannot be deleted: login-class staff still names it")
    assert problems("delete enterprise acme", "delete login-class staff", over=STAFF) == []
    (said,) = problems("set login-class staff permission show enterprise nobody")
    assert "the configuration has no enterprise nobody" in said


def test_an_alias_holds_no_password() -> None:
    (said,) = problems('set alias p command "set user bob password Hunter2secret"')
    assert "alias p command" in said and "secret" in said and "Hunter2" not in said
    assert problems('set alias p command "set user bob password"') == []


@pytest.mark.parametrize(
    "path", ["enterprise acme domain * vport", "enterprise * domain prod", "system", "login-class", "user bob alias x"]
)
def test_the_path_of_a_rule_is_one_that_the_schema_has(path: str) -> None:
    assert problems(STAFF, f'set login-class staff rule 10 path "{path}" access none') == []


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("enterprize acme", "did you mean enterprise?"),
        ("enterprise acme vport x", "'vport' is not a word known here"),
        ("system banner", "'banner' is a value of system"),
        ("enterprise acme/x", "'acme/x' is not a name"),
        ("dvrs hv1 more", "'more' is one word too many"),
    ],
)
def test_the_error_of_a_rule_says_which_word_leads_nowhere(path: str, cause: str) -> None:
    (said,) = problems(STAFF, f'set login-class staff rule 10 path "{path}" access none')
    assert "login-class staff rule 10 path" in said and cause in said


def test_an_alias_stands_for_something() -> None:
    (said,) = problems("set alias x description y", "set user bob class operator")
    assert "command is missing" in said
