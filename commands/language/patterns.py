"""Regular expressions of operators: understood, and bounded in time.

Python's `re` goes back and tries again, and nothing can stop it meanwhile: one `match "(a+)+$"` on an unlucky
line would hold the daemon and every keepalive for hours. So a repetition may not hold another one or a choice, and
there may be few of them: n repetitions cost at most the n-th power of the length of a line.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

from data.errors import SyntaxProblem

LENGTH = 200
"""Characters of one expression."""
REPETITIONS = 3
"""Repetitions without a bound in one expression; a line of 200 characters then costs under 0.1 s."""
BOUNDED = 16
"""A repetition of at most so many is none."""
REMEDY = "use a simpler one; it is searched anywhere in the line, without .* at its ends"

_parser: Any = importlib.import_module("re._parser")
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression. Raises SyntaxProblem for what is none, or could take for ever."""
    if len(text) > LENGTH:
        raise SyntaxProblem("", f"the expression has {len(text)} characters", f"use at most {LENGTH}", word=1)
    try:
        found = re.compile(text)
        depths = list(_repetitions(_parser.parse(text), 0))
    except (re.error, OverflowError, RecursionError) as problem:
        raise SyntaxProblem(
            "", f"'{text}' is not a regular expression: {problem}", "put a backslash before a special character", word=1
        ) from None
    if any(depth > 1 for depth in depths):
        raise SyntaxProblem("", f"'{text}' could take for ever: it repeats what repeats or chooses", REMEDY, word=1)
    if len(depths) > REPETITIONS:
        raise SyntaxProblem("", f"'{text}' could take for ever: it has {len(depths)} repetitions", REMEDY, word=1)
    return found


def _repetitions(items: Any, depth: int) -> Iterator[int]:
    """How deep each repetition, or choice within one, lies in others."""
    for operation, argument in items:
        name = str(operation)
        inner = depth
        if name in _REPEATS:
            if argument[1] > BOUNDED or depth:
                inner = depth + 1
                yield inner
        elif name == "BRANCH" and depth:
            yield depth + 1
        for part in _parts(argument):
            yield from _repetitions(part, inner)


def _parts(argument: Any) -> Iterator[Any]:
    """The expressions inside of an operation's argument."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, (tuple, list)):
        for one in argument:
            yield from _parts(one)
