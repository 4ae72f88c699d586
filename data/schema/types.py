"""Value types: one word as typed in, one canonical plain value out, or a BadValue that says what is wrong.

A type is a small frozen object: `parse` makes the canonical value, `text` the word that gives it back, `hint`
is what completion shows, `choices` the words it can list. Canonical means that equal values are equal Python
objects.
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from data.addresses import BITS, LINK_LOCAL, Ip, address, prefix
from data.path import natural_key

NAME_LENGTH = 63
TEXT_LENGTH = 255


class BadValue(ValueError):
    """A word that the type does not accept: `cause` says why, `remedy` what would do."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


def _as_typed(value: object) -> str:
    return str(value)


def _natural(value: object) -> object:
    return natural_key(str(value))


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type of one-word values. `order` is the sort key of values in a multi-valued leaf, `secret` says that no
    text shows the value: `text` gives the same stars for all of them."""

    name: str
    hint: str
    parse: Callable[[str], object]
    help: str
    choices: tuple[tuple[str, str], ...] = ()
    units: str = ""
    json_type: str = "string"
    text: Callable[[object], str] = field(default=_as_typed)
    order: Callable[[object], object] = field(default=_natural)
    secret: bool = False


_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_LENGTH - 1}}}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MAC_LOOSE = re.compile(r"[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


def parse_name(word: str) -> str:
    if _NAME.fullmatch(word):
        return sys.intern(word)
    if len(word) > NAME_LENGTH:
        raise BadValue(f"the name has {len(word)} characters", f"use at most {NAME_LENGTH}")
    raise BadValue(
        f"'{word}' is not a name", "use letters, digits, '.', '_' and '-', starting with a letter or a digit"
    )


def parse_text(word: str) -> str:
    if len(word) > TEXT_LENGTH:
        raise BadValue(f"the text has {len(word)} characters", f"use at most {TEXT_LENGTH}")
    if not word or not word.isprintable():
        raise BadValue(
            "the text is empty or holds control characters",
            "use printable characters, in quotes when there are spaces",
        )
    return word


def parse_annotation(word: str) -> str:
    """A remark on one line, "" for none: between the words stands one space."""
    text = " ".join(word.split())
    if "*/" in text:
        raise BadValue("'*/' would end the remark", "write it without")
    return parse_text(text) if text else ""


def parse_hostname(word: str) -> str:
    if len(word) <= 253 and all(_LABEL.fullmatch(label) for label in word.split(".")):
        return word.lower()
    raise BadValue(
        f"'{word}' is not a host name",
        "use labels of letters, digits and '-' joined by dots (RFC 1123 section 2.1)",
    )


def _ip(word: str) -> Ip:
    """The address that a person wrote, of either family."""
    try:
        return address(word)
    except (OSError, ValueError):
        raise BadValue(
            f"'{word}' is not an IPv4 or IPv6 address", "write for example 10.1.1.11 or 2001:db8::11"
        ) from None


_UNICAST_EXAMPLE = {4: "10.1.1.11", 6: "2001:db8::11"}


def _is_group_or_special(ip: Ip) -> bool:
    if ip.version == 4:
        return ip.number >> 28 in (0xE, 0xF) or ip.number >> 24 in (0, 127)
    return ip.number >> 120 == 0xFF or ip.number <= 1 or ip.number >> 32 == 0xFFFF


def parse_address(word: str) -> str:
    ip = _ip(word)
    if _is_group_or_special(ip):
        example = _UNICAST_EXAMPLE[ip.version]
        raise BadValue(f"{word} is not the address of one host", f"use a unicast address, for example {example}")
    if LINK_LOCAL.covers(ip):
        raise BadValue(f"{word} is link-local; every vport has such an address by itself", "use a wider address")
    return sys.intern(str(ip))


def _of_family(version: int) -> Callable[[str], str]:
    def parse(word: str) -> str:
        text = parse_address(word)
        if address(text).version != version:
            raise BadValue(f"{word} is not an IPv{version} address", f"for example {_UNICAST_EXAMPLE[version]}")
        return text

    return parse


def parse_listen_address(word: str) -> str:
    ip = _ip(word)
    if (ip.number >> 28 in (0xE, 0xF)) if ip.version == 4 else ip.number >> 120 == 0xFF:
        raise BadValue(f"{word} is not an address to listen on", "use an address of this machine, 0.0.0.0 or ::")
    return str(ip)


def parse_server(word: str) -> str:
    """The address of a server, which may be on this machine."""
    ip = _ip(word)
    if (ip.number >> 24 == 127) if ip.version == 4 else ip.number == 1:
        return str(ip)
    return parse_address(word)


def parse_prefix(word: str) -> str:
    text, slash, length = word.partition("/")
    wrong = BadValue(
        f"'{word}' is not an IPv4 or IPv6 prefix", "write address and length, for example 10.1.1.0/24 or 2001:db8::/64"
    )
    if not slash or not length.isascii() or not length.isdecimal() or len(length) > 3:
        raise wrong
    ip = _ip(text)
    if int(length) > BITS[ip.version]:
        raise wrong
    network = prefix(f"{ip}/{int(length)}")
    if network.network != ip.number:
        raise BadValue(f"{word} has bits set behind the prefix length", f"did you mean {network}?")
    return str(network)


def _subnet_prefix(version: int, longest: int, example: str) -> Callable[[str], str]:
    def parse(word: str) -> str:
        text = parse_prefix(word)
        network = prefix(text)
        if network.version != version:
            raise BadValue(f"{text} is not an IPv{version} prefix", f"for example {example}")
        if not 1 <= network.length <= longest:
            raise BadValue(
                f"{text} leaves no room for a gateway and a vport", f"use a prefix length from 1 to {longest}"
            )
        if _is_group_or_special(network.first):
            raise BadValue(f"{text} is not unicast address space", f"use a unicast prefix, for example {example}")
        return text

    return parse


def parse_domain_name(word: str) -> str:
    """The full name of a domain: enterprise/domain."""
    parts = word.split("/")
    if len(parts) != 2:
        raise BadValue(f"'{word}' is not the full name of a domain", "write enterprise/domain")
    return sys.intern("/".join(parse_name(part) for part in parts))


def parse_mac(word: str) -> str:
    mac = word.lower()
    if not _MAC.fullmatch(mac):
        if not _MAC_LOOSE.fullmatch(mac):
            raise BadValue(
                f"'{word}' is not a MAC address",
                "write six pairs of hexadecimal digits, for example 02:00:0a:01:01:0b",
            )
        mac = mac.replace("-", ":")
    if int(mac[1], 16) & 1:
        unicast = f"{mac[0]}{int(mac[1], 16) & 0xE | 0x2:x}{mac[2:]}"
        raise BadValue(
            f"{mac} is a group address (multicast or broadcast)",
            f"use a unicast address, for example {unicast}",
        )
    if mac == "00:00:00:00:00:00":
        raise BadValue(f"{mac} is no address of an interface", "use for example 02:00:0a:01:01:0b")
    return mac


def parse_ports(word: str) -> str:
    match = _PORTS.fullmatch(word)
    if not match:
        raise BadValue(f"'{word}' is neither a port nor a range of ports", "write for example 443 or 8000-8010")
    low = int(match[1])
    high = int(match[2] or low)
    if not 1 <= low <= 65535 or not 1 <= high <= 65535:
        raise BadValue(f"{word} is outside 1-65535", "write for example 443 or 8000-8010")
    if low > high:
        raise BadValue(f"the range {word} runs backwards", f"did you mean {high}-{low}?")
    return str(low) if low == high else f"{low}-{high}"


PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "sctp": 132}
"""IANA protocol numbers of the protocols that policy knows by name."""
_PROTOCOL_NAMES = {str(number): name for name, number in PROTOCOL_NUMBERS.items()}


def parse_protocol(word: str) -> str:
    name = word.lower()
    if name in PROTOCOL_NUMBERS:
        return name
    if word.isdecimal() and len(word) <= 3 and int(word) <= 255:
        number = str(int(word))
        return _PROTOCOL_NAMES.get(number, number)
    raise BadValue(
        f"'{word}' is not a protocol", f"use {', '.join(PROTOCOL_NUMBERS)} or a protocol number from 0 to 255"
    )


_SSH_KEY = re.compile(
    r"(ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)"
    r" ([A-Za-z0-9+/]+={0,3})(?: (.*))?"
)
SSH_KEY_LENGTH = 4096


def parse_ssh_key(word: str) -> str:
    """A line of an authorized_keys file without options (RFC 4253 section 6.6): the blob must name its own type."""
    found = _SSH_KEY.fullmatch(" ".join(word.split())) if len(word) <= SSH_KEY_LENGTH else None
    if found is not None and word.isprintable():
        try:
            blob = base64.b64decode(found[2], validate=True)
        except binascii.Error:
            blob = b""
        if blob[4 : 4 + int.from_bytes(blob[:4], "big")] == found[1].encode():
            return found[0]
    raise BadValue(
        "this is not an SSH public key", 'paste the line of the .pub file in quotes: "ssh-ed25519 AAAA... name"'
    )


def integer(low: int, high: int, help: str, units: str = "") -> ValueType:
    """Whole numbers from `low` to `high`."""

    def parse(word: str) -> int:
        if word.isascii() and word.isdecimal() and len(word) <= max(11, len(str(high))) and low <= int(word) <= high:
            return int(word)
        unit = f" {units}" if units else ""
        raise BadValue(
            f"'{word}' is not a whole number from {low} to {high}{unit}", f"use a number from {low} to {high}"
        )

    return ValueType(
        "integer", f"<{low}-{high}>", parse, help, units=units, json_type="integer", order=lambda value: value
    )


def numbered(low: int, high: int, help: str) -> ValueType:
    """Names that are whole numbers, kept as text without leading zeros."""
    number = integer(low, high, help)
    return ValueType("number", number.hint, lambda word: sys.intern(str(number.parse(word))), help)


def choice(*words: tuple[str, str]) -> ValueType:
    """One of a few words, each with its help."""
    names = [word for word, _ in words]

    def parse(word: str) -> str:
        if word in names:
            return sys.intern(word)
        raise BadValue(f"'{word}' is not one of {', '.join(names)}", f"use {' or '.join(names)}")

    return ValueType("choice", "|".join(names), parse, "one of " + ", ".join(names), choices=words)


def port_range(text: str) -> tuple[int, int]:
    """The first and the last port of '80' or '8000-8010'."""
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def _address_order(value: object) -> object:
    return address(str(value))


def _prefix_order(value: object) -> object:
    return prefix(str(value))


def _parse_flag(word: str) -> bool:
    raise BadValue(f"'{word}' is more than the word needs", "this word stands alone; it takes no value")


NAME = ValueType("name", "<name>", parse_name, f"letters, digits, '.', '_', '-'; at most {NAME_LENGTH} characters")
TEXT = ValueType(
    "text", "<text>", parse_text, f"text of at most {TEXT_LENGTH} characters, in quotes when it has spaces"
)
HOSTNAME = ValueType("host-name", "<host-name>", parse_hostname, "a host name (RFC 1123)")
ADDRESS = ValueType("address", "<address>", parse_address, "the IPv4 or IPv6 address of one host", order=_address_order)
ADDRESS_4 = ValueType("ipv4-address", "<a.b.c.d>", _of_family(4), "the IPv4 address of one host", order=_address_order)
ADDRESS_6 = ValueType("ipv6-address", "<x:x::x>", _of_family(6), "the IPv6 address of one host", order=_address_order)
SERVER_ADDRESS = ValueType(
    "server-address", "<address>", parse_server, "the IPv4 or IPv6 address of a server", order=_address_order
)
LISTEN_ADDRESS = ValueType(
    "listen-address",
    "<address>",
    parse_listen_address,
    "an address of this machine; 0.0.0.0 is all IPv4 ones, :: all IPv6 ones",
)
PREFIX = ValueType("prefix", "<address/len>", parse_prefix, "an IPv4 or IPv6 prefix", order=_prefix_order)
SUBNET_PREFIX = ValueType(
    "subnet-prefix", "<a.b.c.d/len>", _subnet_prefix(4, 30, "10.1.1.0/24"), "an IPv4 prefix, length 1 to 30"
)
SUBNET_PREFIX_6 = ValueType(
    "ipv6-subnet-prefix", "<x:x::/len>", _subnet_prefix(6, 126, "2001:db8:0:1::/64"), "an IPv6 prefix, length 1 to 126"
)
DOMAIN_NAME = ValueType(
    "domain-name", "<enterprise/domain>", parse_domain_name, "a domain by its full name, enterprise/domain"
)
MAC = ValueType("mac", "<xx:xx:xx:xx:xx:xx>", parse_mac, "a unicast MAC address")
PORTS = ValueType(
    "ports",
    "<port|port-port>",
    parse_ports,
    "a port or a range of ports, 1-65535",
    order=lambda value: port_range(str(value)),
)
PROTOCOL = ValueType(
    "protocol",
    "<protocol>",
    parse_protocol,
    "a protocol by name or IANA number",
    choices=(
        ("tcp", "TCP"),
        ("udp", "UDP"),
        ("icmp", "ICMP for IPv4"),
        ("icmpv6", "ICMP for IPv6"),
        ("sctp", "SCTP"),
        ("<0-255>", "any other, by its number"),
    ),
)
SSH_KEY = ValueType("ssh-key", '"<type> <key>"', parse_ssh_key, "an SSH public key, in quotes")
FLAG = ValueType("flag", "", _parse_flag, "present or absent", json_type="boolean")
