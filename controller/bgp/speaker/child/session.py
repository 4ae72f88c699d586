"""An established session: what ExaBGP's own main loop would do, without looking into UPDATE messages.

A peer's bytes are cut into messages (RFC 4271 section 4.1); runs of UPDATE messages go to the daemon as they are.
What the daemon sends are whole messages, written as fast as the peer takes them. Timers run on the monotonic clock.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from exabgp.bgp.message import Notification, Notify
from exabgp.bgp.message.open.capability import Capability
from exabgp.reactor.network.error import LostConnection, NetworkError
from exabgp.reactor.peer import ACTION

from controller.bgp.speaker.frames import Kind

if TYPE_CHECKING:
    from controller.bgp.speaker.child.channel import Channel

__all__ = ["Session", "converse"]

READ_SIZE = 1 << 16  # bytes at once
READS_PER_TURN = 4
WRITE_SIZE = 1 << 20  # bytes a turn
QUEUE_LIMIT = 64 << 20  # bytes that a peer may lag behind: about two million VPN routes
SEND_HOLD_TIME = 480.0  # seconds without progress, or twice the hold time if that is longer (RFC 9687 section 4)

_MARKER = b"\xff" * 16
_HEADER = 19  # bytes
_OPEN, _UPDATE, _NOTIFICATION, _KEEPALIVE, _REFRESH = 1, 2, 3, 4, 5
_SHORTEST = {_OPEN: 29, _UPDATE: 23, _NOTIFICATION: 21, _KEEPALIVE: 19, _REFRESH: 19}  # bytes, RFC 4271 section 6.1
_KEEPALIVE_MESSAGE = _MARKER + b"\0\x13\x04"
_DEFAULT_FAMILY = (1, 1)  # IPv4 unicast, of a peer that names none (RFC 4760 section 8)
_WITHOUT_TRACE = "the connection was lost"


class Session:
    """`fault` set from outside ends it at the next turn; `silent` ends it without a NOTIFICATION."""

    def __init__(self, peer: Any, channel: Channel) -> None:
        proto = peer.proto
        self.peer = peer
        self.address = str(peer.neighbor["peer-address"])
        self.number = channel.number()
        self.fault: Exception | None = None
        self.silent = False
        self.until: float | None = None  # when the session ends, on the monotonic clock
        self.reason = _WITHOUT_TRACE
        self.graceful = True
        self._channel = channel
        self._socket: socket.socket = proto.connection.io
        self.descriptor = self._socket.fileno()
        self._negotiated = proto.negotiated
        self._size = int(proto.negotiated.msg_size)
        self._hold = int(proto.negotiated.holdtime)
        self._received = bytearray()
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._offset = 0
        self._heard = self._said = self._moved = monotonic()

    @property
    def restarts(self) -> bool:
        """Whether the peer has graceful restart."""
        return bool(self._negotiated.received_open.capabilities.announced(Capability.CODE.GRACEFUL_RESTART))

    @property
    def restart_time(self) -> int:
        """Seconds for which the peer keeps our routes while we restart, as both agreed; 0 if it does not."""
        return int(self.peer.neighbor["capability"]["graceful-restart"] or 0) if self.restarts else 0

    def description(self) -> bytes:
        """What both ends agreed on, for UP."""
        peer = self._negotiated.received_open
        families = [(int(afi), int(safi)) for afi, safi in self._negotiated.families]
        ours = [(int(afi), int(safi)) for afi, safi in self.peer.neighbor.families()]
        if not peer.capabilities.announced(Capability.CODE.MULTIPROTOCOL) and _DEFAULT_FAMILY in ours:
            families = [_DEFAULT_FAMILY]
        said: dict[str, object] = {
            "session": self.number,
            "address": self.address,
            "families": families,
            "hold": self._hold,
            "router_id": str(peer.router_id),
            "as4": bool(self._negotiated.asn4),
            "size": self._size,
        }
        if self.restarts:
            restart = peer.capabilities[Capability.CODE.GRACEFUL_RESTART]
            said["restart"] = int(restart.restart_time)
            said["restarted"] = bool(restart.restart_flag & restart.RESTART_STATE)
            said["forwarding"] = [
                (int(afi), int(safi)) for (afi, safi), flags in restart.items() if flags & restart.FORWARDING_STATE
            ]
        return json.dumps(said).encode()

    def send(self, messages: bytes) -> None:
        """Whole messages, after all that was given before."""
        if self._queued + len(messages) > QUEUE_LIMIT:
            self.fault = Notify(6, 8, b"")  # RFC 4486: out of resources
            return
        if not self._queue:
            self._moved = monotonic()
        self._queue.append(messages)
        self._queued += len(messages)

    def turn(self) -> bool:
        """Read and write what there is; whether there is more at once. Raises what ends the session."""
        if self.fault is not None:
            raise self.fault
        if self.peer._teardown is not None:
            raise Notify(6, 6, b"")  # RFC 4486: other configuration change
        busy = self._read()
        now = monotonic()
        if self.until is not None and now > self.until:
            raise Notify(6, 2, b"\0")  # RFC 4486: administrative shutdown, without words (RFC 9003)
        if self._channel.paused:
            self._heard = now  # it may have spoken: nobody listened
        elif self._hold and now - self._heard > self._hold:
            raise Notify(4, 0, b"")
        if self._hold and now - self._said >= self._hold / 3 and not self._queue:
            self.send(_KEEPALIVE_MESSAGE)
        busy |= self._write(now)
        if self._queue and self._hold and now - self._moved > max(SEND_HOLD_TIME, 2 * self._hold):
            raise NetworkError("it has not read for longer than the send hold time (RFC 9687)")
        return busy

    def farewell(self, notification: Any) -> None:
        """Send a NOTIFICATION if the peer takes it at once; never wait for one that does not read."""
        self.graceful = False
        rest = _rest_of_message(self._queue[0], self._offset) if self._queue else b""
        try:
            if rest and self._socket.send(rest) < len(rest):
                return
            self._socket.send(notification.message())
        except OSError:
            return  # the end of the connection says the same

    def _read(self) -> bool:
        for _ in range(READS_PER_TURN):
            if self._channel.paused:
                return False
            try:
                data = self._socket.recv(READ_SIZE)
            except BlockingIOError:
                return False
            except OSError as problem:
                raise LostConnection(problem.strerror) from None
            if not data:
                raise LostConnection("the peer closed the connection")
            self._received += data
            self._split()
            if len(data) < READ_SIZE:
                return False
        return True

    def _split(self) -> None:
        """Cut whole messages off what was received. Raises Notify for one that cannot be (RFC 4271 section 6.1)."""
        received, at, run = self._received, 0, 0
        end = len(received)
        try:
            while end - at >= _HEADER:
                length, kind = received[at + 16] << 8 | received[at + 17], received[at + 18]
                if received[at : at + 16] != _MARKER:
                    raise Notify(1, 1, b"")
                if kind not in _SHORTEST:
                    raise Notify(1, 3, bytes([kind]))
                if not _SHORTEST[kind] <= length <= self._size or (kind == _KEEPALIVE and length != _HEADER):
                    raise Notify(1, 2, length.to_bytes(2, "big"))
                if end - at < length:
                    break
                self._heard = monotonic()
                at += length
                if kind == _UPDATE:
                    continue
                self._tell(received[run : at - length])
                run = at
                self._other(kind, bytes(received[at - length + _HEADER : at]))
        finally:
            self._tell(received[run:at])
            del received[:at]

    def _tell(self, updates: bytearray) -> None:
        if updates:
            self._channel.put(Kind.UPDATES, self.number.to_bytes(4, "big"), updates)

    def _other(self, kind: int, body: bytes) -> None:
        if kind == _NOTIFICATION:
            raise Notification.unpack_message(body)
        if kind == _OPEN:
            raise Notify(5, 3, b"")  # RFC 6608 section 3: unexpected in state Established
        if kind == _REFRESH:
            if len(body) != 4:
                raise Notify(7, 1, body)  # RFC 7313 section 5
            self._channel.put(Kind.REFRESH, self.number.to_bytes(4, "big"), body)

    def _write(self, now: float) -> bool:
        written = 0
        while self._queue and written < WRITE_SIZE:
            first = self._queue[0]
            try:
                sent = self._socket.send(memoryview(first)[self._offset : self._offset + WRITE_SIZE])
            except BlockingIOError:
                return False
            except OSError as problem:
                raise LostConnection(problem.strerror) from None
            self._said = self._moved = now
            written += sent
            self._queued -= sent
            self._offset += sent
            if self._offset == len(first):
                self._queue.popleft()
                self._offset = 0
        return bool(self._queue)


def _rest_of_message(messages: bytes, offset: int) -> bytes:
    """What is left of the message that `offset` lies in; nothing at the beginning of one."""
    at = 0
    while at < offset:
        at += int.from_bytes(messages[at + 16 : at + 18], "big")
    return messages[offset:at]


def converse(peer: Any) -> Iterator[int]:
    """In place of ExaBGP's `Peer._main`: runs for as long as the session is established, and says so."""
    channel = peer.reactor.processes
    if peer._teardown is not None:
        raise Notify(6, 6, b"")
    if channel.alone.since is not None:
        raise NetworkError("there is no daemon to say anything to it")
    peer._delay.reset()
    peer._delay.increase()  # after this session a second passes before the next attempt
    session = Session(peer, channel)
    channel.enter(session)
    channel.put(Kind.UP, session.description())
    try:
        while True:
            yield ACTION.NOW if session.turn() else ACTION.LATER
    except Notify as ours:  # a Notification, too, so it comes first
        session.farewell(ours)
        session.reason = f"closed by us: {ours}"
        # RFC 4724 wants a peer's routes kept when it falls silent; every other NOTIFICATION clears them
        session.graceful = ours.code == 4
        raise NetworkError(session.reason) from None
    except Notification as theirs:
        session.reason, session.graceful = f"closed by the peer: {theirs}", False
        raise
    except NetworkError as lost:
        session.reason = str(lost) or _WITHOUT_TRACE
        raise
    except GeneratorExit:
        if session.silent:
            session.reason = "the peer has opened a new connection"
        else:
            session.farewell(Notify(6, 3, b""))  # RFC 4486: peer de-configured
            session.reason = "the neighbor is no longer configured"
        raise
    finally:
        channel.leave(session)
        kept = b"\1" if session.graceful else b"\0"
        channel.put(Kind.DOWN, session.number.to_bytes(4, "big"), kept, session.reason.encode())
