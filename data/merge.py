"""Three-way merge of one object: what I changed and what they changed, leaf by leaf.

A multi-valued leaf merges as a set of values and never conflicts; any other leaf, and the annotation, conflicts when
both sides changed it differently.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from data.path import Path, path_text, quoted
from data.schema.base import MARKS
from data.schema.completion import text_of
from data.schema.nodes import LeafNode, node_of
from data.schema.objects import Object
from data.text.loaded import ordered


class Edit(NamedTuple):
    """One edited path of a candidate: the committed object it was made from, and what it shall be (None: not
    there)."""

    base: Object | None
    new: Object | None


@dataclass(frozen=True, slots=True)
class Clash:
    """A leaf (or, with `field` None, the whole object) that both sides changed differently, with both values
    as text."""

    path: Path
    field: str | None
    mine: str
    theirs: str

    @property
    def path_text(self) -> str:
        if self.field is None:
            return path_text(self.path)
        leaf = node_of(self.path).fields.get(self.field)
        return path_text((*self.path, leaf.keyword if leaf else self.field))


def merge(path: Path, edit: Edit, theirs: Object | None) -> tuple[Object | None, list[Clash]]:
    """My edit on top of what is committed now: the merged object (mine where both differ) and what
    clashes."""
    base, mine = edit
    if theirs == base or mine == theirs:
        return mine, []
    if mine is None:
        return None, [Clash(path, None, "deleted", "changed")]
    if theirs is None:
        return mine, [Clash(path, None, "changed", "deleted")]
    node = node_of(path)
    if base is None:
        base = node.kind(uuid=theirs.uuid)
        mine = msgspec.structs.replace(mine, uuid=theirs.uuid)
    changes: dict[str, object] = {}
    clashes: list[Clash] = []
    for field, leaf in node.fields.items():
        was, wanted, now = getattr(base, field), getattr(mine, field), getattr(theirs, field)
        if wanted == was or wanted == now:
            continue
        if isinstance(was, tuple) and isinstance(wanted, tuple) and isinstance(now, tuple):
            kept = [value for value in now if value not in was or value in wanted]
            wanted = ordered(leaf, [*kept, *(value for value in wanted if value not in was)])
        elif now != was:
            clashes.append(Clash(path, field, _text(leaf, wanted), _text(leaf, now)))
        changes[field] = wanted
    for field in MARKS:
        was, wanted, now = getattr(base, field), getattr(mine, field), getattr(theirs, field)
        if wanted != was and wanted != now:
            if now != was:
                clashes.append(Clash(path, field, _marked(field, wanted), _marked(field, now)))
            changes[field] = wanted
    if mine.uuid != base.uuid and theirs.uuid == base.uuid:
        changes["uuid"] = mine.uuid
    return (msgspec.structs.replace(theirs, **changes) if changes else theirs), clashes


def settled(path: Path, edit: Edit, theirs: Object | None, fields: AbstractSet[str]) -> Edit:
    """The edit after its user set or cleared `fields` in full view of `theirs`: these leaves no longer
    clash."""
    base, new = edit
    if theirs is None or new is None or base is None:
        return Edit(theirs, new)
    return Edit(msgspec.structs.replace(base, **{field: getattr(theirs, field) for field in fields}), new)


def _marked(field: str, value: object) -> str:
    if field == "inactive":
        return "deactivated" if value else "activated"
    return quoted(str(value)) if value else "not set"


def _text(leaf: LeafNode, value: object) -> str:
    if leaf.flag:
        return leaf.keyword if value else f"no {leaf.keyword}"
    return text_of(leaf, value) if leaf.is_set(value) else "not set"
