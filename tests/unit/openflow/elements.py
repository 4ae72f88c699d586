"""Every element of controller.openflow.match and .actions, once with constants: what the tests walk through.

Each flow stands in the same table with its own priority, and meets the prerequisites Open vSwitch asks for,
so that the same list serves the comparison with os-ken, the round trip through text.py, and the read-back
from a real switch.
"""

from __future__ import annotations

from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import wire
from controller.openflow.actions import Action
from controller.openflow.match import Match

MAC = bytes.fromhex("02000a01010b")
IP, IP6, ARP = m.eth_type(wire.ETH_IPV4), m.eth_type(wire.ETH_IPV6), m.eth_type(wire.ETH_ARP)
MPLS = m.eth_type(wire.ETH_MPLS)
TCP, UDP, SCTP, ICMP = (m.ip_proto(n) for n in (wire.IP_TCP, wire.IP_UDP, wire.IP_SCTP, wire.IP_ICMP))
ICMP6 = m.ip_proto(wire.IP_ICMPV6)
SOLICIT, ADVERT = ([IP6, ICMP6, m.icmpv6_type(kind)] for kind in (135, 136))
IP6_SRC, IP6_DST = "2001:db8::11", bytes.fromhex("fe800000000000000200aafffe000001")
NEW = wire.CT_NEW | wire.CT_TRACKED

