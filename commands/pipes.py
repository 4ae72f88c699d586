"""Pipes: what follows a | reshapes the result before it is shown.

On tables they act on the rows, on everything else on lines of text; `json` and `display` choose the form.
Declared in the same grammar engine as commands (mode PIPE), so they complete and explain themselves alike. What a
command gives bit by bit (`monitor`, `refresh`) goes through them part by part: streams.py.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from commands.language.lexer import Word
from commands.language.parse import parse
from commands.language.patterns import pattern
from commands.language.registry import Arguments, Mode, command
from commands.show.configuration import revision_back
from commands.statistics.pictures import form_of, picture
from data.errors import CommandFailed, SyntaxProblem
from views.graph import Graph
from views.json import document, render_json_pretty
from views.models import Cell, Lines, Model, Stream, Table, Tree
from views.render import Screen, render
from views.table import cell_text

if TYPE_CHECKING:
    from commands.context import Context

UNDRAWN = (".pdf", ".jpg", ".jpeg", ".gif", ".webp")
"""Pictures that a graph may be asked for as, and is not drawn as."""


@dataclass(frozen=True, slots=True)
class Output:
    """A result on its way to the screen: the model, the form it was asked for in, and whether a pager may stop it.

    `again` gives the same result anew, where that changes nothing. A `stream` stands in place of the model for what
    comes in parts, each of which still goes through the pipes in `each`.
    """

    model: Model
    form: Literal["text", "json"] = "text"
    pager: bool = True
    again: Callable[[], Awaitable[Output]] | None = None
    stream: Stream | None = None
    each: tuple[Callable[[Output], Awaitable[Output]], ...] = ()

    def lines(self, screen: Screen) -> list[str]:
        """As it would be shown on this screen."""
        return render_json_pretty(self.model) if self.form == "json" else render(self.model, screen)


def output_of(model: Model | Stream | None) -> Output:
    """What a handler returned, as the first output of its line."""
    if isinstance(model, Stream):
        return Output(Lines(()), pager=False, stream=model)
    return Output(model if model is not None else Lines(()))


def as_lines(output: Output) -> Lines:
    """The text of the result, nothing cut, for pipes that act on lines."""
    return Lines(output.lines(Screen()))


def keep_rows(output: Output, wanted: re.Pattern[str], keep: bool) -> Output:
    """The rows or lines that match (or do not)."""
    if isinstance(output.model, Table) and output.form == "text":
        table = output.model
        rows = [row for row in table.rows if any(map(wanted.search, seen(table, row))) is keep]
        return replace(output, model=replace(table, rows=rows, detail=""))
    before = as_lines(output).lines
    lines = [line for line in before if (wanted.search(line) is not None) is keep]
    return output if len(lines) == len(before) else replace(output, model=Lines(lines), form="text")


def seen(table: Table, row: Sequence[Cell]) -> list[str]:
    """The texts of a row that a person can see."""
    cells = zip(table.columns, row, strict=True)
    return [cell_text(cell) for column, cell in cells if cell is not None and not column.unseen]


def part(output: Output, start: int) -> Output:
    """The rows or lines from an index on; negative counts from the end."""
    if isinstance(output.model, Table) and output.form == "text":
        return replace(output, model=replace(output.model, rows=output.model.rows[start:], detail=""))
    return replace(output, model=Lines(as_lines(output).lines[start:]), form="text")


@command("match <pattern>", help="only rows or lines that match", mode=Mode.PIPE)
async def match(context: Context, arguments: Arguments, output: Output) -> Output:
    """Keep what matches."""
    return keep_rows(output, pattern(arguments.values["pattern"]), True)


@command("except <pattern>", help="only rows or lines that do not match", mode=Mode.PIPE)
async def except_(context: Context, arguments: Arguments, output: Output) -> Output:
    """Drop what matches."""
    return keep_rows(output, pattern(arguments.values["pattern"]), False)


@command("find <pattern>", help="from the first row or line that matches on", mode=Mode.PIPE)
async def find(context: Context, arguments: Arguments, output: Output) -> Output:
    """Everything from the first match on; nothing when there is none."""
    wanted = pattern(arguments.values["pattern"])
    if isinstance(output.model, Table) and output.form == "text":
        texts: Sequence[str] = [" ".join(seen(output.model, row)) for row in output.model.rows]
    else:
        texts = as_lines(output).lines
    start = next((index for index, text in enumerate(texts) if wanted.search(text)), len(texts))
    return part(output, start)


@command("last <number>", help="only the last rows or lines", mode=Mode.PIPE)
async def last(context: Context, arguments: Arguments, output: Output) -> Output:
    """The last rows or lines."""
    return part(output, -int(arguments.values["number"]))


@command("count", help="how many rows or lines", mode=Mode.PIPE)
async def count(context: Context, arguments: Arguments, output: Output) -> Output:
    """The number of rows or lines."""
    if isinstance(output.model, Table) and output.form == "text":
        number, what = len(output.model.rows), output.model.counted
    else:
        number, what = len(as_lines(output).lines), "lines"
    return Output(Lines([f"Count: {number} {what}"], {"count": number}))


@command("no-more", help="all at once, without a pager", mode=Mode.PIPE)
async def no_more(context: Context, arguments: Arguments, output: Output) -> Output:
    """No pager."""
    return replace(output, pager=False)


@command("save <file>", help="into a file at your end; a graph as a picture into FILE.svg or FILE.png", mode=Mode.PIPE)
async def save(context: Context, arguments: Arguments, output: Output) -> Output:
    """Write the text to a file instead of the screen."""
    name = arguments.values["file"]
    form = form_of(name)
    if form is not None and isinstance(output.model, Graph) and output.form == "text":
        drawn = await picture(context, output.model, form)
        await context.write_file(name, drawn)
        return Output(Lines([f"{form.upper()} saved to {name}"], {"file": name, "bytes": len(drawn)}))
    if isinstance(output.model, Graph) and output.form == "text" and name.lower().endswith(UNDRAWN):
        raise CommandFailed(name, "pictures are drawn as SVG and PNG", "name the file FILE.svg or FILE.png")
    lines = as_lines(output).lines
    await context.write_file(name, "".join(line + "\n" for line in lines))
    return Output(Lines([f"{len(lines)} lines saved to {name}"], {"file": name, "lines": len(lines)}))


@command("json", help="as JSON", mode=Mode.PIPE)
async def as_json(context: Context, arguments: Arguments, output: Output) -> Output:
    """JSON form."""
    return replace(output, form="json")


@command("table", help="as a table", mode=Mode.PIPE)
async def as_table(context: Context, arguments: Arguments, output: Output) -> Output:
    """Back to the table a result was."""
    if not isinstance(output.model, Table):
        raise CommandFailed("", "the result is not a table", "leave out '| table'")
    return replace(output, form="text")


@command(
    "display {set|json|inheritance}",
    help="configuration in another form",
    mode=Mode.PIPE,
    words={"set": "as set lines", "json": "as JSON", "inheritance": "with what domains inherit from templates"},
)
async def display(context: Context, arguments: Arguments, output: Output) -> Output:
    """Another form of a piece of configuration."""
    if arguments.values["display"] == "json":
        return replace(output, form="json")
    if not isinstance(output.model, Tree):
        raise CommandFailed("", "the result is not configuration", "use '| display set' after show or compare")
    if arguments.values["display"] == "inheritance":
        if output.model.inherited is None:
            raise CommandFailed(
                "",
                "there is nothing that could be inherited",
                "'| display inheritance' stands right behind show (in configure mode) or show configuration",
            )
        return replace(output, model=output.model.inherited())
    return replace(output, model=Lines(list(output.model.set_lines()), document(output.model)))


@command(
    "compare [{rollback <back>|revision <revision>}]",
    help="how the configuration differs from what is running, or was",
    mode=Mode.PIPE,
    words={"rollback": "from that of N commits ago", "revision": "from that of a revision"},
)
async def compare(context: Context, arguments: Arguments, output: Output) -> Output:
    """As Junos has it: `show | compare rollback 1`, `show configuration | compare rollback 1`."""
    if not isinstance(output.model, Tree) or output.model.compared is None:
        raise CommandFailed(
            "",
            "there is nothing to compare",
            "'| compare' stands right behind show (in configure mode) or show configuration",
        )
    back, revision = arguments.get("back"), arguments.get("revision")
    number = revision_back(context, int(back)) if back is not None else None if revision is None else int(revision)
    return replace(output, model=await output.model.compared(number))


@command(
    "sort <column> [descending]",
    help="rows in the order of a column",
    mode=Mode.PIPE,
    words={"descending": "the largest first"},
)
async def sort(context: Context, arguments: Arguments, output: Output) -> Output:
    """Numbers by their value, text as text, what is not there last."""
    if not isinstance(output.model, Table):
        raise CommandFailed("", "the result is not a table", "leave out '| sort'")
    table, wanted = output.model, arguments.values["column"].lower()
    at = next((i for i, one in enumerate(table.columns) if wanted in (one.key.lower(), one.title.lower())), None)
    if at is None:
        names = ", ".join(column.key for column in table.columns)
        raise CommandFailed(f"sort {wanted}", "there is no such column", f"there are: {names}")
    there = [row for row in table.rows if row[at] not in (None, "")]
    absent = [row for row in table.rows if row[at] in (None, "")]
    numbers = all(isinstance(row[at], (int, float)) for row in there)
    there.sort(key=lambda row: row[at] if numbers else natural(str(row[at])), reverse=arguments.has("descending"))  # type: ignore[arg-type,return-value]
    return replace(output, model=replace(table, rows=there + absent))


def natural(text: str) -> list[tuple[int, str]]:
    """A key by which hv2 comes before hv10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]


async def run_pipe(words: tuple[Word, ...], context: Context, output: Output, abbreviations: bool) -> Output:
    """Send a result through one pipe. Raises SyntaxProblem with the place of the word in `words`."""
    if not words:
        raise SyntaxProblem("", "a pipe is missing after |", "type | ? for what there is", word=0)
    chosen, arguments = parse(Mode.PIPE, words, context, abbreviations)

    async def pipe(before: Output) -> Output:
        result = await chosen.handler(context, arguments, before)
        assert isinstance(result, Output)
        return result

    if output.stream is not None:
        from commands.streams import through

        return await through(output, pipe, chosen.grammar.split()[0])
    result = await pipe(output)
    before = output.again
    if before is not None and result.stream is None:

        async def again() -> Output:
            return await pipe(await before())

        result = replace(result, again=again)
    return result
