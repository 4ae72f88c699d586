"""What a handler may use of the session that runs it, and of the network behind it.

The session (nshell/session.py) implements this; unit tests use a small fake. Handlers never see sockets or terminals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from commands.registry import Mode

if TYPE_CHECKING:
    from controller.fabric import Fabric
    from data.candidate import Candidate
    from data.configuration import Configuration
    from data.path import Path
    from data.steps import Steps

T = TypeVar("T")


class SessionFacts(Protocol):
    """One row of `show sessions`."""

    user: str
    origin: str
    since: float
    interactive: bool
    mode: Mode


class Context(Protocol):
    """The session as handlers see it."""

    user: str
    interactive: bool
    mode: Mode
    level: Path
    version: str

    @property
    def fabric(self) -> Fabric:
        """The running network."""
        ...

    @property
    def state_directory(self) -> str:
        """Where the daemon keeps its state."""
        ...

    @property
    def configuration(self) -> Configuration:
        """What names are completed and looked up in: the candidate when configuring, else the running configuration."""
        ...

    async def candidate(self) -> Candidate:
        """The user's own candidate."""
        ...

    async def save_candidate(self) -> None:
        """Persist the user's candidate; returns when it is on disk."""
        ...

    async def change_candidate(self, work: Callable[[Candidate], Steps[T]]) -> T:
        """Do work that may take long to the candidate, beside everything else, and persist it; all or nothing."""
        ...

    async def enter_configure(self) -> list[str]:
        """Go into configure mode; what the operator should know (a kept candidate, other editors)."""
        ...

    def leave_configure(self) -> None:
        """Back to operational mode; the candidate is kept."""
        ...

    def end(self) -> None:
        """End the session after this command."""
        ...

    def note(self, text: str) -> None:
        """Say something that is not part of the result (progress, a notice)."""
        ...

    def sessions(self) -> Sequence[SessionFacts]:
        """Everybody who is connected."""
        ...

    def editors(self) -> Sequence[str]:
        """Users with a candidate that differs."""
        ...

    def read_file(self, name: str) -> Awaitable[str]:
        """The contents of a file at the operator's end of the session. Raises CommandFailed."""
        ...

    def write_file(self, name: str, text: str) -> Awaitable[None]:
        """Write a file at the operator's end of the session. Raises CommandFailed."""
        ...

    def read_terminal(self, prompt: str) -> Awaitable[str]:
        """Lines typed or sent until ctrl-d (or, in a batch, until a line with a single full stop)."""
        ...
