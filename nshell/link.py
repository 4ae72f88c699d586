"""The daemon's end of the thin client's socket: frames in and out, and the transport that one-shot sessions use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from data.errors import CommandFailed, SyntaxProblem
from nshell import frames
from nshell.batch import Batch
from views.render import Screen, encode, harmless

HELLO_LIMIT = 4096
"""Bytes of a hello; a client sends about 120."""
KEYS_LIMIT = 4 * 1024 * 1024
"""Bytes of keys, in one frame or waiting for the prompt; a paste of 10,000 lines is about 1 MB."""
CHUNK = 256 * 1024
"""Bytes written before the loop waits for the socket: a long table must not sit in memory twice."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What the client said of itself."""

    interactive: bool
    screen: Screen
    term: str
    json: bool
    keep_going: bool

    @classmethod
    def parse(cls, payload: bytes) -> Hello:
        """The hello in a frame. Raises ValueError."""
        pairs = dict(line.partition("=")[::2] for line in payload.decode("ascii").splitlines())
        screen = Screen(max(0, int(pairs["columns"])), max(0, int(pairs["rows"])), pairs["unicode"] == "1")
        return cls(pairs["interactive"] == "1", screen, pairs["term"], pairs["json"] == "1", pairs["keep-going"] == "1")


class Link:
    """One connected client. `pump` must run while a session wants answers or keys."""

    interactive = False

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.json = False
        self.hello: Hello | None = None
        self._screen = Screen()
        self._answer: asyncio.Future[tuple[bytes, bytes]] | None = None

    @property
    def screen(self) -> Screen:
        return self._screen

    async def frame(self, limit: int | None = None) -> tuple[bytes, bytes]:
        """The next frame. Raises IncompleteReadError at the end and ValueError for a payload over the limit, which is
        that of a file when one was asked for, else that of keys.
        """
        head = await self.reader.readexactly(5)
        size = int.from_bytes(head[1:], "big")
        if limit is None:
            limit = KEYS_LIMIT if self._answer is None else frames.MAXIMUM
        if size > limit:
            raise ValueError(f"a frame of {size} bytes")
        return head[:1], await self.reader.readexactly(size)

    async def greet(self) -> Hello:
        """Greet the client and take its hello. Raises ValueError for garbage."""
        self.send(frames.GREETING, b"")
        kind, payload = await self.frame(HELLO_LIMIT)
        if kind != frames.HELLO:
            raise ValueError("no hello")
        try:
            self.hello = Hello.parse(payload)
        except (KeyError, UnicodeDecodeError) as problem:
            raise ValueError(f"hello: {problem}") from None
        self._screen = self.hello.screen
        self.json = self.hello.json
        return self.hello

    async def work(self) -> list[Batch]:
        """The batches the client sends; its -c commands are one. Raises ValueError for garbage, SyntaxProblem for what
        is not text or too long.
        """
        commands: list[str] = []
        batches: list[Batch] = []
        left = frames.MAXIMUM
        while True:
            kind, payload = await self.frame(left)
            left -= len(payload)
            if kind == frames.END:
                break
            if kind == frames.COMMAND:
                commands += payload.decode("utf-8", "replace").splitlines()
            elif kind == frames.BATCH:
                name, _, contents = payload.partition(b"\0")
                file = name.decode("utf-8", "replace")
                try:
                    text = contents.decode("utf-8-sig")
                except UnicodeDecodeError as problem:
                    line = contents.count(b"\n", 0, problem.start) + 1
                    raise SyntaxProblem(
                        f"{file} line {line}", f"byte {problem.start} of the file is not UTF-8 text", "save it as UTF-8"
                    ) from None
                batches.append(Batch(file, tuple(text.splitlines())))
            else:
                raise ValueError(f"unexpected frame {kind!r}")
        if commands:
            batches.append(Batch("", tuple(commands)))
        for batch in batches:
            batch.check()
        return batches

    async def pump(self) -> None:
        """Take frames until the client is gone."""
        try:
            while True:
                kind, payload = await self.frame()
                if kind in (frames.FILE, frames.REFUSED):
                    if self._answer is not None and not self._answer.done():
                        self._answer.set_result((kind, payload))
                elif kind == frames.DATA:
                    self.keys(payload)
                elif kind == frames.WINDOW and len(payload) == 4:
                    columns, rows = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:], "big")
                    self._screen = Screen(columns, rows, self._screen.unicode)
                    self.resized()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return

    def keys(self, data: bytes) -> None:
        """Keys that were pressed; only an interactive link listens."""

    def resized(self) -> None:
        """The window has another size; only an interactive link cares."""

    def send(self, kind: bytes, payload: bytes) -> None:
        """Queue one frame."""
        if self.writer.is_closing():
            raise ConnectionResetError("the client is gone")
        self.writer.write(frames.pack(kind, payload))

    async def write(self, text: str) -> None:
        """Standard output of the client."""
        await self._write(frames.OUTPUT, text)

    async def write_error(self, text: str) -> None:
        """Standard error of the client."""
        await self._write(frames.ERROR, text)

    async def _write(self, kind: bytes, text: str) -> None:
        data = encode(harmless(text), self._screen)
        for at in range(0, len(data), CHUNK):
            self.send(kind, data[at : at + CHUNK])
            await self.writer.drain()

    async def show(self, lines: list[str], pager: bool) -> None:
        """A result, without a pager."""
        if lines:
            await self.write("\n".join(lines) + "\n")

    async def read_file(self, name: str) -> bytes:
        """Ask the client for a file."""
        return await self._ask(frames.READ, name, b"")

    async def write_file(self, name: str, contents: bytes) -> None:
        """Have the client write a file."""
        await self._ask(frames.SAVE, name, contents)

    async def _ask(self, kind: bytes, name: str, contents: bytes) -> bytes:
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self.send(kind, name.encode() + (b"\0" + contents if kind == frames.SAVE else b""))
            await self.writer.drain()
            answer, payload = await self._answer
        finally:
            self._answer = None
        if answer == frames.REFUSED:
            raise CommandFailed(name, payload.decode("utf-8", "replace"), "name a file that you may use")
        return payload

    async def read_terminal(self, prompt: str) -> str:
        """Nobody types into a one-shot session."""
        raise CommandFailed("load", "there is no terminal to type into", "name a file, or use an interactive session")

    async def close(self, code: int) -> None:
        """Say the exit code and hang up."""
        if not self.writer.is_closing():
            self.writer.write(frames.pack(frames.EXIT, bytes([code & 255])))
            self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return
