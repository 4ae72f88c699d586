"""One OpenFlow connection: a switch that dialled in.

::

    bytes ─> data_received ─> messages ─┬─ replies      ─> the future waiting under their xid (requests.py)
                                        ├─ errors       ─> the request, or the bundle named in the refused message
                                        ├─ echo         ─> answered here
                                        └─ packet-in, flow removed, flow monitor ─> on_packet_in, ...

An asyncio Protocol with its own buffer: twice as fast as streams with 500 switches. The connection greets
(HELLO with version bitmap, FEATURES, SET_CONFIG), then server.py announces it. A peer that says nothing is
probed every ``probe_interval`` seconds and given up after three probes without an answer (probing.py).
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol, cast

from controller.openflow import meters, packets, readback, text, wire
from controller.openflow.actions import Action
from controller.openflow.bundle import Bundle
from controller.openflow.errors import RequestRefused, SwitchGone, refused
from controller.openflow.hello import check_header, hello, hello_failed, offered
from controller.openflow.packets import PacketIn
from controller.openflow.probing import Probes
from controller.openflow.readback import FlowEntry, FlowEvent
from controller.openflow.requests import Answer, Requests
from controller.trust.door import Credential

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT = 5.0  # seconds from connecting to the answer to FEATURES_REQUEST
_ERRORS_LIMIT = 100  # errors that answer nothing, each a line in the log, before the connection is ended
_UNREAD_LIMIT = 4 * 1024 * 1024  # bytes of answers waiting for a peer that does not read
PACKET_OUT_LIMIT = 256 * 1024  # bytes waiting for the peer, above which packets for it are dropped
_MISS_SEND_LEN = 0xFFFF  # packets for the controller come whole, nothing is buffered in the switch
_BAD_REQUEST = 1  # ofp_error_type
_FEATURES: Final = struct.Struct("!QIBB")


class Owner(Protocol):
    """What a connection tells its server."""

    def greeted(self, switch: Switch) -> None:
        """The handshake is over; requests may be sent."""

    def ended(self, switch: Switch, reason: str) -> None:
        """The connection is gone."""


class Switch(asyncio.Protocol):
    """One switch. Requests raise SwitchGone when the connection ends before the answer, RequestRefused on an
    error.

    ``certificate`` is whom TLS has proved, None on this machine itself.
    For display: ``peer``, ``since`` (UNIX time), ``version`` (OpenFlow's number on the wire, 5 is 1.4),
    ``received`` and ``sent`` (bytes), ``packets_dropped`` (packet-outs that the switch was too slow for),
    ``packets_refused`` (that it answered with an error), ``last_error``, ``ended`` (the reason, None while
    connected).
    """

    def __init__(self, owner: Owner, probe_interval: float, describe: Callable[[bytes], str] = text.describe) -> None:
        self._owner = owner
        self.probe_interval = probe_interval
        self._probes = Probes(lambda: self.probe_interval, lambda: self.tell(wire.ECHO_REQUEST, b""), self._end)
        self.describe = describe
        self.on_flow_event: Callable[[FlowEvent], None] | None = None
        self.on_packet_in: Callable[[PacketIn], None] | None = None
        self.on_flow_removed: Callable[[bytes], None] | None = None
        self.on_close: Callable[[Switch], None] | None = None
        self.datapath_id = 0
        self.tables = 0
        self.peer = ""
        self.certificate: Credential | None = None
        self.since = 0.0
        self.version = 0
        self.received = 0
        self.progress = 0  # grows with all that the switch says, and all that it takes but probes
        self.sent = 0
        self.packets_dropped = 0
        self.packets_refused = 0
        self.last_error: str | None = None
        self.ended: str | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._pending = Requests(self._loop)
        self._writable = asyncio.Event()
        self._writable.set()
        self._bundles: dict[int, Bundle] = {}
        self._bundle_number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._errors = 0
        self._features_xid = -1

    # ---- what callers use

    @property
    def connected(self) -> bool:
        """Whether the handshake is over and the connection stands."""
        return self.ended is None and self.datapath_id != 0

    async def request(self, kind: int, body: bytes = b"") -> bytes:
        """Send a message and wait for the message that answers it; returns the answer's body."""
        return (await self._ask(kind, body))[0]

    async def multipart(self, kind: int, body: bytes) -> list[bytes]:
        """Send a multipart request and wait for all parts of the answer; returns their bodies."""
        return await self._ask(wire.MULTIPART_REQUEST, struct.pack("!HH4x", kind, 0) + body)

    async def _ask(self, kind: int, body: bytes) -> list[bytes]:
        message, answer = self.question(kind, body)
        try:
            await self.write(message)
            return await answer
        finally:
            answer.cancel()

    async def send(self, messages: Sequence[bytes]) -> list[RequestRefused | None]:
        """Send messages that nothing answers but an error, and a barrier behind them; what each was refused with,
        None for those that were carried out. Each gets a transaction number of its own. Raises SwitchGone.
        """
        asked = [self.question(message[1], message[8:]) for message in messages]
        try:
            fence, passed = self.question(wire.BARRIER_REQUEST)
            asked.append((fence, passed))
            await self.write(b"".join(message for message, _ in asked))
            await passed
            refusals = [answer.exception() if answer.done() else None for _, answer in asked[:-1]]
        finally:
            for _, answer in asked:
                answer.cancel()
        return [refusal if isinstance(refusal, RequestRefused) else None for refusal in refusals]

    async def barrier(self) -> None:
        """Wait until the switch has done everything sent so far."""
        await self.request(wire.BARRIER_REQUEST)

    async def flows(self, table: int = wire.ALL_TABLES) -> list[FlowEntry]:
        """Every flow of a table or of all, as raw match and instructions."""
        parts = await self.multipart(readback.FLOW, readback.request(table))
        with self._well_formed():
            return await readback.entries(parts)

    async def meters(self) -> list[bytes]:
        """Every meter, as the ADD that makes it; none when the switch knows no meters."""
        try:
            parts = await self.multipart(meters.CONFIG, meters.request())
        except RequestRefused as refusal:
            if refusal.kind != _BAD_REQUEST:
                raise
            return []
        with self._well_formed():
            return meters.configured(parts)

    async def flow_count(self, table: int = wire.ALL_TABLES) -> int:
        """Number of flows in a table or in all."""
        parts = await self.multipart(readback.AGGREGATE, readback.request(table))
        with self._well_formed():
            return readback.flow_count(parts)

    @contextmanager
    def _well_formed(self) -> Iterator[None]:
        """An answer that cannot be read ends the connection. Raises SwitchGone."""
        try:
            yield
        except (ValueError, IndexError, struct.error) as problem:
            self._end(f"malformed message: {problem}")
            raise SwitchGone(self.ended) from None

    async def software(self) -> str:
        """Version of the software that runs the switch, ``3.1.0`` (sw_desc of ofp_desc)."""
        return readback.software(await self.multipart(readback.DESCRIPTION, b""))

    async def monitor(self, callback: Callable[[FlowEvent], None]) -> None:
        """Tell ``callback`` each later change of flows that somebody else makes (OpenFlow 1.4 flow monitor)."""
        self.on_flow_event = callback
        await self.multipart(readback.FLOW_MONITOR, readback.monitor_request(1))

    async def flush_conntrack(self, zone: int) -> None:
        """Forget all tracked connections of a zone (NXT_CT_FLUSH_ZONE)."""
        body = struct.pack("!II6xH", wire.NICIRA, wire.NX_CT_FLUSH_ZONE, zone)
        for refusal in await self.send([wire.message(wire.EXPERIMENTER, 0, body)]):
            if refusal is not None:
                raise refusal

    def packet_out(self, frame: bytes, actions: Sequence[Action], in_port: int = wire.PORT_CONTROLLER) -> bool:
        """Have the switch do ``actions`` to a frame, as if it had come in by ``in_port``; nobody waits for it.

        False when it was not sent: the connection is gone, or more than PACKET_OUT_LIMIT bytes wait for a switch that
        reads too slowly (counted in ``packets_dropped``). Raises ValueError when an action has a Field in it.
        """
        body = packets.packet_out(frame, actions, in_port)
        if self._transport is None or self.ended is not None:
            return False
        if self._transport.get_write_buffer_size() > PACKET_OUT_LIMIT:
            self.packets_dropped += 1
            return False
        self.tell(wire.PACKET_OUT, body)
        return True

    def bundle(self) -> Bundle:
        """A new bundle; it is opened by its ``open``."""
        self._bundle_number = self._bundle_number % 0xFFFFFFFF + 1
        bundle = self._bundles[self._bundle_number] = Bundle(self, self._bundle_number)
        return bundle

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the peer takes no more. Raises SwitchGone."""
        if self.ended is not None or self._transport is None:
            raise SwitchGone(self.ended or "not connected")
        self._transport.write(data)
        self.sent += len(data)
        if not self._writable.is_set():
            await self._writable.wait()
            if self.ended is not None:
                raise SwitchGone(self.ended)
        self.progress += 1

    def close(self, reason: str) -> None:
        """End the connection; waiting requests raise SwitchGone(reason)."""
        self._end(reason)

    # ---- what bundles use

    def question(self, kind: int, body: bytes = b"") -> tuple[bytes, Answer]:
        """A request for the caller to write, alone or in one piece with others, and its answer to come: the bodies
        of its parts. Cancel it when the request is not written after all. Raises SwitchGone."""
        if self.ended is not None:
            raise SwitchGone(self.ended)
        return self._pending.question(kind, body)

    def tell(self, kind: int, body: bytes) -> None:
        """Send a small message whose answer does not matter; nothing when the connection is gone."""
        self._send(kind, self._pending.next_xid(), body)

    def forget(self, bundle: Bundle) -> None:
        """The bundle is committed or discarded."""
        self._bundles.pop(bundle.number, None)

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self.peer = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "unix socket"
        self.since = time.time()
        self._transport.write(hello(self._pending.next_xid()))
        self._timer = self._loop.call_later(
            HANDSHAKE_TIMEOUT, self._end, f"no OpenFlow handshake within {HANDSHAKE_TIMEOUT:g} s"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"connection lost: {exc.__class__.__name__}" if exc else "closed by the switch")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._probes.heard = True
        self.progress += 1
        self.received += len(data)
        buffer = self._buffer
        buffer += data
        at, end = 0, len(buffer)
        try:
            while end - at >= 8 and self.ended is None:
                version, kind, length, xid = wire.HEADER.unpack_from(buffer, at)
                check_header(self.version, version, kind, length, buffer)
                if end - at < length:
                    break
                self._message(version, kind, xid, bytes(buffer[at + 8 : at + length]))
                at += length
        except (ValueError, struct.error, IndexError) as problem:
            self._end(f"malformed message: {problem}")
        del buffer[:at]

    # ---- one message

    def _message(self, version: int, kind: int, xid: int, body: bytes) -> None:
        if kind == wire.ECHO_REQUEST:
            self._send(wire.ECHO_REPLY, xid, body)
        elif kind == wire.MULTIPART_REPLY:
            self._multipart(xid, body)
        elif kind == wire.ERROR:
            self._error(xid, refused(body))
        elif kind == wire.PACKET_IN and self.on_packet_in is not None:
            self._call(self.on_packet_in, packets.packet_in(body))
        elif kind == wire.FLOW_REMOVED and self.on_flow_removed is not None:
            self._call(self.on_flow_removed, body)
        elif kind == wire.HELLO:
            self._hello(version, body)
        elif xid == self._features_xid and kind == wire.FEATURES_REPLY:
            self._features(body)
        elif xid in self._pending:
            self._pending.answered(xid, [body])
        # What is left is port status, table status, echo reply: nobody waits for them.

    def _hello(self, version: int, body: bytes) -> None:
        if self.version:
            return
        versions = offered(version, body)
        if wire.VERSION not in versions:
            names = ", ".join(f"1.{number - 1}" for number in sorted(versions))
            why = f"the controller speaks OpenFlow 1.4, the switch offers {names}: set protocols=OpenFlow14"
            self._send(wire.ERROR, 0, hello_failed(why))
            self._end(why)
            return
        self.version = wire.VERSION
        self._send(wire.SET_CONFIG, self._pending.next_xid(), struct.pack("!HH", 3, _MISS_SEND_LEN))
        self._features_xid = self._pending.next_xid()
        self._send(wire.FEATURES_REQUEST, self._features_xid)

    def _features(self, body: bytes) -> None:
        self.datapath_id, _, self.tables, _ = _FEATURES.unpack_from(body)
        self._features_xid = -1
        if self.datapath_id == 0:
            raise ValueError("datapath id 0")
        if self._timer is not None:
            self._timer.cancel()
        self._probes.start()
        self._owner.greeted(self)

    def _multipart(self, xid: int, body: bytes) -> None:
        kind, flags = struct.unpack_from("!HH", body)
        if xid in self._pending:
            self._pending.part(xid, body[8:], bool(flags & 1))
        elif kind == readback.FLOW_MONITOR and self.on_flow_event is not None:
            for event in readback.events(body[8:]):
                self._call(self.on_flow_event, event)

    def _error(self, xid: int, error: RequestRefused) -> None:
        if self._pending.refused(xid, error):
            return
        data = error.data
        if len(data) >= 12 and data[1] in (wire.BUNDLE_ADD, wire.BUNDLE_CONTROL):
            bundle = self._bundles.get(int.from_bytes(data[8:12], "big"))
            if bundle is not None:
                bundle.error = bundle.error or error
                return
        if len(data) >= 2 and data[1] == wire.PACKET_OUT and self.datapath_id:
            self.packets_refused += 1  # perhaps its port has just gone: no reason to end the connection
            self.last_error = f"a packet was not sent: {error}"
            return
        self._errors += 1
        if self.datapath_id == 0 or self._errors > _ERRORS_LIMIT:
            self._end(f"error for nothing that was asked: {error}"[:300])
            return
        self.last_error = str(error)
        log.warning("switch %016x at %s: %s", self.datapath_id, self.peer, error)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        """A callback's mistake is its own: it must not end the connection."""
        try:
            callback(*arguments)
        except Exception:
            log.exception("switch %016x: a callback failed", self.datapath_id)

    # ---- life and death

    def _send(self, kind: int, xid: int, body: bytes = b"") -> None:
        """Small messages that need no waiting."""
        if self._transport is not None and self.ended is None:
            if self._transport.get_write_buffer_size() > _UNREAD_LIMIT:
                self._end("the switch asks and does not read the answers")
                return
            data = wire.message(kind, xid, body)
            self._transport.write(data)
            self.sent += len(data)

    def _end(self, reason: str) -> None:
        if self.ended is not None:
            return
        self.ended = self.last_error = reason
        if self._timer is not None:
            self._timer.cancel()
        self._probes.stop()
        self._writable.set()
        self._pending.lost(reason)
        self._bundles.clear()
        if self._transport is not None:
            # A peer that reads gets the last error; one that does not is cut off.
            if self._transport.get_write_buffer_size():
                self._loop.call_later(1.0, self._transport.abort)
            self._transport.close()
        if self.on_close is not None:
            self._call(self.on_close, self)
        self._owner.ended(self, reason)
