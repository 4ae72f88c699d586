"""Flows that every hypervisor holds, with or without vports: how the tables hang together.

The stateful part follows the recipe that was measured: a conntrack zone per vport, and every packet looked at again.
A reply is first matched against the mirrored rules of the other direction; only a stateful verdict lets it pass, any
other sends it through the ordinary rules like a packet that begins something.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature, Owner, Priority, Register, Table, Verdict, cookie

__all__ = ["flows", "look_up"]

_FORWARD = cookie(Owner.FABRIC, Feature.FORWARD, 0)
_IP = match.eth_type(wire.ETH_IPV4)


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


def flows(tunnel_port: int, gateway: bytes) -> Iterator[bytes]:
    """Everything that depends on nothing but the number of the tunnel port and the MAC of the gateways."""
    yield _plain(Table.RESPONDER, Priority.MISS, [_IP], goto=Table.SOURCE)
    dropped = cookie(Owner.FABRIC, Feature.UNKNOWN_ARP, 0)
    yield flow(Table.RESPONDER, Priority.DEFAULT, dropped, [match.eth_type(wire.ETH_ARP)])
    yield _plain(Table.SOURCE, Priority.DEFAULT, goto=Table.DESTINATION)
    yield _plain(Table.DESTINATION, Priority.DEFAULT, goto=Table.INGRESS_TRACK)
    yield _plain(Table.INGRESS_TRACK, Priority.HIGH, [match.in_port(tunnel_port)], goto=Table.SWITCH)
    yield _plain(Table.INGRESS_TRACK, Priority.DEFAULT, goto=Table.ROUTE)
    yield _plain(Table.EGRESS_TRACK, Priority.DEFAULT, goto=Table.DELIVER)
    yield from _policy_side(
        state=Table.INGRESS_STATE,
        reply=Table.INGRESS_REPLY,
        acl=Table.INGRESS_ACL,
        other_acl=Table.EGRESS_ACL,
        verdict=Table.INGRESS_VERDICT,
        zone=Register.FROM_PORT,
        onward=Table.ROUTE,
    )
    yield from _policy_side(
        state=Table.EGRESS_STATE,
        reply=Table.EGRESS_REPLY,
        acl=Table.EGRESS_ACL,
        other_acl=Table.INGRESS_ACL,
        verdict=Table.EGRESS_VERDICT,
        zone=Register.TO_PORT,
        onward=Table.DELIVER,
    )
    lost = cookie(Owner.FABRIC, Feature.NO_ROUTE, 0)
    yield flow(Table.ROUTE, Priority.LOW, lost, [match.eth_dst(gateway)])
    yield _plain(Table.ROUTE, Priority.DEFAULT, goto=Table.SWITCH)
    yield _plain(Table.SWITCH, Priority.DEFAULT, goto=Table.FLOOD)


def _policy_side(
    *, state: Table, reply: Table, acl: Table, other_acl: Table, verdict: Table, zone: Register, onward: Table
) -> Iterator[bytes]:
    def tracked(value: int, mask: int) -> Match:
        return match.ct_state(value | wire.CT_TRACKED, mask | wire.CT_TRACKED)

    yield _plain(state, Priority.HIGH, [_IP, tracked(wire.CT_RELATED, wire.CT_RELATED)], goto=onward)
    answer = wire.CT_ESTABLISHED | wire.CT_REPLY
    yield _plain(state, Priority.NORMAL, [_IP, tracked(answer, answer)], look_up(other_acl, reply=True), goto=reply)
    yield _plain(state, Priority.DEFAULT, [], look_up(acl, reply=False), goto=verdict)

    # A packet that is part of no connection (an echo reply nobody asked for, say) may still pass a stateless rule.
    invalid = cookie(Owner.FABRIC, Feature.INVALID, 0)
    stateful = match.reg(Register.VERDICT, Verdict.ALLOW_STATEFUL)
    yield flow(verdict, Priority.HIGHEST, invalid, [_IP, tracked(wire.CT_INVALID, wire.CT_INVALID), stateful])
    for decided in (stateful, match.reg(Register.VERDICT, Verdict.ALLOW_TRACKED)):
        yield _plain(reply, Priority.NORMAL, [decided], goto=onward)
        begin = [_IP, tracked(wire.CT_NEW, wire.CT_NEW), decided]
        yield _plain(verdict, Priority.HIGH, begin, [actions.ct(commit=True, zone_reg=zone)], goto=onward)
        yield _plain(verdict, Priority.NORMAL, [decided], goto=onward)
    yield _plain(reply, Priority.DEFAULT, [], look_up(acl, reply=False), goto=verdict)
    yield _plain(verdict, Priority.NORMAL, [match.reg(Register.VERDICT, Verdict.ALLOW)], goto=onward)
    denied = cookie(Owner.FABRIC, Feature.DENIED, 0)
    yield flow(verdict, Priority.DEFAULT, denied)


def _plain(
    table: Table,
    priority: Priority,
    matches: list[Match] | None = None,
    acts: list[Action] | None = None,
    goto: Table | None = None,
) -> bytes:
    return flow(table, priority, _FORWARD, matches or [], acts or [], goto)
