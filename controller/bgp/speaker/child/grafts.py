"""What is replaced in ExaBGP 5.0.15, one function for each, and why.

Read next: session.py, which is the largest of them.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
from collections.abc import Iterator
from time import monotonic
from types import SimpleNamespace
from typing import Any

import exabgp.bgp.timer
import exabgp.reactor.delay
import exabgp.reactor.listener
import exabgp.reactor.loop
from exabgp.bgp.fsm import FSM
from exabgp.bgp.message.open.capability import Capability
from exabgp.bgp.message.open.capability.capabilities import Capabilities
from exabgp.bgp.message.open.capability.refresh import RouteRefresh
from exabgp.reactor.interrupt import Signal
from exabgp.reactor.network.error import NetworkError
from exabgp.reactor.network.outgoing import Outgoing
from exabgp.reactor.network.tcp import set_minimum_ttl
from exabgp.reactor.peer import ACTION, Peer
from exabgp.reactor.protocol import Protocol

from controller.bgp.speaker.child.channel import Channel
from controller.bgp.speaker.child.session import converse
from controller.bgp.speaker.frames import Kind

__all__ = ["graft"]

_REFUSED = os.strerror(errno.ECONNREFUSED)
ATTEMPT_TIME = 10.0  # seconds for one attempt to connect; the kernel alone would try for two minutes
FIRST_PAUSE, LAST_PAUSE = 0.5, 8.0  # seconds between attempts, doubled each time
REFUSED_PAUSE = 1.0  # seconds at most while the host refuses: it lives, and its daemon is being started perhaps


def graft(channel: Channel, problems: list[str]) -> None:
    """All of them. Why a listening socket could not be opened is noted in `problems`."""
    exabgp.reactor.loop.Processes = lambda: channel
    exabgp.reactor.loop.Daemon.drop_privileges = lambda daemon: True  # privileges.py has done more
    Peer._main = converse
    _clocks()
    _signals()
    _waiting(channel)
    _attempts(channel)
    _failures(channel)
    _second_connections()
    _listeners(problems)
    _plain_refresh()


def _clocks() -> None:
    """Timers on the wall clock would expire, or never, when somebody sets it."""
    clock = SimpleNamespace(time=monotonic)
    exabgp.bgp.timer.time = clock
    exabgp.reactor.delay.time = clock


def _signals() -> None:
    """The daemon alone ends this process: a signal to the whole service must not tell peers to drop our routes."""

    def rearm(this: Any) -> None:
        this.received, this.number = Signal.NONE, 0
        for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(one, signal.SIG_IGN)

    Signal.rearm = rearm


def _waiting(channel: Channel) -> None:
    """A peer that is not read must not be polled, nor one that keeps us waiting take the whole processor."""
    socket_of, close, read_keepalive = Peer.socket, Protocol.close, Peer._read_ka

    def polled(peer: Any) -> int:
        return -1 if channel.paused else int(socket_of(peer))

    def closing(protocol: Any, reason: str = "") -> None:
        channel.forget(protocol.fd())
        close(protocol, reason)

    def read_ka(peer: Any) -> Iterator[int]:
        for _ in read_keepalive(peer):
            yield ACTION.LATER

    Peer.socket, Protocol.close, Peer._read_ka = polled, closing, read_ka


def _attempts(channel: Channel) -> None:
    """ExaBGP would send a SYN every 10 ms to a peer that refuses, and once in a while take a refusal for success."""

    def establish(outgoing: Any) -> Iterator[bool]:
        pause = FIRST_PAUSE
        while True:
            while channel.alone.since is not None:
                yield False  # until this process ends: a session without a daemon would have nothing to say
            deadline = monotonic() + ATTEMPT_TIME
            problem = outgoing._connect()
            while problem is None:
                problem = _outcome(outgoing.io)
                if problem == "":
                    outgoing.success()
                    yield True
                    return
                if problem is None and monotonic() > deadline:
                    problem = f"no answer within {ATTEMPT_TIME:.0f} s"
                if problem is None:
                    yield False
            outgoing.close()
            _say_why(channel, outgoing.peer, f"connecting to port {outgoing.port}: {problem}")
            resume = monotonic() + pause
            while monotonic() < resume:
                yield False
            pause = min(2 * pause, REFUSED_PAUSE if problem == _REFUSED else LAST_PAUSE)

    Outgoing.establish = establish


def _outcome(connecting: socket.socket) -> str | None:
    """Empty when it is connected, what went wrong otherwise; None while neither is known."""
    poller = select.poll()
    poller.register(connecting, select.POLLOUT)
    if not poller.poll(0):
        return None
    error = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return os.strerror(error) if error else ""


def _say_why(channel: Channel, address: str, reason: str) -> None:
    channel.put(Kind.FAILED, json.dumps({"address": address, "reason": reason}).encode())


def _failures(channel: Channel) -> None:
    """Why a session did not come up is said nowhere: neither an OPEN that we refused nor one that the peer did."""
    reset = Peer._reset

    def told(peer: Any, message: str = "", error: object = "") -> None:
        if peer.proto is not None and peer.fsm != FSM.ESTABLISHED:
            _say_why(channel, str(peer.neighbor["peer-address"]), f"{message}: {error}")
        reset(peer, message, error)

    Peer._reset = told


def _second_connections() -> None:
    """A peer with graceful restart that connects anew has lost the session (RFC 4724 section 4.2)."""
    handle = Peer.handle_connection

    def handle_connection(peer: Any, connection: Any) -> Any:
        if peer.fsm == FSM.ESTABLISHED:
            for session in list(peer.reactor.processes.sessions.values()):
                if session.peer is peer and session.restarts:
                    session.silent = True
                    peer.generator.close()
                    peer.generator = None
                    peer._close("the peer has opened a new connection")
        return handle(peer, connection)

    Peer.handle_connection = handle_connection


def _listeners(problems: list[str]) -> None:
    """Neighbours share a listening socket, so one's least TTL (RFC 5082) would be everybody's: it is asked of each
    connection. Why a socket could not be opened is noted."""
    module = exabgp.reactor.listener
    module.set_minimum_ttl = lambda *_: None
    listen, connected = module.Listener._listen, module.Listener._connected

    def _listen(listener: Any, *where: Any) -> None:
        try:
            listen(listener, *where)
        except NetworkError as problem:
            if str(problem) not in problems:
                problems.append(str(problem))
            raise

    def _connected(listener: Any) -> Iterator[Any]:
        least = {
            neighbor["peer-address"].top(): neighbor["incoming-ttl"]
            for neighbor in listener._reactor.configuration.neighbors.values()
        }
        for connection in connected(listener):
            ttl = least.get(connection.local)  # what ExaBGP calls local is the peer
            if ttl and _handshake_ttl(connection.io) < ttl:
                connection.close()
                continue
            if ttl:
                set_minimum_ttl(connection.io, connection.afi, connection.local, ttl)
            yield connection

    module.Listener._listen, module.Listener._connected = _listen, _connected


def _handshake_ttl(accepted: socket.socket) -> int:
    """The TTL of the packet that completed the handshake, which Linux keeps where other sockets have that of multicast
    (net/ipv4/tcp_ipv4.c, tcp_v4_syn_recv_sock). What came after it is not older than it."""
    if accepted.family == socket.AF_INET6:
        return accepted.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS)
    return accepted.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL)


def _plain_refresh() -> None:
    """Route refresh (RFC 2918) without the enhanced one (RFC 7313), whose markers we do not send."""

    def _refresh(capabilities: Any, neighbor: Any) -> None:
        if neighbor["capability"]["route-refresh"]:
            capabilities[Capability.CODE.ROUTE_REFRESH] = RouteRefresh()

    Capabilities._refresh = _refresh
