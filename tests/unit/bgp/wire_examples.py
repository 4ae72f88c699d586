"""Routes of every family, as values and as strategies, and what real speakers made of some of them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from controller.bgp.routes import (
    NO_ESI,
    Attributes,
    AutoDiscovery,
    Community,
    EthernetSegment,
    IpPrefix,
    MacIp,
    Multicast,
    Nlri,
    Origin,
    Pmsi,
    Rd,
    Route,
    Unicast,
    VpnPrefix,
)
from data.addresses import BITS, Ip, Prefix, address, prefix

LINES = [line.split() for line in (Path(__file__).parent / "captured.txt").read_text().splitlines()]
CAPTURED = [(line[0], bytes.fromhex(line[1])) for line in LINES if line[0] != "#"]
"""Who sent it, and the body of an UPDATE message."""

RD, RD_ADDRESS, RD_LONG = Rd.of("65000:7"), Rd.of("192.0.2.1:7"), Rd.of("4200000000:7")
TARGET = Community.route_target("65000:7")
VXLAN, MPLS = Community.encapsulation(8), Community.encapsulation(10)
MAC, ESI = b"\2\0\0\0\0\1", bytes.fromhex("0300112233445500006f")
HOP, HOP6 = address("192.0.2.9"), address("2001:db8::9")

_BRIDGED = Attributes(HOP, local_preference=100, extended=(TARGET, VXLAN))
_ROUTED = Attributes(
    HOP,
    local_preference=100,
    extended=(TARGET, VXLAN, Community.mobility(5, sticky=True), Community.router_mac(b"\2\0\0\0\0\x99")),
)
_FLOODED = Attributes(HOP, local_preference=100, extended=(TARGET, VXLAN), pmsi=Pmsi(HOP, 100))
_LABELLED = Attributes(HOP, local_preference=100, extended=(TARGET, MPLS))
_FLOODED_LABELLED = Attributes(HOP, local_preference=100, extended=(TARGET, MPLS), pmsi=Pmsi(HOP, 100))
EVERYTHING = Attributes(
    HOP,
    Origin.EGP,
    (65001, 4200000001, 65002, 65003),
    3,
    med=7,
    local_preference=200,
    communities=(4259840001, 0xFFFFFF01),
    extended=(TARGET,),
    originator_id=address("192.0.2.77"),
    cluster_list=(address("192.0.2.78"), address("192.0.2.79")),
    unknown=(
        (0x40, 6, b""),
        (0xC0, 7, bytes.fromhex("0000fde8c000024d")),
        (0xC0, 32, bytes.fromhex("0000fde80000000100000002")),
        (0xE0, 99, b"hello" * 60),
    ),
)
"""Each attribute that there is, two autonomous systems of the path in a set."""
_OVER6 = Attributes(HOP6, local_preference=100, extended=(TARGET,))

ROUTES = [
    Route(MacIp(RD, MAC, None, 100), _BRIDGED),
    Route(MacIp(RD, MAC, address("10.1.1.11"), 100, 5000), _ROUTED),
    Route(MacIp(RD_ADDRESS, MAC, address("2001:db8::11"), 100, 5000, ESI), _ROUTED),
    Route(MacIp(RD_LONG, MAC, None, 16000), _LABELLED),
    Route(Multicast(RD, HOP), _FLOODED),
    Route(Multicast(RD_ADDRESS, address("192.0.2.10")), _FLOODED_LABELLED),
    Route(IpPrefix(RD, prefix("10.9.0.0/16"), 5000), _ROUTED),
    Route(IpPrefix(RD, prefix("10.10.128.0/17"), 5000, address("10.1.1.1")), _BRIDGED),
    Route(IpPrefix(RD_ADDRESS, prefix("2001:db8:9::/48"), 0xABCDEF), _ROUTED),
    Route(AutoDiscovery(RD, ESI, 5, 300), _BRIDGED),
    Route(EthernetSegment(RD, ESI, HOP), _BRIDGED),
    Route(VpnPrefix(RD, prefix("10.20.0.0/17"), (500,)), EVERYTHING),
    Route(VpnPrefix(RD_LONG, prefix("0.0.0.0/0"), (16,)), EVERYTHING),
    Route(VpnPrefix(RD_ADDRESS, prefix("10.20.1.1/32"), (1048575,)), _LABELLED),
    Route(VpnPrefix(RD, prefix("2001:db8:20::/52"), (600,)), _OVER6),
    Route(VpnPrefix(RD, prefix("2001:db8:21::/52"), (600,)), EVERYTHING),
    Route(Unicast(prefix("10.30.0.0/25")), EVERYTHING),
    Route(Unicast(prefix("2001:db8:30::/49")), _OVER6),
]
"""What was sent to FRR 8.4.4 and GoBGP 3.10.0, which gave it on as captured.txt says."""


def _ips(version: int | None = None) -> st.SearchStrategy[Ip]:
    """Any but an IPv4 address as IPv6, which is one of IPv4 when it is a next hop (RFC 4659 section 3.2.1)."""
    versions = [version] if version else list(BITS)
    return st.sampled_from(versions).flatmap(
        lambda one: st.integers(1, (1 << BITS[one]) - 1).filter(lambda n: n >> 32 != 0xFFFF).map(lambda n: Ip(one, n))
    )


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    ip = draw(_ips())
    bits = BITS[ip.version]
    mask = (1 << bits) - (1 << bits - draw(st.integers(0, bits)))
    return Prefix(ip.version, ip.number & mask, mask)


_rds = st.builds(lambda kind, rest: Rd(bytes((0, kind)) + rest), st.integers(0, 2), st.binary(min_size=6, max_size=6))
_esis = st.just(NO_ESI) | st.binary(min_size=10, max_size=10)
_tags = st.integers(0, (1 << 32) - 1)
_macs = st.binary(min_size=6, max_size=6)


@st.composite
def _ip_prefixes(draw: st.DrawFn, labels: st.SearchStrategy[int]) -> IpPrefix:
    found = draw(prefixes())
    gateway = draw(st.none() | _ips(found.version))
    esi = NO_ESI if gateway is not None else draw(_esis)  # never both: RFC 9136 section 3.1
    return IpPrefix(draw(_rds), found, draw(labels), gateway, esi, draw(_tags))


def evpn(bits: int) -> st.SearchStrategy[Nlri]:
    """EVPN routes whose labels have so many bits."""
    labels = st.integers(0, (1 << bits) - 1)
    return st.one_of(
        st.builds(AutoDiscovery, _rds, _esis, _tags, labels),
        st.builds(MacIp, _rds, _macs, st.none() | _ips(), labels, st.none() | labels, _esis, _tags),
        st.builds(Multicast, _rds, _ips(), _tags),
        st.builds(EthernetSegment, _rds, _esis, _ips()),
        _ip_prefixes(labels),
    )


def _stack(version: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, (1 << 20) - 1), min_size=1, max_size=6 if version == 4 else 2).map(tuple)


vpn = prefixes().flatmap(lambda one: st.builds(VpnPrefix, _rds, st.just(one), _stack(one.version)))
unicast = st.builds(Unicast, prefixes())

_words = st.integers(0, (1 << 32) - 1)
_communities = st.one_of(
    st.builds(lambda *parts: Community(b"".join(parts)), st.sampled_from([b"\0\2", b"\1\2", b"\2\2"]), _macs),
    st.builds(Community.router_mac, _macs),
    st.builds(lambda number, sticky: Community.mobility(number, sticky=sticky), _words, st.booleans()),
    st.just(Community.default_gateway()),
)
_unknown = st.lists(
    st.tuples(st.just(0xE0), st.integers(40, 255), st.binary(max_size=300)), max_size=3, unique_by=lambda one: one[1]
).map(lambda found: tuple(sorted(found, key=lambda one: one[1])))


@st.composite
def attributes(draw: st.DrawFn, encapsulation: Community, hops: st.SearchStrategy[Ip] | None = None) -> Attributes:
    """Any, with this community among the others."""
    path = tuple(draw(st.lists(_words, max_size=300)))
    length = len(path) if len(path) < 2 else draw(st.integers(max(1, len(path) - 254), len(path)))

    def optional(values: st.SearchStrategy[int]) -> int | None:
        return draw(st.none() | values)

    bits = 24 if encapsulation == VXLAN else 20
    return Attributes(
        draw(hops or _ips()),
        draw(st.sampled_from(Origin)),
        path,
        length,
        optional(_words),
        optional(_words),
        tuple(draw(st.lists(_words, max_size=80))),
        tuple(sorted([encapsulation, *draw(st.lists(_communities, max_size=40))])),
        draw(st.none() | _ips(4)),
        tuple(draw(st.lists(_ips(4), max_size=5))),
        draw(st.none() | st.builds(Pmsi, _ips(), st.integers(0, (1 << bits) - 1), st.integers(0, 255))),
        draw(_unknown),
    )


routes = st.one_of(
    st.builds(Route, evpn(24), attributes(VXLAN)),
    st.builds(Route, evpn(20), attributes(MPLS)),
    st.builds(Route, vpn | unicast, attributes(MPLS)),
)
