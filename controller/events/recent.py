"""What happened in the network, newest last: the list behind `show events` and the same lines in the log.

Events are facts for people, not a message bus: nothing in the controller reacts to one. A kind is one word a person can
filter on; the text names the object first. The list is bounded (LIMIT), the log keeps everything. Packets that policy
logs have a LIMIT of their own: a port scan must not drive out what happened to the network.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["LIMIT", "Event", "Events", "Kind"]

LIMIT = 1000  # events kept in memory of POLICY, and as many of all other kinds; about 200 KB each
log = logging.getLogger("nshell.controller")


class Kind(StrEnum):
    """What an event is about."""

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
    POLICY = "policy"  # a packet met an entry with `log`
    FAULT = "fault"  # the controller could not do what it should


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `time` is seconds since the epoch."""

    time: float
    kind: Kind
    text: str


class Events:
    """The last events, oldest first. `watch` gives later ones to a dashboard or `monitor`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=LIMIT)
        self._packets: deque[Event] = deque(maxlen=LIMIT)
        self._watchers: set[Callable[[Event], None]] = set()
        self._said: dict[str, str] = {}

    def add(self, kind: Kind, text: str) -> None:
        """Records and logs one event; a FAULT is logged as a warning."""
        event = Event(self._clock(), kind, text)
        (self._packets if kind is Kind.POLICY else self._events).append(event)
        log.log(logging.WARNING if kind is Kind.FAULT else logging.INFO, "%s: %s", kind, text)
        for watcher in tuple(self._watchers):
            watcher(event)

    def once(self, kind: Kind, about: str, why: str, text: str) -> None:
        """Records an event unless the last one `about` somebody, who tries again and again, had the same `why`."""
        if self._said.get(about) == why:
            return
        if len(self._said) >= LIMIT:
            self._said.clear()
        self._said[about] = why
        self.add(kind, text)

    def settled(self, about: str) -> None:
        """What was said `about` somebody is over: the same later on is news."""
        self._said.pop(about, None)

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `watcher` with every later event, on the loop; returns what ends it."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def __iter__(self) -> Iterator[Event]:
        return heapq.merge(tuple(self._events), tuple(self._packets), key=lambda event: event.time)

    def __len__(self) -> int:
        return len(self._events) + len(self._packets)
