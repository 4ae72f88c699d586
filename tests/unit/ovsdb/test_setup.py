"""The difference between a hypervisor's tables and what our bridge must look like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.ovsdb.connection import Hypervisor
from controller.ovsdb.errors import SetupConflict
from controller.ovsdb.export import Collector
from controller.ovsdb.model import Tables
from controller.ovsdb.setup import BridgeSetup, difference

SETUP = BridgeSetup(
    datapath_id="00112233445566aa",
    local_ip="172.31.0.1",
    controllers=("tcp:192.0.2.1:6653",),
    datapath_type="netdev",
)
EMPTY: list[Any] = ["set", []]


def uuid(name: str) -> list[str]:
    return ["uuid", name]


def as_map(**values: str) -> list[Any]:
    return ["map", [[key.replace("_", "-"), value] for key, value in values.items()]]


def right() -> dict[str, dict[str, dict[str, Any]]]:
    """Table updates of a hypervisor that is as it should be, with a foreign bridge and a workload beside."""
    options = [
        "map",
        [
            ["remote_ip", "flow"], ["key", "flow"], ["local_ip", "172.31.0.1"], ["dst_port", "4789"],
            ["tos", "inherit"],
        ],
    ]  # fmt: skip
    by_flow = [["remote_ip", "flow"], ["key", "flow"], ["local_ip", "172.31.0.1"]]
    interface = {
        "type": "", "ofport": EMPTY, "ofport_request": EMPTY, "options": as_map(), "external_ids": as_map(),
        "error": EMPTY, "link_state": EMPTY, "mac_in_use": EMPTY,
    }  # fmt: skip
    bridge = {
        "controller": EMPTY, "fail_mode": EMPTY, "protocols": EMPTY, "datapath_type": "",
        "datapath_id": EMPTY, "other_config": as_map(), "external_ids": as_map(),
    }  # fmt: skip
    return {
        "Open_vSwitch": {
            "root": {
                "bridges": ["set", [uuid("b"), uuid("phy")]], "external_ids": as_map(system_id="hv1"),
                "other_config": as_map(bundle_idle_timeout="60", vlan_limit="2"), "ovs_version": "3.1.0",
                "next_cfg": 1, "cur_cfg": 1, "manager_options": EMPTY,
            }
        },
        "Bridge": {
            "b": {
                **bridge, "name": "br-nsh",
                "ports": ["set", [uuid(port) for port in ("pl", "pt", "pg", "pe", "pm", "pw")]],
                "controller": uuid("c"), "fail_mode": "secure", "protocols": "OpenFlow14",
                "datapath_type": "netdev",
                "other_config": as_map(
                    datapath_id="00112233445566aa", disable_in_band="true", mac_table_size="9"
                ),
            },
            "phy": {**bridge, "name": "br-phy", "ports": uuid("pp")},
        },
        "Port": {
            "pl": {"name": "br-nsh", "interfaces": uuid("il"), "external_ids": as_map()},
            "pt": {"name": "nsh-vxlan", "interfaces": uuid("it"), "external_ids": as_map()},
            "pg": {"name": "nsh-gre", "interfaces": uuid("ig"), "external_ids": as_map()},
            "pe": {"name": "nsh-erspan", "interfaces": uuid("ie"), "external_ids": as_map()},
            "pm": {"name": "nsh-mpls", "interfaces": uuid("im"), "external_ids": as_map()},
            "pw": {"name": "tap1", "interfaces": uuid("iw"), "external_ids": as_map()},
            "pp": {"name": "eth0", "interfaces": uuid("ip"), "external_ids": as_map()},
        },
        "Interface": {
            "il": {**interface, "name": "br-nsh", "type": "internal", "ofport": 65534},
            "it": {
                **interface, "name": "nsh-vxlan", "type": "vxlan", "ofport": 65000, "ofport_request": 65000,
                "options": options,
            },
            "ig": {
                **interface, "name": "nsh-gre", "type": "gre", "ofport": 65001, "ofport_request": 65001,
                "options": ["map", by_flow],
            },
            "ie": {
                **interface, "name": "nsh-erspan", "type": "erspan", "ofport": 65002,
                "options": ["map", [*by_flow, ["erspan_ver", "1"], ["erspan_idx", "0"]]],
            },
            "im": {
                **interface, "name": "nsh-mpls", "type": "gre", "ofport": 65003, "ofport_request": 65003,
                "options": ["map", [["remote_ip", "flow"], ["local_ip", "172.31.0.1"], ["packet_type", "legacy_l3"]]],
            },
            "iw": {
                **interface, "name": "tap1", "ofport": 3, "external_ids": as_map(iface_id="acme/prod/web-1"),
                "link_state": "up",
            },
            "ip": {**interface, "name": "eth0", "ofport": -1, "error": "could not open eth0"},
        },
        "Controller": {
            "c": {
                "target": "tcp:192.0.2.1:6653", "connection_mode": "out-of-band", "max_backoff": 1000,
                "inactivity_probe": 5000, "controller_rate_limit": 1000, "controller_burst_limit": 250,
                "is_connected": False,
            }
        },
        "Manager": {},
    }  # fmt: skip


def tables(**changes: dict[str, dict[str, Any] | None]) -> Tables:
    """The right tables, with rows changed: ``tables(Bridge={"b": {"fail_mode": "standalone"}})``; None
    removes.
    """
    updates = right()
    for table, rows in changes.items():
        for key, columns in rows.items():
            if columns is None:
                del updates[table][key]
            else:
                updates.setdefault(table, {}).setdefault(key, {}).update(columns)
    mirror = Tables()
    mirror.update({table: {key: {"new": row} for key, row in rows.items()} for table, rows in updates.items()})
    return mirror


def test_nothing_is_sent_when_everything_is_right() -> None:
    assert difference(tables(), SETUP) == []


@pytest.mark.parametrize(
    ("changes", "table", "column"),
    [
        ({"Bridge": {"b": {"fail_mode": "standalone"}}}, "Bridge", "fail_mode"),
        ({"Bridge": {"b": {"protocols": ["set", ["OpenFlow10", "OpenFlow14"]]}}}, "Bridge", "protocols"),
        ({"Bridge": {"b": {"datapath_type": ""}}}, "Bridge", "datapath_type"),
        ({"Bridge": {"b": {"other_config": as_map(datapath_id="1")}}}, "Bridge", "other_config"),
        ({"Bridge": {"b": {"controller": EMPTY}}}, "Bridge", "controller"),
        ({"Controller": {"c": {"target": "tcp:198.51.100.1:6653"}}}, "Bridge", "controller"),
        ({"Controller": {"c": {"connection_mode": EMPTY}}}, "Controller", "connection_mode"),
        ({"Controller": {"c": {"max_backoff": 8000}}}, "Controller", "max_backoff"),
        ({"Controller": {"c": {"controller_rate_limit": EMPTY}}}, "Controller", "controller_rate_limit"),
        ({"Interface": {"it": {"ofport_request": 1}}}, "Interface", "ofport_request"),
        ({"Interface": {"it": {"options": as_map(local_ip="172.31.0.9")}}}, "Interface", "options"),
        ({"Interface": {"it": {"type": "geneve"}}}, "Interface", "type"),
        ({"Interface": {"ig": {"ofport_request": 7}}}, "Interface", "ofport_request"),
        ({"Interface": {"ie": {"options": as_map(erspan_ver="2")}}}, "Interface", "options"),
        ({"Open_vSwitch": {"root": {"other_config": as_map()}}}, "Open_vSwitch", "other_config"),
    ],
)
def test_what_differs_is_set_and_nothing_else(changes: Any, table: str, column: str) -> None:
    operations = [step for step in difference(tables(**changes), SETUP) if step["op"] == "update"]
    assert [(step["table"], list(step["row"])) for step in operations] == [(table, [column])]


def test_other_peoples_keys_of_other_config_stay() -> None:
    changed = tables(Bridge={"b": {"other_config": as_map(datapath_id="1", mac_table_size="9")}})
    (operation,) = difference(changed, SETUP)
    assert dict(operation["row"]["other_config"][1]) == {
        "datapath-id": "00112233445566aa",
        "disable-in-band": "true",
        "mac-table-size": "9",
    }


def test_a_hypervisor_without_our_bridge_gets_it_with_tunnel_and_controller() -> None:
    empty = tables(Bridge={"b": None}, Port=dict.fromkeys(("pl", "pt", "pg", "pe", "pm")))
    operations = difference(empty, SETUP)
    assert [(step["op"], step["table"]) for step in operations] == [
        *[("insert", "Interface"), ("insert", "Port")] * 4,
        ("insert", "Controller"), ("insert", "Bridge"), ("mutate", "Open_vSwitch"),
    ]  # fmt: skip


def test_a_missing_tunnel_port_is_added_to_the_bridge() -> None:
    for port, interface in (("pt", "it"), ("pe", "ie")):
        operations = difference(tables(Port={port: None}, Interface={interface: None}), SETUP)
        assert [(step["op"], step["table"]) for step in operations] == [
            ("insert", "Interface"), ("insert", "Port"), ("mutate", "Bridge"),
        ]  # fmt: skip


def test_gre_without_a_key_is_added_before_erspan_or_all_of_that_protocol_come_anew() -> None:
    """The userspace datapath hands everything of IP protocol 47 to the port that it got first."""
    (operation,) = difference(tables(Port={"pm": None}, Interface={"im": None}), SETUP)
    assert operation["mutations"] == [["ports", "delete", ["set", [["uuid", "pg"], ["uuid", "pe"]]]]]
    none: dict[str, Any] = {
        "Port": dict.fromkeys(("pg", "pe", "pm")), "Interface": dict.fromkeys(("ig", "ie", "im")),
        "Bridge": {"b": {"ports": ["set", [["uuid", "pl"], ["uuid", "pt"], ["uuid", "pw"]]]}},
    }  # fmt: skip
    assert difference(tables(**none, Open_vSwitch={"root": {"cur_cfg": 0}}), SETUP) == [], "the switch has them still"
    added = [step["row"]["name"] for step in difference(tables(**none), SETUP) if step.get("table") == "Port"]
    assert added == ["nsh-gre", "nsh-mpls"]
    no_erspan: dict[str, Any] = {"Port": {"pe": None}, "Interface": {"ie": None, "im": {"ofport": EMPTY}}}
    assert difference(tables(**no_erspan), SETUP) == [], "the switch has the others not yet"


def test_erspan_asks_for_its_number_until_it_has_it() -> None:
    new = tables(Interface={"ie": {"ofport": EMPTY}})
    assert [step["row"] for step in difference(new, SETUP)] == [{"ofport_request": 65002}]
    (operation,) = difference(tables(Interface={"ie": {"ofport_request": 65002}}), SETUP)
    assert operation["row"] == {"ofport_request": EMPTY}


def test_a_port_of_our_name_in_a_foreign_bridge_is_a_conflict() -> None:
    stolen = tables(
        Bridge={"b": {"ports": uuid("pl")}, "phy": {"ports": ["set", [uuid("pp"), uuid("pt")]]}},
    )
    with pytest.raises(SetupConflict, match="port nsh-vxlan belongs to bridge br-phy"):
        difference(stolen, SETUP)


def test_interfaces_of_a_bridge_are_shown_with_what_the_switch_says_of_them() -> None:
    interfaces = tables().interfaces("br-nsh")
    assert [(each.name, each.ofport, each.iface_id, each.link_state) for each in interfaces] == [
        ("br-nsh", 65534, None, None), ("nsh-erspan", 65002, None, None), ("nsh-gre", 65001, None, None),
        ("nsh-mpls", 65003, None, None), ("nsh-vxlan", 65000, None, None), ("tap1", 3, "acme/prod/web-1", "up"),
    ]  # fmt: skip
    (foreign,) = tables().interfaces("br-phy")
    assert (foreign.ofport, foreign.error) == (-1, "could not open eth0")
    assert tables().interfaces("br-none") == []


def test_an_update_gives_what_changed() -> None:
    mirror = tables()
    row = right()["Interface"]["iw"]
    assert mirror.update({"Interface": {"iw": {"new": row}}}) == []
    (moved,) = mirror.update({"Interface": {"iw": {"new": row | {"ofport": 9}}}})
    assert (moved.table, moved.uuid, moved.old["ofport"], moved.new["ofport"]) == ("Interface", "iw", 3, 9)
    (gone,) = mirror.update({"Interface": {"iw": {"old": row}}})
    assert gone.new is None
    with pytest.raises(KeyError):
        mirror.update({"Unknown": {"x": {"new": {}}}})
    with pytest.raises(ValueError, match="not one value"):
        mirror.update({"Port": {"x": {"new": {"name": ["set", ["a", "b"]]}}}})


def test_a_port_to_collectors_under_another_number_is_told_with_the_reason() -> None:
    hypervisor = Hypervisor.__new__(Hypervisor)
    for row, said in (
        ({}, {}),
        ({"ofport": EMPTY}, {}),
        ({"ofport": 7}, {"nsh-gre": "it has OpenFlow port 7 instead of 65001"}),
        ({"ofport": -1, "error": "no such type"}, {"nsh-gre": "no such type"}),
    ):
        hypervisor.tables = tables(Interface={"ig": row})
        assert hypervisor.misplaced() == said


def test_collectors_of_flow_export_come_change_and_go_with_the_configuration_and_others_stay() -> None:
    there = {
        "Flow_Sample_Collector_Set": {
            "s1": {"id": 7, "bridge": uuid("b"), "ipfix": uuid("x1")},
            "s2": {"id": 7, "bridge": uuid("phy"), "ipfix": EMPTY},
        },
        "IPFIX": {"x1": {"targets": "192.0.2.9:4739", "cache_active_timeout": 10, "cache_max_flows": 8192}},
    }
    wanted = replace(SETUP, collectors=(Collector(7, "192.0.2.9", 4739),))
    assert difference(tables(**there), wanted) == []
    made = difference(tables(), replace(SETUP, collectors=(Collector(7, "2001:db8::9", 2055),)))
    assert [(each["op"], each["table"]) for each in made] == [
        ("insert", "IPFIX"), ("insert", "Flow_Sample_Collector_Set"),
    ]  # fmt: skip
    assert made[0]["row"]["targets"] == ["set", ["[2001:db8::9]:2055"]] and made[1]["row"]["bridge"] == uuid("b")
    gone = difference(tables(**there), SETUP)
    assert [(each["op"], each["where"][0][2]) for each in gone] == [("delete", uuid("s1"))], (
        "another bridge has one, too"
    )
    moved = difference(tables(**there), replace(SETUP, collectors=(Collector(7, "192.0.2.10", 4739),)))
    assert [each["op"] for each in moved] == ["delete", "insert", "insert"]
