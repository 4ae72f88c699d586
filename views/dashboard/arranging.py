"""Which rows of a table are shown, in which order: filter and sort as steps, for tables of 10,000 rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from data.steps import Steps
from views.models import Cell, Moment, Octets, Table, Trend

__all__ = ["TREND", "Cells", "arranged", "joined", "matches", "only", "rank"]

Cells: TypeAlias = "tuple[Cell, ...]"
STEP = 64
"""Rows of one step."""
CHANGING = (float, Moment, Octets, Trend)
"""What changes by itself all the time: no filter looks at it."""
TREND = "trend"
"""Key of the column of sparklines; a narrow one shows the latest values."""
_DIGITS = re.compile(r"\d+")


def arranged(
    table: Table, words: str, keep: Callable[[Cells], bool] | None, sorting: tuple[str, bool] | None
) -> Steps[Sequence[Cells]]:
    """The rows in which all words stand and that `keep` wants, by a column (its key, and whether the largest comes
    first). Without any of these it is the table's own list, and costs nothing.
    """
    rows: Sequence[Cells] = table.rows
    needles = words.lower().split()
    if needles or keep is not None:
        kept = []
        for number, row in enumerate(rows):
            if number % STEP == 0:
                yield
            if (keep is None or keep(row)) and (not needles or matches(row, needles)):
                kept.append(row)
        rows = kept
    at = next((at for at, column in enumerate(table.columns) if sorting and column.key == sorting[0]), None)
    if at is None or sorting is None:
        return rows
    ordered = []
    for number, row in enumerate(rows):
        if number % STEP == 0:
            yield
        ordered.append((*rank(row[at]), number))
    ordered.sort(reverse=sorting[1])
    yield
    return [rows[entry[-1]] for entry in ordered]


def joined(base: Table, other: Table | None, name: Callable[[Cells], object], keys: Sequence[str]) -> Steps[Table]:
    """The rows of one table with columns of another behind them, where it has a row of this name in its first column;
    nothing where it has none.
    """
    if other is None:
        return base
    there = {column.key for column in base.columns}
    wanted = [at for at, column in enumerate(other.columns) if column.key in keys and column.key not in there]
    found = {}
    for row in other.rows:
        found[row[0]] = tuple(row[at] for at in wanted)
    nothing: Cells = (None,) * len(wanted)
    rows = []
    for number, row in enumerate(base.rows):
        if number % STEP == 0:
            yield
        rows.append((*row, *found.get(name(row), nothing)))  # type: ignore[call-overload]
    columns = (*base.columns, *(other.columns[at] for at in wanted))
    return replace(base, columns=columns, rows=rows)


def matches(row: Cells, needles: Sequence[str]) -> bool:
    """Whether every word stands somewhere in the row; times and rates, which change by themselves, do not count."""
    text = " ".join(str(cell) for cell in row if cell is not None and not isinstance(cell, CHANGING))
    text = text.lower()
    return all(needle in text for needle in needles)


def rank(cell: Cell) -> tuple[int, float, str]:
    """What a cell is sorted by: numbers by size, texts with the numbers in them by size; nothing last."""
    if cell is None or cell == "":
        return 2, 0.0, ""
    if isinstance(cell, Trend):
        return 0, float((cell.values[-1] if cell.values else 0) or 0), ""
    if isinstance(cell, (int, float)):
        return 0, float(cell), ""
    return 1, 0.0, _DIGITS.sub(lambda found: found[0].zfill(12), str(cell).lower())


def only(table: Table, keys: Sequence[str], spare: Sequence[str] = (), rest: bool = False) -> Steps[Table]:
    """The table with these of its columns, in this order; a narrow screen leaves out the `spare` ones, last first.
    Those that are named as spare alone come behind the others; with `rest` all others behind them, unseen.
    """
    at = {column.key: number for number, column in enumerate(table.columns)}
    order = [at[key] for key in (*keys, *(key for key in spare if key not in keys)) if key in at]
    seen = len(order)
    if rest:
        order += [number for number in range(len(table.columns)) if number not in order]
    columns = []
    for place, number in enumerate(order):
        column = table.columns[number]
        shrink = column.shrink or column.key == TREND
        unseen = column.unseen or place >= seen
        columns.append(replace(column, spare=column.key in spare, shrink=shrink, whole=False, unseen=unseen))
    rows = []
    for number, row in enumerate(table.rows):
        if number % STEP == 0:
            yield
        rows.append(tuple([row[each] for each in order]))
    return replace(table, columns=tuple(columns), rows=rows)
