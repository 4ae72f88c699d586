"""The FRR configuration of every node, as lines: the IGP between them, and BGP where they speak it.

Timers are short where that only speeds the lab up (SPF, hellos, reconnects) and patient where a loaded machine would
make sessions flap (dead interval, hold time): a wire that is cut is noticed at once, by its carrier.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nshell.lab.wan.plan import Customer, Wan, ends, loopback

HELLO = 1  # seconds
DEAD = 15  # seconds
KEEPALIVE, HOLD = 3, 15  # seconds, of BGP
DAEMONS = {"ospf": "ospfd", "isis": "isisd"}


@dataclass(frozen=True, slots=True)
class Place:
    """What a node's BGP needs to know of this lab: where controllers and other nodes are on the management network."""

    controllers: Sequence[str]
    managed: dict[str, str]  # node -> address


def daemons(wan: Wan, node: str) -> tuple[str, ...]:
    """The FRR daemons of a node."""
    speaks = () if node.startswith("r") and node != "rr" else ("bgpd",)
    return ("zebra", "staticd", DAEMONS[wan.igp], *speaks)


def lines(wan: Wan, node: str, place: Place) -> list[str]:
    """A node's whole frr.conf."""
    igp = _ospf(wan, node) if wan.igp == "ospf" else _isis(wan, node)
    bgp = {"pe": _pe, "vtep": _vtep, "rr": _reflector}.get(node)
    return [f"hostname {node}", *igp, *(bgp(wan, place) if bgp else [])]


def _interface(node: str, neighbour: str) -> str:
    """The interface that carries the address: at the PE Open vSwitch terminates tunnels, so it is the bridge's."""
    return f"br-{neighbour}" if node == "pe" else neighbour


def _te() -> list[str]:
    return [" link-params", "  enable", "  metric 10", " exit-link-params"]


def _ospf(wan: Wan, node: str) -> list[str]:
    text: list[str] = []
    for neighbour, address in ends(wan, node):
        # with its address: the PE's tunnel address, which is on this interface too, is no wire
        text += [f"interface {_interface(node, neighbour)}", f" ip ospf area 0 {address}"]
        text += [" ip ospf network point-to-point", f" ip ospf hello-interval {HELLO}"]
        # a description sent before the neighbour was there is sent again after that time: 5 s by default
        text += [f" ip ospf dead-interval {DEAD}", " ip ospf retransmit-interval 1", *_te(), "exit"]
    text += ["interface lo", " ip ospf area 0", "exit"]
    if node in ("r1", "r4"):
        text += ["interface lan", " ip ospf area 0", " ip ospf passive", "exit"]
    text += ["router ospf", f" ospf router-id {loopback(node)}", " timers throttle spf 10 100 1000"]
    text += [" timers throttle lsa all 100", " timers lsa min-arrival 50"]
    return [*text, " capability opaque", " mpls-te on", f" mpls-te router-address {loopback(node)}", "exit"]


def _isis(wan: Wan, node: str) -> list[str]:
    text: list[str] = []
    for neighbour, _ in ends(wan, node):
        text += [f"interface {_interface(node, neighbour)}", " ip router isis wan", " isis network point-to-point"]
        text += [f" isis hello-interval {HELLO}", f" isis hello-multiplier {DEAD}", *_te(), "exit"]
    text += ["interface lo", " ip router isis wan", " isis passive", "exit"]
    if node in ("r1", "r4"):
        text += ["interface lan", " ip router isis wan", " isis passive", "exit"]
    digits = "".join(f"{int(part):03}" for part in loopback(node).split("."))
    system = ".".join(digits[at : at + 4] for at in (0, 4, 8))
    text += ["router isis wan", f" net 49.0001.{system}.00", " is-type level-2-only", " metric-style wide"]
    text += [" lsp-gen-interval 1", " spf-interval 1"]
    return [*text, " mpls-te on", f" mpls-te router-address {loopback(node)}", "exit"]


def _peers(wan: Wan, place: Place, families: Sequence[str], outward: str = "") -> list[str]:
    """`router bgp` with the controllers, or the route reflector, as neighbours in these families."""
    own, theirs = wan.wan_autonomous_system, wan.autonomous_system
    peers = {place.managed["rr"]: own} if wan.reflector else dict.fromkeys(place.controllers, theirs)
    text = []
    for address, system in peers.items():
        text += [f" neighbor {address} remote-as {system}", f" neighbor {address} timers {KEEPALIVE} {HOLD}"]
        text += [f" neighbor {address} timers connect 1"]
        if system == theirs and wan.port != 179 and address in place.controllers:
            text += [f" neighbor {address} port {wan.port}"]
        if system != own:
            text += [f" neighbor {address} ebgp-multihop 4"]
    for family in families:
        text += [f" address-family {family}"]
        for address in peers:
            text += [f"  neighbor {address} activate"]
            if outward:
                text += [f"  neighbor {address} route-map {outward} out"]
        text += [" exit-address-family"]
    return text


