"""What the wide area network of a lab is made of: its parts as data, its addresses, its wires.

```
                        ┌──── r2 ────┬───────┬──────┐            r1 … r4   routers: OSPF or IS-IS, traffic engineering
  hypervisors ── r1 ────┤      │     │ pe    │ vtep │ rr         r1, r4    the sites' gateways
  of site 1             ├──── r3 ────┴───────┴──────┘            pe        MPLS over GRE, a VRF per customer
  172.31.0.0/24         │     │                                  vtep      VXLAN, an Ethernet segment per VNI
                        └─────┴──── r4 ── hypervisors            rr        route reflector
                                          of site 2, 172.31.2.0/24
```
Every wire between two of them is point-to-point, a /30 of 172.31.128.0/17; loopbacks are 172.31.255.N/32.  Each has
mgmt0 in the management network besides, where BGP sessions with the controllers run.
"""

import ipaddress
import re

import msgspec

from data.errors import CommandFailed

IGPS = ("ospf", "isis")
LINKS = ipaddress.IPv4Network("172.31.128.0/17")
LOOPBACKS = {"r1": 1, "r2": 2, "r3": 3, "r4": 4, "pe": 11, "vtep": 12, "rr": 13}  # 172.31.255.N, mgmt0 in this order
MANAGEMENT_FIRST = 2  # 169.254.X.2 is r1's; hypervisors begin at .11
PORT_FIRST = 241  # of the management bridge's ports; hypervisors have those up to 240
SITES = {1: "r1", 2: "r4"}
UNDERLAY_MTU = 1500  # bytes
VNI_MAX = (1 << 24) - 1
NAME = re.compile(r"[a-z][a-z0-9]{0,7}")  # 8 characters leave room in an interface's 15


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A VPN customer at the PE: a VRF, and a host `ce-NAME` in its network.

    The first address of a network is the PE's, the tenth the host's. With `configured` false the VRF is there but bgpd
    knows nothing of it: the controller's template shall configure it.
    """

    name: str
    network: tuple[str, ...] = ("10.9.0.0/24",)  # one of each family at most
    route_target: str = "65000:77"
    route_distinguisher: str = "65000:1077"
    configured: bool = True

    @property
    def host(self) -> str:
        """The name of the host behind the PE."""
        return f"ce-{self.name}"

    def addresses(self, number: int) -> tuple[str, ...]:
        """The ADDRESS/LENGTH of that number in each network."""
        return numbered(self.network, number)


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A VNI at the VTEP, and a host `vh-NAME` in it."""

    name: str
    vni: int
    address: tuple[str, ...]  # the host's, ADDRESS/LENGTH
    gateway: tuple[str, ...] = ()
    mac: str = "02:00:0a:01:01:c9"
    route_target: str = ""  # "": AS:VNI, which bgpd makes itself
    tenant: str = ""  # the bridge is in this tenant's VRF, with the addresses `router`: type 2 routes have both labels
    router: tuple[str, ...] = ()  # ADDRESS/LENGTH

    @property
    def host(self) -> str:
        """The name of the host behind the VTEP."""
        return f"vh-{self.name}"


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A VRF at the VTEP with a VNI of its own (symmetric routing, RFC 9136), and a host `vt-NAME` in its network.

    The first address of a network is the VTEP's, the tenth the host's.
    """

    name: str
    vni: int
    network: tuple[str, ...] = ("10.8.0.0/24",)  # one of each family at most
    route_target: str = "65000:77"
    router_mac: str = "02:0e:00:00:00:01"

    @property
    def host(self) -> str:
        """The name of the host behind the VTEP."""
        return f"vt-{self.name}"

    def addresses(self, number: int) -> tuple[str, ...]:
        """The ADDRESS/LENGTH of that number in each network."""
        return numbered(self.network, number)


def numbered(networks: tuple[str, ...], number: int) -> tuple[str, ...]:
    """The ADDRESS/LENGTH of that number in each network."""
    parsed = [ipaddress.ip_network(one) for one in networks]
    return tuple(f"{one[number]}/{one.prefixlen}" for one in parsed)


CUSTOMERS = (Customer(name="acme", network=("10.9.0.0/24", "2001:db8:9::/64")),)
SEGMENTS = (Segment(name="web1", vni=10101, address=("10.1.1.201/24",), gateway=("10.1.1.1",)),)


class Wan(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts a lab's wide area network has; the routers r1, r2 and r3 are always there."""

    igp: str = "ospf"
    pe: bool = True
    vtep: bool = True
    reflector: bool = False  # pe, vtep and the controllers then peer with rr alone
    second_site: bool = False  # r4 and the lab PREFIXb behind it, `lab.second`
    customers: tuple[Customer, ...] = CUSTOMERS
    segments: tuple[Segment, ...] = SEGMENTS
    tenants: tuple[Tenant, ...] = ()
    autonomous_system: int = 65000  # of the controllers
    wan_autonomous_system: int = 65000  # of pe, vtep and rr; another one: external BGP
    port: int = 179  # TCP, of the controllers' BGP

    @property
    def nodes(self) -> tuple[str, ...]:
        """The machines of the WAN, in the order of their addresses."""
        present = {"r4": self.second_site, "pe": self.pe, "vtep": self.vtep, "rr": self.reflector}
        return tuple(name for name in LOOPBACKS if present.get(name, True))

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """The wires between them."""
        wires = [("r1", "r2"), ("r1", "r3"), ("r2", "r3")]
        wires += [(name, core) for name in ("r4", "pe", "vtep", "rr") for core in ("r2", "r3")]
        return tuple(one for one in wires if set(one) <= set(self.nodes))

    @property
    def hosts(self) -> dict[str, tuple[str, ...]]:
        """The hosts behind PE and VTEP with their addresses, ADDRESS/LENGTH."""
        customers = {one.host: one.addresses(10) for one in self.customers} if self.pe else {}
        if not self.vtep:
            return customers
        tenants = {one.host: one.addresses(10) for one in self.tenants}
        return customers | {one.host: one.address for one in self.segments} | tenants


