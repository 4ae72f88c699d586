"""One thing that happened: when, what kind of thing, how bad, in words, about what, with its facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType

from data.path import Path

__all__ = ["NO_FACTS", "USUAL", "Event", "Fact", "Kind", "Severity", "Share", "share"]

Fact = str | int | float
NO_FACTS: Mapping[str, Fact] = MappingProxyType({})


class Kind(StrEnum):
    """What an event is about: one word that a person can filter on."""

    HYPERVISOR = "hypervisor"  # came, went, was refused
    IDENTITY = "identity"  # two connections claim one system-id or one vport
    VPORT = "vport"  # an interface of a vport appeared, moved, vanished
    COMMIT = "commit"
    CONFIRM = "confirm"
    RECONCILE = "reconcile"
    DRIFT = "drift"  # somebody else changed a flow
    HEALTH = "health"  # one that serves others answers its probes no more, or again
    BGP = "bgp"  # a session came or went, an address is in two places, a neighbour told too much
    PE = "pe"  # a router that is configured with commits went, is back
    UNDERLAY = "underlay"  # a tunnel endpoint was lost, is back, flaps; a listener hears nothing
    SESSION = "session"  # an operator came, went, was refused
    THRESHOLD = "threshold"  # a measure is too high, or is not any more
    DENIED = "denied"  # packets that policy refused, counted
    POLICY = "policy"  # a packet met an entry with `log`
    FAULT = "fault"  # the controller could not do what it should


class Severity(StrEnum):
    """How bad it is, the worst first; the words are the schema's (data/schema/seen.py)."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"
    INFO = "info"

    @property
    def code(self) -> int:
        """The number of RFC 5424, section 6.2.1: less is worse."""
        return _CODES[self]


_CODES = {Severity.CRITICAL: 2, Severity.ERROR: 3, Severity.WARNING: 4, Severity.NOTICE: 5, Severity.INFO: 6}

USUAL: Mapping[Kind, Severity] = MappingProxyType(
    {
        Kind.HYPERVISOR: Severity.NOTICE,
        Kind.IDENTITY: Severity.WARNING,
        Kind.VPORT: Severity.INFO,
        Kind.COMMIT: Severity.NOTICE,
        Kind.CONFIRM: Severity.NOTICE,
        Kind.RECONCILE: Severity.INFO,
        Kind.DRIFT: Severity.WARNING,
        Kind.HEALTH: Severity.WARNING,
        Kind.BGP: Severity.NOTICE,
        Kind.PE: Severity.WARNING,
        Kind.UNDERLAY: Severity.WARNING,
        Kind.SESSION: Severity.INFO,
        Kind.THRESHOLD: Severity.WARNING,
        Kind.DENIED: Severity.INFO,
        Kind.POLICY: Severity.INFO,
        Kind.FAULT: Severity.ERROR,
    }
)
"""How bad events of a kind are unless whoever tells one knows better."""


class Share(Enum):
    """Kinds that are bounded together: what happens often must not push out what happens seldom."""

    NETWORK = 0
    PACKETS = 1  # a port scan is thousands of them
    SESSIONS = 2  # a program that logs in each minute is as many


def share(kind: Kind) -> Share:
    """The share that a kind is part of."""
    if kind in (Kind.POLICY, Kind.DENIED):
        return Share.PACKETS
    return Share.SESSIONS if kind is Kind.SESSION else Share.NETWORK


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `number` rises with every event, over restarts too. `time` is seconds since the epoch. `text` names the object
    first. `about` is the configured object it is about, `dvrs` the hypervisor on which it happened. `facts` are what
    the text says, for programs: names are words with dashes, values plain. `tenant` is the UUID of the enterprise that
    has the name in `about`: a name may be given out again.
    """

    number: int
    time: float
    kind: Kind
    severity: Severity
    text: str
    about: Path | None = None
    dvrs: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=lambda: NO_FACTS)
    tenant: str | None = None
