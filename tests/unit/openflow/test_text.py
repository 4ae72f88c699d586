"""A flow as a line: every value is in it, names replace numbers, strange bytes are shown instead of failing.

That the lines equal ovs-ofctl's is checked against the real one in tests/system/switches/test_openflow_server.py.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import wire
from controller.openflow.packed import as_delete_strict, flow
from controller.openflow.readback import FlowEvent
from controller.openflow.text import Names, describe
from controller.openflow.wire import FIELDS
from tests.unit.openflow.elements import ACTIONS, MATCHES

NAMES = Names(
    tables={0: "classify", 9: "switch"},
    fields={"reg0": "vni", "metadata": "domain"},
    ports={65000: "nsh-vxlan"},
)


@pytest.mark.parametrize("name", MATCHES)
def test_every_match_is_decoded(name: str) -> None:
    line = describe(flow(4, 9, 1, MATCHES[name]))
    assert line.startswith("table=4, cookie=0x1, priority=9")
    assert line.endswith(" actions=drop")
    assert not re.search(r"0x(8000|0001)[0-9a-f]{4}=", line)


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_is_decoded(name: str) -> None:
    line = describe(flow(4, 9, 1, *ACTIONS[name], goto=20))
    assert line.endswith("goto_table:20")
    for unknown in ("action(", "nicira(", "instruction("):
        assert unknown not in line.replace("conjunction(", "")


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_that_a_flow_may_match_move_or_set_has_its_words(name: str) -> None:
    if FIELDS[name].header[0] == wire.EXTENDED:
        line = describe(flow(4, 9, 1, [m.field(name, 0)], [a.set_field(name, 0)]))
        assert f",{name}=0" in line and f"->{name}" in line
        return
    line = describe(flow(4, 9, 1, [m.field(name, 0)], [a.set_field(name, 0), a.move(name, name)]))
    assert line.startswith("table=4, cookie=0x1, priority=9,")
    move = line.rpartition("move:")[2].partition("->")[0]
    assert move.startswith(("NXM_", "OXM_", "ERICOXM_")), "Open vSwitch's own name of the field"
    assert "action(" not in line


def test_names_of_the_pipeline_replace_numbers() -> None:
    msg = flow(
        0, 7, 0x12,
        [m.in_port(65000), m.reg(0, 5001), m.metadata(9)],
        [a.set_reg(0, 3), a.load("reg0", 0, 8, 1), a.move("metadata", "reg1", 32), a.resubmit(9),
         a.output(65000), a.ct(zone_reg=0, table=9), a.output(wire.PORT_LOCAL)],
        goto=9,
    )  # fmt: skip
    assert describe(msg, NAMES) == (
        "table=classify, cookie=0x12, priority=7,vni=0x1389,domain=0x9,in_port=nsh-vxlan actions="
        "set_field:0x3->vni,load:0x1->vni[0..7],move:domain[0..31]->NXM_NX_REG1[],resubmit(,switch),"
        "output:nsh-vxlan,ct(table=switch,zone=vni[0..15]),LOCAL,goto_table:switch"
    )


def test_numbers_that_people_know_in_decimal_are_written_so_unless_a_mask_cuts_them() -> None:
    names = Names(fields={"reg0": "vni"}, decimal=frozenset({"reg0", "tunnel_id"}))
    written = [a.set_reg(0, 5001), a.set_field("tunnel_id", 5002), a.set_reg(1, 5003)]
    line = describe(flow(0, 7, 1, [m.reg(0, 5001), m.reg(1, 5003), m.field("tunnel_id", 5002)], written), names)
    assert ",vni=5001,reg1=0x138b,tun_id=5002 " in line
    assert line.endswith("set_field:5001->vni,set_field:5002->tun_id,set_field:0x138b->reg1")
    assert "vni=0x1/0xff" in describe(flow(0, 7, 1, [m.reg(0, 1, 0xFF)]), names)


def test_a_delete_says_so_and_has_no_actions() -> None:
    msg = as_delete_strict(flow(4, 9, 1, [m.in_port(1)], [a.output(2)]))
    assert describe(msg) == "delete table=4, cookie=0x1, priority=9,in_port=1"


@given(
    port=st.integers(1, 0xFEFF),
    value=st.integers(0, 2**32 - 1),
    metadata=st.integers(0, 2**64 - 1),
    mac=st.binary(min_size=6, max_size=6),
    address=st.integers(0, 2**32 - 1),
    prefix=st.integers(1, 31),
    cookie=st.integers(0, 2**64 - 1),
    priority=st.integers(0, 0xFFFF),
    number=st.integers(0, 15),
)
def test_the_line_contains_every_value(
    port: int, value: int, metadata: int, mac: bytes, address: int, prefix: int, cookie: int, priority: int,
    number: int,
) -> None:  # fmt: skip
    mask = (1 << 32) - (1 << 32 - prefix)
    line = describe(
        flow(
            3, priority, cookie,
            [m.in_port(port), m.metadata(metadata), m.reg(number, value), m.eth_src(mac), m.eth_type(0x800),
             m.ipv4_dst(address & mask, mask), m.ip_proto(17), m.udp_dst(port)],
            [a.set_field("eth_dst", mac), a.set_field("tun_ipv4_dst", address), a.set_reg(number, value),
             a.conjunction(value, 1, 3), a.ct(zone=port, commit=True), a.output(port)],
        )
    )  # fmt: skip
    match, actions = line.split(" actions=")
    words = match.split(",")
    for word in (
        f" cookie=0x{cookie:x}", f" priority={priority}", "udp", f"in_port={port}",
        f"metadata=0x{metadata:x}", f"reg{number}=0x{value:x}", f"dl_src={mac.hex(':')}",
        f"nw_dst={IPv4Address(address & mask)}/{prefix}", f"tp_dst={port}",
    ):  # fmt: skip
        assert word in words
    assert actions == (
        f"set_field:{mac.hex(':')}->eth_dst,set_field:{IPv4Address(address)}->tun_dst,"
        f"set_field:0x{value:x}->reg{number},conjunction({value},1/3),ct(commit,zone={port}),output:{port}"
    )


@given(oxms=st.binary(max_size=60), instructions=st.binary(max_size=80))
def test_strange_bytes_never_fail(oxms: bytes, instructions: bytes) -> None:
    length = 4 + len(oxms)
    match = b"\x00\x01" + length.to_bytes(2, "big") + oxms + bytes(-length % 8)
    line = describe(FlowEvent("added", 1, 2, 3, match, instructions))
    assert line.startswith("table=1, cookie=0x3, priority=2")


@given(body=st.binary(min_size=4, max_size=60), kind=st.sampled_from([0, 22, 23, 24, 25, 0xFFFF]))
def test_strange_actions_never_fail(body: bytes, kind: int) -> None:
    body += bytes(-(4 + len(body)) % 8)
    action = kind.to_bytes(2, "big") + (4 + len(body)).to_bytes(2, "big") + body
    nicira = action[:4] + wire.NICIRA.to_bytes(4, "big") + action[8:]
    for data in (action, nicira):
        instructions = b"\x00\x04" + (8 + len(data)).to_bytes(2, "big") + bytes(4) + data
        describe(FlowEvent("added", 1, 2, 3, bytes.fromhex("0001000400000000"), instructions))
