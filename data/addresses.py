"""IPv4 and IPv6 addresses and prefixes as numbers: one code for both families.

An address is (version, number), so addresses of different families never compare as equal. Texts are canonical:
what `parse_address` and `parse_prefix` of `schema/types.py` made.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import NamedTuple

__all__ = ["BITS", "LINK_LOCAL", "Ip", "Prefix", "address", "gateway", "prefix"]

BITS = {4: 32, 6: 128}
"""IP version -> length of its addresses in bits."""
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_ALL_ONES = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


class Ip(NamedTuple):
    """One address; ``str`` gives its canonical text (RFC 5952)."""

    version: int
    number: int

    @property
    def packed(self) -> bytes:
        """4 or 16 bytes."""
        return self.number.to_bytes(BITS[self.version] // 8, "big")

    def __str__(self) -> str:
        return socket.inet_ntop(_FAMILY[self.version], self.packed)


class Prefix(NamedTuple):
    """A network: its first address as a number, and a mask of the same width."""

    version: int
    network: int
    mask: int

    @property
    def length(self) -> int:
        """The prefix length."""
        return self.mask.bit_count()

    @property
    def first(self) -> Ip:
        """The network address."""
        return Ip(self.version, self.network)

    @property
    def last(self) -> Ip:
        """The last address: the broadcast address of an IPv4 subnet."""
        return Ip(self.version, self.network | self.mask ^ _ALL_ONES[self.version])

    def covers(self, ip: Ip) -> bool:
        """Whether the address lies inside."""
        return ip.version == self.version and ip.number & self.mask == self.network

    def holds(self, other: Prefix) -> bool:
        """Whether the other prefix lies inside this one or equals it."""
        return (
            other.version == self.version
            and other.mask & self.mask == self.mask
            and other.network & self.mask == self.network
        )

    def __str__(self) -> str:
        return f"{self.first}/{self.length}"


@lru_cache(maxsize=1 << 17)
def address(text: str) -> Ip:
    """'10.1.1.11' or '2001:db8::11' as an address. Raises OSError for anything else."""
    version = 6 if ":" in text else 4
    return Ip(version, int.from_bytes(socket.inet_pton(_FAMILY[version], text), "big"))


@lru_cache(maxsize=1 << 16)
def prefix(text: str) -> Prefix:
    """'10.1.1.0/24' or '2001:db8::/64' as a prefix; bits behind its length are dropped."""
    word, _, length = text.partition("/")
    version, number = address(word)
    bits = BITS[version]
    mask = _ALL_ONES[version] ^ ((1 << bits - int(length)) - 1)
    return Prefix(version, number & mask, mask)


LINK_LOCAL = prefix("fe80::/10")
"""Addresses that are good on one link alone (RFC 4291 section 2.5.6)."""


def gateway(network: Prefix, configured: str | None) -> Ip:
    """The gateway of a subnet: as configured, or its first host address."""
    return address(configured) if configured else Ip(network.version, network.network + 1)
