"""os-ken's codec, which shares nothing with ours, and its objects as our values: the texts are its own."""

from __future__ import annotations

import socket
from typing import Any

from os_ken.lib.packet import bgp

from controller.bgp.routes import (
    NO_ESI,
    Attributes,
    AutoDiscovery,
    Community,
    Encapsulation,
    EthernetSegment,
    IpPrefix,
    MacIp,
    Multicast,
    Nlri,
    Origin,
    Pmsi,
    Rd,
    Route,
    Unicast,
    VpnPrefix,
)
from data.addresses import Ip, address, prefix

_NONE = ("0.0.0.0", "::")


def parsed(message: bytes) -> Any:
    """A whole message as os-ken's BGPUpdate; all of it must be understood."""
    found, _, rest = bgp.BGPMessage.parser(message)
    assert not rest
    return found


def said(update: Any, encapsulation: Encapsulation = Encapsulation.VXLAN) -> tuple[list[Route], list[Nlri]]:
    """What an os-ken BGPUpdate announces and withdraws; `encapsulation` where no community says it."""
    by_type = update.pathattr_map
    extended = tuple(
        sorted(Community(bytes(one.serialize())) for one in by_type[16].communities) if 16 in by_type else ()
    )
    tunnel = next((one.packed[7] for one in extended if one.packed[:2] == b"\3\x0c"), None)
    vxlan = tunnel == 8 if tunnel is not None else encapsulation is Encapsulation.VXLAN
    announced = [Route(_unicast(one), _attributes(by_type, extended, by_type[3].value, vxlan)) for one in update.nlri]
    withdrawn = [_unicast(one) for one in update.withdrawn_routes]
    if 14 in by_type:
        attributes = _attributes(by_type, extended, by_type[14].next_hop_list[0], vxlan)
        announced += [Route(_nlri(one, vxlan), attributes) for one in by_type[14].nlri]
    if 15 in by_type:
        withdrawn += [_nlri(one, encapsulation is Encapsulation.VXLAN) for one in by_type[15].withdrawn_routes]
    return announced, withdrawn


def _attributes(by_type: dict[int, Any], extended: tuple[Community, ...], hop: str, vxlan: bool) -> Attributes:
    path = by_type[2].value
    pmsi = by_type.get(22)
    return Attributes(
        _ip(hop),
        Origin(by_type[1].value),
        tuple(number for segment in path for number in segment),
        sum(1 if isinstance(segment, set) else len(segment) for segment in path),
        by_type[4].value if 4 in by_type else None,
        by_type[5].value if 5 in by_type else None,
        tuple(by_type[8].communities) if 8 in by_type else (),
        extended,
        _ip(by_type[9].value) if 9 in by_type else None,
        tuple(map(_ip, by_type[10].value)) if 10 in by_type else (),
        None
        if pmsi is None
        else Pmsi(
            _ip(pmsi.tunnel_id.tunnel_endpoint_ip),
            pmsi.vni if vxlan else pmsi.mpls_label,
            pmsi.pmsi_flags,
            pmsi.tunnel_type,
        ),
        tuple(
            (one.flags & ~0x10, kind, {6: lambda _: b"", 7: _aggregator}.get(kind, _value)(one))
            for kind, one in sorted(by_type.items())
            if kind in (6, 7) or kind > 22
        ),
    )


def _value(one: Any) -> bytes:
    return bytes(one.value)


def _aggregator(one: Any) -> bytes:
    return one.as_number.to_bytes(4, "big") + socket.inet_aton(one.addr)


def _nlri(one: Any, vxlan: bool) -> Nlri:
    if not isinstance(one, bgp.EvpnNLRI):
        if not hasattr(one, "route_dist"):
            return _unicast(one)
        length = one.length - 64 - 24 * len(one.label_list)  # its own text forgets labels behind the first
        return VpnPrefix(_rd(one), prefix(f"{one.addr[-1]}/{length}"), tuple(one.label_list))
    tag = getattr(one, "ethernet_tag_id", 0)
    esi = bytes(one.esi.serialize()) if hasattr(one, "esi") else NO_ESI
    if isinstance(one, bgp.EvpnEthernetAutoDiscoveryNLRI):
        return AutoDiscovery(_rd(one), esi, tag, one.vni if vxlan else one.mpls_label)
    if isinstance(one, bgp.EvpnMacIPAdvertisementNLRI):
        mac = bytes.fromhex(one.mac_addr.replace(":", ""))
        ip = _ip(one.ip_addr) if one.ip_addr else None
        first, second = one._labels[:3], one._labels[3:]  # it has no name for the second VNI
        labels = [int.from_bytes(each, "big") >> (0 if vxlan else 4) for each in (first, second) if each]
        assert labels[0] == (one.vni if vxlan else one.mpls_labels[0])
        return MacIp(_rd(one), mac, ip, labels[0], labels[1] if second else None, esi, tag)
    if isinstance(one, bgp.EvpnInclusiveMulticastEthernetTagNLRI):
        return Multicast(_rd(one), _ip(one.ip_addr), tag)
    if isinstance(one, bgp.EvpnEthernetSegmentNLRI):
        return EthernetSegment(_rd(one), esi, _ip(one.ip_addr))
    assert isinstance(one, bgp.EvpnIpPrefixNLRI)
    gateway = None if one.gw_ip_addr in _NONE else _ip(one.gw_ip_addr)
    return IpPrefix(_rd(one), prefix(one.ip_prefix), one.vni if vxlan else one.mpls_label, gateway, esi, tag)


def _unicast(one: Any) -> Unicast:
    return Unicast(prefix(f"{one.addr}/{one.length}"))


def _rd(one: Any) -> Rd:
    return Rd.of(one.route_dist)


def _ip(text: str) -> Ip:
    return address(text.removeprefix("::ffff:") if "." in text else text)
