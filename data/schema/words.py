"""The language of `set`, `delete` and `edit`: words in, typed operations out, or a SyntaxProblem.

    set    enterprise acme domain prod vport web-1 mac 02:00:0a:01:01:0b address [ 10.1.1.11 10.1.1.12 ]
           └─ path: list entries are made on the way ─┘ └ leaf and value, as many as one likes ─────────┘
    delete <path>                   the object and everything below it
    delete <path> <leaf>            the leaf goes back to its default
    delete <path> <leaf> <value>    one value of a multi-valued leaf

Words are exact unless `abbreviations` is set (interactive sessions). `at` is the path that relative words
start from.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from data.errors import SyntaxProblem
from data.path import Path, path_text
from data.schema.nodes import TOP, LeafNode, Node, node_of
from data.schema.objects import ENDPOINT_KINDS, Endpoint
from data.schema.redaction import redacted
from data.schema.secret import HIDDEN
from data.schema.types import BadValue, ValueType, parse_name

WORDS_LISTED = 12
"""An error lists at most this many words that could have stood there."""


@dataclass(frozen=True, slots=True)
class Assign:
    """Make the object at `path` exist (and those above it) and set these fields; a tuple is added to what is
    there."""

    path: Path
    node: Node
    leaves: dict[str, object]


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the object at `path` with all below it, or clear `leaf`, or take `values` out of it."""

    path: Path
    node: Node
    leaf: LeafNode | None = None
    values: tuple[object, ...] = ()


def listed(words: Iterable[str]) -> str:
    """A readable list of words, cut after WORDS_LISTED."""
    all_words = list(words)
    rest = len(all_words) - WORDS_LISTED
    return ", ".join(all_words[:WORDS_LISTED]) + (f" and {rest} more" if rest > 0 else "")


class Reader:
    """Reads words from left to right, keeping the place in the schema: `path` and `node` (None at the
    top)."""

    __slots__ = ("abbreviations", "at", "index", "node", "path", "secrets", "words")

    def __init__(self, words: Sequence[str], at: Path = (), abbreviations: bool = False) -> None:
        self.words = words
        self.at = at
        self.abbreviations = abbreviations
        self.index = 0
        self.path = at
        self.node: Node | None = node_of(at) if at else None
        self.secrets: set[int] = set()  # indexes of the words that no error may repeat

    @property
    def more(self) -> bool:
        return self.index < len(self.words)

    def problem(self, cause: str, remedy: str, expected: Sequence[str] = (), word: int | None = None) -> SyntaxProblem:
        """The error for the word at `word` (by default the one to be read next, which may be missing)."""
        word = self.index if word is None else word
        shown = (
            HIDDEN if index in self.secrets else self.words[index] for index in range(min(word + 1, len(self.words)))
        )
        where = path_text((*self.at, *shown))
        return SyntaxProblem(where, cause, remedy, word=word, expected=expected)

    def keyword(self) -> Node | LeafNode:
        """Read a keyword: of a child or of a leaf. Neither the name of the child nor the value of the leaf is
        read."""
        word = self.words[self.index]
        node = self.node
        children = node.children if node else TOP
        found = children.get(word) or (node.leaves.get(word) if node else None)
        if found is None:
            found = self._unusual(word, {**children, **(node.leaves if node else {})})
        self.index += 1
        return found

    def _unusual(self, word: str, possible: dict[str, Node | LeafNode]) -> Node | LeafNode:
        secrets = [keyword for keyword, item in possible.items() if isinstance(item, LeafNode) and item.secret]
        close = difflib.get_close_matches(word, possible, 1, 0.5) or any(name.startswith(word) for name in possible)
        # Beside a secret a word that makes no sense may be the secret; it may be glued to its keyword; in quotes it may
        # be a whole line about one.
        if (secrets and not close) or redacted(word) != word:
            self.secrets.add(self.index)
            raise self.problem(
                "this word is not known here", f"put spaces between words, and quotes around values: {listed(possible)}"
            )
        return possible[self.expand(word, sorted(possible), "word")]

    def expand(self, word: str, possible: Sequence[str], what: str) -> str:
        """The one possible word that `word` abbreviates; raises when there is none, several, or abbreviations
        are off."""
        matches = [name for name in possible if word and name.startswith(word)]
        if self.secrets and not matches:
            # What follows a secret and makes no sense may be the rest of it, typed without quotes.
            self.secrets.add(self.index)
            cause = "the words after the secret make no sense"
            raise self.problem(cause, f"put it in quotes if it holds spaces; expected: {listed(possible)}", possible)
        if self.abbreviations and len(matches) == 1:
            return matches[0]
        if self.abbreviations and matches:
            raise self.problem(f"'{word}' is ambiguous: {listed(matches)}", "type more of the word", matches)
        if not possible:
            raise self.problem(f"'{word}' is one word too many", "leave it out")
        close = matches[:1] or difflib.get_close_matches(word, possible, 1, 0.5)
        remedy = f"did you mean {close[0]}? " if close else ""
        raise self.problem(f"'{word}' is not a {what} known here", f"{remedy}expected: {listed(possible)}", possible)

    def enter(self, node: Node) -> None:
        """Go down into a child whose keyword was just read, reading its name if it has one."""
        if node.key is None:
            self.path = (*self.path, node.keyword)
        else:
            if not self.more:
                raise self.problem(
                    f"the name of the {node.keyword} is missing", f"add {node.key.hint}", (node.key.hint,)
                )
            self.path = (*self.path, node.keyword, str(self.one(node.key)))
        self.node = node

    def one(self, type: ValueType) -> object:
        """Read one word of the type."""
        word = self.words[self.index]
        try:
            value = type.parse(word)
        except BadValue as bad:
            names = [name for name, _ in type.choices if not name.startswith("<")]
            if not names:
                raise self.problem(bad.cause, bad.remedy, (type.hint,)) from None
            if type.name == "protocol" and not any(name.startswith(word) for name in names):
                raise self.problem(bad.cause, bad.remedy, names) from None
            value = type.parse(self.expand(word, names, "value"))
        self.index += 1
        return value

    def value(self, leaf: LeafNode) -> object:
        """Read the value of a leaf whose keyword was just read: True for a flag, a tuple for a multi-valued
        leaf."""
        if leaf.flag:
            return True
        if not self.more:
            expected = [word for word, _ in leaf.type.choices] or [leaf.type.hint]
            raise self.problem(f"the value of {leaf.keyword} is missing", f"add {leaf.type.hint}", expected)
        if leaf.endpoint:
            return self._endpoint()
        if leaf.secret:
            self.secrets.add(self.index)
        if not leaf.many:
            return self.one(leaf.type)
        if self.words[self.index] != "[":
            return (self.one(leaf.type),)
        self.index += 1
        values = []
        while self.more and self.words[self.index] != "]":
            values.append(self.one(leaf.type))
        if not self.more:
            raise self.problem("the list is not closed", "add ]", ("]",))
        self.index += 1
        return tuple(values)

    def _endpoint(self) -> Endpoint:
        kind = self.words[self.index]
        if kind not in ENDPOINT_KINDS:
            kind = self.expand(kind, list(ENDPOINT_KINDS), "kind of endpoint")
        self.index += 1
        if kind == "any":
            return Endpoint()
        if not self.more:
            raise self.problem(f"the name of the {kind} is missing", "add <name>", ("<name>",))
        word = self.words[self.index]
        try:
            name = parse_name(word)
        except BadValue as bad:
            raise self.problem(bad.cause, bad.remedy, ("<name>",)) from None
        self.index += 1
        return Endpoint(kind, name)


