"""The configuration as set lines: one line per object, with all leaves that are not at their default.

set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
annotate enterprise acme domain prod vport web-1 "the first of the front ends"
deactivate enterprise acme domain prod vport web-1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from data.configuration import Configuration
from data.errors import BatchProblem, NshellError, SyntaxProblem
from data.path import Path, path_text, quoted
from data.schema.completion import text_of
from data.schema.nodes import children_of, node_of
from data.schema.objects import Object
from data.schema.redaction import redacted
from data.schema.tokens import column_of, split
from data.schema.verbs import VERBS, Mark, parse_line
from data.schema.words import Assign
from data.text.loaded import Loaded, put

STATING = ("set", "annotate", "deactivate", "activate")
"""Verbs of lines that say what there is; the others say what to do."""


def leaf_texts(path: Path, item: Object) -> list[str]:
    """`keyword value` of each leaf that is set, in schema order."""
    texts = []
    for keyword, leaf in node_of(path).leaves.items():
        value = getattr(item, leaf.field)
        if value is not leaf.default and value != leaf.default:
            text = text_of(leaf, value)
            texts.append(f"{keyword} {text}" if text else keyword)
    return texts


def mark_lines(path: Path, item: Object) -> list[str]:
    """The lines of what an object says about itself beside its leaves."""
    lines = []
    if item.annotation is not None:
        lines.append(f"annotate {path_text(path)} {quoted(item.annotation)}")
    if item.inactive:
        lines.append(f"deactivate {path_text(path)}")
    return lines


def set_lines(view: Configuration, under: Path = ()) -> Iterator[str]:
    """Lines that make the object at `under` and all below it: `set` for its leaves, then what it says beside them.

    In this order they can be applied one after the other: an object is annotated once it is there.
    """
    waiting: list[str] = []
    for path, item in view.walk(under):
        if item.annotation is not None or item.inactive:
            waiting += mark_lines(path, item)
        texts = leaf_texts(path, item)
        if texts:
            yield f"set {path_text(path)} {' '.join(texts)}"
        elif len(path) > 1 and not any(view.count(path, keyword) for keyword in children_of(path)):
            yield f"set {path_text(path)}"
        elif len(path) > 1:
            continue
        yield from waiting
        waiting = []
    yield from waiting


def is_remark(line: str) -> bool:
    """An empty line, or one that begins with '#'."""
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


def at_line(
    source: str, number: int, line: str, problem: NshellError, words_before: int = 1, at: Path = ()
) -> BatchProblem:
    """The problem, with the line it is in and a caret under the word (`words_before`: words such as the verb
    not counted). `at` is where the line stands."""
    line = redacted(line, at)
    column = column_of(line, problem.word + words_before) if isinstance(problem, SyntaxProblem) else None
    return BatchProblem(source, number, line, problem, column=column)


def read_set_lines(lines: Iterable[str], source: str) -> Loaded:
    """Read lines that say what there is, in any order; raises BatchProblem naming the line."""
    loaded = Loaded()
    for number, line in enumerate(lines, 1):
        if is_remark(line):
            continue
        try:
            words = split(line)
            if words[0] not in STATING and words[0] in VERBS:
                raise SyntaxProblem(
                    words[0],
                    f"'{words[0]}' says what to do, not what there is",
                    "use 'load set' for such lines",
                    word=-1,
                )
            for operation in parse_line(words):
                if isinstance(operation, Assign):
                    put(loaded, operation)
                elif isinstance(operation, Mark):
                    loaded.marks.setdefault(operation.path, {})[operation.field] = operation.value
        except NshellError as problem:
            raise at_line(source, number, line.rstrip("\n"), problem) from None
    for path in [path for path in loaded.marks if path in loaded]:
        loaded[path].update(loaded.marks.pop(path))
    return loaded
