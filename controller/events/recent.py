"""Telling events: the last ones in memory, each in the log, and everybody who watches.

The list is bounded, each share of the kinds by itself: a port scan must not drive out what happened to the network.
kept.py has more of them.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from controller.events.event import NO_FACTS, USUAL, Event, Fact, Kind, Severity, Share, share
from controller.events.selection import Selection
from data.path import Path

__all__ = ["LIMIT", "LONGEST", "Events", "Keeping"]

LIMIT = 1000  # events of one share kept in memory, about 400 KB
LONGEST = 2000  # characters of a text: what a peer calls itself may be part of it
LEVELS = {
    Severity.CRITICAL: logging.CRITICAL,
    Severity.ERROR: logging.ERROR,
    Severity.WARNING: logging.WARNING,
    Severity.NOTICE: logging.INFO,
    Severity.INFO: logging.INFO,
}
_SORTS = tuple((kind.value, severity.value) for kind in Kind for severity in Severity)
log = logging.getLogger("nshell.controller")


class Keeping(Protocol):
    """What keeps events beyond the memory (keeper.py)."""

    def take(self, event: Event) -> None:
        """Has an event kept."""

    async def read(
        self, selection: Selection, limit: int, visible: Callable[[Path | None, str | None], bool] | None = None
    ) -> list[Event] | None:
        """The latest of a selection, oldest first; None when they cannot be read."""


class Events:
    """The last events, oldest first. `watch` gives later ones to a dashboard or `monitor`. For the event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._number = 0
        self._shares: dict[Share, deque[Event]] = {part: deque(maxlen=LIMIT) for part in Share}
        self._keeper: Keeping | None = None
        self._tenant_of: Callable[[str], str | None] = lambda name: None
        self._watchers: set[Callable[[Event], None]] = set()
        self._said: dict[str, str] = {}
        self._counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(_SORTS, 0))

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many of each kind and severity were told since this controller started, zeroes included: a rate of what
        comes into being with its first event would not have that one.
        """
        return self._counts

    def add(
        self,
        kind: Kind,
        text: str,
        *,
        severity: Severity | None = None,
        about: Path | None = None,
        dvrs: str | None = None,
        facts: Mapping[str, Fact] = NO_FACTS,
    ) -> None:
        """Records, logs and tells one event; its severity is the kind's unless it is given."""
        self._number += 1
        facts = MappingProxyType({name: _written(value) for name, value in facts.items()}) if facts else NO_FACTS
        about = None if about is None else tuple(map(_plain, about))
        text, dvrs = _plain(text), None if dvrs is None else _plain(dvrs)
        text = text if len(text) <= LONGEST else text[:LONGEST] + "..."
        tenant = self._tenant_of(about[1]) if about and about[0] == "enterprise" and len(about) > 1 else None
        event = Event(self._number, self._clock(), kind, severity or USUAL[kind], text, about, dvrs, facts, tenant)
        self._shares[share(kind)].append(event)
        self._counts[kind.value, event.severity.value] += 1
        if kind is not Kind.SESSION:  # who tells these has them in the log already, with more about the connection
            log.log(LEVELS[event.severity], "%s: %s", kind, text)
        if self._keeper is not None:
            self._keeper.take(event)
        for watcher in tuple(self._watchers):
            watcher(event)

    def once(
        self,
        kind: Kind,
        subject: str,
        why: str,
        text: str,
        *,
        severity: Severity | None = None,
        about: Path | None = None,
        dvrs: str | None = None,
        facts: Mapping[str, Fact] = NO_FACTS,
    ) -> None:
        """Records an event unless the last one of this `subject`, who tries again and again, had the same `why`."""
        if self._said.get(subject) == why:
            return
        if len(self._said) >= LIMIT:
            self._said.clear()
        self._said[subject] = why
        self.add(kind, text, severity=severity, about=about, dvrs=dvrs, facts=facts)

    def settled(self, subject: str) -> None:
        """What was said of this subject is over: the same later on is news."""
        self._said.pop(subject, None)

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `watcher` with every later event, on the loop; returns what ends it. It must not raise."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def keep(self, keeper: Keeping) -> None:
        """Gives every later event to what keeps them."""
        self._keeper = keeper

    def know_tenants(self, tenant_of: Callable[[str], str | None]) -> None:
        """`tenant_of` gives the UUID of the enterprise that has a name now."""
        self._tenant_of = tenant_of

    def go_on_from(self, number: int) -> None:
        """Numbers later events from here on: what a former run told has the numbers up to this one."""
        self._number = max(self._number, number)

    async def kept(
        self,
        selection: Selection,
        limit: int,
        visible: Callable[[Path | None, str | None], bool] | None = None,
    ) -> list[Event]:
        """The latest `limit` events of a selection, oldest of them first, those of former runs too.

        `visible` says of what an event is about, and whose tenant that is, whether it counts; it runs in a thread.
        """
        found = None if self._keeper is None else await self._keeper.read(selection, limit, visible)
        if found is None:
            whole = [
                one for one in self
                if selection.takes(one) and (visible is None or visible(one.about, one.tenant))
            ]  # fmt: skip
            found = whole[-limit:]
        return found

    def __iter__(self) -> Iterator[Event]:
        return heapq.merge(*map(tuple, self._shares.values()), key=lambda event: event.number)

    def __len__(self) -> int:
        return sum(map(len, self._shares.values()))


def _plain(text: str) -> str:
    """The text without what UTF-8 cannot say: JSON of a peer may hold halves of characters, and SQLite refuses them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _written(value: Fact) -> Fact:
    return _plain(value) if type(value) is str else value
