"""Addresses as flows carry them, of either family. Values come checked from the store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from controller.openflow import match, wire
from controller.openflow.match import Match
from data.addresses import Ip, Prefix, address, gateway, prefix
from data.schema.objects import Subnet, Vport

__all__ = [
    "FAMILIES",
    "Family",
    "Ip",
    "Prefix",
    "address",
    "gateways",
    "identified",
    "link_local",
    "mac",
    "narrow",
    "prefix",
    "prefixes",
    "value",
]


@dataclass(frozen=True, slots=True)
class Family:
    """What flows call the fields of one IP version."""

    version: int
    eth_type: int
    source: str
    destination: str
    tunnel_source: str
    tunnel_destination: str
    bits: int

    @property
    def is_ip(self) -> Match:
        """A packet of this family."""
        return match.eth_type(self.eth_type)


FAMILIES = {
    4: Family(4, wire.ETH_IPV4, "ipv4_src", "ipv4_dst", "tun_ipv4_src", "tun_ipv4_dst", 32),
    6: Family(6, wire.ETH_IPV6, "ipv6_src", "ipv6_dst", "tun_ipv6_src", "tun_ipv6_dst", 128),
}


def value(ip: Ip) -> int | bytes:
    """An address as a template takes it: 32-bit numbers, 16 bytes."""
    return ip.number if ip.version == 4 else ip.packed


def narrow(field: str, network: Prefix) -> list[Match]:
    """The match of an address field with a prefix; none for the prefix of length 0."""
    if not network.mask:
        return []
    bits = FAMILIES[network.version].bits
    if network.length == bits:
        return [match.field(field, value(network.first))]
    size = bits // 8
    return [match.field(field, network.network.to_bytes(size, "big"), network.mask.to_bytes(size, "big"))]


@lru_cache(maxsize=65536)
def mac(text: str) -> bytes:
    """'02:00:0a:01:01:0b' as six bytes."""
    return bytes.fromhex(text.replace(":", ""))


def link_local(hardware: bytes) -> bytes:
    """The link-local address that an interface with this MAC makes itself (RFC 4291 appendix A)."""
    first = bytes((hardware[0] ^ 2,))
    return b"\xfe\x80" + bytes(6) + first + hardware[1:3] + b"\xff\xfe" + hardware[3:]


def identified(vport: Vport) -> list[Ip]:
    """The addresses by which rules know a vport: its own, and with IPv6 the link-local one that it makes itself."""
    found = [address(text) for text in vport.address]
    if vport.mac is not None and any(ip.version == 6 for ip in found):
        found.append(Ip(6, int.from_bytes(link_local(mac(vport.mac)), "big")))
    return found


def prefixes(subnet: Subnet) -> list[Prefix]:
    """The prefixes of a subnet, IPv4 first."""
    return [prefix(text) for text in (subnet.prefix, subnet.ipv6_prefix) if text]


def gateways(subnet: Subnet) -> list[Ip]:
    """The gateways of a subnet, one per family it has."""
    pairs = ((subnet.prefix, subnet.gateway), (subnet.ipv6_prefix, subnet.ipv6_gateway))
    return [gateway(prefix(text), configured) for text, configured in pairs if text]
