"""OSPF version 2 as FRR's ospfd tells it: the link-state database in JSON, made a topology.

The database itself is read, and not the traffic-engineering one that FRR derives from it: that needs `mpls-te` on every
router, and left links out even then (FRR 8.4.4: 10 of 12 edges for as long as one router's sub-TLVs were missing).

    show ip ospf json                               checksums: has anything changed since we read it?
    show ip ospf database router json               type 1: routers, their links, their stub networks
    show ip ospf database network json              type 2: LANs, and who is on them
    show ip ospf database summary json              type 3: prefixes of other areas, by border routers
    show ip ospf database asbr-summary json         type 4: how far border routers are from routers of other areas
    show ip ospf database external json             type 5: prefixes of other protocols
    show ip ospf database nssa-external json        type 7: the same, inside a not-so-stubby area

Metrics of external routes are added to the way to their router, of type 2 as well: enough to compare endpoints by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from controller.underlay.topology import Announcement, Link, Node, Topology, build
from data.addresses import Prefix, prefix

__all__ = ["DIGEST", "FULL", "digest", "topology"]

DIGEST = ("show ip ospf json",)
FULL = tuple(
    f"show ip ospf database {kind} json"
    for kind in ("router", "network", "summary", "asbr-summary", "external", "nssa-external")
)
MAX_AGE = 3600  # seconds (RFC 2328 appendix B): an LSA of this age is being withdrawn
INFINITY = 0xFFFFFF  # LSInfinity: a prefix that is unreachable (RFC 2328 appendix B)
POINT_TO_POINT, VIRTUAL = "another Router (point-to-point)", "a Virtual Link"
TRANSIT, STUB = "a Transit Network", "Stub Network"


class _Area(msgspec.Struct, rename="camel"):
    lsa_number: int = 0
    lsa_router_checksum: int = 0
    lsa_network_checksum: int = 0
    lsa_summary_checksum: int = 0
    lsa_asbr_checksum: int = 0
    lsa_nssa_checksum: int = 0
    nbr_full_adjacent_counter: int = 0


class _Summary(msgspec.Struct, rename="camel"):
    router_id: str
    areas: dict[str, _Area] = {}
    lsa_external_counter: int = 0
    lsa_external_checksum: int = 0


class _RouterLink(msgspec.Struct, rename="camel"):
    link_type: str
    neighbor_router_id: str = ""
    designated_router_address: str = ""
    router_interface_address: str = ""
    network_address: str = ""
    network_mask: str = ""
    tos0_metric: int = 0


class _Attached(msgspec.Struct, rename="camel"):
    attached_router_id: str


class _Lsa(msgspec.Struct, rename="camel"):
    """Any LSA: each type has some of these."""

    link_state_id: str
    advertising_router: str
    lsa_age: int = 0
    router_links: dict[str, _RouterLink] = {}
    # ospfd spells it so
    attached: dict[str, _Attached] = msgspec.field(default_factory=dict, name="attchedRouters")
    network_mask: int = 32
    tos0_metric: int = 0
    metric: int = 0


class _Areas(msgspec.Struct):
    areas: dict[str, list[_Lsa]] = {}


class _Database(msgspec.Struct, rename="camel"):
    router_id: str = ""
    router_link_states: _Areas = msgspec.field(default_factory=_Areas)
    network_link_states: _Areas = msgspec.field(default_factory=_Areas)
    summary_link_states: _Areas = msgspec.field(default_factory=_Areas)
    asbr_summary_link_states: _Areas = msgspec.field(default_factory=_Areas)
    nssa_external_link_states: _Areas = msgspec.field(default_factory=_Areas)
    as_external_link_states: list[_Lsa] = []


def digest(answers: Sequence[str]) -> object:
    """What differs as soon as the database does, of the answers to DIGEST. Raises ValueError."""
    if not answers[0].strip(" \n{}"):
        raise ValueError("it runs no OSPF: 'router ospf' is missing in its configuration")
    found = msgspec.json.decode(answers[0], type=_Summary)
    areas = tuple((name, msgspec.structs.astuple(area)) for name, area in sorted(found.areas.items()))
    return found.router_id, found.lsa_external_counter, found.lsa_external_checksum, areas


def topology(answers: Sequence[str]) -> Topology:
    """The topology, of the answers to FULL. Raises ValueError (whose kinds OSError of an address is made to be)."""
    routers, networks, summaries, borders, externals, translated = (
        msgspec.json.decode(answer or "{}", type=_Database) for answer in answers
    )
    try:
        return _build(
            routers.router_id,
            list(_each(routers.router_link_states)),
            list(_each(networks.network_link_states)),
            list(_each(summaries.summary_link_states)),
            list(_each(borders.asbr_summary_link_states)),
            [*_living(externals.as_external_link_states), *_each(translated.nssa_external_link_states)],
        )
    except OSError as problem:
        raise ValueError(f"an address in its database is none: {problem}") from problem


def _build(
    own: str,
    routers: Sequence[_Lsa],
    networks: Sequence[_Lsa],
    summaries: Sequence[_Lsa],
    borders: Sequence[_Lsa],
    externals: Sequence[_Lsa],
) -> Topology:
    nodes = {lsa.link_state_id: Node(lsa.link_state_id, lsa.link_state_id) for lsa in routers}
    links: list[Link] = []
    announcements: list[Announcement] = []
    for lsa in routers:
        for one in lsa.router_links.values():
            source = lsa.link_state_id
            if one.link_type in (POINT_TO_POINT, VIRTUAL):
                links.append(Link(source, one.neighbor_router_id, one.tos0_metric, one.router_interface_address))
            elif one.link_type == TRANSIT:
                lan = _lan(one.designated_router_address)
                links.append(Link(source, lan, one.tos0_metric, one.router_interface_address))
            elif one.link_type == STUB:
                stub = prefix(f"{one.network_address}/{_length(one.network_mask)}")
                announcements.append(Announcement(stub, source, one.tos0_metric))
    for lsa in networks:
        key, reached = _lan(lsa.link_state_id), _prefix(lsa)
        nodes[key] = Node(key, str(reached), lan=True)
        links += [Link(key, one.attached_router_id, 0) for one in lsa.attached.values()]
        announcements.append(Announcement(reached, key, 0))
    announcements += [
        Announcement(_prefix(lsa), lsa.advertising_router, lsa.tos0_metric)
        for lsa in summaries
        if lsa.tos0_metric < INFINITY
    ]
    announcements += [
        Announcement(_prefix(lsa), lsa.advertising_router, lsa.metric, external=True)
        for lsa in externals
        if lsa.metric < INFINITY
    ]
    told = []
    for lsa in borders:
        if lsa.tos0_metric < INFINITY and lsa.link_state_id not in nodes:
            told.append(Link(lsa.advertising_router, lsa.link_state_id, lsa.tos0_metric))
    nodes |= {link.target: Node(link.target, link.target) for link in told}
    return build("ospf", own, nodes.values(), links, announcements, one_way=told)


def _each(states: _Areas) -> Iterator[_Lsa]:
    for area in states.areas.values():
        yield from _living(area)


def _living(lsas: Sequence[_Lsa]) -> Iterator[_Lsa]:
    return (lsa for lsa in lsas if lsa.lsa_age < MAX_AGE)


def _lan(designated: str) -> str:
    """The key of a LAN: its designated router's address there; a router ID may look the same."""
    return f"lan {designated}"


def _prefix(lsa: _Lsa) -> Prefix:
    if not 0 <= lsa.network_mask <= 32:
        raise ValueError(f"a prefix length in its database is {lsa.network_mask}")
    return prefix(f"{lsa.link_state_id}/{lsa.network_mask}")


def _length(mask: str) -> int:
    """255.255.255.0 -> 24. Raises ValueError for a mask with holes."""
    bits = prefix(f"{mask}/32").network
    length = bits.bit_count()
    if bits != (1 << 32) - (1 << 32 - length):
        raise ValueError(f"a mask in its database is {mask!r}")
    return length
