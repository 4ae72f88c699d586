"""Flows that every hypervisor holds, with or without vports: how the tables hang together.

The stateful part follows the recipe that was measured: a conntrack zone per vport, and every packet looked at again.
A reply is first matched against the mirrored rules of the other direction; only a stateful verdict lets it pass, any
other sends it through the ordinary rules like a packet that begins something.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.addresses import FAMILIES, narrow
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.ovsdb.model import MPLS_OFPORT
from controller.pipeline import (
    ANSWERED,
    ARRIVED,
    SERVICE_ZONE,
    Feature,
    Owner,
    Priority,
    Register,
    Table,
    Verdict,
    cookie,
)
from data.addresses import LINK_LOCAL

__all__ = ["flows", "look_up", "returned"]

_FIRST = Priority.HIGHEST + 1
_INCOMPLETE = Priority.HIGHEST + 99
_UNROUTED = Priority.PREFIX + 4 * 128 + 4  # before every route, see reach.priority

_PASSED = {
    Table.INGRESS_TRACK: Table.FORWARD,
    Table.FORWARD: Table.MARK,
    Table.MARK: Table.SERVICE,
    Table.SERVICE: Table.ROUTE,
    Table.ROUTE: Table.SWITCH,
    Table.TRANSLATE: Table.SWITCH,
    Table.SWITCH: Table.FLOOD,
    Table.RETURN: Table.EGRESS_TRACK,
    Table.RETURNED: Table.EGRESS_TRACK,
    Table.EGRESS_TRACK: Table.NAT_OUT,
    Table.NAT_OUT: Table.DELIVER,
}
"""Where a packet goes on that no flow of a table is about."""
_DISCOVERY = (133, 134, 135, 136, 137)  # RFC 4861: answered here or by the controller, never flooded
_FORWARD = cookie(Owner.FABRIC, Feature.FORWARD, 0)
_IP = [family.is_ip for family in FAMILIES.values()]


def look_up(acl: Table, reply: bool) -> list[Action]:
    """Present a packet to an acl table: as it is, or as a reply with both ends swapped."""
    first, second = (Register.RULE_TO, Register.RULE_FROM) if reply else (Register.RULE_FROM, Register.RULE_TO)
    return [
        actions.move(f"reg{Register.SOURCE}", f"reg{first}"),
        actions.move(f"reg{Register.DESTINATION}", f"reg{second}"),
        actions.set_reg(Register.REPLY, int(reply)),
        actions.set_reg(Register.VERDICT, 0),
        actions.resubmit(acl),
    ]


def flows(tunnel_port: int, gateway: bytes, router: bytes) -> Iterator[bytes]:
    """Everything that depends on nothing but the number of the tunnel port, the MAC of the gateways, and that of this
    hypervisor's router (`compile/remote.py`)."""
    for ip in _IP:
        yield _plain(Table.RESPONDER, Priority.MISS, [ip], goto=Table.NAT_IN)
    unknown = cookie(Owner.FABRIC, Feature.UNKNOWN_ARP, 0)
    yield flow(Table.RESPONDER, Priority.DEFAULT, unknown, [match.eth_type(wire.ETH_ARP)])
    icmpv6 = [match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_ICMPV6)]
    for kind in _DISCOVERY:
        unknown = cookie(Owner.FABRIC, Feature.UNKNOWN_ND, 0)
        yield flow(Table.RESPONDER, Priority.LOW, unknown, [*icmpv6, match.icmpv6_type(kind)])
    yield _plain(Table.NAT_IN, Priority.DEFAULT, goto=Table.SOURCE)
    yield _plain(Table.SOURCE, Priority.DEFAULT, goto=Table.DESTINATION)
    yield _plain(Table.DESTINATION, Priority.DEFAULT, goto=Table.INGRESS_TRACK)
    yield _plain(Table.INGRESS_TRACK, Priority.HIGH, [match.in_port(tunnel_port)], goto=Table.SWITCH)
    arrived = [match.reg(Register.REALM, ARRIVED)]
    yield _plain(Table.INGRESS_TRACK, Priority.HIGH, arrived, goto=Table.SWITCH)
    for table, following in _PASSED.items():
        yield _plain(table, Priority.DEFAULT, goto=following)
    yield from _services()
    yield from _wan(tunnel_port, router)
    yield from _policy_side(
        state=Table.INGRESS_STATE,
        reply=Table.INGRESS_REPLY,
        acl=Table.INGRESS_ACL,
        other_acl=Table.EGRESS_ACL,
        verdict=Table.INGRESS_VERDICT,
        zone=Register.FROM_PORT,
        onward=Table.FORWARD,
    )
    yield from _policy_side(
        state=Table.EGRESS_STATE,
        reply=Table.EGRESS_REPLY,
        acl=Table.EGRESS_ACL,
        other_acl=Table.INGRESS_ACL,
        verdict=Table.EGRESS_VERDICT,
        zone=Register.TO_PORT,
        onward=Table.NAT_OUT,
    )
    yield from _incomplete()
    lost = cookie(Owner.FABRIC, Feature.NO_ROUTE, 0)
    for end in ("ipv6_src", "ipv6_dst"):  # never routed (RFC 4291 section 2.5.6)
        link_local = [FAMILIES[6].is_ip, *narrow(end, LINK_LOCAL)]
        yield flow(Table.ROUTE, _UNROUTED, lost, [match.eth_dst(gateway), *link_local])
    yield flow(Table.ROUTE, Priority.LOW, lost, [match.eth_dst(gateway)])


