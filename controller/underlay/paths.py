"""Shortest paths over a topology: costs, equal-cost paths, and loop-free alternates (RFC 5286). Pure.

A node that carries nothing for others (`Node.carries`) ends paths and begins them, and is inside none. A stub router's
links out (metric 65535, RFC 6987) are as dear as its protocol can say, so it is inside a path only where there is no
other; the listener itself is inside none at all. Where a path begins at the listener, whose links all have that
metric, the metric of the neighbour's direction stands for its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from controller.underlay.topology import Link, Topology

__all__ = ["ALTERNATES", "EQUAL_PATHS", "STUB_METRIC", "Path", "Paths"]

EQUAL_PATHS = 16  # of one cost that are told; FRR installs as many by default
ALTERNATES = 4  # that are told
STUB_METRIC = 65535  # MaxLinkMetric (RFC 6987 section 2)


@dataclass(frozen=True, slots=True)
class Path:
    """One way: the links in order. An `alternate` needs no help of others: its first hop would not send back."""

    cost: int
    links: tuple[Link, ...]
    alternate: bool = False


class Paths:
    """Answers about one topology, each source computed once. O(links log nodes) for a source."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._distances: dict[str, dict[str, int]] = {}
        self._before: dict[str, dict[str, list[Link]]] = {}

    def distances(self, source: str) -> dict[str, int]:
        """Cost from a node to every node that it reaches (Dijkstra)."""
        if source not in self._distances:
            self._run(source)
        return self._distances[source]

    def between(self, source: str, target: str) -> list[Path]:
        """The equal-cost shortest paths, then the loop-free alternates by their cost; none when there is no way."""
        distances = self.distances(source)
        if target not in distances or source == target:
            return []
        best = list(islice(self._walk(source, target), EQUAL_PATHS))
        shortest = [Path(distances[target], links) for links in best]
        return shortest + self._alternates(source, target, {self._first(links) for links in best})

    def _alternates(self, source: str, target: str, used: set[tuple[Link, ...]]) -> list[Path]:
        """RFC 5286 inequality 1: a neighbour whose own way to the target does not lead through the source."""
        found = []
        there = self.distances(source)[target]
        for hop in self._hops(source):
            neighbour = hop[-1].target
            if hop in used or not self._leads_on(neighbour, target):
                continue
            onward = self.distances(neighbour)
            back = onward.get(source)
            if target not in onward or (back is not None and onward[target] >= back + there):
                continue
            rest = next(self._walk(neighbour, target), ())
            cost = sum(link.metric for link in hop) + onward[target]
            found.append(Path(cost, (*hop, *rest), alternate=True))
        return sorted(found, key=lambda path: (path.cost, [one.target for one in path.links]))[:ALTERNATES]

    def _hops(self, node: str) -> Iterator[tuple[Link, ...]]:
        """The neighbours of a router, each by the links to it: one, or two over a LAN."""
        for link in self.links(node):
            if not self.topology.nodes[link.target].lan:
                yield (link,)
                continue
            for onward in self.links(link.target):
                if onward.target != node:
                    yield link, onward

    def _first(self, links: tuple[Link, ...]) -> tuple[Link, ...]:
        """The hop that a path begins with."""
        return links[: 1 + self.topology.nodes[links[0].target].lan]

    def links(self, node: str) -> tuple[Link, ...]:
        """The links out of a node; the listener's have the metrics of the other direction."""
        topology = self.topology
        links = topology.links.get(node, ())
        if node != topology.own:
            return links
        back = {
            (link.source, link.target): link.metric
            for far in links
            for link in topology.links.get(far.target, ())
            if link.target == node
        }
        return tuple(
            Link(one.source, one.target, back.get((one.target, one.source), 0), one.address)
            if one.metric >= STUB_METRIC
            else one
            for one in links
        )

    def _run(self, source: str) -> None:
        distances: dict[str, int] = {source: 0}
        before: dict[str, list[Link]] = {}
        heap = [(0, source)]
        while heap:
            cost, node = heapq.heappop(heap)
            if cost > distances[node] or not (node == source or self._leads_on(node, "")):
                continue
            for link in self.links(node):
                total = cost + link.metric
                known = distances.get(link.target)
                if known is None or total < known:
                    distances[link.target] = total
                    before[link.target] = [link]
                    heapq.heappush(heap, (total, link.target))
                elif total == known and link.target != source:
                    before[link.target].append(link)
        self._distances[source], self._before[source] = distances, before

    def _leads_on(self, node: str, target: str) -> bool:
        """Whether packets may go through this node, unless it is where they go."""
        return node == target or (node != self.topology.own and self.topology.nodes[node].carries)

    def _walk(self, source: str, target: str) -> Iterator[tuple[Link, ...]]:
        """Every shortest path, lazily: there may be very many. Links of metric 0 may form circles: none is walked."""
        self.distances(source)
        before = self._before[source]
        stack: list[tuple[str, tuple[Link, ...]]] = [(target, ())]
        while stack:
            node, links = stack.pop()
            if node == source:
                yield links
                continue
            passed = {link.target for link in links}
            for link in reversed(before.get(node, ())):
                if link.source not in passed:
                    stack.append((link.source, (link, *links)))
