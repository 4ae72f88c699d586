"""A line as it may be kept or shown: for audit, history, logs and errors. Better too much hidden than a secret told.

    set user bob password hunter2           set user bob password ********
    pass hunter2                            pass ********                       at whichever edit level it was typed
    set user bob pasword hunter2            set user bob ...                    not understood, and about a user

A line that reads as a whole loses the secret values alone. In any other line the word after whatever may abbreviate
the keyword of a secret is hidden, and where the line speaks of a kind that has secrets, all that is not understood.
The time this takes grows with the length of the line, whatever is in it: everybody's lines come through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from data.path import Path, quoted
from data.schema.nodes import NODES, TOP, LeafNode, Node, node_of
from data.schema.secret import HIDDEN

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{};]|[^\s"\[\]{};]+')
_ESCAPE = re.compile(r"\\(.)")
_RUN = re.compile(r"[^\s;}]\S*|[;}]+[^\s;}]\S*")
_REST = "..."
_LAST_WORDS = {"rename": 2, "copy": 2, "annotate": 1}
"""Words after the path: `to NAME`, and the text."""
_NO_VALUES = (["]"], ["{"], ["}"], [";"])
_GLUED = 4
"""A word that begins with so many characters of a secret's keyword may have the secret itself at its end."""


class _Reading(NamedTuple):
    """How far words make sense: the index of the first that does not, which are secret, the longest [ ] of these."""

    understood: int
    secret: set[int]
    listed: range


_Ends = dict[tuple[int, int], int]
"""Index and node (by id) from which words were read already -> the index of the first that made no sense."""


def redacted(line: str | Sequence[str], at: Path = ()) -> str:
    """The line (or its words, then joined) without secrets. `at` is the edit level, as far as it is known."""
    if not isinstance(line, str):
        line = " ".join(map(quoted, line))
    below_secret = bool(at) and any(leaf.secret for leaf in node_of(at).leaves.values())
    if not below_secret and "\\" not in line and _mention().search(line) is None:
        return line
    pieces = list(_PIECE.finditer(line))
    words = [_ESCAPE.sub(r"\1", piece[0].strip('"')) if piece[0][0] == '"' else piece[0] for piece in pieces]
    secret, cut = _secrets(words, node_of(at) if at else None, below_secret)
    text, position = "", 0
    for number, piece in enumerate(pieces):
        if cut is not None and number >= cut:
            return text + line[position : piece.start()] + _REST
        if piece.start() < position:
            position = max(position, piece.end())
        elif number in secret:
            text += line[position : piece.start()] + HIDDEN
            # A set line takes `ab;cd` for one word, a hierarchy for two.
            run = _RUN.match(line, piece.end())
            position = run.end() if run else piece.end()
    return text + line[position:]


def may_hold(word: str, keyword: str) -> bool:
    """Whether the word may be the keyword of a secret with the secret behind it and no space between."""
    return word.startswith(keyword[:_GLUED]) and not keyword.startswith(word)


def _secrets(words: list[str], node: Node | None, below_secret: bool) -> tuple[set[int], int | None]:
    """The words that are secret, and from which on nothing may be shown."""
    kinds, leaves = _keywords()
    last = _LAST_WORDS.get(words[0], 0) if words else 0
    closings = _closings(words)
    for start, end in ((0, len(words)), (1, len(words)), (1, max(1, len(words) - last))):
        if start and any(may_hold(words[0], keyword) for keyword in leaves):
            break  # no verb
        whole = _read(words[:end], start, node, {}, closings)
        if whole.understood >= end > start:
            return whole.secret, None
    # A quote in the wrong place makes one word of many, which may be about a secret themselves.
    secret: set[int] = set()
    cuts: list[int] = []
    for number, word in enumerate(words):
        if " " in word and redacted(f"{word} x") != f"{word} x":
            secret.add(number)
            cuts.append(number + 1)
    ends: _Ends = {}
    listed = range(0)
    if below_secret and words:
        cuts.append(_read(words, 1, node, {}, closings).understood)
    for number, word in enumerate(words):
        if number in listed:
            continue
        glued = any(may_hold(word, keyword) for keyword in leaves)
        anchors = [
            holders
            for keyword, holders in leaves.items()
            if glued or keyword in word or _may_be(word, (keyword,)) or _mistyped(keyword).fullmatch(word)
        ]
        if anchors:
            secret |= {number, number + 1} if glued else {number + 1}
        readable: list[list[Node | None]] = [[None]] if _may_be(word, kinds) and not anchors else []
        readable += [list(holders) for holders in anchors]
        for places in readable:
            understood = 0  # by the kind that understands most, of those that have a secret of this keyword
            for where in places:
                reading = _read(words, number, where, ends, closings)
                secret |= reading.secret
                listed = reading.listed or listed
                understood = max(understood, reading.understood)
            if understood < len(words):
                cuts.append(max(number + 1, understood))
    shows = words[0] in ("show", "sh", "sho") or words[:2] == ["run", "show"]
    return secret, None if shows else min(cuts, default=None)


