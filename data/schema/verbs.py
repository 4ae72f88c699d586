"""The language of editing lines, all verbs: a line of words in, typed operations out.

    set PATH ...          delete PATH ...               words.py
    rename PATH to NAME   copy PATH to NAME             a list entry gets another name, or exists once more
    annotate PATH "TEXT"                                a remark that stays with the object; "" takes it away
    deactivate PATH       activate PATH                 configured and without effect, and back

Files, batches and the candidate's own commands all come through here. Next: `data/verbs.py`, which carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from data.errors import SyntaxProblem
from data.path import Path, path_text
from data.schema.nodes import TOP, node_of
from data.schema.redaction import redacted
from data.schema.types import BadValue, parse_annotation
from data.schema.words import Assign, Reader, Remove, listed, parse_delete, parse_path, parse_set


@dataclass(frozen=True, slots=True)
class Rename:
    """Give the list entry at `path` another name."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Make the list entry at `path`, with all below it, once more under another name."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Say something about the object at `path` beside its leaves: `field` is annotation or inactive."""

    path: Path
    field: str
    value: object


Operation = Assign | Remove | Rename | Copy | Mark


def parse_rename(words: Sequence[str], name: str, *, at: Path = (), abbreviations: bool = False) -> Rename:
    """The operation of `rename WORDS to NAME`; raises SyntaxProblem."""
    path = _entry("rename", words, at, abbreviations)
    return Rename(path, _name(path, name, len(words)))


def parse_copy(words: Sequence[str], name: str, *, at: Path = (), abbreviations: bool = False) -> Copy:
    """The operation of `copy WORDS to NAME`; raises SyntaxProblem."""
    path = _entry("copy", words, at, abbreviations)
    return Copy(path, _name(path, name, len(words)))


def parse_annotate(words: Sequence[str], text: str, *, at: Path = (), abbreviations: bool = False) -> Mark:
    """The operation of `annotate WORDS "TEXT"`; raises SyntaxProblem."""
    path = _place("annotate", words, at, abbreviations)
    try:
        value = parse_annotation(text)
    except BadValue as bad:
        raise SyntaxProblem(path_text(path), bad.cause, bad.remedy, word=len(words)) from None
    return Mark(path, "annotation", value or None)


def parse_deactivate(words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> Mark:
    """The operation of `deactivate WORDS`; raises SyntaxProblem."""
    return Mark(_place("deactivate", words, at, abbreviations), "inactive", True)


def parse_activate(words: Sequence[str], *, at: Path = (), abbreviations: bool = False) -> Mark:
    """The operation of `activate WORDS`; raises SyntaxProblem."""
    return Mark(_place("activate", words, at, abbreviations), "inactive", False)


def _place(verb: str, words: Sequence[str], at: Path, abbreviations: bool) -> Path:
    path = parse_path(words, at=at, abbreviations=abbreviations)
    if not path:
        raise SyntaxProblem(verb, f"what to {verb} is missing", f"add one of: {listed(TOP)}", expected=tuple(TOP))
    return path


def _entry(verb: str, words: Sequence[str], at: Path, abbreviations: bool) -> Path:
    path = _place(verb, words, at, abbreviations)
    if node_of(path).key is None:
        where = path_text(path)
        raise SyntaxProblem(where, f"{where} exists once and has no name", f"{verb} something that has a name")
    return path


def _name(path: Path, name: str, word: int) -> str:
    reader = Reader((name,), path[:-2])
    try:
        reader.enter(node_of(path))
    except SyntaxProblem as problem:
        raise SyntaxProblem(path_text(path), problem.cause, problem.remedy, word=word + 1) from None
    return reader.path[-1]


def _renaming(parse: Callable[..., Rename | Copy], verb: str) -> Callable[[Sequence[str], Path], list[Operation]]:
    def of_line(words: Sequence[str], at: Path) -> list[Operation]:
        if len(words) < 3 or words[-2] != "to":
            raise SyntaxProblem(
                path_text((*at, redacted(words, at))),
                "the new name is missing",
                f"write: {verb} <path> to <name>",
                word=len(words),
                expected=("to",),
            )
        return [parse(words[:-2], words[-1], at=at)]

    return of_line


def _annotating(words: Sequence[str], at: Path) -> list[Operation]:
    if not words:
        raise SyntaxProblem("annotate", "the text is missing", 'write: annotate <path> "<text>"', word=0)
    return [parse_annotate(words[:-1], words[-1], at=at)]


VERBS: dict[str, Callable[[Sequence[str], Path], Sequence[Operation]]] = {
    "set": lambda words, at: parse_set(words, at=at),
    "delete": lambda words, at: [parse_delete(words, at=at)],
    "rename": _renaming(parse_rename, "rename"),
    "copy": _renaming(parse_copy, "copy"),
    "annotate": _annotating,
    "deactivate": lambda words, at: [parse_deactivate(words, at=at)],
    "activate": lambda words, at: [parse_activate(words, at=at)],
}
"""The first word of a line, and how to read the others."""


def parse_line(words: Sequence[str], at: Path = ()) -> Sequence[Operation]:
    """The operations of a whole line, in their order; raises SyntaxProblem, whose `word` does not count the verb."""
    parse = VERBS.get(words[0])
    if parse is None:
        shown = redacted(words[0])  # in quotes by mistake it may be a whole line
        raise SyntaxProblem(
            shown, f"'{shown}' is not a command here", f"use {listed(VERBS)}", word=-1, expected=tuple(VERBS)
        )
    return parse(words[1:], at)
