"""The Source of a dashboard over the session that it was typed in: its user asks, by two more sessions.

    ask, follow ──> a session that only looks: not audited, nothing kept     rights that change end the dashboard
    run         ──> a session with a mode of its own, audited as at the prompt

Neither is counted: for `show sessions`, `request session` and the idle timeout there is the one session of its user.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from commands.language.lexer import lex
from commands.language.registry import Mode
from commands.streams import parts
from data.errors import CommandFailed, NotPermitted, NshellError
from data.schema.objects import System
from nshell.sessions.session import Session
from nshell.terminal.hints import addition_for, help_for
from views.dashboard.source import Closed
from views.models import Model
from views.render import Screen, ScreenSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from commands.pipes import Output
    from nshell.serving.transport import Files
    from nshell.terminal.fullscreen import Wire

__all__ = ["SessionSource"]

ELSEWHERE = "press q for the prompt, and type it there"
"""What to do with a command that wants to be typed to."""


class Panel:
    """The transport of what is typed behind `:`: text into a panel, files as the session has them."""

    interactive = True
    json = False

    def __init__(self, files: Files, screen: Callable[[], Screen]) -> None:
        self.settings = ScreenSettings()
        self._screen = screen
        self.read_file, self.write_file = files.read_file, files.write_file
        self.put: Callable[[str], None] = _nowhere
        self.put_all: Callable[[Sequence[str]], None] = _nowhere_all

    @property
    def screen(self) -> Screen:
        return self.settings.applied(self._screen())

    async def write(self, text: str) -> None:
        self.put(text)

    async def write_error(self, text: str) -> None:
        self.put(text)

    async def show(self, lines: list[str], pager: bool) -> None:
        if lines:
            self.put("\n".join(lines))

    async def draw(self, lines: list[str], first: bool) -> None:
        self.put_all(lines)

    async def read_terminal(self, prompt: str) -> str:
        raise CommandFailed("", "it reads lines from the terminal, which shows a dashboard", ELSEWHERE)

    async def read_secret(self, prompt: str) -> str:
        raise CommandFailed("", "it asks for something secret, which a dashboard would show", ELSEWHERE)

    async def dashboard(self, session: Session, screen: str) -> None:
        raise CommandFailed("dashboard", "you are in a dashboard", "press esc, then the number of a screen")

    def notice(self, text: str) -> None:
        """What others did is at the prompt, when the dashboard is left."""


def _nowhere(text: str) -> None:
    """Nothing runs that could write."""


def _nowhere_all(lines: Sequence[str]) -> None:
    """Nothing runs that could draw."""


class SessionSource:
    """The Source of one dashboard. `close` when it is over."""

    def __init__(self, session: Session, wire: Wire, files: Files) -> None:
        self.user = session.user
        self._session, self._wire = session, wire
        self._panel = Panel(files, lambda: self.screen)
        self._looking, self._typing = self._another(), self._another()
        self._access = session.access

    def _another(self) -> Session:
        session = self._session
        return Session(session.service, session.user, session.origin, self._panel, session.uid)

    @property
    def hostname(self) -> str:
        return self._session.running.settings(System).hostname

    @property
    def screen(self) -> Screen:
        return self._wire.screen

    async def ready(self) -> None:
        await self._wire.drain()

    # Facts ----------------------------------------------------------------------------------------------------------

    async def ask(self, line: str) -> Model:
        output = await self._evaluated(line)
        if output is None:
            raise CommandFailed(line, "it shows nothing", "ask for something that looks")
        return output.model

    async def follow(self, line: str) -> AsyncIterator[Model]:
        output = await self._evaluated(line)
        if output is None or output.stream is None:
            raise CommandFailed(line, "it does not go on", "ask for it once")
        async with aclosing(cast("AsyncGenerator[Output, None]", parts(output))) as results:
            async for result in results:
                self._check()
                yield result.model

    async def _evaluated(self, line: str) -> Output | None:
        self._check()
        try:
            output = await self._looking.evaluate(lex(line))
        except (NshellError, ConnectionError):
            raise
        except Exception as problem:  # in the log with its traceback; the panel says so, other panels go on
            raise self._looking.mistake(problem, line) from None
        self._looking._notes.clear()  # nobody reads what a refresh notes
        self._check()
        return output

    def _check(self) -> None:
        """Raises Closed when the user may see something else than when the dashboard began."""
        if self._session.access != self._access:
            raise Closed(
                NotPermitted("dashboard", f"the rights of {self.user} have changed meanwhile", "open it again")
            )

    # What is typed --------------------------------------------------------------------------------------------------

    def prompt(self) -> str:
        above, mark = self._typing.prompt()
        return f"{above} {mark}" if above else mark

    def complete(self, text: str) -> tuple[str, Sequence[str]]:
        return addition_for(self._typing, text, self.screen.columns)

    def explain(self, text: str) -> Sequence[str] | None:
        return help_for(self._typing, text, self.screen.columns)

    async def run(self, line: str, write: Callable[[str], None], draw: Callable[[Sequence[str]], None]) -> bool:
        self._check()
        self._panel.put, self._panel.put_all = write, draw
        busy, self._session.busy = self._session.busy, True
        try:
            await self._typing.execute(line)
        finally:
            self._session.busy = busy
            self._panel.put, self._panel.put_all = _nowhere, _nowhere_all
        return not self._typing.ended

    def close(self) -> None:
        """Leave configure mode, if that is where it was; the candidate is kept."""
        if self._typing.mode is Mode.CONFIGURE:
            self._typing.leave_configure()
