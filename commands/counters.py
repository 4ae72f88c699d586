"""Counters that the switches keep with their flows, by the object and the purpose that the flow's cookie names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from controller.openflow.readback import FlowEntry
from controller.pipeline import Feature, Table, split_cookie
from controller.topology import Standing
from data.errors import CommandFailed
from data.path import Path

if TYPE_CHECKING:
    from controller.fabric import Fabric

VPORT_TABLES = (Table.CLASSIFY, Table.SPOOF_GUARD, Table.DELIVER)
"""Where packets of a vport are received, refused and delivered."""
RULE_TABLES = (Table.INGRESS_ACL, Table.EGRESS_ACL)

Counts: TypeAlias = "dict[tuple[Path, Feature], tuple[int, int]]"  # packets, bytes


def reachable(fabric: Fabric) -> list[str]:
    """Hypervisors whose switches answer."""
    here = (Standing.READY, Standing.CONNECTED)
    return sorted(name for name, known in fabric.topology.hypervisors.items() if known.state in here)


async def read(fabric: Fabric, dvrs: Iterable[str], tables: Iterable[Table]) -> Counts:
    """The counters of these hypervisors, added up; one that cannot be read counts nothing."""
    counts: Counts = {}
    for name in dvrs:
        for table in tables:
            try:
                flows = await fabric.flows(name, table)
            except CommandFailed:
                break
            for flow in flows:
                add(fabric, counts, flow)
    return counts


def add(fabric: Fabric, counts: Counts, flow: FlowEntry) -> None:
    """One flow's counters to those of its object."""
    parts, path = split_cookie(flow.cookie), fabric.explain(flow.cookie)
    if parts is not None and path is not None:
        packets, octets = counts.get((path, parts[1]), (0, 0))
        counts[path, parts[1]] = packets + flow.packets, octets + flow.octets