def _wan(tunnel_port: int, router: bytes) -> Iterator[bytes]:
    """What is from the WAN is routed, here alone; what goes there leaves by the tunnel that the route chose."""
    from_wan = [match.reg(Register.SUBNET, 0), match.reg(Register.FROM_PORT, 0)]
    yield _plain(Table.INGRESS_TRACK, _FIRST, from_wan, goto=Table.ROUTE)
    transit = cookie(Owner.FABRIC, Feature.TRANSIT, 0)
    for table in (Table.TRANSLATE, Table.DEPART):
        yield flow(table, _FIRST, transit, from_wan)
    vxlan = [actions.set_field("eth_src", router), actions.output(tunnel_port)]
    yield _plain(Table.DEPART, Priority.NORMAL, [match.reg(Register.TO_PORT, tunnel_port)], vxlan)
    mpls = [actions.output(MPLS_OFPORT)]
    yield _plain(Table.DEPART, Priority.NORMAL, [match.reg(Register.TO_PORT, MPLS_OFPORT)], mpls)


def _incomplete() -> Iterator[bytes]:
    """What of a packet from a vport does not show what the rules are about: a first fragment without its transport
    header (RFC 1858, RFC 7112), and an IPv6 packet that ends among its extension headers. Open vSwitch shows zeros."""
    dropped = cookie(Owner.FABRIC, Feature.INVALID, 0)
    first = match.ip_frag(1)
    for ip in _IP:
        for number, name in ((wire.IP_TCP, "tcp"), (wire.IP_UDP, "udp"), (wire.IP_SCTP, "sctp")):
            ports = [match.field(f"{name}_{end}", 0) for end in ("src", "dst")]
            yield flow(Table.RESPONDER, _INCOMPLETE, dropped, [ip, first, match.ip_proto(number), *ports])
    ipv6 = FAMILIES[6].is_ip
    unknown = [match.ip_proto(wire.IP_ICMPV6), match.icmpv6_type(0), match.icmpv6_code(0)]
    yield flow(Table.RESPONDER, _INCOMPLETE, dropped, [ipv6, first, *unknown])
    yield flow(Table.RESPONDER, _INCOMPLETE, dropped, [ipv6, match.ip_proto(0)])


