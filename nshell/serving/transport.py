"""What a session needs of its other end, whatever carries it, and what an interactive one needs below that.

    Session ── Transport ─┬─ Link (link.py)            one-shot and batch over the unix socket
                          ├─ Exec (ssh/channel.py)     the same over SSH
                          └─ Terminal (terminal.py) ── Pipe ─┬─ FramePipe (link.py)     unix socket
                                                             └─ Pty (ssh/channel.py)    SSH channel

A Pipe carries bytes for the screen; keys and window changes go to its `keyboard`, which is the terminal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from data.errors import CommandFailed
from views.render import Screen, ScreenSettings

if TYPE_CHECKING:
    from nshell.sessions.session import Session

KEYS_LIMIT = 4 * 1024 * 1024
"""Bytes of keys, in one piece or waiting for the prompt; a paste of 10,000 lines is about 1 MB."""
CHUNK = 256 * 1024
"""Bytes written before the loop waits for the other end: a long table must not sit in memory twice."""


class Files(Protocol):
    """The operator's files: at the client's end of a unix socket, in the operator's directory here for SSH."""

    async def read_file(self, name: str) -> bytes:
        """The contents. Raises CommandFailed."""
        ...

    async def write_file(self, name: str, contents: bytes) -> None:
        """Writes a file. Raises CommandFailed."""
        ...


class Transport(Files, Protocol):
    """The operator's end of a session."""

    interactive: bool
    json: bool
    settings: ScreenSettings

    @property
    def screen(self) -> Screen:
        """What can be shown there now, as the operator's settings want it."""
        ...

    async def write(self, text: str) -> None:
        """Standard output. Raises ConnectionError when nobody is there any more."""
        ...

    async def write_error(self, text: str) -> None:
        """Standard error."""
        ...

    async def show(self, lines: list[str], pager: bool) -> None:
        """A result: through a pager when there is a person and it is longer than the screen."""
        ...

    async def draw(self, lines: list[str], first: bool) -> None:
        """A picture in place of the one before it, on an interactive transport."""
        ...

    async def dashboard(self, session: Session, screen: str) -> None:
        """A dashboard over the whole terminal until its user leaves it. Raises CommandFailed where there is none."""
        ...

    async def read_terminal(self, prompt: str) -> str:
        """Lines until the end of input. Raises CommandFailed where nobody can type."""
        ...

    async def read_secret(self, prompt: str) -> str:
        """One line that is not shown and not kept. Raises CommandFailed where nobody can type."""
        ...

    def notice(self, text: str) -> None:
        """Something that others did: a person reads it above the prompt at once; a script is not told."""
        ...


class Unattended(ABC):
    """What transports have in common at whose other end nobody sits: commands sent along, and batches."""

    interactive = False
    json = False

    @abstractmethod
    async def write(self, text: str) -> None:
        """Standard output."""

    async def show(self, lines: list[str], pager: bool) -> None:
        """A result, without a pager."""
        if lines:
            await self.write("\n".join(lines) + "\n")

    async def draw(self, lines: list[str], first: bool) -> None:
        """Pictures stand one below the other where nobody looks at a screen."""
        await self.show(lines, False)

    async def dashboard(self, session: Session, screen: str) -> None:
        raise CommandFailed("dashboard", "there is no terminal to draw on", "use it in an interactive session")

    async def read_terminal(self, prompt: str) -> str:
        raise nobody_types("load")

    async def read_secret(self, prompt: str) -> str:
        raise nobody_types("password")

    def notice(self, text: str) -> None:  # noqa: B027 - on purpose it does nothing
        """A script is not told what others do."""


class Keyboard(Protocol):
    """Who wants the keys of a pipe."""

    def keys(self, data: bytes) -> None:
        """Keys that were pressed."""
        ...

    def resized(self) -> None:
        """The window has another size."""
        ...


class Pipe(Files, Protocol):
    """Raw bytes to and from a terminal somewhere else."""

    keyboard: Keyboard | None
    term: str

    @property
    def screen(self) -> Screen: ...

    def put(self, data: bytes) -> None:
        """Bytes for the screen; nothing happens when nobody looks any more."""
        ...

    async def drain(self) -> None:
        """Waits until the other end has taken most of it. Raises ConnectionError when it is gone."""
        ...


def nobody_types(where: str) -> CommandFailed:
    """The error where a command wants to be typed to and there is no terminal."""
    return CommandFailed(where, "there is no terminal to type into", "name a file, or use an interactive session")
