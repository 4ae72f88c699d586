"""What a virtual machine of the lab is, and the file that lists them.

A VM file is TOML, one table per machine:

    [[vm]]
    name = "web-1"                    # the lab's own name, unique in the lab
    hypervisor = "hv1"
    vport = "acme/prod/web-1"         # external_ids:iface-id: the vport's full name or UUID
    mac = "02:00:0a:01:01:0b"
    address = ["10.1.1.11/24", "2001:db8:1::11/64"]  # none: it is configured by DHCP or router advertisements
    gateway = ["10.1.1.1", "2001:db8:1::1"]           # optional; one may be written without a list
    forward = true                                    # optional: it routes, as a firewall or a router does
    routes = ["10.9.0.0/16 via 10.1.1.99"]            # optional
"""

import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agent.attach import TENANT_MTU
from data.errors import CommandFailed
from nshell.lab.spaces import Ipv6

NAME_LIMIT = 40  # characters
LINK_LIMIT = 15  # characters of a Linux interface name

T = TypeVar("T", bound=msgspec.Struct)

_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{NAME_LIMIT - 1}}}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual machine: a network namespace with one interface, eth0, plugged in as a vport."""

    name: str
    hypervisor: str
    vport: str
    mac: str
    address: tuple[str, ...] = ()  # ADDRESS/LENGTH; none: whatever DHCP or router advertisements give it
    gateway: str | tuple[str, ...] | None = None
    forward: bool = False  # whether it passes on what is not for it
    routes: tuple[str, ...] = ()  # words of `ip route`: PREFIX via ADDRESS
    mtu: int = TENANT_MTU  # bytes

    def at(self, hypervisor: str) -> "Machine":
        """The same machine on another hypervisor."""
        return msgspec.structs.replace(self, hypervisor=hypervisor)

    @property
    def ip(self) -> str:
        """Its first address, without the length; CommandFailed when it has none of its own."""
        if not self.address:
            raise CommandFailed(f"vm {self.name}", "it has no static address", "ask the lab for its address")
        return self.address[0].partition("/")[0]

    @property
    def ip6(self) -> str:
        """Its first IPv6 address, without the length."""
        found = next((one for one in self.address if ":" in one), None)
        if found is None:
            raise CommandFailed(f"vm {self.name}", "it has no static IPv6 address", "give it one")
        return found.partition("/")[0]

    @property
    def gateways(self) -> tuple[str, ...]:
        """Its gateways, of either family."""
        if self.gateway is None or isinstance(self.gateway, str):
            return (self.gateway,) if self.gateway else ()
        return self.gateway

    @property
    def ipv6(self) -> Ipv6:
        """How its kernel does IPv6: not at all when all that it has is IPv4, so that it says nothing of its own."""
        if not self.address:
            return Ipv6.LEARNED
        return Ipv6.STATIC if any(":" in one for one in self.address) else Ipv6.OFF

    @property
    def port(self) -> str:
        """The name of its interface on the hypervisor."""
        plain = f"tap-{self.name}"
        if len(plain) <= LINK_LIMIT:
            return plain
        return f"{plain[: LINK_LIMIT - 5]}-{hashlib.sha256(self.name.encode()).hexdigest()[:4]}"


def read_machines(file: Path) -> tuple[Machine, ...]:
    """Read a VM file; raise CommandFailed naming the machine and what is wrong with it."""
    machines = converted(file, read_tables(file), "vm", Machine)
    check_machines(machines)
    return machines


def read_tables(file: Path) -> Mapping[str, Any]:
    """A VM file as it is; CommandFailed when it is none."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise CommandFailed(str(file), f"cannot be read: {problem.strerror}", "name a file that exists") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise CommandFailed(str(file), f"is not TOML: {problem}", "see examples/demo/vms.toml") from None
    unknown = sorted(set(content) - {"vm", "uplink", "outside"})
    if unknown:
        raise CommandFailed(str(file), f"unknown table {', '.join(unknown)}", "tables are vm, uplink and outside")
    return content


def converted(file: Path, content: Mapping[str, Any], kind: str, target: type[T]) -> tuple[T, ...]:
    """The tables of one kind; CommandFailed naming the one that is wrong."""
    tables = content.get(kind, [])
    if not isinstance(tables, list):
        raise CommandFailed(str(file), f"'{kind}' is not a list of tables", f"begin each with [[{kind}]]")
    return tuple(_one(table, f"{file}: {kind} {number}", target) for number, table in enumerate(tables, 1))


def check_machines(machines: tuple[Machine, ...]) -> None:
    """Refuse machines that could not be plugged in together."""
    seen: dict[str, str] = {}
    for one in machines:
        where = f"vm {one.name}"
        if not _NAME.fullmatch(one.name):
            raise CommandFailed(
                where, f"the name must be lower case, digits and '-', at most {NAME_LIMIT}", "rename it"
            )
        if not _MAC.fullmatch(one.mac):
            raise CommandFailed(
                where, f"{one.mac!r} is not a MAC address in lower case", "write it as 02:00:0a:01:01:0b"
            )
        check_addresses(where, one.address, one.gateways)
        for what in (f"name {one.name}", f"vport {one.vport}", f"interface {one.port}"):
            if what in seen:
                raise CommandFailed(where, f"{what} is taken by vm {seen[what]}", "give each its own")
            seen[what] = one.name


def check_addresses(where: str, addresses: tuple[str, ...], gateways: tuple[str, ...]) -> None:
    """Refuse what is no address, before anything is made with it."""
    try:
        for address in addresses:
            ipaddress.ip_interface(address)
        for gateway in gateways:
            ipaddress.ip_address(gateway)
    except ValueError as problem:
        raise CommandFailed(where, str(problem), "write addresses as 10.1.1.11/24, gateways as 10.1.1.1") from None


def _one(table: Mapping[str, Any], where: str, target: type[T]) -> T:
    plain = dict(table)
    for key in ("address", "loopback", "routes"):
        if isinstance(plain.get(key), str):
            plain[key] = [plain[key]]
    unknown = set(plain) - set(target.__struct_fields__)
    if unknown:
        raise CommandFailed(
            where,
            f"unknown setting {', '.join(sorted(unknown))}",
            f"settings are {', '.join(target.__struct_fields__)}",
        )
    try:
        return msgspec.convert(plain, target)
    except msgspec.ValidationError as problem:
        raise CommandFailed(where, str(problem), "see examples/demo/vms.toml") from None
