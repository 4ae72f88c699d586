"""IPFIX collectors in a hypervisor's database: one Flow_Sample_Collector_Set for each flow-export that is configured.

Flows name them by number (``actions.sample``), so a set that no flow names costs nothing, and one that is not there
yet loses samples and nothing else. Sets of other bridges are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controller.ovsdb.model import Tables

__all__ = ["ACTIVE_TIMEOUT", "Collector", "difference", "removals"]

ACTIVE_TIMEOUT = 10  # seconds after which a flow that goes on is told of (RFC 5102 section 5.11.3)
MAX_FLOWS = 8192  # flows that a switch keeps count of; when there are more, the oldest is told of at once


@dataclass(frozen=True, slots=True)
class Collector:
    """``number`` is what flows call it; ``port`` is a UDP port."""

    number: int
    address: str
    port: int

    @property
    def row(self) -> dict[str, Any]:
        """Its columns of IPFIX, as the mirrored tables hold them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return {
            "targets": (f"{host}:{self.port}",),
            "cache_active_timeout": ACTIVE_TIMEOUT,
            "cache_max_flows": MAX_FLOWS,
        }


def difference(tables: Tables, bridge: list[str], collectors: Sequence[Collector]) -> list[dict[str, Any]]:
    """The operations that make a bridge's collector sets these. ``bridge`` is a reference to its row. Pure."""
    operations: list[dict[str, Any]] = []
    wanted = {one.number: one for one in collectors}
    for uuid, row in _sets(tables, bridge):
        collector = wanted.pop(row["id"], None)
        ipfix = tables.tables["IPFIX"].get(row["ipfix"] or "")
        if collector is None:
            operations.append(_delete(uuid))
        elif ipfix != collector.row:
            operations += [_delete(uuid), *_insert(bridge, collector)]
    for missing in wanted.values():
        operations += _insert(bridge, missing)
    return operations


def removals(tables: Tables, bridge: list[str]) -> list[dict[str, Any]]:
    """The operations without which a bridge that has collector sets does not go: a set refers to it."""
    return [_delete(uuid) for uuid, _ in _sets(tables, bridge)]


def _sets(tables: Tables, bridge: list[str]) -> list[tuple[str, Any]]:
    rows = tables.tables["Flow_Sample_Collector_Set"].items()
    return [(uuid, row) for uuid, row in rows if row["bridge"] == bridge[1]]


def _delete(uuid: str) -> dict[str, Any]:
    return {"op": "delete", "table": "Flow_Sample_Collector_Set", "where": [["_uuid", "==", ["uuid", uuid]]]}


def _insert(bridge: list[str], collector: Collector) -> list[dict[str, Any]]:
    name = f"ipfix{collector.number}"
    ipfix = {**collector.row, "targets": ["set", list(collector.row["targets"])]}
    row = {"id": collector.number, "bridge": bridge, "ipfix": ["named-uuid", name]}
    return [
        {"op": "insert", "table": "IPFIX", "uuid-name": name, "row": ipfix},
        {"op": "insert", "table": "Flow_Sample_Collector_Set", "uuid-name": f"set{collector.number}", "row": row},
    ]
