"""Address families in numbers, and the next hops that go with them (RFC 4760 section 3).

::

    vpnv4, vpnv6     route distinguisher 0 and address; IPv4 of VPNv6 as ::ffff:192.0.2.1 (RFC 4659 section 3.2.1)
    evpn             the address alone, 4 or 16 bytes (RFC 7432 section 7)
    ipv4, ipv6       the address alone; an IPv6 address may have a link-local one behind it (RFC 2545 section 3)
    vpnv4, ipv4      an IPv6 address, too, where both ends can (RFC 8950)
"""

from __future__ import annotations

from controller.bgp.routes import Family
from controller.bgp.wire.faults import WireError
from data.addresses import Ip

__all__ = ["FAMILIES", "NUMBERS", "decode_next_hop", "encode_next_hop"]

NUMBERS = {
    Family.EVPN: (25, 70),
    Family.VPNV4: (1, 128),
    Family.VPNV6: (2, 128),
    Family.IPV4: (1, 1),
    Family.IPV6: (2, 1),
}
"""AFI and SAFI."""
FAMILIES = {numbers: family for family, numbers in NUMBERS.items()}

_MAPPED = 0xFFFF << 32  # ::ffff:0:0/96
_VPN = (Family.VPNV4, Family.VPNV6)
_LENGTHS = {
    Family.EVPN: (4, 16),
    Family.VPNV4: (12, 24, 48),
    Family.VPNV6: (24, 48),
    Family.IPV4: (4, 16, 32),
    Family.IPV6: (16, 32),
}


def encode_next_hop(family: Family, ip: Ip) -> bytes:
    """The field of MP_REACH_NLRI without its length octet."""
    if ip.version == 4 and family in (Family.VPNV6, Family.IPV6):
        ip = Ip(6, _MAPPED | ip.number)
    return bytes(8) + ip.packed if family in _VPN else ip.packed


def decode_next_hop(family: Family, data: bytes) -> Ip:
    """The address to send to: the global one where a link-local one follows. Raises WireError for a length that the
    family does not have."""
    if len(data) not in _LENGTHS[family]:
        raise WireError(f"a next hop of {len(data)} bytes does not go with {family}")
    if family in _VPN:
        data = data[8 : 24 if len(data) > 12 else 12]
    number = int.from_bytes(data[:16], "big")
    if len(data) == 4:
        return Ip(4, number)
    if number >> 32 == 0xFFFF:
        return Ip(4, number & 0xFFFFFFFF)
    return Ip(6, number)
