"""Tails with something behind them: `rename <place...> to <name>`, `annotate <place...> "text"`."""

from __future__ import annotations

import pytest

from commands.language.complete import complete
from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Arguments, Mode
from data.errors import SyntaxProblem
from tests.unit.shell.pretend import PretendContext


@pytest.fixture
def context() -> PretendContext:
    return PretendContext(mode=Mode.CONFIGURE)


def arguments(text: str, context: PretendContext) -> Arguments:
    return parse(context.mode, lex(text).words, context, False)[1]  # type: ignore[arg-type]


def tail(text: str, context: PretendContext) -> list[str]:
    return [word.text for word in arguments(text, context).tail]


def words(text: str, context: PretendContext) -> list[str]:
    return [candidate.word for candidate in complete(context.mode, text, context).candidates]  # type: ignore[arg-type]


def test_the_words_behind_a_tail_are_not_its(context: PretendContext) -> None:
    found = arguments("rename enterprise acme domain prod to live", context)
    assert [word.text for word in found.tail] == ["enterprise", "acme", "domain", "prod"]
    assert found.values == {"name": "live"} and found.tail_start == 1


def test_a_name_in_the_tail_may_be_like_the_word_behind_it(context: PretendContext) -> None:
    assert tail("rename enterprise to to acme", context) == ["enterprise", "to"]
    assert tail('copy enterprise "to" to acme', context) == ["enterprise", "to"]


def test_a_remark_is_the_text_in_quotes_at_the_end(context: PretendContext) -> None:
    found = arguments('annotate enterprise "acme" "our first"', context)
    assert [word.text for word in found.tail] == ["enterprise", "acme"] and found.values["text"] == "our first"
    assert arguments('annotate enterprise acme ""', context).values["text"] == ""


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("rename enterprise acme", "to"),
        ("rename enterprise acme to", "<name>"),
        ("annotate enterprise acme x", "remark"),
    ],
)
def test_what_is_missing_behind_a_tail_is_named(context: PretendContext, text: str, missing: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        arguments(text, context)
    assert "not complete" in caught.value.cause and missing in caught.value.remedy


def test_what_may_follow_is_offered_once_the_tail_could_end(context: PretendContext) -> None:
    assert "to" not in words("rename enterprise ", context)
    assert "to" in words("rename enterprise acme ", context) and "domain" in words("rename enterprise acme ", context)
    assert "<enter>" not in words("rename enterprise acme ", context)
    assert "to" in words("rename enterprise acme t", context)
    assert words("rename enterprise acme to ", context) == ["<name>"]
    assert '"<remark>"' in words("annotate enterprise acme ", context)
    assert "<enter>" in words("deactivate enterprise acme ", context)


def test_a_tail_up_to_the_end_is_as_before(context: PretendContext) -> None:
    assert tail("delete enterprise acme domain prod", context) == ["enterprise", "acme", "domain", "prod"]
    assert tail("show", context) == []
