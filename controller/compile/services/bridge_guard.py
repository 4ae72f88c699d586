"""What may come in by a bridge vport: the segment behind it has many MAC addresses, and they are learned.

1  with a tag still in it, of a reserved group address, or without a sender      dropped
2  from the MAC address of a vport of the segment, or of the gateways            dropped
3  that says to have an address of a vport, of a gateway, or of another subnet   dropped
4  ARP replies and advertisements to the gateway: answers to the controller      copied to the controller, go on
5  ARP and ND of a learned MAC address that say a learned address                go on
6  other ARP and ND of a learned MAC address                                     copied to the controller, go on
7  anything else of a learned MAC address                                        goes on
8  everything else: nobody knows its MAC address yet                             copied to the controller, goes on;
                                                                                 dropped once mac-limit is reached
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from controller.compile.addresses import FAMILIES, Ip, Prefix, narrow, value
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie

__all__ = ["ADDRESSES_OF_ONE", "PUNTED_BYTES", "always", "elsewhere", "learned", "protected", "strangers"]

ADDRESSES_OF_ONE = 8
"""IP addresses learned of one MAC address at most; of one that has so many nothing is copied any more."""
PUNTED_BYTES = 128
"""Of a packet that reach the controller: a neighbour advertisement over Ethernet has 86."""

_FIRST = Priority.HIGHEST + 60
_ITS_MAC = Priority.HIGHEST + 50
_ITS_ADDRESS = Priority.HIGHEST + 40
_ANSWER = Priority.HIGHEST + 30
_KNOWN_ADDRESS = Priority.HIGHEST + 20
_OTHER_ADDRESS = Priority.HIGHEST + 10
_KNOWN = Priority.HIGHEST
_STRANGER = Priority.MISS
_REPLY = 2  # RFC 826
_SOLICITATION, _ADVERTISEMENT = 135, 136  # RFC 4861
_OF_ROUTERS = (134, 137)  # RFC 4861: router advertisement, redirect
_ARP = [match.eth_type(wire.ETH_ARP)]
_ICMPV6 = [match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_ICMPV6)]
_RESERVED = match.eth_dst("01:80:c2:00:00:00", "ff:ff:ff:ff:ff:f0")  # IEEE 802.1Q table 8-1: bridges do not pass it on
_GROUP_BIT = match.eth_src("01:00:00:00:00:00", "01:00:00:00:00:00")
_NO_MAC = match.eth_src("00:00:00:00:00:00")


class _Guard:
    """Flows of the bridge vport with this number and slot."""

    def __init__(self, number: int, slot: int) -> None:
        self._number = number
        self._from = match.reg(Register.FROM_PORT, slot)

    def drop(self, priority: int, feature: Feature, *matches: Match) -> bytes:
        return self._flow(priority, feature, matches)

    def passes(self, priority: int, *matches: Match, copied: bool = False) -> bytes:
        copy = [actions.controller(PUNTED_BYTES)] if copied else []
        feature = Feature.LEARN if copied else Feature.FORWARD
        return self._flow(priority, feature, matches, copy, Table.RESPONDER)

    def _flow(
        self,
        priority: int,
        feature: Feature,
        matches: Iterable[Match],
        acts: Sequence[Action] = (),
        goto: Table | None = None,
    ) -> bytes:
        mark = cookie(Owner.VPORT, feature, self._number)
        return flow(Table.SPOOF_GUARD, priority, mark, [self._from, *matches], acts, goto)


def always(number: int, slot: int, router: bytes, routed: bool) -> Iterator[bytes]:
    """What holds whoever is behind it; `router` is the MAC address of the gateways."""
    guard = _Guard(number, slot)
    yield guard.drop(_FIRST, Feature.OTHER_PROTOCOL, _RESERVED)
    yield guard.drop(_FIRST, Feature.SPOOFED_MAC, _GROUP_BIT)
    yield guard.drop(_FIRST, Feature.SPOOFED_MAC, _NO_MAC)
    yield guard.drop(_ITS_MAC, Feature.SPOOFED_MAC, match.eth_src(router))
    if routed:
        for kind in _OF_ROUTERS:
            yield guard.drop(_ITS_ADDRESS, Feature.SPOOFED_ND, *_ICMPV6, match.icmpv6_type(kind))
    to_gateway = match.eth_dst(router)
    yield guard.passes(_ANSWER, to_gateway, *_ARP, match.arp_op(_REPLY), copied=True)
    yield guard.passes(_ANSWER, to_gateway, *_ICMPV6, match.icmpv6_type(_ADVERTISEMENT), copied=True)


def protected(number: int, slot: int, hardware: bytes | None, addresses: Iterable[Ip]) -> Iterator[bytes]:
    """The MAC and IP addresses of somebody else, that what is behind it cannot use."""
    guard = _Guard(number, slot)
    if hardware is not None:
        yield guard.drop(_ITS_MAC, Feature.SPOOFED_MAC, match.eth_src(hardware))
    for ip in addresses:
        family = FAMILIES[ip.version]
        source = match.field(family.source, value(ip))
        yield guard.drop(_ITS_ADDRESS, Feature.SPOOFED_IP, family.is_ip, source)
        if ip.version == 4:
            yield guard.drop(_ITS_ADDRESS, Feature.SPOOFED_ARP, *_ARP, match.arp_spa(value(ip)))
        else:
            said = [*_ICMPV6, match.icmpv6_type(_ADVERTISEMENT), match.nd_target(value(ip))]
            yield guard.drop(_ITS_ADDRESS, Feature.SPOOFED_ND, *said)


def elsewhere(number: int, slot: int, networks: Iterable[Prefix]) -> Iterator[bytes]:
    """Prefixes of other subnets of the domain: nobody with such an address is behind it."""
    guard = _Guard(number, slot)
    for network in networks:
        family = FAMILIES[network.version]
        source = narrow(family.source, network)
        yield guard.drop(_ITS_ADDRESS, Feature.SPOOFED_IP, family.is_ip, *source)


def learned(
    number: int, slot: int, hardware: bytes, addresses: Sequence[Ip], within: Sequence[Prefix] | None
) -> Iterator[bytes]:
    """One learned MAC address and its addresses. Only addresses `within` are learned; None: any."""
    guard, sender = _Guard(number, slot), match.eth_src(hardware)
    yield guard.passes(_KNOWN, sender)
    for ip in addresses:
        for said in _says(Prefix(ip.version, ip.number, (1 << FAMILIES[ip.version].bits) - 1)):
            yield guard.passes(_KNOWN_ADDRESS, sender, *said)
    if len(addresses) >= ADDRESSES_OF_ONE:
        return
    everything = (Prefix(4, 0, 0), Prefix(6, 0, 0)) if within is None else within
    for network in everything:
        for said in _says(network):
            yield guard.passes(_OTHER_ADDRESS, sender, *said, copied=True)


def strangers(number: int, slot: int, full: bool) -> Iterator[bytes]:
    """MAC addresses that are not learned; `full`: nor will be, there are as many as there may be."""
    guard = _Guard(number, slot)
    if full:
        yield guard.drop(_STRANGER, Feature.TOO_MANY)
    else:
        yield guard.passes(_STRANGER, copied=True)


def _says(network: Prefix) -> Iterator[list[Match]]:
    """How somebody says that an address of this prefix is his: ARP, solicitations from it, advertisements of it."""
    if network.version == 4:
        yield [*_ARP, *narrow("arp_spa", network)]
        return
    yield [*_ICMPV6, match.icmpv6_type(_SOLICITATION), *narrow("ipv6_src", network)]
    yield [*_ICMPV6, match.icmpv6_type(_ADVERTISEMENT), *narrow("nd_target", network)]
