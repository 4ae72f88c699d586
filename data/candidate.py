"""A user's private candidate: the running configuration with that user's edits, kept apart until committed.

This module has the commands. Each is all or nothing. `unsaved` says what the store has to keep; the caller
saves it in the writer thread, once per command.

What may take seconds (a batch or a load of 100,000 lines, a rollback) comes in steps as well: `copied`, then
`loading` or `rolling_back` or slices of `apply_batch` on the copy, which takes the candidate's place when all
of it has succeeded. Until then everybody sees the candidate as it was. Next: `verbs.py`, then `edits.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from data.configuration import Configuration, Edits
from data.errors import CommandFailed, Conflict, MergeConflict, NshellError, SyntaxProblem
from data.path import Path
from data.schema.nodes import Node, node_of, order_key, parent_of
from data.schema.objects import Object
from data.schema.redaction import redacted
from data.schema.secret import HIDDEN
from data.schema.tokens import split
from data.schema.verbs import (
    Mark,
    Operation,
    parse_activate,
    parse_annotate,
    parse_copy,
    parse_deactivate,
    parse_line,
    parse_rename,
)
from data.schema.words import Assign, listed, parse_delete, parse_set
from data.steps import Steps, at_once
from data.text.loaded import Loaded
from data.text.read import read
from data.text.set_lines import at_line, is_remark
from data.verbs import Verbs, without_hidden

LOAD_MODES = {
    "merge": "add to what is there",
    "replace": "take the place of each top-level part that the text has",
    "override": "take the place of everything",
    "set": "lines of set, delete, rename, copy, annotate, deactivate and activate, in their order",
}
"""What `load` can do, with help."""

_STEP = 16
"""Objects or lines between two looks at the clock, about 500 µs."""

_SAID = 120
"""Characters of a command that `undo` repeats."""

Blame = Callable[[Path], tuple[int, str] | None]
"""Revision and author of the last change of a path, if known."""


class Candidate(Verbs):
    """The private candidate of one user. Not thread-safe: it belongs to the event loop."""

    # Commands

    def set(self, words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> None:
        """Apply `set` followed by `words`; raises SyntaxProblem with nothing changed."""
        self._command(parse_set(words, at=at, abbreviations=abbreviations), "set", words, at)

    def delete(self, words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> None:
        """Apply `delete` followed by `words`; raises SyntaxProblem or NothingThere with nothing changed."""
        self._command([parse_delete(words, at=at, abbreviations=abbreviations)], "delete", words, at)

    def rename(self, words: Sequence[str], name: str, *, at: Path = (), abbreviations: bool = False) -> None:
        """Give the list entry at `words` another name: UUIDs stay, and references to it inside the scope follow.

        Raises SyntaxProblem, NothingThere, or CommandFailed when the name is taken.
        """
        operation = parse_rename(words, name, at=at, abbreviations=abbreviations)
        self._command([operation], "rename", [*words, "to", name], at)

    def copy(self, words: Sequence[str], name: str, *, at: Path = (), abbreviations: bool = False) -> None:
        """Make the list entry at `words` with all below it once more, with new UUIDs. Raises as `rename`."""
        operation = parse_copy(words, name, at=at, abbreviations=abbreviations)
        self._command([operation], "copy", [*words, "to", name], at)

    def annotate(self, words: Sequence[str], text: str, *, at: Path = (), abbreviations: bool = False) -> None:
        """Put a remark before the object at `words`, or take it away (""); raises SyntaxProblem or NothingThere."""
        operation = parse_annotate(words, text, at=at, abbreviations=abbreviations)
        self._command([operation], "annotate", [*words, text], at)

    def deactivate(self, words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> None:
        """Let the object at `words` and all below it have no effect; raises SyntaxProblem or NothingThere."""
        operation = parse_deactivate(words, at=at, abbreviations=abbreviations)
        self._command([operation], "deactivate", words, at)

    def activate(self, words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> None:
        """Let the object at `words` have effect again; raises SyntaxProblem or NothingThere."""
        operation = parse_activate(words, at=at, abbreviations=abbreviations)
        self._command([operation], "activate", words, at)

    def undo(self) -> str:
        """Take back the latest command that changed the candidate; returns what it was, in words.

        Raises CommandFailed when there is none. A step that this candidate's commit has made a revision is none: that
        is what `rollback` is for.
        """
        self._rebase()
        step, self._slices = self._history.take(), None
        if step is None:
            raise CommandFailed("undo", "nothing to undo", "'rollback 1' goes back behind the latest commit")
        for path, edit in step.before.items():
            self._note(path)
            self._restore(path, edit)
        self._revision = -1
        return f"took back: {step.said}"

    def _command(self, operations: Iterable[Operation], verb: str, words: Sequence[str], at: Path) -> None:
        self._rebase()
        with self._all_or_nothing(shortened(redacted([verb, *at, *words]))):
            for operation in operations:
                self._do(operation)

    def apply_batch(self, lines: Iterable[str], source: str, *, at: Path = ()) -> int:
        """Apply lines that begin with one of VERBS, skipping empty ones and remarks; returns how many there were.

        Raises BatchProblem naming `source` and the line, with nothing changed.
        """
        self._rebase()
        lines = list(lines)
        # A slice of a long batch, which is applied to a copy, must be called like its others.
        alone = len(lines) == 1 and not self._copied
        with self._all_or_nothing(shortened(redacted(lines[0].strip(), at)) if alone else f"lines of {source}"):
            return at_once(self._lines(lines, source, at))

    def _lines(self, lines: Iterable[str], source: str, at: Path = ()) -> Steps[int]:
        applied = 0
        for number, line in enumerate(lines, 1):
            if number % _STEP == 0:
                yield
            if is_remark(line):
                continue
            try:
                for operation in parse_line(split(line), at):
                    self._do(operation)
            except NshellError as problem:
                raise at_line(source, number, line.strip(), problem, at=at) from None
            applied += 1
        return applied

    def load(self, mode: str, text: str, source: str = "terminal") -> None:
        """Load set lines, a hierarchy or JSON in one of LOAD_MODES; raises SyntaxProblem or BatchProblem with
        nothing changed."""
        contents = readable(mode, text, source)
        with self._all_or_nothing(f"load {mode} of {source}"):
            at_once(self.loading(mode, contents, source))

    def loading(self, mode: str, contents: Loaded | Sequence[str], source: str = "terminal") -> Steps[None]:
        """The same in steps, of what `readable` made of the text. For a copy: not all or nothing by itself."""
        self._rebase()
        with self._recorded(f"load {mode} of {source}"):
            if not isinstance(contents, Loaded):
                yield from self._lines(contents, source)
                return
            if mode == "merge":
                for number, (path, leaves) in enumerate(contents.items()):
                    self._assign(Assign(path, node_of(path), leaves))
                    if number % _STEP == 0:
                        yield
            else:
                tops: list[Path] = [()] if mode == "override" else [path for path in contents if not parent_of(path)]
                yield from self._replace(contents, tops)
            for path, marks in contents.marks.items():
                for field, value in marks.items():
                    self._mark(Mark(path, field, value))

    def rollback_to(self, objects: Mapping[Path, Object]) -> None:
        """Make the candidate equal to these objects (a former revision), UUIDs included. Costs the
        configuration."""
        with self._all_or_nothing("rollback"):
            at_once(self.rolling_back(objects))

    def rolling_back(self, objects: Mapping[Path, Object]) -> Steps[None]:
        """The same in steps. For a copy: not all or nothing by itself."""
        self._rebase()
        with self._recorded("rollback"):
            self._forget_all()
            self._clashes = []
            self._verb = "delete"
            yield from self._delete_but(objects, self._running, ())
            self._verb = "set"
            for number, (path, item) in enumerate(objects.items()):
                if self.confine is None or self.confine(path):
                    self._write(path, item)
                if number % _STEP == 0:
                    yield

    def discard(self) -> None:
        """Forget every edit."""
        self._rebase()
        with self._recorded("discard"):
            self._forget_all()
        self._clashes = []
        self._former_uuids = {}

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

    def _replace(self, loaded: Loaded, tops: list[Path]) -> Steps[None]:
        """Make everything at or below each of `tops` exactly what was loaded."""
        self._verb = "delete"
        for top in tops:
            yield from self._delete_but(loaded, self._view, top)
        self._verb = "set"
        for number, (path, leaves) in enumerate(loaded.items()):
            item = self._view.get(path)
            node = node_of(path)
            given = {**_kept_secrets(node, item, leaves), **without_hidden(node, leaves)}
            made = node.kind(uuid=item.uuid if item else self._uuid(path), **given)  # type: ignore[arg-type]
            if made != item:
                self._write(path, made)
            if number % _STEP == 0:
                yield

    def _delete_but(self, kept: Container[Path], view: Configuration, top: Path) -> Steps[None]:
        """Delete what lies at or below `top` and is not in `kept`, and not outside what this is confined to: that
        stays, with the objects that it is in."""
        above_outside: set[Path] = set()
        for number, path in enumerate(reversed((yield from _paths(view, top)))):
            if number % _STEP == 0:
                yield
            if path in kept:
                continue
            if path in above_outside or (self.confine is not None and not self.confine(path)):
                above_outside.add(parent_of(path))
            else:
                self._write(path, None)


def shortened(text: str) -> str:
    """A command as one line of a message."""
    return text if len(text) <= _SAID else text[: _SAID - 3] + "..."


def _kept_secrets(node: Node, item: Object | None, leaves: dict[str, object]) -> dict[str, object]:
    """The secrets of the object that the leaves give as hidden."""
    if item is None or HIDDEN not in leaves.values():
        return {}
    return {
        field: getattr(item, field)
        for field, leaf in node.fields.items()
        if leaf.secret and leaves.get(field) == HIDDEN
    }


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
