"""The pager: a long result a page at a time, moved through with the keys of less(1) and more(1).

    keys typed before the first --more--   are for the prompt, and stay there
    keys typed at --more--                 are the pager's: those it knows move or leave, others are ignored with a hint
    keys behind the one that ended it      are for the prompt

A line typed at the pager by mistake must not be cut into a few moves and a command. So keys that arrive together, one
chunk, are dropped from the first unknown one on; and after an unknown key the end of the lines waits for enter or q.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto

MORE = "--more--"
HINT = f"{MORE}  space: next page  q: leave"
END = "--end--  q: leave"
CLEAR = "\x1b[H\x1b[J"
"""A page before this one is drawn on an empty screen."""
WAITING_CHUNKS = 64
CHUNK_LIMIT = 65536
"""Bytes; with WAITING_CHUNKS 4 MiB, what a link keeps for its prompt too."""


class Move(Enum):
    """What a key does."""

    PAGE = auto()
    LINE = auto()
    ENTER = auto()
    PAGE_BACK = auto()
    LINE_BACK = auto()
    START = auto()
    END = auto()
    LEAVE = auto()


_KEYS = {
    Move.PAGE: (b" ", b"f", b"\x06", b"\x1b[6~"),
    Move.ENTER: (b"\r", b"\n"),
    Move.LINE: (b"j", b"\x1b[B", b"\x1bOB"),
    Move.PAGE_BACK: (b"b", b"\x02", b"\x1b[5~"),
    Move.LINE_BACK: (b"k", b"\x1b[A", b"\x1bOA"),
    Move.START: (b"g", b"\x1b[H", b"\x1bOH", b"\x1b[1~"),
    Move.END: (b"G", b"\x1b[F", b"\x1bOF", b"\x1b[4~"),
    Move.LEAVE: (b"q", b"Q", b"\x03", b"\x04"),
}
MOVES = {key: move for move, keys in _KEYS.items() for key in keys}
_KEY = re.compile(rb"\x1b(?:\[[0-9;?]*[@-~]|O.)?|.", re.DOTALL)


def first_key(data: bytes) -> tuple[Move | None, bytes]:
    """What the first key of a chunk does, None when it is not known, and the rest of the chunk."""
    found = _KEY.match(data)
    end = found.end() if found else len(data)
    return MOVES.get(data[:end]), data[end:]


class Pager:
    """One result on its way to the screen: `rows` are those of a page now, `write` and `raw` the ways to the screen."""

    def __init__(
        self,
        lines: Sequence[str],
        rows: Callable[[], int],
        write: Callable[[list[str]], Awaitable[None]],
        raw: Callable[[str], None],
    ) -> None:
        self._lines = list(lines)
        self._rows = rows
        self._write = write
        self._raw = raw
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(WAITING_CHUNKS)
        self._shown = 0
        self._strayed = False
        self.waits = False
        """Whether it waits for a key; ctrl-c is one then."""

    def keys(self, data: bytes) -> None:
        """Keys that were pressed; more than anybody types is dropped."""
        if not self._chunks.full():
            self._chunks.put_nowait(data[:CHUNK_LIMIT])

    async def run(self) -> bytes:
        """Show the lines until their end or until the operator leaves; the keys behind that."""
        await self._forward(self._rows())
        mark, rest = MORE, b""
        while not self._over():
            rest = await self._chunk(END if self._at_end() else mark)
            mark = MORE
            while rest and not self._over():
                move, rest = first_key(rest)
                if move is Move.LEAVE or (move is Move.ENTER and self._at_end()):
                    return rest + self._waiting()
                if move is None:
                    mark, rest, self._strayed = HINT, b"", True
                else:
                    await self._move(move)
        return rest + self._waiting()

    def _at_end(self) -> bool:
        return self._shown >= len(self._lines)

    def _over(self) -> bool:
        return self._at_end() and not self._strayed

    async def _chunk(self, mark: str) -> bytes:
        self._raw(mark)
        self.waits = True
        try:
            return await self._chunks.get()
        finally:
            self.waits = False
            self._raw("\r" + " " * len(mark) + "\r")

    def _waiting(self) -> bytes:
        return b"".join(self._chunks.get_nowait() for _ in range(self._chunks.qsize()))

    async def _move(self, move: Move) -> None:
        page = self._rows()
        match move:
            case Move.PAGE:
                await self._forward(page)
            case Move.LINE | Move.ENTER:
                await self._forward(1)
            case Move.END:
                await self._forward(len(self._lines))
            case Move.PAGE_BACK:
                await self._back(self._shown - page, page)
            case Move.LINE_BACK:
                await self._back(self._shown - 1, page)
            case Move.START:
                await self._back(0, page)

    async def _forward(self, count: int) -> None:
        lines = self._lines[self._shown : self._shown + count]
        self._shown += len(lines)
        if lines:
            await self._write(lines)

    async def _back(self, end: int, page: int) -> None:
        """The page that ends before line `end`; at the top nothing is drawn again."""
        end = max(end, page)
        if end < self._shown:
            self._shown = end
            self._raw(CLEAR)
            await self._write(self._lines[end - page : end])
