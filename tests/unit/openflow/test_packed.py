"""The packed encoder gives the bytes that os-ken gives, and what a template promises holds."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import packed
from controller.openflow.packed import Template, flow
from controller.openflow.wire import FIELDS, Field
from tests.unit.openflow import oracle
from tests.unit.openflow.elements import ACTIONS, MAC, MATCHES
from tests.unit.openflow.oracle import OF, PARSER

MASKABLE = [
    "eth_src", "eth_dst", "ipv4_src", "ipv4_dst", "ip_frag", "tcp_src", "tcp_dst", "udp_src", "udp_dst",
    "sctp_src", "sctp_dst", "arp_spa", "arp_tpa", "ct_state", "ct_mark", *(f"reg{n}" for n in range(16)),
]  # fmt: skip


def values(width: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=width, max_size=width)


def argument(kind: str, raw: bytes) -> int | bytes:
    """As the compiler passes it: 6 bytes for a MAC, an int for anything else."""
    return raw if kind == "mac" else int.from_bytes(raw, "big")


@pytest.mark.parametrize("name", FIELDS)
@given(data=st.data())
def test_a_match_field_packs_as_os_ken_packs_it(name: str, data: st.DataObject) -> None:
    spec = FIELDS[name]
    raw = data.draw(values(spec.width))
    want = oracle.flow_mod([(name, oracle.text(spec.kind, spec.width, raw))], [])
    assert flow(0, 100, match=[m.field(name, argument(spec.kind, raw))]) == want
    template = Template(table=0, priority=100, match=[m.field(name, Field("v"))])
    assert template.pack(argument(spec.kind, raw)) == want


@pytest.mark.parametrize("name", MASKABLE)
@given(data=st.data())
def test_a_masked_field_packs_as_os_ken_packs_it(name: str, data: st.DataObject) -> None:
    spec = FIELDS[name]
    mask = data.draw(values(spec.width))
    assume(mask != b"\xff" * spec.width)  # os-ken leaves an all-ones mask away
    raw = bytes(x & y for x, y in zip(data.draw(values(spec.width)), mask, strict=True))
    shown = (oracle.text(spec.kind, spec.width, raw), oracle.text(spec.kind, spec.width, mask))
    want = oracle.flow_mod([(name, shown)], [])
    value, ones = argument(spec.kind, raw), argument(spec.kind, mask)
    assert flow(0, 100, match=[m.field(name, value, ones)]) == want
    template = Template(table=0, priority=100, match=[m.field(name, Field("v"), Field("mask"))])
    assert template.pack(value, ones) == want


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ("in_port", "conj_id", "ct_state", "ip_frag")])
@given(data=st.data())
def test_set_field_packs_as_os_ken_packs_it(name: str, data: st.DataObject) -> None:
    spec = FIELDS[name]
    raw = data.draw(values(spec.width))
    want = oracle.flow_mod([], [PARSER.OFPActionSetField(**{name: oracle.text(spec.kind, spec.width, raw)})])
    assert flow(0, 100, actions=[a.set_field(name, argument(spec.kind, raw))]) == want
    template = Template(table=0, priority=100, actions=[a.set_field(name, Field("v"))])
    assert template.pack(argument(spec.kind, raw)) == want


def ofs(first: int, bits: int) -> int:
    return first << 6 | bits - 1


u32 = st.integers(0, 2**32 - 1)
u16 = st.integers(0, 2**16 - 1)
u8 = st.integers(0, 255)


@given(port=u32, number=u32, ttl=u8, table=u8, zone=u16, clause=st.integers(1, 64), big=st.integers(0, 2**64 - 1))
def test_every_other_action_packs_as_os_ken_packs_it(
    port: int, number: int, ttl: int, table: int, zone: int, clause: int, big: int
) -> None:
    pairs: list[tuple[a.Action, Any]] = [
        (a.output(port), PARSER.OFPActionOutput(port, 0)),
        (a.in_port(), PARSER.OFPActionOutput(OF.OFPP_IN_PORT, 0)),
        (a.controller(zone), PARSER.OFPActionOutput(OF.OFPP_CONTROLLER, zone)),
        (a.output_reg(ttl % 16), PARSER.NXActionOutputReg(ofs(0, 32), f"reg{ttl % 16}", 0xFFFF)),
        (a.group(number), PARSER.OFPActionGroup(number)),
        (a.set_ttl(ttl), PARSER.OFPActionSetNwTtl(ttl)),
        (a.dec_ttl(), PARSER.OFPActionDecNwTtl()),
        (a.resubmit(table), PARSER.NXActionResubmitTable(0xFFF8, table)),
        (a.conjunction(number, clause, 64), PARSER.NXActionConjunction(clause - 1, 64, number)),
        (a.load("reg3", 4, 8, ttl), PARSER.NXActionRegLoad(ofs(4, 8), "reg3", ttl)),
        (a.load("metadata", 0, 64, big), PARSER.NXActionRegLoad(ofs(0, 64), "metadata", big)),
        (a.load("tunnel_id", 0, 64, big), PARSER.NXActionRegLoad(ofs(0, 64), "tunnel_id_nxm", big)),
        (a.move("eth_src", "eth_dst"), PARSER.NXActionRegMove("eth_src_nxm", "eth_dst_nxm", 48)),
        (a.move("arp_sha", "arp_tha"), PARSER.NXActionRegMove("arp_sha_nxm", "arp_tha_nxm", 48)),
        (a.move("arp_spa", "arp_tpa"), PARSER.NXActionRegMove("arp_spa_nxm", "arp_tpa_nxm", 32)),
        (a.move("ipv4_src", "ipv4_dst"), PARSER.NXActionRegMove("ipv4_src_nxm", "ipv4_dst_nxm", 32)),
        (a.move("metadata", "reg5", 16, 8, 16), PARSER.NXActionRegMove("metadata", "reg5", 16, 8, 16)),
        (a.ct(zone=zone, table=table), PARSER.NXActionCT(0, "", zone, table, 0, [])),
        (a.ct(zone_reg=6), PARSER.NXActionCT(0, "reg6", ofs(0, 16), 255, 0, [])),
        (
            a.ct(zone_reg=6, commit=True, nested=[a.set_field("ct_mark", number)]),
            PARSER.NXActionCT(1, "reg6", ofs(0, 16), 255, 0, [PARSER.OFPActionSetField(ct_mark=number)]),
        ),
    ]
    for ours, theirs in pairs:
        assert flow(3, 7, big, actions=[ours], goto=5) == oracle.flow_mod(
            [], [theirs], table=3, priority=7, cookie=big, goto=5
        )
    every = [ours for ours, _ in pairs]
    assert flow(3, 7, actions=every) == oracle.flow_mod([], [t for _, t in pairs], table=3, priority=7)


@given(cookie=st.integers(0, 2**64 - 1), priority=u16, port=u32, clause=st.integers(1, 64), table=u8)
def test_action_arguments_may_be_left_open(cookie: int, priority: int, port: int, clause: int, table: int) -> None:
    template = Template(
        table=6,
        priority=Field("priority"),
        cookie=Field("cookie", 8),
        actions=[
            a.output(Field("port")), a.group(Field("port")), a.resubmit(Field("table")),
            a.set_ttl(Field("table")), a.conjunction(Field("port"), Field("clause"), Field("table")),
            a.ct(zone=Field("priority"), table=3), a.load("reg1", 0, 32, Field("port")),
        ],
    )  # fmt: skip
    assert template.fields == ("priority", "cookie", "port", "table", "clause")
    constant = flow(
        6, priority, cookie,
        actions=[
            a.output(port), a.group(port), a.resubmit(table), a.set_ttl(table),
            a.conjunction(port, clause, table), a.ct(zone=priority, table=3), a.load("reg1", 0, 32, port),
        ],
    )  # fmt: skip
    assert template.pack(priority, cookie, port, table, clause) == constant


def test_the_example_of_the_docstring_packs_as_os_ken_packs_it() -> None:
    classify = Template(
        table=0,
        priority=100,
        cookie=Field("cookie", 8),
        match=[m.in_port(Field("port"))],
        actions=[a.set_reg(0, Field("vni")), a.set_metadata(Field("domain"))],
        goto=1,
    )
    assert classify.fields == ("cookie", "port", "vni", "domain")
    want = oracle.flow_mod(
        [("in_port", 3)],
        [PARSER.OFPActionSetField(reg0=5001), PARSER.OFPActionSetField(metadata=9)],
        cookie=0xABC,
        goto=1,
    )
    assert classify.pack(0xABC, 3, 5001, 9) == want
    assert classify.size == len(want)


def test_fields_come_in_the_order_asked_for() -> None:
    template = Template(table=0, priority=1, cookie=Field("c"), match=[m.in_port(Field("p"))], fields=("p", "c"))
    assert packed.cookie(template.pack(7, 99)) == 99
    with pytest.raises(ValueError, match="are not those of the flow"):
        Template(table=0, priority=1, match=[m.in_port(Field("p"))], fields=("p", "c"))


def test_matches_take_the_order_of_open_vswitch_whatever_order_they_are_written_in() -> None:
    for elements in MATCHES.values():
        assert flow(0, 1, match=elements) == flow(0, 1, match=elements[::-1])


def test_os_ken_reads_every_flow_of_the_list() -> None:
    from os_ken.ofproto import ofproto_parser

    for elements, acts in [*((e, []) for e in MATCHES.values()), *ACTIONS.values()]:
        msg = flow(4, 9, 0xC0, elements, acts, goto=7)
        parsed = ofproto_parser.msg(oracle.DESCRIPTION, *ofproto_parser.header(msg), msg)
        assert len(list(parsed.match.items())) == len(elements)
        assert parsed.instructions[-1].table_id == 7
        assert len(parsed.instructions) == (2 if acts else 1)
        if acts:
            assert len(parsed.instructions[0].actions) == len(acts)


def test_key_cookie_priority_and_instructions_are_read_from_the_bytes() -> None:
    msg = flow(4, 900, 0xC0FFEE, [m.in_port(3), m.reg(1, 2)], [a.output(5)], goto=7)
    assert (packed.table_of(msg), packed.priority_of(msg), packed.cookie(msg)) == (4, 900, 0xC0FFEE)
    assert packed.flow_key(msg) == b"\x04" + struct.pack("!H", 900) + msg[48 : 48 + 24]
    assert packed.instructions(msg) == msg[72:]
    other = flow(4, 900, 1, [m.in_port(3), m.reg(1, 2)], [])
    assert packed.flow_key(other) == packed.flow_key(msg)
    assert packed.instructions(other) == b""
    assert not packed.is_delete(msg)


@pytest.mark.parametrize("elements", MATCHES.values(), ids=MATCHES)
def test_a_strict_delete_keeps_table_priority_and_match(elements: list[m.Match]) -> None:
    msg = flow(4, 900, 0xC0, elements, [a.output(5)], goto=7)
    gone = packed.as_delete_strict(msg)
    assert packed.is_delete(gone)
    assert packed.flow_key(gone) == packed.flow_key(msg)
    assert packed.instructions(gone) == b""
    assert len(gone) == int.from_bytes(gone[2:4], "big")


def test_what_cannot_be_packed_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ValueError, match="outside its mask"):
        m.ipv4_dst("10.0.0.1", "255.0.0.0")
    with pytest.raises(ValueError, match="does not fit"):
        m.tcp_dst(70000)
    with pytest.raises(ValueError, match="not 6 bytes"):
        m.eth_dst(b"\x02")
    with pytest.raises(ValueError, match="has 8 bytes"):
        m.reg(0, Field("cookie", 8))
    with pytest.raises(ValueError, match="cannot name"):
        Field("not a name")
    with pytest.raises(ValueError, match="has a Field"):
        flow(0, 1, match=[m.in_port(Field("p"))])
    with pytest.raises(ValueError, match="split it"):
        flow(0, 1, actions=[a.set_field("eth_src", MAC)] * 4096)
    with pytest.raises(ValueError, match="split it"):
        flow(0, 1, actions=[a.output(1)] * 4092)
    assert len(flow(0, 1, actions=[a.output(1)] * 4090)) <= 0xFFFF - 16
    with pytest.raises(struct.error):
        Template(table=0, priority=1, match=[m.in_port(Field("p"))]).pack(1 << 32)
