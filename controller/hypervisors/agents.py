"""The listener for hypervisors' agents: who is connected, what they are told, and what they are asked.

Agents dial in and speak JSON-RPC 2.0, one object per line, both ways (agent/rpc.py is the other end):

    agent -> controller   hello {system_id, version}    first, within HELLO_TIMEOUT; over TLS as in its certificate
                          authority, enroll             instead of hello, over TLS without a certificate: to get one
                          renew {request}               a certificate after the one that this connection was opened with
    controller -> agent   neighbours {peers}            the tunnel addresses to keep resolved; at hello and on change
                          trace, conntrack, appctl, ovs the diagnostics of agent/diagnostics.py
    both                  ping                          when nothing was heard for a while

No forwarding depends on this connection; losing it loses diagnostics only.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from controller.events import Events, Kind, Severity
from controller.hypervisors.agentlink import LINE_LIMIT, AgentInfo, Broken, Link
from controller.hypervisors.dialin import Refusal
from controller.trust.door import ANONYMOUS, Credential, Gate
from controller.trust.office import Trust
from data.errors import CommandFailed

__all__ = ["AgentInfo", "AgentServer"]

log = logging.getLogger(__name__)

HELLO_TIMEOUT = 5.0  # seconds from connecting to a valid hello
IDLE_LIMIT = 10.0  # seconds of silence after which the agent is pinged
PING_TIMEOUT = 3.0  # seconds an agent has to answer a ping
CALL_TIMEOUT = 15.0  # seconds an agent has to answer a diagnostic question
CONNECTIONS_MAX = 4096  # open connections, said hello or not
NAME_LIMIT = 255  # characters of a system-id
VERSION_LIMIT = 40  # characters kept of an agent's version

PARSE_ERROR, INVALID_REQUEST, NO_SUCH_METHOD = -32700, -32600, -32601  # JSON-RPC 2.0, section 5.1
REFUSED = -32000  # ours: the hello is understood and not accepted


class AgentServer:
    """The agents by system-id.  `admit` gives the reason to refuse a system-id, or None."""

    def __init__(
        self, events: Events, admit: Callable[[str], str | None] | None = None, trust: Trust | None = None
    ) -> None:
        """Without `trust` everybody is let in, in the clear: for tests of what is spoken."""
        self._events = events
        self._admit = admit
        self._trust = trust
        self._gates: set[Gate] = set()
        self._agents: dict[str, Link] = {}
        self._arriving: set[str] = set()
        self._peers: dict[str, tuple[str, ...]] = {}
        self._open: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens; port 0 takes a free one. Returns the port. Raises OSError."""
        self._server = await asyncio.get_running_loop().create_server(self._protocol, host, port)
        return self.port or port

    def _protocol(self) -> asyncio.BaseProtocol:
        if self._trust is None:
            return self._enter(None)
        if len(self._open) + len(self._gates) >= CONNECTIONS_MAX:
            return Refusal("agent", CONNECTIONS_MAX)
        gate = Gate(self._trust.door, "agent", False, self._enter, self._gates.discard)
        self._gates.add(gate)
        return gate

    def _enter(self, certificate: Credential | None) -> asyncio.BaseProtocol:
        def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = Link(reader, writer, certificate)
            if len(self._open) >= CONNECTIONS_MAX:
                log.warning("agent %s: refused, %d connections are open", connection.peer, CONNECTIONS_MAX)
                connection.close()
                return
            self._open.add(connection)  # now and not in the task: `cut` must find whoever the door has let in
            task = asyncio.get_running_loop().create_task(self._arrived(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=LINE_LIMIT), arrived)

    def stop_listening(self) -> None:
        """Lets nobody in any more; `start` begins again. Connections stay."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def end_connections(self, reason: str) -> None:
        """Ends all connections; who dials again gets in."""
        if self._open:
            self._events.add(Kind.HYPERVISOR, f"{len(self._open)} connections of agents are ended: {reason}")
        for gate in tuple(self._gates):
            gate.abort()
        for connection in tuple(self._open):
            connection.close()

    def cut(self, system_id: str, reason: str) -> int:
        """Ends the connections that this system-id's certificates opened; how many."""
        found = [one for one in self._open if one.certificate is not None and one.certificate.system_id == system_id]
        for connection in found:
            log.info("agent %s: %s", self._named(connection), reason)
            connection.close()
        return len(found)

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

    async def _arrived(self, connection: Link) -> None:
        try:
            if await self._greet(connection):
                await self._serve(connection)
        except Broken as problem:
            text = f"agent {self._named(connection)}: {problem}; closed"
            if connection.info is None:
                log.warning("%s", text)  # no event: strangers must not push out what happened to hypervisors
            else:
                self._events.add(Kind.FAULT, text)
        finally:
            self._gone(connection)

    async def _greet(self, connection: Link) -> bool:
        """The hello: whether this agent is accepted, and then known."""
        try:
            message = await connection.read(HELLO_TIMEOUT)
        except TimeoutError:
            raise Broken(f"no hello within {HELLO_TIMEOUT:g} s") from None
        if message is None:
            return False
        params = message.get("params")
        if self._trust is not None and connection.certificate is not None:
            if message.get("method") in ("authority", "enroll"):
                await self._enrol(self._trust, connection, message)
                return False
            if connection.certificate is ANONYMOUS:
                raise Broken("it has no certificate, and asks for something else than one")
        name = params.get("system_id") if isinstance(params, dict) else None
        if (
            message.get("method") != "hello"
            or not isinstance(name, str)
            or not 0 < len(name) <= NAME_LIMIT
            or not name.isprintable()
        ):
            connection.send({"id": message.get("id"), "error": {"code": INVALID_REQUEST, "message": "say hello first"}})
            raise Broken("the first message is not a hello with a system_id")
        assert isinstance(params, dict)
        if connection.certificate is not None and connection.certificate.system_id != name:
            reason: str | None = f"its certificate is that of {connection.certificate.system_id}"
        else:
            reason = await self._reason_to_refuse(name)
        if reason is not None:
            connection.send({"id": message.get("id"), "error": {"code": REFUSED, "message": reason}})
            about = f"agent {name if connection.certificate is None else connection.certificate.system_id}"
            text = f"agent {name} from {connection.peer.rpartition(':')[0]} refused: {reason}"
            self._events.once(Kind.IDENTITY, about, reason, text)
            return False
        self._events.settled(f"agent {name}")
        version = str(params.get("version", ""))[:VERSION_LIMIT]
        connection.info = AgentInfo(name, version, connection.peer, time.time())
        self._agents[name] = connection
        connection.send({"id": message.get("id"), "result": {"accepted": True}})
        facts = {"agent": name, "peer": connection.peer}
        self._events.add(Kind.HYPERVISOR, f"agent {name} connected from {connection.peer}", facts=facts)
        self._tell_peers(name)
        return True

    async def _enrol(self, trust: Trust, connection: Link, message: Mapping[str, Any]) -> None:
        """What somebody may ask who has no certificate yet; the connection ends with the answer."""
        given = message.get("params")
        params = given if isinstance(given, dict) else {}
        name = str(params.get("system_id", ""))
        try:
            if message["method"] == "authority":
                connection.send({"id": message.get("id"), "result": {"authority": await trust.authority_pem()}})
                return
            configured = self._admit is None or self._admit(name) is None
            secret, request = str(params.get("secret", "")), str(params.get("request", ""))
            granted = await trust.enrol(name, secret, request, connection.peer, configured=configured)
            connection.send({"id": message.get("id"), "result": granted})
        except CommandFailed as problem:
            trust.door.refused("agent", connection.peer, f"{problem.where}: {problem.cause}")
            connection.send({"id": message.get("id"), "error": _error(problem)})

    async def _renew(self, connection: Link, message: Mapping[str, Any]) -> None:
        """A new certificate for an agent that has one."""
        params, certificate = message.get("params"), connection.certificate
        try:
            if self._trust is None or certificate is None:
                raise CommandFailed("certificate", "this connection has none", "join with a token")
            request = str(params.get("request", "")) if isinstance(params, dict) else ""
            connection.send({"id": message.get("id"), "result": await self._trust.renew(certificate, request)})
        except CommandFailed as problem:
            log.warning("agent %s: renewal refused: %s", self._named(connection), problem.cause)
            connection.send({"id": message.get("id"), "error": _error(problem)})

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

    async def _serve(self, connection: Link) -> None:
        """Reads until the connection ends; a silent agent is pinged, and dropped when it stays silent."""
        silent = False
        while True:
            try:
                message = await connection.read(PING_TIMEOUT if silent else IDLE_LIMIT)
            except TimeoutError:
                if silent:
                    raise Broken("it does not answer a ping") from None
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
            elif message["method"] == "renew":
                await self._renew(connection, message)
            elif "id" in message:
                connection.send({"id": message["id"], "error": {"code": NO_SUCH_METHOD, "message": "no such method"}})

    async def _answers(self, connection: Link) -> bool:
        try:
            await connection.ask("ping", {}, PING_TIMEOUT)
        except (TimeoutError, ConnectionError):
            return False
        except CommandFailed:
            return True  # even a refusal is an answer
        return True

    def _gone(self, connection: Link) -> None:
        """Forgets a connection; the name may already belong to its successor."""
        connection.close()
        self._open.discard(connection)
        name = connection.info.system_id if connection.info else ""
        if self._agents.get(name) is connection:
            del self._agents[name]
            self._events.add(
                Kind.HYPERVISOR, f"agent {name} disconnected", severity=Severity.WARNING, facts={"agent": name}
            )

    @staticmethod
    def _named(connection: Link) -> str:
        return f"{connection.info.system_id} ({connection.peer})" if connection.info else connection.peer


def _error(problem: CommandFailed) -> dict[str, object]:
    return {"code": REFUSED, "message": problem.cause, "data": problem.remedy}
