"""Our own routes, each from what it is made of, and what changed of them since somebody asked.

Several makers may want the same route (one prefix with a configured route distinguisher, from several hypervisors):
a neighbour can be told one, and is told that with the lowest next hop.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from controller.bgp.routes import Route

__all__ = ["Desired"]


class Desired:
    """Maker -> its routes, and by key of the NLRI which one is told."""

    def __init__(self) -> None:
        self._made: dict[Hashable, tuple[Route, ...]] = {}
        self._wanted: dict[Hashable, Route | tuple[Route, ...]] = {}
        self._before: dict[Hashable, Route | None] = {}

    def put(self, maker: Hashable, routes: tuple[Route, ...]) -> None:
        """These are the routes of a maker from now on."""
        before = self._made.get(maker, ())
        if before == routes:
            return
        for route in before:
            self._remove(route)
        for route in routes:
            self._add(route)
        if routes:
            self._made[maker] = routes
        else:
            self._made.pop(maker, None)

    def _add(self, route: Route) -> None:
        key = route.nlri.key
        self._note(key)
        wanted = self._wanted.get(key)
        if wanted is None:
            self._wanted[key] = route
        else:
            several = wanted if isinstance(wanted, tuple) else (wanted,)
            self._wanted[key] = tuple(sorted((*several, route), key=_place))

    def _remove(self, route: Route) -> None:
        key = route.nlri.key
        self._note(key)
        wanted = self._wanted.pop(key)
        if isinstance(wanted, tuple):
            left = list(wanted)
            left.remove(route)
            self._wanted[key] = left[0] if len(left) == 1 else tuple(left)

    def _note(self, key: Hashable) -> None:
        if key not in self._before:
            self._before[key] = self.get(key)

    def get(self, key: Hashable) -> Route | None:
        """The route that is told for a key."""
        wanted = self._wanted.get(key)
        return wanted[0] if isinstance(wanted, tuple) else wanted

    def take(self) -> list[tuple[Route | None, Route | None]]:
        """What was told and what is now, of all that changed since the last time."""
        found = []
        for key, before in self._before.items():
            after = self.get(key)
            if before != after:
                found.append((before, after))
        self._before.clear()
        return found

    def __iter__(self) -> Iterator[Route]:
        for wanted in self._wanted.values():
            yield wanted[0] if isinstance(wanted, tuple) else wanted

    def __len__(self) -> int:
        return len(self._wanted)


def _place(route: Route) -> tuple[object, ...]:
    return route.attributes.next_hop, str(route)