def parse_set(words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> list[Assign]:
    """The operations that `set` followed by these words means, outermost object first; raises
    SyntaxProblem."""
    reader = Reader(words, at, abbreviations)
    operations: list[Assign] = []
    leaves: dict[str, object] = {}
    while reader.more:
        item = reader.keyword()
        if isinstance(item, Node):
            if leaves and reader.node is not None:
                operations.append(Assign(reader.path, reader.node, leaves))
                leaves = {}
            reader.enter(item)
            continue
        start = reader.index - 1
        value = reader.value(item)
        if item.field not in leaves:
            leaves[item.field] = value
        elif item.many:
            leaves[item.field] = (*_tuple(leaves[item.field]), *_tuple(value))
        else:
            raise reader.problem(f"{item.keyword} is given twice", "give it once", word=start)
    node = reader.node
    if node is None or (not leaves and (node.key is None or reader.path == at)):
        possible = [*node.children, *node.leaves] if node else list(TOP)
        raise reader.problem("the command ends too early", f"add one of: {listed(possible)}", possible)
    operations.append(Assign(reader.path, node, leaves))
    return operations


def secret_left_out(words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> str:
    """The leaf, as words, whose secret is missing at the end of these words of `set`; "" when none is."""
    reader = Reader(words, at, abbreviations)
    try:
        while reader.more:
            item = reader.keyword()
            if isinstance(item, Node):
                reader.enter(item)
            elif item.secret and not reader.more:
                return path_text((*reader.path, item.keyword))
            elif item.secret:
                reader.index += 1
            else:
                reader.value(item)
    except SyntaxProblem:
        return ""  # the same words are refused with a reason by `parse_set`
    return ""


def parse_delete(words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> Remove:
    """The operation that `delete` followed by these words means; raises SyntaxProblem."""
    reader = Reader(words, at, abbreviations)
    while reader.more:
        item = reader.keyword()
        if isinstance(item, Node):
            reader.enter(item)
            continue
        assert reader.node is not None, "only an object has leaves"
        values: tuple[object, ...] = ()
        if reader.more:
            if item.flag:
                raise reader.problem(f"'{words[reader.index]}' is one word too many", "leave it out")
            if item.secret:
                reader.secrets = set(range(reader.index, len(words)))
                if list(words[reader.index :]) != [HIDDEN]:
                    raise reader.problem("a secret is deleted without its value", f"stop after {item.keyword}")
                reader.index += 1
            else:
                value = reader.value(item)
                values = _tuple(value) if item.many else (value,)
        if reader.more:
            word = words[reader.index]
            raise reader.problem(f"'{word}' is one word too many", "delete one thing per line; a list goes in [ ]")
        return Remove(reader.path, reader.node, item, values)
    if reader.node is None or not words:
        raise reader.problem("what to delete is missing", f"add one of: {listed(TOP)}", list(TOP))
    return Remove(reader.path, reader.node)


def parse_path(words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> Path:
    """The path of an object, as `edit` and `show` take it; raises SyntaxProblem when the words lead to a
    leaf."""
    reader = Reader(words, at, abbreviations)
    while reader.more:
        item = reader.keyword()
        if not isinstance(item, Node):
            possible = list(reader.node.children if reader.node else TOP)
            raise reader.problem(
                f"'{item.keyword}' is a value, not a place to be in",
                f"stop before it, or use: {listed(possible)}" if possible else "stop before it",
                possible,
                reader.index - 1,
            )
        reader.enter(item)
    return reader.path


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)
