"""Everything that can go wrong, as one tree. Each error says where, why, and what to type next.

NshellError                 exit code 1
├── SyntaxProblem           2   a word is wrong: unknown, ambiguous, a bad value, or one is missing
│   └── BatchProblem        *   any problem with a line of a file; the exit code of what was wrong
├── CheckFailed             3   the configuration as a whole is not valid; carries every Problem
├── MergeConflict           3   somebody else committed a different change of the same leaf
├── ApplyFailed             4   a switch refused; everything was put back
├── NoDaemon                5   no daemon answers
├── NotPermitted            6   the user's class does not allow it
└── CommandFailed           1   the command was understood and could not be done
    ├── NothingThere        1   what should be deleted or shown does not exist
    └── StoreUnavailable    1   the database cannot be read or written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PROBLEMS_SHOWN = 20
"""A commit with more problems than this shows the first ones and counts the rest."""


def error_text(where: str, cause: str, remedy: str) -> str:
    """The one way an error looks: `error: where`, then cause and remedy, each indented by two."""
    lines = [f"error: {where}" if where else "error:"]
    lines += ["  " + line for part in (cause, remedy) if part for line in part.splitlines()]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: the words of the path, the cause, and what to do."""

    path_text: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return error_text(self.path_text, self.cause, self.remedy)

    def as_dict(self) -> dict[str, object]:
        return {"path": self.path_text, "cause": self.cause, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Conflict:
    """One leaf (or object) that was changed here and, differently, by a later revision.

    `revision` and `author` are None when the caller could not say who did it.
    """

    path_text: str
    mine: str
    theirs: str
    revision: int | None = None
    author: str | None = None

    def as_problem(self) -> Problem:
        by = f" in revision {self.revision}" if self.revision is not None else " by another commit"
        by += f" by {self.author}" if self.author else ""
        return Problem(
            self.path_text,
            f"changed{by}: now {self.theirs}; yours: {self.mine}",
            "'set' or 'delete' it once more: as yours to keep yours, as it is now to accept that",
        )


class NshellError(Exception):
    """The root. `where` is a path or a command line, `cause` one sentence, `remedy` what to type or do
    next."""

    exit_code: int = 1

    def __init__(self, where: str, cause: str, remedy: str = "") -> None:
        super().__init__(where, cause, remedy)
        self.where = where
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return error_text(self.where, self.cause, self.remedy)

    def as_dict(self) -> dict[str, object]:
        """The error as plain data for `--json`."""
        return {
            "error": type(self).__name__,
            "path": self.where,
            "cause": self.cause,
            "remedy": self.remedy,
            "exit_code": self.exit_code,
        }


class SyntaxProblem(NshellError):
    """A word is wrong.

    `word` is the index of the word in the list that was given (equal to its length when a word is missing),
    `expected` what could stand there.
    """

    exit_code = 2

    def __init__(
        self, where: str, cause: str, remedy: str = "", *, word: int = 0, expected: Sequence[str] = ()
    ) -> None:
        super().__init__(where, cause, remedy)
        self.word = word
        self.expected = tuple(expected)

    def as_dict(self) -> dict[str, object]:
        return {**super().as_dict(), "word": self.word, "expected": list(self.expected)}


class BatchProblem(SyntaxProblem):
    """A line of a file or batch failed; nothing of the batch was applied. `line_number` counts from 1."""

    def __init__(
        self, source: str, line_number: int, line: str, problem: NshellError, *, column: int | None = None
    ) -> None:
        word = problem.word if isinstance(problem, SyntaxProblem) else 0
        expected = problem.expected if isinstance(problem, SyntaxProblem) else ()
        shown = line if len(line) <= 200 else line[:197] + "..."
        caret = "\n" + " " * column + "^" if column is not None and column < len(shown) else ""
        super().__init__(
            f"{source} line {line_number}",
            f"{shown}{caret}\n{problem.cause}",
            problem.remedy,
            word=word,
            expected=expected,
        )
        self.exit_code = problem.exit_code
        self.source = source
        self.line_number = line_number
        self.line = line
        self.column = column
        self.problem = problem

    def as_dict(self) -> dict[str, object]:
        return {
            **super().as_dict(),
            "cause": self.problem.cause,
            "file": self.source,
            "line": self.line_number,
            "text": self.line,
        }


class CheckFailed(NshellError):
    """The configuration is not valid. `problems` holds all of them; printing shows the first
    `PROBLEMS_SHOWN`."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.path_text, first.cause, first.remedy)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        shown = [str(problem) for problem in self.problems[:PROBLEMS_SHOWN]]
        rest = len(self.problems) - PROBLEMS_SHOWN
        return "\n".join([*shown, f"and {rest} more problems"] if rest > 0 else shown)

    def as_dict(self) -> dict[str, object]:
        return {
            **super().as_dict(),
            "problems": [problem.as_dict() for problem in self.problems[:PROBLEMS_SHOWN]],
            "problem_count": len(self.problems),
        }


class MergeConflict(CheckFailed):
    """Other commits changed the same leaves. `conflicts` lists them by path."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__([conflict.as_problem() for conflict in conflicts])
        self.conflicts = tuple(conflicts)


class ApplyFailed(NshellError):
    """A hypervisor refused or could not be verified; everything was put back."""

    exit_code = 4


class NoDaemon(NshellError):
    """No daemon answers on the socket."""

    exit_code = 5


class NotPermitted(NshellError):
    """The user may not do this."""

    exit_code = 6


class CommandFailed(NshellError):
    """The command was understood and could not be done."""

    exit_code = 1


class NothingThere(CommandFailed):
    """What should be deleted, edited or shown does not exist."""


class StoreUnavailable(CommandFailed):
    """The database cannot be read or written; nothing was changed."""
