"""Prefixes on the wire: VPNv4 and VPNv6 (RFC 4364 section 4.3.4, RFC 4659 section 3.2, RFC 8277) and unicast.

::

    length in bits | labels, 3 bytes each | route distinguisher, 8 bytes | the bytes of the prefix that its length needs
                   |-------- of a VPN alone; the length counts them -----|

Fields of thousands of routes are read in one loop each, with what is the same in most of them (masks, route
distinguishers) at hand: this is what the speed of a session depends on.
"""

from __future__ import annotations

from functools import lru_cache

from controller.bgp.routes import Rd, Unicast, VpnPrefix
from controller.bgp.wire.faults import WireError
from controller.bgp.wire.labels import WITHDRAWN, encode_stack
from data.addresses import BITS, Prefix

__all__ = ["decode_unicast", "decode_vpn", "encode_unicast", "encode_vpn", "masks", "route_distinguisher"]

_RD_BITS = 64

route_distinguisher = lru_cache(maxsize=1 << 12)(Rd)
"""One value for each distinguisher on the wire: there are a few hundred, and every route has one."""


def _all_masks(bits: int) -> tuple[int, ...]:
    ones = (1 << bits) - 1
    return tuple(ones ^ ones >> length for length in range(bits + 1))


masks = {version: _all_masks(bits) for version, bits in BITS.items()}
"""IP version -> masks by length."""


def encode_vpn(nlri: VpnPrefix, withdrawal: bool) -> bytes:
    """One route. Raises WireError."""
    labels = WITHDRAWN if withdrawal else encode_stack(nlri.labels)
    version, network, mask = nlri.prefix
    length = mask.bit_count()
    bits = len(labels) * 8 + _RD_BITS + length
    if bits > 255:
        raise WireError(f"{nlri.prefix} with {len(nlri.labels)} labels is too long: its length is one octet")
    return b"%c%b%b%b" % (
        bits,
        labels,
        nlri.rd.packed,
        network.to_bytes(BITS[version] // 8, "big")[: length + 7 >> 3],
    )


def decode_vpn(version: int, data: bytes, withdrawal: bool) -> list[VpnPrefix]:
    """A field of routes of one IP version. Raises WireError where a length is impossible: what comes behind it cannot
    be found (RFC 7606 section 5.3)."""
    found = []
    width, mask_of = BITS[version], masks[version]
    at, end = 0, len(data)
    from_bytes = int.from_bytes
    while at < end:
        bits = whole = data[at]
        at += 1
        after = at + (bits + 7 >> 3)
        if after > end:
            raise WireError(f"a VPN route of {bits} bits with {end - at} bytes left")
        entry = from_bytes(data[at : at + 3], "big")
        at += 3
        labels: tuple[int, ...] = (entry >> 4,)
        bits -= 24
        if not entry & 1 and not (withdrawal and entry in (0x800000, 0)):
            while not entry & 1 and at + 3 <= after:  # ten at most: the length is one octet
                entry = from_bytes(data[at : at + 3], "big")
                at += 3
                labels = (*labels, entry >> 4)
                bits -= 24
        bits -= _RD_BITS
        if not 0 <= bits <= width:
            raise WireError(f"a VPN route of {whole} bits with {len(labels)} labels has no IPv{version} prefix in it")
        mask = mask_of[bits]
        rest = data[at + 8 : after]
        network = from_bytes(rest, "big") << width - 8 * len(rest) & mask
        found.append(VpnPrefix(route_distinguisher(data[at : at + 8]), Prefix(version, network, mask), labels))
        at = after
    return found


def encode_unicast(nlri: Unicast) -> bytes:
    """One prefix."""
    version, network, mask = nlri.prefix
    length = mask.bit_count()
    return b"%c%b" % (length, network.to_bytes(BITS[version] // 8, "big")[: length + 7 >> 3])


def decode_unicast(version: int, data: bytes) -> list[Unicast]:
    """A field of prefixes of one IP version; bits behind a prefix's length are dropped. Raises WireError."""
    found = []
    width, mask_of = BITS[version], masks[version]
    at, end = 0, len(data)
    while at < end:
        bits = data[at]
        after = at + 1 + (bits + 7 >> 3)
        if bits > width or after > end:
            raise WireError(f"an IPv{version} prefix of {bits} bits with {end - at - 1} bytes left")
        rest = data[at + 1 : after]
        mask = mask_of[bits]
        network = int.from_bytes(rest, "big") << width - 8 * len(rest) & mask
        found.append(Unicast(Prefix(version, network, mask)))
        at = after
    return found
