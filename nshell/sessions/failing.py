"""An error as its read-model: where in the line it is, and where the line is in a batch."""

from __future__ import annotations

from commands.language.lexer import Line
from data.errors import BatchProblem, CheckFailed, NshellError, SyntaxProblem
from data.schema.redaction import redacted
from views.models import Failure


def failure_of(problem: NshellError, line: Line, file: str = "", number: int | None = None) -> Failure:
    """The error with its place in the line and, in a batch, in the file."""
    text, position = redacted(line.text), None  # what scripts are told is kept, in logs of others
    kind = type(problem).__name__
    inner: NshellError = problem
    if isinstance(problem, BatchProblem):
        file, number, text, position = problem.source, problem.line_number, problem.line, problem.column
        inner = problem.problem
        kind = type(inner).__name__
    elif isinstance(problem, SyntaxProblem):
        at = problem.word
        position = line.words[at].start if at < len(line.words) else len(line.text.rstrip()) + 1
        position = position if text[:position] == line.text[:position] else None
    problems: tuple[tuple[str, str, str], ...] = ()
    if isinstance(inner, CheckFailed):
        problems = tuple((each.path_text, each.cause, each.remedy) for each in inner.problems)
    return Failure(
        inner.where,
        inner.cause,
        inner.remedy,
        inner.exit_code,
        kind,
        number,
        file,
        text,
        position,
        problems,
        "\n".join(getattr(problem, "__notes__", ())),
    )