@cache
def _keywords() -> tuple[frozenset[str], dict[str, list[Node]]]:
    """Keywords of the kinds that have secrets, and each keyword of a secret with the nodes that it is in."""
    holders: dict[str, list[Node]] = {}
    for node in NODES.values():
        for leaf in node.leaves.values():
            if leaf.secret:
                holders.setdefault(leaf.keyword, []).append(node)
    return frozenset(node.keyword for nodes in holders.values() for node in nodes), holders


@cache
def _mention() -> re.Pattern[str]:
    """Finds any word that may abbreviate one of the keywords: a line of a batch without any costs 2 µs."""
    kinds, leaves = _keywords()
    parts = {keyword[:end] for keyword in (*kinds, *leaves) for end in range(1, len(keyword) + 1)}
    glued = {rf"{keyword[:_GLUED]}\S" for keyword in leaves} | {_mistyped(keyword).pattern for keyword in leaves}
    whole = rf"""(?:{"|".join(sorted(parts))})(?![^\s"\[\]{{}};])"""
    return re.compile(rf"""(?<![^\s"\[\]{{}};])(?:{whole}|{"|".join(glued)})|{"|".join(leaves)}""")


@cache
def _mistyped(keyword: str) -> re.Pattern[str]:
    """The keyword with one character left out, put in, replaced or swapped with the next one."""
    ways: list[str] = []
    for at in range(len(keyword)):
        before, here, after = keyword[:at], keyword[at], keyword[at + 1 :]
        swapped = before + after[:1] + here + after[1:]
        ways += [before + after, rf"{before}\S{after}", rf"{before}\S{here}{after}", swapped]
    return re.compile(f"(?:{'|'.join(ways)})")


def _may_be(word: str, keywords: Iterable[str]) -> bool:
    return bool(word) and any(keyword.startswith(word) for keyword in keywords)


def _possible(node: Node | None) -> dict[str, Node | LeafNode]:
    """What may stand below a node, by keyword."""
    found = _POSSIBLE.get(id(node))
    if found is None:
        found = _POSSIBLE[id(node)] = {**node.children, **node.leaves} if node is not None else {**TOP}
    return found


_POSSIBLE: dict[int, dict[str, Node | LeafNode]] = {}
"""By the id of a node of the schema, which lives as long as the program."""


def _closings(words: Sequence[str]) -> list[int]:
    """For each word where the next ] is; behind the last one, the end."""
    found, next_one = [0] * len(words), len(words)
    for at in range(len(words) - 1, -1, -1):
        next_one = at if words[at] == "]" else next_one
        found[at] = next_one
    return found


def _read(words: Sequence[str], start: int, node: Node | None, ends: _Ends, closings: Sequence[int]) -> _Reading:
    """Follow the schema from a word on, with abbreviations and without looking at values.

    Where an earlier reading with the same `ends` came by, this one stops: the secrets from there on are known.
    """
    secret: set[int] = set()
    passed: list[tuple[int, int]] = []
    index, listed = start, range(0)
    while index < len(words):
        place = (index, id(node))
        if place in ends:
            index = ends[place]
            break
        passed.append(place)
        word, possible = words[index], _possible(node)
        matches = [item for keyword, item in possible.items() if word and keyword.startswith(word)]
        found = possible.get(word) or (matches[0] if len(matches) == 1 else None)
        if node is None and word not in possible and _may_be(word, _keywords()[1]):
            break  # at an edit level that is not known here it may be the keyword of a secret
        if word in ("{", "}", ";"):
            index += 1
        elif found is None:
            break
        elif isinstance(found, Node) and found.key is not None and " " in "".join(words[index + 1 : index + 2]):
            break  # no name: a quote in the wrong place
        elif isinstance(found, Node):
            node = found
            index += 1 if found.key is None else 2
        elif found.flag:
            index += 1
        elif not isinstance(found, Node) and found.secret and words[index + 1 : index + 2] in _NO_VALUES:
            break  # that is no value: it tore the keyword apart, and the secret may be any word behind it
        else:
            end = index + 2
            if words[index + 1 : index + 2] == ["["]:
                end = min(closings[index] + 1, len(words))
            elif found.endpoint and words[index + 1 : index + 2] != ["any"]:
                end = index + 3
            if found.secret:
                secret.update(range(index + 1, end))
                listed = max(listed, range(index + 1, end), key=len) if end > index + 2 else listed
            index = end
    ends.update(dict.fromkeys(passed, index))
    return _Reading(index, secret, listed)
