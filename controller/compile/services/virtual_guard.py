"""What a vport that shares a virtual IP may send on account of it, on its own hypervisor.

    announcement   gratuitous ARP, unsolicited advertisement   to the controller, and no further
    other ARP, ND  that says it has the address                to the controller, and on its way
    IP             from the address                            on its way
    probe          whether the address is free                 not answered: it is about to take it

From its own MAC address and from the virtual one, where there is one; from the virtual one also what it sends of
its own (VRRP speaks from there, RFC 9568 section 7.3). That a claim is one of a vport that may claim follows from the
flow that sent it up: whoever else says so meets its own guard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.compile.addresses import FAMILIES, Ip, address, link_local, value
from controller.openflow import actions, match, wire
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie
from data.schema.objects import Vport

__all__ = ["CLAIM_BYTES", "flows"]

CLAIM_BYTES = 128  # of a claim that reach the controller: an advertisement over Ethernet has 86
_ANNOUNCES = Priority.HIGHEST + 3
_SAYS = Priority.HIGHEST + 2
_CHECKED = Priority.HIGHEST + 1  # as the vport's own neighbour discovery (`port.py`)
_ROUTER_SOLICITATION, _ADVERTISED, _SOLICITATION, _ADVERTISEMENT, _REDIRECT = 133, 134, 135, 136, 137  # RFC 4861
_LISTENER_REPORT = 143  # RFC 3810
_ALL_NODES = "ff02::1"
_NONE = bytes(6)  # a link-layer address option that is left out
_ARP = [match.eth_type(wire.ETH_ARP)]
_ICMPV6 = [match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_ICMPV6)]


class _Guard:
    """Flows of the vport with this slot on account of the virtual IP with this number."""

    def __init__(self, number: int, slot: int) -> None:
        self._number = number
        self._from = match.reg(Register.FROM_PORT, slot)

    def claims(self, priority: int, *matches: Match, passes: bool) -> bytes:
        goto = Table.RESPONDER if passes else None
        return self._flow(Table.SPOOF_GUARD, priority, Feature.CLAIM, matches, goto, up=True)

    def passes(self, priority: int, *matches: Match) -> bytes:
        return self._flow(Table.SPOOF_GUARD, priority, Feature.FORWARD, matches, Table.RESPONDER)

    def drops(self, priority: int, feature: Feature, *matches: Match, table: Table = Table.SPOOF_GUARD) -> bytes:
        return self._flow(table, priority, feature, matches, None)

    def _flow(
        self,
        table: Table,
        priority: int,
        feature: Feature,
        matches: Sequence[Match],
        goto: Table | None,
        up: bool = False,
    ) -> bytes:
        acts = [actions.controller(CLAIM_BYTES)] if up else []
        mark = cookie(Owner.SERVICE, feature, self._number)
        return flow(table, priority, mark, [self._from, *matches], acts, goto)


def flows(number: int, slot: int, vport: Vport, own: bytes, ip: Ip, virtual: bytes | None) -> Iterator[bytes]:
    """`number` is that of the virtual IP, `own` the MAC address of the vport, `virtual` the one they share."""
    guard = _Guard(number, slot)
    yield from _probes(guard, ip)
    for hardware in (own,) if virtual is None else (own, virtual):
        yield from _claims(guard, hardware, ip)
    addresses = [address(text) for text in vport.address]
    if vport.anti_spoofing == "off":
        return
    if vport.anti_spoofing == "mac" or not addresses:
        if virtual is not None:
            yield guard.passes(Priority.NORMAL, match.eth_src(virtual))
        return
    yield guard.passes(Priority.HIGH, match.eth_src(own), *_source(ip))
    if ip.version == 6 and all(one.version == 4 for one in addresses):
        yield from _no_other_discovery(guard, match.eth_src(own), match.ipv6_src(ip.packed))
    if virtual is not None:
        yield from _virtual(guard, virtual, [*addresses, ip], ip)


def _source(ip: Ip) -> list[Match]:
    family = FAMILIES[ip.version]
    return [family.is_ip, match.field(family.source, value(ip))]


def _probes(guard: _Guard, ip: Ip) -> Iterator[bytes]:
    if ip.version == 4:
        asks = [*_ARP, match.arp_spa(0), match.arp_tpa(ip.number)]
    else:
        asks = [*_ICMPV6, match.icmpv6_type(_SOLICITATION), match.ipv6_src("::"), match.nd_target(ip.packed)]
    yield guard.drops(Priority.HIGHEST, Feature.RESPONDER, *asks, table=Table.RESPONDER)


def _claims(guard: _Guard, hardware: bytes, ip: Ip) -> Iterator[bytes]:
    sender = match.eth_src(hardware)
    if ip.version == 4:
        says = [sender, *_ARP, match.arp_sha(hardware), match.arp_spa(ip.number)]
        yield guard.claims(_ANNOUNCES, *says, match.arp_tpa(ip.number), passes=False)
        yield guard.claims(_SAYS, *says, passes=True)
        return
    for said in (hardware, _NONE):
        has = [match.icmpv6_type(_ADVERTISEMENT), match.nd_target(ip.packed), match.nd_tll(said)]
        asks = [match.icmpv6_type(_SOLICITATION), match.ipv6_src(ip.packed), match.nd_sll(said)]
        yield guard.claims(_ANNOUNCES, sender, *_ICMPV6, *has, match.ipv6_dst(_ALL_NODES), passes=False)
        yield guard.claims(_SAYS, sender, *_ICMPV6, *has, passes=True)
        yield guard.claims(_SAYS, sender, *_ICMPV6, *asks, passes=True)


def _virtual(guard: _Guard, hardware: bytes, addresses: list[Ip], ip: Ip) -> Iterator[bytes]:
    """What the vport sends from the virtual MAC address, beside its claims."""
    sender = match.eth_src(hardware)
    local = Ip(6, int.from_bytes(link_local(hardware), "big"))
    versions = {one.version for one in addresses}
    for one in (*addresses, local) if 6 in versions else addresses:
        yield guard.passes(Priority.HIGH, sender, *_source(one))
        if one.version == 6 and one != ip:
            for said in (hardware, _NONE):
                asks = [match.icmpv6_type(_SOLICITATION), match.ipv6_src(one.packed), match.nd_sll(said)]
                yield guard.passes(_CHECKED, sender, *_ICMPV6, *asks)
    if 6 not in versions:
        return
    for said in (hardware, _NONE):
        has = [match.icmpv6_type(_ADVERTISEMENT), match.nd_target(local.packed), match.nd_tll(said)]
        yield guard.passes(_CHECKED, sender, *_ICMPV6, *has)
    for kind in (_ROUTER_SOLICITATION, _LISTENER_REPORT):
        yield guard.passes(_CHECKED, sender, *_ICMPV6, match.icmpv6_type(kind), match.ipv6_src("::"))
    probe = [match.icmpv6_type(_SOLICITATION), match.ipv6_src("::"), match.nd_sll(_NONE)]
    yield guard.passes(_CHECKED, sender, *_ICMPV6, *probe)
    yield from _no_other_discovery(guard, sender)


def _no_other_discovery(guard: _Guard, *sender: Match) -> Iterator[bytes]:
    for kind in (_SOLICITATION, _ADVERTISEMENT, _ADVERTISED, _REDIRECT):
        yield guard.drops(Priority.HIGHEST, Feature.SPOOFED_ND, *sender, *_ICMPV6, match.icmpv6_type(kind))
