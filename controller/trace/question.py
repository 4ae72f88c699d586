"""The question and the answer: who sends what to whom, and every hop of it with the verdict.

A Question is about one packet, whole or a fragment, of a connection that it begins or that there is. The answer has one
Way, or several where a hash that depends on what is not in the question (or on the build of the switch) decides;
`Trace.verdict` is then that of all of them, or DIVIDED.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from data.addresses import Ip
from data.path import Path

__all__ = ["Connection", "Fragment", "Hop", "Question", "Trace", "Verdict", "Way"]


class Connection(StrEnum):
    """What connection tracking knows of a packet wherever it asks about it for a policy."""

    NEW = "new"  # nothing: it begins one
    ESTABLISHED = "established"  # it is of the side that began, after an answer
    ANSWER = "answer"  # it is of the other side
    RELATED = "related"  # it is an ICMP error about a packet of one


class Fragment(StrEnum):
    """Which part of a packet that was cut up."""

    FIRST = "first"  # the one that has the header with the ports
    LATER = "later"  # any other


class Verdict(StrEnum):
    """What becomes of the packet."""

    DELIVERED = "delivered"
    DENIED = "denied"  # by a policy entry, or a default
    DROPPED = "dropped"  # by anything else: spoofed, no route, a black hole
    LEFT = "left"  # to a PE, VTEP or another site, or to what is behind a bridge vport
    ANSWERED = "answered"  # by the switch or the controller
    UNRESOLVED = "unresolved"  # its sender or receiver is nowhere
    UNKNOWN = "unknown"  # a flow that is not of nshell does what trace does not know
    DIVIDED = "depends on the flow"  # several ways with different ends


@dataclass(frozen=True, slots=True)
class Question:
    """`source`: path of the sending vport. `destination`: an address, or the path of a vport, whose first address of
    the same family is meant. `source_address`: another sender's address than the vport's own. `protocol`: a name
    (tcp, udp, sctp, icmp, icmpv6) or number as text; None is a ping. Ports that are not said are 49152 and 0;
    `icmp_type` and `icmp_code` are 8 (128) and 0, of an answer 0 (129), of an error 3 (1). `dscp`: 0 to 63. `reply`:
    whether the answer to it is followed too. `fragment`: None for a whole packet.
    """

    source: Path
    destination: Ip | Path
    source_address: Ip | None = None
    protocol: str | None = None
    source_port: int | None = None
    destination_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    dscp: int = 0
    reply: bool = False
    connection: Connection = Connection.NEW
    fragment: Fragment | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One table that a packet passed: hypervisor, table, what was decided there in words, by which object, and the
    flow-mod that did. `plain`: the fabric's own wiring, or nothing that decides; `copy`: not the packet itself."""

    dvrs: str
    table: str
    words: str
    object: Path | None = None
    flow: bytes | None = None
    plain: bool = False
    copy: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """One course of events: its hops, its verdict, the object that decided and the reason in words. `share` is the part
    of all flows that go this way (0 to 1); `receiver` the vport that got the packet."""

    hops: tuple[Hop, ...]
    verdict: Verdict
    at: Path | None
    reason: str
    share: float = 1.0
    receiver: Path | None = None
    reply: Way | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The answer. `ways` has one element for most questions; `packet` is what was followed, in words. `visited` are the
    hypervisors whose flows were read, in order."""

    question: Question
    packet: str
    ways: tuple[Way, ...]
    visited: tuple[str, ...] = ()

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Of the first way."""
        return self.ways[0].hops

    @property
    def verdict(self) -> Verdict:
        """Of all ways, DIVIDED when they differ."""
        found = {way.verdict for way in self.ways}
        return found.pop() if len(found) == 1 else Verdict.DIVIDED

    @property
    def at(self) -> Path | None:
        """The object that decided, of the first way."""
        return self.ways[0].at

    @property
    def reason(self) -> str:
        """In words, of the first way."""
        return self.ways[0].reason

    @property
    def reply(self) -> tuple[Hop, ...]:
        """The hops of the answer on the first way; none when it was not asked for."""
        answer = self.ways[0].reply
        return () if answer is None else answer.hops
