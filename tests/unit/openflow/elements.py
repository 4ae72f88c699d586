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
IP, ARP = m.eth_type(wire.ETH_IPV4), m.eth_type(wire.ETH_ARP)
TCP, UDP, SCTP, ICMP = (m.ip_proto(n) for n in (wire.IP_TCP, wire.IP_UDP, wire.IP_SCTP, wire.IP_ICMP))
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
    "vlan_vid among others": [m.metadata(9), m.in_port(3), m.vlan_vid(0), IP, m.eth_src(MAC), m.ipv4_src("10.1.1.1")],
    "ip_proto": [IP, m.ip_proto(47)],
    "ip_dscp": [IP, m.ip_dscp(46)],
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
    "group": ([], [a.group(5)]),
    "set eth_src": ([], [a.set_field("eth_src", MAC)]),
    "set eth_dst": ([], [a.set_field("eth_dst", "02:00:00:00:00:01")]),
    "set vlan_vid": ([m.vlan_vid(0x1000 | 100)], [a.set_field("vlan_vid", 0x1000 | 200)]),
    "set ipv4_src": ([IP], [a.set_field("ipv4_src", "10.1.1.1")]),
    "set ipv4_dst": ([IP], [a.set_field("ipv4_dst", 0x0A010102)]),
    "set ip_dscp": ([IP], [a.set_field("ip_dscp", 46)]),
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
    "move bits": ([], [a.move("metadata", "reg5", 16, source_first=8, target_first=16)]),
    "move tunnel": ([], [a.move("tunnel_id", "reg5", 32), a.move("tun_ipv4_src", "reg6")]),
    "resubmit": ([], [a.resubmit(9)]),
    "conjunction": ([], [a.conjunction(4711, 1, 2)]),
    "conjunctions": ([], [a.conjunction(9, 3, 3), a.conjunction(4711, 1, 2), a.conjunction(3, 2, 2)]),
    "ct": ([IP], [a.ct(zone=77, table=9)]),
    "ct of register": ([IP], [a.ct(zone_reg=6, table=9)]),
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
