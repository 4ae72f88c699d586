"""Command lines: as the grammar and the schema make them, mutated, and words in any order.

Everything comes from the declared commands and the schema, so that a new command or leaf is tried at once.
"""

# ruff: noqa: E501 (lines of data are easier to read whole)

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from hypothesis import strategies as st

from commands.language.grammar import Choice, Literal, Node, Options, Sequence, Value
from commands.language.registry import Mode, commands
from data.path import quoted
from data.schema.nodes import NODES
from tests.unit.data.examples import any_lines

NAMES = [
    "acme", "umbrella", "prod", "lab", "web-1", "web-2", "web1", "app1", "web", "app", "frontends", "base", "hv1", "hv9",
    "acme/prod/web-1", "a/b/c/d", "ops", "new", "x",
]  # fmt: skip
WORDS = [
    "0", "1", "10", "65536", "-1", "007", "99999999999999999999", "10.1.1.11", "127.0.0.1", "10.1.1.0/24", "::1", "*",
    "02:00:00:00:00:01", "tcp", "any", "allow", "443-80", "30m", "14:00", "2030-12-31", "10.0.0.1", "web.*", "(a+)+$",
    "********", "$scrypt$", "ssh-ed25519 AAAA", "x" * 64, "<enter>", "<name>", "",
]  # fmt: skip
SPECIAL = ['"', "\\", "|", "#", "[", "]", "{", "}", ";", "/*", "*/", "\t", "\r", "\n", "\0", "\x1b[31m", "'", "\u202e"]
SPECIAL += [
    "\ufeff",
    "\u00a0",
    "\u2028",
    "é",
    "İ",
    "٣",
    "名",
    "😀",
    "?",
    "!",
    ":",
    "inactive:",
    "@inactive",
    "--",
]

names = st.sampled_from(NAMES)
odd = st.sampled_from(WORDS + SPECIAL) | st.text(max_size=8)


@cache
def literals(mode: Mode) -> list[str]:
    """Every fixed word of the mode's commands."""
    found: dict[str, None] = {}

    def walk(node: Node) -> None:
        if isinstance(node, Literal):
            found[node.text] = None
        elif isinstance(node, Value):
            found.update(dict.fromkeys(node.choices))
        else:
            for item in node.items:
                walk(item)

    for command in commands(mode):
        walk(command.nodes)
    return list(found)


@cache
def keywords() -> list[str]:
    """Every keyword of the schema."""
    return list(dict.fromkeys(word for path, node in NODES.items() for word in (path[-1], *node.leaves)))


@st.composite
def tails(draw: st.DrawFn) -> list[str]:
    """Words of the schema: a path, or a path with leaves, whole or in part."""
    lines = draw(any_lines)
    line = draw(st.sampled_from(lines)) if lines else ["enterprise", "acme", "domain", "prod"]
    line = line[: draw(st.integers(0, len(line)))] if draw(st.booleans()) else line
    return [quoted(word) if word not in "[]" else word for word in line]


@st.composite
def _words(draw: st.DrawFn, node: Node) -> list[str]:
    if isinstance(node, Literal):
        return [node.text]
    if isinstance(node, Value):
        if node.choices:
            return [draw(st.sampled_from(node.choices))]
        if node.tail:
            return draw(tails())
        return [quoted(draw(names | st.sampled_from(WORDS)))]
    if isinstance(node, Choice):
        return draw(_words(draw(st.sampled_from(node.items))))
    items: Iterable[Node] = node.items
    if isinstance(node, Options):
        items = draw(st.lists(st.sampled_from(node.items), unique=True)) if node.items else ()
    else:
        assert isinstance(node, Sequence)
    return [word for item in items for word in draw(_words(item))]


@st.composite
def grammatical(draw: st.DrawFn, mode: Mode) -> str:
    """A line that the grammar of a command makes, perhaps with pipes; its values need not exist."""
    words = draw(_words(draw(st.sampled_from(commands(mode))).nodes))
    for _ in range(draw(st.integers(0, 2)) if mode is not Mode.PIPE else 0):
        words += ["|", *draw(_words(draw(st.sampled_from(commands(Mode.PIPE))).nodes))]
    return " ".join(words)


@st.composite
def mutated(draw: st.DrawFn, lines: st.SearchStrategy[str]) -> str:
    """A line with a few mistakes: words cut short, left out, doubled, swapped, odd ones and odd characters put in."""
    text = draw(lines)
    for _ in range(draw(st.integers(1, 3))):
        how = draw(st.integers(0, 6))
        words = text.split(" ")
        at = draw(st.integers(0, len(words) - 1))
        place = draw(st.integers(0, len(text)))
        if how == 0:
            words[at] = words[at][: draw(st.integers(0, len(words[at])))]
        elif how == 1:
            del words[at]
        elif how == 2:
            words.insert(at, draw(st.sampled_from(words)))
        elif how == 3:
            words.insert(at, draw(odd))
        elif how == 4:
            words[at] = draw(odd)
        if how < 5:
            text = " ".join(words)
        elif how == 5:
            text = text[:place] + draw(odd) + text[place:]
        else:
            text = text[:place]
    return text


@st.composite
def soup(draw: st.DrawFn, mode: Mode) -> str:
    """Known words in any order."""
    known = st.sampled_from(literals(mode)) | st.sampled_from(keywords()) | names | odd
    return draw(st.sampled_from([" ", "  ", "\t"])).join(draw(st.lists(known, max_size=12)))


def lines(mode: Mode) -> st.SearchStrategy[str]:
    """Any line."""
    good = grammatical(mode)
    return good | mutated(good) | mutated(good) | soup(mode) | st.text(max_size=60)
