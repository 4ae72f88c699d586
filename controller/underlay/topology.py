"""A picture of the underlay as one protocol tells it: nodes, links with metrics, and who announces which prefix.

    r1 ──10── r2 ──10── r4      nodes r1 r2 r3 r4; a LAN is a node, too (a pseudonode), as both protocols have it
     └──10── r3 ──10── r4       links are directed: r1 -> r2 and r2 -> r1 may differ in metric

A link counts only when its other end says so, too (RFC 2328 section 16.1, ISO 10589 section 7.2.8): a router that died
stays in the database for up to an hour, and its neighbours' silence about it is how everybody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from data.addresses import Prefix

__all__ = ["Announcement", "Link", "Node", "Topology", "build"]


@dataclass(frozen=True, slots=True)
class Node:
    """A router, or (`lan`) a network with several routers. `key` is what links name it by: router ID or system ID.

    `carries` is false for one that others send no transit traffic through: an overloaded IS-IS router (ISO 10589
    section 7.2.8.1). An OSPF stub router (RFC 6987) says the same by metrics.
    """

    key: str
    name: str
    lan: bool = False
    carries: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of an adjacency. `address` is the source's own on it, where it says so."""

    source: str
    target: str
    metric: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A prefix that a node announces, with the metric it has there. `external` ones came from another protocol."""

    prefix: Prefix
    node: str
    metric: int
    external: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """The picture; `own` is the key of the daemon that gave it, from which costs are counted.

    `links` holds, by source, those that both ends confirm.
    """

    protocol: str
    own: str
    nodes: Mapping[str, Node] = field(default_factory=dict)
    links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)
    prefixes: Mapping[Prefix, tuple[Announcement, ...]] = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether the listener has no neighbour: it sees nothing then, and absence proves nothing."""
        return not self.links.get(self.own)


def build(
    protocol: str,
    own: str,
    nodes: Iterable[Node],
    links: Iterable[Link],
    announcements: Iterable[Announcement],
    *,
    one_way: Iterable[Link] = (),
) -> Topology:
    """The picture of what was told: links that one end alone claims, and what unknown nodes announce, are left out.

    `one_way` links count as they are: distances to routers of other areas, which are told by border routers alone.
    """
    known = {node.key: node for node in nodes}
    claimed = list(links)
    ways = {(link.source, link.target) for link in claimed}
    counted: dict[str, list[Link]] = {}
    for link in claimed:
        if (link.target, link.source) in ways and link.source in known and link.target in known:
            counted.setdefault(link.source, []).append(link)
    for link in one_way:
        if link.source in known and link.target in known:
            counted.setdefault(link.source, []).append(link)
    prefixes: dict[Prefix, list[Announcement]] = {}
    for one in announcements:
        if one.node in known:
            prefixes.setdefault(one.prefix, []).append(one)
    return Topology(
        protocol,
        own,
        known,
        {source: tuple(sorted(group, key=_by_target)) for source, group in sorted(counted.items())},
        {prefix: tuple(sorted(group, key=_by_metric)) for prefix, group in sorted(prefixes.items())},
    )


def _by_target(link: Link) -> tuple[str, int, str]:
    return link.target, link.metric, link.address


def _by_metric(one: Announcement) -> tuple[bool, int, str]:
    return one.external, one.metric, one.node
