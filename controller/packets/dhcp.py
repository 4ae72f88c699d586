"""DHCP towards the one client behind a vport: what is configured is its lease, so there is no pool and no database
(RFC 2131, options RFC 2132, classless routes RFC 3442, long options RFC 3396).

The vport says who asks, not the client identifier: two boots of a machine with different identifiers (RFC 4361) get
the same address. The identifier is given back as it came (RFC 6842).

::

    DISCOVER ─> OFFER                     DECLINE, RELEASE ─> nothing
    REQUEST  ─> ACK, NAK, or nothing when it is for another server
    INFORM   ─> ACK without a lease

Read next: the handler that hands in the lease.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.packets.frame import datagram, parse
from controller.packets.headers import BROADCAST_MAC, UDP, ip_frame, mac_text, udp
from data.addresses import Ip, Prefix, address

__all__ = [
    "ACK",
    "CLIENT_PORT",
    "DECLINE",
    "DISCOVER",
    "INFORM",
    "NAK",
    "OFFER",
    "RELEASE",
    "REQUEST",
    "SERVER_PORT",
    "Lease",
    "Message",
    "decode",
    "kind_of",
    "option_bytes",
    "reply",
]

SERVER_PORT, CLIENT_PORT = 67, 68
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)

_COOKIE = bytes((99, 130, 83, 99))
_PAD, _END = 0, 255
_MASK, _ROUTER, _DNS, _HOST_NAME, _DOMAIN_NAME, _MTU, _BROADCAST = 1, 3, 6, 12, 15, 26, 28
_REQUESTED, _LEASE_TIME, _OVERLOAD, _TYPE, _SERVER, _ASKED, _TEXT, _SIZE, _T1, _T2, _CLIENT = (
    *range(50, 56),
    56,
    57,
    58,
    59,
    61,
)
_ROUTES = 121
_OURS = frozenset((_PAD, _REQUESTED, _LEASE_TIME, _OVERLOAD, _TYPE, _SERVER, _ASKED, _TEXT, _SIZE, _CLIENT, _END))
"""Options of the protocol itself, which no `dhcp-option` replaces."""
_UNASKED = (_MASK, _ROUTER, _DNS, _DOMAIN_NAME, _MTU)
"""What a client gets that sends no parameter request list: without these it has no network."""
_FIXED, _LEAST = 236, 300  # bytes of a message before its options; shortest message (RFC 1542 section 2.1)
_LEAST_SIZE = 576  # bytes that every client takes (RFC 2131 section 2), counted with IP and UDP headers
_HEADERS = 28
_ANYBODY, _NOBODY = Ip(4, 0xFFFFFFFF), Ip(4, 0)
_BROADCAST_FLAG = 0x8000


@dataclass(frozen=True, slots=True)
class Lease:
    """What the client behind a vport is told."""

    address: Ip
    prefix_length: int
    server: Ip
    """Server identifier, and source of the answers: the gateway."""
    server_mac: str
    router: Ip | None = None
    dns_servers: tuple[Ip, ...] = ()
    """Those of IPv6 are left out."""
    mtu: int | None = None
    """Bytes."""
    seconds: int = 86400
    domain_name: str | None = None
    host_name: str | None = None
    routes: tuple[tuple[Prefix, Ip], ...] = ()
    """Classless static routes beside the default route: destination and router."""
    options: Mapping[int, bytes] = field(default_factory=dict)
    """Further options; one that this module knows, too, is replaced, except those of the protocol itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """A client's message."""

    kind: int
    """DISCOVER, REQUEST, …"""
    xid: bytes
    flags: int
    client_address: Ip
    """ciaddr: what the client says that it has."""
    client_mac: str
    source: Ip
    destination: Ip
    vlan: int | None
    options: Mapping[int, bytes]

    @property
    def requested(self) -> Ip | None:
        """The address that it asks for, or declines."""
        return self._address(_REQUESTED)

    @property
    def server(self) -> Ip | None:
        """The server that it answers."""
        return self._address(_SERVER)

    @property
    def host_name(self) -> str | None:
        """What it calls itself, in printable characters."""
        text = self.options.get(_HOST_NAME)
        return None if text is None else "".join(c if " " < c < "\x7f" else "?" for c in text.decode("latin-1"))

    def _address(self, code: int) -> Ip | None:
        data = self.options.get(code, b"")
        return Ip(4, int.from_bytes(data, "big")) if len(data) == 4 else None