def _services() -> Iterator[bytes]:
    """What load balancing translated goes on with the identities of its new ends (`balance.py`)."""
    onward = [match.reg(Register.ZONE, SERVICE_ZONE, SERVICE_ZONE | ANSWERED)]
    yield _plain(Table.INGRESS_TRACK, _FIRST, onward, goto=Table.ROUTE)
    back = [match.reg(Register.ZONE, ANSWERED, ANSWERED)]
    yield _plain(Table.INGRESS_TRACK, _FIRST, back, goto=Table.EGRESS_TRACK)
    yield _plain(Table.NAT_OUT, _FIRST, back, goto=Table.DELIVER)
    known = [actions.set_reg(Register.DESTINATION, 0), actions.resubmit(Table.DESTINATION)]
    for state in (wire.CT_ESTABLISHED, wire.CT_RELATED):
        yield _plain(
            Table.BALANCE, Priority.LOW, [match.ct_state(state | wire.CT_TRACKED, state | wire.CT_TRACKED)], known
        )
    for state in (wire.CT_SRC_NAT, wire.CT_DST_NAT):
        translated = match.ct_state(state | wire.CT_TRACKED, state | wire.CT_TRACKED)
        yield _plain(Table.RETURNED, Priority.NORMAL, [translated], returned())
    # A packet that its receiver cannot place would have the connection reset. No reset begins a connection.
    out_of_place = cookie(Owner.FABRIC, Feature.INVALID, 0)
    invalid, new = wire.CT_INVALID | wire.CT_TRACKED, wire.CT_NEW | wire.CT_TRACKED
    for ip in _IP:
        tcp = [ip, match.ip_proto(wire.IP_TCP)]
        yield flow(Table.RETURNED, Priority.HIGH, out_of_place, [*tcp, match.ct_state(invalid, invalid)])
        reset = match.field("tcp_flags", wire.TCP_RST, wire.TCP_RST)
        yield flow(Table.BALANCE, Priority.HIGH, out_of_place, [*tcp, reset, match.ct_state(new, new)])
    yield flow(Table.BALANCE, Priority.DEFAULT, out_of_place)


def returned() -> list[Action]:
    """What an answer does that a load balancer translated: on to the egress policy, as one from the virtual address."""
    return [
        actions.load(f"reg{Register.ZONE}", ANSWERED.bit_length() - 1, 1, 1),
        actions.set_reg(Register.SOURCE, 0),
        actions.set_reg(Register.DESTINATION, 0),
        actions.resubmit(Table.SOURCE),
    ]


def _policy_side(
    *, state: Table, reply: Table, acl: Table, other_acl: Table, verdict: Table, zone: Register, onward: Table
) -> Iterator[bytes]:
    def tracked(value: int, mask: int) -> Match:
        return match.ct_state(value | wire.CT_TRACKED, mask | wire.CT_TRACKED)

    yield _plain(state, Priority.HIGH, [tracked(wire.CT_RELATED, wire.CT_RELATED)], goto=onward)
    answer = wire.CT_ESTABLISHED | wire.CT_REPLY
    yield _plain(state, Priority.NORMAL, [tracked(answer, answer)], look_up(other_acl, reply=True), goto=reply)
    yield _plain(state, Priority.DEFAULT, [], look_up(acl, reply=False), goto=verdict)

    # A packet that is part of no connection (an echo reply nobody asked for, say) may still pass a stateless rule.
    invalid = cookie(Owner.FABRIC, Feature.INVALID, 0)
    stateful = match.reg(Register.VERDICT, Verdict.ALLOW_STATEFUL)
    yield flow(verdict, Priority.HIGHEST, invalid, [tracked(wire.CT_INVALID, wire.CT_INVALID), stateful])
    for decided in (stateful, match.reg(Register.VERDICT, Verdict.ALLOW_TRACKED)):
        yield _plain(reply, Priority.NORMAL, [decided], goto=onward)
        for ip in _IP:  # conntrack wants to know the protocol
            begin = [ip, tracked(wire.CT_NEW, wire.CT_NEW), decided]
            yield _plain(verdict, Priority.HIGH, begin, [actions.ct(commit=True, zone_reg=zone)], goto=onward)
        yield _plain(verdict, Priority.NORMAL, [decided], goto=onward)
    yield _plain(reply, Priority.DEFAULT, [], look_up(acl, reply=False), goto=verdict)
    yield _plain(verdict, Priority.NORMAL, [match.reg(Register.VERDICT, Verdict.ALLOW)], goto=onward)
    denied = cookie(Owner.FABRIC, Feature.DENIED, 0)
    yield flow(verdict, Priority.DEFAULT, denied)


def _plain(
    table: Table,
    priority: int,
    matches: list[Match] | None = None,
    acts: list[Action] | None = None,
    goto: Table | None = None,
) -> bytes:
    return flow(table, priority, _FORWARD, matches or [], acts or [], goto)