MATCHES: dict[str, list[Match]] = {
    "nothing": [],
    "in_port": [m.in_port(65000)],
    "metadata": [m.metadata(0x1122334455667788)],
    "eth_dst": [m.eth_dst(MAC)],
    "eth_dst masked": [m.eth_dst("01:00:00:00:00:00", "01:00:00:00:00:00")],
    "eth_src": [m.eth_src("02:00:0a:01:01:0c")],
    "eth_src masked": [m.eth_src("02:00:00:00:00:00", "ff:ff:00:00:00:00")],
    "eth_type": [m.eth_type(0x86DD)],
    "vlan_vid none": [m.vlan_vid(0)],
    "vlan_vid": [m.vlan_vid(0x1000 | 100)],
    "vlan_vid any": [m.vlan_vid(0x1000, 0x1000)],
    "vlan_vid among others": [m.metadata(9), m.in_port(3), m.vlan_vid(0), IP, m.eth_src(MAC), m.ipv4_src("10.1.1.1")],
    "ip_proto": [IP, m.ip_proto(47)],
    "ip_dscp": [IP, m.ip_dscp(46)],
    "ip_ecn": [IP, m.ip_ecn(2)],
    "nw_ttl": [IP, m.nw_ttl(1)],
    "ip_frag none": [IP, m.ip_frag(0)],
    "ip_frag later": [IP, m.ip_frag(3)],
    "ip_frag any": [IP, m.ip_frag(1, 1)],
    "ipv4_src": [IP, m.ipv4_src("10.1.1.11")],
    "ipv4_src masked": [IP, m.ipv4_src("10.1.0.0", "255.255.0.0")],
    "ipv4_dst": [IP, m.ipv4_dst(0x0A01020B)],
    "ipv4_dst masked": [IP, m.ipv4_dst(0x0A010200, 0xFFFFFF00)],
    "tcp_src": [IP, TCP, m.tcp_src(80)],
    "tcp_src masked": [IP, TCP, m.tcp_src(0x1F40, 0xFFF8)],
    "tcp_dst": [IP, TCP, m.tcp_dst(8443)],
    "tcp_flags": [IP, TCP, m.tcp_dst(80), m.field("tcp_flags", 0x12, 0x16)],
    "tcp_flags all": [IP6, TCP, m.field("tcp_flags", 0x04)],
    "ct_state translated": [IP, m.ct_state(wire.CT_SRC_NAT | wire.CT_TRACKED, wire.CT_SRC_NAT | wire.CT_TRACKED)],
    "tcp_dst masked": [IP, TCP, m.tcp_dst(0x1F40, 0xFFC0)],
    "udp_src": [IP, UDP, m.udp_src(53)],
    "udp_src masked": [IP, UDP, m.udp_src(0x8000, 0x8000)],
    "udp_dst": [IP, UDP, m.udp_dst(67)],
    "udp_dst masked": [IP, UDP, m.udp_dst(0x4000, 0xC000)],
    "sctp_src": [IP, SCTP, m.sctp_src(1)],
    "sctp_src masked": [IP, SCTP, m.sctp_src(0x10, 0xFFF0)],
    "sctp_dst": [IP, SCTP, m.sctp_dst(36412)],
    "sctp_dst masked": [IP, SCTP, m.sctp_dst(0x20, 0xFFE0)],
    "icmpv4_type": [IP, ICMP, m.icmpv4_type(8)],
    "icmpv4_code": [IP, ICMP, m.icmpv4_type(3), m.icmpv4_code(4)],
    "ipv6_src": [IP6, m.ipv6_src(IP6_SRC)],
    "ipv6_src masked": [IP6, m.ipv6_src("2001:db8::", "ffff:ffff:ffff:ffff::")],
    "ipv6_dst": [IP6, m.ipv6_dst(IP6_DST)],
    "ipv6_dst masked": [IP6, m.ipv6_dst(0xFF02 << 112, 0xFFFF << 112)],
    "ipv6_dst masked inside": [IP6, m.ipv6_dst("::ff:fe00:1", "::ff:ffff:ffff")],
    "ipv6 hop limit": [IP6, m.nw_ttl(255), m.ip_dscp(46), m.ip_ecn(1), m.ip_frag(0)],
    "tcp6": [IP6, TCP, m.tcp_dst(443), m.tcp_src(0x8000, 0x8000)],
    "udp6": [IP6, UDP, m.udp_dst(547)],
    "sctp6": [IP6, SCTP, m.sctp_dst(7)],
    "ip_proto of ipv6": [IP6, m.ip_proto(43)],
    "icmpv6_type": [IP6, ICMP6, m.icmpv6_type(133)],
    "icmpv6_code": [IP6, ICMP6, m.icmpv6_type(1), m.icmpv6_code(4)],
    "nd_target": [*SOLICIT, m.nd_target(IP6_SRC)],
    "nd_target masked": [*SOLICIT, m.nd_target("2001:db8::", "ffff:ffff::")],
    "nd_sll": [*SOLICIT, m.nd_sll(MAC)],
    "nd_tll": [*ADVERT, m.nd_tll(MAC)],
    "nd_reserved": [*ADVERT, m.nd_reserved(0x60000000)],
    "nd_options_type": [*ADVERT, m.nd_options_type(2)],
    "nd whole": [
        m.nd_tll(MAC), m.nd_options_type(2), m.nd_target(IP6_SRC), m.nd_reserved(1 << 31), m.icmpv6_code(0), *ADVERT,
        m.ipv6_dst(IP6_DST), m.ipv6_src("fe80::", "ffff::"), m.nw_ttl(255), m.in_port(3), m.metadata(9), m.reg(4, 7),
    ],
    "nd solicitation whole": [
        m.nd_sll(MAC), m.nd_options_type(1), m.nd_target(IP6_SRC), m.nd_reserved(0x11), m.icmpv6_code(0), *SOLICIT,
    ],
    "tun_ipv6_src": [m.tun_ipv6_src(IP6_SRC)],
    "tun_ipv6_src masked": [m.tun_ipv6_src("2001:db8::", "ffff:ffff::")],
    "tun_ipv6_dst": [m.tun_ipv6_dst(IP6_DST)],
    "tun_ipv6_dst masked": [m.tun_ipv6_dst("2001:db8::", "ffff:ffff::")],
    "tunnel whole": [
        m.reg(2, 1), m.tun_ipv6_dst(IP6_DST), m.tun_ipv6_src(IP6_SRC), m.tunnel_id(7), m.in_port(1), IP6,
        m.ipv6_dst(IP6_SRC), m.ct_state(0x21, 0x21),
    ],
    "mpls_label": [MPLS, m.mpls_label(300)],
    "mpls whole": [
        m.in_port(3), m.reg(1, 2), m.mpls_label(0xFFFFF), MPLS, m.mpls_bos(1), m.eth_dst(MAC), m.tunnel_id(4),
    ],
    "arp_op": [ARP, m.arp_op(1)],
    "arp_spa": [ARP, m.arp_spa("10.1.1.11")],
    "arp_spa masked": [ARP, m.arp_spa("10.1.1.0", "255.255.255.0")],
    "arp_tpa": [ARP, m.arp_tpa("10.1.1.1")],
    "arp_tpa masked": [ARP, m.arp_tpa("10.1.0.0", "255.255.0.0")],
    "arp_sha": [ARP, m.arp_sha(MAC)],
    "arp_tha": [ARP, m.arp_tha(MAC)],
    "tunnel_id": [m.tunnel_id(5001)],
    "tun_ipv4_src": [m.tun_ipv4_src("172.31.0.1")],
    "tun_ipv4_dst": [m.tun_ipv4_dst("172.31.0.2")],
    **{f"reg{n}": [m.reg(n, 0x01020304 + n)] for n in range(16)},
    **{f"reg{n} masked": [m.reg(n, 0x100, 0xF00)] for n in range(16)},
    "ct_state": [IP, m.ct_state(NEW, NEW | wire.CT_ESTABLISHED)],
    "ct_zone": [IP, m.ct_zone(77)],
    "ct_mark": [IP, m.ct_mark(5)],
    "ct_mark masked": [IP, m.ct_mark(4, 6)],
    "conj_id": [m.conj_id(4711)],
    "arp whole": [
        m.metadata(9), m.reg(1, 3), ARP, m.arp_tpa("10.1.1.1"), m.arp_op(1), m.in_port(3), m.eth_dst(MAC),
    ],
    "policy whole": [
        m.metadata(9), m.ct_state(0x21, 0x2F), m.reg(8, 4), m.reg(4, 7), m.reg(3, 1, 1), m.tunnel_id(4), IP,
        TCP, m.tcp_dst(0x1F40, 0xFFC0), m.ip_dscp(10), m.ipv4_dst("10.0.0.0", "255.0.0.0"),
        m.ipv4_src("10.1.1.1"), m.eth_dst(MAC), m.eth_src(MAC), m.in_port(3), m.ip_frag(0),
        m.tun_ipv4_src("172.31.0.1"), m.ct_zone(7),
    ],
}  # fmt: skip

