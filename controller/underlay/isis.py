"""IS-IS as FRR's isisd tells it: the link-state database as text, made a topology.

isisd has it as JSON, too, but 8.4.4 prints one LSP of all there (`show isis database detail json`); the text is whole.

    show isis database                  LSP IDs and sequence numbers: has anything changed since we read it?
    show isis database detail           what each LSP says
    show isis hostname                  system IDs by name, because LSPs are listed by name and linked by system ID

Both levels and all areas make one picture. Links of the further topologies (RFC 5120) do not count; their prefixes do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controller.underlay.topology import Announcement, Link, Node, Topology, build
from data.addresses import Prefix, prefix

__all__ = ["DIGEST", "FULL", "digest", "topology"]

DIGEST = ("show isis database",)
FULL = ("show isis database detail", "show isis hostname")
UNUSED = 0xFFFFFF  # a link of this metric is not used (RFC 5305 section 3)
UNREACHABLE = 0xFE000000  # MAX_PATH_METRIC: a prefix above is not reachable (RFC 5305 section 4)
NAME_SHOWN = 63  # characters of a dynamic hostname (RFC 5301 section 3 allows 255)

_LSP = re.compile(
    r"(?P<node>\S.*?)\.(?P<lan>[0-9A-Fa-f]{2})-(?P<fragment>[0-9A-Fa-f]{2})\s+(?P<own>\*)?\s*\d+\s+"
    r"(?P<sequence>0x[0-9a-f]+)\s+(?P<checksum>0x[0-9a-f]+)\s+(?P<life>\d+|\(\d+\))\s+\d/\d/(?P<overload>\d)\s*"
)
_SYSTEM = re.compile(r"[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}")
_REACH = re.compile(
    r"\s+(?:Extended|IS) Reachability: (?P<node>[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})\.(?P<lan>[0-9a-f]{2}) "
    r"\(Metric: (?P<metric>\d+)\)"
)
_PREFIX = re.compile(
    r"\s+(?:Extended IP|IP|IPv6|MT IP|MT IPv6) Reachability: (?P<prefix>[0-9a-f.:]+/\d+) "
    r"\(Metric: (?P<metric>\d+)\)(?P<more>.*)"
)
_ADDRESS = re.compile(r"\s+Local Interface IP Address\(es\): (?P<address>[0-9.]+)")
_HOSTNAME = re.compile(r"\s+Hostname: (?P<name>.+)")
_NAMED = re.compile(r"[12 ]?[\s*]+(?P<system>[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})\s+(?P<name>\S.*?)\s*")


@dataclass(slots=True)
class _Reading:
    """What the LSPs read so far say."""

    own: str = ""
    nodes: dict[str, Node] = field(default_factory=dict)
    links: dict[tuple[str, str, int, str], Link] = field(default_factory=dict)
    announcements: list[Announcement] = field(default_factory=list)


def digest(answers: Sequence[str]) -> object:
    """What differs as soon as the database does, of the answers to DIGEST. Raises ValueError."""
    headers = [found for line in answers[0].splitlines() if (found := _LSP.fullmatch(line)) is not None]
    if not headers:
        raise ValueError("it has no link-state database: is 'router isis' in its configuration?")
    return tuple(
        (one["node"], one["lan"], one["fragment"], one["sequence"], one["checksum"], one["life"][0] == "(")
        for one in headers
    )


def topology(answers: Sequence[str]) -> Topology:
    """The topology, of the answers to FULL. Raises ValueError."""
    database, names = answers
    systems = _systems(names)
    reading = _Reading()
    node = ""
    lines = database.splitlines()
    for number, line in enumerate(lines):
        header = _LSP.fullmatch(line)
        if header is not None:
            node = "" if header["life"].strip("()") == "0" or header["life"][0] == "(" else _node(header, systems)
            if node:
                _begin(reading, node, header)
        elif node:
            _read(reading, node, line, lines[number + 1 : number + 2])
    if not reading.own:
        raise ValueError("no LSP in its database is its own")
    return build("isis", reading.own, reading.nodes.values(), reading.links.values(), reading.announcements)


def _begin(reading: _Reading, node: str, header: re.Match[str]) -> None:
    lan = header["lan"] != "00"
    carries = header["overload"] == "0"
    known = reading.nodes.get(node)
    if known is None:
        reading.nodes[node] = Node(node, f"lan {node}" if lan else node, lan, carries)
    elif not carries:
        reading.nodes[node] = Node(node, known.name, lan, False)
    if header["own"] and not lan:
        reading.own = node


def _read(reading: _Reading, node: str, line: str, following: Sequence[str]) -> None:
    if (found := _REACH.match(line)) is not None:
        metric = int(found["metric"])
        if metric < UNUSED or node == reading.own:
            address = _ADDRESS.match(following[0]) if following else None
            own = address["address"] if address is not None else ""
            target = _key(found["node"], found["lan"])
            reading.links[node, target, metric, own] = Link(node, target, metric, own)
    elif (found := _PREFIX.match(line)) is not None:
        if int(found["metric"]) <= UNREACHABLE:
            reading.announcements.append(
                Announcement(_prefix(found["prefix"]), node, int(found["metric"]), "External" in found["more"])
            )
    elif (found := _HOSTNAME.fullmatch(line)) is not None:
        known = reading.nodes[node]
        # Its router chose it: nothing of it may reach a terminal but what is plain.
        plain = "".join(one for one in found["name"] if one.isascii() and one.isprintable())[:NAME_SHOWN].strip()
        reading.nodes[node] = Node(node, plain or node, known.lan, known.carries)


def _node(header: re.Match[str], systems: Mapping[str, tuple[str, ...]]) -> str:
    """Whose LSP it is, by system ID. Raises ValueError when its name is nobody's or several routers'."""
    written: str = header["node"]
    if _SYSTEM.fullmatch(written):
        return _key(written, header["lan"])
    # isisd cuts the name in an LSP ID, so that it is a beginning of the whole one.
    holders = systems.get(written) or tuple(
        holder for name, some in systems.items() if name.startswith(written) for holder in some
    )
    if len(set(holders)) != 1:
        which = "several routers have" if holders else "nobody has"
        raise ValueError(
            f"{which} the name {written[:NAME_SHOWN]!r} of an LSP: 'no hostname dynamic' makes isisd list LSPs "
            f"by system ID"
        )
    return _key(holders[0], header["lan"])


def _key(system: str, lan: str) -> str:
    return system if lan == "00" else f"{system}.{lan.lower()}"


def _systems(text: str) -> dict[str, tuple[str, ...]]:
    """Name -> the system IDs that have it."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if (match := _NAMED.fullmatch(line)) is not None:
            found.setdefault(match["name"], set()).add(match["system"])
    return {name: tuple(sorted(systems)) for name, systems in found.items()}


def _prefix(text: str) -> Prefix:
    _, _, length = text.partition("/")
    try:
        if int(length) > (128 if ":" in text else 32):
            raise ValueError(f"a prefix in its database is {text}")
        return prefix(text)
    except OSError as problem:
        raise ValueError(f"an address in its database is none: {text}") from problem
