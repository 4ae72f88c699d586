"""Cutting a line into words: separated by spaces, quoted when they hold some; `[` and `]` stand alone.

Inside quotes a backslash takes the next character as it is. Positions are kept so that an error can put a
caret under a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from data.errors import SyntaxProblem
from data.schema.redaction import redacted

_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"(?=[\s\]]|$)|([\[\]])|([^\s"\[\]]+))')
_ESCAPE = re.compile(r"\\(.)")
_SPECIAL = re.compile(r'["\[\]]')


@dataclass(frozen=True, slots=True)
class Token:
    """One word and where it stands in the line: `start` and `end` count characters from 0."""

    text: str
    start: int
    end: int


def tokens(line: str) -> list[Token]:
    """The words of a line with their places; raises SyntaxProblem for a quote that is not closed."""
    found: list[Token] = []
    position = 0
    end = len(line.rstrip())
    while position < end:
        match = _TOKEN.match(line, position, end)
        if match is None:
            raise SyntaxProblem(
                redacted(line.strip()),
                "a quote is not closed, or stands inside a word",
                'put the whole word in double quotes, and write \\" for a quote inside it',
                word=len(found),
            )
        quoted, bracket, plain = match.groups()
        text = _ESCAPE.sub(r"\1", quoted) if quoted is not None else bracket or plain
        found.append(Token(text, match.end() - len(match[0].lstrip()), match.end()))
        position = match.end()
    return found


def split(line: str) -> list[str]:
    """The words of a line."""
    if _SPECIAL.search(line) is None:
        return line.split()
    return [token.text for token in tokens(line)]


def column_of(line: str, word: int) -> int:
    """Where in the line its `word`-th word begins; the end of the line when it has fewer."""
    try:
        found = tokens(line)
    except SyntaxProblem as problem:
        return len(line) if problem.word else 0
    return found[word].start if word < len(found) else len(line.rstrip()) + 1
