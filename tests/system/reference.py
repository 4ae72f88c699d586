"""What becomes of a packet by the definition of the policy, worked out plainly: nothing here knows of flows.

who sends      a packet bears its vport's MAC address and one of its addresses (anti-spoofing full; mac: the former
               alone; off: neither), or it is dropped
which rules    ingress policies decide about packets from a vport, egress policies about packets to one; both must
               allow. What the template gives is looked at before the domain's own, each by priority, then name, then
               number of the entry. The first entry that matches decides; otherwise the domain's default, which is
               deny as soon as the direction has an entry, unless it is said
what matches   icmp is that of IPv4 alone, icmpv6 that of IPv6. `from` and `to` stand for addresses: those of
               resolved vports (vport, policy-group) and prefixes (subnet, zone, network-macro). A later fragment shows
               no ports and no ICMP type: it matches an entry that names them if that allows, not if it denies; the
               first fragment, without which it is of no use, decides
stateful       a reply passes when the other direction's rules would let its connection begin by a stateful entry, or
               by default. A reply does not tell its opener's DSCP and ICMP code: an entry that asks for one counts
               for replies only when it is stateful. Everything else a reply is goes by the ordinary rules, as does
               every packet while no entry of the domain is stateful. What is related to a connection passes; what
               belongs to none (invalid) does not pass a stateful entry
where to       the resolved vport of the sender's domain that has the destination address, nowhere without one
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Domain, EgressPolicy, Endpoint, Entry, IngressPolicy, NetworkMacro, Subnet, Vport

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}
FAMILY = {"icmp": 4, "icmpv6": 6}
REQUEST_OF = {(1, 0): 8, (1, 14): 13, (1, 16): 15, (1, 18): 17, (58, 129): 128}  # RFC 792, RFC 4443
OTHER = {"ingress": "egress", "egress": "ingress"}


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as its sender emits it, and what conntrack calls it at each end (see `States`)."""

    mac: str
    source: str
    destination: str
    protocol: int
    source_port: int | None = None
    destination_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    dscp: int | None = 0  # None: not known, in the opener of a reply
    fragment: str = "no"  # no, first, later
    ingress: str = "new"  # new, established, reply, related, invalid: in the sender's zone
    egress: str = "new"  # the same in the receiver's

    def opener(self) -> Packet:
        """The packet that this one answers, as far as it tells."""
        asked = self.icmp_type
        if asked is not None:
            asked = REQUEST_OF.get((self.protocol, asked), -1)  # -1: what cannot be asked for
        return replace(
            self, source=self.destination, destination=self.source, source_port=self.destination_port,
            destination_port=self.source_port, icmp_type=asked, icmp_code=None, dscp=None,
        )  # fmt: skip