def decode(frame: bytes) -> Message | None:
    """A client's message in an Ethernet frame; None for anything else, and for what came by a relay or for another."""
    outer = parse(frame)
    if outer is None or outer.source is None or outer.destination is None:
        return None
    data = datagram(outer, SERVER_PORT)
    if data is None or len(data) < _FIXED + 4 or data[:3] != b"\x01\x01\x06" or data[_FIXED : _FIXED + 4] != _COOKIE:
        return None
    client, relay = mac_text(data[28:34]), data[24:28]
    options = _options(data[_FIXED + 4 :])
    if client != outer.source_mac or any(relay) or options is None or len(options.get(_TYPE, b"")) != 1:
        return None
    flags, address = int.from_bytes(data[10:12], "big"), Ip(4, int.from_bytes(data[12:16], "big"))
    kind = options[_TYPE][0]
    return Message(kind, data[4:8], flags, address, client, outer.source, outer.destination, outer.vlan, options)


def reply(frame: bytes, lease: Lease) -> bytes | None:
    """The frame that answers a client's frame, or None when there is nothing to answer."""
    message = decode(frame)
    if message is None or message.destination not in (_ANYBODY, lease.server):
        return None
    if message.kind == DISCOVER:
        return _frame(message, lease, OFFER)
    if message.kind == REQUEST:
        kind = _request(message, lease)
        return None if kind is None else _frame(message, lease, kind)
    return _frame(message, lease, ACK) if message.kind == INFORM and _holds(message) else None


def kind_of(answer: bytes) -> int | None:
    """What a frame that `reply` made is: OFFER, ACK or NAK."""
    outer = parse(answer)
    data = None if outer is None else datagram(outer, CLIENT_PORT)
    options = None if data is None else _options(data[_FIXED + 4 :])
    return options[_TYPE][0] if options is not None and options.get(_TYPE) else None


def _request(message: Message, lease: Lease) -> int | None:
    """ACK, NAK or None for a REQUEST: RFC 2131 section 4.3.2 tells the client's states apart by what is there."""
    if message.server is not None and message.server != lease.server:  # it has chosen another's offer
        return None
    wanted = message.requested or (message.client_address if message.client_address != _NOBODY else None)
    if wanted is None:
        return None
    return ACK if wanted == lease.address else NAK


def _holds(message: Message) -> bool:
    """Whether the sender of an INFORM says by which address it can be answered."""
    return message.client_address != _NOBODY and message.client_address == message.source


def _frame(message: Message, lease: Lease, kind: int) -> bytes:
    given = _NOBODY if kind == NAK or message.kind == INFORM else lease.address
    had = message.client_address if kind == ACK else _NOBODY
    head = struct.pack(
        "!BBBB4sHH4s4s4s4s6s", 2, 1, 6, 0, message.xid, 0, message.flags, had.packed, given.packed, bytes(4), bytes(4),
        bytes.fromhex(message.client_mac.replace(":", "")),
    )  # fmt: skip
    data = head.ljust(_FIXED, b"\0") + _COOKIE
    data = (data + _fitting(_answers(message, lease, kind), _room(message, lease) - len(data))).ljust(_LEAST, b"\0")
    target, mac = _ANYBODY, BROADCAST_MAC  # RFC 2131 section 4.1
    if kind != NAK and had != _NOBODY:
        target, mac = had, message.client_mac
    elif kind != NAK and not message.flags & _BROADCAST_FLAG:
        target, mac = lease.address, message.client_mac
    segment = udp(lease.server, target, SERVER_PORT, CLIENT_PORT, data)
    return ip_frame(lease.server_mac, mac, lease.server, target, UDP, segment, vlan=message.vlan)


def _room(message: Message, lease: Lease) -> int:
    """Bytes that a message may have: what the client takes, in one packet of its link."""
    size = message.options.get(_SIZE, b"")
    takes = int.from_bytes(size, "big") if len(size) == 2 else _LEAST_SIZE
    return max(_LEAST_SIZE, min(takes, lease.mtu or 1500)) - _HEADERS


