"""The configuration as set lines: one line per object, with all leaves that are not at their default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from data.configuration import Configuration
from data.errors import BatchProblem, NshellError, SyntaxProblem
from data.path import Path, path_text
from data.schema.completion import text_of
from data.schema.nodes import children_of, node_of
from data.schema.objects import Object
from data.schema.tokens import column_of, split
from data.schema.words import parse_set
from data.text.loaded import Loaded, put


def leaf_texts(path: Path, item: Object) -> list[str]:
    """`keyword value` of each leaf that is set, in schema order."""
    texts = []
    for keyword, leaf in node_of(path).leaves.items():
        value = getattr(item, leaf.field)
        if value is not leaf.default and value != leaf.default:
            text = text_of(leaf, value)
            texts.append(f"{keyword} {text}" if text else keyword)
    return texts


def set_lines(view: Configuration, under: Path = ()) -> Iterator[str]:
    """Lines that make the object at `under` and all below it, each beginning with `set`."""
    for path, item in view.walk(under):
        texts = leaf_texts(path, item)
        if texts:
            yield f"set {path_text(path)} {' '.join(texts)}"
        elif not any(view.count(path, keyword) for keyword in children_of(path)):
            yield f"set {path_text(path)}"


def is_remark(line: str) -> bool:
    """An empty line, or one that begins with '#'."""
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


def at_line(source: str, number: int, line: str, problem: NshellError, words_before: int = 1) -> BatchProblem:
    """The problem, with the line it is in and a caret under the word (`words_before`: words such as the verb
    not counted)."""
    column = column_of(line, problem.word + words_before) if isinstance(problem, SyntaxProblem) else None
    return BatchProblem(source, number, line, problem, column=column)


def read_set_lines(lines: Iterable[str], source: str) -> Loaded:
    """Read lines of `set` alone; raises BatchProblem naming the line."""
    loaded: Loaded = {}
    for number, line in enumerate(lines, 1):
        if is_remark(line):
            continue
        try:
            verb, *words = split(line)
            if verb != "set":
                raise SyntaxProblem(
                    verb, f"'{verb}' is not 'set'", "use 'load set' for lines that also delete", word=-1
                )
            for assign in parse_set(words):
                put(loaded, assign)
        except NshellError as problem:
            raise at_line(source, number, line.rstrip("\n"), problem) from None
    return loaded
