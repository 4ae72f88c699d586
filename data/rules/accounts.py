"""Login classes: the path of a rule is one that the schema has."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, problem, rule
from data.schema.accounts import Alias, ClassRule
from data.schema.nodes import TOP, Node
from data.schema.redaction import redacted
from data.schema.types import BadValue
from data.schema.words import listed

_EXAMPLE = 'for example "enterprise acme domain * vport"; * is any name'


@rule(ClassRule)
def paths_of_rules_are_in_the_schema(check: Check, path: Path, item: ClassRule) -> Iterator[Problem]:
    wrong = _wrong(item.path.split())
    if item.path and wrong is not None:
        yield problem(path, "path", *wrong)


@rule(Alias)
def aliases_hold_no_secrets(check: Check, path: Path, item: Alias) -> Iterator[Problem]:
    if redacted(item.command) != item.command:
        yield problem(
            path, "command", "it holds a secret, which everybody could read", "leave the secret to be asked for"
        )


def _wrong(words: list[str]) -> tuple[str, str] | None:
    """Cause and remedy of the first word that leads nowhere."""
    nodes: dict[str, Node] = TOP
    above: Node | None = None
    position = 0
    while position < len(words):
        word = words[position]
        node = nodes.get(word)
        if node is None:
            if above is not None and word in above.leaves:
                return f"'{word}' is a value of {above.keyword}", "a rule is about whole objects: stop before it"
            if not nodes:
                return f"'{word}' is one word too many", f"nothing lies below {above.keyword if above else 'it'}"
            close = difflib.get_close_matches(word, nodes, 1, 0.5)
            known = f"did you mean {close[0]}? " if close else ""
            return f"'{word}' is not a word known here", f"{known}expected: {listed(nodes)}"
        position += 1
        if node.key is not None and position < len(words):
            name = words[position]
            if name != "*":
                try:
                    node.key.parse(name)
                except BadValue as bad:
                    return bad.cause, f"{bad.remedy}; {_EXAMPLE}"
            position += 1
        nodes, above = node.children, node
    return None
