"""Addresses as the integers and bytes that flows carry. Values come checked from the store."""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Network

from data.schema.objects import Subnet

__all__ = ["ALL_ONES", "Prefix", "gateway", "ipv4", "length", "mac", "prefix"]

Prefix = tuple[int, int]
"""A network as (address, mask), both 32-bit."""
ALL_ONES = 0xFFFFFFFF


def ipv4(text: str) -> int:
    """'10.1.1.11' as a 32-bit number."""
    return int.from_bytes(socket.inet_aton(text), "big")


@lru_cache(maxsize=65536)
def prefix(text: str) -> Prefix:
    """'10.1.1.0/24' as (address, mask)."""
    network = IPv4Network(text)
    return int(network.network_address), int(network.netmask)


def length(mask: int) -> int:
    """The prefix length of a 32-bit mask."""
    return mask.bit_count()


@lru_cache(maxsize=65536)
def mac(text: str) -> bytes:
    """'02:00:0a:01:01:0b' as six bytes."""
    return bytes.fromhex(text.replace(":", ""))


def gateway(subnet: Subnet) -> int:
    """The gateway of a subnet: as configured, or its first host address."""
    return ipv4(subnet.gateway) if subnet.gateway else prefix(subnet.prefix)[0] + 1
