"""What the daemon asks of the speaker process."""

from __future__ import annotations

import os
from typing import Any

from exabgp.bgp.message import Notify

from controller.bgp.speaker.child.channel import Channel
from controller.bgp.speaker.frames import Kind, parse_numbers

__all__ = ["Commands"]


class Commands:
    """Does them on ExaBGP's reactor; `problems` is where failed listening sockets are noted."""

    def __init__(self, reactor: Any, channel: Channel, problems: list[str]) -> None:
        self._reactor = reactor
        self._channel = channel
        self._problems = problems

    def __call__(self, kind: Kind, payload: bytes) -> bytes:
        """Do one; nothing when it is done, otherwise why not."""
        if kind is Kind.SEND:
            sessions, messages = parse_numbers(payload)
            for number in sessions:
                if number in self._channel.sessions:
                    self._channel.sessions[number].send(messages)
            return b""
        if kind is Kind.CONFIGURE:
            return self._configure(payload.decode()).encode()
        if kind is Kind.RESET:
            session = self._channel.sessions.get(int.from_bytes(payload[:4], "big"))
            if session is not None:
                session.fault = Notify(payload[4], payload[5], payload[6:])
            return b""
        if kind is Kind.HOLD:
            self._channel.hold(payload == b"\1")
            return b""
        if kind is Kind.STOP:
            for session in self._channel.sessions.values():
                session.farewell(Notify(6, 2, b"\0"))  # RFC 4486: administrative shutdown, without words (RFC 9003)
            self._channel.put(Kind.DONE)
            self._channel.drain()
            os._exit(0)
        return f"{kind.name} is not a command".encode()

    def _configure(self, text: str) -> str:
        configuration = self._reactor.configuration
        configuration._configurations[:] = [text]
        self._problems.clear()
        for key, peer in list(self._reactor._peers.items()):
            if peer.stopping():  # its session is closed; should it be wanted again, then as a new one
                del self._reactor._peers[key]
        if not self._reactor.reload():
            return str(configuration.error).strip() or "it is not a configuration"
        for peer in self._reactor._peers.values():
            if peer._neighbor is not None and peer.generator is None and peer.proto is None:
                # it waits for a connection, so nothing would ever give it its new settings
                peer.neighbor, peer._neighbor, peer._teardown = peer._neighbor, None, None
        return "; ".join(self._problems)
