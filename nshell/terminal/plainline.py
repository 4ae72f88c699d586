"""A line read from a terminal that shows characters one after the other and knows nothing else.

For TERM=dumb, for none, and for vt100, which is what programs say they are that drive routers (paramiko, and netmiko on
top of it): they look for the prompt and for the echo of what they sent, and cursor movements would hide both. What is
typed is echoed as it comes; backspace, ctrl-u and ctrl-w take back, tab and ? work as everywhere, up and down walk the
lines of this session.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Callable

PLAIN = ("", "dumb", "vt100")
"""Terminal types that get this in place of an editor."""
ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]|O.|.)?", re.DOTALL)
ESCAPE_LIMIT = 32
"""Bytes looked at for one escape sequence; those of keys are shorter."""
UP, DOWN = ("\x1b[A", "\x1bOA", "\x10"), ("\x1b[B", "\x1bOB", "\x0e")
BACK = ("\x7f", "\b")
WORD = re.compile(r"\S*\s*$")
LINES = 500
"""Lines of a session that up and down walk."""


class PlainLine:
    """Reads lines. `write` shows text; `explain` and `complete` give the lines of help, and what is to be added."""

    def __init__(
        self,
        write: Callable[[str], None],
        explain: Callable[[str], list[str] | None],
        complete: Callable[[str], tuple[str, list[str]]],
    ) -> None:
        self._write = write
        self._explain = explain
        self._complete = complete
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line: asyncio.Future[str] | None = None
        self._prompt = ""
        self._text = ""
        self._echo = True
        self._after_return = False
        self._former: list[str] = []
        self._at = 0

    async def read(self, prompt: str, echo: bool = True) -> str:
        """One line. Raises KeyboardInterrupt for ctrl-c and EOFError for ctrl-d on an empty line."""
        self._prompt, self._text, self._echo, self._at = prompt, "", echo, len(self._former)
        self._line = asyncio.get_running_loop().create_future()
        self._write(prompt.replace("\n", "\r\n"))
        try:
            line = await self._line
        except Interrupted:
            raise KeyboardInterrupt from None
        finally:
            self._line = None
        if echo and line.strip():
            self._former = [*self._former[1 - LINES :], line]
        return line

    def feed(self, data: bytearray) -> None:
        """Take keys from the front of `data`, as far as they belong to the line that is read."""
        while data and self._line is not None and not self._line.done():
            escape = ESCAPE.match(data[:ESCAPE_LIMIT].decode("latin-1")) if data[:1] == b"\x1b" else None
            size = escape.end() if escape else 1
            key = escape.group() if escape else self._decoder.decode(bytes(data[:1]))
            del data[:size]
            if key:
                self._key(key)

    def _key(self, key: str) -> None:
        again, self._after_return = self._after_return, key == "\r"
        if key in "\r\n":
            if not (key == "\n" and again):
                self._finish(self._text)
        elif key == "\x03":
            self._finish(Interrupted())
        elif key == "\x04":
            if not self._text:
                self._finish(EOFError())
        elif key in BACK:
            self._put(self._text[:-1])
        elif key == "\x15":
            self._put("")
        elif key == "\x17":
            self._put(WORD.sub("", self._text))
        elif key in UP or key in DOWN:
            self._walk(-1 if key in UP else 1)
        elif key == "\t" and self._echo:
            self._tab()
        elif key == "?" and self._echo and (lines := self._explain(self._text)) is not None:
            self._show("?", lines)
        elif key.isprintable():
            self._put(self._text + key)

    def _finish(self, result: str | Exception) -> None:
        assert self._line is not None
        self._write("\r\n")
        if isinstance(result, str):
            self._line.set_result(result)
        else:
            self._line.set_exception(result)

    def _put(self, text: str) -> None:
        """Make the line this text: rub out what differs, write what is new."""
        common = 0
        while common < min(len(text), len(self._text)) and text[common] == self._text[common]:
            common += 1
        if self._echo:
            self._write("\b \b" * (len(self._text) - common) + text[common:])
        self._text = text

    def _walk(self, step: int) -> None:
        self._at = max(0, min(len(self._former), self._at + step))
        self._put(self._former[self._at] if self._at < len(self._former) else "")

    def _tab(self) -> None:
        addition, lines = self._complete(self._text)
        if addition:
            self._put(self._text + addition)
        elif lines:
            self._show("", lines)

    def _show(self, key: str, lines: list[str]) -> None:
        """Lines below the prompt, then prompt and line once more."""
        last = self._prompt.rpartition("\n")[2]
        self._write("\r\n".join([key, *lines, last]) + self._text)


class Interrupted(Exception):
    """Ctrl-c: a future cannot hold a KeyboardInterrupt."""
