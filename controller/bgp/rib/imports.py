"""What routes of others mean for our segments and domains: the facts that the compiler makes flows of.

    type 2   segment that imports it    RemoteMac, with the addresses that routes for the MAC address name, and those
                                        that it has answered for (`controller/edge/beyond.py`)
             domain that imports it     RemotePrefix of the address, over the domain's VNI (RFC 9135, symmetric);
                                        not where a segment of the same domain has the MAC address itself
    type 3   segment                    RemoteFlood
    type 5   domain                     RemotePrefix over VXLAN (RFC 9136 section 4.4.1: with a router MAC)
    VPNv4/6  domain                     RemotePrefix over MPLS

Routes of several distinguishers meet here: for one prefix, a machine's own route (type 2) goes before type 5, and that
before VPNv4/6, which costs another encapsulation; among one kind `best.choose` decides, and those that are equally good
share the flows. Who imports what is asked of route targets alone. A fact is computed from what is best now, never from
the fact before.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.bgp.rib.best import choose, mobility
from controller.bgp.rib.policy import host
from controller.bgp.rib.settings import DomainWan, SegmentWan, Underlay
from controller.bgp.rib.table import EVERY, Heard, LocRib
from controller.bgp.routes import Attributes, Community, IpPrefix, MacIp, Multicast, VpnPrefix
from controller.compile.remote import (
    MPLS,
    VXLAN,
    NextHop,
    Remote,
    RemoteFlood,
    RemoteKey,
    RemoteMac,
    RemotePrefix,
    Tunnel,
)
from data.addresses import Ip, Prefix
from data.path import Path
from data.steps import Steps

__all__ = ["ADDRESSES", "FLOOD", "MAC", "PREFIX", "Imports", "Local"]

MAC, FLOOD, PREFIX = "mac", "flood", "prefix"
ADDRESSES = 64
"""Addresses of one remote MAC address that are taken: those of one machine; a peer may send any number."""
_MATCHES = 4096  # sets of communities whose owners are remembered
_TYPE_AND_VNI = 1 << 28  # RFC 8365 section 5.1.2.1: the VNI behind a type, which 1 is for


@dataclass(frozen=True, slots=True)
class Local:
    """What is here, which nothing from elsewhere replaces. `holds(domain, prefix)`: a prefix of its own; `has(segment,
    ip, mac)`: an address that a machine here with another MAC address has."""

    holds: Callable[[str, Prefix], bool]
    has: Callable[[str, Ip, bytes], bool]


class Imports:
    """The owners by route target, and which best routes each fact is made of."""

    def __init__(self, rib: LocRib, local: Local) -> None:
        self._rib = rib
        self._local = local
        self.owners: dict[str, SegmentWan | DomainWan] = {}
        self._exact: dict[bytes, dict[str, None]] = {}
        self._automatic: dict[int, str] = {}
        self._matched: dict[tuple[Community, ...], tuple[str, ...]] = {}
        self._of_key: dict[Hashable, tuple[RemoteKey, ...]] = {}
        self._from: dict[RemoteKey, dict[Hashable, None]] = {}
        self._of_owner: dict[str, dict[RemoteKey, None]] = {}
        self._naming: dict[tuple[str, Ip], dict[Hashable, RemoteKey]] = {}  # facts of MAC addresses, by IP address
        self._answered: dict[RemoteKey, tuple[Ip, ...]] = {}  # MAC address -> what it has beside the routes
        self._answers: dict[tuple[str, Ip], dict[RemoteKey, None]] = {}

    # Owners -------------------------------------------------------------------------------------------------

    def set_owner(self, uuid: str, owner: SegmentWan | DomainWan | None) -> Steps[set[RemoteKey]]:
        """An owner is there, is another, or is not any more; the facts that may be others."""
        before = self.owners.get(uuid)
        if before == owner:
            return set()
        touched = set(self._of_owner.get(uuid, ()))
        keys = self._keys_for(before) | self._keys_for(owner)
        if before is not None:
            self._unlist(before)
        if owner is not None:
            self._list(owner)
        self._matched.clear()
        return touched | (yield from self.routes_changed(keys))

    def _list(self, owner: SegmentWan | DomainWan) -> None:
        self.owners[owner.uuid] = owner
        for target in owner.imports:
            self._exact.setdefault(target, {})[owner.uuid] = None
        if isinstance(owner, SegmentWan) and owner.automatic:
            self._automatic[owner.vni] = owner.uuid

    def _unlist(self, owner: SegmentWan | DomainWan) -> None:
        del self.owners[owner.uuid]
        for target in owner.imports:
            listed = self._exact[target]
            listed.pop(owner.uuid, None)
            if not listed:
                del self._exact[target]
        if isinstance(owner, SegmentWan) and self._automatic.get(owner.vni) == owner.uuid:
            del self._automatic[owner.vni]

    def _keys_for(self, owner: SegmentWan | DomainWan | None) -> set[Hashable]:
        """The destinations whose routes an owner may import."""
        if owner is None:
            return set()
        wanted = set(owner.imports)
        if isinstance(owner, SegmentWan) and owner.automatic:
            wanted.update(target for target in self._rib.by_target if _vni(target) == owner.vni)
        return set[Hashable]().union(*(self._rib.by_target.get(target, ()) for target in wanted))

    def destinations(self, within: Path) -> list[Hashable]:
        """The destinations with routes that a domain may import, or a segment of it."""
        owners = [one for one in self.owners.values() if one.path[: len(within)] == within]
        return list(set[Hashable]().union(*map(self._keys_for, owners)))

    def owners_of(self, attributes: Attributes) -> tuple[str, ...]:
        """Who imports a route with these attributes."""
        found = self._matched.get(attributes.extended)
        if found is None:
            names: dict[str, None] = {}
            for one in attributes.extended:
                names.update(self._exact.get(one.packed, {}))
                vni = _vni(one.packed)
                if vni is not None and vni in self._automatic:
                    names[self._automatic[vni]] = None
            found = tuple(sorted(names))
            if len(self._matched) >= _MATCHES:
                self._matched.clear()
            self._matched[attributes.extended] = found
        return found

    # Routes -------------------------------------------------------------------------------------------------

    def routes_changed(self, keys: Iterable[Hashable]) -> Steps[set[RemoteKey]]:
        """The best routes of these destinations are others; the facts that may be."""
        touched: set[RemoteKey] = set()
        for count, key in enumerate(keys):
            if count % EVERY == 0:
                yield
            before = self._of_key.get(key, ())
            best = self._rib.best(key)
            after = tuple(dict.fromkeys(fact for heard in best for fact in self._facts_of(heard)))
            touched.update(before, after)
            if before == after:
                continue
            if isinstance(key, tuple) and isinstance(key[-1], Ip):  # who else answered for the address
                for fact in (*before, *after):
                    touched.update(self._answers.get((fact.owner, key[-1]), ()))
            for fact in before:
                if fact not in after:
                    self._detach(fact, key)
            for fact in after:
                self._from.setdefault(fact, {})[key] = None
                if (ip := _named(fact, best)) is not None:
                    self._naming.setdefault((fact.owner, ip), {})[key] = fact
                self._of_owner.setdefault(fact.owner, {})[fact] = None
            if after:
                self._of_key[key] = after
            else:
                del self._of_key[key]
        return touched

    def answer(self, fact: RemoteKey, addresses: tuple[Ip, ...]) -> None:
        """A MAC address elsewhere has answered for exactly these; its fact may be another."""
        for ip in self._answered.pop(fact, ()):
            held = self._answers[fact.owner, ip]
            held.pop(fact)
            if not held:
                del self._answers[fact.owner, ip]
        if addresses:
            self._answered[fact] = addresses
        for ip in addresses:
            self._answers.setdefault((fact.owner, ip), {})[fact] = None

    def naming(self, segment: str, ip: Ip) -> set[RemoteKey]:
        """The facts of MAC addresses elsewhere that an IP address of a segment is said to belong to."""
        return set(self._naming.get((segment, ip), {}).values())

    def _detach(self, fact: RemoteKey, key: Hashable) -> None:
        if fact.kind == MAC and isinstance(key, tuple) and isinstance(key[-1], Ip):
            naming = self._naming.get((fact.owner, key[-1]), {})
            naming.pop(key, None)
            if not naming:
                self._naming.pop((fact.owner, key[-1]), None)
        held = self._from[fact]
        held.pop(key, None)
        if not held:
            del self._from[fact]
            of_owner = self._of_owner[fact.owner]
            of_owner.pop(fact, None)
            if not of_owner:
                del self._of_owner[fact.owner]

    def _facts_of(self, heard: Heard) -> Iterator[RemoteKey]:
        nlri = heard.route.nlri
        owners = [self.owners[uuid] for uuid in self.owners_of(heard.route.attributes)]
        segments = [one for one in owners if isinstance(one, SegmentWan) and _meant(one, heard)]
        domains = [one for one in owners if isinstance(one, DomainWan)]
        if isinstance(nlri, MacIp):
            yield from (RemoteKey(one.uuid, MAC, nlri.mac) for one in segments)
            if nlri.ip is not None and nlri.label2 is not None and heard.route.attributes.router_mac is not None:
                joined = {one.path[:4] for one in segments}
                yield from (RemoteKey(one.uuid, PREFIX, host(nlri.ip)) for one in domains if one.path not in joined)
        elif isinstance(nlri, Multicast):
            pmsi = heard.route.attributes.pmsi
            assert pmsi is not None, "accepted without"
            yield from (RemoteKey(one.uuid, FLOOD, pmsi.endpoint) for one in segments)
        elif isinstance(nlri, IpPrefix | VpnPrefix):
            yield from (RemoteKey(one.uuid, PREFIX, nlri.prefix) for one in domains)

    # Facts --------------------------------------------------------------------------------------------------

    def heard_for(self, fact: RemoteKey) -> Iterator[Heard]:
        """The best routes that it is made of."""
        for key in self._from.get(fact, ()):
            yield from (one for one in self._rib.best(key) if fact in self._facts_of(one))

    def best_mac(self, fact: RemoteKey, underlay: Underlay) -> Heard | None:
        """The route that says where a MAC address is elsewhere."""
        found = choose(self.heard_for(fact), underlay)
        return found[0] if found else None

    def sequence(self, fact: RemoteKey, underlay: Underlay) -> tuple[int, bool] | None:
        """Its mobility sequence elsewhere, and whether it is static."""
        heard = self.best_mac(fact, underlay)
        return None if heard is None else mobility(heard)

    def fact(self, fact: RemoteKey, underlay: Underlay) -> Remote | None:
        """What is true of it now."""
        owner = self.owners.get(fact.owner)
        if owner is None:
            return None
        if isinstance(fact.what, bytes):
            assert isinstance(owner, SegmentWan)
            return self._mac(fact, owner, underlay)
        if isinstance(fact.what, Ip):
            found = choose(self.heard_for(fact), underlay)
            return _flood(found[0]) if found else None
        if self._local.holds(fact.owner, fact.what):
            return None
        return _prefix(list(self.heard_for(fact)), underlay)

    def _mac(self, fact: RemoteKey, owner: SegmentWan, underlay: Underlay) -> Remote | None:
        best = self.best_mac(fact, underlay)
        if best is None:
            return None
        hop = best.route.attributes.next_hop
        known: set[Ip] = set()
        for one in self.heard_for(fact):
            nlri = one.route.nlri
            if isinstance(nlri, MacIp) and nlri.ip is not None and one.route.attributes.next_hop == hop:
                known.add(nlri.ip)
        nlri = best.route.nlri
        assert isinstance(nlri, MacIp)
        # What a route says of an address goes before what was answered once: it follows the address where it goes.
        known.update(ip for ip in self._answered.get(fact, ()) if not self.naming(fact.owner, ip))
        taken = sorted(ip for ip in known if self._takes(owner, ip, nlri.mac))[:ADDRESSES]
        return RemoteMac(Tunnel(hop, VXLAN, nlri.label), tuple(taken))

    def _takes(self, owner: SegmentWan, ip: Ip, mac: bytes) -> bool:
        """Addresses of our gateways and our machines are nobody else's, and those of other networks mean nothing."""
        inside = not owner.networks or any(one.covers(ip) for one in owner.networks)
        return inside and ip not in owner.gateways and not self._local.has(owner.uuid, ip, mac)

    def facts(self) -> Iterable[RemoteKey]:
        """Everything that some best route speaks of."""
        return self._from.keys()

    def of_owner(self, uuid: str) -> Iterable[RemoteKey]:
        """The same of one owner."""
        return tuple(self._of_owner.get(uuid, ()))


