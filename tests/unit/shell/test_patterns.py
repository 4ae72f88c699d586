"""Expressions of `match`, `except` and `find`: what is allowed ends in time."""

from __future__ import annotations

import time

import pytest

from commands.language.patterns import pattern
from data.errors import SyntaxProblem


@pytest.mark.parametrize(
    "text", ["web", "^policy|^check", r"hv\d+", "a.*b.*c", "(web|app)-[0-9]+", r"10\.1\.\d{1,3}\.\d{1,3}", "[a-z]+$"]
)
def test_usual_expressions_are_understood_and_quick_on_the_worst_line(text: str) -> None:
    found, began = pattern(text), time.monotonic()
    for line in ("a" * 200, "ab" * 100, "10.1." * 40, "web-" * 50):
        found.search(line)
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    "text",
    ["(a+)+$", "(a|a)*$", "(.*)*x", "((ab)*c?)+", ".*.*.*.*x", "(a{1,9}){1,999}", "x" * 201, "(", "a{99999999999}"],
)
def test_what_could_take_for_ever_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(SyntaxProblem) as failure:
        pattern(text)
    assert failure.value.remedy and failure.value.word == 1
