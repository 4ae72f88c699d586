"""How packets get to a vport: routed into its subnet at the source hypervisor, switched there or sent to its tunnel.

Routing is done where the packet starts (TTL minus one, gateway MAC), and the packet travels on the VNI of the
destination's subnet: its own hypervisor only switches.
"""

from __future__ import annotations

from controller.openflow import actions, match, wire
from controller.openflow.packed import Template
from controller.openflow.wire import Field
from controller.pipeline import Priority, Register, Table

__all__ = ["here", "route", "there"]

_VNI, _MAC, _GATEWAY = Field("vni"), Field("mac"), Field("gateway")

_ROUTE = Template(
    table=Table.ROUTE,
    priority=Priority.HIGH,
    cookie=Field("cookie"),
    match=[
        match.metadata(Field("domain")),
        match.eth_dst(_GATEWAY),
        match.eth_type(wire.ETH_IPV4),
        match.ipv4_dst(Field("address")),
    ],
    actions=[
        actions.dec_ttl(),
        actions.set_field("eth_src", _GATEWAY),
        actions.set_field("eth_dst", _MAC),
        actions.set_reg(Register.SUBNET, _VNI),
    ],
    goto=Table.SWITCH,
    fields=("cookie", "domain", "gateway", "address", "mac", "vni"),
)
_HERE = Template(
    table=Table.SWITCH,
    priority=Priority.NORMAL,
    cookie=Field("cookie"),
    match=[match.reg(Register.SUBNET, _VNI), match.eth_dst(_MAC)],
    actions=[actions.set_reg(Register.TO_PORT, Field("port"))],
    goto=Table.EGRESS_TRACK,
    fields=("cookie", "vni", "mac", "port"),
)
_THERE = Template(
    table=Table.SWITCH,
    priority=Priority.NORMAL,
    cookie=Field("cookie"),
    match=[match.reg(Register.SUBNET, _VNI), match.eth_dst(_MAC)],
    actions=[
        actions.set_field("tunnel_id", _VNI),
        actions.set_field("tun_ipv4_dst", Field("endpoint")),
        actions.output(Field("tunnel_port")),
    ],
    fields=("cookie", "vni", "mac", "endpoint", "tunnel_port"),
)

route = _ROUTE.pack
"""(cookie, domain, MAC of the gateways, address, mac, vni) -> flow: into the subnet of a vport's address."""
here = _HERE.pack
"""(cookie, vni, mac, port) -> flow: to a vport on this hypervisor."""
there = _THERE.pack
"""(cookie, vni, mac, endpoint, tunnel_port) -> flow: to a vport behind another hypervisor's tunnel address."""
