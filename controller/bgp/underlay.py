"""What BGP and the underlay (`controller/underlay/`) are to each other.

The underlay watches the ends of the tunnels that facts name, and hears what neighbours of the role underlay tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from controller.bgp.rib.settings import UNDERLAY, NeighbourPolicy
from controller.bgp.routes import Attributes, Route
from controller.bgp.speaker.backend import Changed, Down, Event, Fault, Up
from controller.compile.remote import Remote, RemoteKey, RemotePrefix
from controller.underlay.service import Underlay
from data.addresses import Ip

__all__ = ["Listened", "NextHops"]

_NOTHING = Attributes(next_hop=Ip(4, 0))  # of a route that is withdrawn


class NextHops:
    """The ends of tunnels that the underlay watches for us."""

    def __init__(self, underlay: Underlay) -> None:
        self._underlay = underlay
        self._named: dict[RemoteKey, tuple[Ip, ...]] = {}  # fact -> ends of its tunnels
        self._endpoints: Counter[Ip] = Counter()
        self._lost: set[Ip] = set()  # next hops that no fact names because the underlay lost them

    def follow(self, facts: Iterable[tuple[RemoteKey, Remote | None]], next_hops: Container[Ip]) -> None:
        """Facts are others now. The underlay watches the ends of the tunnels that they name, and those of the routes'
        `next_hops` that they would name if it had not lost them: it says when they are back."""
        before = {*self._endpoints, *self._lost}
        for key, fact in facts:
            for endpoint in self._named.pop(key, ()):
                self._endpoints[endpoint] -= 1
                if not self._endpoints[endpoint]:
                    del self._endpoints[endpoint]
                    if not self._underlay.usable(endpoint):
                        self._lost.add(endpoint)
            if fact is not None:
                ends = _endpoints(fact)
                self._named[key] = ends
                self._endpoints.update(ends)
        self._lost = {one for one in self._lost if one in next_hops and one not in self._endpoints}
        after = {*self._endpoints, *self._lost}
        if after != before:
            self._underlay.remote(dict.fromkeys(after, "next hop of bgp routes"))


class Listened:
    """What neighbours of the underlay say is the listener's, too."""

    def __init__(self, underlay: Underlay) -> None:
        self._underlay = underlay

    def tell(self, event: Event, neighbours: Mapping[str, NeighbourPolicy]) -> None:
        """Passes an event on if it is one of theirs."""
        if isinstance(event, Fault):
            for name, neighbour in neighbours.items():
                if neighbour.role == UNDERLAY and not event.alive:
                    self._underlay.session(name, False)
            return
        policy = neighbours.get(event.peer)
        if policy is None or policy.role != UNDERLAY:
            return
        if isinstance(event, Up | Down):
            self._underlay.session(event.peer, isinstance(event, Up))
        elif isinstance(event, Changed):
            for nlri in event.withdrawn:
                self._underlay.hear(event.peer, Route(nlri, _NOTHING), withdrawn=True)
            for route in event.announced:
                self._underlay.hear(event.peer, route)


def _endpoints(fact: Remote) -> tuple[Ip, ...]:
    if isinstance(fact, RemotePrefix):
        return tuple(hop.tunnel.endpoint for hop in fact.next_hops)
    return (fact.tunnel.endpoint,)
