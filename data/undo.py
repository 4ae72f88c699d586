"""What commands did to a candidate, so that the latest can be taken back: in memory, one step for each command.

A step holds what every path had before. Taking it back puts that there again, and the edits follow the running
configuration from where they were (`edits.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from data.merge import Edit
from data.path import Path

STEPS = 100
PATHS = 500_000
"""Paths remembered in all steps together, about 60 MB; the latest step is kept, however large."""


@dataclass(slots=True)
class Step:
    """One command: what it was, in words, and what each path that it changed had before."""

    said: str
    before: dict[Path, Edit | None]
    kept: bool = False
    """The store has what the command did."""


class History:
    """The steps of one candidate, the latest last."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def copy(self) -> History:
        """The same steps, apart from these."""
        made = History()
        made._steps = list(self._steps)
        return made

    def add(self, said: str, before: dict[Path, Edit | None]) -> Step:
        """Note a command."""
        step = Step(said, before)
        self._steps.append(step)
        del self._steps[:-STEPS]
        while len(self._steps) > 1 and sum(len(step.before) for step in self._steps) > PATHS:
            del self._steps[0]
        return step

    def take(self) -> Step | None:
        """The latest step, which is one no longer."""
        return self._steps.pop() if self._steps else None

    def keep(self) -> None:
        """The store has everything that was done so far."""
        for step in reversed(self._steps):
            if step.kept:
                break
            step.kept = True

    def forget_unkept(self) -> None:
        """What the store does not have was undone."""
        while self._steps and not self._steps[-1].kept:
            self._steps.pop()

    def clear(self) -> None:
        self._steps = []
