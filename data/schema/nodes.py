"""The schema tree, derived from `objects.py` at import: which leaves and children stand under which keywords.

    ROOT ── Node("enterprise") ── Node("domain") ── Node("vport") ── LeafNode("mac"), LeafNode("address") ...

`NODES` finds the node of a path without walking: containers stand only at the top, so the keywords of any
path are `path[::2]`.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass, field

import msgspec

from data.path import Path, natural_key
from data.schema.declaration import EVERYWHERE, Kind, Leaf
from data.schema.objects import ENDPOINT, KINDS, Object
from data.schema.types import FLAG, ValueType


@dataclass(frozen=True, slots=True)
class LeafNode:
    """One leaf: its keyword, the field that holds it, its facts and its default. `many` says that it is a
    sorted tuple."""

    keyword: str
    field: str
    facts: Leaf
    default: object
    many: bool

    @property
    def type(self) -> ValueType:
        return self.facts.type

    @property
    def flag(self) -> bool:
        return self.facts.type is FLAG

    @property
    def endpoint(self) -> bool:
        return self.facts.type is ENDPOINT

    @property
    def secret(self) -> bool:
        return self.facts.type.secret

    def is_set(self, value: object) -> bool:
        return value != self.default


@dataclass(frozen=True, slots=True)
class Unique:
    """A leaf whose value only one object may hold below the ancestor whose path has `scope_length` words."""

    field: str
    scope_length: int
    many: bool
    named_by_default: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """A leaf that names objects of kind `target` (None: an Endpoint, which says the kind itself)."""

    leaf: LeafNode
    target: str | None


@dataclass(slots=True)
class Node:
    """One kind of object at one place of the tree."""

    keyword: str
    kind: type[Object]
    facts: Kind
    order: int
    parent: Node | None
    leaves: dict[str, LeafNode] = field(default_factory=dict)
    """By keyword."""
    fields: dict[str, LeafNode] = field(default_factory=dict)
    """The same by field name."""
    children: dict[str, Node] = field(default_factory=dict)
    scopes: dict[str, int] = field(default_factory=dict)
    """Kind of each ancestor (and itself) → number of words of its path."""
    unique: tuple[Unique, ...] = ()
    disjoint: tuple[Unique, ...] = ()
    references: tuple[Reference, ...] = ()
    mandatory: tuple[LeafNode, ...] = ()

    @property
    def key(self) -> ValueType | None:
        """The type of the name, None for a container."""
        return self.facts.key

    def scope(self, path: Path, kind: str) -> Path:
        """The ancestor of `path` (or itself) that is of `kind`; () for EVERYWHERE."""
        return path[: self.scopes[kind]]


def _leaf_nodes(kind: type[Object]) -> dict[str, LeafNode]:
    hints = typing.get_type_hints(kind, include_extras=True)
    leaves = {}
    for item in msgspec.structs.fields(kind):
        hint = hints[item.name]
        if typing.get_origin(hint) is not typing.Annotated:
            continue
        plain, facts = typing.get_args(hint)
        keyword = item.name.rstrip("_").replace("_", "-")
        leaves[keyword] = LeafNode(keyword, item.name, facts, item.default, typing.get_origin(plain) is tuple)
    description = leaves.pop("description")
    return {"description": description, **leaves}


def _unique(node: Node, name_of_scope: str, leaf: LeafNode) -> Unique:
    return Unique(leaf.field, node.scopes[name_of_scope], leaf.many, leaf.facts.named_by_default)


def _grow(parent: Node | None, under: str) -> dict[str, Node]:
    found = {}
    for order, kind in enumerate(KINDS):
        facts = kind.declared
        if under not in facts.under:
            continue
        if facts.key is None and parent is not None:
            raise AssertionError(
                f"container {facts.keyword} below {under}: paths could not be read by every second word"
            )
        node = Node(facts.keyword, kind, facts, order, parent, _leaf_nodes(kind))
        node.fields = {leaf.field: leaf for leaf in node.leaves.values()}
        above = parent.scopes if parent else {EVERYWHERE: 0}
        length = max(above.values()) + (2 if facts.key else 1)
        node.scopes = {**above, facts.keyword: length}
        unique = [_unique(node, leaf.facts.unique, leaf) for leaf in node.leaves.values() if leaf.facts.unique]
        if facts.unique_name:
            unique.append(Unique("name", node.scopes[facts.unique_name], False, True))
        node.unique = tuple(unique)
        node.disjoint = tuple(
            _unique(node, leaf.facts.disjoint, leaf) for leaf in node.leaves.values() if leaf.facts.disjoint
        )
        node.references = tuple(
            Reference(leaf, leaf.facts.reference or None)
            for leaf in node.leaves.values()
            if leaf.facts.reference or leaf.endpoint
        )
        node.mandatory = tuple(leaf for leaf in node.leaves.values() if leaf.facts.mandatory)
        node.children = _grow(node, facts.keyword)
        found[node.keyword] = node
    return found


TOP: dict[str, Node] = _grow(None, "")
"""Keyword → node at the top of the configuration."""


def _flat(nodes: dict[str, Node], above: tuple[str, ...]) -> dict[tuple[str, ...], Node]:
    found = {}
    for keyword, node in nodes.items():
        found[(*above, keyword)] = node
        found.update(_flat(node.children, (*above, keyword)))
    return found


NODES: dict[tuple[str, ...], Node] = _flat(TOP, ())
"""Keywords of a path (`path[::2]`) → its node."""

FACTS: dict[str, Kind] = {kind.declared.keyword: kind.declared for kind in KINDS}
"""Keyword → what is declared about the kind."""


def node_of(path: Path) -> Node:
    """The node of an object's path; KeyError when the schema has no such place."""
    return NODES[path[::2]]


def children_of(path: Path) -> dict[str, Node]:
    """The nodes that may stand directly below an object, or at the top for ()."""
    return NODES[path[::2]].children if path else TOP


def parent_of(path: Path) -> Path:
    """The path of the object above; () for what stands at the top."""
    return path[:-2]


def order_key(path: Path) -> tuple[object, ...]:
    """Sort key that puts paths in the order of `Configuration.walk`: schema order of kinds, then names in
    natural order."""
    key: list[object] = []
    for position in range(0, len(path), 2):
        key.append(NODES[path[: position + 1 : 2]].order)
        if position + 1 < len(path):
            key.append(natural_key(path[position + 1]))
    return tuple(key)
