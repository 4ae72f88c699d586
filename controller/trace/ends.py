"""Who sends a packet to whom: its addresses, and the MAC address that it is sent to without asking.

A question that no machine could put on the wire is refused here, with what to ask instead: addresses of two families,
ICMP of the other one, an address that never leaves a machine.
"""

from __future__ import annotations

from controller.compile.addresses import link_local, prefixes
from controller.compile.addresses import mac as mac_bytes
from controller.compile.services.bridging import known_behind
from controller.compile.state import BRIDGE, State
from controller.packets.headers import multicast_mac
from controller.trace.packet import icmp_types, protocol_number
from controller.trace.question import Connection, Question
from data.addresses import LINK_LOCAL, Ip, address, gateway, prefix
from data.errors import CommandFailed
from data.path import Path, vport_name
from data.schema.objects import Subnet, Vport

__all__ = ["ICMP", "ends_of", "group_mac", "hardware_of", "next_hop", "own_address"]

_LOCAL = tuple(map(prefix, ("0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128")))
"""Addresses that nothing on the wire is sent to (RFC 6890)."""
_GROUPS = {4: prefix("224.0.0.0/4"), 6: prefix("ff00::/8")}
_EVERYBODY = Ip(4, 0xFFFFFFFF)
_BROADCAST = 0xFFFFFFFFFFFF
_NEW_MAC = "02:00:00:00:00:01"
ICMP = {"icmp": 4, "icmpv6": 6}
"""Protocols that one IP version alone has."""


def ends_of(state: State, question: Question, vport: Vport) -> tuple[Ip, Ip, Path | None]:
    """From which address to which, and the vport that is meant. Raises CommandFailed."""
    to, known = question.destination, question.source_address
    name, only = vport_name(question.source), ICMP.get(question.protocol or "")
    where = f"vport {name}"
    if isinstance(to, Ip):
        if known is not None and known.version != to.version:
            raise CommandFailed(
                where, f"{known} and {to} are of two families", "say a 'source' of the family that is sent to"
            )
        if any(place.covers(to) for place in _LOCAL):
            raise CommandFailed(where, f"nothing is sent to {to}", "name an address of a machine, or a vport")
        source = known or _source(state, question.source, vport, to)
        if source is None:
            raise CommandFailed(where, f"it has no IPv{to.version} address", "say one with 'source'")
        _refuse(question, to.version, str(to))
        return source, to, None
    body = state.view.get(to)
    if not isinstance(body, Vport):
        raise CommandFailed(f"vport {to[-1]}", "there is no such vport", "see 'show vports'")
    if body.type == BRIDGE:
        raise CommandFailed(f"vport {vport_name(to)}", "it is a bridge vport", "name an address behind it")
    versions = [known.version] if known else [ip.version for ip in map(address, vport.address)] or [4, 6]
    if only is not None and only not in versions:
        remedy = f"say one with 'source', or leave 'protocol {question.protocol}' out"
        raise CommandFailed(where, f"it has no IPv{only} address", remedy)
    found = [ip for one in versions if only in (None, one) and (ip := own_address(body, one)) is not None]
    for destination in found:
        source = known or _source(state, question.source, vport, destination)
        if source is not None:
            _refuse(question, destination.version, str(destination))
            return source, destination, to
    if found:
        raise CommandFailed(where, f"no IPv{found[0].version} address of it is known", "say one with 'source'")
    family = f"no IPv{only} address" if only and only in versions else f"no address of a family of {name}"
    raise CommandFailed(f"vport {vport_name(to)}", f"it has {family}", "name an address")


def _refuse(question: Question, version: int, to: str) -> None:
    """Raises CommandFailed for ICMP of the other family, or that cannot be where it is said to be."""
    protocol, said, where = question.protocol, question.connection, f"vport {vport_name(question.source)}"
    if protocol in ICMP and ICMP[protocol] != version:
        other = next(name for name, one in ICMP.items() if one == version)
        raise CommandFailed(where, f"{protocol} does not go to {to}", f"say 'protocol {other}', or leave it out")
    if protocol_number(protocol, version) != protocol_number(None, version):
        if said is Connection.RELATED:
            what = f"{protocol} is never related to a connection: ICMP errors are"
            raise CommandFailed(where, what, "leave 'protocol' out, or say 'connection established'")
        return
    if said is Connection.NEW or question.icmp_type is None:
        return
    types = icmp_types(said, version)
    if question.icmp_type not in types:
        what = {
            Connection.RELATED: "is no error about a packet",
            Connection.ANSWER: "answers nothing",
            Connection.ESTABLISHED: "asks nothing",
        }[said]
        names = ", ".join(map(str, types))
        raise CommandFailed(where, f"ICMP type {question.icmp_type} {what}", f"say one of {names}, or leave it out")


def own_address(vport: Vport, version: int | None) -> Ip | None:
    """The first address of a vport of this family, or of any."""
    return next((ip for ip in map(address, vport.address) if version in (None, ip.version)), None)


def _source(state: State, path: Path, vport: Vport, to: Ip) -> Ip | None:
    """By which of its addresses a vport sends there: to a link-local one by its own (RFC 6724 section 5)."""
    if LINK_LOCAL.covers(to) and vport.mac is not None:
        return Ip(6, int.from_bytes(link_local(mac_bytes(vport.mac)), "big"))
    return own_address(vport, to.version) or _behind(state, path, to.version)


def _behind(state: State, path: Path, version: int) -> Ip | None:
    """The first address learned behind a bridge vport."""
    known = (address(text) for held in known_behind(state, path).values() for text in held)
    return next((ip for ip in known if ip.version == version), None)


def hardware_of(state: State, path: Path, vport: Vport, source: Ip) -> int:
    """The MAC address that a packet from an address bears. What comes through a router behind a bridge vport bears the
    router's, the first one that is known; nobody knows yet that of a machine which is new there."""
    known, place = known_behind(state, path), state.place(path)
    subnet = None if place is None else state.view.get(place.subnet)
    found = [mac for mac, held in known.items() if str(source) in held]
    if isinstance(subnet, Subnet) and not any(network.covers(source) for network in prefixes(subnet)):
        found += known
    return int.from_bytes(mac_bytes(next(iter(found), vport.mac or _NEW_MAC)), "big")


def group_mac(subnet: object, to: Ip) -> int | None:
    """The MAC address of many at once: of a multicast group, of everybody here; None for an address of one."""
    if _GROUPS[to.version].covers(to):
        return int.from_bytes(mac_bytes(multicast_mac(to)), "big")
    here = prefixes(subnet) if isinstance(subnet, Subnet) else ()
    last = {network.last for network in here if network.version == 4 and network.length < 31}  # RFC 3021
    return _BROADCAST if to == _EVERYBODY or to in last else None


def next_hop(subnet: object, to: Ip) -> Ip:
    """Whom the sender asks for: the receiver in its own segment, else its gateway."""
    if not isinstance(subnet, Subnet) or LINK_LOCAL.covers(to):
        return to
    if any(network.covers(to) for network in prefixes(subnet)):
        return to
    for text, own in ((subnet.prefix, subnet.gateway), (subnet.ipv6_prefix, subnet.ipv6_gateway)):
        if text and prefix(text).version == to.version:
            return gateway(prefix(text), own)
    return to
