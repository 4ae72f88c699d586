"""The configuration as a hierarchy with braces, and with a column of marks for differences.

    enterprise acme {
        domain prod {
            policy-group frontends;
            /* the first of the front ends */
            inactive: vport web-1 {
                address [ 10.1.1.11 10.1.1.12 ];
            }
        }
    }

Reading accepts what printing makes, and any words before `{` or `;` that `set` accepts. `/* */` before an object is
its annotation, anywhere else a remark, as is `#` up to the end of the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from data.configuration import Configuration
from data.errors import NshellError, SyntaxProblem
from data.path import Path, path_text
from data.schema.nodes import TOP, node_of
from data.schema.objects import Object
from data.schema.redaction import redacted
from data.schema.types import BadValue, parse_annotation
from data.schema.words import parse_path, parse_set
from data.text.loaded import Loaded, place, put, without_empty_containers
from data.text.set_lines import at_line, leaf_texts

INDENT = "    "

INACTIVE, ACTIVE = "inactive:", "active:"
"""The word before an object that is deactivated, and in a difference before one that is so no longer."""


class Block(NamedTuple):
    """One object to print: its path, its mark, the texts of its leaves, each with a mark, the remarks before it, and
    the word before its name."""

    path: Path
    mark: str
    leaves: list[tuple[str, str]]
    remarks: tuple[tuple[str, str], ...] = ()
    word: str = ""


def remark(annotation: str) -> str:
    """An annotation as it stands before its object."""
    return f"/* {annotation} */"


def hierarchy_lines(view: Configuration, under: Path = ()) -> Iterator[str]:
    """The object at `under` and all below it; the leaves of `under` itself stand at the left margin."""
    blocks = (block(path, "", item) for path, item in view.walk(under))
    for _, line in braced(blocks, under):
        yield line


def block(path: Path, mark: str, item: Object) -> Block:
    """A whole object."""
    return Block(
        path,
        mark,
        [(mark, text) for text in leaf_texts(path, item)],
        ((mark, remark(item.annotation)),) if item.annotation is not None else (),
        INACTIVE if item.inactive else "",
    )


def braced(blocks: Iterable[Block], under: Path = ()) -> Iterator[tuple[str, str]]:
    """Lines with braces, each with its mark, of blocks in the order of `Configuration.walk`.

    Objects above a block that are no blocks themselves are opened without a mark.
    """
    opened: list[tuple[Path, str]] = []
    waiting: Block | None = None

    def head(one: Block, end: str) -> Iterator[tuple[str, str]]:
        indent = INDENT * len(opened)
        for remark_mark, text in one.remarks:
            yield remark_mark, indent + text
        word = one.word + " " if one.word else ""
        yield one.mark, f"{indent}{word}{path_text(one.path[opened_length() :])}{end}"

    def opened_length() -> int:
        return len(opened[-1][0]) if opened else len(under)

    for one in blocks:
        path = one.path
        if waiting is not None:
            if path[: len(waiting.path)] == waiting.path:
                yield from head(waiting, " {")
                opened.append((waiting.path, waiting.mark))
            else:
                yield from head(waiting, ";")
            waiting = None
        while opened and path[: len(opened[-1][0])] != opened[-1][0]:
            closed = opened.pop()
            yield closed[1], f"{INDENT * len(opened)}}}"
        while len(path) - opened_length() > 2:
            above = path[: opened_length() + 2]
            yield from head(Block(above, "", []), " {")
            opened.append((above, ""))
        if path == under:
            yield from (
                (mark, f"# {text}") for mark, text in (*one.remarks, *([(one.mark, one.word)] * bool(one.word)))
            )
            for leaf_mark, text in one.leaves:
                yield leaf_mark, f"{text};"
        elif one.leaves:
            yield from head(one, " {")
            opened.append((path, one.mark))
            for leaf_mark, text in one.leaves:
                yield leaf_mark, f"{INDENT * len(opened)}{text};"
        else:
            waiting = one
    if waiting is not None:
        yield from head(waiting, ";")
    while opened:
        closed = opened.pop()
        yield closed[1], f"{INDENT * len(opened)}}}"


_PIECE = re.compile(
    r'(?P<space>\s+|\#[^\n]*)|/\*(?P<remark>.*?)\*/|(?P<mark>[{};\[\]])|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s{};"\[\]]+)',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)")
_WORDS, _SAID = 12, 120
"""Words and characters of a statement that an error repeats."""


def read_hierarchy(text: str, source: str) -> Loaded:
    """Read a hierarchy; raises BatchProblem naming the line."""
    loaded = Loaded()
    opened: list[tuple[Path, int]] = []
    words: list[str] = []
    remarks: list[str] = []
    position = 0
    line = 1

    def fail(cause: str, remedy: str, at_line_number: int) -> NshellError:
        where = path_text(opened[-1][0]) if opened else source
        return numbered(SyntaxProblem(where, cause, remedy), at_line_number)

    def numbered(problem: NshellError, number: int) -> NshellError:
        shown = text.splitlines()[number - 1].strip() if text.strip() else ""
        return at_line(source, number, shown, problem, words_before=0, at=opened[-1][0] if opened else ())

    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise fail("a quote or a remark is not closed", "close it", line)
        position = match.end()
        at = opened[-1][0] if opened else ()
        if match["remark"] is not None:
            if not words:
                remarks.append(match["remark"])
        elif match["quoted"] is not None:
            words.append(_ESCAPE.sub(r"\1", match["quoted"]))
        elif match["word"] or match["mark"] in ("[", "]"):
            words.append(match["word"] or match["mark"])
        elif match["mark"] == "}":
            if words:
                raise fail(f"'{_begun(words, at)}' is not ended", "end each statement with ';'", line)
            if not opened:
                raise fail("'}' closes nothing", "remove it", line)
            opened.pop()
            remarks = []
        elif match["mark"]:
            if not words:
                raise fail(f"nothing stands before '{match['mark']}'", "remove it", line)
            try:
                if match["mark"] == "{":
                    opened.append((_open(loaded, words, at, remarks), line))
                else:
                    _statement(loaded, words, at, remarks)
            except NshellError as problem:
                raise numbered(problem, line) from None
            words, remarks = [], []
        line += match[0].count("\n")
    if words:
        raise fail(
            f"'{_begun(words, opened[-1][0] if opened else ())}' is not ended",
            "end each statement with ';'",
            min(line, len(text.splitlines())),
        )
    if opened:
        raise fail(f"'{path_text(opened[-1][0])} {{' is not closed", "add '}'", opened[-1][1])
    return without_empty_containers(loaded)


def _begun(words: list[str], at: Path) -> str:
    """How a statement begins that was never ended: without a ';' it is all the rest of a file."""
    said = redacted(words[:_WORDS], at)
    return said if len(words) <= _WORDS and len(said) <= _SAID else f"{said[:_SAID]} ..."


def _open(loaded: Loaded, words: list[str], at: Path, remarks: list[str]) -> Path:
    state, rest = _state(words)
    if not rest:
        raise SyntaxProblem(
            path_text(at), f"nothing stands behind '{words[0]}'", "write it before the name of an object"
        )
    path = parse_path(rest, at=at)
    place(loaded, path, node_of(path), {**state, **_annotation(path, remarks)})
    return path


def _statement(loaded: Loaded, words: list[str], at: Path, remarks: list[str]) -> None:
    state, rest = _state(words)
    first = TOP.get(rest[0]) if rest and not at else None
    path: Path = tuple(rest[:1])
    if first is None or first.key is not None or len(rest) > 1:
        assigned = parse_set(rest, at=at)
        for assign in assigned:
            put(loaded, assign)
        path = assigned[-1].path
    if path != at:
        place(loaded, path, node_of(path), {**state, **_annotation(path, remarks)})
    elif state:
        raise SyntaxProblem(path_text(path), f"only an object can be {words[0][:-1]}", "write it before its name")


def _state(words: list[str]) -> tuple[dict[str, object], list[str]]:
    """What the first word says about the object, and the other words."""
    if words[0] in (INACTIVE, ACTIVE):
        return {"inactive": words[0] == INACTIVE}, words[1:]
    return {}, words


def _annotation(path: Path, remarks: list[str]) -> dict[str, object]:
    try:
        text = parse_annotation(" ".join(remarks))
    except BadValue as bad:
        raise SyntaxProblem(path_text(path), bad.cause, f"{bad.remedy}; '#' begins a remark that is not kept") from None
    return {"annotation": text} if text else {}
