"""A subnet as numbers: for each family that it has, its prefix, its gateway and which addresses hosts may have.

IPv4 keeps the first and the last address of a prefix for itself (RFC 1122 section 3.2.1.3); IPv6 only the first, the
subnet-router anycast address (RFC 4291 section 2.6.1).
"""

from __future__ import annotations

from typing import NamedTuple

from data.addresses import Ip, Prefix, gateway, prefix
from data.schema.objects import Subnet

__all__ = ["PREFIX_FIELDS", "Network", "holds", "network", "networks"]

PREFIX_FIELDS = {4: "prefix", 6: "ipv6_prefix"}
"""IP version -> field of a subnet that holds the prefix of this family."""


class Network(NamedTuple):
    """What a subnet is in one family."""

    prefix: Prefix
    gateway: Ip

    @property
    def low(self) -> Ip:
        """The first address of a host."""
        return Ip(self.prefix.version, self.prefix.network + 1)

    @property
    def high(self) -> Ip:
        """The last address of a host."""
        last = self.prefix.last
        return Ip(4, last.number - 1) if last.version == 4 else last

    def taken_for(self, ip: Ip) -> str:
        """What an address of the prefix is instead of a host's: "network", "broadcast" ...; "" for a host's."""
        if ip == self.prefix.first:
            return "network" if ip.version == 4 else "subnet-router anycast"
        return "broadcast" if ip.version == 4 and ip == self.prefix.last else ""


def networks(subnet: Subnet) -> tuple[Network, ...]:
    """The families that the subnet has, IPv4 first."""
    found = []
    for text, configured in ((subnet.prefix, subnet.gateway), (subnet.ipv6_prefix, subnet.ipv6_gateway)):
        if text:
            own = prefix(text)
            found.append(Network(own, gateway(own, configured)))
    return tuple(found)


def holds(subnet: Subnet, ip: Ip) -> bool:
    """Whether the address lies in a prefix of the subnet."""
    return any(one.prefix.covers(ip) for one in networks(subnet))


def network(subnet: Subnet, version: int) -> Network | None:
    """The subnet in one family; None when it has no prefix of it."""
    return next((one for one in networks(subnet) if one.prefix.version == version), None)
