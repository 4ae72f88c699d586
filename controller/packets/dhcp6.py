"""DHCPv6 towards the one client behind a vport, whose configured addresses are its lease (RFC 8415, DNS RFC 3646).

::

    SOLICIT ─> ADVERTISE, or REPLY at once if it offers rapid commit
    REQUEST, RENEW, REBIND, CONFIRM, RELEASE, DECLINE, INFORMATION-REQUEST ─> REPLY

Only the vport's own addresses are appropriate for its link, since anti-spoofing drops every other one: a client that
brings another address hears NotOnLink and starts anew, or gets it back with lifetimes of 0. The server's identifier
is made of the gateway's MAC address (DUID-LL), so every controller has the same one.

Read next: the handler that hands in the lease; neighbour.py for the router advertisement that sends hosts here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from controller.packets.domain import domain_bytes
from controller.packets.frame import Frame, datagram, parse
from controller.packets.headers import UDP, ip_frame, mac_bytes, udp
from controller.packets.neighbour import link_local
from data.addresses import Ip

__all__ = [
    "ALL_SERVERS",
    "CLIENT_PORT",
    "SERVER_PORT",
    "Lease6",
    "Message6",
    "decode",
    "given",
    "reply",
    "server_duid",
]

SERVER_PORT, CLIENT_PORT = 547, 546
ALL_SERVERS = Ip(6, 0xFF02 << 112 | 0x10002)
"""All_DHCP_Relay_Agents_and_Servers."""
SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE = range(1, 10)
INFORMATION_REQUEST = 11

_CLIENT, _SERVER, _IA_NA, _IA_TA, _ADDRESS, _ASKED, _PREFERENCE, _STATUS, _RAPID = 1, 2, 3, 4, 5, 6, 7, 13, 14
_DNS, _SEARCH, _IA_PD, _REFRESH = 23, 24, 25, 32
_NO_ADDRESSES, _NO_BINDING, _NOT_ON_LINK, _USE_MULTICAST, _NO_PREFIXES = 2, 3, 4, 5, 6
_WITH_IA = frozenset((_IA_NA, _IA_TA, _IA_PD))
_TO_US = frozenset((REQUEST, RENEW, RELEASE, DECLINE))
"""Messages that name the server they are for (RFC 8415 section 16); the others must not name one."""
_TO_ANY = frozenset((SOLICIT, CONFIRM, REBIND))
_MOST_DUID = 130  # bytes: type and 128 (RFC 8415 section 11.1)
_MOST_ASSOCIATIONS = 8  # answered of one message, so that an answer fits a packet
_INFINITE = 0xFFFFFFFF

_Options = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Lease6:
    """What the client behind a vport is told."""

    addresses: tuple[Ip, ...]
    server_mac: str
    """MAC address of the gateway: the server's identifier and link-local address come of it."""
    dns_servers: tuple[Ip, ...] = ()
    """Those of IPv4 are left out."""
    search: tuple[str, ...] = ()
    """Domains."""
    seconds: int = 86400
    """Preferred and valid lifetime."""


@dataclass(frozen=True, slots=True)
class Message6:
    """A client's message."""

    kind: int
    transaction: bytes
    options: _Options
    frame: Frame
    source: Ip
    destination: Ip

    def option(self, code: int) -> bytes | None:
        """The value of the first option with that code."""
        return next((value for found, value in self.options if found == code), None)

    @property
    def asked(self) -> tuple[int, ...] | None:
        """The codes of its option request option."""
        value = self.option(_ASKED)
        return None if value is None else tuple(code for (code,) in struct.iter_unpack("!H", value[: len(value) & ~1]))

    @property
    def addresses(self) -> tuple[Ip, ...]:
        """The addresses in all its IA_NA, in order."""
        return tuple(
            ip for code, value in self.options if code == _IA_NA for ip in _addresses(_options(value[12:]) or ())
        )


