"""A paste of several lines: each is run as if it had been typed, and ctrl-c forgets those that wait.

Terminals mark what is pasted (bracketed paste), and without this a whole paste would be one line. The last line, which
has no end yet, stays at the prompt to be edited; `?` and tab in a paste are characters like others.
"""

from __future__ import annotations

from collections import deque


class Pasted:
    """The lines of a paste that wait; the last one has no end yet."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()

    def add(self, text: str) -> tuple[str, bool]:
        """Take a paste: what stands before its first end of a line, and whether there is one. The others wait."""
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
        first, *others = text.split("\n")
        self._lines.extend(others)
        return first, bool(others)

    def line(self) -> str | None:
        """The next whole line; None when there is none."""
        return self._lines.popleft() if len(self._lines) > 1 else None

    def rest(self) -> str:
        """What has no end yet."""
        return self._lines.popleft() if self._lines else ""

    def clear(self) -> None:
        """Forget them."""
        self._lines.clear()
