"""Grammar strings as nodes.

    word             itself                      <type>            a value (types.py)
    [ a b ]          may be left out; neighbours in brackets come in any order, each at most once
    { a | b }        one of them; after a word, plain words in braces are that word's value: type {vm|host}
    <type...>        all remaining words, understood by the type itself
    <name:type>      a value with a name other than its type's

Example: show vports [enterprise <enterprise> [domain <domain>]] [type {vm|host}] [detail]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A fixed word."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """A value: its name for the handler, its type, and for a choice its words. A `tail` takes all remaining words."""

    name: str
    type: str
    choices: tuple[str, ...] = ()
    tail: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Exactly one."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """Any of them, each at most once, in any order."""

    items: tuple[Node, ...]


Node: TypeAlias = "Literal | Value | Sequence | Choice | Options"
Token: TypeAlias = "Literal | Value"

TOKEN = re.compile(r"\s*(<[^>]*>|[\[\]{}|]|[^\s\[\]{}|<>]+)")


class BadGrammar(ValueError):
    """A programmer's mistake in a grammar string, found when the command is declared."""


def compile_grammar(text: str) -> Sequence:
    """The nodes of a grammar string. Raises BadGrammar."""
    tokens = TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s+", "", text):
        raise BadGrammar(text)
    reader = _Reader(tokens, text)
    node = reader.sequence()
    if reader.at != len(tokens):
        raise BadGrammar(text)
    return node


class _Reader:
    """Recursive descent over the tokens of one grammar string."""

    def __init__(self, tokens: list[str], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def sequence(self) -> Sequence:
        items: list[Node] = []
        while (token := self.peek()) and token not in "]}|":
            self.at += 1
            if token == "[":
                option = self.sequence()
                self.expect("]")
                if items and isinstance(items[-1], Options):
                    items[-1] = Options((*items[-1].items, option))
                else:
                    items.append(Options((option,)))
            elif token == "{":
                items.append(self.choice(items[-1] if items else None))
            elif token.startswith("<"):
                items.append(value(token[1:-1]))
            else:
                items.append(Literal(token))
        return Sequence(tuple(items))

    def choice(self, before: Node | None) -> Node:
        items = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            items.append(self.sequence())
        self.expect("}")
        words = tuple(
            item.items[0].text for item in items if len(item.items) == 1 and isinstance(item.items[0], Literal)
        )
        if isinstance(before, Literal) and len(words) == len(items):
            return Value(before.text, "choice", words)
        return Choice(tuple(items))

    def expect(self, token: str) -> None:
        if self.peek() != token:
            raise BadGrammar(f"{self.text}: {token} expected")
        self.at += 1


def value(text: str) -> Value:
    """The node of <text>."""
    tail = text.endswith("...")
    text = text.removesuffix("...")
    name, colon, kind = text.partition(":")
    return Value(name, kind if colon else name, (), tail)


def steps(rest: tuple[Node, ...]) -> Iterator[tuple[Token | None, tuple[Node, ...]]]:
    """The tokens with which these nodes may go on, each with what is left after it; (None, ()) when they may
    end here.
    """
    if not rest:
        yield None, ()
        return
    head, after = rest[0], rest[1:]
    if isinstance(head, (Literal, Value)):
        yield head, after
    elif isinstance(head, Sequence):
        yield from steps(head.items + after)
    elif isinstance(head, Choice):
        for item in head.items:
            yield from steps((item, *after))
    else:
        for i, item in enumerate(head.items):
            others = head.items[:i] + head.items[i + 1 :]
            yield from steps((item, Options(others), *after) if others else (item, *after))
        yield from steps(after)
