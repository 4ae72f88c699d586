"""What a session needs of its other end, whatever carries it: unix socket now, SSH and dashboards by the same
interface.
"""

from __future__ import annotations

from typing import Protocol

from views.render import Screen


class Transport(Protocol):
    """The operator's end of a session."""

    interactive: bool
    json: bool

    @property
    def screen(self) -> Screen:
        """What can be shown there now."""
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

    async def read_file(self, name: str) -> bytes:
        """A file at the operator's end. Raises CommandFailed."""
        ...

    async def write_file(self, name: str, contents: bytes) -> None:
        """Write a file at the operator's end. Raises CommandFailed."""
        ...

    async def read_terminal(self, prompt: str) -> str:
        """Lines until the end of input. Raises CommandFailed where nobody can type."""
        ...
