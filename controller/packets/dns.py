"""DNS at a gateway: names of vports are answered, everything else goes on to the servers of the subnet (RFC 1035).

::

    query ── answer() ──> reply                      a name of the zone, the address of a vport, or nothing to ask
               │ None
               ├ forwardable() ──> onward() ──> server ──> returned() ──> reply
               └ otherwise dropped

This is no DNS server: it knows one zone for as long as a query takes, holds no records and asks nobody. dnspython reads
and writes the messages that it answers; importing that costs 50 ms, which only the first query pays. Forwarded messages
stay the bytes that they were, but for their id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from data.addresses import Ip, address

if TYPE_CHECKING:
    from dns.message import Message

__all__ = ["TTL", "Addresses", "Name", "answer", "asked_name", "forwardable", "onward", "refusal", "returned"]

TTL = 30
"""Seconds that an answer may be kept, that there is none as well."""

Addresses = Callable[[str], Sequence[Ip] | None]
"""A name below the zone, in lower case -> its addresses, or None if there is no such vport."""
Name = Callable[[Ip], str | None]
"""An address -> the full name of its vport, or None."""

_HEADER = 12
_RESPONSE, _TRUNCATED = 0x80, 0x02  # bits of the third byte
_OPCODE = 0x78
_FORMAT_ERROR, _SERVER_FAILURE, _NOT_IMPLEMENTED, _REFUSED = 1, 2, 4, 5
_REVERSE = ("in-addr", "ip6")
_PLAIN = 512  # bytes of a reply to a client without EDNS
_OURS = 1232  # bytes of a datagram that no path cuts (RFC 9715)


def answer(query: bytes, names: Addresses, owner: Name, zone: str, recursion: bool = True) -> bytes | None:
    """The reply to a query that this gateway can answer by itself.

    None when it is for somebody else, or not a query that anybody could answer: see forwardable. Without a zone
    ("") only names that exist are answered, as they stand. `recursion` says whether others are forwarded at all.
    """
    import dns.exception
    import dns.message

    if not _asks(query):
        return None
    if query[2] & _OPCODE:
        return _bare(query, _NOT_IMPLEMENTED)
    if query[4:6] != b"\0\1":
        return _bare(query, _FORMAT_ERROR)  # RFC 9619
    try:
        message = dns.message.from_wire(query, ignore_trailing=True)
        return _answered(message, names, owner, zone.rstrip("."), recursion)
    except (dns.exception.DNSException, ValueError):
        return None if _question(query) else _bare(query, _FORMAT_ERROR)


def _answered(message: Message, names: Addresses, owner: Name, zone: str, recursion: bool) -> bytes | None:
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    reply = dns.message.make_response(message, recursion_available=recursion, our_payload=_OURS)
    question = message.question[0]
    labels = [label.decode("latin-1").lower() for label in question.name.labels[:-1]]
    wanted = dns.rdatatype.to_text(question.rdtype)
    if message.edns > 0:
        reply.set_rcode(dns.rcode.BADVERS)  # RFC 6891 section 6.1.3
    elif question.rdclass != dns.rdataclass.IN:
        return None
    elif labels[-1:] == ["arpa"] and labels[-2:-1] and labels[-2] in _REVERSE:
        if not _reverse(reply, wanted, owner):
            return None
    elif not _forward(reply, labels, wanted, names, zone):
        return None
    else:
        reply.flags |= dns.flags.AA
    size = max(_PLAIN, min(message.payload, _OURS)) if message.edns >= 0 else _PLAIN
    return reply.to_wire(max_size=size, prefer_truncation=True)


def _forward(reply: Message, labels: list[str], wanted: str, names: Addresses, zone: str) -> bool:
    """Answers for a name of the zone; False if it is none."""
    import dns.rcode

    suffix = zone.lower().split(".") if zone else []
    inside = labels[len(labels) - len(suffix) :] == suffix and len(labels) >= len(suffix)
    if not labels or (not inside and len(labels) > 1):
        return False
    below = labels[: len(labels) - len(suffix)] if inside else labels
    apex = not below
    # A dot inside a label, or a byte beyond ASCII, is in no name of a vport.
    sane = not any("." in label or not label.isascii() for label in below)
    found = names(".".join(below)) if sane and not apex else None
    if not (inside and suffix) and found is None:
        return False
    if wanted in ("AXFR", "IXFR"):
        reply.set_rcode(dns.rcode.REFUSED)
        return True
    for kind, version in (("A", 4), ("AAAA", 6)):
        texts = [str(ip) for ip in found or () if ip.version == version]
        if texts and wanted in (kind, "ANY"):
            _add(reply, kind, texts)
    if not reply.answer and inside and suffix:
        if found is None and not apex:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        _start_of_authority(reply, zone, wanted == "SOA" and apex)
    return True


def _reverse(reply: Message, wanted: str, owner: Name) -> bool:
    """Answers for the address of a vport; False if nobody has it."""
    import dns.exception
    import dns.reversename

    try:
        text = dns.reversename.to_address(reply.question[0].name)
    except (dns.exception.DNSException, ValueError):
        return False
    name = owner(address(text))
    if name is None:
        return False
    if wanted in ("PTR", "ANY"):
        _add(reply, "PTR", [f"{name}."])
    return True


def _add(reply: Message, kind: str, texts: list[str]) -> None:
    import dns.rrset

    reply.answer.append(dns.rrset.from_text_list(reply.question[0].name, TTL, "IN", kind, texts))


def _start_of_authority(reply: Message, zone: str, asked: bool) -> None:
    """How long it may be remembered that there is nothing (RFC 2308 section 3)."""
    import dns.rrset

    text = f"{zone}. hostmaster.{zone}. 1 {TTL} {TTL} {TTL} {TTL}"
    (reply.answer if asked else reply.authority).append(dns.rrset.from_text(f"{zone}.", TTL, "IN", "SOA", text))


def _asks(message: bytes) -> bool:
    """Whether it has a header, and is not a reply: two servers must never answer each other's answers."""
    return len(message) >= _HEADER and not message[2] & _RESPONSE


