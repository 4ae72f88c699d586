"""The packed encoder gives the bytes that os-ken gives, and what a template promises holds."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import packed, wire
from controller.openflow.packed import Template, flow
from controller.openflow.wire import FIELDS, Field
from data.addresses import Ip
from tests.unit.openflow import oracle
from tests.unit.openflow.elements import ACTIONS, MAC, MATCHES
from tests.unit.openflow.oracle import OF, PARSER

KNOWN = [name for name in FIELDS if name not in oracle.UNKNOWN]
MASKABLE = [
    "ipv6_src", "ipv6_dst", "nd_target", "tun_ipv6_src", "tun_ipv6_dst", "vlan_vid",
    "eth_src", "eth_dst", "ipv4_src", "ipv4_dst", "ip_frag", "tcp_src", "tcp_dst", "udp_src", "udp_dst",
    "sctp_src", "sctp_dst", "arp_spa", "arp_tpa", "ct_state", "ct_mark", *(f"reg{n}" for n in range(16)),
]  # fmt: skip


def values(width: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=width, max_size=width)


def argument(kind: str, raw: bytes) -> int | bytes:
    """As the compiler passes it: bytes for a MAC and an IPv6 address, an int for anything else."""
    return raw if kind in ("mac", "ipv6") else int.from_bytes(raw, "big")


@pytest.mark.parametrize("name", KNOWN)
@settings(deadline=None)  # os-ken's own reading of IPv6 texts takes long on a loaded machine
@given(data=st.data())
def test_a_match_field_packs_as_os_ken_packs_it(name: str, data: st.DataObject) -> None:
    spec = FIELDS[name]
    raw = data.draw(values(spec.width))
    want = oracle.flow_mod([(oracle.THEIRS.get(name, name), oracle.text(spec.kind, spec.width, raw))], [])
    assert flow(0, 100, match=[m.field(name, argument(spec.kind, raw))]) == want
    template = Template(table=0, priority=100, match=[m.field(name, Field("v"))])
    assert template.pack(argument(spec.kind, raw)) == want


@pytest.mark.parametrize("name", MASKABLE)
@settings(deadline=None)  # os-ken's own reading of IPv6 texts takes long on a loaded machine
@given(data=st.data())
def test_a_masked_field_packs_as_os_ken_packs_it(name: str, data: st.DataObject) -> None:
    spec = FIELDS[name]
    mask = data.draw(values(spec.width))
    assume(mask != b"\xff" * spec.width)  # os-ken leaves an all-ones mask away
    raw = bytes(x & y for x, y in zip(data.draw(values(spec.width)), mask, strict=True))
    shown = (oracle.text(spec.kind, spec.width, raw), oracle.text(spec.kind, spec.width, mask))
    want = oracle.flow_mod([(oracle.THEIRS.get(name, name), shown)], [])
    value, ones = argument(spec.kind, raw), argument(spec.kind, mask)
    assert flow(0, 100, match=[m.field(name, value, ones)]) == want
    template = Template(table=0, priority=100, match=[m.field(name, Field("v"), Field("mask"))])
    assert template.pack(value, ones) == want


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in ("in_port", "conj_id", "ct_state", "ip_frag")])
@settings(deadline=None)  # os-ken's own reading of IPv6 texts takes long on a loaded machine
@given(data=st.data())
def test_set_field_packs_as_os_ken_packs_it(name: str, data: st.DataObject) -> None:
    spec = FIELDS[name]
    raw = data.draw(values(spec.width))
    shown = {oracle.THEIRS.get(name, name): oracle.text(spec.kind, spec.width, raw)}
    want = oracle.flow_mod([], [PARSER.OFPActionSetField(**shown)])
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


def ip4(value: int) -> str:
    return str(IPv4Address(value))


def ip6(value: int) -> str:
    return str(IPv6Address(value))


@given(
    basis=u16, n=st.integers(1, 0x10000), register=st.integers(0, 15), meter=u32, first=u32, more=st.integers(1, 999),
    high=st.integers(0, 2**128 - 1000), low=st.integers(1, 0xFFFE), zone=u16,
)  # fmt: skip
def test_actions_for_services_pack_as_os_ken_packs_them(
    basis: int, n: int, register: int, meter: int, first: int, more: int, high: int, low: int, zone: int
) -> None:
    last, second = min(first + more, 0xFFFFFFFF), high + more
    assume(last != first)

    def ct(translation: Any) -> Any:
        return PARSER.NXActionCT(1, "", zone, 255, 0, [translation])

    def ours(**words: Any) -> a.Action:
        return a.ct(zone=zone, commit=True, nested=[a.nat(**words)])

    nat = PARSER.NXActionNAT
    pairs: list[tuple[a.Action, Any]] = [
        (
            a.multipath(a.SYMMETRIC_L3L4_UDP, basis, a.MODULO_N, n, register),
            PARSER.NXActionMultipath(3, basis, 0, n - 1, 0, ofs(0, 32), f"reg{register}"),
        ),
        (
            a.multipath(a.NW_SRC, basis, wire.HRW, min(n, 64), register, 16, 6),
            PARSER.NXActionMultipath(4, basis, 2, min(n, 64) - 1, 0, ofs(16, 6), f"reg{register}"),
        ),
        (a.push_vlan(), PARSER.OFPActionPushVlan(0x8100)),
        (a.pop_vlan(), PARSER.OFPActionPopVlan()),
        (a.push_mpls(), PARSER.OFPActionPushMpls(0x8847)),
        (a.pop_mpls(low), PARSER.OFPActionPopMpls(low)),
        (a.set_dscp(n % 64), PARSER.OFPActionSetField(ip_dscp=n % 64)),
        (a.load_in_port(n), PARSER.NXActionRegLoad(ofs(0, 32), "in_port", n)),
        (
            a.ct(zone_reg=6, zone_first=16, table=9, nested=[a.nat()]),
            PARSER.NXActionCT(0, "reg6", ofs(16, 16), 9, 0, [nat(0)]),
        ),
        (ours(src=(first, first)), ct(nat(1, range_ipv4_min=ip4(first)))),
        (ours(dst=(ip4(first), ip4(last))), ct(nat(2, range_ipv4_min=ip4(first), range_ipv4_max=ip4(last)))),
        (
            ours(src=(Ip(4, first), Ip(4, last)), ports=(low, 0xFFFF)),
            ct(nat(1, ip4(first), ip4(last), range_proto_min=low, range_proto_max=0xFFFF)),
        ),
        (ours(dst=(first, first), ports=(low, low)), ct(nat(2, ip4(first), range_proto_min=low))),
        (ours(src=(high, high), version=6), ct(nat(1, range_ipv6_min=ip6(high)))),
        (
            ours(dst=(Ip(6, high), Ip(6, second)), ports=(low, low + 1)),
            ct(
                nat(
                    2, range_ipv6_min=ip6(high), range_ipv6_max=ip6(second), range_proto_min=low,
                    range_proto_max=low + 1,
                )
            ),
        ),
    ]  # fmt: skip
    for mine, theirs in pairs:
        assert flow(3, 7, actions=[mine], goto=5, meter=meter) == oracle.flow_mod(
            [], [theirs], table=3, priority=7, goto=5, meter=meter
        )
    assert flow(3, 7, meter=meter) == oracle.flow_mod([], [], table=3, priority=7, meter=meter)


def test_what_os_ken_does_not_have_packs_as_ovs_ofctl_packs_it() -> None:
    """Bytes from Open vSwitch 3.1's own ovs-ofctl."""

    def acting(*acts: a.Action) -> str:
        return packed.instructions(flow(0, 1, actions=acts))[8:].hex()

    assert acting(a.clone([a.set_field("ip_dscp", 1), a.output(1)])) == (
        "ffff003000002320002a0000000000000019001080001001010000000000000000000010000000010000000000000000"
    )
    assert acting(a.set_field("nd_reserved", 3), a.set_field("nd_options_type", 1)) == (
        "0019001010000204000000030000000000190010100004010100000000000000"
    )
    assert acting(a.set_field("tun_erspan_idx", 5), a.set_field("tun_erspan_ver", 1)) == (
        "00190010ffff1608000023200000000500190010ffff18050000232001000000"
    )
    advert = [m.eth_type(wire.ETH_IPV6), m.ip_proto(wire.IP_ICMPV6), m.icmpv6_type(136)]
    options = [m.nd_reserved(5), m.nd_options_type(1), m.nd_target("fe80::1"), m.nd_tll("02:00:00:00:00:01")]
    assert packed.flow_key(flow(0, 1, match=[*options, *advert]))[3:].hex() == (
        "0001003f80000a0286dd800014013a80003a01881000020400000005"
        "80003e10fe800000000000000000000000000001100004010180004206020000000001"
        "00"
    )


