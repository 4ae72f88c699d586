"""Rules as flows: one conjunction per policy entry over the identities of both ends and the transport.

    conj clause `from`   rule_from = identity      one flow per identity that the entry's `from` names
    conj clause `to`     rule_to = identity        one flow per identity that its `to` names
    conj clause L4       protocol, ports, DSCP     one flow per port range piece, and its mirror image for replies
    conj_id              -> verdict                the rule's counter

Of a reply the mirrored rules are asked first, and only a stateful one decides about it (skeleton.py). The verdict of
any other stands in a flow of its own there, whose counter is nobody's: about that packet the ordinary rules decide,
and the one that does has the hit.

An entry with a single clause needs no conjunction, one with none matches every packet. Each entry has a priority of its
own, so the first match decides. A new vport in a known set changes nothing here; one more entry costs its identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.compile.addresses import FAMILIES
from controller.compile.policy import DomainPolicy, Rule
from controller.compile.skeleton import look_up
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import Template, flow
from controller.openflow.wire import Field
from controller.pipeline import Feature, Owner, Priority, Register, Table, Verdict, cookie
from data.schema.objects import Entry
from data.schema.services import Redirect
from data.schema.types import PROTOCOL_NUMBERS, port_range

__all__ = [
    "MIRRORED_ICMP",
    "default",
    "icmp_version",
    "mirrors",
    "port_pieces",
    "protocol_number",
    "rule",
    "track",
    "transport_clauses",
]

_PROTOCOLS = PROTOCOL_NUMBERS
_PORT_NAMES = {wire.IP_TCP: "tcp", wire.IP_UDP: "udp", wire.IP_SCTP: "sctp"}
_ICMP = {wire.IP_ICMP: ("icmpv4", 4), wire.IP_ICMPV6: ("icmpv6", 6)}  # protocol -> its fields, IP version
MIRRORED_ICMP = {
    wire.IP_ICMP: {8: 0, 13: 14, 15: 16, 17: 18},  # RFC 792: request -> reply
    wire.IP_ICMPV6: {128: 129, 139: 140},  # RFC 4443, RFC 4620
}
"""For each ICMP protocol which type answers which; entries of other types decide about no replies."""
_NOT_LATER = match.ip_frag(0, 2)  # later fragments have no ICMP header: Open vSwitch shows type and code 0
_LATER = {"src": match.ip_frag(3, 3), "dst": match.ip_frag(2, 2)}  # said in two ways: two clauses need two flows
_ONWARD, _MIRRORED = match.reg(Register.REPLY, 0), match.reg(Register.REPLY, 1)
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
        match=[match.metadata(Field("domain")), match.reg(register, Field("identity"))],
        actions=[actions.conjunction(Field("number"), Field("clause"), Field("clauses"))],
        fields=("priority", "cookie", "domain", "identity", "number", "clause", "clauses"),
    )


_CLAUSE = {
    (table, register): _clause_template(table, register).pack
    for table, registers in (
        (Table.INGRESS_ACL, (Register.RULE_FROM, Register.RULE_TO)),
        (Table.EGRESS_ACL, (Register.RULE_FROM, Register.RULE_TO)),
        (Table.FORWARD, (Register.SOURCE, Register.DESTINATION)),
    )
    for register in registers
}


def track(owner: int, domain: int, policy: DomainPolicy) -> Iterator[bytes]:
    """Whether the packets of a domain are looked at on their way in and out, and with the connection tracker or not."""
    for side in policy.directions:
        table, state, verdict, zone = _LOOK_UP[side]
        for version in policy.families:
            matches = [FAMILIES[version].is_ip, match.metadata(domain)]
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
            [match.metadata(domain)],
            [actions.set_reg(Register.VERDICT, verdict)],
        )


def rule(policy: DomainPolicy, item: Rule, number: int, domain: int) -> Iterator[bytes]:
    """All flows of one entry; `number` is its object number, also its conjunction id."""
    priority = policy.priorities[item.path]
    owner = cookie(Owner.ENTRY, Feature.RULE, number)
    if isinstance(item.entry, Redirect):
        ends = (Register.SOURCE, Register.DESTINATION)
        aside = [actions.set_reg(Register.TARGET, number)] if item.entry.redirects else []
        onward: list[Decision] = [([], aside, Table.MARK, owner)]
        return _flows(policy, item, Table.FORWARD, ends, priority, owner, number, domain, onward)
    ends = (Register.RULE_FROM, Register.RULE_TO)
    verdict, of_each = _verdict(item.entry)
    decisions: list[Decision]
    if policy.tracked and not item.entry.stateful:
        passed_over = cookie(Owner.ENTRY, Feature.PASSED_OVER, number)
        decisions = [([*extra, _ONWARD], acts, None, owner) for extra, acts in of_each]
        decisions.append(([_MIRRORED], [verdict], None, passed_over))
    else:
        decisions = [(extra, acts, None, owner) for extra, acts in of_each]
    return _flows(policy, item, _ACL[item.direction], ends, priority, owner, number, domain, decisions)


Decision = tuple[list[Match], list[Action], Table | None, int]
"""Further matches, what is done, the table to go on in, and the cookie."""


def _flows(
    policy: DomainPolicy,
    item: Rule,
    table: Table,
    registers: tuple[Register, Register],
    priority: int,
    owner: int,
    number: int,
    domain: int,
    decide: Sequence[Decision],
) -> Iterator[bytes]:
    ends = [
        (registers[0], policy.identities(item.source), item.source),
        (registers[1], policy.identities(item.target), item.target),
    ]
    named = [(register, identities) for register, identities, term in ends if term is not None]
    transports = list(transport_clauses(item.entry, policy.tracked, policy.families))
    if any(not identities for _, identities in named) or any(not alternatives for alternatives in transports):
        return  # a group without members, say: nothing can match
    clauses = len(named) + len(transports)
    base = [match.metadata(domain)]
    if clauses >= 2:
        nth = 0
        for register, identities in named:
            nth += 1
            pack = _CLAUSE[table, register]
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
        for extra, acts, following, mark in decide:
            if (matches := _together(way, extra)) is not None:
                yield flow(table, priority, mark, [*base, *matches], acts, following, told=mark == owner)


def _together(way: Sequence[Match], extra: Sequence[Match]) -> list[Match] | None:
    """Both; None when one is about replies and the other about what is none."""
    if (_ONWARD in way and _MIRRORED in extra) or (_MIRRORED in way and _ONWARD in extra):
        return None
    return [*way, *(one for one in extra if one not in way)]


def _verdict(entry: Entry) -> tuple[Action, list[tuple[list[Match], list[Action]]]]:
    """The verdict, and (further matches, actions) of each flow that has it: a logged entry reports the packets that
    begin something, not those that go on."""
    if entry.action == "deny":
        verdict = Verdict.DENY
    else:
        verdict = Verdict.ALLOW_STATEFUL if entry.stateful else Verdict.ALLOW
    decide = actions.set_reg(Register.VERDICT, verdict)
    if not entry.log:
        return decide, [([], [decide])]
    established = wire.CT_ESTABLISHED
    return decide, [
        ([match.ct_state(0, established)], [decide, actions.controller(_LOG_BYTES)]),
        ([match.ct_state(established, established)], [decide]),
    ]


def transport_clauses(entry: Entry | Redirect, tracked: bool, families: Sequence[int]) -> Iterator[list[list[Match]]]:
    """The entry's protocol part as one or two clauses (a list of alternatives each), none when it says nothing.

    A clause without alternatives cannot match: ICMP in a domain without IPv4. Where connections are tracked each
    alternative exists twice: as the rule reads, and mirrored for replies. Packet-based forwarding sees no replies.
    """
    tracked = tracked and isinstance(entry, Entry)
    number = protocol_number(entry.protocol)
    if number is None and entry.dscp is None:
        return
    fixed: list[tuple[list[Match], list[Match]]] = []  # as whole packets and first fragments show it, and later ones
    for version in families:
        if icmp_version(number) not in (None, version):
            continue
        family = FAMILIES[version].is_ip
        whole = [family] if number is None else [family, match.ip_proto(number)]
        fixed.append(
            (whole, [family, match.ip_proto(wire.IP_FRAGMENT)] if version == 6 and number is not None else whole)
        )
    if entry.source_port or entry.destination_port:
        assert number is not None
        name = _PORT_NAMES[number]
        for ports, own, mirrored in ((entry.source_port, "src", "dst"), (entry.destination_port, "dst", "src")):
            if ports:
                yield [
                    alternative
                    for whole, later in fixed
                    for part in (
                        _ported(whole, name, own, mirrored, ports, tracked, entry),
                        _later(later, tracked, entry, _LATER[own]),
                    )
                    for alternative in part
                ]
        return
    yield [alternative for whole, later in fixed for alternative in _plain(whole, later, entry, number, tracked)]


def _plain(
    base: list[Match], later: list[Match], entry: Entry | Redirect, number: int | None, tracked: bool
) -> Iterator[list[Match]]:
    """Without ports: protocol, ICMP type and code, DSCP."""
    icmp = isinstance(entry, Entry) and (entry.icmp_type is not None or entry.icmp_code is not None)
    onward, back = [*base, *_dscp(entry.dscp)], list(base)
    mirrored = mirrors(entry)
    if icmp:
        assert isinstance(entry, Entry) and number is not None
        name = _ICMP[number][0]
        onward.append(_NOT_LATER)
        if entry.icmp_code is not None:
            onward.append(match.field(f"{name}_code", entry.icmp_code))
        if entry.icmp_type is not None:
            onward.append(match.field(f"{name}_type", entry.icmp_type))
            reply = MIRRORED_ICMP[number].get(entry.icmp_type)
            mirrored = mirrored and reply is not None
            if reply is not None:
                back += [match.field(f"{name}_type", reply), _NOT_LATER]
    if icmp or later != base:
        yield from _later(later, tracked, entry, _LATER["dst"])
    if not tracked or not (icmp or entry.dscp is not None):
        yield onward
        return
    yield [*onward, _ONWARD]
    if mirrored:
        yield [*back, _MIRRORED]


def _later(base: list[Match], tracked: bool, entry: Entry | Redirect, is_later: Match) -> Iterator[list[Match]]:
    """Later fragments show no ports and no ICMP type, over IPv6 not even the protocol. What allows packets by these
    allows them too, for without the first fragment, about which the rules decide, nobody can put them together; what
    denies leaves them alone."""
    if isinstance(entry, Entry) and entry.action == "deny":
        return
    if not tracked:
        yield [*base, is_later, *_dscp(entry.dscp)]
        return
    yield [*base, is_later, *_dscp(entry.dscp), _ONWARD]
    if mirrors(entry):
        yield [*base, is_later, _MIRRORED]


def mirrors(entry: Entry | Redirect) -> bool:
    """Whether an entry decides about replies. They do not tell their opener's DSCP and ICMP code: one that asks for
    these does so only when it is stateful, any other would refuse the replies of connections that it did not match."""
    return isinstance(entry, Entry) and (entry.stateful or (entry.dscp is None and entry.icmp_code is None))


def _ported(
    fixed: list[Match],
    name: str,
    own: str,
    mirrored: str,
    ranges: Sequence[str],
    tracked: bool,
    entry: Entry | Redirect,
) -> Iterator[list[Match]]:
    for text in ranges:
        for value, mask in port_pieces(text):
            narrow = None if mask == 0xFFFF else mask
            if mask == 0:
                onward, back = list(fixed), list(fixed)
            else:
                onward = [*fixed, match.field(f"{name}_{own}", value, narrow)]
                back = [*fixed, match.field(f"{name}_{mirrored}", value, narrow)]
            onward += _dscp(entry.dscp)
            if not tracked:
                yield onward
                continue
            yield [*onward, _ONWARD]
            if mirrors(entry):
                yield [*back, _MIRRORED]


def _dscp(value: int | None) -> list[Match]:
    return [] if value is None else [match.ip_dscp(value)]


def protocol_number(name: str | None) -> int | None:
    """The IP protocol number of a protocol leaf; None for any."""
    if name is None:
        return None
    return _PROTOCOLS.get(name) or int(name)


def icmp_version(number: int | None) -> int | None:
    """The IP version that alone has this protocol; None for what either may carry."""
    return None if number not in _ICMP else _ICMP[number][1]


def port_pieces(text: str) -> Iterator[tuple[int, int]]:
    """A port or range ('80', '8000-8010') as (value, mask) pairs, at most 30 of them."""
    low, high = port_range(text)
    while low <= high:
        size = low & -low or 0x10000
        while size > high - low + 1:
            size >>= 1
        yield low, 0x10000 - size & 0xFFFF
        low += size
