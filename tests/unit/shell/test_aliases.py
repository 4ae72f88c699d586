"""Aliases: what a typed line becomes, who wins, and what `?` says of them."""

from __future__ import annotations

import pytest

from commands.language.complete import complete, help_lines
from commands.language.lexer import lex
from commands.language.registry import Mode
from commands.session.aliases import expand
from data.errors import CommandFailed
from tests.unit.shell.pretend import LINES, PretendContext, running

ALIASES = """
set user ops class super-user
set user ops alias mine command "show vports enterprise"
set user ops alias both command "show version"
set alias both command "show dvrs"
set alias v2 command "mine acme"
set alias show command "show dvrs"
set alias round command "robin"
set alias robin command "round"
set alias piped command "show vports | match web"
set user else class super-user alias theirs command "show dvrs"
"""


@pytest.fixture
def context() -> PretendContext:
    return PretendContext(running=running(LINES + ALIASES))


def expanded(text: str, context: PretendContext, mode: Mode = Mode.OPERATIONAL) -> str:
    return expand(lex(text), mode, context).text  # type: ignore[arg-type]


def test_the_first_word_is_replaced_and_the_rest_stays(context: PretendContext) -> None:
    assert expanded("mine acme | count", context) == "show vports enterprise acme | count"
    assert expanded("v2 domain prod", context) == "show vports enterprise acme domain prod"
    assert expanded("piped | count", context) == "show vports | match web | count"
    assert expanded("show mine", context) == "show mine"
    assert expanded('"mine" acme', context) == '"mine" acme'
    assert expanded("", context) == ""


def test_own_aliases_count_before_everybodys_and_others_do_not_count(context: PretendContext) -> None:
    assert expanded("both", context) == "show version"
    assert expanded("theirs", context) == "theirs"


def test_a_command_wins_over_an_alias_of_its_name(context: PretendContext) -> None:
    assert expanded("show version", context) == "show version"


def test_behind_run_an_alias_is_one_too(context: PretendContext) -> None:
    assert expanded("run mine acme", context, Mode.CONFIGURE) == "run show vports enterprise acme"
    assert expanded("run", context, Mode.CONFIGURE) == "run"


def test_aliases_that_go_round_are_refused(context: PretendContext) -> None:
    with pytest.raises(CommandFailed) as caught:
        expanded("round", context)
    assert "itself" in caught.value.cause


def test_help_offers_aliases_with_what_they_stand_for(context: PretendContext) -> None:
    lines = help_lines(context.mode, "", context)  # type: ignore[arg-type]
    assert any(line.split() == ["mine", "alias:", "show", "vports", "enterprise"] for line in lines)
    assert not any("theirs" in line for line in lines)
    assert not any("alias: show dvrs" in line for line in lines)


def test_completion_goes_on_behind_an_alias(context: PretendContext) -> None:
    found = complete(context.mode, "mine um", context)  # type: ignore[arg-type]
    assert [candidate.word for candidate in found.candidates if candidate.live] == ["umbrella"]
    assert found.start == len("mine ")
    assert complete(context.mode, "round x", context).candidates == ()  # type: ignore[arg-type]
