"""Our bridge on a hypervisor: what it must look like, and the one transaction that makes it so.

The difference is computed from the mirrored tables; when there is none, nothing is sent, so ``ensure`` may be
called on every connect and on every change. The tunnel ports of IP protocol 47 come one after the other (see
``_tunnels``), so it is called again when the switch has done its part. Other bridges, other ports of ours (the
workloads') and other people's keys in ``other_config`` are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.ovsdb import export
from controller.ovsdb.connection import Hypervisor
from controller.ovsdb.errors import SetupConflict
from controller.ovsdb.export import Collector
from controller.ovsdb.model import (
    BRIDGE,
    ERSPAN_OFPORT,
    ERSPAN_PORT,
    GRE_OFPORT,
    GRE_PORT,
    MPLS_OFPORT,
    MPLS_PORT,
    TUNNEL_OFPORT,
    TUNNEL_PORT,
    Row,
    Tables,
)

Operation = dict[str, Any]

VXLAN_UDP_PORT = 4789
DATAPATH_KEY = "nshell-datapath"  # Open_vSwitch external_ids: the datapath type that `nshell agent join` chose


@dataclass(frozen=True, slots=True)
class BridgeSetup:
    """What the bridge must look like.

    ``datapath_id``: 16 hexadecimal digits. ``local_ip``: the tunnel address. ``controllers``: OpenFlow
    targets (``ssl:192.0.2.1:6653``), exactly these. ``inactivity_probe`` and ``max_backoff`` in milliseconds:
    after how much silence the switch probes us, and the longest pause between two attempts to connect.
    ``packet_in_rate`` and ``packet_in_burst``: packets per second to the controller, and how many at once.
    ``bundle_idle_timeout`` in seconds: how long a prepared bundle may wait for the other hypervisors (Open
    vSwitch's own 10 s are short of a slow commit). ``collectors``: who is told of sampled packets.
    """

    datapath_id: str
    local_ip: str
    controllers: tuple[str, ...]
    bridge: str = BRIDGE
    datapath_type: str = "system"
    tunnel_port: str = TUNNEL_PORT
    tunnel_ofport: int = TUNNEL_OFPORT
    inactivity_probe: int = 5000
    max_backoff: int = 1000
    packet_in_rate: int = 1000
    packet_in_burst: int = 250
    bundle_idle_timeout: int = 60
    collectors: tuple[Collector, ...] = ()


def setup_for(
    connection: Hypervisor,
    *,
    tunnel_address: str,
    datapath_id: int,
    openflow_port: int,
    inactivity_probe: int = 5000,
    collectors: tuple[Collector, ...] = (),
) -> BridgeSetup:
    """The setup for this hypervisor: OpenFlow at the address it dialled for OVSDB, with TLS if it dialled with TLS,
    and its own datapath type."""
    external_ids: Mapping[str, str] = connection.tables.root.get("external_ids", {})
    host = connection.local_address
    scheme = "tcp" if connection.certificate is None else "ssl"
    target = f"{scheme}:[{host}]:{openflow_port}" if ":" in host else f"{scheme}:{host}:{openflow_port}"
    return BridgeSetup(
        datapath_id=f"{datapath_id:016x}",
        local_ip=tunnel_address,
        controllers=(target,),
        datapath_type=external_ids.get(DATAPATH_KEY, "system"),
        inactivity_probe=inactivity_probe,
        collectors=collectors,
    )


async def ensure(connection: Hypervisor, setup: BridgeSetup) -> bool:
    """Make the bridge look so; returns whether anything had to be changed.

    Raises SetupConflict (nothing changed), OvsdbError.
    """
    operations = difference(connection.tables, setup)
    if not operations:
        return False
    await connection.transact([*operations, _NEXT_CONFIGURATION])
    return True


async def remove(connection: Hypervisor, bridge: str = BRIDGE) -> bool:
    """Remove the bridge with everything plugged into it; returns whether there was one. Raises OvsdbError."""
    found = connection.tables.find("Bridge", bridge)
    if found is None:
        return False
    mutation = ["bridges", "delete", ["set", [["uuid", found[0]]]]]
    operation = {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [mutation]}
    sets = export.removals(connection.tables, ["uuid", found[0]])
    await connection.transact([*sets, operation, _NEXT_CONFIGURATION])
    return True


# ovs-vswitchd answers by setting cur_cfg to it once it has done its part, as for ovs-vsctl.
_NEXT_CONFIGURATION: Operation = {
    "op": "mutate",
    "table": "Open_vSwitch",
    "where": [],
    "mutations": [["next_cfg", "+=", 1]],
}


def difference(tables: Tables, setup: BridgeSetup) -> list[Operation]:
    """The operations that make the bridge look so; none when it does. Pure. Raises SetupConflict."""
    found = tables.find("Bridge", setup.bridge)
    operations = _bundle_timeout(tables, setup)
    if found is None:
        _free(tables, "Port", setup.bridge)
        made = [_new_tunnel(tables, name, columns) for name, columns in _tunnels(setup).items() if name != ERSPAN_PORT]
        tunnels = [operation for some, _ in made for operation in some]
        local = [
            _insert("Interface", "local_interface", {"name": setup.bridge, "type": "internal"}),
            _insert("Port", "local_port", {"name": setup.bridge, "interfaces": _named("local_interface")}),
        ]
        targets, references = _controllers(tables, setup, ())
        row = {
            **_bridge_columns(setup, {}),
            "name": setup.bridge,
            "ports": _set([_named("local_port"), *(reference for _, reference in made)]),
            "controller": _set(references),
        }
        mutation = ["bridges", "insert", ["set", [_named("bridge")]]]
        attach = {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [mutation]}
        sets = export.difference(tables, _named("bridge"), setup.collectors)
        return [*operations, *local, *tunnels, *targets, _insert("Bridge", "bridge", row), attach, *sets]

    uuid, bridge = found
    targets, references = _controllers(tables, setup, bridge["controller"])
    operations += targets
    columns = _bridge_changes(bridge, setup)
    if {reference[1] for reference in references} != set(bridge["controller"]):
        columns["controller"] = _set(references)
    if columns:
        operations.append(_update("Bridge", uuid, columns))
    operations += export.difference(tables, ["uuid", uuid], setup.collectors)
    out_of_order = _out_of_order(tables, bridge)
    if out_of_order:
        mutation = ["ports", "delete", ["set", [["uuid", port] for port in out_of_order]]]
        return [*operations, {"op": "mutate", "table": "Bridge", "where": _where(uuid), "mutations": [mutation]}]
    tunnels, added = _tunnel_ports(tables, setup, bridge)
    if added:
        mutation = ["ports", "insert", ["set", added]]
        tunnels.append({"op": "mutate", "table": "Bridge", "where": _where(uuid), "mutations": [mutation]})
    return operations + tunnels


def _bridge_config(setup: BridgeSetup) -> dict[str, str]:
    return {"datapath-id": setup.datapath_id, "disable-in-band": "true"}


def _bridge_columns(setup: BridgeSetup, other_config: Mapping[str, str]) -> dict[str, Any]:
    return {
        "fail_mode": "secure",
        "protocols": _set(["OpenFlow14"]),
        "datapath_type": setup.datapath_type,
        "other_config": _map({**other_config, **_bridge_config(setup)}),
    }


def _bridge_changes(bridge: Row, setup: BridgeSetup) -> dict[str, Any]:
    wanted = _bridge_columns(setup, bridge["other_config"])
    config = bridge["other_config"]
    same = {
        "fail_mode": bridge["fail_mode"] == "secure",
        "protocols": bridge["protocols"] == ("OpenFlow14",),
        "datapath_type": bridge["datapath_type"] == setup.datapath_type,
        "other_config": all(config.get(key) == value for key, value in _bridge_config(setup).items()),
    }
    return {column: value for column, value in wanted.items() if not same[column]}


def _bundle_timeout(tables: Tables, setup: BridgeSetup) -> list[Operation]:
    config: Mapping[str, str] = tables.root.get("other_config", {})
    wanted = str(setup.bundle_idle_timeout)
    if config.get("bundle-idle-timeout") == wanted:
        return []
    columns = {"other_config": _map({**config, "bundle-idle-timeout": wanted})}
    return [{"op": "update", "table": "Open_vSwitch", "where": [], "row": columns}]


def _controllers(
    tables: Tables, setup: BridgeSetup, present: tuple[str, ...]
) -> tuple[list[Operation], list[list[str]]]:
    """Operations on the Controller rows, and references to exactly the wanted ones."""
    wanted: dict[str, Any] = {
        "connection_mode": "out-of-band",
        "max_backoff": setup.max_backoff,
        "inactivity_probe": setup.inactivity_probe,
        "controller_rate_limit": setup.packet_in_rate,
        "controller_burst_limit": setup.packet_in_burst,
    }
    there = {row["target"]: (uuid, row) for uuid, row in tables.rows("Controller", present)}
    operations: list[Operation] = []
    references: list[list[str]] = []
    for number, target in enumerate(setup.controllers):
        if target in there:
            uuid, row = there[target]
            changed = {column: value for column, value in wanted.items() if row[column] != value}
            if changed:
                operations.append(_update("Controller", uuid, changed))
            references.append(["uuid", uuid])
        else:
            name = f"controller{number}"
            operations.append(_insert("Controller", name, {"target": target, **wanted}))
            references.append(_named(name))
    return operations, references


def _tunnels(setup: BridgeSetup) -> dict[str, dict[str, Any]]:
    """Port name -> columns of its interface: the tunnel between hypervisors, those to the collectors of mirrors, and
    that to PE routers.

    The outer header of the first gets the DSCP of the packet inside (RFC 2983, uniform model). Where the copies go,
    and the key or session, is for the flows to say; an ERSPAN index (of the mirrored port) nobody asks for.

    Two ports of type gre and of any remote address live side by side because they differ in the key: packets to and
    from PE routers have none (RFC 4023 section 3), and bear no Ethernet header: that is what `legacy_l3` says. The
    userspace datapath gives everything of IP protocol 47 to whichever such port it got first (lib/tnl-ports.c of Open
    vSwitch 3.1): that must be one of type gre, for nobody sends us ERSPAN. So `nsh-erspan` is added last, and does not
    ask for its number once it has it: a switch that starts adds the ports that ask before those that do not.
    """
    by_flow = {"remote_ip": "flow", "key": "flow", "local_ip": setup.local_ip}
    vxlan = {**by_flow, "dst_port": str(VXLAN_UDP_PORT), "tos": "inherit"}
    mpls = {"remote_ip": "flow", "local_ip": setup.local_ip, "packet_type": "legacy_l3"}
    erspan = {**by_flow, "erspan_ver": "1", "erspan_idx": "0"}
    return {
        setup.tunnel_port: {"type": "vxlan", "ofport_request": setup.tunnel_ofport, "options": vxlan},
        GRE_PORT: {"type": "gre", "ofport_request": GRE_OFPORT, "options": by_flow},
        ERSPAN_PORT: {"type": "erspan", "ofport_request": ERSPAN_OFPORT, "options": erspan},
        MPLS_PORT: {"type": "gre", "ofport_request": MPLS_OFPORT, "options": mpls},
    }


def _tunnel_ports(tables: Tables, setup: BridgeSetup, bridge: Row) -> tuple[list[Operation], list[list[str]]]:
    """Operations on the tunnel ports of a bridge that exists, and references to those that it gets."""
    ports = {row["name"]: row for _, row in tables.rows("Port", bridge["ports"])}
    operations: list[Operation] = []
    added: list[list[str]] = []
    for name, columns in _tunnels(setup).items():
        if name == ERSPAN_PORT and _number(tables, MPLS_PORT) is None:
            continue  # its turn comes when the switch has the others
        if name == ERSPAN_PORT and _number(tables, name) == ERSPAN_OFPORT:
            columns = {**columns, "ofport_request": None}
        if name not in ports:
            if name in _GRE and tables.root.get("cur_cfg") != tables.root.get("next_cfg"):
                continue  # the switch may still have those that were out of order
            made, reference = _new_tunnel(tables, name, columns)
            operations += made
            added.append(reference)
            continue
        for uuid, row in tables.rows("Interface", ports[name]["interfaces"]):
            changed = {column: value for column, value in columns.items() if row[column] != value}
            if changed:
                operations.append(_update("Interface", uuid, _encoded(changed)))
    return operations, added


_GRE = (GRE_PORT, MPLS_PORT)


def _out_of_order(tables: Tables, bridge: Row) -> list[str]:
    """The ports of IP protocol 47, when some but not all of those that come first are there: all come anew."""
    there = {row["name"]: uuid for uuid, row in tables.rows("Port", bridge["ports"])}
    if all(name in there for name in _GRE):
        return []
    return [there[name] for name in (*_GRE, ERSPAN_PORT) if name in there]


def _number(tables: Tables, name: str) -> int | None:
    """The OpenFlow port that the switch has given to an interface."""
    found = tables.find("Interface", name)
    number = None if found is None else found[1]["ofport"]
    return number if isinstance(number, int) and number > 0 else None


def _new_tunnel(tables: Tables, name: str, columns: Mapping[str, Any]) -> tuple[list[Operation], list[str]]:
    _free(tables, "Port", name)
    port, interface = f"{name.replace('-', '_')}_port", f"{name.replace('-', '_')}_interface"
    operations = [
        _insert("Interface", interface, {"name": name, **_encoded(columns)}),
        _insert("Port", port, {"name": name, "interfaces": _named(interface)}),
    ]
    return operations, _named(port)


def _free(tables: Tables, table: str, name: str) -> None:
    """The name must not belong to another bridge."""
    found = tables.find(table, name)
    if found is not None:
        owners = [row["name"] for row in tables.tables["Bridge"].values() if found[0] in row["ports"]]
        raise SetupConflict(f"port {name} belongs to bridge {', '.join(owners) or '?'}, which is not ours")


# OVSDB notation (RFC 7047, 5.1 and 5.2)


def _set(members: list[Any]) -> list[Any]:
    return ["set", members]


def _map(values: Mapping[str, str]) -> list[Any]:
    return ["map", [[key, value] for key, value in values.items()]]


def _encoded(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column: _map(value) if isinstance(value, dict) else _set([]) if value is None else value
        for column, value in columns.items()
    }


def _named(name: str) -> list[str]:
    return ["named-uuid", name]


def _where(uuid: str) -> list[Any]:
    return [["_uuid", "==", ["uuid", uuid]]]


def _insert(table: str, name: str, row: dict[str, Any]) -> Operation:
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def _update(table: str, uuid: str, row: dict[str, Any]) -> Operation:
    return {"op": "update", "table": table, "where": _where(uuid), "row": row}
