"""What was read from a text: for each path the leaves that it gave, objects above included, in no particular
order."""

from __future__ import annotations

from collections.abc import Iterable

from data.path import Path
from data.schema.nodes import LeafNode, Node, parent_of
from data.schema.words import Assign


class Loaded(dict[Path, dict[str, object]]):
    """Path → field → canonical value. Every object on the way to a path is there, too.

    `marks` holds what the text says beside leaves (annotation, inactive) about objects that it does not set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[Path, dict[str, object]] = {}


def ordered(leaf: LeafNode, values: Iterable[object]) -> tuple[object, ...]:
    """The canonical form of a multi-valued leaf: each value once, sorted, so that the order of typing does
    not matter."""
    unique = dict.fromkeys(values)
    return tuple(unique) if len(unique) < 2 else tuple(sorted(unique, key=leaf.type.order))  # type: ignore[arg-type]


def put(loaded: Loaded, assign: Assign) -> None:
    """Add what one operation sets."""
    place(loaded, assign.path, assign.node, assign.leaves)


def place(loaded: Loaded, path: Path, node: Node, leaves: dict[str, object]) -> None:
    """Add leaves at a path; values of multi-valued leaves join those already there."""
    above = parent_of(path)
    while above and above not in loaded:
        loaded[above] = {}
        above = parent_of(above)
    there = loaded.setdefault(path, {})
    for field, value in leaves.items():
        if isinstance(value, tuple):
            held = there.get(field, ())
            assert isinstance(held, tuple)
            value = ordered(node.fields[field], (*held, *value))
        there[field] = value


def without_empty_containers(loaded: Loaded) -> Loaded:
    """A container in which nothing is set is the same as none."""
    for path in [path for path, leaves in loaded.items() if not leaves and len(path) == 1]:
        del loaded[path]
    return loaded
