"""What leads out of a domain to places outside our hypervisors, as `show` says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.compile.addresses import Ip, Prefix, address, mac, prefix
from controller.compile.remote import MPLS, Tunnel
from controller.compile.state import State
from controller.compile.wan.facts import host, hosts, machine, next_hops, routes
from data.path import Path
from data.schema.objects import Vport

__all__ = ["Elsewhere", "RemoteRoute", "beyond", "remote_routes", "way"]


@dataclass(frozen=True, slots=True)
class RemoteRoute:
    """A prefix, or the address of a machine in `subnet` with its `mac`; the tunnels that share what goes there. None
    when nothing does: no endpoint of it counts (`facts.py`)."""

    prefix: Prefix
    subnet: str | None
    mac: bytes | None
    tunnels: tuple[Tunnel, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Behind which tunnel endpoint a vport of ours is; None for who may not know the underlay."""

    endpoint: Ip | None


def remote_routes(state: State, domain: Path) -> Iterator[RemoteRoute]:
    """Those of a domain: machines in its subnets first, then prefixes in the order of their numbers."""
    for segment in state.subnets(domain):
        for ip in sorted(hosts(state, segment)):
            hardware = host(state, segment, ip)
            found = None if hardware is None else machine(state, segment, hardware)
            if found is not None:
                whole = prefix(f"{ip}/{32 if ip.version == 4 else 128}")
                yield RemoteRoute(whole, segment[-1], hardware, (found.tunnel,))
    for network in sorted(routes(state, domain)):
        yield RemoteRoute(network, None, None, tuple(hop.tunnel for hop in next_hops(state, domain, network)))


def beyond(state: State, path: Path) -> Tunnel | None:
    """The way to a vport that is not resolved here and whose MAC address, or address, is told to be elsewhere."""
    vport = state.view.get(path)
    if not isinstance(vport, Vport) or state.place(path) is not None:
        return None
    segment = state.segment_of(path, vport)
    if segment is None:
        return None
    if vport.mac is not None:
        found = machine(state, segment, mac(vport.mac))
        return None if found is None else found.tunnel
    holders = (host(state, segment, address(text)) for text in vport.address)
    machines = (machine(state, segment, one) for one in holders if one is not None)
    return next((one.tunnel for one in machines if one is not None), None)


def way(tunnel: Tunnel) -> str:
    """'MPLS 300' or 'VXLAN 900'."""
    return f"{'MPLS' if tunnel.encapsulation == MPLS else 'VXLAN'} {tunnel.number}"
