"""Which of the facts about other places count, and what they come to.

A tunnel that ends at a hypervisor of ours, or in the other IP family, is no way. The gateway of a subnet is here, and
only addresses of the subnet are anybody's in it. An address that a vport resolved here has is that vport's, unless the
MAC address elsewhere is its own: then it has moved (`RemoteMac`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.compile.addresses import Ip, Prefix, address, gateways, mac, prefixes
from controller.compile.features import Delta
from controller.compile.layered import Layered
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
    What,
)
from controller.compile.state import State
from data.path import Path
from data.schema.objects import Domain, L2Domain, Subnet, Vport

__all__ = ["elsewhere", "flooded", "floods", "gateways_at", "host", "hosts", "is_known", "machine", "machines",
           "next_hops", "owner", "readdressed", "routes", "vports_at"]  # fmt: skip


def owner(state: State, key: RemoteKey) -> Path | None:
    """The segment or domain that a fact is about; None when there is none of the right kind."""
    path = state.view.by_uuid(key.owner)
    body = None if path is None else state.view.get(path)
    return path if isinstance(body, Domain if key.kind == "prefix" else Subnet | L2Domain) else None


def _facts(state: State, path: Path, kind: str) -> Layered[What, Remote]:
    body = state.view.get(path)
    return state.placement.remotes("" if body is None else body.uuid, kind)


def _leads(state: State, tunnel: Tunnel, *encapsulations: str) -> bool:
    if tunnel.encapsulation not in encapsulations or tunnel.endpoint in state.endpoints:
        return False
    return any(ours.version == tunnel.endpoint.version for ours in state.endpoints)


# Segments


def floods(state: State, segment: Path) -> list[Tunnel]:
    """Who else gets copies."""
    facts = _facts(state, segment, "flood")
    found = (facts.get(what) for what in facts)
    return [one.tunnel for one in found if isinstance(one, RemoteFlood) and _leads(state, one.tunnel, VXLAN)]


def gateways_at(state: State, subnet: Path) -> Collection[str]:
    """The hypervisors that route for machines of a subnet which are behind VTEPs: those that host a vport of it; where
    none does, those that know its domain."""
    return state.members_of(subnet).keys() or state.hosts_of(subnet[:4])


def machine(state: State, segment: Path, hardware: bytes) -> RemoteMac | None:
    """The machine elsewhere that has a MAC address."""
    fact = _facts(state, segment, "mac").get(hardware)
    if not isinstance(fact, RemoteMac) or not _leads(state, fact.tunnel, VXLAN):
        return None
    return None if hardware == state.gateway_mac() else fact


def machines(state: State, segment: Path) -> Iterator[bytes]:
    """The MAC addresses of machines elsewhere, those that do not count too."""
    for what in _facts(state, segment, "mac"):
        if isinstance(what, bytes):
            yield what


def hosts(state: State, segment: Path) -> Iterator[Ip]:
    """The addresses of machines elsewhere, those that do not count too."""
    body = state.view.get(segment)
    yield from (body and state.placement.remote_macs.get(body.uuid)) or ()


def is_known(state: State, segment: Path, ip: Ip) -> bool:
    """Whether an address is among `hosts`."""
    return bool(_holders(state, segment, ip))


def _holders(state: State, segment: Path, ip: Ip) -> frozenset[bytes]:
    body = state.view.get(segment)
    known = None if body is None else state.placement.remote_macs.get(body.uuid)
    return (None if known is None else known.get(ip)) or frozenset()


def vports_at(state: State, segment: Path, ip: Ip) -> Iterator[tuple[Path, Vport]]:
    """The vports of a segment that are configured to have an address."""
    for path in state.view.holders("vport", "address", segment[:4], str(ip)):
        vport = state.view.get(path)
        if isinstance(vport, Vport) and state.segment_of(path, vport) == segment:
            yield path, vport


def host(state: State, segment: Path, ip: Ip) -> bytes | None:
    """The MAC address of the machine elsewhere that has an address. Of several the one of a vport, or the smallest."""
    held, body = _holders(state, segment, ip), state.view.get(segment)
    if not held:
        return None
    if isinstance(body, Subnet):
        if ip in gateways(body) or not any(network.covers(ip) for network in prefixes(body)):
            return None
    ours: set[bytes] = set()
    for path, vport in vports_at(state, segment, ip):
        its = None if vport.mac is None else mac(vport.mac)
        if its is not None:
            ours.add(its)
        if state.place(path) is not None and its not in held:
            return None
    valid = (one for one in held if machine(state, segment, one) is not None)
    return min(valid, key=lambda one: (one not in ours, one), default=None)


def elsewhere(state: State, path: Path) -> bool:
    """Whether a vport that is not resolved here is known to be at another site: its address is there, with its MAC."""
    vport = state.view.get(path)
    if not isinstance(vport, Vport) or state.place(path) is not None:
        return False
    segment = state.segment_of(path, vport)
    body = None if segment is None else state.view.get(segment)
    if segment is None or body is None or state.placement.remote_macs.get(body.uuid) is None:
        return False
    found = (host(state, segment, address(text)) for text in vport.address)
    return any(one is not None and vport.mac in (None, one.hex(":")) for one in found)


# Domains


def routes(state: State, domain: Path) -> Iterator[Prefix]:
    """The prefixes that others told, those that lead nowhere too."""
    for what in _facts(state, domain, "prefix"):
        if isinstance(what, Prefix):
            yield what


def next_hops(state: State, domain: Path, network: Prefix) -> list[NextHop]:
    """The ways to a prefix that lead somewhere, in their order, each once."""
    fact = _facts(state, domain, "prefix").get(network)
    if not isinstance(fact, RemotePrefix):
        return []
    return [
        hop
        for hop in dict.fromkeys(fact.next_hops)
        if _leads(state, hop.tunnel, MPLS) or (hop.mac is not None and _leads(state, hop.tunnel, VXLAN))
    ]


# Changes


def readdressed(delta: Delta) -> Iterator[RemoteKey]:
    """The facts that count or do not count any more because a hypervisor of ours has, or had, an endpoint of theirs."""
    old, new = delta.old, delta.new
    crossed = old.endpoints ^ new.endpoints
    if not crossed:
        return
    families = {one.version for one in old.endpoints} != {one.version for one in new.endpoints}
    for state in (old, new):
        for key, fact in state.placement.all_remote():
            tunnels = [hop.tunnel for hop in fact.next_hops] if isinstance(fact, RemotePrefix) else [fact.tunnel]
            if families or any(tunnel.endpoint in crossed for tunnel in tunnels):
                yield key


def flooded(delta: Delta) -> Iterator[Path]:
    """The segments whose copies others may want now, or not any more."""
    for key in (*delta.remote.get("flood", ()), *readdressed(delta)):
        if key.kind == "flood":
            for state in (delta.old, delta.new):
                path = owner(state, key)
                if path is not None:
                    yield path
