"""Errors as people read them: path, cause, what to type next, and what became of the work.

    error: enterprise acme domain prod vport web-3 address
      10.1.9.7 is outside subnet web1 (10.1.1.0/24)
      choose an address in 10.1.1.2-10.1.1.254, or another subnet
    nothing was applied; your candidate is kept

A syntax error says so and repeats the line with a caret under the word.
"""

from __future__ import annotations

from collections.abc import Iterator

from data.errors import PROBLEMS_SHOWN
from views.color import Style, marked
from views.models import Failure
from views.wrapping import indented, wrapped

SYNTAX = 2
"""Exit code of errors in what was typed."""


def render_failure(failure: Failure, color: bool = False, width: int = 0) -> list[str]:
    """The error as lines; cause and remedy wrapped to the width (0: no limit)."""
    kind = "syntax error" if failure.exit_code == SYNTAX else "error"
    head = (marked(kind, Style.BAD) if color else kind) + ":"
    lines: list[str] = []
    if failure.line is not None:
        lines.append(f"{failure.file or 'line'}{':' if failure.file else ' '}{failure.line}: {failure.text.strip()}")
    if failure.position is not None and failure.text:
        lead = len(failure.text) - len(failure.text.lstrip())
        if failure.line is not None:
            offset = len(lines[0]) - len(failure.text.strip()) - lead
        else:
            lines.append(failure.text)
            offset = 0
        lines.append(" " * max(0, offset + failure.position) + "^")
    if failure.problems:
        for where, cause, remedy in failure.problems[:PROBLEMS_SHOWN]:
            lines += one(head, where, cause, remedy, width)
        if len(failure.problems) > PROBLEMS_SHOWN:
            lines.append(f"and {len(failure.problems) - PROBLEMS_SHOWN} more errors")
    else:
        lines += one(head, failure.where, failure.cause, failure.remedy, width)
    if failure.after:
        lines += wrapped(failure.after, width)
    return lines


def one(head: str, where: str, cause: str, remedy: str, width: int = 0) -> Iterator[str]:
    """One error: where and cause on one line when they are short or there is no place to name."""
    if where:
        yield f"{head} {where}"
        yield from indented(cause, "  ", width)
    else:
        first, *others = cause.splitlines() or [""]
        yield f"{head} {first}"
        yield from indented("\n".join(others), "  ", width)
    yield from indented(remedy, "  ", width)
