"""Value types of what the configuration says about the world outside: numbers and names that other networks give."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from data.addresses import address
from data.schema.types import BadValue, ValueType

__all__ = ["AS_NUMBER", "INTERFACE", "ROUTE_DISTINGUISHER", "ROUTE_TARGET"]

_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9/:._-]{0,62}")


def parse_interface(word: str) -> str:
    if _INTERFACE.fullmatch(word):
        return sys.intern(word)
    raise BadValue(f"'{word}' is not the name of an interface", "write it as the router does: ge-0/0/1 or Ethernet3")


def parse_as_number(word: str) -> int:
    """An autonomous system number, as one number or as two with a dot (RFC 5396)."""
    high, dot, low = word.partition(".")
    parts = [high, low] if dot else [high]
    if all(part.isascii() and part.isdecimal() and len(part) <= 10 for part in parts):
        number = int(high) << 16 | int(low) if dot else int(high)
        fits = (not dot or (int(high) <= 0xFFFF and int(low) <= 0xFFFF)) and 1 <= number <= 0xFFFFFFFE
        if fits and number not in (23456, 65535):  # RFC 6793 section 9, RFC 7300
            return number
    raise BadValue(
        f"'{word}' is not the number of an autonomous system", "use 1-4294967294, for example 65000 (RFC 6996: private)"
    )


def _administrator_and_number(what: str) -> Callable[[str], str]:
    """Texts of route distinguishers and targets (RFC 4364 section 4.2, RFC 4360 section 4): canonical."""

    def parse(word: str) -> str:
        head, colon, tail = word.rpartition(":")
        wrong = BadValue(f"'{word}' is not a {what}", "write for example 65000:100 or 192.0.2.1:100")
        if not colon or not (tail.isascii() and tail.isdecimal() and len(tail) <= 10):
            raise wrong
        if "." in head and head.count(".") == 3:
            try:
                administrator, most = str(address(head)), 0xFFFF
            except (OSError, ValueError):
                raise wrong from None
        else:
            try:
                number = parse_as_number(head)
            except BadValue:
                raise wrong from None
            administrator, most = str(number), 0xFFFFFFFF if number <= 0xFFFF else 0xFFFF
        if int(tail) > most:
            raise BadValue(f"{tail} is too large behind {head}", f"use a number from 0 to {most}")
        return sys.intern(f"{administrator}:{int(tail)}")

    return parse


INTERFACE = ValueType("interface", "<interface>", parse_interface, "an interface, as the router calls it")
AS_NUMBER = ValueType(
    "as-number",
    "<1-4294967294>",
    parse_as_number,
    "number of an autonomous system",
    json_type="integer",
    order=lambda value: value,
)
ROUTE_DISTINGUISHER = ValueType(
    "route-distinguisher",
    "<number:number>",
    _administrator_and_number("route distinguisher"),
    "AS number or IPv4 address, and a number: 65000:100",
)
ROUTE_TARGET = ValueType(
    "route-target",
    "<number:number>",
    _administrator_and_number("route target"),
    "AS number or IPv4 address, and a number: 65000:100",
)
