"""Small underlays for the tests: what FRR 8.4.4 really said (recorded/), and pictures drawn by hand."""

from __future__ import annotations

from pathlib import Path

from controller.underlay import isis, ospf
from controller.underlay.topology import Announcement, Link, Node, Topology, build
from data.addresses import prefix

RECORDED = Path(__file__).with_name("recorded")
"""The answers of a listener beside r1 (10.255.0.1) in r1 - r2 - r4 - r3 - r1, all metrics 10; for IS-IS r1 - r2 is a
LAN of metric 100. r3 has 10.77.1.0/24 in another area (OSPF), r4 has 10.88.1.0/24 from another protocol (OSPF)."""


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def ospf_answers() -> list[str]:
    """The answers to ospf.FULL: there were no LSAs of types 4 and 7."""
    kinds = ("router", "network", "summary", "", "external", "")
    return [recorded(f"ospf_{kind}.json") if kind else "{}" for kind in kinds]


def ospf_seen() -> Topology:
    return ospf.topology(ospf_answers())


def isis_seen(database: str = "isis_database.txt") -> Topology:
    return isis.topology([recorded(database), recorded("isis_hostname.txt")])


def drawn(*links: str, own: str = "me", prefixes: tuple[str, ...] = (), idle: tuple[str, ...] = ()) -> Topology:
    """Of 'a b 10' (both ways) or 'a b 10 20' (there and back), and prefixes 'a 192.0.2.0/24 [metric]'.

    A name that begins with lan is one; nodes named in `idle` carry nothing for others.
    """
    found: list[Link] = []
    for text in links:
        a, b, there, *back = text.split()
        found += [Link(a, b, int(there)), Link(b, a, int(back[0] if back else there))]
    announced = []
    for text in prefixes:
        node, network, *metric = text.split()
        announced.append(Announcement(prefix(network), node, int(metric[0]) if metric else 0))
    names = {own} | {link.source for link in found}
    nodes = [Node(name, name, name.startswith("lan"), name not in idle) for name in names]
    return build("ospf", own, nodes, found, announced)
