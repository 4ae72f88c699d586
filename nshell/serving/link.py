"""The daemon's end of the thin client's socket: frames in and out, the transport that one-shot sessions use, and the
pipe to a terminal at the client's end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from data.errors import CommandFailed
from nshell import frames
from nshell.serving.transport import CHUNK, KEYS_LIMIT, Keyboard, Unattended
from nshell.sessions.batch import Batch
from views.render import Screen, ScreenSettings, encode, harmless

HELLO_LIMIT = 4096
"""Bytes of a hello; a client sends about 120."""


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
        unicode, color = pairs["unicode"] == "1", pairs.get("color") == "1"
        screen = Screen(max(0, int(pairs["columns"])), max(0, int(pairs["rows"])), unicode, color)
        return cls(pairs["interactive"] == "1", screen, pairs["term"], pairs["json"] == "1", pairs["keep-going"] == "1")


class Link(Unattended):
    """One connected client. `pump` must run while a session wants answers or keys, which go to `keyboard`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.term = "dumb"
        self.keyboard: Keyboard | None = None
        self.settings = ScreenSettings()
        self._screen = Screen()
        self._answer: asyncio.Future[tuple[bytes, bytes]] | None = None

    @property
    def screen(self) -> Screen:
        return self.settings.applied(self._screen)

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
            hello = Hello.parse(payload)
        except (KeyError, UnicodeDecodeError) as problem:
            raise ValueError(f"hello: {problem}") from None
        self._screen, self.json, self.term = hello.screen, hello.json, hello.term
        return hello

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
                batches.append(Batch.of_file(name.decode("utf-8", "replace"), contents))
            else:
                raise ValueError(f"unexpected frame {kind!r}")
        if commands:
            batches.append(Batch.of_commands(commands))
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
                    if self.keyboard is not None:
                        self.keyboard.keys(payload)
                elif kind == frames.WINDOW and len(payload) == 4:
                    columns, rows = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:], "big")
                    self._screen = replace(self._screen, columns=columns, rows=rows)
                    if self.keyboard is not None:
                        self.keyboard.resized()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return

    def put(self, data: bytes) -> None:
        """Bytes for the client's screen."""
        if not self.writer.is_closing():
            self.writer.write(frames.pack(frames.DATA, data))

    async def drain(self) -> None:
        """Wait until the client has taken most of what was sent."""
        await self.writer.drain()

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
        data = encode(harmless(text), self.screen)
        for at in range(0, len(data), CHUNK):
            self.send(kind, data[at : at + CHUNK])
            await self.writer.drain()

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

    async def close(self, code: int) -> None:
        """Say the exit code and hang up."""
        if not self.writer.is_closing():
            self.writer.write(frames.pack(frames.EXIT, bytes([code & 255])))
            self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return
