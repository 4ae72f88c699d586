"""How an address is reached, after all that is heard: the longest prefix of any source, then the most trusted source.

A source is one listener's topology (`Seen`) or one BGP neighbour's routes (heard.py). Trust is the administrative
distance that routers use: BGP 20, OSPF 110, IS-IS 115. A default route says nothing of an endpoint and is left out:
with it, nothing would ever be lost. So is what the listener itself announces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.underlay.paths import Paths
from controller.underlay.topology import Topology
from data.addresses import BITS, Ip, Prefix

__all__ = ["DISTANCE", "Reach", "Seen", "Source", "View", "masked"]

DISTANCE = {"bgp": 20, "ospf": 110, "isis": 115}


@dataclass(frozen=True, slots=True)
class Reach:
    """How an address is reached: by which prefix, behind which node, at which cost, and who says so.

    `cost` is None where the prefix is announced and no path leads to who announces it.
    """

    source: str
    protocol: str
    prefix: Prefix
    node: str
    cost: int | None


class Source(Protocol):
    """Somebody who knows prefixes."""

    name: str
    protocol: str

    def find(self, ip: Ip) -> Reach | None:
        """By the longest prefix that covers the address; None when there is none."""
        ...

    def cost(self, ip: Ip, origin: Ip) -> int | None:
        """From another place than the listener's; None where that is not known."""
        ...


class Seen:
    """A topology with a table of its prefixes. Making one costs a shortest-path run; `find` at most 129 look-ups."""

    def __init__(self, name: str, topology: Topology) -> None:
        self.name = name
        self.protocol = topology.protocol
        self.topology = topology
        self.paths = Paths(topology)
        distances = self.paths.distances(topology.own)
        self._table: dict[Prefix, Reach] = {}
        for prefix, announcements in topology.prefixes.items():
            others = [one for one in announcements if one.node != topology.own]
            if not others or not prefix.mask:
                continue
            ways = [
                (one.external, distances[one.node] + one.metric, topology.nodes[one.node].name)
                for one in others
                if one.node in distances
            ]
            if ways:
                _, cost, node = min(ways)
                self._table[prefix] = Reach(name, self.protocol, prefix, node, cost)
            else:
                self._table[prefix] = Reach(name, self.protocol, prefix, topology.nodes[others[0].node].name, None)
        self._lengths = lengths(self._table)

    def find(self, ip: Ip) -> Reach | None:
        """By the longest prefix to whose announcer a path leads; failing that, by the longest of all."""
        unreachable = None
        for length in self._lengths.get(ip.version, ()):
            reach = self._table.get(masked(ip, length))
            if reach is not None and reach.cost is not None:
                return reach
            unreachable = unreachable or reach
        return unreachable

    def cost(self, ip: Ip, origin: Ip) -> int | None:
        """From whoever announces the network of `origin`, to whoever announces that of the address."""
        sources, targets = self._announcers(origin), self._announcers(ip)
        costs = [
            distance + metric
            for source in sources
            for target, metric in targets.items()
            if (distance := self.paths.distances(source).get(target)) is not None
        ]
        return min(costs, default=None)

    def node_of(self, ip: Ip) -> str | None:
        """The node that announces the network of an address at the least metric."""
        announcers = self._announcers(ip)
        return min(announcers, key=lambda node: (announcers[node], node), default=None)

    def _announcers(self, ip: Ip) -> dict[str, int]:
        reach = self.find(ip)
        if reach is None:
            return {}
        own = self.topology.own
        return {one.node: one.metric for one in reversed(self.topology.prefixes[reach.prefix]) if one.node != own}


@dataclass(frozen=True, slots=True)
class View:
    """All sources that may be believed now, by name."""

    sources: Mapping[str, Source]

    def find(self, ip: Ip) -> Reach | None:
        """How an address is reached: one that is beats one that is announced alone, then the longest prefix."""
        found = [reach for source in self.sources.values() if (reach := source.find(ip)) is not None]
        return max(found, key=_worth, default=None)

    def cost(self, ip: Ip, origin: Ip | None = None) -> int | None:
        """From the listener, or from `origin` where its source knows that one, too."""
        reach = self.find(ip)
        if reach is None or reach.cost is None or origin is None:
            return None if reach is None else reach.cost
        elsewhere = self.sources[reach.source].cost(ip, origin)
        return reach.cost if elsewhere is None else elsewhere


def _worth(reach: Reach) -> tuple[bool, int, int, int]:
    return reach.cost is not None, reach.prefix.length, -DISTANCE[reach.protocol], -(reach.cost or 0)


def lengths(prefixes: Iterable[Prefix]) -> dict[int, tuple[int, ...]]:
    """IP version -> the prefix lengths that there are, the longest first."""
    found: dict[int, set[int]] = {}
    for one in prefixes:
        found.setdefault(one.version, set()).add(one.length)
    return {version: tuple(sorted(some, reverse=True)) for version, some in found.items()}


def masked(ip: Ip, length: int) -> Prefix:
    """The network of that length in which an address is."""
    bits = BITS[ip.version]
    mask = (1 << bits) - (1 << bits - length)
    return Prefix(ip.version, ip.number & mask, mask)
