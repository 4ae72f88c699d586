"""A user's private candidate: the running configuration with that user's edits, kept apart until committed.

This module has the commands. Each is all or nothing. `unsaved` says what the store has to keep; the caller
saves it in the writer thread, once per command.

What may take seconds (a batch or a load of 100,000 lines, a rollback) comes in steps as well: `copied`, then
`loading` or `rolling_back` or slices of `apply_batch` on the copy, which takes the candidate's place when all
of it has succeeded. Until then everybody sees the candidate as it was. Next: `edits.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from data.configuration import Configuration, Edits
from data.edits import FollowingEdits
from data.errors import Conflict, MergeConflict, NothingThere, NshellError, SyntaxProblem
from data.path import Path, path_text
from data.schema.completion import text_of
from data.schema.nodes import Node, node_of, order_key, parent_of
from data.schema.objects import Object
from data.schema.tokens import split
from data.schema.words import Assign, Remove, listed, parse_delete, parse_set
from data.steps import Steps, at_once
from data.text.loaded import Loaded, ordered
from data.text.read import read
from data.text.set_lines import at_line, is_remark

LOAD_MODES = {
    "merge": "add to what is there",
    "replace": "take the place of each top-level part that the text has",
    "override": "take the place of everything",
    "set": "set and delete lines, in their order",
}
"""What `load` can do, with help."""

_STEP = 16
"""Objects or lines between two looks at the clock, about 500 µs."""

Blame = Callable[[Path], tuple[int, str] | None]
"""Revision and author of the last change of a path, if known."""


class Candidate(FollowingEdits):
    """The private candidate of one user. Not thread-safe: it belongs to the event loop."""

    # Commands

    def set(self, words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> None:
        """Apply `set` followed by `words`; raises SyntaxProblem with nothing changed."""
        self._rebase()
        operations = parse_set(words, at=at, abbreviations=abbreviations)
        with self._all_or_nothing():
            for operation in operations:
                self._assign(operation)

    def delete(self, words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> None:
        """Apply `delete` followed by `words`; raises SyntaxProblem or NothingThere with nothing changed."""
        self._rebase()
        with self._all_or_nothing():
            self._remove(parse_delete(words, at=at, abbreviations=abbreviations))

    def apply_batch(self, lines: Iterable[str], source: str, *, at: Path = ()) -> int:
        """Apply lines of `set` and `delete`, skipping empty ones and remarks; returns how many there were.

        Raises BatchProblem naming `source` and the line, with nothing changed.
        """
        self._rebase()
        with self._all_or_nothing():
            return at_once(self._lines(lines, source, at))

    def _lines(self, lines: Iterable[str], source: str, at: Path = ()) -> Steps[int]:
        applied = 0
        for number, line in enumerate(lines, 1):
            if number % _STEP == 0:
                yield
            if is_remark(line):
                continue
            try:
                self._line(split(line), at)
            except NshellError as problem:
                raise at_line(source, number, line.strip(), problem) from None
            applied += 1
        return applied

    def _line(self, words: list[str], at: Path) -> None:
        verb = words[0]
        if verb == "set":
            for operation in parse_set(words[1:], at=at):
                self._assign(operation)
        elif verb == "delete":
            self._remove(parse_delete(words[1:], at=at))
        else:
            raise SyntaxProblem(
                verb,
                f"'{verb}' is not a command here",
                "use set or delete",
                word=-1,
                expected=("set", "delete"),
            )

    def load(self, mode: str, text: str, source: str = "terminal") -> None:
        """Load set lines, a hierarchy or JSON in one of LOAD_MODES; raises SyntaxProblem or BatchProblem with
        nothing changed."""
        contents = readable(mode, text, source)
        self._rebase()
        with self._all_or_nothing():
            at_once(self.loading(mode, contents, source))

    def loading(self, mode: str, contents: Loaded | Sequence[str], source: str = "terminal") -> Steps[None]:
        """The same in steps, of what `readable` made of the text. For a copy: not all or nothing by itself."""
        self._rebase()
        if not isinstance(contents, dict):
            yield from self._lines(contents, source)
        elif mode == "merge":
            for number, (path, leaves) in enumerate(contents.items()):
                self._assign(Assign(path, node_of(path), leaves))
                if number % _STEP == 0:
                    yield
        else:
            tops: list[Path] = [()] if mode == "override" else [path for path in contents if not parent_of(path)]
            yield from self._replace(contents, tops)

    def rollback_to(self, objects: Mapping[Path, Object]) -> None:
        """Make the candidate equal to these objects (a former revision), UUIDs included. Costs the
        configuration."""
        self._rebase()
        with self._all_or_nothing():
            at_once(self.rolling_back(objects))

    def rolling_back(self, objects: Mapping[Path, Object]) -> Steps[None]:
        """The same in steps. For a copy: not all or nothing by itself."""
        self._rebase()
        self._forget_all()
        self._clashes = []
        for path in (yield from _paths(self._running, ())):
            if path not in objects:
                self._write(path, None)
        for number, (path, item) in enumerate(objects.items()):
            self._write(path, item)
            if number % _STEP == 0:
                yield

    def discard(self) -> None:
        """Forget every edit; after a commit, too."""
        self._forget_all()
        self._clashes = []
        self._former_uuids = {}
        self._revision = self._running.revision

    def clashing(self) -> list[Path]:
        """Paths of the objects that `merge` would report; the store's `last_changes` of them tells it whom to
        name."""
        self._rebase()
        return list(dict.fromkeys(clash.path for clash in (*self._clashes, *self._torn())))

    def merge(self, blame: Blame | None = None) -> Edits:
        """The edits, ready to be checked and committed over the running configuration.

        Raises MergeConflict, listing every leaf that was committed differently since it was edited here.
        """
        self._rebase()
        self._outdated = frozenset(self._unsaved)
        clashes = self._clashes + list(self._torn())
        if clashes:
            conflicts = []
            for clash in sorted(clashes, key=lambda clash: order_key(clash.path)):
                by = blame(clash.path) if blame else None
                conflicts.append(Conflict(clash.path_text, clash.mine, clash.theirs, *(by or (None, None))))
            raise MergeConflict(conflicts)
        return self.edits()

    # Carrying out

    def _make_above(self, path: Path) -> None:
        above = parent_of(path)
        if above and self._view.get(above) is None:
            self._make_above(above)
            self._write(above, node_of(above).kind(uuid=self._uuid(above)))

    def _assign(self, operation: Assign) -> None:
        path, node, leaves = operation.path, operation.node, operation.leaves
        item = self._view.get(path)
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
        item = self._view.get(path)
        if item is None and leaf is None and self._remove_torn(path):
            return
        if item is None:
            raise NothingThere(path_text(path), "nothing to delete: it is not configured", self._what_is_near(path))
        if leaf is None:
            for below, _ in reversed(list(self._view.walk(path))):
                self._write(below, None)
            return
        where = path_text((*path, leaf.keyword))
        value = getattr(item, leaf.field)
        if not leaf.is_set(value):
            raise NothingThere(where, f"nothing to delete: {leaf.keyword} is not set", "it is at its default")
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

    def _what_is_near(self, path: Path) -> str:
        above = parent_of(path)
        if len(path) < 2:
            return "it is at its defaults"
        while above and self._view.get(above) is None:
            path, above = above, parent_of(above)
        keyword = path[-2]
        names = self._view.search(above, keyword, "", 13)
        where = path_text(above) or "the configuration"
        return f"{where} has: {listed(names)}" if names else f"{where} has no {keyword}"

    def _replace(self, loaded: Loaded, tops: list[Path]) -> Steps[None]:
        """Make everything at or below each of `tops` exactly what was loaded."""
        for top in tops:
            for number, path in enumerate(reversed((yield from _paths(self._view, top)))):
                if path not in loaded:
                    self._write(path, None)
                if number % _STEP == 0:
                    yield
        for number, (path, leaves) in enumerate(loaded.items()):
            item = self._view.get(path)
            made = node_of(path).kind(uuid=item.uuid if item else self._uuid(path), **leaves)  # type: ignore[arg-type]
            if made != item:
                self._write(path, made)
            if number % _STEP == 0:
                yield


def readable(mode: str, text: str, source: str) -> Loaded | Sequence[str]:
    """A text as `Candidate.loading` takes it; pure, so that a worker thread can do it.

    Raises SyntaxProblem or BatchProblem.
    """
    if mode not in LOAD_MODES:
        raise SyntaxProblem(
            f"load {mode}",
            f"'{mode}' is not a way to load",
            f"use {listed(LOAD_MODES)}",
            word=1,
            expected=tuple(LOAD_MODES),
        )
    return text.splitlines() if mode == "set" else read(text, source)


def _paths(view: Configuration, top: Path) -> Steps[list[Path]]:
    found: list[Path] = []
    for path, _ in view.walk(top):
        found.append(path)
        if len(found) % _STEP == 0:
            yield
    return found


def _added(node: Node, item: Object, field: str, value: object) -> object:
    """The new value of a leaf; several values join those that are there."""
    if not isinstance(value, tuple):
        return value
    return ordered(node.fields[field], (*getattr(item, field), *value))
