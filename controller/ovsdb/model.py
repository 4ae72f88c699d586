"""The hypervisor's tables that matter to us, mirrored as dictionaries, and who plugs what into a bridge.

Every column is declared below with its shape, so that a row always holds the same Python type: text, number
or boolean; a tuple for a set; a dict for a map; None for what is not set. References are the uuid as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

BRIDGE: Final = "br-nsh"
TUNNEL_PORT: Final = "nsh-vxlan"
GRE_PORT: Final = "nsh-gre"
ERSPAN_PORT: Final = "nsh-erspan"
MPLS_PORT: Final = "nsh-mpls"
GRE_OFPORT: Final = 65001
ERSPAN_OFPORT: Final = 65002
MPLS_OFPORT: Final = 65003
FIXED_PORTS: Final = {GRE_PORT: GRE_OFPORT, ERSPAN_PORT: ERSPAN_OFPORT, MPLS_PORT: MPLS_OFPORT}
UPLINK: Final = "uplink:"  # begins the claim of an uplink
TUNNEL_OFPORT: Final = 65000  # asked for; above the numbers that Open vSwitch hands out by itself

Row = Mapping[str, Any]


class Shape(Enum):
    """How a column's value is held."""

    ONE = "exactly one value"
    OPTIONAL = "a value or None"
    SET = "a tuple"
    MAP = "a dict"


_ONE, _OPTIONAL, _SET, _MAP = Shape.ONE, Shape.OPTIONAL, Shape.SET, Shape.MAP

# ovs-vswitchd.conf.db(5). Columns that tick by themselves (statistics, Controller status) are left out.
COLUMNS: Final[dict[str, dict[str, Shape]]] = {
    "Open_vSwitch": {
        "bridges": _SET, "external_ids": _MAP, "other_config": _MAP, "ovs_version": _OPTIONAL,
        "next_cfg": _ONE, "cur_cfg": _ONE, "manager_options": _SET,
    },
    "Bridge": {
        "name": _ONE, "ports": _SET, "controller": _SET, "fail_mode": _OPTIONAL, "protocols": _SET,
        "datapath_type": _ONE, "datapath_id": _OPTIONAL, "other_config": _MAP, "external_ids": _MAP,
    },
    "Port": {"name": _ONE, "interfaces": _SET, "external_ids": _MAP},
    "Interface": {
        "name": _ONE, "type": _ONE, "ofport": _OPTIONAL, "ofport_request": _OPTIONAL, "options": _MAP,
        "external_ids": _MAP, "error": _OPTIONAL, "link_state": _OPTIONAL, "mac_in_use": _OPTIONAL,
    },
    "Controller": {
        "target": _ONE, "connection_mode": _OPTIONAL, "max_backoff": _OPTIONAL, "inactivity_probe": _OPTIONAL,
        "controller_rate_limit": _OPTIONAL, "controller_burst_limit": _OPTIONAL, "is_connected": _ONE,
    },
    "Manager": {"target": _ONE, "is_connected": _ONE},
    "IPFIX": {"targets": _SET, "cache_active_timeout": _OPTIONAL, "cache_max_flows": _OPTIONAL},
    "Flow_Sample_Collector_Set": {"id": _ONE, "bridge": _ONE, "ipfix": _OPTIONAL},
}  # fmt: skip


class Change(NamedTuple):
    """One row that appeared (old None), vanished (new None) or changed."""

    table: str
    uuid: str
    old: Row | None
    new: Row | None


@dataclass(frozen=True, slots=True)
class BridgeInterface:
    """An interface of a bridge. ``ofport`` None until the switch has given it a number, -1 when it cannot.

    ``error`` is the switch's sentence when it cannot use the interface; ``link_state`` up, down or None.
    """

    uuid: str
    name: str
    kind: str
    ofport: int | None
    external_ids: Mapping[str, str]
    error: str | None
    link_state: str | None

    @property
    def iface_id(self) -> str | None:
        """The vport that this interface says it is."""
        return self.external_ids.get("iface-id")

    @property
    def claim(self) -> str | None:
        """What it says it is: a vport, or an uplink with the vports behind it."""
        uplink = self.external_ids.get("uplink")
        return self.iface_id or (UPLINK + uplink if uplink else None)