def _meant(segment: SegmentWan, heard: Heard) -> bool:
    """Whether a route with the target of a segment is of this segment. The automatic target stands for a VNI that is
    the same everywhere (RFC 8365 section 5.1.2.1): with another VNI it is a target that somebody chose, perhaps that of
    another tenant's domain, and leads into what is theirs."""
    nlri, pmsi = heard.route.nlri, heard.route.attributes.pmsi
    number = nlri.label if isinstance(nlri, MacIp) else None if pmsi is None else pmsi.label
    return not segment.automatic or number == segment.vni


def _vni(target: bytes) -> int | None:
    """The VNI that an automatic route target names, of two forms: AS:VNI and RFC 8365 section 5.1.2.1."""
    if target[0] != 0 or target[1] != 2:
        return None
    number = int.from_bytes(target[4:], "big")
    number = number - _TYPE_AND_VNI if number >= _TYPE_AND_VNI else number
    return number if 0 < number < 1 << 24 else None


def _named(fact: RemoteKey, best: tuple[Heard, ...]) -> Ip | None:
    nlri = best[0].route.nlri
    return nlri.ip if fact.kind == MAC and isinstance(nlri, MacIp) else None


def _flood(heard: Heard) -> RemoteFlood:
    pmsi = heard.route.attributes.pmsi
    assert pmsi is not None, "accepted without"
    return RemoteFlood(Tunnel(pmsi.endpoint, VXLAN, pmsi.label))


