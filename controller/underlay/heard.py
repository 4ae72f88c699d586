"""What one BGP router of the underlay tells: its routes of ipv4 and ipv6 unicast, as the speaker hands them over.

    speaker: session with role underlay up ──> Heard(name)
             route announced, withdrawn    ──> hear(route), hear(route, withdrawn=True)
             session down                  ──> dropped whole: a neighbour that is gone proves nothing of its routes

The cost of a route is the length of its AS path: what a fabric of eBGP routers goes by (RFC 7938 section 5.2).
"""

from __future__ import annotations

from controller.bgp.routes import Route, Unicast
from controller.underlay.view import Reach, masked
from data.addresses import Ip, Prefix

__all__ = ["ROUTES", "Heard"]

ROUTES = 1_000_000  # kept of one neighbour; the neighbour's own prefix-limit ends its session long before


class Heard:
    """The routes of one neighbour; a source of `View`."""

    protocol = "bgp"

    def __init__(self, name: str) -> None:
        self.name = name
        self.refused = 0  # routes beyond ROUTES
        self._routes: dict[Prefix, Reach] = {}
        self._counts: dict[tuple[int, int], int] = {}  # (version, length) -> routes
        self._lengths: dict[int, tuple[int, ...]] = {}

    def hear(self, route: Route, *, withdrawn: bool = False) -> bool:
        """Takes one route; whether it changed anything. Routes of other families are no word about the underlay."""
        if not isinstance(route.nlri, Unicast) or not route.nlri.prefix.mask:
            return False
        prefix, attributes = route.nlri.prefix, route.attributes
        if withdrawn:
            if self._routes.pop(prefix, None) is None:
                return False
            self._count(prefix, -1)
            return True
        reach = Reach(self.name, self.protocol, prefix, str(attributes.next_hop), attributes.as_path_length)
        known = self._routes.get(prefix)
        if known is None:
            if len(self._routes) >= ROUTES:
                self.refused += 1
                return False
            self._count(prefix, 1)
        self._routes[prefix] = reach
        return known != reach

    def __len__(self) -> int:
        return len(self._routes)

    def find(self, ip: Ip) -> Reach | None:
        """By the longest prefix that covers the address."""
        for length in self._lengths.get(ip.version, ()):
            reach = self._routes.get(masked(ip, length))
            if reach is not None:
                return reach
        return None

    def cost(self, ip: Ip, origin: Ip) -> int | None:
        """Not known: BGP tells how far things are from the neighbour alone."""
        return None

    def _count(self, prefix: Prefix, change: int) -> None:
        kind = prefix.version, prefix.length
        self._counts[kind] = self._counts.get(kind, 0) + change
        if not self._counts[kind]:
            del self._counts[kind]
        elif self._counts[kind] != 1 or change < 0:
            return
        self._lengths = {
            version: tuple(sorted((length for which, length in self._counts if which == version), reverse=True))
            for version in (4, 6)
        }
