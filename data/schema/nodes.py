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
from data.schema.endpoint import ENDPOINT
from data.schema.objects import KINDS, Object
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
    """A leaf whose holders are found by its value, below the ancestor whose path has `scope_length` words. `beside` is
    the field that belongs to the value, "" for none: a VLAN is one only together with its uplink."""

    field: str
    scope_length: int
    many: bool
    named_by_default: bool
    beside: str = ""

    @property
    def name(self) -> str:
        """What `Configuration.holders` calls it: the field, or both as field+beside."""
        return f"{self.field}+{self.beside}" if self.beside else self.field

    def values(self, path: Path, item: Object) -> tuple[object, ...]:
        """The values that the object at the path holds."""
        if self.field == "name":
            return (path[-1],)
        value = getattr(item, self.field)
        if self.many:
            return tuple(dict.fromkeys(value))
        if not value and self.named_by_default:
            return (path[-1],)
        if not value:
            return ()
        return ((value, getattr(item, self.beside)),) if self.beside else (value,)


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
    """Values that only one object may hold."""
    held: tuple[Unique, ...] = ()
    """All whose holders are looked up: those, and those that several may hold."""
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
        both = node.leaves.keys() & {one.declared.keyword for one in KINDS if facts.keyword in one.declared.under}
        if both:
            raise AssertionError(f"{both} below {facts.keyword}: a line could mean the leaf or the object")
        node.fields = {leaf.field: leaf for leaf in node.leaves.values()}
        above = parent.scopes if parent else {EVERYWHERE: 0}
        length = max(above.values()) + (2 if facts.key else 1)
        node.scopes = {**above, facts.keyword: length}
        if facts.stands_for:
            node.scopes[facts.stands_for] = length
        unique = [_unique(node, leaf.facts.unique, leaf) for leaf in node.leaves.values() if leaf.facts.unique]
        if facts.unique_name:
            unique.append(Unique("name", node.scopes[facts.unique_name], False, True))
        for leaf in node.leaves.values():
            for beside, scope in leaf.facts.unique_with:
                unique.append(Unique(leaf.field, node.scopes[scope], False, False, beside))
        node.unique = tuple(unique)
        looked_up = (leaf for leaf in node.leaves.values() if leaf.facts.looked_up)
        node.held = (*unique, *(_unique(node, leaf.facts.looked_up, leaf) for leaf in looked_up))
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


_NAMED_IN_FULL = {node.keyword: keywords for keywords, node in NODES.items() if node.facts.named_in_full}


def reference_name(path: Path) -> str:
    """What others call the object when they refer to it: its name, or the names of all above it, too."""
    return "/".join(path[1::2]) if path[-2] in _NAMED_IN_FULL else path[-1]


def named_in_full(kind: str, name: str) -> Path | None:
    """The path that the full name of an object means; None for other kinds, and for what is no such name."""
    keywords, names = _NAMED_IN_FULL.get(kind, ()), name.split("/")
    if not keywords or len(keywords) != len(names):
        return None
    return tuple(word for pair in zip(keywords, names, strict=True) for word in pair)


def may_be_below(path: Path, kind: str) -> bool:
    """Whether the schema has a place for objects of the kind at the path or below."""
    start = path[::2]
    return any(node.keyword == kind and keywords[: len(start)] == start for keywords, node in NODES.items())


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
