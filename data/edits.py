"""The edits of one user over the running configuration, following it as others commit.

For each edited path there is the committed object that the edit was made from and the object wanted. When the
running configuration moves on, each edit moves along by a three-way merge per leaf; what cannot be merged
stays as the user wanted it and becomes a clash. Costs the edits, never the configuration. `candidate.py` has
the commands, `merge.py` the merge of one object.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Self

from data.configuration import Configuration, Edits, Overlay, Running
from data.errors import NotPermitted
from data.merge import Clash, Edit, merge, settled
from data.path import Path, path_text
from data.schema.nodes import node_of, parent_of
from data.schema.objects import Object
from data.steps import Steps
from data.undo import History, Step

Guard = Callable[[Path, str], None]
"""Raises NotPermitted when the verb may not be done to the path; called before anything there is looked at."""
Confine = Callable[[Path], bool]
"""Whether a path belongs to what `load override`, `load replace` and a rollback are about."""

Limit = Callable[[Path, Object, Configuration], None]
"""Raises NotPermitted when an object, compared with what runs, says what its writer may not say."""

_STEP = 64  # edits copied between two looks at the clock, about 300 µs


class FollowingEdits:
    """Edits that follow the running configuration. Not thread-safe: they belong to the event loop."""

    def __init__(self, running: Running, user: str, rows: Mapping[Path, Edit] | None = None) -> None:
        """`rows` are the edits that the store kept."""
        self.user = user
        self.guard: Guard | None = None
        self.confine: Confine | None = None
        self.limit: Limit | None = None
        self._running = running
        self._edits: dict[Path, Edit] = dict(rows or {})
        self._view = Overlay(running, {path: edit.new for path, edit in self._edits.items()})
        self._revision = -1
        self._clashes: list[Clash] = []
        self._unsaved: dict[Path, Edit | None] = {}  # what the store keeps of each path that changed
        self._outdated: frozenset[Path] = frozenset()  # kept rows that were not the edits when these were merged
        self._former_uuids: dict[Path, str] = {}
        self._verb = "set"  # what is being done, for the guard
        self._undo: dict[Path, tuple[Edit | None, bool]] | None = None  # had before; whether it was unsaved already
        self._history = History()
        self._copied = False
        self._slices: Step | None = None
        self._rebase()

    @property
    def view(self) -> Configuration:
        """The configuration as a commit would make it: one object for life, which follows the edits."""
        self._rebase()
        return self._view

    @property
    def differs(self) -> bool:
        self._rebase()
        return bool(self._edits)

    def edits(self) -> Edits:
        """New object by path, None for deleted; a copy."""
        self._rebase()
        return {path: edit.new for path, edit in self._edits.items()}

    def rows(self) -> dict[Path, Edit]:
        """The edits with what they were made from, as `__init__` takes them; a copy."""
        self._rebase()
        return dict(self._edits)

    def copied(self) -> Steps[Self]:
        """The same edits once more, apart from these: a long command works on a copy that then takes their place."""
        rows = dict(self._edits)
        copy = type(self)(self._running, self.user)
        copy._unsaved = dict(self._unsaved)
        copy._former_uuids = dict(self._former_uuids)
        copy._history = self._history.copy()
        copy._copied = True
        copy.guard, copy.confine, copy.limit = self.guard, self.confine, self.limit
        yield from copy._take(rows)
        return copy

    def _take(self, rows: Mapping[Path, Edit]) -> Steps[None]:
        for number, (path, edit) in enumerate(rows.items()):
            self._edits[path] = edit
            self._view.put(path, edit.new)
            if number % _STEP == 0:
                yield
        self._revision = -1

    # Keeping

    def unsaved(self) -> dict[Path, Edit | None]:
        """What changed since the last `saved`: the row of each path, None where the store should drop it."""
        self._rebase()
        return {path: self._edits.get(path) for path in self._unsaved}

    def saved(self, rows: Iterable[Path]) -> None:
        """The store has kept these rows."""
        for path in rows:
            self._unsaved.pop(path, None)
        self._history.keep()
        self._copied = False

    def put_back(self) -> None:
        """The store could not keep what changed: the edits are again those that it has."""
        for path, edit in self._unsaved.items():
            if edit is None:
                self._edits.pop(path, None)
                self._view.withdraw(path)
            else:
                self._edits[path] = edit
                self._view.put(path, edit.new)
        self._unsaved = {}
        self._revision = -1
        self._history.forget_unkept()

    def committed(self, edits: Edits) -> None:
        """These edits, as `merge` gave them, are a revision, and the store dropped their rows with it. What led to
        them can no longer be taken back here."""
        self._rebase()
        self._history.clear()
        gone = edits.keys() - self._edits.keys() - self._outdated
        for path in gone:
            self._unsaved.pop(path, None)

    # Following the running configuration

    def _rebase(self) -> None:
        if self._revision == self._running.revision:
            return
        self._revision = self._running.revision
        self._clashes = []
        running = self._running
        if all(running.get(path) is edit.new for path, edit in self._edits.items()):
            self._forget_all()  # it was committed as a whole: 100,000 edits in 40 ms instead of 600
            return
        for path, edit in list(self._edits.items()):
            theirs = self._running.get(path)
            if theirs is edit.base:
                continue
            merged, clashes = merge(path, edit, theirs)
            if clashes:
                self._clashes += clashes
                self._view.put(path, merged)
            elif merged == theirs:
                self._forget(path)
            else:
                if edit != (theirs, merged):
                    self._unsaved.setdefault(path, edit)
                self._edits[path] = Edit(theirs, merged)
                self._view.put(path, merged)

    def _torn(self) -> Iterator[Clash]:
        """Objects left without the object above them, because one side deleted what the other added to."""
        for path, edit in self._edits.items():
            if edit.new is None:
                for keyword in node_of(path).children:
                    for name in self._running.children(path, keyword):
                        if (*path, keyword, name) not in self._edits:
                            yield Clash((*path, keyword, name), None, "deleted", "added")
            elif parent_of(path) and self._view.get(parent_of(path)) is None and parent_of(path) not in self._edits:
                yield Clash(parent_of(path), None, "in use", "deleted")
            elif edit.base is None:
                other = self._running.by_uuid(edit.new.uuid)
                if other is not None and other not in self._edits:
                    yield Clash(path, None, "renamed to this", f"renamed to {path_text(other)}")

    # Writing

    @contextmanager
    def _recorded(self, said: str) -> Iterator[None]:
        """A command, or the part of one that is recorded already: what it changes is one step of `undo`."""
        if self._undo is not None:
            yield
            return
        self._undo = {}
        try:
            yield
            before = {path: edit for path, (edit, _) in self._undo.items() if edit != self._edits.get(path)}
        finally:
            self._undo = None
        if before:
            self._remember(said, before)

    def _remember(self, said: str, before: dict[Path, Edit | None]) -> None:
        # Slices of a long batch, which is applied to a copy, are one step.
        if self._copied and self._slices is not None and self._slices.said == said:
            for path, edit in before.items():
                self._slices.before.setdefault(path, edit)
        else:
            self._slices = self._history.add(said, before)

    @contextmanager
    def _all_or_nothing(self, said: str) -> Iterator[None]:
        with self._recorded(said):
            try:
                yield
            except BaseException:
                self._put_back(self._undo or {})
                raise

    def _put_back(self, had: Mapping[Path, tuple[Edit | None, bool]]) -> None:
        for path, (edit, unsaved) in had.items():
            self._restore(path, edit)
            if not unsaved:
                self._unsaved.pop(path, None)
        self._revision = -1

    def _restore(self, path: Path, edit: Edit | None) -> None:
        if edit is None:
            self._edits.pop(path, None)
            self._view.withdraw(path)
        else:
            self._edits[path] = edit
            self._view.put(path, edit.new)

    def _note(self, path: Path) -> None:
        edit = self._edits.get(path)
        if self._undo is not None and path not in self._undo:
            self._undo[path] = (edit, path in self._unsaved)
        self._unsaved.setdefault(path, edit)

    def _forget(self, path: Path) -> None:
        self._note(path)
        self._edits.pop(path, None)
        self._view.withdraw(path)

    def _forget_all(self) -> None:
        for path in self._edits:
            self._note(path)
        self._edits = {}
        self._view.clear()

    def _write(self, path: Path, new: Object | None, fields: AbstractSet[str] | None = None) -> None:
        """Want `new` at `path`. `fields` are the leaves that the user named, None when all of the object was
        meant. Raises NotPermitted."""
        self._permit(path)
        if new is not None:
            self._permit_switch(path, new)
            if self.limit is not None:
                self.limit(path, new, self._running)
        if new is not None and len(path) == 1 and new == node_of(path).kind(uuid=new.uuid):
            new = None
        now = self._running.get(path)
        edit = self._edits.get(path)
        if new is None and now is None and edit is not None and edit.new is not None:
            self._former_uuids[path] = edit.new.uuid
        wanted = Edit(edit.base if edit else now, new)
        if wanted.base is not now and wanted.base != now:
            wanted = Edit(now, new) if fields is None else settled(path, wanted, now, fields)
            merged, clashes = merge(path, wanted, now)
            self._clashes = [clash for clash in self._clashes if clash.path != path] + clashes
            if not clashes:
                wanted, new = Edit(now, merged), merged
        if new == now or new == wanted.base:
            self._forget(path)
            return
        self._note(path)
        self._edits[path] = wanted
        self._view.put(path, new)

    def _permit(self, path: Path, verb: str | None = None) -> None:
        """Raises NotPermitted when the guard does; `verb` is what is being done from now on."""
        self._verb = verb or self._verb
        if self.guard is not None:
            self.guard(path, self._verb)

    def _permit_switch(self, path: Path, new: Object) -> None:
        """Raises NotPermitted when `new` turns the object on or off and the guard refuses that, for it or for anything
        below, which would go with it. What lies below is not named: the user may not see it."""
        was = self._view.get(path)
        if self.guard is None or was is None or was.inactive == new.inactive:
            return
        verb = "deactivate" if new.inactive else "activate"
        self.guard(path, verb)
        try:
            for below, _ in self._view.walk(path):
                self.guard(below, verb)
        except NotPermitted as refused:
            raise NotPermitted(path_text(path), f"you may not {verb} all of it", refused.remedy) from None

    def _uuid(self, path: Path) -> str:
        """The UUID of an object about to be made: the one it had before, if it was ever there and is not the same
        object under another name now."""
        edit = self._edits.get(path)
        item = (edit.base if edit else None) or self._running.get(path)
        known = item.uuid if item else self._former_uuids.get(path)
        return known if known and self._view.by_uuid(known) in (None, path) else str(uuid.uuid4())
