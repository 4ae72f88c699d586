"""The configuration with which an FRR listens to the underlay and tells it nothing; what it takes, line by line.

OSPF cannot be heard without an adjacency, and who has one originates a router LSA. Ours holds no prefix, and its links
cost as much as OSPF can say:

    max-metric router-lsa administrative    links of metric 65535 (RFC 6987): nobody's packet goes through
    ip ospf priority 0, network broadcast   never the designated router, so it originates no network LSA; its link to
                                            the LAN is a transit link, which holds no prefix (RFC 2328 12.4.1.2). On a
                                            point-to-point link it would have to announce that link's own network.

IS-IS:

    set-overload-bit                        nobody's packet goes through (ISO 10589 7.2.8.1)
    ipv6 router isis alone, and no address  the adjacency forms over link-local addresses (its neighbour needs `ipv6
      on the interface but link-local       router isis` there, too), which are never announced (RFC 5308 section 3);
                                            over IPv4 it would have to announce the network of the interface
    lsp-gen-interval 1                      until its LSP names its neighbour, it counts as isolated
    no hostname dynamic                     LSPs are listed by system ID: two routers may have one name

No redistribution in either, and no route that was learned goes into the kernel of this machine (the route map).
"""

from __future__ import annotations

from controller.underlay.listener import Place

__all__ = ["configuration"]

ROUTE_MAP = "nshell-listen-only"


def configuration(place: Place) -> list[str]:
    """The lines of an frr.conf; what is in <angle brackets> the operator must know."""
    protocol = {"ospf": _ospf, "isis": _isis}[place.protocol]
    daemons = "zebra and " + place.socket.stem
    where = f"/etc/frr/{place.instance}/frr.conf" if place.instance else "/etc/frr/frr.conf"
    return [
        f"! {where} of a listener; it needs {daemons}" + (f", with -N {place.instance}" if place.instance else ""),
        "!",
        *protocol(),
        "!",
        "! what is learned stays out of this machine's routing table",
        f"route-map {ROUTE_MAP} deny 10",
        "exit",
        f"ip protocol {place.protocol} route-map {ROUTE_MAP}",
        *([f"ipv6 protocol isis route-map {ROUTE_MAP}"] if place.protocol == "isis" else []),
    ]


def _ospf() -> list[str]:
    return [
        "interface <towards a router of the underlay, nothing else on it>",
        " ip ospf area <area>",
        " ip ospf network broadcast",
        " ip ospf priority 0",
        "exit",
        "!",
        "router ospf",
        " ospf router-id <an unused router ID>",
        " max-metric router-lsa administrative",
        "exit",
    ]


def _isis() -> list[str]:
    return [
        "! this interface has no address but its link-local one; the router there says 'ipv6 router isis', too",
        "interface <towards a router of the underlay>",
        " ipv6 router isis underlay",
        " isis network point-to-point",
        "exit",
        "!",
        "router isis underlay",
        " net <area>.<an unused system ID>.00",
        " is-type <level-1, level-2-only or level-1-2, as its neighbours>",
        " metric-style wide",
        " lsp-gen-interval 1",
        " no hostname dynamic",
        " set-overload-bit",
        "exit",
    ]
