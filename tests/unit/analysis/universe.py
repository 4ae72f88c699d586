"""Every kind of packet that the entries of a domain can tell apart, each with the entry that decides about it by the
reference (tests/system/reference.py). Nothing here knows of boxes.

Whether an entry matches is asked of the reference for each source, each destination and each transport by itself, and
what all entries take alike is asked once: so that all of them together can be gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from data.addresses import Ip, Prefix, prefix
from data.configuration import Configuration
from data.path import Path
from data.schema.endpoint import ANY
from data.schema.objects import EgressPolicy, Entry, IngressPolicy, NetworkMacro, Subnet, Vport
from tests.system.reference import PROTOCOLS, REQUEST_OF, Packet, Reference

_MAC = "02:00:00:00:00:01"
_LOOKED = 700  # addresses of a prefix that are looked at for one that nobody has


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry with its path."""

    path: Path
    entry: Entry


def rules_of(view: Configuration, domain: Path, side: str) -> list[Rule]:
    """The entries of a direction, as the reference has them in order."""
    where = {}
    for name in view.children(domain, f"{side}-policy"):
        parent = (*domain, f"{side}-policy", name)
        assert isinstance(view.get(parent), IngressPolicy | EgressPolicy)
        where.update({id(view.get(path)): path for path in _entries(view, parent)})
    found = Reference(view, domain, _vports(view, domain)).entries[side]
    return [Rule(where[id(entry)], entry) for entry in found]


def _entries(view: Configuration, policy: Path) -> Iterator[Path]:
    for number in view.children(policy, "entry"):
        yield (*policy, "entry", number)


def _vports(view: Configuration, domain: Path) -> list[Path]:
    return [(*domain, "vport", name) for name in view.children(domain, "vport")]


