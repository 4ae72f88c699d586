"""What a handler may use of the session that runs it, and of the network behind it.

The session (nshell/sessions/context.py) implements this; unit tests use a small fake. Handlers never see sockets or
terminals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from commands.language.registry import Mode

if TYPE_CHECKING:
    from controller.fabric import Fabric, Outcome
    from data.access import Access
    from data.candidate import Candidate
    from data.configuration import Configuration, Edits
    from data.path import Path
    from data.steps import Steps
    from data.store.records import AuditRow, Scheduled
    from views.render import ScreenSettings

T = TypeVar("T")


class SessionFacts(Protocol):
    """One row of `show sessions`."""

    number: int
    user: str
    origin: str
    since: float
    interactive: bool
    mode: Mode


class Schedule(Protocol):
    """The commits that wait for their time (nshell/sessions/scheduled.py)."""

    def rows(self) -> Sequence[Scheduled]:
        """Those that wait, the earliest first."""
        ...

    async def add(self, user: str, at: float, comment: str, candidate: Candidate) -> Scheduled:
        """Commit what the candidate has now at this time. Raises StoreUnavailable."""
        ...

    async def cancel(self, number: int) -> Scheduled:
        """Forget one. Raises CommandFailed when there is none with this number."""
        ...


class Login(Protocol):
    """Somebody who logged in through the web."""

    user: str
    origin: str
    since: float

    @property
    def ends(self) -> Collection[object]:
        """One for each dashboard that is open."""
        ...


class Certificate(Protocol):
    """The certificate of the web server."""

    @property
    def issuer(self) -> str: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def fingerprint(self) -> str:
        """SHA-256, as AA:BB:..."""
        ...

    @property
    def expires(self) -> float:
        """Seconds since the epoch."""
        ...


class WebFacts(Protocol):
    """The web server (nshell/web/listener.py)."""

    problem: str
    """Why it does not listen where it should."""

    @property
    def place(self) -> tuple[str, int] | None:
        """Address and port that the configuration says; None for none."""
        ...

    @property
    def certificate_file(self) -> str | None:
        """The operator's; None for one that the controller's authority signs."""
        ...

    @property
    def listening(self) -> bool:
        """Whether somebody can dial in."""
        ...

    @property
    def certificate(self) -> Certificate | None:
        """The one in use."""
        ...

    @property
    def connections(self) -> int:
        """How many are open now."""
        ...

    def logins(self) -> Sequence[Login]:
        """Who has logged in."""
        ...


class Context(Protocol):
    """The session as handlers see it."""

    user: str
    origin: str
    interactive: bool
    mode: Mode
    level: Path
    entered: list[Path]
    """Levels to which `exit` goes back."""
    version: str

    @property
    def access(self) -> Access:
        """What the user may see and do now."""
        ...

    @property
    def fabric(self) -> Fabric:
        """The running network; for a user who is confined to tenants a facade that shows theirs alone."""
        ...

    @property
    def running(self) -> Configuration:
        """The running configuration as the user sees it."""
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

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        """`Fabric.commit` in the user's name, with the audit row of the command that runs in the same transaction."""
        ...

    async def change_candidate(self, work: Callable[[Candidate], Steps[T]]) -> T:
        """Do work that may take long to the candidate, beside everything else, and persist it; all or nothing."""
        ...

    async def enter_configure(self, exclusive: bool = False) -> list[str]:
        """Go into configure mode; what the operator should know (a kept candidate, other editors).

        `exclusive` keeps others from configuring and committing meanwhile. Raises CommandFailed when somebody else
        has that already, or is in the middle of edits.
        """
        ...

    def leave_configure(self) -> None:
        """Back to operational mode; the candidate is kept."""
        ...

    def end(self) -> None:
        """End the session after this command."""
        ...

    def disconnect(self, number: int) -> str:
        """End another session; whose it was. Raises CommandFailed when there is none with this number."""
        ...

    @property
    def settings(self) -> ScreenSettings:
        """What the operator wants of the screen, for this session."""
        ...

    @property
    def schedule(self) -> Schedule:
        """Commits that wait for their time."""
        ...

    @property
    def web(self) -> WebFacts:
        """The web server and who is there."""
        ...

    def note(self, text: str) -> None:
        """Say something that is not part of the result (progress, a notice)."""
        ...

    async def audit(self, user: str | None, since: float | None, limit: int) -> Sequence[AuditRow]:
        """The latest rows of the audit, newest last."""
        ...

    def sessions(self) -> Sequence[SessionFacts]:
        """Everybody who is connected, as far as the user may know."""
        ...

    def editors(self) -> Sequence[str]:
        """Users with a candidate that differs."""
        ...

    def read_file(self, name: str) -> Awaitable[str]:
        """The contents of a file at the operator's end of the session. Raises CommandFailed."""
        ...

    def write_file(self, name: str, contents: str | bytes) -> Awaitable[None]:
        """Write a file at the operator's end of the session. Raises CommandFailed."""
        ...

    def read_secret(self, prompt: str) -> Awaitable[str]:
        """One line typed without an echo. Raises CommandFailed where nobody can type."""
        ...

    def read_terminal(self, prompt: str) -> Awaitable[str]:
        """Lines typed or sent until ctrl-d (or, in a batch, until a line with a single full stop)."""
        ...

    async def dashboard(self, screen: str) -> None:
        """A dashboard over the whole terminal, until its user leaves it. Raises CommandFailed where there is none."""
        ...
