"""Operators that come, go and are refused, as events: who, from where, how, and for how long.

Told are people at a terminal of this machine, and logins over the network. A one-shot command of a local user is no
visit: the audit has it, and a program that runs one a second would fill the list of events. Who is refused again and
again is told once in PAUSE for each network that he comes from, with how often it was.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from controller.events import Events, Fact, Kind, Severity
from data.path import Path

PAUSE = 60.0
"""Seconds between two events about refused logins from the same network."""
NETWORKS = 1000
"""Networks that are remembered, the last that somebody was refused from."""


class Visitors:
    """What is told of visits. `clock` never goes back."""

    def __init__(self, events: Events, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._clock = clock
        self._refused: OrderedDict[str, tuple[float, int]] = OrderedDict()  # network -> last told, untold since

    def came(self, user: str, origin: str, how: str) -> float:
        """Somebody logged in, with a key or a password ('' for one whom the kernel vouches for); the time to give to
        `went`."""
        text = f"{user} logged in from {origin}" + (f" with {how}" if how else "")
        facts: dict[str, Fact] = {"user": user, "origin": origin, "with": how, "state": "in"}
        self._events.add(Kind.SESSION, text, about=_user(user), facts=facts)
        return self._clock()

    def went(self, user: str, origin: str, since: float) -> None:
        """Somebody logged out, or was cut off."""
        seconds = round(self._clock() - since)
        text = f"{user} from {origin} logged out after {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        facts: dict[str, Fact] = {"user": user, "origin": origin, "seconds": seconds, "state": "out"}
        self._events.add(Kind.SESSION, text, about=_user(user), facts=facts)

    def refused(self, user: str, origin: str, network: str, why: str) -> None:
        """Somebody was not let in. `user` is "(unknown)" for a name that nobody has: it may be a password; and for who
        has none, a Prometheus."""
        now = self._clock()
        told, untold = self._refused.pop(network, (float("-inf"), 0))
        if len(self._refused) >= NETWORKS:
            self._refused.popitem(last=False)
        if now < told + PAUSE:
            self._refused[network] = told, untold + 1
            return
        self._refused[network] = now, 0
        more = f", and {untold} more from {network} before" if untold else ""
        facts: dict[str, Fact] = {"user": user, "origin": origin, "why": why, "state": "refused", "times": untold + 1}
        self._events.add(
            Kind.SESSION, f"{user} from {origin} refused: {why}{more}", severity=Severity.WARNING,
            about=None if user.startswith("(") else _user(user), facts=facts,
        )  # fmt: skip


def _user(name: str) -> Path:
    return "user", name
