"""Carrying out one operation of an editing line on a candidate: what set, delete, rename, copy and the others do.

Each method looks at the candidate's view and writes edits; `candidate.py` makes commands of them, all or nothing.
The guard is asked before anything about a path is looked up, and again for every path that is written.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from data.acting import inherited_from
from data.edits import FollowingEdits
from data.errors import CommandFailed, NothingThere, NotPermitted
from data.path import Path, path_text
from data.schema.accounts import ClassRule
from data.schema.completion import text_of
from data.schema.nodes import LeafNode, Node, node_of, parent_of, reference_name
from data.schema.objects import Endpoint, Object
from data.schema.secret import HIDDEN
from data.schema.verbs import Copy, Mark, Operation, Rename
from data.schema.words import Assign, Remove, listed
from data.text.loaded import ordered


class Verbs(FollowingEdits):
    """What the verbs do, one operation at a time."""

    def _do(self, operation: Operation) -> None:
        match operation:
            case Assign():
                self._assign(operation)
            case Remove():
                self._remove(operation)
            case Rename():
                self._rename(operation)
            case Copy():
                self._copy(operation)
            case Mark():
                self._mark(operation)

    def _make_above(self, path: Path) -> None:
        above = parent_of(path)
        if above and self._view.get(above) is None:
            self._make_above(above)
            self._write(above, node_of(above).kind(uuid=self._uuid(above)))

    def _assign(self, operation: Assign) -> None:
        path, node, leaves = operation.path, operation.node, operation.leaves
        self._permit(path, "set")
        item = self._view.get(path)
        leaves = without_hidden(node, leaves)
        if item is None:
            self._make_above(path)
            item = node.kind(uuid=self._uuid(path))
        elif not leaves and not any(clash.path == path for clash in self._clashes):
            return
        if leaves:
            values = {field: _added(node, item, field, value) for field, value in leaves.items()}
            item = msgspec.structs.replace(item, **values)
        self._write(path, item, set(leaves))

    def _remove(self, operation: Remove) -> None:
        path, leaf = operation.path, operation.leaf
        self._permit(path, "delete")
        item = self._view.get(path)
        if item is None and leaf is None and self._remove_torn(path):
            return
        if item is None:
            raise (self._inherited(path, "delete", leaf) if leaf else None) or self._nothing_there(path, "delete")
        if leaf is None:
            with self._with_all_below(path):
                for below, _ in reversed(list(self._view.walk(path))):
                    self._write(below, None)
            return
        where = path_text((*path, leaf.keyword))
        value = getattr(item, leaf.field)
        if not leaf.is_set(value):
            raise self._inherited(path, "delete", leaf) or NothingThere(
                where, f"nothing to delete: {leaf.keyword} is not set", "it is at its default"
            )
        new = leaf.default
        if operation.values:
            held = value if isinstance(value, tuple) else (value,)
            missing = [text_of(leaf, one) for one in operation.values if one not in held]
            if missing:
                raise NothingThere(
                    where, f"nothing to delete: {missing[0]} is not there", f"it is {text_of(leaf, value)}"
                )
            if leaf.many:
                new = tuple(one for one in held if one not in operation.values)
        self._write(path, msgspec.structs.replace(item, **{leaf.field: new}), {leaf.field})

    def _remove_torn(self, path: Path) -> bool:
        """Delete what somebody added below an object that is deleted here; False when there is nothing."""
        torn = [below for below, _ in self._running.walk(path) if below not in self._edits]
        for below in reversed(torn):
            self._write(below, None)
        return bool(torn)

    def _rename(self, operation: Rename) -> None:
        """The same objects under another name, which whoever refers to them inside the scope uses from now on, and
        the rules of login classes that are about them alone: nobody sees more of them than before."""
        path, name = operation.path, operation.name
        new = self._new_place(path, name, "rename")
        rules = [where for where, rule in self._view.objects(ClassRule) if _is_about(rule, path)]

        def moved(where: Path) -> Path:
            return (*new, *where[len(path) :]) if where[: len(path)] == path else where

        with self._with_all_below(path):
            objects = list(self._view.walk(path))
            called = [below for below, _ in objects if below == path or node_of(below).facts.named_in_full]
            naming = [(one, sorted(self._view.referrers(one))) for one in called if len(one) > 1]
            for below, _ in reversed(objects):
                self._write(below, None)
            for below, item in objects:
                self._write(moved(below), item)
            for one, referrers in naming:
                for where in map(moved, referrers):
                    self._follow(where, one, moved(one))
            for where in map(moved, rules):
                rule = self._view.get(where)
                if isinstance(rule, ClassRule):
                    place = path_text(moved(tuple(rule.path.split())))
                    self._write(where, msgspec.structs.replace(rule, path=place), {"path"})

    def _follow(self, where: Path, old: Path, new: Path) -> None:
        """What stands at `where` names an object that is at another place from now on."""
        item = self._view.get(where)
        if item is not None:
            values = _renamed(where, item, node_of(old).keyword, reference_name(old), reference_name(new))
            self._write(where, msgspec.structs.replace(item, **values), set(values))

    def _copy(self, operation: Copy) -> None:
        """Objects with UUIDs of their own. Values that only one object may hold are copied like all others: what they
        shall be instead only the user knows, and the check of a commit names each."""
        path = operation.path
        new = self._new_place(path, operation.name, "copy")
        with self._with_all_below(path):
            for below, item in list(self._view.walk(path)):
                self._permit(below)
                self._write((*new, *below[len(path) :]), msgspec.structs.replace(item, uuid=str(uuid.uuid4())))

    def _new_place(self, path: Path, name: str, verb: str) -> Path:
        """The path under another name. Raises NothingThere, or CommandFailed when the name is taken."""
        new = (*path[:-1], name)
        self._permit(path, verb)
        self._permit(new)
        if self._view.get(path) is None:
            raise self._nothing_there(path, verb)
        taken = new if self._view.get(new) is not None else self._view.resolve(new, path[-2], name)
        if taken is not None:
            raise CommandFailed(
                path_text(path), f"{path_text(taken)} is already there", "choose another name, or delete that first"
            )
        return new

    def _mark(self, operation: Mark) -> None:
        path, field = operation.path, operation.field
        verb = "annotate" if field == "annotation" else "deactivate" if operation.value else "activate"
        self._permit(path, verb)
        node = node_of(path)
        item = self._view.get(path)
        if item is None and node.key is not None:
            raise self._nothing_there(path, verb)
        item = item or node.kind(uuid=self._uuid(path))
        self._write(path, msgspec.structs.replace(item, **{field: operation.value}), {field})

    @contextmanager
    def _with_all_below(self, path: Path) -> Iterator[None]:
        """What may not be touched below is not named: the user may not see it."""
        try:
            yield
        except NotPermitted as refused:
            raise NotPermitted(path_text(path), f"you may not {self._verb} all of it", refused.remedy) from None

    def _inherited(self, path: Path, verb: str, leaf: LeafNode | None = None) -> NothingThere | None:
        """The error for something that a domain has from its template alone."""
        source = inherited_from(self._view, path)
        given = None if source is None else self._view.get(source)
        if source is None or given is None:
            return None
        if leaf is not None and not (hasattr(given, leaf.field) and leaf.is_set(getattr(given, leaf.field))):
            return None
        what = path if leaf is None else (*path, leaf.keyword)
        cause = f"nothing to {verb}: it comes from {path_text(source[:2])}"
        return NothingThere(path_text(what), cause, f"override it with set {path_text(what)} ..., or edit the template")

    def _nothing_there(self, path: Path, verb: str) -> NothingThere:
        inherited = self._inherited(path, verb)
        if inherited is not None:
            return inherited
        cause = f"nothing to {verb}: it is not configured"
        return NothingThere(path_text(path), cause, self._what_is_near(path))

    def _what_is_near(self, path: Path) -> str:
        above = parent_of(path)
        if len(path) < 2:
            return "it is at its defaults"
        while above and self._view.get(above) is None:
            path, above = above, parent_of(above)
        keyword = path[-2]
        names = self._view.search(above, keyword, "", 13)
        if self.confine is not None:
            names = [name for name in names if self.confine((*above, keyword, name))]
        where = path_text(above) or "the configuration"
        return f"{where} has: {listed(names)}" if names else f"{where} has no {keyword}"


def _is_about(rule: ClassRule, path: Path) -> bool:
    return tuple(rule.path.split()[: len(path)]) == path


def without_hidden(node: Node, leaves: dict[str, object]) -> dict[str, object]:
    """What was given without secrets that are hidden: they stay as they are."""
    if HIDDEN not in leaves.values():
        return leaves
    hidden = {field for field, leaf in node.fields.items() if leaf.secret and leaves.get(field) == HIDDEN}
    return {field: value for field, value in leaves.items() if field not in hidden}


def _added(node: Node, item: Object, field: str, value: object) -> object:
    """The new value of a leaf; several values join those that are there."""
    if not isinstance(value, tuple):
        return value
    return ordered(node.fields[field], (*getattr(item, field), *value))


def _renamed(path: Path, item: Object, kind: str, old: str, new: str) -> dict[str, object]:
    """The leaves of an object that name (kind, old), with the new name."""
    values: dict[str, object] = {}
    for reference in node_of(path).references:
        leaf: LeafNode = reference.leaf
        value = getattr(item, leaf.field)
        if isinstance(value, Endpoint):
            if (value.kind, value.name) == (kind, old):
                values[leaf.field] = Endpoint(kind, new)
        elif reference.target == kind and isinstance(value, tuple) and old in value:
            values[leaf.field] = ordered(leaf, (new if one == old else one for one in value))
        elif reference.target == kind and (value or (path[-1] if leaf.facts.named_by_default else "")) == old:
            values[leaf.field] = new
    return values
