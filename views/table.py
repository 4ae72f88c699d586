"""Titled tables in the manner of the routers our operators know: rules of = and -, a count below.

    ======================================================
    Virtual ports                          enterprise acme
    ======================================================
    Name      Domain/Subnet  Address         State
    ------------------------------------------------------
    web-1     prod/web1      10.1.1.11       up
    ------------------------------------------------------
    No. of virtual ports: 1   up 1

A table wider than the terminal leaves out its spare columns, last first, then cuts its shrinkable ones, widest first,
then any other; nothing is lost when the width is 0 (a pipe or a file).
"""

from __future__ import annotations

from collections.abc import Sequence

from views.color import Style, marked, of_state
from views.models import Cell, Clock, Column, Moment, Rate, Table, Trend
from views.moment import ago, clock
from views.sparkline import sparkline

GAP = "  "
NARROWEST = 6
"""Characters below which no column is cut."""
WIDEST_RULE = 160
"""Characters of the rules in a pipe or a file, however long a row is."""
LEAST_RULE = 60
"""Characters of the rules of a narrow table, so that the title has room."""


def cell_text(value: Cell, unicode: bool = True) -> str:
    """A value as a person reads it."""
    if value is None or value == "":
        return "-"
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
    if isinstance(value, Trend):
        return sparkline(value.values, unicode)
    if isinstance(value, float):
        return f"{value:.1f}"
    return str(value)


def rate_text(rate: float) -> str:
    """Bits per second in at most three digits before the unit."""
    units = ("b/s", "kb/s", "Mb/s", "Gb/s")
    at = 0
    while rate >= 999.5 and at < len(units) - 1:
        rate, at = rate / 1000, at + 1
    return f"{rate:.0f} {units[at]}" if rate >= 99.5 or not at else f"{rate:.1f} {units[at]}"


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
    rows = [[cell_text(value, unicode) for value in row] for row in table.rows]
    columns = list(table.columns)
    widths = [len(column.title) for column in columns]
    for row in rows:
        for i, text in enumerate(row):
            if len(text) > widths[i]:
                widths[i] = len(text)
    if width:
        for i in reversed(range(len(columns))):
            if columns[i].spare and sum(widths) + len(GAP) * (len(widths) - 1) > width:
                del columns[i], widths[i]
                for cells in rows:
                    del cells[i]
        widths = fit(widths, columns, width)
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

    natural = sum(widths) + len(GAP) * last
    total = max(natural, len(table.title) + len(table.note) + 4, LEAST_RULE, len(table.summary))
    total = min(total, width or WIDEST_RULE)
    heading = table.title
    if table.note:
        heading = f"{table.title}{' ' * max(2, total - len(table.title) - len(table.note))}{table.note}"
    if color:
        heading = marked(heading, Style.TITLE)
    lines = ["=" * total, heading, "=" * total, line([column.title for column in columns], True), "-" * total]
    lines += [line(row) for row in rows]
    lines += ["-" * total, table.summary]
    return lines
