"""The listener for hypervisors' agents: who is connected, what they are told, and what they are asked.

Agents dial in and speak JSON-RPC 2.0, one object per line, both ways (agent/rpc.py is the other end):

    agent -> controller   hello {system_id, version}    first, within HELLO_TIMEOUT
    controller -> agent   neighbours {peers}            the tunnel addresses to keep resolved; at hello and on change
                          trace, conntrack, appctl, ovs the diagnostics of agent/diagnostics.py
    both                  ping                          when nothing was heard for a while

No forwarding depends on this connection; losing it loses diagnostics only.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.events import Events, Kind
from data.errors import CommandFailed

__all__ = ["AgentInfo", "AgentServer"]

log = logging.getLogger(__name__)

LINE_LIMIT = 1 << 20  # bytes of one message, either way
HELLO_TIMEOUT = 5.0  # seconds from connecting to a valid hello
IDLE_LIMIT = 10.0  # seconds of silence after which the agent is pinged
PING_TIMEOUT = 3.0  # seconds an agent has to answer a ping
CALL_TIMEOUT = 15.0  # seconds an agent has to answer a diagnostic question
CONNECTIONS_MAX = 4096  # open connections, said hello or not
NAME_LIMIT = 255  # characters of a system-id
REFUSED_MAX = 1000  # system-ids whose refusal is remembered
VERSION_LIMIT = 40  # characters kept of an agent's version

PARSE_ERROR, INVALID_REQUEST, NO_SUCH_METHOD = -32700, -32600, -32601  # JSON-RPC 2.0, section 5.1
REFUSED = -32000  # ours: the hello is understood and not accepted


class _Broken(Exception):
    """The other side breaks the protocol; the text says how."""


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """A connected agent. `since` is seconds since the epoch."""

    system_id: str
    version: str
    peer: str
    since: float


class _Connection:
    """One agent's connection: writes lines, matches answers to questions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
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
        """The next message, None at the end; raises _Broken for what is not one, TimeoutError for silence."""
        try:
            async with asyncio.timeout(timeout):
                line = await self.reader.readline()
        except ValueError:
            raise _Broken(f"a line of more than {LINE_LIMIT} bytes") from None
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise _Broken(f"{line[:40]!r} is not JSON") from None
        if not isinstance(message, dict):
            raise _Broken("a message that is not an object")
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


