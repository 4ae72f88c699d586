"""The lab's wires: namespaces, the underlay bridge, the management network.

All names begin with the lab's prefix, so that what a killed process left is found and removed by name.
"""

import fcntl
import ipaddress
import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agent import namespaces, offload
from agent.host import run
from data.errors import CommandFailed
from nshell.lab.spaces import batch, ensure_namespaces, set_kernel

PREFIX = re.compile(r"[a-z][a-z0-9]{0,7}")  # 8 characters leave room for "-mgmt" and "-m240" in 15
HYPERVISORS_MAX = 240  # host numbers 11 to 250 of the management /24
UNDERLAY_MTU = 1500  # bytes
GATEWAY = 254  # host number of the router of 172.31.0.0/24, where there is one
AREA = "172.31.0.0/16"  # all that routers join
LINK_LOCAL = ipaddress.IPv4Network("169.254.0.0/16")  # RFC 3927
CLOUD_METADATA = 169  # 169.254.169.254 is taken on cloud machines


@dataclass(frozen=True, slots=True)
class Names:
    """What the things of one lab are called, and their addresses."""

    prefix: str
    subnet: int  # X in 169.254.X.0/24
    version: int = 4  # of the IP that tunnels go over
    site: int = 1  # 2: behind the wide area network of another lab

    @property
    def fabric(self) -> str:
        """Namespace of the underlay's bridge."""
        return f"{self.prefix}-fabric"

    @property
    def management(self) -> str:
        """The management bridge in the root namespace."""
        return f"{self.prefix}-mgmt"

    @property
    def controller_address(self) -> str:
        """Where every hypervisor reaches the controller."""
        return f"169.254.{self.subnet}.1"

    def hypervisor(self, number: int) -> str:
        """Namespace of a hypervisor."""
        return f"{self.prefix}-hv{number}"

    def tunnel_address(self, number: int) -> str:
        """A hypervisor's address on the underlay: 172.31.0.N or fd00:31::N, 172.31.2.N or fd00:31:2::N at site 2."""
        if self.version == 4:
            return f"172.31.{0 if self.site == 1 else self.site}.{number}"
        return f"fd00:31:{'' if self.site == 1 else f'{self.site:x}:'}:{number:x}"

    @property
    def tunnel_length(self) -> int:
        """Bits of the underlay's prefix."""
        return 24 if self.version == 4 else 64

    @property
    def underlay_mtu(self) -> int:
        """Bytes; a VXLAN tunnel over IPv6 takes 20 more, and machines shall have their 1450 all the same."""
        return UNDERLAY_MTU if self.version == 4 else UNDERLAY_MTU + 20

    def machine(self, name: str) -> str:
        """Namespace of a virtual machine."""
        return f"{self.prefix}-vm-{name}"

    @property
    def physical(self) -> str:
        """Namespace of the physical switch, outside the fabric."""
        return f"{self.prefix}-phys"

    def outside(self, name: str) -> str:
        """Namespace of a host on the physical network."""
        return f"{self.prefix}-out-{name}"

    def management_port(self, number: int) -> str:
        """A hypervisor's port of the management bridge, in the root namespace."""
        return f"{self.prefix}-m{number}"

    def management_address(self, number: int) -> str:
        """A hypervisor's address of the management network."""
        return f"169.254.{self.subnet}.{10 + number}"


def existing(prefix: str) -> list[str]:
    """The namespaces of a lab that exist, whoever made them."""
    mine = re.compile(rf"{prefix}-(fabric|phys|hv\d+|(vm|out|wan|vrf)-[a-z0-9-]+)")
    try:
        return sorted(name for name in os.listdir(namespaces.NAMED) if mine.fullmatch(name))
    except FileNotFoundError:
        return []


def root_links(prefix: str) -> list[str]:
    """The links of a lab in the root namespace that exist."""
    mine = re.compile(rf"{prefix}-(mgmt|m\d+)")
    links = json.loads(run(["ip", "-json", "link", "show"]))
    return [one["ifname"] for one in links if mine.fullmatch(one["ifname"])]


