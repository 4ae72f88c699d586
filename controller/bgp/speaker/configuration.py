"""Neighbours -> the configuration text that ExaBGP reads.

Pure. Nothing that a person typed gets into the text as it stands: addresses are parsed and written anew, numbers are
numbers, families are ours, a password is base64 (RFC 2385 keys are bytes). So no value can end a statement.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Collection, Iterable

from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Peer

__all__ = ["EMPTY", "PASSWORD_LIMIT", "check", "configuration", "secrets"]

PASSWORD_LIMIT = 80  # bytes; TCP_MD5SIG_MAXKEYLEN of linux/tcp.h
TTL_MAX = 255
EMPTY = "template {\n}\n"  # ExaBGP takes no text without a section for a configuration

_FAMILIES = {
    Family.EVPN: "l2vpn evpn",
    Family.VPNV4: "ipv4 mpls-vpn",
    Family.VPNV6: "ipv6 mpls-vpn",
    Family.IPV4: "ipv4 unicast",
    Family.IPV6: "ipv6 unicast",
}


def check(peers: Iterable[Peer]) -> None:
    """Raises ValueError naming the neighbour that cannot be configured, and why."""
    taken: dict[str, str] = {}
    for peer in peers:
        try:
            _check(peer)
        except ValueError as problem:
            raise ValueError(f"neighbor {peer.name}: {problem}") from None
        address = str(ipaddress.ip_address(peer.address))
        if address in taken:
            raise ValueError(f"neighbor {peer.name}: {address} is the address of neighbor {taken[address]}")
        taken[address] = peer.name


def _check(peer: Peer) -> None:
    address, local = ipaddress.ip_address(peer.address), ipaddress.ip_address(peer.local_address)
    if address.version != local.version:
        raise ValueError(f"{address} and the local address {local} are of different families")
    if address == local:
        raise ValueError(f"{address} is the local address, too")
    ipaddress.IPv4Address(peer.router_id)
    _between("the autonomous system", peer.local_as, 1, 0xFFFFFFFF)
    _between("the peer's autonomous system", peer.peer_as, 1, 0xFFFFFFFF)
    _between("the port", peer.port, 1, 0xFFFF)
    if peer.hold_time != 0:
        _between("the hold time", peer.hold_time, 3, 0xFFFF)  # RFC 4271 section 4.2
    _between("the restart time", peer.restart_time, 0, 4095)  # 12 bits, RFC 4724 section 3
    if peer.multihop is not None and peer.ttl_security is not None:
        raise ValueError("multihop and TTL security exclude each other")
    if peer.multihop is not None:
        _between("multihop", peer.multihop, 1, TTL_MAX)
    if peer.ttl_security is not None:
        _between("TTL security", peer.ttl_security, 1, TTL_MAX - 1)
    if peer.password is not None and not 1 <= len(peer.password.encode()) <= PASSWORD_LIMIT:
        raise ValueError(f"a password has 1 to {PASSWORD_LIMIT} bytes")
    if not peer.families:
        raise ValueError("it has no address family")


def _between(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise ValueError(f"{what} is {number}, not between {least} and {most}")


def configuration(peers: Iterable[Peer], listen: Collection[str] = (), port: int = 179) -> str:
    """The whole text. `listen` are our own addresses where connections are accepted, on `port`; a passive neighbour's
    local address is one by itself. Raises ValueError, see `check`."""
    some = tuple(peers)
    check(some)
    accepting = {ipaddress.ip_address(one) for one in listen}
    parts = [EMPTY]
    for peer in some:
        accepts = peer.passive or ipaddress.ip_address(peer.local_address) in accepting
        parts.append(_neighbor(peer, port if accepts else 0))
    return "".join(parts)


def _neighbor(peer: Peer, listen: int) -> str:
    lines = [
        f"neighbor {ipaddress.ip_address(peer.address)} {{",
        f"  router-id {ipaddress.IPv4Address(peer.router_id)};",
        f"  local-address {ipaddress.ip_address(peer.local_address)};",
        f"  local-as {int(peer.local_as)};",
        f"  peer-as {int(peer.peer_as)};",
        f"  connect {int(peer.port)};",
        f"  hold-time {int(peer.hold_time)};",
        f"  passive {'true' if peer.passive else 'false'};",
    ]
    if listen:
        lines.append(f"  listen {int(listen)};")
    if peer.ttl_security is not None:
        # RFC 5082 section 3: a peer N hops away sends 255, which arrives as 256 - N. ExaBGP sends 255 by itself then
        lines.append(f"  incoming-ttl {TTL_MAX + 1 - int(peer.ttl_security)};")
    elif peer.multihop is not None:
        lines.append(f"  outgoing-ttl {int(peer.multihop)};")
    elif peer.local_as != peer.peer_as:
        lines.append("  outgoing-ttl 1;")  # external peers are on the link unless it says multihop
    if peer.password is not None:
        lines += [f"  md5-password {base64.b64encode(peer.password.encode()).decode()};", "  md5-base64 true;"]
    restart = f"graceful-restart {int(peer.restart_time)};" if peer.restart_time else ""
    lines += [
        "  manual-eor true;",
        "  capability {",
        "    asn4 enable; route-refresh enable; extended-message enable; add-path disable; multi-session disable;",
        f"    operational disable; nexthop disable; aigp disable; {restart}",
        "  }",
        "  family {",
        *(f"    {_FAMILIES[family]};" for family in peer.families),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def secrets(peers: Iterable[Peer]) -> frozenset[str]:
    """Every form in which a password could come back in what ExaBGP prints."""
    found: set[str] = set()
    for peer in peers:
        if peer.password is not None:
            found |= {peer.password, base64.b64encode(peer.password.encode()).decode()}
    return frozenset(found)
