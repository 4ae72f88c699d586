"""What is accepted from a neighbour and what it is told; for everything that is not, a reason.

We are no reflector and no transit: what we learned is never announced again, so a neighbour is told only what is ours
(RFC 4456 is the business of others), and one of the underlay nothing whatsoever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from controller.bgp.rib.settings import FABRIC, NeighbourPolicy, Settings
from controller.bgp.routes import (
    LOCAL_PREFERENCE,
    Attributes,
    AutoDiscovery,
    Encapsulation,
    EthernetSegment,
    Family,
    IpPrefix,
    MacIp,
    Multicast,
    Nlri,
    Route,
    Unicast,
    VpnPrefix,
)
from data.addresses import BITS, Ip, Prefix

__all__ = ["Importer", "host", "outbound", "prefix_of", "unicast"]

INGRESS_REPLICATION = 6  # RFC 6514 section 5
_VNIS = range(1, 1 << 24)
_LABELS = range(16, 1 << 20)  # RFC 3032 section 2.1: the first sixteen mean something else
_NEVER_4 = tuple(
    Prefix(4, network << 24, mask << 24) for network, mask in ((0, 0xFF), (127, 0xFF), (224, 0xF0), (240, 0xF0))
)
_NEVER_6 = (
    Prefix(6, 0, ((1 << 128) - 1) ^ 1),
    Prefix(6, 0xFF << 120, 0xFF << 120),
    Prefix(6, 0xFE80 << 112, 0xFFC0 << 112),
)
"""Where packets cannot be sent to from afar: unspecified, loopback, multicast, link-local, reserved."""


def unicast(ip: Ip) -> bool:
    """Whether a tunnel can end there."""
    return not any(one.covers(ip) for one in (_NEVER_4 if ip.version == 4 else _NEVER_6))


def host(ip: Ip) -> Prefix:
    """The prefix of one address."""
    return Prefix(ip.version, ip.number, (1 << BITS[ip.version]) - 1)


def prefix_of(nlri: Nlri) -> Prefix | None:
    """What an NLRI says of IP, which prefix lists are asked about; None for what is of MAC addresses alone."""
    if isinstance(nlri, IpPrefix | VpnPrefix | Unicast):
        return nlri.prefix
    return host(nlri.ip) if isinstance(nlri, MacIp) and nlri.ip is not None else None


class Importer:
    """What is accepted from one neighbour. Attributes are looked at once for all routes that share them."""

    __slots__ = ("_known", "_last", "_neighbour", "_settings")

    def __init__(self, neighbour: NeighbourPolicy, settings: Settings) -> None:
        self._neighbour = neighbour
        self._settings = settings
        self._last: Attributes | None = None
        self._known = ""

    def refusal(self, route: Route) -> str:
        """Why a route is not accepted, "" when it is."""
        if route.family not in self._neighbour.families:
            return f"family {route.family} is not enabled"
        if route.attributes is not self._last:
            self._last, self._known = route.attributes, self._of_attributes(route.attributes)
        return self._known or self._of_nlri(route)

    def _of_attributes(self, attributes: Attributes) -> str:
        settings = self._settings
        if settings.autonomous_system in attributes.as_path:
            return "AS loop: our own AS is in its path"
        router_id = settings.router_id or self._neighbour.router_id
        if router_id is not None and attributes.originator_id == router_id:
            return "originator loop: it began with us"
        if router_id is not None and router_id in attributes.cluster_list:
            return "cluster loop: our router id is in its cluster list"
        if attributes.next_hop in settings.own:
            return "its next hop is a hypervisor of ours"
        if attributes.pmsi is not None and attributes.pmsi.endpoint in settings.own:
            return "its PMSI endpoint is a hypervisor of ours"
        if not unicast(attributes.next_hop):
            return f"bad next hop {attributes.next_hop}: not a unicast address"
        return ""

    def _of_nlri(self, route: Route) -> str:
        nlri, accept = route.nlri, self._neighbour.accept
        prefix = prefix_of(nlri)
        if accept and prefix is not None and not any(one.holds(prefix) for one in accept):
            return "outside the prefixes that are accepted"
        if isinstance(nlri, Unicast):
            return ""
        if isinstance(nlri, VpnPrefix):
            return _of_labels(nlri.labels)
        if route.attributes.encapsulation is Encapsulation.MPLS:
            return "EVPN over MPLS is not spoken"
        check: Callable[[Route], str] = _EVPN[type(nlri)]
        return check(route) or self._of_mac(nlri)

    def _of_mac(self, nlri: Nlri) -> str:
        if not isinstance(nlri, MacIp):
            return ""
        if nlri.mac == self._settings.gateway_mac:
            return "MAC address of our own gateways"
        return "not a unicast MAC address" if nlri.mac[0] & 1 or not any(nlri.mac) else ""


def _of_labels(labels: tuple[int, ...]) -> str:
    if len(labels) != 1:
        return "a stack of labels is not spoken"
    return "" if labels[0] in _LABELS else f"label {labels[0]} out of range"


def _of_vni(vni: int) -> str:
    return "" if vni in _VNIS else f"VNI {vni} out of range"


def _mac_ip(route: Route) -> str:
    nlri = route.nlri
    assert isinstance(nlri, MacIp)
    return _of_vni(nlri.label) or ("" if nlri.label2 is None else _of_vni(nlri.label2))


def _multicast(route: Route) -> str:
    pmsi = route.attributes.pmsi
    if pmsi is None:
        return "malformed: no PMSI tunnel attribute"
    if pmsi.type != INGRESS_REPLICATION:
        return f"PMSI tunnel type {pmsi.type} is not ingress replication"
    if not unicast(pmsi.endpoint):
        return f"bad PMSI endpoint {pmsi.endpoint}: not a unicast address"
    return _of_vni(pmsi.label)


def _ip_prefix(route: Route) -> str:
    nlri = route.nlri
    assert isinstance(nlri, IpPrefix)
    if nlri.gateway is not None:
        return "an overlay gateway is not spoken"
    if route.attributes.router_mac is None:
        return "no router MAC"
    return _of_vni(nlri.label)


def _no_check(route: Route) -> str:
    return ""


_EVPN: dict[type, Callable[[Route], str]] = {
    MacIp: _mac_ip,
    Multicast: _multicast,
    IpPrefix: _ip_prefix,
    AutoDiscovery: _no_check,
    EthernetSegment: _no_check,
}


def outbound(neighbour: NeighbourPolicy, settings: Settings, route: Route, families: frozenset[Family]) -> Route | None:
    """One of our routes as a neighbour is told it, None when it is not: of a family that its session does not speak,
    or outside its prefixes. The next hop stays; local preference is for iBGP alone (RFC 4271 section 5.1.5), the
    speaker prepends our AS for others."""
    if neighbour.role != FABRIC or route.family not in neighbour.families or route.family not in families:
        return None
    if neighbour.announce:
        prefix = prefix_of(route.nlri)
        if prefix is not None and not any(one.holds(prefix) for one in neighbour.announce):
            return None
    if not settings.internal(neighbour):
        return route
    return Route(route.nlri, _preferred(route.attributes))


@lru_cache(maxsize=1 << 12)
def _preferred(attributes: Attributes) -> Attributes:
    return replace(attributes, local_preference=LOCAL_PREFERENCE)