def make_management(names: Names) -> None:
    """The bridge in the root namespace that hypervisors reach the controller through."""
    if names.management in root_links(names.prefix):
        return
    # without an address of its own a bridge takes the lowest of its ports': a port more, and what hypervisors know of
    # the controller is wrong for half a minute
    own = f"address 02:6e:73:68:00:{names.subnet:02x}"
    batch([f"link add name {names.management} {own} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"])
    set_kernel(f"net/ipv6/conf/{names.management}/disable_ipv6", "1")
    batch(
        [
            f"address replace {names.controller_address}/24 dev {names.management}",
            f"link set dev {names.management} up",
        ]
    )


def make_fabric(names: Names) -> None:
    """The underlay: a plain bridge that snoops nothing and sends nothing of its own."""

    def build() -> None:
        if os.path.exists("/proc/sys/net/ipv4/conf/fabric"):  # /proc/sys/net is the calling thread's namespace
            return
        batch(
            [
                "link add name fabric type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                f"link set dev fabric mtu {names.underlay_mtu} up",
            ]
        )

    namespaces.inside(namespaces.of_name(names.fabric), build)


def ensure_fabric(names: Names) -> None:
    """The underlay's namespace with its bridge, without anything in it."""
    ensure_namespaces([names.fabric])
    make_fabric(names)


def _remove_leftover(names: Names, port: str) -> None:
    """A wire whose other end was in a namespace that ends; the kernel, which does that in the background, takes it away
    at any moment.
    """
    try:
        run(["ip", "link", "del", "dev", port])
    except CommandFailed:
        if port in root_links(names.prefix):
            raise


def wire_hypervisor(names: Names, number: int) -> None:
    """Both of a hypervisor's wires: eth0 into the underlay, mgmt0 into the management network."""
    space = names.hypervisor(number)
    port = names.management_port(number)
    if port in root_links(names.prefix):
        _remove_leftover(names, port)
    batch(
        [
            f"link add name {port} type veth peer name mgmt0 netns {space}",
            f"link add name eth0 netns {space} type veth peer name f{number} netns {names.fabric}",
        ]
    )
    set_kernel(f"net/ipv6/conf/{port}/disable_ipv6", "1")
    batch([f"link set dev {port} master {names.management} up"])
    namespaces.inside(
        namespaces.of_name(names.fabric),
        lambda: batch([f"link set dev f{number} mtu {names.underlay_mtu} master fabric up"]),
    )

    def inside() -> None:
        batch(
            [
                f"link set dev eth0 mtu {names.underlay_mtu} up",
                "link set dev mgmt0 up",
                f"address replace {names.management_address(number)}/24 dev mgmt0",
            ]
        )
        if names.version == 4:  # `join` takes both along to br-phy; where there is no router nobody uses the route
            batch(
                [
                    f"address replace {names.tunnel_address(number)}/{names.tunnel_length} dev eth0",
                    f"route replace {AREA} via {names.tunnel_address(GATEWAY)} dev eth0",
                ]
            )
        offload.switch_off("eth0")

    namespaces.inside(namespaces.of_name(space), inside)


def remove(prefix: str) -> None:
    """Delete every namespace and link of a lab; what is inside a namespace goes with it."""
    # links first: deleting a namespace removes its veths later, in the background, and `up` wants the names
    batch([f"link del dev {link}" for link in root_links(prefix)], force=True)
    batch([f"netns del {name}" for name in existing(prefix)], force=True)


@contextmanager
def machine_wide_lock() -> Iterator[None]:
    """Held while a lab takes a management subnet, so that two labs started together choose two."""
    handle = os.open("/run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def free_subnet(prefix: str) -> int:
    """X of a free 169.254.X.0/24: the same for the same prefix, unless another lab has it."""
    taken = {CLOUD_METADATA}
    for link in json.loads(run(["ip", "-json", "-4", "address", "show"])):
        for one in link.get("addr_info", ()):
            network = ipaddress.IPv4Interface(f"{one['local']}/{one['prefixlen']}").network
            if network.subnet_of(LINK_LOCAL) and link["ifname"] != f"{prefix}-mgmt":
                taken.add(network.network_address.packed[2])
    first = zlib.crc32(prefix.encode()) % 253
    for offset in range(253):
        number = 1 + (first + offset) % 253  # 0 and 255 are reserved (RFC 3927 section 2.1)
        if number not in taken:
            return number
    raise CommandFailed("lab", "no free management subnet in 169.254.0.0/16", "take another lab down")