class Tables:
    """The mirror. ``tables["Bridge"][uuid]["name"]``."""

    __slots__ = ("tables",)

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in COLUMNS}

    def update(self, updates: Mapping[str, Any]) -> list[Change]:
        """Take in <table-updates> (RFC 7047, 4.1.6); returns what changed. Raises ValueError, TypeError,
        KeyError.
        """
        changes: list[Change] = []
        for table, rows in updates.items():
            columns, mirror = COLUMNS[table], self.tables[table]
            for uuid, row in rows.items():
                old, raw = mirror.get(uuid), row.get("new")
                if raw is None:
                    mirror.pop(uuid, None)
                    new: Row | None = None
                else:
                    new = {name: _value(raw[name], shape) for name, shape in columns.items() if name in raw}
                    if "name" in columns and len(new) < len(columns):
                        raise ValueError(f"a row of {table} without all of its columns")
                    mirror[uuid] = new
                if old != new:
                    changes.append(Change(table, uuid, old, new))
        return changes

    @property
    def root(self) -> Row:
        """The one row of table Open_vSwitch; empty before ovs-vsctl init."""
        return next(iter(self.tables["Open_vSwitch"].values()), {})

    @property
    def system_id(self) -> str | None:
        """Who this hypervisor says it is: Open_vSwitch external_ids:system-id."""
        external_ids: Mapping[str, str] = self.root.get("external_ids", {})
        return external_ids.get("system-id")

    def find(self, table: str, name: str) -> tuple[str, Row] | None:
        """The row with that name: uuid and row."""
        return next(((uuid, row) for uuid, row in self.tables[table].items() if row["name"] == name), None)

    def rows(self, table: str, uuids: tuple[str, ...]) -> Iterator[tuple[str, Row]]:
        """The rows referred to, those that are known."""
        mirror = self.tables[table]
        return ((uuid, mirror[uuid]) for uuid in uuids if uuid in mirror)

    def interfaces(self, bridge: str) -> list[BridgeInterface]:
        """Every interface of a bridge, in order of name; none when there is no such bridge."""
        found = self.find("Bridge", bridge)
        if found is None:
            return []
        out = [
            BridgeInterface(
                uuid=uuid,
                name=row["name"],
                kind=row["type"],
                ofport=row["ofport"],
                external_ids=row["external_ids"],
                error=row["error"],
                link_state=row["link_state"],
            )
            for _, port in self.rows("Port", found[1]["ports"])
            for uuid, row in self.rows("Interface", port["interfaces"])
        ]
        return sorted(out, key=lambda interface: interface.name)


def _value(raw: Any, shape: Shape) -> Any:
    """An OVSDB value (RFC 7047, 5.1) in the shape of its column."""
    kind = raw[0] if isinstance(raw, list) and len(raw) == 2 else None
    if shape is Shape.MAP:
        if kind != "map":
            raise ValueError(f"not a map: {raw!r}")
        return {_atom(key): _atom(value) for key, value in raw[1]}
    members = [_atom(item) for item in raw[1]] if kind == "set" else [_atom(raw)]
    if shape is Shape.SET:
        return tuple(members)
    if not members and shape is Shape.OPTIONAL:
        return None
    if len(members) != 1:
        raise ValueError(f"not one value: {raw!r}")
    return members[0]


def _atom(raw: Any) -> Any:
    if isinstance(raw, list):
        if len(raw) != 2 or raw[0] not in ("uuid", "named-uuid"):
            raise ValueError(f"not an atom: {raw!r}")
        return raw[1]
    return raw
