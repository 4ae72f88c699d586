"""The database of a fake hypervisor: as much of RFC 7047 as setting up and watching one Open vSwitch needs.

    controller ──transact──> rows ──> what ovs-vswitchd would do: number ports, set the datapath id
                              └─────> update notifications of what changed, to every monitor

Conditions know only `==`; mutations only `insert`, `delete` and `+=`. Values stay in their JSON form (RFC
7047 section 5.1).
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from typing import Any

BRIDGE = "br-nsh"
VXLAN_PORT = 65000
DECODER = json.JSONDecoder()

Row = dict[str, Any]

# Columns a monitor may ask for before anybody has written them, with the empty value of their type.
EMPTY: dict[str, Row] = {
    "Open_vSwitch": {
        "external_ids": ["map", []],
        "bridges": ["set", []],
        "manager_options": ["set", []],
        "ovs_version": "3.1.0",
        "next_cfg": 0,
        "cur_cfg": 0,
        "other_config": ["map", []],
    },
    "Bridge": {
        "name": "",
        "ports": ["set", []],
        "controller": ["set", []],
        "datapath_id": ["set", []],
        "datapath_type": "",
        "fail_mode": ["set", []],
        "protocols": ["set", []],
        "other_config": ["map", []],
        "external_ids": ["map", []],
    },
    "Port": {"name": "", "interfaces": ["set", []], "external_ids": ["map", []], "tag": ["set", []]},
    "Interface": {
        "name": "",
        "type": "",
        "ofport": ["set", []],
        "ofport_request": ["set", []],
        "options": ["map", []],
        "external_ids": ["map", []],
        "error": ["set", []],
        "mac_in_use": ["set", []],
        "mac": ["set", []],
        "link_state": ["set", []],
        "admin_state": ["set", []],
    },
    "Controller": {
        "target": "",
        "is_connected": False,
        "status": ["map", []],
        "connection_mode": ["set", []],
        "inactivity_probe": ["set", []],
        "max_backoff": ["set", []],
        "controller_rate_limit": ["set", []],
        "controller_burst_limit": ["set", []],
        "role": ["set", []],
    },
    "Manager": {"target": "", "is_connected": True, "status": ["map", []], "inactivity_probe": ["set", []]},
    "IPFIX": {"targets": ["set", []], "cache_active_timeout": ["set", []], "cache_max_flows": ["set", []]},
    "Flow_Sample_Collector_Set": {"id": 0, "bridge": ["set", []], "ipfix": ["set", []]},
}


def elements(value: Any) -> list[Any]:
    """The members of a set or map value; a bare atom is a set of one."""
    if isinstance(value, list) and value and value[0] in ("set", "map"):
        return list(value[1])
    return [value]


def as_map(value: Any) -> dict[str, str]:
    return dict(elements(value))


class Database(asyncio.Protocol):
    """The OVSDB connection of one hypervisor: server of its rows, though it is the side that dials."""

    def __init__(self, system_id: str, domain: str, vports: int) -> None:
        self.system_id = system_id
        self.domain = domain
        self.vports = vports
        self.tables: dict[str, dict[str, Row]] = {table: {} for table in EMPTY}
        self.monitors: list[tuple[Any, dict[str, list[str]]]] = []
        self.changed: dict[tuple[str, str], Row | None] = {}
        self.openflow_target = asyncio.Event()
        self.datapath_id = 0
        self.text = ""
        self.transport: asyncio.Transport
        self.insert(
            "Open_vSwitch",
            {"external_ids": ["map", [["system-id", system_id], ["nshell-datapath", "dummy"]]]},
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.text += data.decode()  # the controller sends ASCII: names of the benchmark's own making
        while self.text:
            try:
                message, end = DECODER.raw_decode(self.text)
            except ValueError:
                return
            self.text = self.text[end:].lstrip()
            if message.get("method"):
                answer = self.answer(message["method"], message["params"])
                if message.get("id") is not None:
                    self.send({"id": message["id"], "result": answer, "error": None})
                self.tell()

    def send(self, message: Row) -> None:
        self.transport.write(json.dumps(message, separators=(",", ":")).encode())

    def answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "echo":
            return params
        if method == "list_dbs":
            return ["Open_vSwitch"]
        if method == "monitor":
            columns = {table: self.columns(table, request) for table, request in params[2].items()}
            self.monitors.append((params[1], columns))
            self.changed.clear()
            return {
                table: {key: {"new": self.view(table, key, columns[table])} for key in self.tables[table]}
                for table in columns
            }
        if method == "transact":
            return self.transact(params[1:])
        return {}

    @staticmethod
    def columns(table: str, request: Any) -> list[str]:
        wanted: list[str] = []
        for each in request if isinstance(request, list) else [request]:
            wanted += each.get("columns", EMPTY[table])
        return wanted

    def view(self, table: str, key: str, columns: Sequence[str]) -> Row:
        row = self.tables[table][key]
        return {column: row.get(column, EMPTY[table].get(column, "")) for column in columns}

    def insert(self, table: str, row: Row, key: str | None = None) -> str:
        key = key or str(uuid.uuid4())
        self.changed.setdefault((table, key), None)
        self.tables[table][key] = {**EMPTY[table], **row}
        return key

    def touch(self, table: str, key: str) -> Row:
        """The row, remembered as it was before this transaction changed it."""
        row = self.tables[table][key]
        self.changed.setdefault((table, key), dict(row))
        return row

    def transact(self, operations: Sequence[Row]) -> list[Row]:
        names = {each["uuid-name"]: str(uuid.uuid4()) for each in operations if "uuid-name" in each}
        results = [self.operate(self.resolve(each, names), names) for each in operations]
        self.vswitchd()
        return results

    def resolve(self, value: Any, names: dict[str, str]) -> Any:
        """`value` with every named-uuid replaced by the UUID it stands for."""
        if isinstance(value, list):
            if len(value) == 2 and value[0] == "named-uuid":
                return ["uuid", names[value[1]]]
            return [self.resolve(each, names) for each in value]
        if isinstance(value, dict):
            return {key: self.resolve(each, names) for key, each in value.items()}
        return value

    def operate(self, operation: Row, names: dict[str, str]) -> Row:
        kind, table = operation["op"], operation.get("table", "")
        if kind == "insert":
            key = self.insert(table, operation["row"], names.get(operation.get("uuid-name", "")))
            return {"uuid": ["uuid", key]}
        if kind in ("wait", "comment", "assert", "commit"):
            return {}
        keys = [key for key in self.tables[table] if self.matches(table, key, operation.get("where", []))]
        if kind == "select":
            columns = operation.get("columns", ["_uuid", *EMPTY[table]])
            return {"rows": [{"_uuid": ["uuid", key], **self.view(table, key, columns)} for key in keys]}
        for key in keys:
            row = self.touch(table, key)
            if kind == "update":
                row.update(operation["row"])
            elif kind == "delete":
                del self.tables[table][key]
            for column, mutator, value in operation.get("mutations", ()):
                row[column] = self.mutated(row[column], mutator, value)
        return {"count": len(keys)}

    def matches(self, table: str, key: str, where: Sequence[Any]) -> bool:
        row = self.tables[table][key]
        return all((["uuid", key] if column == "_uuid" else row.get(column)) == value for column, _, value in where)

    @staticmethod
    def mutated(old: Any, mutator: str, value: Any) -> Any:
        if mutator == "+=":
            return old + value
        kind = "map" if isinstance(old, list) and old and old[0] == "map" else "set"
        members = elements(old) if old != "" else []
        for each in elements(value):
            if mutator == "insert" and each not in members:
                members.append(each)
            elif mutator == "delete":
                members = [member for member in members if member != each and not (kind == "map" and member[0] == each)]
        return [kind, members]

    def vswitchd(self) -> None:
        """Number interfaces, give the bridge its datapath id, plug the workloads, acknowledge."""
        for key, row in list(self.tables["Bridge"].items()):
            wanted = as_map(row["other_config"]).get("datapath-id")
            if row["name"] == BRIDGE and wanted and row["datapath_id"] != wanted:
                self.touch("Bridge", key)["datapath_id"] = wanted
                self.datapath_id = int(wanted, 16)
                self.plug(key)
        for key, row in list(self.tables["Interface"].items()):
            if row["ofport"] == ["set", []]:
                number = 65534 if row["type"] == "internal" else row["ofport_request"]
                self.touch("Interface", key)["ofport"] = number if isinstance(number, int) else VXLAN_PORT
        for key, row in list(self.tables["Open_vSwitch"].items()):
            if row["cur_cfg"] != row["next_cfg"]:
                self.touch("Open_vSwitch", key)["cur_cfg"] = row["next_cfg"]
        if self.datapath_id and self.tables["Controller"]:
            self.openflow_target.set()

    def plug(self, bridge: str) -> None:
        """The workloads' interfaces appear: f3-0, f3-1, … with iface-ids such as acme/d0/f3-0"""
        for number in range(self.vports):
            name = f"{self.system_id}-{number}"
            interface = self.insert(
                "Interface",
                {
                    "name": name,
                    "ofport": number + 1,
                    "external_ids": ["map", [["iface-id", f"acme/{self.domain}/{name}"]]],
                },
            )
            port = self.insert("Port", {"name": name, "interfaces": ["uuid", interface]})
            row = self.touch("Bridge", bridge)
            row["ports"] = self.mutated(row["ports"], "insert", ["uuid", port])

    def switch_connected(self) -> None:
        for key in self.tables["Controller"]:
            self.touch("Controller", key)["is_connected"] = True
        self.tell()

    def tell(self) -> None:
        """Send every monitor what changed since the last time (RFC 7047 section 4.1.6)."""
        changed, self.changed = self.changed, {}
        for name, tables in self.monitors:
            report: dict[str, dict[str, Row]] = {}
            for (table, key), before in changed.items():
                if table in tables and (entry := self.entry(table, key, before, tables[table])):
                    report.setdefault(table, {})[key] = entry
            if report:
                self.send({"id": None, "method": "update", "params": [name, report]})

    def entry(self, table: str, key: str, before: Row | None, columns: Sequence[str]) -> Row:
        old = None if before is None else {column: before.get(column) for column in columns}
        if key not in self.tables[table]:
            return {} if old is None else {"old": old}
        new = self.view(table, key, columns)
        if old is None:
            return {"new": new}
        differs = {column: value for column, value in old.items() if new[column] != value}
        return {"old": differs, "new": new} if differs else {}
