"""The screens of a dashboard by name, for who must not import Textual to know them: the command, its help, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SCREENS", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One screen: the word on its tab, what it is for, and the command that shows the same once."""

    title: str
    about: str
    same: str


SCREENS: Mapping[str, Entry] = {
    "overview": Entry("Overview", "whether all is well, traffic, hypervisors, events", "show fabric"),
    "hypervisors": Entry("dVRS", "hypervisors: state, vports, flows, traffic", "show dvrs"),
    "vports": Entry("vports", "virtual ports: where, state, rates; policy and flows of each", "show vports"),
    "flows": Entry("Flows", "the busiest flows, by vport, rule or table, and who wanted them", "show flows top"),
    "topology": Entry("Topology", "hypervisors, routers and tunnels with their load, as a map", "show topology"),
    "bgp": Entry("BGP", "BGP neighbors and PE routers", "show bgp summary"),
    "commits": Entry("Commits", "commits, and receipts as they arrive", "show system commit"),
    "events": Entry("Events", "what happened: resolutions, moves, commits, drift, flaps", "show events"),
}
"""By the word behind `dashboard`, in the order of their numbers; each has a class in screens/."""
