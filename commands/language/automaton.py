"""All commands of a mode as one token tree, made state by state when a line first gets there and kept for good.

A state is a set of (command, what is left of its grammar); its edges group those by their next token, so
`show v` has one edge for each next word however many commands share it. Nothing is rebuilt per key press: a
state is made once (about 30 us) and then a dictionary look-up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from commands.language.grammar import Literal, Node, Token, Value, steps

if TYPE_CHECKING:
    from commands.language.registry import Command

Item: TypeAlias = "tuple[Command, tuple[Node, ...]]"


class State:
    """A place in the tree. `words` and `values` are its edges, `ends` the command that may end here."""

    __slots__ = ("_automaton", "_edges", "commands", "ends", "values", "words")

    def __init__(self, automaton: Automaton, items: tuple[Item, ...]) -> None:
        self._automaton = automaton
        self._edges: dict[Token, list[Item]] = {}
        self.commands: dict[Token, list[Command]] = {}
        self.ends: Command | None = None
        for command, rest in items:
            for token, after in steps(rest):
                if token is None:
                    self.ends = self.ends or command
                    continue
                bucket = self._edges.setdefault(token, [])
                if (command, after) not in bucket:
                    bucket.append((command, after))
                known = self.commands.setdefault(token, [])
                if command not in known:
                    known.append(command)
        self.words = {token.text: token for token in self._edges if isinstance(token, Literal)}
        self.values = [token for token in self._edges if isinstance(token, Value)]

    def after(self, token: Token) -> State:
        """The state behind one of this state's edges."""
        return self._automaton.state(tuple(self._edges[token]))


class Automaton:
    """The token tree of some commands."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self._states: dict[tuple[tuple[int, tuple[Node, ...]], ...], State] = {}
        self.root = self.state(tuple((command, command.nodes.items) for command in commands))

    def state(self, items: tuple[Item, ...]) -> State:
        """The state of these items, made at most once."""
        key = tuple((id(command), rest) for command, rest in items)
        found = self._states.get(key)
        if found is None:
            found = self._states[key] = State(self, items)
        return found