def check(wan: Wan) -> None:
    """Refuse a WAN that could not be built."""
    if wan.igp not in IGPS:
        raise CommandFailed("wan", f"an IGP {wan.igp}", f"choose {' or '.join(IGPS)}")
    for kind, some in (("customer", wan.customers), ("segment", wan.segments), ("tenant", wan.tenants)):
        names = [one.name for one in some]
        for name in names:
            if not NAME.fullmatch(name) or names.count(name) > 1:
                raise CommandFailed(
                    f"{kind} {name}", "the name is taken, or not 1 to 8 lower-case letters and digits", "rename it"
                )
    try:
        for networks in [*(one.network for one in wan.customers), *(one.network for one in wan.tenants)]:
            numbered(networks, 10)
        for segment in wan.segments:
            _ = [ipaddress.ip_interface(one) for one in (*segment.address, *segment.router)]
            _ = [ipaddress.ip_address(one) for one in segment.gateway]
    except (ValueError, IndexError) as problem:
        raise CommandFailed("wan", str(problem), "write networks as 10.9.0.0/24, with room for ten") from None
    tenants = [one.name for one in wan.tenants]
    for segment in wan.segments:
        if segment.tenant and segment.tenant not in tenants:
            raise CommandFailed(
                f"segment {segment.name}", f"there is no tenant {segment.tenant}", "name one in tenants"
            )
    numbers = [*(one.vni for one in wan.segments), *(one.vni for one in wan.tenants)]
    for vni in numbers:
        if not 0 < vni <= VNI_MAX or numbers.count(vni) > 1:
            raise CommandFailed("wan", f"{vni} is no VNI, or taken", f"use 1 to {VNI_MAX}, each once")


def loopback(node: str) -> str:
    """A node's own address on the underlay, which is its tunnel address and router id."""
    return f"172.31.255.{LOOPBACKS[node]}"


def link_addresses(link: tuple[str, str]) -> tuple[str, str]:
    """The addresses, without the length 30, of both ends of a wire: the same whatever other parts there are."""
    number = _ALL_LINKS.index(link)
    first = int(LINKS.network_address) + 4 * number + 1
    return str(ipaddress.IPv4Address(first)), str(ipaddress.IPv4Address(first + 1))


def ends(wan: Wan, node: str) -> list[tuple[str, str]]:
    """A node's neighbours, each with the node's own address on the wire to it."""
    found = []
    for link in wan.links:
        if node in link:
            here = link.index(node)
            found.append((link[1 - here], link_addresses(link)[here]))
    return found


def management_address(subnet: int, node: str) -> str:
    """A node's address in the management network 169.254.SUBNET.0/24."""
    return f"169.254.{subnet}.{MANAGEMENT_FIRST + list(LOOPBACKS).index(node)}"


def management_port(prefix: str, node: str) -> str:
    """A node's port of the management bridge, in the root namespace."""
    return f"{prefix}-m{PORT_FIRST + list(LOOPBACKS).index(node)}"


_ALL_LINKS = Wan(second_site=True, reflector=True).links
