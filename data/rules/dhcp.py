"""Further DHCP options: not those that make the protocol work, and values that can be written down."""

from __future__ import annotations

import re
from collections.abc import Iterator

from data.errors import Problem
from data.path import Path
from data.rules.registry import Check, problem, rule
from data.schema.services import DhcpOption

_HEXADECIMAL = re.compile(r"([0-9a-fA-F]{2})+")
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
