"""The configuration as a hierarchy with braces, and with a column of marks for differences.

    enterprise acme {
        domain prod {
            policy-group frontends;
            vport web-1 {
                address [ 10.1.1.11 10.1.1.12 ];
            }
        }
    }

Reading accepts what printing makes, and any words before `{` or `;` that `set` accepts; `#` and `/* */` are
remarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from data.configuration import Configuration
from data.errors import NshellError, SyntaxProblem
from data.path import Path, path_text
from data.schema.nodes import TOP, node_of
from data.schema.words import parse_path, parse_set
from data.text.loaded import Loaded, place, put, without_empty_containers
from data.text.set_lines import at_line, leaf_texts

INDENT = "    "

Block = tuple[Path, str, list[tuple[str, str]]]
"""One object to print: its path, its mark, and the texts of its leaves, each with a mark."""


def hierarchy_lines(view: Configuration, under: Path = ()) -> Iterator[str]:
    """The object at `under` and all below it; the leaves of `under` itself stand at the left margin."""
    blocks = ((path, "", [("", text) for text in leaf_texts(path, item)]) for path, item in view.walk(under))
    for _, line in braced(blocks, under):
        yield line


def braced(blocks: Iterable[Block], under: Path = ()) -> Iterator[tuple[str, str]]:
    """Lines with braces, each with its mark, of blocks in the order of `Configuration.walk`.

    Objects above a block that are no blocks themselves are opened without a mark.
    """
    opened: list[tuple[Path, str]] = []
    waiting: tuple[Path, str] | None = None

    def indent() -> str:
        return INDENT * len(opened)

    def head(path: Path) -> str:
        return path_text(path[opened_length() :])

    def opened_length() -> int:
        return len(opened[-1][0]) if opened else len(under)

    for path, mark, leaves in blocks:
        if waiting is not None:
            if path[: len(waiting[0])] == waiting[0]:
                yield waiting[1], f"{indent()}{head(waiting[0])} {{"
                opened.append(waiting)
            else:
                yield waiting[1], f"{indent()}{head(waiting[0])};"
            waiting = None
        while opened and path[: len(opened[-1][0])] != opened[-1][0]:
            closed = opened.pop()
            yield closed[1], f"{indent()}}}"
        while len(path) - opened_length() > 2:
            above = path[: opened_length() + 2]
            yield "", f"{indent()}{head(above)} {{"
            opened.append((above, ""))
        if path == under:
            for leaf_mark, text in leaves:
                yield leaf_mark, f"{text};"
        elif leaves:
            yield mark, f"{indent()}{head(path)} {{"
            opened.append((path, mark))
            for leaf_mark, text in leaves:
                yield leaf_mark, f"{indent()}{text};"
        else:
            waiting = (path, mark)
    if waiting is not None:
        yield waiting[1], f"{indent()}{head(waiting[0])};"
    while opened:
        closed = opened.pop()
        yield closed[1], f"{indent()}}}"


_PIECE = re.compile(
    r'(?P<space>\s+|\#[^\n]*|/\*.*?\*/)|(?P<mark>[{};\[\]])|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s{};"\[\]]+)',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)")


def read_hierarchy(text: str, source: str) -> Loaded:
    """Read a hierarchy; raises BatchProblem naming the line."""
    loaded: Loaded = {}
    opened: list[tuple[Path, int]] = []
    words: list[str] = []
    position = 0
    line = 1

    def fail(cause: str, remedy: str, at_line_number: int) -> NshellError:
        where = path_text(opened[-1][0]) if opened else source
        return numbered(SyntaxProblem(where, cause, remedy), at_line_number)

    def numbered(problem: NshellError, number: int) -> NshellError:
        shown = text.splitlines()[number - 1].strip() if text.strip() else ""
        return at_line(source, number, shown, problem, words_before=0)

    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise fail("a quote or a remark is not closed", "close it", line)
        position = match.end()
        at = opened[-1][0] if opened else ()
        if match["quoted"] is not None:
            words.append(_ESCAPE.sub(r"\1", match["quoted"]))
        elif match["word"] or match["mark"] in ("[", "]"):
            words.append(match["word"] or match["mark"])
        elif match["mark"] == "}":
            if words:
                raise fail(f"'{' '.join(words)}' is not ended", "end each statement with ';'", line)
            if not opened:
                raise fail("'}' closes nothing", "remove it", line)
            opened.pop()
        elif match["mark"]:
            if not words:
                raise fail(f"nothing stands before '{match['mark']}'", "remove it", line)
            try:
                if match["mark"] == "{":
                    path = parse_path(words, at=at)
                    place(loaded, path, node_of(path), {})
                    opened.append((path, line))
                else:
                    _statement(loaded, words, at)
            except NshellError as problem:
                raise numbered(problem, line) from None
            words = []
        line += match[0].count("\n")
    if words:
        raise fail(
            f"'{' '.join(words)}' is not ended",
            "end each statement with ';'",
            min(line, len(text.splitlines())),
        )
    if opened:
        raise fail(f"'{path_text(opened[-1][0])} {{' is not closed", "add '}'", opened[-1][1])
    return without_empty_containers(loaded)


def _statement(loaded: Loaded, words: list[str], at: Path) -> None:
    first = TOP.get(words[0]) if not at else None
    if first is not None and first.key is None and len(words) == 1:
        return
    for assign in parse_set(words, at=at):
        put(loaded, assign)
