"""Makes guessing passwords slow: each failure delays the next attempts from the same address, and, less, at the same
user. Nobody is locked out.

    failures in the last minutes     1   2   3    4    5    6 and more
    delay for the address            0   0   1 s  2 s  4 s  8 s
    delay for the user               0   0   1 s  2 s  2 s  2 s      whatever the address

The right password waits as long as a wrong one, so that the time tells nothing. A failure counts half after HALF_LIFE.
Names that do not exist are counted like those that do. Keys cannot be guessed and are never delayed.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

FREE = 2
"""Failures that cost nothing: people mistype."""
BY_ADDRESS = 8.0
BY_USER = 2.0
"""Longest delays in seconds. An attacker elsewhere can make a user wait no longer than that."""
HALF_LIFE = 120.0
KEPT = 4096
"""Addresses, and users, that are remembered; about 1 MB."""
PREFIX = 64
"""Bits of an IPv6 address that one host can choose the rest of at will."""


class Failures:
    """How often each of some names failed lately; the least recent is forgotten first."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, name: str, now: float) -> float:
        """Failures, those of earlier half-lives weighing less."""
        failures, at = self._failures.get(name, (0.0, now))
        return failures * 0.5 ** ((now - at) / HALF_LIFE)

    def add(self, name: str, now: float) -> None:
        """One more."""
        self._failures[name] = (self.count(name, now) + 1, now)
        self._failures.move_to_end(name)
        if len(self._failures) > KEPT:
            self._failures.popitem(last=False)

    def delay(self, name: str, now: float) -> float:
        """Seconds that the next attempt waits."""
        over = round(self.count(name, now)) - FREE
        return min(self._longest, 2.0 ** min(over - 1, 16)) if over > 0 else 0.0


class Throttle:
    """The delays of password attempts. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._addresses = Failures(BY_ADDRESS)
        self._users = Failures(BY_USER)

    def delay(self, address: str, user: str) -> float:
        """Seconds that this attempt waits before it is looked at."""
        now = self._clock()
        return max(self._addresses.delay(source(address), now), self._users.delay(user, now))

    def failed(self, address: str, user: str) -> None:
        """A password was wrong, or the user does not exist."""
        now = self._clock()
        self._addresses.add(source(address), now)
        self._users.add(user, now)


def source(address: str) -> str:
    """The address, or the network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, PREFIX), strict=False))
    return str(parsed)
