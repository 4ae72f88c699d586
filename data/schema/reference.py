"""The configuration reference in Markdown, rendered from the schema.

Made by `python -m data.schema.reference > docs/reference.md`. A test compares the file with what this makes,
so the manual cannot fall behind.
"""

from __future__ import annotations

from collections.abc import Iterator

from data.schema.declaration import EVERYWHERE
from data.schema.endpoint import ENDPOINT, ENDPOINT_KINDS
from data.schema.nodes import TOP, LeafNode, Node
from data.schema.types import ValueType

_INTRODUCTION = """\
# Configuration reference

Generated from the schema by `python -m data.schema.reference`; do not edit.

Each heading is a path. `set` followed by the path makes the object and all objects above it; leaves may
follow on the same line. `delete` takes the path away with everything below it, a leaf back to its default,
or one value out of a leaf that takes several. A value with spaces stands in double quotes, several values
in `[ ]`.
"""


def reference() -> str:
    """The whole reference as text."""
    lines = [_INTRODUCTION]
    for node in TOP.values():
        lines += _section(node, "")
    lines += _endpoints()
    return "\n".join(lines).rstrip() + "\n"


def _section(node: Node, above: str) -> Iterator[str]:
    path = f"{above} {node.keyword}" + (f" {node.key.hint}" if node.key else "")
    yield f"## `{path.strip()}`\n"
    yield f"{_sentence(node.facts.help)}{_naming(node)}\n"
    yield "| leaf | value | | meaning |"
    yield "|---|---|---|---|"
    for leaf in node.leaves.values():
        yield f"| `{leaf.keyword}` | {_value(leaf.type)} | {_demands(leaf)} | {_meaning(leaf)} |"
    yield ""
    for child in node.children.values():
        yield from _section(child, path)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _naming(node: Node) -> str:
    if node.key is None:
        return " Exists once."
    naming = f" Its name: {node.key.help}."
    if node.facts.unique_name:
        naming += f" No two in one {node.facts.unique_name} have the same name."
    return naming


def _value(type: ValueType) -> str:
    if type is ENDPOINT:
        return "an [endpoint](#endpoints)"
    if type.choices:
        return ", ".join(f"`{word}`" for word, _ in type.choices)
    return f"`{type.hint}`".replace("|", "\\|") if type.hint else "(none)"


def _demands(leaf: LeafNode) -> str:
    demands = []
    if leaf.facts.mandatory:
        demands.append("mandatory")
    if leaf.many:
        demands.append("several")
    for scope, said in ((leaf.facts.unique, "unique"), (leaf.facts.disjoint, "no overlap")):
        if scope:
            demands.append(f"{said} in the {scope}" if scope != EVERYWHERE else said)
    for beside, scope in leaf.facts.unique_with:
        inside = "" if scope == EVERYWHERE else f" in the {scope}"
        demands.append(f"unique with its {beside}{inside}")
    if leaf.facts.provider:
        demands.append("not for tenants' administrators")
    if leaf.facts.reference:
        demands.append(f"names a {leaf.facts.reference}")
    return ", ".join(demands)


def _meaning(leaf: LeafNode) -> str:
    meaning = _sentence(leaf.facts.help)
    if leaf.type.units:
        meaning += f" In {leaf.type.units}."
    if leaf.facts.default_text:
        meaning += f" Default: {leaf.facts.default_text}."
    elif leaf.default and leaf.type is not ENDPOINT:
        meaning += f" Default: `{leaf.type.text(leaf.default)}`."
    elif leaf.type is ENDPOINT:
        meaning += " Default: `any`."
    return meaning


def _endpoints() -> Iterator[str]:
    yield "## Endpoints\n"
    yield "What `from` and `to` of a policy entry can say:\n"
    yield "| words | meaning |"
    yield "|---|---|"
    for kind, help in ENDPOINT_KINDS.items():
        yield f"| `{kind}{'' if kind == 'any' else ' <name>'}` | {_sentence(help)} |"
    yield ""


if __name__ == "__main__":
    print(reference(), end="")