class AgentServer:
    """The agents by system-id.  `admit` gives the reason to refuse a system-id, or None."""

    def __init__(self, events: Events, admit: Callable[[str], str | None] | None = None) -> None:
        self._events = events
        self._admit = admit
        self._agents: dict[str, _Connection] = {}
        self._arriving: set[str] = set()
        self._peers: dict[str, tuple[str, ...]] = {}
        self._refused: dict[str, str] = {}  # what was said last, so that a retry is not one more event
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens; port 0 takes a free one. Returns the port. Raises OSError."""
        self._server = await asyncio.start_server(self._arrived, host, port, limit=LINE_LIMIT)
        return self.port or port

    def stop_listening(self) -> None:
        """Lets nobody in any more; `start` begins again. Connections stay."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def end_connections(self, reason: str) -> None:
        """Ends all connections; who dials again gets in."""
        if self._open:
            self._events.add(Kind.HYPERVISOR, f"{len(self._open)} connections of agents are ended: {reason}")
        for connection in tuple(self._open):
            connection.close()

    async def close(self) -> None:
        """Closes the listener and every connection, and waits for their tasks to end."""
        self.stop_listening()
        self.end_connections("the controller stops")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PING_TIMEOUT)

    @property
    def port(self) -> int | None:
        """The port listened on, None when not listening."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server and self._server.sockets else None

    def connected(self) -> tuple[AgentInfo, ...]:
        """The agents that said hello and are connected, by system-id."""
        return tuple(one.info for _, one in sorted(self._agents.items()) if one.info is not None)

    def agent(self, system_id: str) -> AgentInfo | None:
        """One connected agent."""
        found = self._agents.get(system_id)
        return found.info if found else None

    async def call(
        self,
        system_id: str,
        method: str,
        params: Mapping[str, Any] | None = None,
        timeout: float = CALL_TIMEOUT,
    ) -> Any:
        """Asks an agent; raises CommandFailed when it is away, silent or says no."""
        connection = self._agents.get(system_id)
        if connection is None:
            raise CommandFailed(
                f"agent {system_id}",
                "it is not connected",
                "start 'nshell agent run' on that hypervisor; forwarding does not need it",
            )
        try:
            return await connection.ask(method, params or {}, timeout)
        except TimeoutError:
            raise CommandFailed(
                f"agent {system_id}", f"no answer to {method} within {timeout:g} s", "try again"
            ) from None
        except ConnectionError:
            raise CommandFailed(f"agent {system_id}", "the connection was lost", "try again when it is back") from None

    def set_peers(self, system_id: str, addresses: Iterable[str]) -> None:
        """Says which tunnel addresses a hypervisor shall keep resolved; told now if changed, and at every hello."""
        peers = tuple(sorted({str(ipaddress.ip_address(address)) for address in addresses}))
        if peers == self._peers.get(system_id, ()):
            return
        if peers:
            self._peers[system_id] = peers
        else:
            self._peers.pop(system_id, None)
        if system_id in self._agents:
            self._tell_peers(system_id)

    def _tell_peers(self, system_id: str) -> None:
        self._agents[system_id].send({"method": "neighbours", "params": {"peers": self._peers.get(system_id, ())}})

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if len(self._open) >= CONNECTIONS_MAX:
            log.warning("agent %s: refused, %d connections are open", connection.peer, CONNECTIONS_MAX)
            connection.close()
            return
        self._open.add(connection)
        try:
            if await self._greet(connection):
                await self._serve(connection)
        except _Broken as problem:
            text = f"agent {self._named(connection)}: {problem}; closed"
            if connection.info is None:
                log.warning("%s", text)  # no event: strangers must not push out what happened to hypervisors
            else:
                self._events.add(Kind.FAULT, text)
        finally:
            self._gone(connection)

    async def _greet(self, connection: _Connection) -> bool:
        """The hello: whether this agent is accepted, and then known."""
        try:
            message = await connection.read(HELLO_TIMEOUT)
        except TimeoutError:
            raise _Broken(f"no hello within {HELLO_TIMEOUT:g} s") from None
        if message is None:
            return False
        params = message.get("params")
        name = params.get("system_id") if isinstance(params, dict) else None
        if (
            message.get("method") != "hello"
            or not isinstance(name, str)
            or not 0 < len(name) <= NAME_LIMIT
            or not name.isprintable()
        ):
            connection.send({"id": message.get("id"), "error": {"code": INVALID_REQUEST, "message": "say hello first"}})
            raise _Broken("the first message is not a hello with a system_id")
        assert isinstance(params, dict)
        reason = await self._reason_to_refuse(name)
        if reason is not None:
            connection.send({"id": message.get("id"), "error": {"code": REFUSED, "message": reason}})
            self._note_refusal(name, connection.peer, reason)
            return False
        self._refused.pop(name, None)
        version = str(params.get("version", ""))[:VERSION_LIMIT]
        connection.info = AgentInfo(name, version, connection.peer, time.time())
        self._agents[name] = connection
        connection.send({"id": message.get("id"), "result": {"accepted": True}})
        self._events.add(Kind.HYPERVISOR, f"agent {name} connected from {connection.peer}")
        self._tell_peers(name)
        return True

    def _note_refusal(self, name: str, peer: str, reason: str) -> None:
        """One event for each new reason; a refused agent dials again every 8 seconds."""
        if self._refused.get(name) == reason:
            return
        if len(self._refused) >= REFUSED_MAX:
            self._refused.clear()
        self._refused[name] = reason
        self._events.add(Kind.IDENTITY, f"agent {name} from {peer} refused: {reason}")

    async def _reason_to_refuse(self, name: str) -> str | None:
        """Why a new connection may not have this system-id; an older one that does not answer is dropped."""
        if self._admit is not None and (reason := self._admit(name)) is not None:
            return reason
        if name in self._arriving:
            return f"another connection says hello as {name} at this moment"
        self._arriving.add(name)
        try:
            older = self._agents.get(name)
            if older is None:
                return None
            if await self._answers(older):
                return f"{name} is connected already, from {older.peer}, and answers"
            self._events.add(Kind.IDENTITY, f"agent {name} from {older.peer} does not answer; replaced")
            self._gone(older)
            return None
        finally:
            self._arriving.discard(name)

    async def _serve(self, connection: _Connection) -> None:
        """Reads until the connection ends; a silent agent is pinged, and dropped when it stays silent."""
        silent = False
        while True:
            try:
                message = await connection.read(PING_TIMEOUT if silent else IDLE_LIMIT)
            except TimeoutError:
                if silent:
                    raise _Broken("it does not answer a ping") from None
                silent = True
                connection.send({"id": 0, "method": "ping", "params": {}})  # any word is an answer
                continue
            silent = False
            if message is None:
                return
            if "method" not in message:
                connection.answered(message)
            elif message["method"] == "ping":
                connection.send({"id": message.get("id"), "result": {}})
            elif "id" in message:
                connection.send({"id": message["id"], "error": {"code": NO_SUCH_METHOD, "message": "no such method"}})

    async def _answers(self, connection: _Connection) -> bool:
        try:
            await connection.ask("ping", {}, PING_TIMEOUT)
        except (TimeoutError, ConnectionError):
            return False
        except CommandFailed:
            return True  # even a refusal is an answer
        return True

    def _gone(self, connection: _Connection) -> None:
        """Forgets a connection; the name may already belong to its successor."""
        connection.close()
        self._open.discard(connection)
        name = connection.info.system_id if connection.info else ""
        if self._agents.get(name) is connection:
            del self._agents[name]
            self._events.add(Kind.HYPERVISOR, f"agent {name} disconnected")

    @staticmethod
    def _named(connection: _Connection) -> str:
        return f"{connection.info.system_id} ({connection.peer})" if connection.info else connection.peer
