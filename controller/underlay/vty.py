"""Asking an FRR daemon over its own socket: `enable`, then one `show` after the other; telling it, where that is meant.

    us: "show ip ospf json" NUL        daemon: text, three NULs, one byte: the return code (FRR lib/vty.c)

0.1 ms a question where `vtysh` takes 36. A listener is never configured from here: a question that does not begin with
`show` is a mistake in our program, and only a `Vty` that was made to `configure` does (bfdd: `controller/bgp/bfdd.py`).
What a daemon says is bounded, in bytes and in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

__all__ = ["ANSWER_LIMIT", "PATIENCE", "Vty", "VtyFailed"]

ANSWER_LIMIT = 32 << 20  # bytes of one answer: the router LSAs of 20,000 routers
PATIENCE = 10.0  # seconds for one answer; ospfd prints 5 MB in 0.2
_END = b"\0\0\0"
_CHUNK = 1 << 16
_SAID = 100  # characters of a daemon's complaint that are repeated


class VtyFailed(Exception):
    """The daemon is not there, or what it says makes no sense; the text says which."""


class Vty:
    """A connection to one daemon, made when it is first needed."""

    def __init__(self, path: Path, *, configures: bool = False) -> None:
        self.path = path
        self._configures = configures
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, questions: Sequence[str]) -> list[str]:
        """The answers, in order. Raises VtyFailed; the next question makes a new connection then."""
        assert all(question.startswith("show ") for question in questions), "a listener is asked, never told"
        return await self._exchanged(questions)

    async def configure(self, lines: Sequence[str]) -> None:
        """Adds these lines to what the daemon is configured with. Raises VtyFailed at the first that it refuses; those
        before it are in force then."""
        assert self._configures, "this daemon is asked, never told"
        await self._exchanged(["configure terminal", *lines, "end"])

    async def _exchanged(self, questions: Sequence[str]) -> list[str]:
        try:
            if self._writer is None:
                await self._connect()
            return [await self._exchange(question) for question in questions]
        except BaseException:
            self.close()
            raise

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                self._reader, self._writer = await asyncio.open_unix_connection(str(self.path), limit=_CHUNK)
        except TimeoutError as problem:
            raise VtyFailed(f"{self.path} does not accept a connection") from problem
        except OSError as problem:
            raise VtyFailed(f"{self.path}: {problem.strerror or problem}") from problem
        await self._exchange("enable")

    async def _exchange(self, question: str) -> str:
        assert self._reader is not None and self._writer is not None
        try:
            async with asyncio.timeout(PATIENCE):
                self._writer.write(question.encode() + b"\0")
                await self._writer.drain()
                text, code = await self._answer(self._reader)
        except TimeoutError as problem:
            raise VtyFailed(f"no answer to '{question}' within {PATIENCE:g} s") from problem
        except OSError as problem:
            raise VtyFailed(f"the connection broke: {problem.strerror or problem}") from problem
        if code:
            said = " ".join(text.split())[:_SAID]
            raise VtyFailed(f"it refuses '{question}' (code {code}): {said!r}")
        return text

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, int]:
        answer = bytearray()
        while len(answer) < 4 or answer[-4:-1] != _END:
            some = await reader.read(_CHUNK)
            if not some:
                raise VtyFailed("it closed the connection in the middle of an answer")
            answer += some
            if len(answer) > ANSWER_LIMIT:
                raise VtyFailed(f"its answer is longer than {ANSWER_LIMIT >> 20} MB")
        return answer[:-4].decode(errors="replace"), answer[-1]

    def close(self) -> None:
        """Ends the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