class Universe:
    """The packets of one direction; `senders` are vports alone when it is ingress and all are checked, `receivers`
    when it is egress."""

    def __init__(self, view: Configuration, domain: Path, side: str, version: int) -> None:
        self.view, self.domain, self.side, self.version = view, domain, side, version
        self.reference = Reference(view, domain, _vports(view, domain))
        self.rules = rules_of(view, domain, side)
        own = [text for path in _vports(view, domain) for text in _body(view, path).address if _is(text, version)]
        others = [*own, *map(str, self._free(own))]
        checked = all(_body(view, path).anti_spoofing == "full" for path in _vports(view, domain))
        limited = checked and bool(_vports(view, domain))
        self.sources = own if limited and side == "ingress" else others
        self.targets = [*own, *self._flooded()] if limited and side == "egress" else others

    def decided(self) -> Iterator[tuple[int | None, bool]]:
        """For each kind of packet the index of the entry that decides, None for the default, and whether it is a
        reply."""
        for _, matched, reply in self.kinds():
            yield next((n for n, yes in enumerate(matched) if yes), None), reply

    def kinds(self) -> Iterator[tuple[str, tuple[bool, ...], bool]]:
        """What all entries say of each kind of packet."""
        if not self.sources or not self.targets:
            return
        stands = self.reference._stands_for
        sources = _kinds(self.sources, lambda one: tuple(stands(rule.entry.from_, one) for rule in self.rules))
        targets = _kinds(self.targets, lambda one: tuple(stands(rule.entry.to, one) for rule in self.rules))
        transports: dict[tuple[tuple[bool, ...], bool], str] = {}
        open_entries = [msgspec.structs.replace(rule.entry, from_=ANY, to=ANY) for rule in self.rules]
        for packet, reply in self._packets():
            asked = tuple(self.reference._matches(entry, packet) for entry in open_entries)
            transports.setdefault((asked, reply), str(packet))
        for source, by in sources.items():
            for target, to in targets.items():
                for (asked, reply), said in transports.items():
                    matched = tuple(a and b and c for a, b, c in zip(source, target, asked, strict=True))
                    yield f"{by} -> {to} {said}", matched, reply

    def _packets(self) -> Iterator[tuple[Packet, bool]]:
        entries = [rule.entry for rule in self.rules]
        protocols = {PROTOCOLS.get(one) or int(one) for entry in entries if (one := entry.protocol)} | {6, 99}
        ports = {
            "source_port": _edges(text for entry in entries for text in entry.source_port),
            "destination_port": _edges(text for entry in entries for text in entry.destination_port),
        }
        icmp = 1 if self.version == 4 else 58
        source = self.sources[0]
        code_points = {entry.dscp for entry in entries if entry.dscp is not None} | {63}
        types = sorted({entry.icmp_type for entry in entries if entry.icmp_type is not None} | {200})
        codes = sorted({entry.icmp_code for entry in entries if entry.icmp_code is not None} | {200})
        requests = {request for (protocol, _), request in REQUEST_OF.items() if protocol == icmp} | {-1}
        for protocol in protocols:
            base = Packet(_MAC, source, source, protocol)
            for reply in (False, True) if self.reference.tracked else (False,):
                for dscp in (None,) if reply else tuple(code_points):
                    if protocol in (6, 17, 132):
                        for sport in ports["source_port"]:
                            for dport in ports["destination_port"]:
                                yield _of(base, dscp, source_port=sport, destination_port=dport), reply
                    elif protocol == icmp:
                        for kind in requests if reply else types:
                            for code in (None,) if reply else codes:
                                yield _of(base, dscp, icmp_type=kind, icmp_code=code), reply
                    else:
                        yield _of(base, dscp), reply

    def _flooded(self) -> Iterator[str]:
        """Addresses by which many vports are reached: multicast, and broadcasts where vports are."""
        if self.version == 6:
            yield "ff02::fb"
            return
        yield from ("224.0.0.251", "239.1.1.1", "255.255.255.255")
        for path in _vports(self.view, self.domain):
            subnet = self.view.resolve(path, "subnet", _body(self.view, path).subnet)
            body = None if subnet is None else self.view.get(subnet)
            if isinstance(body, Subnet) and body.prefix:
                yield str(prefix(body.prefix).last)

    def _free(self, own: Sequence[str]) -> Iterator[Ip]:
        """For each prefix that entries may name an address in no longer one and of no vport, and one outside all."""
        taken = {Ip(self.version, int(ip_address(text))) for text in own}
        places = [place for place in self._prefixes() if place.version == self.version]
        bits = 32 if self.version == 4 else 128
        for place in {*places, Prefix(self.version, 0, 0)}:
            inside = [other for other in places if other != place and place.holds(other)]
            starts = [place.network, *(other.last.number + 1 for other in inside)]
            for number in (start + step for start in starts for step in range(_LOOKED)):
                if number >= 1 << bits:
                    continue
                ip = Ip(self.version, number)
                if place.covers(ip) and ip not in taken and not any(other.covers(ip) for other in inside):
                    yield ip
                    break

    def _prefixes(self) -> Iterator[Prefix]:
        for name in self.view.children(self.domain[:2], "network-macro"):
            macro = self.view.get((*self.domain[:2], "network-macro", name))
            assert isinstance(macro, NetworkMacro)
            yield prefix(macro.prefix)
        for _, subnet in self.view.objects(Subnet, self.domain):
            yield from (prefix(text) for text in (subnet.prefix, subnet.ipv6_prefix) if text)


def _of(base: Packet, dscp: int | None, **more: int | None) -> Packet:
    return Packet(base.mac, base.source, base.destination, base.protocol, dscp=dscp, **more)  # type: ignore[arg-type]


def _body(view: Configuration, path: Path) -> Vport:
    body = view.get(path)
    assert isinstance(body, Vport)
    return body


def _is(text: str, version: int) -> bool:
    return ip_address(text).version == version


def _kinds(values: Sequence[str], sign: Callable[[str], tuple[bool, ...]]) -> dict[tuple[bool, ...], str]:
    found: dict[tuple[bool, ...], str] = {}
    for value in values:
        found.setdefault(sign(value), value)
    return found


def _edges(texts: Iterator[str]) -> list[int]:
    edges = {0, 65535}
    for text in texts:
        low, _, high = text.partition("-")
        edges |= {int(low) - 1, int(low), int(high or low), int(high or low) + 1}
    return sorted(edge for edge in edges if 0 <= edge < 65536)
