"""Titled tables in the manner of the routers our operators know: rules of = and -, a count below.

    ======================================================
    Virtual ports                          enterprise acme
    ======================================================
    Name      Domain/Subnet  Address         State
    ------------------------------------------------------
    web-1     prod/web1      10.1.1.11       up
    ------------------------------------------------------
    No. of virtual ports: 1   up 1

A table wider than the terminal leaves out columns that hold nothing, then its spare ones, last first, then cuts its
shrinkable ones, widest first, then any other; nothing is lost when the width is 0 (a pipe or a file). What is worth
reading to its end (a reason, an event, whom a rule is about) stands whole, in further lines:

    pe        169.254.92.6  idle   00:00:21   0  …
      connecting to port 179: no answer within 10 s
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from views.color import Style, marked, of_state
from views.models import Cell, Clock, Column, Moment, Octets, PerSecond, Rate, Table, Trend
from views.moment import ago, clock
from views.quantity import octets_text, per_second_text, rate_text
from views.sparkline import sparkline
from views.wrapping import folded, indented, wrapped

GAP = "  "
NARROWEST = 6
"""Characters below which no column is cut."""
WIDEST_RULE = 160
"""Characters of the rules in a pipe or a file, however long a row is."""
LEAST_RULE = 60
"""Characters of the rules of a narrow table, so that the title has room."""
READABLE = 24
"""Characters of a column in which a text may go on; in a narrower one it stands below its row."""
FOLDED = 18
"""Characters that a column of short texts has before others are left out for it; more of them stand below it."""
BELOW = "  "
NOTHING = "-"


def cell_text(value: Cell, unicode: bool = True) -> str:
    """A value as a person reads it."""
    if value is None or value == "":
        return NOTHING
    if value is True:
        return "yes"
    if value is False:
        return "no"
    if isinstance(value, Clock):
        return clock(value)
    if isinstance(value, Moment):
        return ago(value)
    if isinstance(value, Rate):
        return rate_text(value)
    if isinstance(value, PerSecond):
        return per_second_text(value)
    if isinstance(value, Octets):
        return octets_text(value)
    if isinstance(value, Trend):
        return sparkline(value.values, unicode)
    if isinstance(value, float):
        return f"{value:.1f}"
    return str(value)


def fit(widths: list[int], columns: Sequence[Column], available: int) -> list[int]:
    """Widths that fit into `available` characters: shrinkable columns give way first, the widest of them
    before others, equals alike.
    """
    widths = list(widths)
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - available
    for only_shrinkable in (True, False):
        while excess > 0:
            choice = [
                i
                for i, column in enumerate(columns)
                if widths[i] > NARROWEST and (column.shrink or not only_shrinkable)
            ]
            if not choice:
                break
            widest = max(choice, key=lambda i: widths[i])
            others = [widths[i] for i in choice if widths[i] < widths[widest]]
            alike = len(choice) - len(others)
            step = min(-(-excess // alike), max(1, widths[widest] - max([NARROWEST, *others])))
            widths[widest] -= step
            excess -= step
    return widths


def cut(text: str, width: int, ellipsis: str) -> str:
    """The text in at most `width` characters, with a mark where it was cut."""
    if len(text) <= width:
        return text
    return text[: max(0, width - len(ellipsis))] + ellipsis


STATES = ("state", "result", "kind")
"""Columns whose cells are words of state."""


def render_table(table: Table, width: int = 0, unicode: bool = True, color: bool = False) -> list[str]:
    """The table as lines, without a newline at their ends."""
    seen = [i for i, column in enumerate(table.columns) if not column.unseen]
    rows = [[cell_text(row[i], unicode) for i in seen] for row in table.rows]
    columns = [table.columns[i] for i in seen]
    widths = [max([len(column.title), *(len(row[i]) for row in rows)]) for i, column in enumerate(columns)]
    if width and table.tall and rows and natural(widths) > width:
        return framed(table, [], records(columns, rows, width), natural(widths), width, color)
    under = [""] * len(rows)
    if width:
        kept = fewer(columns, _least(columns, widths), rows, width)
        needs = widths = [widths[i] for i in kept]
        columns, rows = [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]
        widths = fit(needs, columns, width)
        if columns[-1].below and widths[-1] < min(needs[-1], READABLE):
            under = [row.pop() for row in rows]
            columns.pop()
            widths = fit(needs[:-1], columns, width)
    ellipsis = "…" if unicode else "~"
    last = len(widths) - 1
    tinted = {i for i, column in enumerate(columns) if color and column.key in STATES}

    def line(cells: Sequence[str], head: bool = False) -> str:
        parts = []
        for i, text in enumerate(cells):
            text = cut(text, widths[i], ellipsis)
            if columns[i].align == "right":
                text = text.rjust(widths[i])
            elif i != last:
                text = text.ljust(widths[i])
            parts.append(of_state(text) if i in tinted and not head else text)
        return GAP.join(parts).rstrip()

    def row_lines(cells: Sequence[str], head: bool = False) -> list[str]:
        tall, rest = [[text] for text in cells], ""
        for i, text in enumerate(cells):
            if not columns[i].whole or len(text) <= widths[i]:
                continue
            if i != last:
                tall[i] = folded(text, widths[i])
            elif widths[i] >= READABLE:
                tall[i] = wrapped(text, widths[i])
            elif not head:
                tall[i], rest = [ellipsis], text
        lines = [line(parts, head) for parts in zip_longest(*tall, fillvalue="")]
        return lines + (indented(rest, BELOW, width) if rest else [])

    body = [
        text
        for cells, below in zip(rows, under, strict=True)
        for text in (*row_lines(cells), *(indented(below, BELOW, width) if below not in ("", NOTHING) else ()))
    ]
    heading = row_lines([column.title for column in columns], True)
    return framed(table, heading, body, natural(widths), width or WIDEST_RULE, color)


def _least(columns: Sequence[Column], widths: Sequence[int]) -> list[int]:
    """Characters of each column without which others are left out rather than this one made narrower: few where its
    text goes on in further lines, none where it can stand below its row."""
    least = [min(needed, FOLDED) if column.whole else needed for column, needed in zip(columns, widths, strict=True)]
    return [*least[:-1], 0 if columns[-1].below else widths[-1]]


def natural(widths: Sequence[int]) -> int:
    """Characters of a row."""
    return sum(widths) + len(GAP) * (len(widths) - 1)


def fewer(columns: Sequence[Column], widths: Sequence[int], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Which columns a narrow screen has: those with nothing in them go first, then the spare ones, last first."""
    kept = list(range(len(columns)))
    hollow = [i for i in kept[1:] if rows and all(row[i] == NOTHING for row in rows)]
    spare = [i for i in kept if columns[i].spare and i not in hollow]
    for i in (*reversed(hollow), *reversed(spare)):
        if natural([widths[at] for at in kept]) <= width:
            break
        kept.remove(i)
    return kept


def records(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Each row as lines of its own, a value to a line, without those that hold nothing."""
    widest = max(len(column.title) for column in columns)
    lines: list[str] = []
    for row in rows:
        lines += [""] if lines else []
        for column, text in zip(columns, row, strict=True):
            if text != NOTHING:
                label = f"{column.title.ljust(widest)}{GAP}"
                first, *others = wrapped(text, max(1, width - len(label)))
                lines += [label + first, *(" " * len(label) + other for other in others)]
    return lines


def framed(table: Table, heading: Sequence[str], body: Sequence[str], wide: int, widest: int, color: bool) -> list[str]:
    """The rules, the title and the count around rows of `wide` characters; the rules have at most `widest`."""
    total = min(widest, max(wide, len(table.title) + len(table.note) + 4, LEAST_RULE, len(table.summary)))
    title = table.title
    if table.note:
        title = f"{table.title}{' ' * max(2, total - len(table.title) - len(table.note))}{table.note}"
    if color:
        title = marked(title, Style.TITLE)
    top = ["=" * total, title, "=" * total]
    return [*top, *heading, *(["-" * total] if heading else []), *body, "-" * total, table.summary]
