"""What there is outside the fabric: physical networks that hypervisors have an uplink to, and the hosts on them.

In a VM file they are tables beside those of the machines:

    [[uplink]]
    name = "wan"
    hypervisors = ["hv1", "hv2"]
    vlans = [100]                     # tagged, besides untagged frames

    [[outside]]
    name = "router1"
    uplink = "wan"
    vlan = 100
    address = ["192.0.2.1/24"]
    forward = true
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from data.errors import CommandFailed
from nshell.lab.machines import check_addresses, converted, read_tables
from nshell.lab.spaces import Ipv6

UPLINK = re.compile(r"[a-z][a-z0-9-]{0,8}")  # 9 characters leave room for "hv240-" in 15
HOST = re.compile(r"[a-z][a-z0-9-]{0,12}")  # 13 characters leave room for "o-" in 15
VLANS = range(1, 4095)


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    """A physical network: on each of these hypervisors, interface `nic` in br-nsh is a port of one physical switch."""

    name: str
    hypervisors: tuple[str, ...]
    vlans: tuple[int, ...] = ()  # the switch's ports towards hypervisors carry these tagged
    untagged: bool = True  # and untagged frames

    @property
    def nic(self) -> str:
        """The interface's name on every hypervisor."""
        return f"up-{self.name}"

    @property
    def bridge(self) -> str:
        """The physical switch's name."""
        return f"sw-{self.name}"

    def port(self, hypervisor: str) -> str:
        """The physical switch's port towards a hypervisor."""
        return f"{hypervisor}-{self.name}"


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """A host, or a router, on a physical network: a namespace with one interface, eth0, in one VLAN of its switch."""

    name: str
    uplink: str
    vlan: int | None = None  # None: untagged, towards hypervisors too
    mac: str = ""  # "": one made of the name
    address: tuple[str, ...] = ()  # ADDRESS/LENGTH
    loopback: tuple[str, ...] = ()  # ADDRESS/LENGTH on lo: what is behind a router
    gateway: str | tuple[str, ...] | None = None
    routes: tuple[str, ...] = ()  # words of `ip route`: PREFIX via ADDRESS
    forward: bool = False
    mtu: int = 1500  # bytes

    @property
    def ip(self) -> str:
        """Its first address, without the length."""
        return (self.address or self.loopback)[0].partition("/")[0]

    @property
    def hardware(self) -> str:
        """Its MAC address."""
        return self.mac or "02:0e:" + hashlib.sha256(self.name.encode()).digest()[:4].hex(":")

    @property
    def gateways(self) -> tuple[str, ...]:
        """Its gateways, of either family."""
        if self.gateway is None or isinstance(self.gateway, str):
            return (self.gateway,) if self.gateway else ()
        return self.gateway

    @property
    def ipv6(self) -> Ipv6:
        """Whether its kernel does IPv6: when it has such an address."""
        return Ipv6.STATIC if any(":" in one for one in (*self.address, *self.loopback)) else Ipv6.OFF

    @property
    def port(self) -> str:
        """The physical switch's port towards it."""
        return f"o-{self.name}"


def read_outside(file: Path) -> tuple[tuple[Uplink, ...], tuple[Outside, ...]]:
    """The physical networks of a VM file and the hosts on them; CommandFailed naming what is wrong."""
    content = read_tables(file)
    return converted(file, content, "uplink", Uplink), converted(file, content, "outside", Outside)


def check_outside(
    uplinks: Iterable[Uplink], hosts: Iterable[Outside], hypervisors: Iterable[str], machines: Iterable[str]
) -> None:
    """Refuse a physical network that could not be built beside these hypervisors and machines."""
    known, taken = tuple(hypervisors), set(machines)
    networks: dict[str, Uplink] = {}
    for one in uplinks:
        where = f"uplink {one.name}"
        if not UPLINK.fullmatch(one.name) or one.name in networks:
            raise CommandFailed(
                where, "the name is taken, or not 1 to 9 lower-case letters, digits and '-'", "choose another"
            )
        missing = [name for name in one.hypervisors if name not in known]
        if missing:
            raise CommandFailed(where, f"there is no {', '.join(missing)}", f"the lab has {', '.join(known)}")
        for vlan in one.vlans:
            if vlan not in VLANS:
                raise CommandFailed(where, f"{vlan} is no VLAN", "use 1 to 4094 (IEEE 802.1Q)")
        networks[one.name] = one
    for host in hosts:
        where = f"outside host {host.name}"
        if not HOST.fullmatch(host.name) or host.name in taken:
            raise CommandFailed(
                where, "the name is taken, or not 1 to 13 lower-case letters, digits and '-'", "choose another"
            )
        if host.uplink not in networks:
            known_networks = ", ".join(networks) or "none"
            raise CommandFailed(where, f"there is no uplink {host.uplink}", f"the lab has {known_networks}")
        if host.vlan is not None and host.vlan not in VLANS:
            raise CommandFailed(where, f"{host.vlan} is no VLAN", "use 1 to 4094 (IEEE 802.1Q), or none")
        if not host.address and not host.loopback:
            raise CommandFailed(where, "it has no address", 'address = ["192.0.2.1/24"]')
        check_addresses(where, (*host.address, *host.loopback), host.gateways)
        taken.add(host.name)
