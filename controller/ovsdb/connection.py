"""One connection of a hypervisor's ovsdb-server, which dialled in (Manager target ``ssl:…``, ``tcp:…``).

::

    bytes ─> data_received ─> JSON values ─┬─ answers  ─> the future waiting under their id
                                           ├─ echo     ─> answered here
                                           └─ update   ─> tables.update ─> on_change

The connection greets (does it have a database Open_vSwitch?) and starts its monitor; then server.py announces
it with ``tables`` filled. JSON-RPC here has no framing: a value is tried only when the last bytes could end
one, so that a large one that arrives in many pieces is not parsed again and again.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from controller.ovsdb.errors import OvsdbError, OvsdbGone, OvsdbRefused, OvsdbTimeout
from controller.ovsdb.model import BRIDGE, COLUMNS, FIXED_PORTS, TUNNEL_OFPORT, TUNNEL_PORT, Change, Tables
from controller.trust.door import Credential

log = logging.getLogger(__name__)

DATABASE = "Open_vSwitch"
HANDSHAKE_TIMEOUT = 5.0  # seconds from connecting to the first snapshot
CALL_TIMEOUT = 30.0  # seconds; a transaction takes 13 ms
BUFFER_LIMIT = 8 * 1024 * 1024  # characters of one unfinished message; 10,000 interfaces are 4 MiB
_UNREAD_LIMIT = 4 * 1024 * 1024  # bytes waiting for a peer that does not read
MISSED_PROBES = 3
_CHEAP = 64 * 1024  # characters that may be parsed in vain as often as they come, 1 ms
_IN_VAIN = 2 * BUFFER_LIMIT  # characters parsed in vain before a long message is no message, 0.3 s
_LITERAL = 8  # characters: a value cut off within a literal or a number is not garbage yet


class Owner(Protocol):
    """What a connection tells its server."""

    def greeted(self, connection: Hypervisor) -> None:
        """The tables are mirrored; calls may be made."""

    def ended(self, connection: Hypervisor, reason: str) -> None:
        """The connection is gone."""


class Hypervisor(asyncio.Protocol):
    """One hypervisor's database. ``tables`` mirrors it; ``on_change`` is told each batch of changes.

    ``certificate`` is whom TLS has proved, None on this machine itself.
    For display: ``peer``, ``since`` (UNIX time), ``received`` and ``sent`` (bytes), ``last_error``, ``ended``
    (the reason, None while connected). ``local_address`` is the address that the hypervisor dialled.
    """

    def __init__(self, owner: Owner, probe_interval: float) -> None:
        self._owner = owner
        self.probe_interval = probe_interval
        self.tables = Tables()
        self.on_change: Callable[[Hypervisor, list[Change]], None] | None = None
        self.on_close: Callable[[Hypervisor], None] | None = None
        self.peer = ""
        self.certificate: Credential | None = None
        self.local_address = ""
        self.since = 0.0
        self.received = 0
        self.sent = 0
        self.last_error: str | None = None
        self.ended: str | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text = ""
        self._depth = 0  # braces open in _text, those inside of strings counted with them
        self._in_vain = 0
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._greeted = False
        self._heard = False
        self._missed = 0

    # ---- what callers use

    @property
    def connected(self) -> bool:
        """Whether the tables are mirrored and the connection stands."""
        return self._greeted and self.ended is None

    @property
    def system_id(self) -> str | None:
        """Who the hypervisor says it is."""
        return self.tables.system_id

    @property
    def ovs_version(self) -> str:
        """Version of Open vSwitch, empty when it does not say."""
        return self.tables.root.get("ovs_version") or ""

    @property
    def tunnel_port(self) -> int:
        """OpenFlow port of the tunnel; the one that is asked for until the switch has given it."""
        found = self.tables.find("Interface", TUNNEL_PORT)
        port = found[1]["ofport"] if found else None
        return port if isinstance(port, int) and port > 0 else TUNNEL_OFPORT

    def misplaced(self) -> dict[str, str]:
        """Tunnel ports that the switch has not under the numbers that flows take for granted, and why."""
        found = {}
        for name, wanted in FIXED_PORTS.items():
            row = self.tables.find("Interface", name)
            if row is not None and row[1]["ofport"] not in (None, wanted):
                found[name] = row[1]["error"] or f"it has OpenFlow port {row[1]['ofport']} instead of {wanted}"
        return found

    def attached(self) -> dict[str, tuple[str, int]]:
        """The workloads and uplinks plugged into our bridge: interface name -> (claim, OpenFlow port)."""
        return {
            interface.name: (interface.claim, interface.ofport)
            for interface in self.tables.interfaces(BRIDGE)
            if interface.claim and interface.ofport is not None and interface.ofport > 0
        }

    async def echo(self, timeout: float = CALL_TIMEOUT) -> None:
        """Ask whether it is there. Raises OvsdbTimeout, OvsdbGone."""
        await self.call("echo", [], timeout)

    async def call(self, method: str, params: Sequence[Any], timeout: float = CALL_TIMEOUT) -> Any:
        """Call a method and return its result.

        Raises OvsdbRefused when it answers with an error, OvsdbTimeout, OvsdbGone.
        """
        self._number += 1
        number = self._number
        future: asyncio.Future[Any] = self._loop.create_future()
        self._calls[number] = future
        try:
            self._send({"method": method, "params": list(params), "id": number})
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise OvsdbTimeout(f"no answer to {method} within {timeout:g} s") from None
        finally:
            self._calls.pop(number, None)

    async def transact(
        self, operations: Sequence[dict[str, Any]], timeout: float = CALL_TIMEOUT
    ) -> list[dict[str, Any]]:
        """Carry out operations, all or none; returns one result per operation.

        Raises OvsdbRefused with the error and the details of the operation that failed (RFC 7047, 4.1.3).
        """
        results = await self.call("transact", [DATABASE, *operations], timeout)
        if not isinstance(results, list):
            raise OvsdbRefused("not a list of results", repr(results)[:200])
        for result in results:
            if isinstance(result, dict) and result.get("error"):
                raise OvsdbRefused(str(result["error"]), str(result.get("details", "")))
        return results

    def close(self, reason: str) -> None:
        """End the connection; waiting calls raise OvsdbGone(reason)."""
        self._end(reason)

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        name, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.peer = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "unix socket"
        self.local_address = local[0] if isinstance(local, tuple) else ""
        self.since = time.time()
        self._timer = self._loop.call_later(HANDSHAKE_TIMEOUT, self._too_slow)
        self._greeting = self._loop.create_task(self._greet())

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"connection lost: {exc.__class__.__name__}" if exc else "closed by the hypervisor")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        try:
            text = self._decoder.decode(data)
            self._text += text
            self._depth += text.count("{") - text.count("}")
            self._parse(data.rstrip().endswith(b"}"))
        except (ValueError, TypeError, KeyError, LookupError, AttributeError, RecursionError) as problem:
            self._end(f"malformed message: {problem.__class__.__name__}: {problem}"[:300])

    # ---- messages

    def _parse(self, may_end: bool) -> None:
        if self._text and self._text[0] != "{":
            self._text = self._text.lstrip()
            if self._text and self._text[0] != "{":
                raise ValueError(f"not JSON-RPC, begins with {self._text[:16]!r}")
        if len(self._text) > BUFFER_LIMIT:
            raise ValueError(f"a message of more than {BUFFER_LIMIT // 1024 // 1024} MiB")
        text, at, end = self._text, 0, len(self._text)
        if not may_end or (end > _CHEAP and self._depth > 0 and self._in_vain > _IN_VAIN):
            return
        while at < end and self.ended is None:
            try:
                value, at = self._json.raw_decode(text, at)
            except json.JSONDecodeError as problem:
                if problem.msg.startswith("Expecting") and problem.pos < end - _LITERAL:
                    raise
                self._wasted(end - at)
                break
            while at < end and text[at].isspace():
                at += 1
            self._heard = True
            self._in_vain = 0
            self._message(value)
        if at:
            self._text = text[at:]
            self._depth = self._text.count("{") - self._text.count("}")

    def _wasted(self, size: int) -> None:
        """What could have been the end of a message was not. Raises ValueError when that happened too often."""
        if size > _CHEAP:
            self._in_vain += size
            if self._in_vain > _IN_VAIN and self._depth <= 0:
                raise ValueError("a message without an end")

    def _message(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self._answer(message)
        elif method == "echo":
            self._send({"result": message["params"], "error": None, "id": message["id"]})
        elif method == "update":
            changes = self.tables.update(message["params"][1])
            if changes and self.on_change is not None and self._greeted:
                self._tell(self.on_change, self, changes)
        elif message.get("id") is not None:
            self._send({"result": None, "error": "unknown method", "id": message["id"]})

    def _answer(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        future = self._calls.get(number) if isinstance(number, int) else None
        if future is None or future.done():
            return
        error = message.get("error")
        if error is None:
            future.set_result(message.get("result"))
        elif isinstance(error, dict):
            future.set_exception(OvsdbRefused(str(error.get("error")), str(error.get("details", ""))))
        else:
            future.set_exception(OvsdbRefused(str(error)))

    def _send(self, message: dict[str, Any]) -> None:
        if self._transport is None or self.ended is not None:
            raise OvsdbGone(self.ended or "not connected")
        if self._transport.get_write_buffer_size() > _UNREAD_LIMIT:
            self._end("the hypervisor asks and does not read the answers")
            return
        data = json.dumps(message, separators=(",", ":")).encode()
        self._transport.write(data)
        self.sent += len(data)

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        """A callback's mistake is its own: it must not end the connection."""
        try:
            callback(*arguments)
        except Exception:
            log.exception("OVSDB %s: a callback failed", self.peer)

    # ---- life and death

    async def _greet(self) -> None:
        try:
            databases = await self.call("list_dbs", [])
            if not isinstance(databases, list) or DATABASE not in databases:
                raise OvsdbRefused("no database Open_vSwitch", repr(databases)[:200])
            wanted = {table: [{"columns": list(columns)}] for table, columns in COLUMNS.items()}
            self.tables.update(await self.call("monitor", [DATABASE, "nshell", wanted]))
        except OvsdbError as problem:
            self._end(str(problem))
            return
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            self._end(f"malformed tables: {problem.__class__.__name__}: {problem}"[:300])
            return
        if self.ended is not None:  # by what came behind the tables, in the same piece
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self.probe_interval, self._probe)
        self._greeted = True
        self._owner.greeted(self)

    def _too_slow(self) -> None:
        self._end(f"no OVSDB handshake within {HANDSHAKE_TIMEOUT:g} s")

    def _probe(self) -> None:
        if self._heard:
            self._missed = 0
        elif self._missed == MISSED_PROBES:
            self._end(f"no answer to {MISSED_PROBES} probes in {self.probe_interval * MISSED_PROBES:g} s")
            return
        self._timer = self._loop.call_later(self.probe_interval, self._probe)
        if not self._heard:
            self._missed += 1
            self._send({"method": "echo", "params": [], "id": "probe"})
        self._heard = False

    def _end(self, reason: str) -> None:
        if self.ended is not None:
            return
        self.ended = self.last_error = reason
        if self._timer is not None:
            self._timer.cancel()
        for future in self._calls.values():
            if not future.done():
                future.set_exception(OvsdbGone(reason))
        self._text = ""
        if self._transport is not None:
            if self._transport.get_write_buffer_size():
                self._loop.call_later(1.0, self._transport.abort)
            self._transport.close()
        if self.on_close is not None:
            self._tell(self.on_close, self)
        self._owner.ended(self, reason)