def server_duid(mac: str) -> bytes:
    """A DUID-LL of an Ethernet address (RFC 8415 section 11.4)."""
    return b"\x00\x03\x00\x01" + mac_bytes(mac)


def decode(frame: bytes) -> Message6 | None:
    """A client's message in an Ethernet frame; None for anything else, and for what a relay sent."""
    outer = parse(frame)
    data = None if outer is None else datagram(outer, SERVER_PORT)
    if outer is None or data is None or outer.version != 6 or outer.source is None or outer.destination is None:
        return None
    if len(data) < 4 or data[0] not in _TO_US | _TO_ANY | {INFORMATION_REQUEST}:
        return None
    options = _options(data[4:])
    if options is None or outer.source.number >> 118 != 0xFE80 >> 6:  # clients speak from link-local addresses
        return None
    return Message6(data[0], data[1:4], options, outer, outer.source, outer.destination)


def reply(frame: bytes, lease: Lease6) -> bytes | None:
    """The frame that answers a client's frame, or None when there is nothing to answer."""
    message = decode(frame)
    if message is None or not _valid(message, server_duid(lease.server_mac)):
        return None
    kind, body = REPLY, b""
    if message.destination != ALL_SERVERS:
        if message.kind not in _TO_US:
            return None
        body = _status(_USE_MULTICAST, "use multicast")  # nobody was told our address (RFC 8415 section 18.4)
    elif message.kind == CONFIRM:
        if not message.addresses:
            return None
        right = set(message.addresses) <= set(lease.addresses)
        body = _status(0, "all addresses are yours") if right else _status(_NOT_ON_LINK, "not an address of this link")
        body += _parameters(message, lease)
    elif message.kind in (RELEASE, DECLINE):
        body = _status(0, "") + b"".join(_given_back(code, value, lease) for code, value in _associations(message))
    else:
        if message.kind == SOLICIT:
            rapid = message.option(_RAPID) is not None
            kind = REPLY if rapid else ADVERTISE
            # The highest preference: there is no second server to wait for (RFC 8415 section 18.2.1).
            body = _option(_RAPID, b"") if rapid else _option(_PREFERENCE, b"\xff")
        body += _assigned(message, lease) + _parameters(message, lease)
    return _frame(message, lease, kind, body)


def given(answer: bytes) -> tuple[Ip, ...]:
    """The addresses that a frame that `reply` made gives, or goes on giving, to the client."""
    outer = parse(answer)
    data = None if outer is None else datagram(outer, CLIENT_PORT)
    options = None if data is None else _options(data[4:])
    return tuple(
        Ip(6, int.from_bytes(inner[:16], "big"))
        for code, value in options or ()
        if code == _IA_NA
        for option, inner in _options(value[12:]) or ()
        if option == _ADDRESS and len(inner) >= 24 and any(inner[20:24])
    )


def _valid(message: Message6, ours: bytes) -> bool:
    """RFC 8415 section 16: who must, may and must not be named."""
    client, server = message.option(_CLIENT), message.option(_SERVER)
    if client is not None and not 3 <= len(client) <= _MOST_DUID:
        return False
    if message.kind == INFORMATION_REQUEST:
        return server in (None, ours) and not any(code in _WITH_IA for code, _ in message.options)
    if client is None:
        return False
    return server == ours if message.kind in _TO_US else server is None


def _frame(message: Message6, lease: Lease6, kind: int, body: bytes) -> bytes:
    source = link_local(lease.server_mac)
    client = message.option(_CLIENT)
    data = bytes((kind,)) + message.transaction + (b"" if client is None else _option(_CLIENT, client))
    data += _option(_SERVER, server_duid(lease.server_mac)) + body
    segment = udp(source, message.source, SERVER_PORT, CLIENT_PORT, data)
    outer = message.frame
    return ip_frame(lease.server_mac, outer.source_mac, source, message.source, UDP, segment, vlan=outer.vlan)