def _rank(heard: Heard) -> int:
    return _RANKS[type(heard.route.nlri)]


_RANKS: Mapping[type, int] = {MacIp: 0, IpPrefix: 1, VpnPrefix: 2}


def _prefix(heard: list[Heard], underlay: Underlay) -> RemotePrefix | None:
    usable = [one for one in heard if underlay.usable(one.route.attributes.next_hop)]
    if not usable:
        return None
    first = min(map(_rank, usable))
    taken = choose([one for one in usable if _rank(one) == first], underlay)
    return RemotePrefix(tuple(sorted({_next_hop(one) for one in taken}, key=_order)))


def _order(hop: NextHop) -> tuple[Tunnel, bytes]:
    return hop.tunnel, hop.mac or b""


def _next_hop(heard: Heard) -> NextHop:
    nlri, attributes = heard.route.nlri, heard.route.attributes
    if isinstance(nlri, VpnPrefix):
        return NextHop(Tunnel(attributes.next_hop, MPLS, nlri.labels[0]), None)
    assert isinstance(nlri, MacIp | IpPrefix)
    number = nlri.label2 if isinstance(nlri, MacIp) else nlri.label
    assert number is not None
    return NextHop(Tunnel(attributes.next_hop, VXLAN, number), attributes.router_mac)
