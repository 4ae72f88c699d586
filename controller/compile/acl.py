"""Rules as flows: one conjunction per policy entry over the identities of both ends and the transport.

    conj clause `from`   rule_from = identity      one flow per identity that the entry's `from` names
    conj clause `to`     rule_to = identity        one flow per identity that its `to` names
    conj clause L4       protocol, ports, DSCP     one flow per port range piece, and its mirror image for replies
    conj_id              -> verdict                the rule's counter

An entry with a single clause needs no conjunction, one with none matches every packet. Each entry has a priority of its
own, so the first match decides. A new vport in a known set changes nothing here; one more entry costs its identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.compile.policy import DomainPolicy, Rule
from controller.compile.skeleton import look_up
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, Verdict, cookie
from data.schema.objects import Entry

__all__ = ["default", "port_pieces", "protocol_number", "rule", "track"]

_IPV4 = match.eth_type(wire.ETH_IPV4)
_PROTOCOLS = {"icmp": wire.IP_ICMP, "tcp": wire.IP_TCP, "udp": wire.IP_UDP, "sctp": wire.IP_SCTP}
_PORT_NAMES = {wire.IP_TCP: "tcp", wire.IP_UDP: "udp", wire.IP_SCTP: "sctp"}
_MIRRORED_ICMP = {8: 0, 13: 14, 15: 16, 17: 18}  # RFC 792: request -> reply
_LOG_BYTES = 128  # of a logged packet that reach the controller: enough for the 5-tuple

_ACL = {"ingress": Table.INGRESS_ACL, "egress": Table.EGRESS_ACL}
_LOOK_UP = {
    "ingress": (Table.INGRESS_TRACK, Table.INGRESS_STATE, Table.INGRESS_VERDICT, Register.FROM_PORT),
    "egress": (Table.EGRESS_TRACK, Table.EGRESS_STATE, Table.EGRESS_VERDICT, Register.TO_PORT),
}


def _clause_template(table: Table, register: Register) -> Template:
    return Template(
        table=table,
        priority=Field("priority"),
        cookie=Field("cookie"),
        match=[_IPV4, match.metadata(Field("domain")), match.reg(register, Field("identity"))],
        actions=[actions.conjunction(Field("number"), Field("clause"), Field("clauses"))],
        fields=("priority", "cookie", "domain", "identity", "number", "clause", "clauses"),
    )


_CLAUSE = {
    (side, register): _clause_template(table, register).pack
    for side, table in _ACL.items()
    for register in (Register.RULE_FROM, Register.RULE_TO)
}


def track(owner: int, domain: int, policy: DomainPolicy) -> Iterator[bytes]:
    """Whether the packets of a domain are looked at on their way in and out, and with the connection tracker or not."""
    for side in policy.directions:
        table, state, verdict, zone = _LOOK_UP[side]
        matches = [_IPV4, match.metadata(domain)]
        if policy.tracked:
            yield flow(table, Priority.NORMAL, owner, matches, [actions.ct(zone_reg=zone, table=state)])
        else:
            yield flow(table, Priority.NORMAL, owner, matches, look_up(_ACL[side], reply=False), verdict)


def default(policy: DomainPolicy, number: int, domain: int) -> Iterator[bytes]:
    """What happens to a packet that no rule matches.

    Where connections are tracked, an allowed one is tracked as well: otherwise its receiver could not tell a reply
    from a packet that begins something.
    """
    for side in policy.directions:
        feature = Feature.DEFAULT_INGRESS if side == "ingress" else Feature.DEFAULT_EGRESS
        allow = Verdict.ALLOW_TRACKED if policy.tracked else Verdict.ALLOW
        verdict = allow if policy.defaults[side] else Verdict.DENY
        yield flow(
            _ACL[side],
            Priority.DEFAULT,
            cookie(Owner.DOMAIN, feature, number),
            [_IPV4, match.metadata(domain)],
            [actions.set_reg(Register.VERDICT, verdict)],
        )


def rule(policy: DomainPolicy, item: Rule, number: int, domain: int) -> Iterator[bytes]:
    """All flows of one entry; `number` is its object number, also its conjunction id."""
    table = _ACL[item.direction]
    priority = policy.priorities[item.path]
    owner = cookie(Owner.ENTRY, Feature.RULE, number)
    ends = [
        (Register.RULE_FROM, policy.identities(item.source), item.source),
        (Register.RULE_TO, policy.identities(item.target), item.target),
    ]
    named = [(register, identities) for register, identities, term in ends if term is not None]
    if any(not identities for _, identities in named):
        return  # a group without members, say: nothing can match
    transports = [clause for clause in transport_clauses(item.entry, policy.tracked) if clause]
    clauses = len(named) + len(transports)
    base = [_IPV4, match.metadata(domain)]
    if clauses >= 2:
        nth = 0
        for register, identities in named:
            nth += 1
            pack = _CLAUSE[item.direction, register]
            for identity in identities:
                yield pack(priority, owner, domain, identity, number, nth, clauses)
        for alternatives in transports:
            nth += 1
            part = [actions.conjunction(number, nth, clauses)]
            for alternative in alternatives:
                yield flow(table, priority, owner, [*base, *alternative], part)
        ways: list[Sequence[Match]] = [[match.conj_id(number)]]
    elif named:
        register, identities = named[0]
        ways = [[match.reg(register, identity)] for identity in identities]
    elif transports:
        ways = list(transports[0])
    else:
        ways = [[]]
    for way in ways:
        for extra, acts in _verdict(item.entry):
            yield flow(table, priority, owner, [*base, *way, *extra], acts)


def _verdict(entry: Entry) -> Iterator[tuple[list[Match], list[Action]]]:
    """(further matches, actions): a logged entry reports the packets that begin something, not those that go on."""
    if entry.action == "deny":
        verdict = Verdict.DENY
    else:
        verdict = Verdict.ALLOW_STATEFUL if entry.stateful else Verdict.ALLOW
    decide = actions.set_reg(Register.VERDICT, verdict)
    if not entry.log:
        yield [], [decide]
        return
    established = wire.CT_ESTABLISHED
    yield [match.ct_state(0, established)], [decide, actions.controller(_LOG_BYTES)]
    yield [match.ct_state(established, established)], [decide]


def transport_clauses(entry: Entry, tracked: bool) -> Iterator[list[list[Match]]]:
    """The entry's protocol part as one or two clauses (a list of alternatives each), none when it says nothing.

    Where connections are tracked each alternative exists twice: as the rule reads, and mirrored for replies.
    """
    number = protocol_number(entry.protocol)
    fixed: list[Match] = []
    if number is not None:
        fixed.append(match.ip_proto(number))
    if entry.source_port or entry.destination_port:
        assert number is not None
        name = _PORT_NAMES[number]
        if entry.source_port:
            yield list(_ported(fixed, name, "src", "dst", entry.source_port, tracked, entry.dscp))
        if entry.destination_port:
            yield list(_ported(fixed, name, "dst", "src", entry.destination_port, tracked, entry.dscp))
        return
    if entry.icmp_type is not None:
        onward = [*fixed, match.icmpv4_type(entry.icmp_type), *_dscp(entry.dscp)]
        if entry.icmp_code is not None:
            onward.append(match.icmpv4_code(entry.icmp_code))
        if not tracked:
            yield [onward]
            return
        alternatives = [[*onward, match.reg(Register.REPLY, 0)]]
        if entry.icmp_type in _MIRRORED_ICMP:
            back = match.icmpv4_type(_MIRRORED_ICMP[entry.icmp_type])
            alternatives.append([*fixed, back, match.reg(Register.REPLY, 1)])
        yield alternatives
        return
    if entry.dscp is not None and tracked:
        yield [
            [*fixed, *_dscp(entry.dscp), match.reg(Register.REPLY, 0)],
            [*fixed, match.reg(Register.REPLY, 1)],
        ]
    elif entry.dscp is not None:
        yield [[*fixed, *_dscp(entry.dscp)]]
    elif fixed:
        yield [fixed]


def _ported(
    fixed: list[Match], name: str, own: str, mirrored: str, ranges: Sequence[str], tracked: bool, dscp: int | None
) -> Iterator[list[Match]]:
    for text in ranges:
        for value, mask in port_pieces(text):
            narrow = None if mask == 0xFFFF else mask
            if mask == 0:
                onward, back = list(fixed), list(fixed)
            else:
                onward = [*fixed, match.field(f"{name}_{own}", value, narrow)]
                back = [*fixed, match.field(f"{name}_{mirrored}", value, narrow)]
            onward += _dscp(dscp)
            if not tracked:
                yield onward
                continue
            yield [*onward, match.reg(Register.REPLY, 0)]
            yield [*back, match.reg(Register.REPLY, 1)]


def _dscp(value: int | None) -> list[Match]:
    return [] if value is None else [match.ip_dscp(value)]


def protocol_number(name: str | None) -> int | None:
    """The IP protocol number of a protocol leaf; None for any."""
    if name is None:
        return None
    return _PROTOCOLS.get(name) or int(name)


def port_pieces(text: str) -> Iterator[tuple[int, int]]:
    """A port or range ('80', '8000-8010') as (value, mask) pairs, at most 30 of them."""
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    while low <= high:
        size = low & -low or 0x10000
        while size > high - low + 1:
            size >>= 1
        yield low, 0x10000 - size & 0xFFFF
        low += size
