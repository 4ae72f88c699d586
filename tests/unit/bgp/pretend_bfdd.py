"""A pretended bfdd of FRR: its vty, which remembers the sessions that it is told of, and its control socket."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from pathlib import Path

HEAD = struct.Struct("!IHBB")
END = b"\0\0\0"


class PretendBfdd:
    """`peers`: the line of each session -> the lines below it. `asked` are all lines that were told. What `refuses` is
    in a line makes it fail at that."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.peers: dict[str, list[str]] = {}
        self.profile: list[str] = []
        self.asked: list[str] = []
        self.refuses: str | None = None
        self.subscribed: list[asyncio.StreamWriter] = []
        self._servers: list[asyncio.Server] = []
        self._open: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, serve in (("bfdd.vty", self._vty), ("bfdd.sock", self._control)):
            (self.directory / name).unlink(missing_ok=True)
            self._servers.append(await asyncio.start_unix_server(serve, self.directory / name))

    async def stop(self) -> None:
        """As one that is killed: connections close, what was configured is forgotten."""
        for server in self._servers:
            server.close()
        for writer in self._open:
            writer.close()
        self._servers, self._open, self.subscribed, self.peers = [], [], [], {}

    def say(self, peer: str, state: str, diagnostic: int = 0, remote: int = 0, **more: object) -> None:
        """How a session stands, to whoever subscribed."""
        frame = {"op": "status", "peer-address": peer, "multihop": False, "state": state, "diagnostics": diagnostic,
                 "remote-diagnostics": remote, "id": 7} | more  # fmt: skip
        self.send(json.dumps(frame).encode())

    def send(self, body: bytes) -> None:
        for writer in self.subscribed:
            writer.write(HEAD.pack(len(body), 0, 4, 1) + body)

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        try:
            while True:
                length, number, kind, version = HEAD.unpack(await reader.readexactly(HEAD.size))
                assert (length, kind, version) == (8, 4, 1) and await reader.readexactly(8) == struct.pack("=Q", 1)
                body = b'{"status":"ok"}'
                writer.write(HEAD.pack(len(body), number, 1, 1) + body)
                if writer not in self.subscribed:
                    self.subscribed.append(writer)
        except asyncio.IncompleteReadError:
            writer.close()

    async def _vty(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        where: list[str] = []
        try:
            while True:
                line = (await reader.readuntil(b"\0"))[:-1].decode()
                self.asked.append(line)
                if self.refuses is not None and self.refuses in line:
                    writer.write(b"% Unknown command" + END + b"\2")
                elif line == "show running-config":
                    writer.write(self._running().encode() + END + b"\0")
                else:
                    where = self._told(line, where)
                    writer.write(END + b"\0")
        except asyncio.IncompleteReadError:
            writer.close()

    def _told(self, line: str, where: list[str]) -> list[str]:
        if line == "end":
            return []
        if line == "exit":
            return where[:-1]
        if line.startswith("no peer "):
            del self.peers[line.removeprefix("no ")]
            return where
        if line in ("configure terminal", "bfd", "profile nshell") and len(where) < 2:
            return where if line == "configure terminal" else [*where, line]
        if line.startswith("peer "):
            self.peers.setdefault(line, [])
            return [*where, line]
        if where and where[-1] == "profile nshell":
            self.profile = [one for one in self.profile if one.split()[0] != line.split()[0]] + [line]
        elif where and where[-1] != "enable" and line != "enable":
            self.peers[where[-1]].append(line)
        return where

    def _running(self) -> str:
        lines = ["", "frr version 8.4.4", "!", "bfd", " profile nshell", *(f"  {one}" for one in self.profile), " exit"]
        for peer, below in self.peers.items():
            lines += [" !", f" {peer}", *(f"  {one}" for one in below), " exit"]
        return "\n".join([*lines, " !", "exit", "!", ""])


def matches(lines: list[str], pattern: str) -> list[str]:
    return [line for line in lines if re.search(pattern, line)]
