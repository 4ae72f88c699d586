"""The packet codecs as functions of bytes, for targets.py: frames of vports, and DNS messages from either side."""

# ruff: noqa: E501 (lines of data are easier to read whole)

from __future__ import annotations

from collections.abc import Callable

from controller.packets import dhcp, dhcp6, dns, frame, headers, neighbour, probe
from tests.unit.packets.golden import A4, A6, B4, B6, GOLDEN, A, B

_LEASE = dhcp.Lease(B4, 24, A4, A, A4, (A4,), 1442, 3600, "prod.example", "web-1", options={43: b"x" * 300})
_LEASE6 = dhcp6.Lease6((B6,), A, (A6,), ("prod.example",))
_NAMES = {"web-1": [B4, B6]}
_QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\5web-1\4prod\7example\0\0\1\0\1"


def packets(data: bytes) -> None:
    """A frame that a vport sent, as it is and as what headers with right checksums and lengths carry."""
    frames_answered(data)
    link_local = neighbour.link_local(A)
    for kind in (129, 133, 134, 135, 136):
        message = headers.icmp(link_local, B6, kind, 0, data)
        frames_answered(headers.ip_frame(A, B, link_local, B6, headers.ICMPV6, message, 255))
    servers = dhcp6.ALL_SERVERS
    segment = headers.udp(link_local, servers, 546, 547, data)
    frames_answered(headers.ip_frame(A, B, link_local, servers, headers.UDP, segment))


def frames_answered(data: bytes) -> None:
    """One frame through everything that may answer it."""
    found = frame.parse(data)
    if found is not None:
        assert len(frame.summary(found) or "") < 200
        assert len(found.payload or b"") <= len(data)
        frame.datagram(found, found.destination_port or 0)
    neighbour.arp(data)
    neighbour.neighbour(data)
    neighbour.router_solicitation(data)
    probe.answer(data)
    for reply in (dhcp.reply(data, _LEASE), dhcp6.reply(data, _LEASE6)):
        answered = None if reply is None else frame.parse(reply)
        assert reply is None or (answered is not None and answered.payload is not None and len(reply) <= 1518)
    for message in (dhcp.decode(data), dhcp6.decode(data)):
        assert message is None or message.options is not None


def dns_queries(data: bytes) -> None:
    """A query to a gateway, and a reply of a server to it."""
    reply = dns.answer(data, _NAMES.get, {B4: "web-1"}.get, "prod.example")
    assert reply is None or (reply[:2] == data[:2] and reply[2] & 0x80 and len(reply) <= 1232)
    refused = dns.refusal(data)
    assert (refused is None) == (not dns.forwardable(data))
    if dns.forwardable(data):
        assert dns.returned(data, 7, dns.onward(data, 7)) is None, "a query is no reply"
    returned = dns.returned(_QUERY, 7, data)
    assert returned is None or (returned[:2] == _QUERY[:2] and len(returned) <= 1232)


TARGETS: dict[str, Callable[[bytes], None]] = {"packets": packets, "dns": dns_queries}

SEEDS: dict[str, list[bytes]] = {
    "packets": [*GOLDEN.values(), *(GOLDEN[name][62:] for name in ("solicit", "request", "confirm")), *(GOLDEN[name][58:] for name in ("ns", "na", "rs", "ra"))],
    "dns": [
        _QUERY,
        _QUERY.replace(b"web-1", b"web-2"),
        b"\0\7\x84" + _QUERY[3:7] + b"\1" + _QUERY[8:] + bytes.fromhex("c00c000100010000001e0004c0000201"),
        _QUERY[:11] + b"\1\x0211\0011\0011\x0210\7in-addr\4arpa\0\0\x0c\0\1" + bytes.fromhex("00002904d0000000000000"),
    ],
}  # fmt: skip
