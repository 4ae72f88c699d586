"""What of the fabric the WAN is told: from the compiler's State to our own routes, incrementally.

    domain, subnet, l2-domain  ──settings──> owners          who imports and exports which route targets
    vport, what is learned     ──────────> attachments       whose routes the rib makes, once it is known whose they are
    segment × hypervisor       ──────────> type 3, and type 2 of its gateways: segments.py
    domain × hypervisor        ──────────> type 5, VPNv4/6   prefixes.py says of what

What was made is known here and compared with what is to be, so a change is only looked at where it can have touched
something; the configuration before the change is never asked, because it is changed in place by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from controller.bgp.rib.announcing import Attachment, prefix_routes
from controller.bgp.rib.desired import Desired
from controller.bgp.rib.mobility import MacKey
from controller.bgp.rib.policy import host
from controller.bgp.rib.prefixes import MADE_OF, services, subnets
from controller.bgp.rib.segments import MadeWith, Segments
from controller.bgp.rib.settings import DomainWan, SegmentWan, domain_wan, segment_wan
from controller.bgp.routes import Family, Route
from controller.compile.addresses import mac as mac_of
from controller.compile.placement import Observed
from controller.compile.remote import RemoteKey
from controller.compile.state import BRIDGE, State, domains
from data.addresses import Ip, Prefix, address
from data.configuration import Edits
from data.path import Path
from data.steps import Steps
from data.templates import in_template

__all__ = ["Exports", "Touched"]

_OWNERS = ("domain", "l2-domain", "zone", "subnet")
NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True)
class Touched:
    """What the rib must look at: owners (None: gone), MAC addresses that are, were or are otherwise here, and facts
    that something of ours may stand in the way of now, or no longer; `addresses` are (segment, IP address)."""

    owners: dict[str, SegmentWan | DomainWan | None] = field(default_factory=dict)
    macs: set[MacKey] = field(default_factory=set)
    facts: set[RemoteKey] = field(default_factory=set)
    addresses: set[tuple[str, Ip]] = field(default_factory=set)
    reconsider: set[str] = field(default_factory=set)  # owners all of whose facts may be others


@dataclass(slots=True)
class _Domain:
    """What is known of one domain or l2-domain: None as long as it is not in the WAN itself."""

    wan: DomainWan | None = None
    segments: dict[Path, SegmentWan] = field(default_factory=dict)
    vports: set[Path] = field(default_factory=set)
    hosts: frozenset[str] = NOTHING
    around: frozenset[str] = NOTHING  # hypervisors, as long as a segment of it goes on elsewhere
    served: frozenset[str] = NOTHING  # hypervisors with routes of services
    told: Segments = field(default_factory=Segments)
    prefixes: frozenset[Prefix] = frozenset()  # of services

    @property
    def empty(self) -> bool:
        return self.wan is None and not self.segments


class Exports:
    """See the module. Prefixes and floods go straight into `desired`; of machines the rib decides."""

    def __init__(self, desired: Desired) -> None:
        self._desired = desired
        self._using = MadeWith()
        self._known: dict[Path, _Domain] = {}
        self._by_uuid: dict[str, Path] = {}  # of domains in the WAN
        self._attached: dict[Path, tuple[Attachment, ...]] = {}
        self._by_mac: dict[MacKey, dict[Path, Attachment]] = {}
        self._having: dict[tuple[str, Ip], tuple[bytes, ...]] = {}

    # What is asked ------------------------------------------------------------------------------------------

    def at(self, key: MacKey) -> Attachment | None:
        """The machine with a MAC address in a segment; of several (learned behind two bridge vports) one."""
        found = self._by_mac.get(key)
        return found[min(found)] if found else None

    def macs(self) -> Iterable[MacKey]:
        """All of them."""
        return self._by_mac.keys()

    def has(self, owner: str, ip: Ip, but: bytes) -> bool:
        """Whether a machine of the segment or domain has the address, other than the one with this MAC address."""
        return any(one != but for one in self._having.get((owner, ip), ()))

    def holds(self, owner: str, prefix: Prefix) -> bool:
        """Whether a prefix of a domain is its own: a subnet, where a service of it leads, an address of a machine, or
        inside a subnet that goes on elsewhere, whose machines are known by their MAC addresses."""
        path = self._by_uuid.get(owner)
        known = None if path is None else self._known.get(path)
        if known is None or known.wan is None:
            return False
        if prefix in known.wan.prefixes or prefix in known.prefixes:
            return True
        if prefix == host(prefix.first) and self.has(owner, prefix.first, b""):
            return True
        return any(one.holds(prefix) for segment in known.segments.values() if segment.joined
                   for one in segment.networks)  # fmt: skip

    # Changes ------------------------------------------------------------------------------------------------

    def whole(self, state: State, autonomous_system: int, families: frozenset[Family]) -> Steps[Touched]:
        """Everything, compared with what was made before: at the start, and when what all is made with is another."""
        using = MadeWith(autonomous_system, families, state.gateway_mac())
        forced, self._using = using != self._using, using
        touched = Touched()
        present = [path for path in domains(state.view) if not in_template(path)]
        for domain in {*present, *self._known}:
            yield from self._domain(state, domain, touched, forced=forced)
            yield from self._vports(state, {*self._members(state, domain)}, touched)
            known = self._known.get(domain) or _Domain()
            for segment in known.segments.keys() | known.told.flooding | known.told.entered:
                self._floods(state, domain, segment, again=True)
                self._gateways(state, domain, segment, again=True)
            self._leads(state, domain, touched, forced=True)
            self._forget_if_empty(domain)
            yield
        if forced:
            touched.macs.update(self._by_mac)
        return touched

    def change(self, old: State, new: State, edits: Edits, moved: Iterable[str], observed: Observed) -> Steps[Touched]:
        """What follows from one change of the state: its edits, UUIDs of vports that moved, and what was observed."""
        crossed = old.placement.tunnel_ports.keys() ^ new.placement.tunnel_ports.keys()
        if crossed or any(path[0] == "dvrs" for path in edits) or new.gateway_mac() != self._using.router:
            return (yield from self.whole(new, self._using.autonomous_system, self._using.families))
        touched, vports, leads = Touched(), set[Path](), set[Path]()
        for path in edits:
            if path[0] != "enterprise" or len(path) < 4 or path[2] not in ("domain", "l2-domain"):
                continue
            if path[-2] == "vport":
                vports.add(path)
            elif path[-2] in MADE_OF:
                leads.add(path[:4])
        for domain in {
            path[:4] for path in edits if len(path) >= 4 and path[-2] in _OWNERS and path[0] == "enterprise"
        }:
            vports |= yield from self._domain(new, domain, touched)
        for uuid in (*moved, *observed.learned):
            found = new.view.by_uuid(uuid)
            if found is not None and found[-2] == "vport":
                vports.add(found)
        yield from self._vports(new, vports, touched)
        for domain in {path[:4] for path in vports}:
            leads |= {domain, *new.shared(domain)}
        if observed.health or observed.holders:
            leads |= self._known.keys()
        for domain in leads:
            self._leads(new, domain, touched)
            self._forget_if_empty(domain)
            yield
        return touched

    def _members(self, state: State, domain: Path) -> Iterator[Path]:
        known = self._known.get(domain)
        if known is None:
            return
        yield from known.vports
        for segment in known.segments:
            for vports in state.members_of(segment).values():
                yield from vports

    def _domain(self, state: State, domain: Path, touched: Touched, forced: bool = False) -> Steps[set[Path]]:
        """How a domain and its segments are in the WAN now; the vports whose routes are made of something else."""
        known = self._known.get(domain) or _Domain()
        exists = state.view.get(domain) is not None
        wan = domain_wan(state, domain) if exists and state.routed(domain) else None
        segments = {}
        for path in state.subnets(domain) if exists else ():
            segment = segment_wan(state, path, self._using.autonomous_system)
            if segment is not None:
                segments[path] = segment
            yield
        redo = {path for path in {*segments, *known.segments} if segments.get(path) != known.segments.get(path)}
        whole = forced or wan != known.wan
        for before in (known.wan, *(known.segments[path] for path in redo if path in known.segments)):
            if before is not None:
                touched.owners.setdefault(before.uuid, None)
        for after in (wan, *(segments[path] for path in redo if path in segments)):
            if after is not None:
                touched.owners[after.uuid] = after
        if redo and wan is not None:
            touched.reconsider.add(wan.uuid)
        if known.wan is not None:
            self._by_uuid.pop(known.wan.uuid, None)
        if wan is not None:
            self._by_uuid[wan.uuid] = domain
        known.wan, known.segments = wan, segments
        if not known.empty or known.vports:
            self._known[domain] = known
        vports = {
            path for path in known.vports if whole or any(one.segment.path in redo for one in self._attached[path])
        }
        for path in segments if whole else redo:
            vports.update(one for members in state.members_of(path).values() for one in members)
            self._floods(state, domain, path, again=True)
            self._gateways(state, domain, path, again=True)
        if whole:
            self._leads(state, domain, touched, forced=True)
        return vports

    # Machines -----------------------------------------------------------------------------------------------

    def _vports(self, state: State, paths: set[Path], touched: Touched) -> Steps[None]:
        segments: set[Path] = set()
        for path in paths:
            known = self._known.get(path[:4])
            if known is None and path not in self._attached:
                continue
            before = self._attached.get(path, ())
            after = tuple(self._attachments(state, path)) if known is not None else ()
            segments.update(one.segment.path for one in (*before, *after))
            place = state.place(path)
            if place is not None:
                segments.add(place.subnet)
            if before != after:
                self._replace(path, before, after, touched)
            yield
        for segment in segments:
            self._floods(state, segment[:4], segment)
            self._gateways(state, segment[:4], segment)
            yield
        for domain in {path[:4] for path in paths}:  # the last machine may have left a segment that is still there
            known = self._known.get(domain)
            for segment in [] if known is None else known.told.flooding:
                if segment not in segments:
                    self._floods(state, domain, segment)

    def _attachments(self, state: State, path: Path) -> Iterator[Attachment]:
        place, known = state.place(path), self._known[path[:4]]
        segment = None if place is None else known.segments.get(place.subnet)
        if place is None or segment is None:
            return
        domain = known.wan if known.wan is not None and known.wan.exports else None
        within = None if known.wan is None else known.wan.uuid
        endpoint = state.tunnel_address(place.location.dvrs)
        if place.vport.mac is not None:
            yield Attachment(segment, domain, within, mac_of(place.vport.mac), _ips(place.vport.address), endpoint)
        if place.vport.type == BRIDGE:
            for text, ips in (state.placement.learned.get(place.vport.uuid) or {}).items():
                if mac_of(text) != (place.vport.mac and mac_of(place.vport.mac)):
                    yield Attachment(segment, domain, within, mac_of(text), _ips(ips), endpoint)

    def _replace(
        self, path: Path, before: tuple[Attachment, ...], after: tuple[Attachment, ...], touched: Touched
    ) -> None:
        for one in before:
            key = MacKey(one.segment.uuid, one.mac)
            held = self._by_mac[key]
            held.pop(path, None)
            if not held:
                del self._by_mac[key]
            touched.macs.add(key)
        for one in after:
            key = MacKey(one.segment.uuid, one.mac)
            self._by_mac.setdefault(key, {})[path] = one
            touched.macs.add(key)
        self._count(before, after, touched)
        known = self._known.setdefault(path[:4], _Domain())
        if after:
            self._attached[path] = after
            known.vports.add(path)
        else:
            self._attached.pop(path, None)
            known.vports.discard(path)

    def _count(self, before: tuple[Attachment, ...], after: tuple[Attachment, ...], touched: Touched) -> None:
        """Who has which address, in the segment and in the domain."""
        for one in before:
            for owner in self._owners(one):
                for ip in one.addresses:
                    left = list(self._having[owner, ip])
                    left.remove(one.mac)
                    self._having[owner, ip] = tuple(left)
                    if not left:
                        del self._having[owner, ip]
        for one in after:
            for owner in self._owners(one):
                for ip in one.addresses:
                    self._having[owner, ip] = tuple(sorted((*self._having.get((owner, ip), ()), one.mac)))
        for one in (*before, *after):
            for ip in one.addresses:
                touched.addresses.add((one.segment.uuid, ip))
                if one.within is not None:
                    touched.facts.add(RemoteKey(one.within, "prefix", host(ip)))

    def _owners(self, one: Attachment) -> tuple[str, ...]:
        return (one.segment.uuid,) if one.within is None else (one.segment.uuid, one.within)

    # Floods and prefixes ------------------------------------------------------------------------------------

    def _floods(self, state: State, domain: Path, segment: Path, again: bool = False) -> None:
        known = self._known.get(domain)
        if known is not None:
            known.told.floods(self._desired, state, segment, known.segments.get(segment), self._using, again)

    def _gateways(self, state: State, domain: Path, segment: Path, again: bool = False) -> None:
        known = self._known.get(domain)
        if known is not None:
            known.told.gateways(self._desired, state, segment, known.segments.get(segment), self._using, again)

    def _leads(self, state: State, domain: Path, touched: Touched, forced: bool = False) -> None:
        known = self._known.get(domain)
        if known is None:
            return
        wan = known.wan if known.wan is not None and state.view.get(domain) is not None else None
        told = wan if wan is not None and wan.exports else None
        hosts = frozenset(state.hosts_of(domain)) if told is not None else NOTHING
        around = frozenset(state.hosts_of(domain)) if any(one.joined for one in known.segments.values()) else NOTHING
        if around != known.around:
            known.around = around
            for segment in known.segments.keys() | known.told.entered:
                self._gateways(state, domain, segment)
        own = subnets(state, domain) if told is not None and (forced or hosts != known.hosts) else []
        for dvrs in hosts | known.hosts if forced else hosts ^ known.hosts:
            self._lead("subnets", state, domain, dvrs, told if dvrs in hosts else None, own, mpls=False)
        known.hosts = hosts
        led = services(state, domain) if wan is not None else []
        by_dvrs: dict[str, list[Prefix]] = {}
        for one in (one for one in led if told is not None and one.told):
            by_dvrs.setdefault(one.dvrs, []).append(one.prefix)
        for dvrs in {*by_dvrs, *known.served}:
            self._lead("services", state, domain, dvrs, told if dvrs in by_dvrs else None, by_dvrs.get(dvrs, []))
        known.served = frozenset(by_dvrs)
        prefixes = frozenset(one.prefix for one in led)
        if wan is not None:
            touched.facts.update(RemoteKey(wan.uuid, "prefix", one) for one in prefixes ^ known.prefixes)
        known.prefixes = prefixes

    def _lead(
        self, kind: str, state: State, domain: Path, dvrs: str, told: DomainWan | None, of: list[Prefix],
        mpls: bool = True,
    ) -> None:  # fmt: skip
        routes: list[Route] = []
        if told is not None:
            endpoint = state.tunnel_address(dvrs)
            for prefix in of:
                routes += prefix_routes(told, endpoint, prefix, self._using.families, mpls=mpls)
        self._desired.put((kind, domain, dvrs), tuple(routes))

    def _forget_if_empty(self, domain: Path) -> None:
        known = self._known.get(domain)
        if known is None or not known.empty or known.vports or known.hosts:
            return
        if not known.told.flooding and not known.told.entered:
            del self._known[domain]


def _ips(texts: Iterable[str]) -> tuple[Ip, ...]:
    return tuple(sorted(map(address, texts)))
