"""What a virtual machine of the lab is, and the file that lists them.

A VM file is TOML, one table per machine:

    [[vm]]
    name = "web-1"                    # the lab's own name, unique in the lab
    hypervisor = "hv1"
    vport = "acme/prod/web-1"         # external_ids:iface-id: the vport's full name or UUID
    mac = "02:00:0a:01:01:0b"
    address = ["10.1.1.11/24"]
    gateway = "10.1.1.1"              # optional
"""

import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from data.errors import CommandFailed

NAME_LIMIT = 40  # characters
LINK_LIMIT = 15  # characters of a Linux interface name

_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{NAME_LIMIT - 1}}}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual machine: a network namespace with one interface, eth0, plugged in as a vport."""

    name: str
    hypervisor: str
    vport: str
    mac: str
    address: tuple[str, ...]  # ADDRESS/LENGTH
    gateway: str | None = None

    @property
    def ip(self) -> str:
        """Its first address, without the length."""
        return self.address[0].partition("/")[0]

    @property
    def port(self) -> str:
        """The name of its interface on the hypervisor."""
        plain = f"tap-{self.name}"
        if len(plain) <= LINK_LIMIT:
            return plain
        return f"{plain[: LINK_LIMIT - 5]}-{hashlib.sha256(self.name.encode()).hexdigest()[:4]}"


def read_machines(file: Path) -> tuple[Machine, ...]:
    """Read a VM file; raise CommandFailed naming the machine and what is wrong with it."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise CommandFailed(str(file), f"cannot be read: {problem.strerror}", "name a file that exists") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise CommandFailed(str(file), f"is not TOML: {problem}", "see examples/demo/vms.toml") from None
    tables = content.get("vm", [])
    if not isinstance(tables, list):
        raise CommandFailed(str(file), "'vm' is not a list of tables", "begin each machine with [[vm]]")
    machines = tuple(_machine(table, f"{file}: vm {number}") for number, table in enumerate(tables, 1))
    check_machines(machines)
    return machines


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
        if not one.address:
            raise CommandFailed(where, "it has no address", 'address = ["10.1.1.11/24"]')
        try:
            for address in one.address:
                ipaddress.ip_interface(address)
        except ValueError as problem:
            raise CommandFailed(where, str(problem), "write addresses as 10.1.1.11/24") from None
        for what in (f"name {one.name}", f"vport {one.vport}", f"interface {one.port}"):
            if what in seen:
                raise CommandFailed(where, f"{what} is taken by vm {seen[what]}", "give each its own")
            seen[what] = one.name


def _machine(table: Mapping[str, Any], where: str) -> Machine:
    plain = dict(table)
    if isinstance(plain.get("address"), str):
        plain["address"] = [plain["address"]]
    unknown = set(plain) - set(Machine.__struct_fields__)
    if unknown:
        raise CommandFailed(
            where,
            f"unknown setting {', '.join(sorted(unknown))}",
            f"settings are {', '.join(Machine.__struct_fields__)}",
        )
    try:
        return msgspec.convert(plain, Machine)
    except msgspec.ValidationError as problem:
        raise CommandFailed(where, str(problem), "see examples/demo/vms.toml") from None