def _associations(message: Message6) -> Iterator[tuple[int, bytes]]:
    """The IA_NA, IA_TA and IA_PD that are long enough to have an identifier."""
    least = {_IA_NA: 12, _IA_TA: 4, _IA_PD: 12}
    found = ((code, value) for code, value in message.options if code in least and len(value) >= least[code])
    return islice(found, _MOST_ASSOCIATIONS)


def _assigned(message: Message6, lease: Lease6) -> bytes:
    """An answer to each IA: the addresses go to the first IA_NA, and what nobody configured is refused by status."""
    found, free = b"", True
    for code, value in _associations(message):
        if code == _IA_NA and free and lease.addresses:
            free = False
            found += _option(_IA_NA, _bound(message, value, lease))
        elif code == _IA_PD:
            found += _option(code, value[:4] + bytes(8) + _status(_NO_PREFIXES, "no prefixes here"))
        else:
            times = bytes(8) if code == _IA_NA else b""
            found += _option(code, value[:4] + times + _status(_NO_ADDRESSES, "no address for this association"))
    return found


def _bound(message: Message6, value: bytes, lease: Lease6) -> bytes:
    """The inside of an IA_NA: the configured addresses, or why those that the client brings are not its own."""
    brought = _addresses(_options(value[12:]) or ())
    foreign = [ip for ip in dict.fromkeys(brought) if ip not in lease.addresses]
    if message.kind == REQUEST and foreign:  # RFC 8415 section 18.3.2
        return value[:4] + bytes(8) + _status(_NOT_ON_LINK, f"{foreign[0]} is not an address of this link")
    age = lease.seconds
    times = (age, age) if age == _INFINITE else (age // 2, age * 4 // 5)
    gone = foreign if message.kind in (RENEW, REBIND) else []  # sections 18.3.4 and 18.3.5
    return (
        value[:4]
        + struct.pack("!II", *times)
        + b"".join(_option(_ADDRESS, ip.packed + struct.pack("!II", age, age)) for ip in lease.addresses)
        + b"".join(_option(_ADDRESS, ip.packed + bytes(8)) for ip in gone)
    )


def _given_back(code: int, value: bytes, lease: Lease6) -> bytes:
    """What is said of an IA whose addresses come back: nothing, or that it was never the client's."""
    head = 4 if code == _IA_TA else 12
    brought = _addresses(_options(value[head:]) or ())
    if code == _IA_NA and brought and set(brought) <= set(lease.addresses):
        return b""
    return _option(code, value[:4] + bytes(head - 4) + _status(_NO_BINDING, "not bound to you"))


def _parameters(message: Message6, lease: Lease6) -> bytes:
    """The options that the client asked for; all there are if it has no option request option."""
    offered: dict[int, bytes] = {}
    if servers := b"".join(server.packed for server in lease.dns_servers if server.version == 6):
        offered[_DNS] = servers
    if lease.search:
        offered[_SEARCH] = b"".join(domain_bytes(name) for name in lease.search)
    if message.kind == INFORMATION_REQUEST:
        offered[_REFRESH] = struct.pack("!I", max(600, lease.seconds))  # the least that is allowed (section 21.23)
    asked = offered if message.asked is None else dict.fromkeys(message.asked)
    return b"".join(_option(code, offered[code]) for code in asked if code in offered)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def _status(code: int, text: str) -> bytes:
    return _option(_STATUS, code.to_bytes(2, "big") + text.encode())


def _options(data: bytes) -> _Options | None:
    """Codes and values in order; None when one runs over the end."""
    found = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            return None
        code, length = struct.unpack_from("!HH", data, at)
        if at + 4 + length > len(data):
            return None
        found.append((code, data[at + 4 : at + 4 + length]))
        at += 4 + length
    return tuple(found)


def _addresses(options: _Options) -> list[Ip]:
    return [Ip(6, int.from_bytes(v[:16], "big")) for code, v in options if code == _ADDRESS and len(v) >= 24]
