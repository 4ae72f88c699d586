"""Random networks with random policies, as set lines, and packets that go to their limits: all from one integer.

A case has one or two domains (then with overlapping prefixes) of a few zones and subnets, vports on several
hypervisors, some of them unresolved, sometimes a template that gives part of the domain, nested and overlapping macros,
and policies in both directions. Half of the packets are made to meet an entry: its ends, a port at the edge of one of
its ranges, its ICMP type or DSCP.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from controller.compile import Location
from data.configuration import Configuration
from data.path import Path
from data.schema.objects import Entry, Vport
from tests.system.reference import PROTOCOLS, REQUEST_OF, Packet

HYPERVISORS = ("hv1", "hv2", "hv3")
PORTS = 16  # OpenFlow ports of vports on each hypervisor, from 1
PACKETS = 20  # for each case
FAMILIES = (4, 6)

Network = IPv4Network | IPv6Network
_POOL = {
    4: ("10.1.1.0/24", "10.1.2.0/24", "10.1.3.0/25", "10.1.3.128/26", "10.64.0.0/12"),
    6: ("2001:db8:1::/64", "2001:db8:2::/64", "2001:db8:3::/80", "2001:db8:3:1::/64", "2001:db8:8000::/48"),
}
_MACROS = {
    4: ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/23", "192.0.2.0/24", "192.0.2.128/25", "192.0.2.200/32"),
    6: ("::/0", "2001:db8::/32", "2001:db8:2::/63", "2001:db8:f::/64", "2001:db8:f::8000:0:0:0/65"),
}
_OUTSIDE = {
    4: ("192.0.2.10", "192.0.2.130", "192.0.2.200", "198.51.100.7", "10.200.1.1"),
    6: ("2001:db8:f::10", "2001:db8:f:0:8000::1", "2001:db9::7"),
}
_PORTS = ("80", "443", "22-25", "1000-2000", "1-65535", "4096-8191", "65535", "53")
_ICMP = {4: (0, 3, 8, 11, 13, 14), 6: (1, 3, 128, 129)}
_REPLY_OF = {(protocol, request): reply for (protocol, reply), request in REQUEST_OF.items()}


@dataclass(slots=True)
class Case:
    """A configuration as set lines, where its vports are by name of domain and vport, and the dice for the packets."""

    seed: int
    lines: list[str] = field(default_factory=list)
    places: dict[tuple[str, str], Location] = field(default_factory=dict)
    domains: list[Path] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)


def case(seed: int) -> Case:
    """The case of a seed; the same for ever, as long as nothing is drawn anew above what is there."""
    made = Case(seed, dice=random.Random(seed))
    dice = made.dice
    made.lines += [f"set dvrs {name} tunnel-address 172.31.0.{n}" for n, name in enumerate(HYPERVISORS, 1)]
    for name in ("acme", "beta")[: 2 if dice.random() < 0.2 else 1]:
        domain = ("enterprise", name, "domain", "prod")
        made.domains.append(domain)
        _Tenant(made, domain, [n for n in FAMILIES if dice.random() < 0.8] or [dice.choice(FAMILIES)])
    return made


class _Tenant:
    """One enterprise with its domain, put into the case; sometimes much of the domain comes from a template."""

    def __init__(self, made: Case, domain: Path, families: Sequence[int]) -> None:
        self.made, self.dice, self.domain, self.families = made, made.dice, domain, families
        self.words = "set " + " ".join(domain)
        self.template = f"set domain-template {domain[1]}" if self.dice.random() < 0.3 else None
        self.addresses: list[str] = []
        self.groups = [f"g{n}" for n in range(self.dice.randrange(5))]
        self.ends = ["any", "any"]
        self.ends_of_template = ["any", "any"]  # what entries of the template can name: zones of the domain's own not
        if self.template:
            made.lines += [self.template, f"{self.words} template {domain[1]}"]
        for group in self.groups:
            end = f"policy-group {group}"
            made.lines.append(f"{self._home([end, end])} {end}")
        self.subnets = self._subnets()
        self._vports()
        self._macros()
        for side in ("ingress", "egress"):
            for words in filter(None, (self.words, self.template)):
                if self.dice.random() < 0.3:
                    made.lines.append(f"{words} {side}-default {self.dice.choice(('allow', 'allow', 'deny'))}")
                self._policies(side, words)

    def _home(self, ends: Sequence[str]) -> str:
        """Where something goes that entries will name so: to the template or the domain."""
        self.ends += ends
        if self.template is None or self.dice.random() < 0.4:
            return self.words
        self.ends_of_template += ends
        return self.template

    def _subnets(self) -> dict[str, list[Network]]:
        dice, found = self.dice, dict[str, list[Network]]()
        pools = {version: dice.sample(_POOL[version], 4) for version in self.families}
        homes = {f"z{n}": self._home([]) for n in range(dice.randrange(1, 4))}
        for number in range(dice.randrange(1, 5)):
            zone, name = dice.choice(list(homes)), f"s{number}"
            versions = [version for version in self.families if dice.random() < 0.8] or [dice.choice(self.families)]
            found[name] = [ip_network(pools[version][number]) for version in versions]
            ends = [f"subnet {name}", f"zone {zone}"]
            self.ends += ends
            if homes[zone] == self.template:
                self.ends_of_template += ends
            for network in found[name]:
                leaf = "prefix" if network.version == 4 else "ipv6-addressing none ipv6-prefix"
                self.made.lines.append(f"{homes[zone]} zone {zone} subnet {name} {leaf} {network}")
        return found

    def _vports(self) -> None:
        dice = self.dice
        for number in range(dice.randrange(3, 11)):
            subnet = dice.choice(list(self.subnets))
            words = f"{self.words} vport v{number} subnet {subnet} mac 02:00:00:00:00:{number + 16:02x}"
            for network in self.subnets[subnet]:
                for nth in range(dice.choice((1, 1, 1, 2))):
                    address = str(network.network_address + 2 + number * 2 + nth)
                    self.addresses.append(address)
                    words += f" address {address}"
            for group in dice.sample(self.groups, min(len(self.groups), dice.choice((0, 1, 1, 2, 3)))):
                words += f" policy-group {group}"
            words += dice.choice(("", "", "", " anti-spoofing mac", " anti-spoofing off"))
            self.made.lines.append(words)
            if number < 3:
                self.ends.append(f"vport v{number}")
            if number == 0 or dice.random() < 0.9:
                hypervisor = dice.choice(HYPERVISORS)
                taken = sum(where.dvrs == hypervisor for where in self.made.places.values())
                if taken < PORTS:
                    self.made.places[self.domain[1], f"v{number}"] = Location(hypervisor, taken + 1)

    def _macros(self) -> None:
        dice = self.dice
        for number in range(dice.randrange(5)):
            version = dice.choice(self.families)
            network = dice.choice([network for networks in self.subnets.values() for network in networks])
            prefix = dice.choice((
                dice.choice(_MACROS[version]), dice.choice(_MACROS[version]), str(network),
                str(dice.choice(list(network.subnets(1)))), str(ip_network(dice.choice(self.addresses))),
            ))  # fmt: skip
            self.made.lines.append(f"set {' '.join(self.domain[:2])} network-macro m{number} prefix {prefix}")
            self.ends.append(f"network-macro m{number}")
            self.ends_of_template.append(f"network-macro m{number}")

    def _policies(self, side: str, words: str) -> None:
        dice, ends = self.dice, self.ends_of_template if words == self.template else self.ends
        for name in dice.sample(("base", "p2", "p10"), dice.choice((0, 1, 1, 2, 3))):
            self.made.lines.append(f"{words} {side}-policy {name} priority {dice.choice((1, 100, 100, 200))}")
            # An entry of the domain's own is merged into the template's, leaf by leaf: not always into a valid one.
            free = range(1, 300, 2) if words == self.template else range(2, 300, 2)
            for number in dice.sample(free, dice.randrange(7)):
                self.made.lines.append(f"{words} {side}-policy {name} entry {number} {self._entry(ends)}")

    def _entry(self, ends: Sequence[str]) -> str:
        dice = self.dice
        words = f"from {dice.choice(ends)} to {dice.choice(ends)}"
        protocol = dice.choice(("", "", "tcp", "tcp", "udp", "sctp", "icmp", "icmp", "47"))
        if protocol == "icmp" and dice.choice(self.families) == 6:
            protocol = "icmpv6"
        if protocol:
            words += f" protocol {protocol}"
        if protocol in ("tcp", "udp", "sctp"):
            for leaf, chance in (("source-port", 0.2), ("destination-port", 0.6)):
                if dice.random() < chance:
                    words += "".join(f" {leaf} {ports}" for ports in dice.sample(_PORTS, dice.choice((1, 1, 2))))
        if protocol in ("icmp", "icmpv6"):
            if dice.random() < 0.6:
                words += f" icmp-type {dice.choice(_ICMP[4 if protocol == 'icmp' else 6])}"
            if dice.random() < 0.3:
                words += f" icmp-code {dice.choice((0, 1))}"
        if dice.random() < 0.15:
            words += f" dscp {dice.choice((0, 10, 46))}"
        action = dice.choice(("action deny", "action allow", "action allow stateful", "action allow stateful"))
        return words + f" {action}" + (" log" if dice.random() < 0.1 else "")


def packets(made: Case, view: Configuration) -> Iterator[tuple[Path, Packet]]:
    """Packets for the case, each with the vport that sends it."""
    dice = made.dice
    for _ in range(PACKETS):
        domain = dice.choice(made.domains)
        senders = [path for path in _vports(view, domain) if (domain[1], path[-1]) in made.places]
        sender = dice.choice(senders)
        body = view.get(sender)
        assert isinstance(body, Vport)
        entries = [item for path, item in view.walk(domain) if isinstance(item, Entry)]
        meant = dice.choice(entries) if entries and dice.random() < 0.6 else None
        source = dice.choice(body.address)
        destination = _destination(dice, view, domain, sender, ip_address(source).version)
        if destination is None:
            continue
        mac = body.mac
        assert mac is not None
        packet = _spoofed(dice, view, domain, _transport(dice, meant, mac, source, destination))
        if dice.random() < 0.25 and packet.protocol in (1, 58):
            packet = _as_reply(packet)
        yield sender, _tracked(dice, packet)


def _vports(view: Configuration, domain: Path) -> list[Path]:
    return [(*domain, "vport", name) for name in view.children(domain, "vport")]


def _destination(dice: random.Random, view: Configuration, domain: Path, sender: Path, version: int) -> str | None:
    """An address of another vport, resolved or not; sometimes one that nobody has."""
    held = [
        address
        for path in _vports(view, domain)
        if path != sender
        for address in getattr(view.get(path), "address", ())
        if ip_address(address).version == version
    ]
    if dice.random() < 0.1:
        return dice.choice(_OUTSIDE[version])
    return dice.choice(held) if held else None


def _transport(dice: random.Random, meant: Entry | None, mac: str, source: str, destination: str) -> Packet:
    """A packet that an entry may have been written for."""
    icmp = 1 if ip_address(source).version == 4 else 58
    protocol = dice.choice((6, 17, 132, icmp, 47))
    if meant is not None and meant.protocol and dice.random() < 0.9:
        protocol = PROTOCOLS.get(meant.protocol) or int(meant.protocol)
    dscp = dice.choice((0, 0, 0, 46))
    if meant is not None and meant.dscp is not None and dice.random() < 0.7:
        dscp = meant.dscp
    packet = {"mac": mac, "source": source, "destination": destination, "protocol": protocol, "dscp": dscp}
    fragment = dice.choice(("no",) * 8 + ("first", "later"))
    if fragment == "later":
        return Packet(**packet, fragment=fragment)  # type: ignore[arg-type]
    if protocol in (6, 17, 132):
        packet["source_port"] = _port(dice, meant.source_port if meant else ())
        packet["destination_port"] = _port(dice, meant.destination_port if meant else ())
    elif protocol == icmp:  # that of the other family is a protocol as any
        packet["icmp_type"] = dice.choice(_ICMP[4 if protocol == 1 else 6])
        packet["icmp_code"] = dice.choice((0, 0, 1))
        if meant is not None and meant.icmp_type is not None and dice.random() < 0.7:
            packet["icmp_type"] = meant.icmp_type
    return Packet(**packet, fragment=fragment)  # type: ignore[arg-type]


def _port(dice: random.Random, ranges: Sequence[str]) -> int:
    if not ranges or dice.random() < 0.2:
        return dice.choice((1, 80, 443, 1024, 40000, 65535))
    low, _, high = dice.choice(ranges).partition("-")
    return min(max(dice.choice((int(low) - 1, int(low), int(high or low), int(high or low) + 1)), 1), 65535)


def _spoofed(dice: random.Random, view: Configuration, domain: Path, packet: Packet) -> Packet:
    """The packet, now and then with another's source: of a vport, of a macro's outside, or another MAC address."""
    chance = dice.random()
    version = ip_address(packet.source).version
    if chance < 0.08:
        others = [address for path in _vports(view, domain) for address in getattr(view.get(path), "address", ())]
        others = [address for address in others if ip_address(address).version == version]
        return replace(packet, source=dice.choice(others))
    if chance < 0.2:
        return replace(packet, source=dice.choice(_OUTSIDE[version]))
    if chance < 0.24:
        return replace(packet, mac="02:00:00:00:ff:01")
    return packet


def _as_reply(packet: Packet) -> Packet:
    """An ICMP packet as the answer it would have."""
    answer = _REPLY_OF.get((packet.protocol, packet.icmp_type or 0))
    return packet if answer is None or packet.icmp_type is None else replace(packet, icmp_type=answer, icmp_code=0)


def _tracked(dice: random.Random, packet: Packet) -> Packet:
    """The packet with what conntrack says of it at both ends: mostly the same, unless one of them began anew."""
    states = ["new", "new", "established", "reply", "reply", "invalid", "related"]
    if packet.icmp_type is not None and (packet.protocol, packet.icmp_type) not in REQUEST_OF:
        states = ["new", "invalid"]  # conntrack finds a reply only in what answers something
    if packet.icmp_type is not None and (packet.protocol, packet.icmp_type) in _REPLY_OF:
        states = ["new", "established", "invalid"]
    state = dice.choice(states)
    other = dice.choice(states) if dice.random() < 0.15 else state
    return replace(packet, ingress=state, egress=other)
