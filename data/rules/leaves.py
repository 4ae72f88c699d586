"""Each object by itself: what must be set is set, every value is one that its type accepts, and the object
above exists."""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import Problem
from data.path import Path, path_text, quoted
from data.rules.registry import Check, problem, rule
from data.schema.nodes import node_of, parent_of
from data.schema.objects import Object
from data.schema.types import BadValue


@rule(Object)
def mandatory_leaves(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    for leaf in node_of(path).mandatory:
        if not leaf.is_set(getattr(item, leaf.field)):
            words = path_text((*path, leaf.keyword))
            yield problem(path, leaf.keyword, f"{leaf.keyword} is missing", f"set {words} {leaf.type.hint}")


@rule(Object)
def well_formed_values(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    """Words were parsed when they were typed; this holds for objects that programs make, too."""
    for leaf in node_of(path).leaves.values():
        value = getattr(item, leaf.field)
        if value == leaf.default or leaf.flag or leaf.endpoint:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            text = leaf.type.text(one) if not leaf.secret else str(one)
            try:
                if leaf.type.parse(text) != one:
                    shown = quoted(leaf.type.text(one))
                    yield problem(path, leaf.keyword, f"{shown} is not in canonical form", "set it again")
            except BadValue as bad:
                yield problem(path, leaf.keyword, bad.cause, bad.remedy)


@rule(Object)
def built_in_names_are_taken(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    facts = node_of(path).facts
    if path[-1] in facts.built_in:
        cause = f"{path[-1]} is built in and cannot be configured"
        yield problem(path, "", cause, f"delete {path_text(path)}, and choose another name")


@rule(Object)
def object_above_exists(check: Check, path: Path, item: Object) -> Iterator[Problem]:
    above = parent_of(path)
    if above and check.view.get(above) is None:
        yield problem(path, "", f"{path_text(above)} does not exist", f"set {path_text(above)}, or delete this")
