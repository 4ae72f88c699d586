"""One agent's connection: lines each way, and answers matched to questions. `agents.py` says what is spoken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.trust.door import Credential
from data.errors import CommandFailed

LINE_LIMIT = 1 << 20  # bytes of one message, either way

__all__ = ["LINE_LIMIT", "AgentInfo", "Broken", "Link"]


class Broken(Exception):
    """The other side breaks the protocol; the text says how."""


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """A connected agent. `since` is seconds since the epoch."""

    system_id: str
    version: str
    peer: str
    since: float


class Link:
    """One agent's connection: writes lines, matches answers to questions."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, certificate: Credential | None = None
    ) -> None:
        self.reader = reader
        self.certificate = certificate
        self.writer = writer
        name = writer.get_extra_info("peername")
        self.peer = f"{name[0]}:{name[1]}" if name else "?"
        self.info: AgentInfo | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def send(self, message: Mapping[str, Any]) -> None:
        """Queues one message; an agent that does not read for LINE_LIMIT bytes is cut off."""
        self.writer.write(json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n")
        if self.writer.transport.get_write_buffer_size() > 4 * LINE_LIMIT:
            self.close()

    async def ask(self, method: str, params: Mapping[str, Any], timeout: float) -> Any:
        """One question and its answer; raises TimeoutError, ConnectionError or CommandFailed."""
        self._number += 1
        number = self._number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self.send({"id": number, "method": method, "params": params})
            async with asyncio.timeout(timeout):
                return await answer
        finally:
            del self._waiting[number]

    async def read(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None at the end; raises Broken for what is not one, TimeoutError for silence."""
        try:
            async with asyncio.timeout(timeout):
                line = await self.reader.readline()
        except ValueError:
            raise Broken(f"a line of more than {LINE_LIMIT} bytes") from None
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise Broken(f"{line[:40]!r} is not JSON") from None
        if not isinstance(message, dict):
            raise Broken("a message that is not an object")
        return message

    def answered(self, message: Mapping[str, Any]) -> None:
        """Hands an answer to whoever asked; one that nobody waits for any more is dropped."""
        number = message.get("id")
        answer = self._waiting.get(number) if isinstance(number, int) else None
        if answer is None or answer.done():
            return
        error = message.get("error")
        if error is None:
            answer.set_result(message.get("result"))
            return
        said = error if isinstance(error, dict) else {}
        answer.set_exception(
            CommandFailed(
                f"agent {self.info.system_id if self.info else self.peer}",
                str(said.get("message", error)),
                str(said.get("data", "")),
            )
        )

    def close(self) -> None:
        self.writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the connection was lost"))