# Actions, and the match they need.
ACTIONS: dict[str, tuple[list[Match], list[Action]]] = {
    "drop": ([], []),
    "output": ([], [a.output(7)]),
    "output local": ([], [a.output(wire.PORT_LOCAL)]),
    "in_port": ([], [a.in_port()]),
    "controller": ([], [a.controller(128)]),
    "controller whole": ([], [a.controller()]),
    "output_reg": ([], [a.output_reg(15)]),
    "load_in_port": ([], [a.load_in_port(), a.output(1)]),
    "load_in_port of another": ([], [a.load_in_port(7), a.output(1)]),
    "push_vlan": ([m.vlan_vid(0)], [a.push_vlan(), a.set_field("vlan_vid", 0x1000 | 42), a.output(1)]),
    "push_vlan untold": ([], [a.push_vlan(), a.set_field("vlan_vid", 0x1FFF)]),
    "pop_vlan": ([m.vlan_vid(0x1000, 0x1000)], [a.pop_vlan(), a.output(1)]),
    "push_mpls": ([IP], [a.dec_ttl(), a.push_mpls(), a.set_field("mpls_label", 300), a.output(1)]),
    "pop_mpls": ([MPLS, m.mpls_bos(1)], [a.pop_mpls(wire.ETH_IPV6), a.set_field("eth_dst", MAC)]),
    "sample": ([], [a.sample(65535, 7, 5003, 42), a.output(2)]),
    "clone": ([], [a.clone([a.load_in_port(), a.output(1)]), a.output(2)]),
    "clone for sure": ([], [a.clone([a.resubmit(9), a.output_alone(1)]), a.output(2)]),
    "multipath": ([IP], [a.multipath(a.SYMMETRIC_L3L4_UDP, 1024, a.MODULO_N, 64, 6)]),
    "multipath nw_src": ([IP], [a.multipath(a.NW_SRC, 0, a.MODULO_N, 64, 6, 8, 6)]),
    "multipath nw_dst": ([IP6], [a.multipath(a.NW_DST, 0xFFFF, wire.HRW, 2, 15, 31, 1), a.resubmit(9)]),
    "multipath one": ([], [a.multipath(wire.SYMMETRIC_L3L4, 1, a.MODULO_N, 1, 0)]),
    "multipath most": ([], [a.multipath(wire.SYMMETRIC_L3, 1, wire.HASH_THRESHOLD, 0x10000, 0, 16, 16)]),
    "group": ([], [a.group(5)]),
    "set eth_src": ([], [a.set_field("eth_src", MAC)]),
    "set eth_dst": ([], [a.set_field("eth_dst", "02:00:00:00:00:01")]),
    "set vlan_vid": ([m.vlan_vid(0x1000 | 100)], [a.set_field("vlan_vid", 0x1000 | 200)]),
    "set ipv4_src": ([IP], [a.set_field("ipv4_src", "10.1.1.1")]),
    "set ipv4_dst": ([IP], [a.set_field("ipv4_dst", 0x0A010102)]),
    "set ip_dscp": ([IP], [a.set_field("ip_dscp", 46)]),
    "set_dscp": ([IP6], [a.set_dscp(10)]),
    "set ip_ecn": ([IP], [a.set_field("ip_ecn", 1)]),
    "set nw_ttl": ([IP6], [a.set_field("nw_ttl", 255)]),
    "set ipv6_src": ([IP6], [a.set_field("ipv6_src", IP6_SRC)]),
    "set ipv6_dst": ([IP6], [a.set_field("ipv6_dst", IP6_DST)]),
    "set icmpv6_type": ([IP6, ICMP6], [a.set_field("icmpv6_type", 129), a.set_field("icmpv6_code", 0)]),
    "set nd": (
        ADVERT,
        [
            a.set_field("nd_target", IP6_SRC), a.set_field("nd_tll", MAC), a.set_field("nd_options_type", 2),
            a.set_field("nd_reserved", 0xE0000000),
        ],
    ),
    "set nd_sll": (SOLICIT, [a.set_field("nd_sll", MAC)]),
    "set tun_ipv6": ([], [a.set_field("tun_ipv6_src", IP6_SRC), a.set_field("tun_ipv6_dst", IP6_DST)]),
    "set tun_erspan": (
        [],
        [
            a.set_field("tun_erspan_ver", 2), a.set_field("tun_erspan_idx", 0x12345), a.set_field("tun_erspan_dir", 1),
            a.set_field("tun_erspan_hwid", 0x3F),
        ],
    ),
    "set arp_op": ([ARP], [a.set_field("arp_op", 2)]),
    "set arp_spa": ([ARP], [a.set_field("arp_spa", "10.1.1.1")]),
    "set arp_tpa": ([ARP], [a.set_field("arp_tpa", "10.1.1.2")]),
    "set arp_sha": ([ARP], [a.set_field("arp_sha", MAC)]),
    "set arp_tha": ([ARP], [a.set_field("arp_tha", MAC)]),
    "set tcp_dst": ([IP, TCP], [a.set_field("tcp_dst", 80)]),
    "set icmpv4_type": ([IP, ICMP], [a.set_field("icmpv4_type", 0)]),
    "set tunnel_id": ([], [a.set_field("tunnel_id", 5001)]),
    "set tun_ipv4_src": ([], [a.set_field("tun_ipv4_src", "172.31.0.1")]),
    "set tun_ipv4_dst": ([], [a.set_field("tun_ipv4_dst", "172.31.0.2")]),
    "set metadata": ([], [a.set_metadata(0x1122334455667788)]),
    **{f"set reg{n}": ([], [a.set_reg(n, 0xFFFFFFFF - n)]) for n in range(16)},
    "set_ttl": ([IP], [a.set_ttl(64)]),
    "dec_ttl": ([IP], [a.dec_ttl()]),
    "load": ([], [a.load("reg3", 4, 8, 0xAB)]),
    "load metadata": ([], [a.load("metadata", 0, 64, 1 << 63)]),
    "load eth_dst": ([], [a.load("eth_dst", 0, 48, 0x020000000001)]),
    "move eth": ([], [a.move("eth_src", "eth_dst")]),
    "move arp": ([ARP], [a.move("arp_sha", "arp_tha"), a.move("arp_spa", "arp_tpa")]),
    "move ipv4": ([IP], [a.move("ipv4_src", "reg1"), a.move("reg1", "ipv4_dst")]),
    "move in_port": ([], [a.move("in_port", "reg1")]),
    "move ipv6": ([IP6], [a.move("ipv6_src", "ipv6_dst"), a.move("eth_src", "eth_dst")]),
    "move part of ipv6": ([IP6], [a.move("ipv6_src", "reg1", 32, source_first=96)]),
    "move nd": (SOLICIT, [a.move("nd_target", "ipv6_src"), a.move("nd_sll", "eth_dst")]),
    "move tun_ipv6": ([], [a.move("tun_ipv6_src", "tun_ipv6_dst")]),
    "move bits": ([], [a.move("metadata", "reg5", 16, source_first=8, target_first=16)]),
    "move tunnel": ([], [a.move("tunnel_id", "reg5", 32), a.move("tun_ipv4_src", "reg6")]),
    "resubmit": ([], [a.resubmit(9)]),
    "conjunction": ([], [a.conjunction(4711, 1, 2)]),
    "conjunctions": ([], [a.conjunction(9, 3, 3), a.conjunction(4711, 1, 2), a.conjunction(3, 2, 2)]),
    "ct": ([IP], [a.ct(zone=77, table=9)]),
    "ct of register": ([IP], [a.ct(zone_reg=6, table=9)]),
    "ct of the upper half of a register": ([IP], [a.ct(zone_reg=6, zone_first=16, table=9)]),
    "ct nat": ([IP], [a.ct(zone_reg=6, table=9, nested=[a.nat()])]),
    "ct nat src": ([IP], [a.ct(zone=7, commit=True, nested=[a.nat(src=("203.0.113.1", "203.0.113.9"))])]),
    "ct nat src ports": (
        [IP],
        [a.ct(zone=7, commit=True, table=9, nested=[a.nat(src=(0xCB007101, 0xCB007101), ports=(1024, 65535))])],
    ),
    "ct nat dst": ([IP], [a.ct(zone=7, commit=True, nested=[a.nat(dst=("10.1.1.1", "10.1.1.1"))])]),
    "ct nat dst port": (
        [IP],
        [
            a.ct(
                zone_reg=6, zone_first=16, commit=True, table=9,
                nested=[a.nat(dst=("10.1.1.1", "10.1.1.1"), ports=(80, 80)), a.set_field("ct_mark", 5)],
            )
        ],
    ),
    "ct nat ipv6 src": ([IP6], [a.ct(zone=7, commit=True, nested=[a.nat(src=(IP6_SRC, "2001:db8::19"))])]),
    "ct nat ipv6 ports": (
        [IP6],
        [a.ct(zone=7, commit=True, nested=[a.nat(src=(IP6_DST, IP6_DST), ports=(1024, 2047))])],
    ),
    "ct nat ipv6 range and ports": (
        [IP6],
        [a.ct(zone=7, commit=True, nested=[a.nat(src=(1 << 125, (1 << 125) + 9), ports=(1, 9), version=6)])],
    ),
    "ct nat ipv6 dst": ([IP6], [a.ct(zone=7, commit=True, nested=[a.nat(dst=(IP6_SRC, IP6_SRC), ports=(80, 80))])]),
    "ct commit": ([IP], [a.ct(zone=7, commit=True)]),
    "ct commit mark": ([IP], [a.ct(zone_reg=6, commit=True, table=3, nested=[a.set_field("ct_mark", 5)])]),
    "ct two nested": (
        [IP],
        [a.ct(zone=6, commit=True, nested=[a.set_field("ct_mark", 5), a.load("ct_mark", 8, 8, 1)])],
    ),
    "together": ([], [a.together(a.set_reg(5, 7), a.resubmit(9)), a.together(a.output(3)), a.together()]),
    "arp reply": (
        [ARP],
        [
            a.move("eth_src", "eth_dst"), a.set_field("eth_src", MAC), a.set_field("arp_op", 2),
            a.move("arp_sha", "arp_tha"), a.set_field("arp_sha", MAC), a.move("arp_spa", "arp_tpa"),
            a.set_field("arp_spa", "10.1.1.1"), a.in_port(),
        ],
    ),
    "flood": (
        [],
        [
            piece
            for n in range(1, 41)
            for piece in (
                a.set_field("tun_ipv4_dst", 0xAC1F0000 + n), a.output(65000), a.set_reg(5, n), a.resubmit(9),
            )
        ],
    ),
}  # fmt: skip
