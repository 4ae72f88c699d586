"""What the gateway of a subnet tells its vports: leases of DHCP and DHCPv6, and router advertisements.

All of it is configuration, so nothing is handed out, remembered or lost: whoever asks twice hears the same, from
whichever controller, wherever the vport has moved. Pure functions of the configuration that acts.
"""

from __future__ import annotations

from controller.compile.services.punts import advertises, leases, leases6, served
from controller.packets.dhcp import Lease, option_bytes
from controller.packets.dhcp6 import Lease6
from controller.packets.neighbour import ALL_NODES, AdvertisedPrefix, router_advertisement
from data.addresses import Ip, Prefix, address
from data.configuration import Configuration
from data.networks import Network, network
from data.path import Path
from data.schema.objects import Controller, Object, Subnet, Vport
from data.schema.services import DhcpOption
from data.schema.types import BadValue, parse_hostname

__all__ = ["ROUTER_LIFETIME", "advertisement", "lease", "lease6", "subnet_of"]

ROUTER_LIFETIME = 9000
"""Seconds that the default route lives without a further advertisement: the most that RFC 4861 section 6.2.1 allows,
so that hosts keep it through two and a half hours without a controller."""
_VALID, _PREFERRED = 2592000, 604800  # seconds, of a prefix: the defaults of RFC 4861 section 6.2.1
_MOST_SERVERS = 8  # told of those that are configured, so that they fit a packet


def subnet_of(view: Configuration, path: Path) -> tuple[Vport, Path, Subnet] | None:
    """A vport that has a MAC address, and its subnet; None for one of an l2-domain, or when it is gone."""
    vport = view.get(path)
    if not isinstance(vport, Vport) or vport.mac is None:
        return None
    subnet_path = view.resolve(path, "subnet", vport.subnet)
    subnet = None if subnet_path is None else view.get(subnet_path)
    return None if subnet_path is None or not isinstance(subnet, Subnet) else (vport, subnet_path, subnet)


def lease(view: Configuration, path: Path) -> Lease | None:
    """The DHCP lease of a vport; None when it has no IPv4 address in its subnet, or DHCP is off there."""
    found = subnet_of(view, path)
    if found is None:
        return None
    vport, subnet_path, subnet = found
    own = network(subnet, 4)
    given = _inside(vport, own)
    if own is None or not given or not leases(subnet) or not served(vport, 4):
        return None
    return Lease(
        address=given[0],
        prefix_length=own.prefix.length,
        server=own.gateway,
        server_mac=_router(view),
        router=own.gateway,
        dns_servers=_dns_servers(subnet, 4),
        mtu=subnet.mtu,
        seconds=subnet.dhcp_lease,
        domain_name=subnet.domain_name,
        host_name=_host_name(path[-1]),
        options=_options(view, subnet_path),
    )


def lease6(view: Configuration, path: Path) -> Lease6 | None:
    """The DHCPv6 lease of a vport: all its addresses of the subnet; None without any, or when DHCPv6 is off there."""
    found = subnet_of(view, path)
    if found is None:
        return None
    vport, _, subnet = found
    own = network(subnet, 6)
    given = _inside(vport, own)
    if not given or not leases6(subnet) or not served(vport, 6):
        return None
    return Lease6(given, _router(view), _dns_servers(subnet, 6), _search(subnet), subnet.dhcp_lease)


def _inside(vport: Vport, own: Network | None) -> tuple[Ip, ...]:
    """The addresses of a vport that lie in its subnet, of the family that is meant."""
    return () if own is None else tuple(ip for ip in map(address, vport.address) if own.prefix.covers(ip))


def advertisement(
    view: Configuration,
    subnet: Object | None,
    former: Prefix | None = None,
    destination: Ip = ALL_NODES,
    destination_mac: str | None = None,
) -> bytes:
    """The router advertisement of a subnet; of one that does not advertise (any more), that there is no router.

    The prefix that was advertised before, when it is another, is withdrawn (RFC 4861 section 6.2.5).
    """
    prefixes: list[AdvertisedPrefix] = []
    own = network(subnet, 6) if isinstance(subnet, Subnet) and advertises(subnet) else None
    if own is not None:
        autonomous = isinstance(subnet, Subnet) and subnet.ipv6_addressing == "slaac"
        prefixes.append(AdvertisedPrefix(own.prefix, autonomous, True, _VALID, _PREFERRED))
    if former is not None and (own is None or former != own.prefix):
        prefixes.append(AdvertisedPrefix(former, valid=0, preferred=0))
    if own is None or not isinstance(subnet, Subnet):
        return router_advertisement(_router(view), prefixes, lifetime=0)
    managed = leases6(subnet)
    return router_advertisement(
        _router(view),
        prefixes,
        destination=destination,
        destination_mac=destination_mac,
        mtu=subnet.mtu,
        managed=managed,
        other=managed,
        lifetime=ROUTER_LIFETIME,
        dns_servers=_dns_servers(subnet, 6),
        search=_search(subnet),
    )


def _router(view: Configuration) -> str:
    return view.settings(Controller).anycast_gateway_mac


def _dns_servers(subnet: Subnet, version: int) -> tuple[Ip, ...]:
    """The gateway where it is a proxy, or those that are configured."""
    if subnet.dns_proxy:
        own = network(subnet, version)
        return () if own is None else (own.gateway,)
    return tuple(ip for ip in map(address, subnet.dns_server) if ip.version == version)[:_MOST_SERVERS]


def _search(subnet: Subnet) -> tuple[str, ...]:
    return (subnet.domain_name,) if subnet.domain_name else ()


def _host_name(name: str) -> str | None:
    """The name of a vport where it can be one of a host, too."""
    try:
        return parse_hostname(name)
    except BadValue:
        return None


def _options(view: Configuration, subnet: Path) -> dict[int, bytes]:
    found = {}
    for number in view.children(subnet, "dhcp-option"):
        option = view.get((*subnet, "dhcp-option", number))
        if isinstance(option, DhcpOption):
            found[int(number)] = option_bytes(option.value)
    return found