class Reference:
    """The fate of packets in one domain of a configuration, with these vports resolved."""

    def __init__(self, view: Configuration, domain: Path, resolved: Container[Path]) -> None:
        self.view, self.domain = view, domain
        vports = {(*domain, "vport", name) for name in view.children(domain, "vport")}
        self.vports = {path: body for path in vports if path in resolved and isinstance(body := view.get(path), Vport)}
        self.entries = {side: list(self._entries(side)) for side in OTHER}
        self.tracked = any(entry.stateful for entries in self.entries.values() for entry in entries)

    def fate(self, sender: Path, packet: Packet) -> Path | None:
        """The vport that gets the packet, None when nobody does."""
        vport, spoofing = self.vports[sender], self.vports[sender].anti_spoofing
        if spoofing != "off" and packet.mac != vport.mac:
            return None
        if spoofing == "full" and packet.source not in vport.address:
            return None
        receiver = next((path for path, body in self.vports.items() if packet.destination in body.address), None)
        passes = self._passes("ingress", packet.ingress, packet) and self._passes("egress", packet.egress, packet)
        return receiver if passes else None

    def _passes(self, side: str, state: str, packet: Packet) -> bool:
        entry = self._first(side, packet)
        allowed = self._default(side) if entry is None else entry.action == "allow"
        if not self.tracked:
            return allowed
        if state == "related":
            return True
        if state == "reply":
            opening = self._first(OTHER[side], packet.opener())
            if self._default(OTHER[side]) if opening is None else opening.stateful:
                return True
        return allowed and not (state == "invalid" and entry is not None and entry.stateful)

    def _first(self, side: str, packet: Packet) -> Entry | None:
        return next((entry for entry in self.entries[side] if self._matches(entry, packet)), None)

    def _default(self, side: str) -> bool:
        domain = self.view.get(self.domain)
        assert isinstance(domain, Domain)
        said = domain.ingress_default if side == "ingress" else domain.egress_default
        return said == "allow" if said else not self.entries[side]

    def _entries(self, side: str) -> Iterator[Entry]:
        policies = []
        for name in self.view.children(self.domain, f"{side}-policy"):
            policy = self.view.get((*self.domain, f"{side}-policy", name))
            assert isinstance(policy, IngressPolicy | EgressPolicy)
            policies.append((not self._in_template(f"{side}-policy", name), policy.priority, name))
        for _, _, name in sorted(policies):
            parent = (*self.domain, f"{side}-policy", name)
            for number in sorted(map(int, self.view.children(parent, "entry"))):
                entry = self.view.get((*parent, "entry", str(number)))
                assert isinstance(entry, Entry)
                yield entry

    def _in_template(self, *words: str) -> bool:
        template = getattr(self.view.get(self.domain), "template", None)
        return template is not None and self.view.get(("domain-template", template, *words)) is not None

    def _matches(self, entry: Entry, packet: Packet) -> bool:
        if entry.protocol in FAMILY and FAMILY[entry.protocol] != ip_address(packet.source).version:
            return False
        return (
            self._stands_for(entry.from_, packet.source)
            and self._stands_for(entry.to, packet.destination)
            and self._asks_protocol(entry, packet)
            and self._asks_as_much(entry, packet)
            and (asks(entry.dscp, packet.dscp) or (packet.dscp is None and entry.stateful))
        )

    def _asks_protocol(self, entry: Entry, packet: Packet) -> bool:
        """Over IPv6 a later fragment shows the fragment header alone."""
        if packet.fragment == "later" and ":" in packet.source:
            return entry.action == "allow" or _number(entry.protocol) in (None, 44)
        return asks(_number(entry.protocol), packet.protocol)

    def _asks_as_much(self, entry: Entry, packet: Packet) -> bool:
        """Ports, ICMP type and code."""
        if packet.fragment == "later":
            ports = entry.source_port or entry.destination_port
            named = bool(ports) or entry.icmp_type is not None or entry.icmp_code is not None
            return not named or entry.action == "allow"
        return (
            _in(entry.source_port, packet.source_port)
            and _in(entry.destination_port, packet.destination_port)
            and asks(entry.icmp_type, packet.icmp_type)
            and (asks(entry.icmp_code, packet.icmp_code) or (packet.dscp is None and entry.stateful))
        )

    def _stands_for(self, end: Endpoint, text: str) -> bool:
        if end.kind == "any":
            return True
        if end.kind == "network-macro":
            macro = self.view.get((*self.domain[:2], "network-macro", end.name))
            assert isinstance(macro, NetworkMacro)
            return _within(text, macro.prefix)
        if end.kind in ("zone", "subnet"):
            return any(_within(text, prefix) for prefix in self._prefixes(end))
        return any(
            text in body.address and (path[-1] == end.name if end.kind == "vport" else end.name in body.policy_group)
            for path, body in self.vports.items()
        )

    def _prefixes(self, end: Endpoint) -> Iterator[str]:
        for zone in self.view.children(self.domain, "zone"):
            for name in self.view.children((*self.domain, "zone", zone), "subnet"):
                if end.name == (zone if end.kind == "zone" else name):
                    body = self.view.get((*self.domain, "zone", zone, "subnet", name))
                    assert isinstance(body, Subnet)
                    yield from filter(None, (body.prefix, body.ipv6_prefix))


def asks(wanted: int | None, there: int | None) -> bool:
    return wanted is None or wanted == there


def _number(protocol: str | None) -> int | None:
    return None if protocol is None else PROTOCOLS.get(protocol) or int(protocol)


def _within(text: str, prefix: str) -> bool:
    address, network = ip_address(text), ip_network(prefix)
    return address.version == network.version and address in network


def _in(ranges: tuple[str, ...], port: int | None) -> bool:
    def holds(text: str) -> bool:
        low, _, high = text.partition("-")
        return port is not None and int(low) <= port <= int(high or low)

    return not ranges or any(map(holds, ranges))