def _router(wan: Wan, node: str) -> list[str]:
    head = [f"router bgp {wan.wan_autonomous_system}", f" bgp router-id {loopback(node)}"]
    # its labels are Open vSwitch's, which lives on when bgpd does not (labels.py): RFC 4724's F bit is the truth
    kept = [" bgp graceful-restart", " bgp graceful-restart preserve-fw-state"] if node == "pe" else []
    return [*head, " no bgp ebgp-requires-policy", " no bgp default ipv4-unicast", " bgp log-neighbor-changes", *kept]


def _pe(wan: Wan, place: Place) -> list[str]:
    # sessions run over the management network, tunnels to the loopback: the next hop is said by hand
    text = ["route-map tunnel permit 10", f" set ip next-hop {loopback('pe')}"]
    text += [f" set ipv6 next-hop global ::ffff:{loopback('pe')}", "exit"]
    text += [*_router(wan, "pe"), *_peers(wan, place, ("ipv4 vpn", "ipv6 vpn"), "tunnel"), "exit"]
    for customer in wan.customers:
        if customer.configured:
            text += _customer(wan, customer)
    return text


def _customer(wan: Wan, customer: Customer) -> list[str]:
    text = [f"router bgp {wan.wan_autonomous_system} vrf {customer.name}", f" bgp router-id {loopback('pe')}"]
    for family in sorted({"ipv6" if ":" in one else "ipv4" for one in customer.network}):
        text += [f" address-family {family} unicast", "  redistribute connected", "  label vpn export auto"]
        text += [f"  rd vpn export {customer.route_distinguisher}", f"  rt vpn both {customer.route_target}"]
        text += ["  export vpn", "  import vpn", " exit-address-family"]
    return [*text, "exit"]


def _vtep(wan: Wan, place: Place) -> list[str]:
    text = [*_router(wan, "vtep"), *_peers(wan, place, ("l2vpn evpn",))]
    text += [" address-family l2vpn evpn", "  advertise-all-vni"]
    for segment in wan.segments:
        if segment.route_target:
            text += [f"  vni {segment.vni}", f"   route-target both {segment.route_target}", "  exit-vni"]
    text += [" exit-address-family", "exit"]
    for tenant in wan.tenants:
        families = sorted({"ipv6" if ":" in one else "ipv4" for one in tenant.network})
        text += [f"vrf {tenant.name}", f" vni {tenant.vni}", "exit-vrf"]
        text += [f"router bgp {wan.wan_autonomous_system} vrf {tenant.name}", f" bgp router-id {loopback('vtep')}"]
        for family in families:
            text += [f" address-family {family} unicast", "  redistribute connected", " exit-address-family"]
        text += [" address-family l2vpn evpn", *(f"  advertise {family} unicast" for family in families)]
        text += [f"  route-target both {tenant.route_target}", " exit-address-family", "exit"]
    return text


def _reflector(wan: Wan, place: Place) -> list[str]:
    own = wan.wan_autonomous_system
    peers = dict.fromkeys(place.controllers, wan.autonomous_system)
    peers |= {place.managed[node]: own for node in ("pe", "vtep") if node in wan.nodes}
    text = _router(wan, "rr")
    for address, system in peers.items():
        text += [f" neighbor {address} remote-as {system}", f" neighbor {address} timers {KEEPALIVE} {HOLD}"]
        text += [f" neighbor {address} timers connect 1"]
        if address in place.controllers and wan.port != 179:
            text += [f" neighbor {address} port {wan.port}"]
        if system != own:
            text += [f" neighbor {address} ebgp-multihop 4"]
    for family in ("ipv4 vpn", "ipv6 vpn", "l2vpn evpn"):
        text += [f" address-family {family}"]
        for address, system in peers.items():
            text += [f"  neighbor {address} activate"]
            # a client of its own system; towards another the next hop must not become the reflector's
            role = "route-reflector-client" if system == own else "attribute-unchanged next-hop"
            text += [f"  neighbor {address} {role}"]
        text += [" exit-address-family"]
    return [*text, "exit"]
