"""Every end of a tunnel: whether the underlay reaches it, since when, and whether it may be used.

              first heard of, or its source is away
    unknown ─────────────────────────────────────────> usable: absence of knowledge proves nothing
       │ a prefix covers it
    reachable ──── no prefix covers it any more, or no path leads to who announces it ────> lost: an event, a flap
       ^                                                                                     │
       └──────────────── a path again: an event, unless it is suppressed ────────────────────┘

One that was lost too often is suppressed (`controller/damping.py`): not usable, though reachable, until it is calm.
Pure: the view and the time come with each call, events go to `tell`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.damping import Flaps, Limits
from controller.underlay.view import Reach, View
from data.addresses import Ip
from data.steps import Steps

__all__ = ["EACH", "Endpoint", "Endpoints", "Reachability"]

NEVER = Flaps()
EACH = 20  # endpoints told one by one when many are lost or back at once; the others are counted


class Reachability(StrEnum):
    """What the underlay says of an endpoint."""

    UNKNOWN = "unknown"
    REACHABLE = "reachable"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One tunnel endpoint. `who` has it, as 'dvrs hv1'; `since` is when `state` began, of the clock that `judge` gets.

    `reach` is how it is reached, or was last.
    """

    address: Ip
    who: str
    state: Reachability
    since: float
    reach: Reach | None = None
    flaps: Flaps = NEVER

    @property
    def usable(self) -> bool:
        """Whether a route may lead there."""
        return self.state is not Reachability.LOST and not self.flaps.suppressed

    @property
    def cost(self) -> int | None:
        """From the listener; None when it is not known."""
        return self.reach.cost if self.reach is not None and self.state is Reachability.REACHABLE else None


class Endpoints:
    """All endpoints, by address. Who has them comes in groups ('dvrs', 'pe', 'remote'), each replaced as a whole."""

    def __init__(self, tell: Callable[[str], None], limits: Limits) -> None:
        self._tell = tell
        self.limits = limits
        self._groups: dict[str, Mapping[Ip, str]] = {}
        self._known: dict[Ip, Endpoint] = {}

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(sorted(self._known.values(), key=lambda one: one.address))

    def __len__(self) -> int:
        return len(self._known)

    def get(self, address: Ip) -> Endpoint | None:
        """One of them; None when nobody is known to have this address."""
        return self._known.get(address)

    def follow(self, group: str, holders: Mapping[Ip, str], now: float) -> None:
        """The endpoints of a group are these from now on; what is known of those that stay is kept."""
        self._groups[group] = dict(holders)
        wanted: dict[Ip, list[str]] = {}
        for some in self._groups.values():
            for address, who in some.items():
                wanted.setdefault(address, []).append(who)
        for address in [address for address in self._known if address not in wanted]:
            del self._known[address]
        for address, names in wanted.items():
            who = ", ".join(names)
            known = self._known.get(address)
            if known is None:
                self._known[address] = Endpoint(address, who, Reachability.UNKNOWN, now)
            elif known.who != who:
                self._known[address] = replace(known, who=who)

    def judge(self, view: View, now: float, settling: frozenset[str] = frozenset()) -> Steps[frozenset[Ip]]:
        """Looks at all of them, a step each; the addresses of which `usable` or `cost` differ now.

        Sources that are `settling` have just come: what they do not know yet is not lost.
        """
        changed = set()
        lost: list[str] = []
        back: list[str] = []
        for address in tuple(self._known):
            yield
            known = self._known.get(address)
            if known is None:
                continue  # nobody's any more, since the last step
            found = self._seen(known, view, now, settling)
            was, calm = known.flaps.suppressed, found.flaps.settled(now, self.limits)
            if calm.suppressed != found.flaps.suppressed:
                found = replace(found, flaps=calm)
            if found == known:
                continue
            self._known[address] = found
            if (found.usable, found.cost) != (known.usable, known.cost):
                changed.add(address)
            self._report(known, found, now, lost, back)
            if was and not found.flaps.suppressed:
                self._tell(f"{_name(found)} is calm and used again; it was lost {found.flaps.count} times")
        self._several(lost, "lost")
        self._several(back, "reachable again")
        return frozenset(changed)

    def next_change(self, now: float) -> float | None:
        """Seconds until an endpoint will be calm, None when all are."""
        waits = [one.flaps.until(now, self.limits) for one in self._known.values() if one.flaps.suppressed]
        return min(waits, default=None)

    def _seen(self, known: Endpoint, view: View, now: float, settling: frozenset[str]) -> Endpoint:
        """The endpoint after a look at the view."""
        reach = view.find(known.address)
        if reach is not None and reach.cost is not None:
            since = known.since if known.state is Reachability.REACHABLE else now
            return replace(known, state=Reachability.REACHABLE, since=since, reach=reach)
        if known.state is Reachability.UNKNOWN and reach is None:
            return known
        source = reach.source if reach is not None else known.reach.source if known.reach is not None else ""
        if source in settling or (known.state is Reachability.LOST and source in view.sources):
            return known
        if source not in view.sources:
            return replace(known, state=Reachability.UNKNOWN, since=now, reach=None)
        flaps = known.flaps.lost(now, self.limits) if known.state is Reachability.REACHABLE else known.flaps
        return replace(known, state=Reachability.LOST, since=now, reach=reach or known.reach, flaps=flaps)

    def _report(self, known: Endpoint, found: Endpoint, now: float, lost: list[str], back: list[str]) -> None:
        if found.flaps.suppressed:
            if not known.flaps.suppressed:
                wait = found.flaps.until(now, self.limits)
                self._tell(
                    f"{_name(found)} flaps: lost {found.flaps.count} times; not used until it is calm for {wait:.0f} s"
                )
            return  # one that flaps fills no list of events
        if found.state is Reachability.LOST and known.state is not Reachability.LOST:
            reach = found.reach
            assert reach is not None, "what is lost was seen before"
            why = "no path leads to" if reach.cost is None else "it was behind"
            lost.append(f"{_name(found)} is lost: {why} {reach.node} ({reach.protocol} {reach.prefix})")
        elif known.state is Reachability.LOST and found.state is Reachability.REACHABLE:
            assert found.reach is not None
            reach, gone = found.reach, now - known.since
            back.append(
                f"{_name(found)} is reachable again after {gone:.0f} s, behind {reach.node} "
                f"({reach.protocol} {reach.prefix}, cost {reach.cost})"
            )

    def _several(self, texts: list[str], what: str) -> None:
        for text in texts[:EACH]:
            self._tell(text)
        if len(texts) > EACH:
            self._tell(f"{len(texts) - EACH} more endpoints are {what}; 'show underlay endpoints' has them all")


def _name(one: Endpoint) -> str:
    return f"{one.who} ({one.address})"
