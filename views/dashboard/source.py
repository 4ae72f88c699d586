"""Where a dashboard gets its facts, and where what is typed behind `:` goes: all that screens know of the world.

    screen ── ask("show vports") ──> Source ──> a session of its user ──> the handler of `show vports` ──> Table

What a screen shows is what `show` says, because it is the same read-model; what its user may not see never gets here.
nshell/terminal/source.py implements it over a session; tests have one with models of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from data.errors import NshellError
from views.models import Model
from views.render import Screen

__all__ = ["Closed", "Source"]


class Closed(Exception):
    """The source gives no more answers; `problem` says why (the rights of its user have changed)."""

    def __init__(self, problem: NshellError) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Source(Protocol):
    """One user's way to facts and commands."""

    user: str

    @property
    def hostname(self) -> str:
        """What this nshell is called."""
        ...

    @property
    def screen(self) -> Screen:
        """What the terminal can show."""
        ...

    async def ask(self, line: str) -> Model:
        """The read-model of a command that only looks. Raises NshellError (NotPermitted for one that the user's class
        does not allow) and Closed.
        """
        ...

    def follow(self, line: str) -> AsyncIterator[Model]:
        """The parts of a command that goes on (`monitor events`), until the iterator is closed. Raises as `ask`."""
        ...

    async def ready(self) -> None:
        """Waits until the terminal took most of what it was sent. Raises ConnectionError when nobody looks."""
        ...

    # What is typed behind `:` ---------------------------------------------------------------------------------------

    def prompt(self) -> str:
        """What stands before the line that is typed: level, user, host and mode, as at the prompt."""
        ...

    def complete(self, text: str) -> tuple[str, Sequence[str]]:
        """What is certain to come next in a line, and what could, in lines of help."""
        ...

    def explain(self, text: str) -> Sequence[str] | None:
        """What may come next in a line, as `?` says it; None inside quotes, where it is a character."""
        ...

    async def run(self, line: str, write: Callable[[str], None], draw: Callable[[Sequence[str]], None]) -> bool:
        """Run any line as at the prompt, audited: `write` takes its text, `draw` what replaces all of it. Returns
        whether the session goes on; cancelling it stops the command. Raises Closed.
        """
        ...
