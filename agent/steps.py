"""Changes to a host as a list of steps: planned first, then applied, and taken back when a later one fails.

The phases have the names they have everywhere in nshell: check, plan, apply, revert.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from data.errors import CommandFailed, NshellError


def _nothing() -> None:
    """The revert of a step that leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change: what it does in words, how it is applied, and how it is taken back."""

    words: str
    apply: Callable[[], object]
    revert: Callable[[], object] = _nothing


def carry_out(steps: Sequence[Step]) -> list[str]:
    """Apply the steps in order and give their words; on a failure revert those applied, newest first."""
    applied: list[Step] = []
    for step in steps:
        try:
            step.apply()
        except NshellError as problem:
            left = revert(applied)
            if not left:
                raise
            raise CommandFailed(
                step.words,
                f"{problem.cause}; and taking back failed: {'; '.join(left)}",
                "repair what is named, then run it again",
            ) from problem
        applied.append(step)
    return [step.words for step in applied]


def revert(applied: Sequence[Step]) -> list[str]:
    """Take steps back, newest first; give what could not be taken back, in words."""
    left = []
    for step in reversed(applied):
        try:
            step.revert()
        except NshellError as problem:
            left.append(f"{step.words}: {problem.cause}")
    return left