def _question(message: bytes) -> bytes | None:
    """The bytes of the only question; None if there is not exactly one, written out without pointers."""
    if len(message) < _HEADER or message[4:6] != b"\x00\x01":
        return None
    at = _HEADER
    while at < len(message) and message[at]:
        if message[at] > 63:
            return None
        at += 1 + message[at]
    end = at + 5
    return message[_HEADER:end] if end <= len(message) and end - 4 - _HEADER <= 255 else None


def forwardable(query: bytes) -> bool:
    """Whether a message is an ordinary query (opcode 0) with one question, that another server may be asked."""
    return _asks(query) and not query[2] & _OPCODE and _question(query) is not None


def asked_name(query: bytes) -> str | None:
    """The name that a query is about, in lower case and without the last dot; None if that cannot be read."""
    question = _question(query)
    if question is None:
        return None
    labels, at = [], 0
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("latin-1").lower())
        at += 1 + question[at]
    return ".".join(labels)


def onward(query: bytes, number: int) -> bytes:
    """A forwardable query under another id, which should be hard to guess (RFC 5452 section 9.2)."""
    return number.to_bytes(2, "big") + query[2:]


def returned(query: bytes, number: int, reply: bytes, room: int = _OURS) -> bytes | None:
    """A server's reply under the client's id; None unless it answers this query under this id (RFC 5452 section 9.1).

    A reply beyond `room` bytes is cut to its question, with the flag that says so.
    """
    asked = _question(query)
    if asked is None or len(reply) < _HEADER or reply[:2] != number.to_bytes(2, "big") or not reply[2] & _RESPONSE:
        return None
    failed = reply[4:12] == bytes(8) and reply[3] & 0x0F  # who cannot even read the question need not repeat it
    if not failed and _question(reply) != asked:
        return None
    if len(reply) > room:
        return query[:2] + bytes((reply[2] | _TRUNCATED, reply[3])) + reply[4:6] + bytes(6) + asked
    return query[:2] + reply[2:]


def refusal(query: bytes, failed: bool = False) -> bytes | None:
    """REFUSED to a query that cannot go on because there are no servers, or SERVFAIL because none of them answered."""
    return _bare(query, _SERVER_FAILURE if failed else _REFUSED) if forwardable(query) else None


def _bare(query: bytes, rcode: int) -> bytes:
    """A reply of header and question alone."""
    asked = _question(query)
    flags = bytes((_RESPONSE | query[2] & 0x79, 0x80 | rcode))
    return query[:2] + flags + (b"\0\0" if asked is None else b"\0\1") + bytes(6) + (asked or b"")
