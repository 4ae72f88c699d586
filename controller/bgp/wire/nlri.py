"""Any family's NLRI: one route to bytes, and a field of them back."""

from __future__ import annotations

from collections.abc import Sequence

from controller.bgp.routes import Encapsulation, Family, Nlri, Unicast, VpnPrefix
from controller.bgp.wire.evpn import decode_evpn, encode_evpn
from controller.bgp.wire.faults import WireError
from controller.bgp.wire.prefixes import decode_unicast, decode_vpn, encode_unicast, encode_vpn

__all__ = ["decode_field", "decode_nlri", "encode_nlri"]

_VERSIONS = {Family.VPNV4: 4, Family.VPNV6: 6, Family.IPV4: 4, Family.IPV6: 6}


def encode_nlri(nlri: Nlri, encapsulation: Encapsulation = Encapsulation.VXLAN, *, withdrawal: bool = False) -> bytes:
    """One route with its length, as it stands in MP_REACH_NLRI, or MP_UNREACH_NLRI for a withdrawal.

    `encapsulation` says what the labels of an EVPN route are; those of a VPN are labels. Raises WireError for what
    does not fit into its field.
    """
    if isinstance(nlri, VpnPrefix):
        return encode_vpn(nlri, withdrawal)
    if isinstance(nlri, Unicast):
        return encode_unicast(nlri)
    return encode_evpn(nlri, encapsulation)


def decode_field(
    family: Family, data: bytes, encapsulation: Encapsulation, withdrawal: bool
) -> tuple[Sequence[Nlri], Sequence[str]]:
    """The routes of a field, and why others in it were left out. Raises WireError when it cannot be read as a whole,
    which is what RFC 7606 section 5.3 calls syntactically incorrect."""
    if family is Family.EVPN:
        return decode_evpn(data, encapsulation)
    version = _VERSIONS[family]
    if family is Family.VPNV4 or family is Family.VPNV6:
        return decode_vpn(version, data, withdrawal), ()
    return decode_unicast(version, data), ()


def decode_nlri(
    family: Family, data: bytes, encapsulation: Encapsulation = Encapsulation.VXLAN, *, withdrawal: bool = False
) -> tuple[Nlri, ...]:
    """The routes of a field that must be right. Raises WireError."""
    found, left_out = decode_field(family, data, encapsulation, withdrawal)
    if left_out:
        raise WireError(left_out[0])
    return tuple(found)
