"""What the controller knows of a subnet with bridge vports, and how it asks into the segment behind them.

Used by `learning.py` and `gleaning.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.state import State
from controller.packets.neighbour import arp, arp_request, link_local, neighbour, neighbour_solicitation
from data.addresses import Ip, address
from data.networks import network
from data.path import Path
from data.schema.objects import Controller, Subnet, Vport

__all__ = ["claimed", "gateway_of", "has_object", "hosts", "may_have", "question", "router"]

_UNSPECIFIED = Ip(4, 0)


def router(state: State) -> str:
    """The MAC address of every gateway, from which the controller asks."""
    return state.view.settings(Controller).anycast_gateway_mac


def gateway_of(state: State, subnet: Path, version: int) -> Ip | None:
    """The gateway of a subnet in one family; None in an l2-domain."""
    body = state.view.get(subnet)
    own = network(body, version) if isinstance(body, Subnet) else None
    return None if own is None else own.gateway


def question(state: State, subnet: Path, ip: Ip, hardware: str | None = None) -> bytes:
    """ARP or ND: who has `ip`? To everybody or to one MAC address. From the gateway; in an l2-domain, which has none,
    from 0.0.0.0 (RFC 5227 section 2.1.1) or the link-local address of the gateways' MAC address."""
    mac = router(state)
    if ip.version == 6:
        return neighbour_solicitation(mac, link_local(mac), ip, hardware)
    return arp_request(mac, gateway_of(state, subnet, 4) or _UNSPECIFIED, ip, hardware)


def claimed(frame: bytes, sender: str) -> Ip | None:
    """The address that a packet says its sender has: ARP of either kind, a solicitation or an advertisement."""
    said = arp(frame)
    if said is not None:
        return said.sender if said.sender.number else None
    found = neighbour(frame)
    if found is None or found.duplicate_detection or found.link_layer not in (None, sender):
        return None
    return found.source if found.solicitation else found.target


def has_object(state: State, subnet: Path, hardware: str) -> bool:
    """Whether a MAC address is that of the gateways or of a vport of the subnet."""
    if hardware == router(state):
        return True
    for path in state.view.holders("vport", "mac", subnet[:4], hardware):
        vport = state.view.get(path)
        if isinstance(vport, Vport) and state.segment_of(path, vport) == subnet:
            return True
    return False


def may_have(state: State, subnet: Path, ip: Ip) -> bool:
    """Whether somebody behind a bridge vport may have an address: a host's of the subnet that is nobody's already."""
    body, domain, text = state.view.get(subnet), subnet[:4], str(ip)
    if isinstance(body, Subnet):
        own = network(body, ip.version)
        if own is None or not own.prefix.covers(ip) or own.taken_for(ip) or ip == own.gateway:
            return False
    elif not _unicast(ip):
        return False
    return not any(True for _ in _owners(state, domain, text))


def _owners(state: State, domain: Path, text: str) -> Iterator[Path]:
    for kind, leaf in (("vport", "address"), ("source-nat", "address"), ("load-balancer", "address")):
        yield from state.view.holders(kind, leaf, domain, text)
    for kind in ("virtual-ip", "floating-ip"):
        if state.view.get((*domain, kind, text)) is not None:
            yield (*domain, kind, text)


def _unicast(ip: Ip) -> bool:
    if ip.version == 4:
        return 0 < ip.number >> 24 < 224 and ip.number >> 24 != 127  # RFC 1122 section 3.2.1.3
    return ip.number > 1 and ip.number >> 120 != 0xFF


def hosts(state: State, texts: tuple[str, ...], subnet: Path) -> tuple[str, ...]:
    """Those of the addresses that somebody behind a bridge vport may have."""
    return tuple(text for text in texts if may_have(state, subnet, address(text)))