def _answers(message: Message, lease: Lease, kind: int) -> list[tuple[int, bytes]]:
    """The options of an answer, the most important first, each once."""
    found = [(_TYPE, bytes((kind,))), (_SERVER, lease.server.packed)]
    if _CLIENT in message.options:
        found.append((_CLIENT, message.options[_CLIENT]))
    if kind == NAK:
        return [*found, (_TEXT, b"this address is not yours")]
    leased = message.kind != INFORM
    if leased:
        found.append((_LEASE_TIME, lease.seconds.to_bytes(4, "big")))
    offered = _offered(lease, leased)
    asked = message.options.get(_ASKED, bytes(_UNASKED))
    # The mask goes before the router (RFC 2132 section 3.3), and without one a client assumes a class.
    return found + [(code, offered[code]) for code in dict.fromkeys((_MASK, *asked)) if code in offered]


def _offered(lease: Lease, leased: bool) -> dict[int, bytes]:
    mask = 0xFFFFFFFF << 32 - lease.prefix_length & 0xFFFFFFFF
    offered = {_MASK: mask.to_bytes(4, "big")}
    if lease.prefix_length < 31:  # a link of two has no broadcast address (RFC 3021)
        offered[_BROADCAST] = (lease.address.number | mask ^ 0xFFFFFFFF).to_bytes(4, "big")
    if lease.router is not None:
        offered[_ROUTER] = lease.router.packed
    if servers := b"".join(server.packed for server in lease.dns_servers if server.version == 4):
        offered[_DNS] = servers
    for code, text in ((_HOST_NAME, lease.host_name), (_DOMAIN_NAME, lease.domain_name)):
        if text:
            offered[code] = text.encode()
    if lease.mtu is not None:
        offered[_MTU] = lease.mtu.to_bytes(2, "big")
    if leased:
        offered[_T1] = (lease.seconds // 2).to_bytes(4, "big")
        offered[_T2] = (lease.seconds * 7 // 8).to_bytes(4, "big")
    if lease.routes:
        # Who takes this option ignores the router option, so the default route is here, too (RFC 3442).
        default = [] if lease.router is None else [(Prefix(4, 0, 0), lease.router)]
        offered[_ROUTES] = b"".join(_route(*route) for route in [*lease.routes, *default])
    return offered | {code: value for code, value in lease.options.items() if code not in _OURS}


def _route(to: Prefix, router: Ip) -> bytes:
    return bytes((to.length,)) + to.first.packed[: (to.length + 7) // 8] + router.packed


def _fitting(options: list[tuple[int, bytes]], room: int) -> bytes:
    """The options that fit, whole ones only, and the end; values above 255 bytes in several pieces (RFC 3396)."""
    found = b""
    for code, value in options:
        pieces = [value[at : at + 255] for at in range(0, len(value), 255)] or [b""]
        encoded = b"".join(bytes((code, len(piece))) + piece for piece in pieces)
        if len(found) + len(encoded) < room:
            found += encoded
    return found + bytes((_END,))


def _options(data: bytes) -> dict[int, bytes] | None:
    """Code -> value, pieces of one option joined (RFC 3396); None when one runs over the end."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            return None
        code, end = data[at], at + 2 + data[at + 1]
        found[code] = found.get(code, b"") + data[at + 2 : end]
        at = end
    return found


def option_bytes(text: str) -> bytes:
    """The value of a `dhcp-option`: bytes as hexadecimal digits behind 0x, an address of either family, or text.

    Raises ValueError for 0x without an even number of hexadecimal digits.
    """
    if text[:2] in ("0x", "0X"):
        digits = text[2:]
        if not digits or len(digits) % 2 or set(digits) - set("0123456789abcdefABCDEF"):
            raise ValueError(
                f"'{text}' is not bytes: behind 0x goes an even number of hexadecimal digits, as in 0x01ff"
            )
        return bytes.fromhex(digits)
    try:
        return address(text).packed
    except (OSError, ValueError):
        return text.encode()