def test_an_ipv6_address_is_written_in_any_form_and_left_open_as_bytes() -> None:
    number = 0x20010DB8 << 96 | 0x11
    raw = number.to_bytes(16, "big")
    address = Field("address", 16)
    translation = a.nat(src=(address, Field("address", 16)))
    template = Template(
        table=0,
        priority=1,
        match=[m.ipv6_dst(address)],
        actions=[a.set_field("ipv6_src", address), a.ct(commit=True, nested=[translation])],
        meter=Field("meter"),
    )
    assert template.fields == ("address", "meter")
    for form in (number, raw, "2001:db8::11"):
        translation = a.nat(src=(form, form), version=6)
        made = flow(
            0, 1, match=[m.ipv6_dst(form)], meter=9,
            actions=[a.set_field("ipv6_src", form), a.ct(commit=True, nested=[translation])],
        )  # fmt: skip
        assert made == template.pack(raw, 9)


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

    for name, (elements, acts) in [*((n, (e, [])) for n, e in MATCHES.items()), *ACTIONS.items()]:
        if "erspan" in name or name.startswith("clone"):
            continue  # not in os-ken
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


@pytest.mark.parametrize("name", MASKABLE)
def test_a_mask_of_all_ones_is_left_away_as_a_switch_leaves_it_away(name: str) -> None:
    width = FIELDS[name].width
    assert m.field(name, 1, (1 << width * 8) - 1) == m.field(name, 1)
    assert m.field(name, 0, (1 << width * 8) - 2) != m.field(name, 0)


def test_what_cannot_be_packed_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ValueError, match="outside its mask"):
        m.ipv4_dst("10.0.0.1", "255.0.0.0")
    with pytest.raises(ValueError, match="does not fit"):
        m.tcp_dst(70000)
    with pytest.raises(ValueError, match="text is for addresses"):
        m.tcp_dst("80")
    with pytest.raises(ValueError, match="use set_field"):
        a.move("tun_erspan_idx", "reg1")
    with pytest.raises(ValueError, match="65 links do not fit 6 bits"):
        a.multipath(a.NW_SRC, 0, a.MODULO_N, 65, 1, 0, 6)
    with pytest.raises(ValueError, match="not both"):
        a.nat(src=("10.0.0.1", "10.0.0.1"), dst=("10.0.0.1", "10.0.0.1"))
    with pytest.raises(ValueError, match="needs an address"):
        a.nat(ports=(1, 2))
    with pytest.raises(ValueError, match="one address family to another"):
        a.nat(src=("10.0.0.1", "fe80::1"))
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
