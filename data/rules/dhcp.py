"""What subnets tell: further DHCP options that are not the protocol itself, values that can be written down, and DNS
servers that a proxy may ask."""

from __future__ import annotations

import re
from collections.abc import Iterator

from data.addresses import address, prefix
from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, problem, rule
from data.schema.objects import Subnet
from data.schema.services import DhcpOption

_HEXADECIMAL = re.compile(r"([0-9a-fA-F]{2})+")
_LINK_LOCAL = prefix("169.254.0.0/16")
_OWN = {str(code) for code in (*range(50, 60), 61, 82)} - {"58", "59"}
"""Options that are the protocol itself (RFC 2131 table 3, RFC 3046); others replace what the subnet says."""


@rule(DhcpOption)
def options_of_the_protocol_are_its_own(check: Check, path: Path, option: DhcpOption) -> Iterator[Problem]:
    if path[-1] in _OWN:
        cause = f"DHCP option {path[-1]} is part of the protocol itself"
        yield problem(path, "", cause, "delete it; the lease time is dhcp-lease of the subnet")


@rule(DhcpOption)
def hexadecimal_values_are_whole_bytes(check: Check, path: Path, option: DhcpOption) -> Iterator[Problem]:
    text = option.value
    if text[:2].lower() == "0x" and not _HEXADECIMAL.fullmatch(text[2:]):
        cause = f"'{text}' is not a row of hexadecimal bytes"
        yield problem(path, "value", cause, "write two digits for each byte, for example 0x0a010101")


@rule(Subnet)
def proxies_ask_servers_of_a_network(check: Check, path: Path, subnet: Subnet) -> Iterator[Problem]:
    """The proxy asks from the controller's machine; what is on its own links (RFC 3927) is not the tenants'."""
    for text in subnet.dns_server if subnet.dns_proxy else ():
        if _LINK_LOCAL.covers(address(text)):
            cause = f"{text} is on a link of the controller's own machine, where dns-proxy does not ask"
            yield problem(path, "dns-server", cause, "name a server that the controller reaches over its network")
