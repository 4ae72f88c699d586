"""What a domain does beside switching, routing and filtering: the edge services, each a kind of object.

qos NAME                      rates, bursts, marking
static-route PREFIX           next hops, or a black hole
virtual-ip ADDRESS            shared by several vports
floating-ip ADDRESS           one vport, known outside by this address
source-nat NAME               many addresses behind one
load-balancer NAME ── backend NAME
redirection-target NAME       service vports that packets are led through
forwarding-policy NAME ── redirect NUMBER
mirror NAME                   copies of a vport's packets
subnet … dhcp-option NUMBER
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from data.schema.base import Object
from data.schema.declaration import Kind, Leaf
from data.schema.endpoint import ANY, ENDPOINT, Endpoint
from data.schema.matching import DESTINATION_PORT, FROM, POLICY_PRIORITY, SOURCE_PORT, TO, TRANSPORT
from data.schema.types import ADDRESS, FLAG, MAC, NAME, PREFIX, TEXT, choice, integer, numbered

_PORT = integer(1, 65535, "a port")
_RATE = integer(64, 100_000_000, "kilobits per second", units="kbit/s")
_BURST = integer(1, 10_000_000, "kilobits", units="kbit")
_HEALTH_PORT = Leaf("TCP port that is probed", _PORT, default_text="the port of the service")
_INTERVAL = Leaf("time between two probes", integer(200, 60000, "milliseconds", units="milliseconds"))
_NO_HEALTH = ("none", "it is alive while it is resolved")
_ARP = ("arp", "it answers ARP, or neighbour solicitations")
_ICMP = ("icmp", "it answers ping")
_TCP = ("tcp", "it accepts TCP connections on health-port")


class Qos(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Rates of a vport in each direction, seen from the vport: ingress is what it sends."""

    declared: ClassVar[Kind] = Kind(
        "qos",
        "rate limits and marking of vports",
        under=("domain", "domain-template", "l2-domain"),
        key=NAME,
        reference_scope="domain",
    )
    ingress_rate: Annotated[int | None, Leaf("what a vport may send", _RATE, default_text="unlimited")] = None
    ingress_burst: Annotated[
        int | None,
        Leaf("what may pass at once beyond ingress-rate", _BURST, default_text="what the rate carries in 250 ms"),
    ] = None
    egress_rate: Annotated[int | None, Leaf("what a vport may receive", _RATE, default_text="unlimited")] = None
    egress_burst: Annotated[
        int | None,
        Leaf("what may pass at once beyond egress-rate", _BURST, default_text="what the rate carries in 250 ms"),
    ] = None
    dscp: Annotated[
        int | None,
        Leaf("code point that its packets get", integer(0, 63, "a code point"), default_text="0 unless trusted"),
    ] = None
    trust: Annotated[bool, Leaf("packets keep the code point that the vport gave them, unless dscp is set", FLAG)] = (
        False
    )


class DhcpOption(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "dhcp-option",
        "a further DHCP option (RFC 2132), by its number",
        under=("subnet",),
        key=numbered(1, 254, "number of the option"),
    )
    value: Annotated[str, Leaf("text, an address, or bytes as hexadecimal digits behind 0x", TEXT, mandatory=True)] = ""


class StaticRoute(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Several next hops share the flows; one that is not alive gets none."""

    declared: ClassVar[Kind] = Kind(
        "static-route", "a route to a prefix", under=("domain", "domain-template"), key=PREFIX
    )
    next_hop: Annotated[
        tuple[str, ...], Leaf("addresses in subnets of the domain that the packets go to", ADDRESS, looked_up="domain")
    ] = ()
    blackhole: Annotated[bool, Leaf("drop the packets", FLAG)] = False
    health: Annotated[str, Leaf("how a next hop is known to be alive", choice(_NO_HEALTH, _ARP, _ICMP))] = "arp"
    health_interval: Annotated[int, _INTERVAL] = 1000


class VirtualIp(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The vport that last claimed the address by gratuitous ARP (RFC 5944 section 4.6) has it."""

    declared: ClassVar[Kind] = Kind(
        "virtual-ip", "an address that several vports share", under=("domain",), key=ADDRESS
    )
    vport: Annotated[
        tuple[str, ...], Leaf("the vports that may claim it", NAME, mandatory=True, reference="vport")
    ] = ()
    mac: Annotated[
        str | None, Leaf("virtual MAC address (VRRP, RFC 9568)", MAC, default_text="that of the vport that has it")
    ] = None


class FloatingIp(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One to one, without state, so it survives every move."""

    declared: ClassVar[Kind] = Kind(
        "floating-ip", "an address under which a vport is known outside", under=("domain",), key=ADDRESS
    )
    vport: Annotated[str, Leaf("the vport", NAME, mandatory=True, reference="vport")] = ""
    address: Annotated[
        str | None, Leaf("which address of the vport", ADDRESS, default_text="its first one of the same family")
    ] = None


class SourceNat(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Done where the packet leaves the fabric, by a bridge vport of the subnet that `address` lies in."""

    declared: ClassVar[Kind] = Kind("source-nat", "many addresses go out behind one", under=("domain",), key=NAME)
    address: Annotated[str, Leaf("the address outside", ADDRESS, mandatory=True, looked_up="domain")] = ""
    from_: Annotated[Endpoint, Leaf("whose packets go out behind it", ENDPOINT)] = ANY


class LoadBalancer(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "load-balancer", "an address and port served by several vports", under=("domain",), key=NAME
    )
    address: Annotated[str, Leaf("the virtual address", ADDRESS, mandatory=True, looked_up="domain")] = ""
    protocol: Annotated[str, Leaf("transport protocol", choice(("tcp", "TCP"), ("udp", "UDP")))] = "tcp"
    port: Annotated[int, Leaf("the virtual port", _PORT, mandatory=True)] = 0
    affinity: Annotated[
        str,
        Leaf(
            "what goes to the same backend",
            choice(("none", "the packets of one connection"), ("source", "all that one source address sends")),
        ),
    ] = "none"
    health: Annotated[str, Leaf("how a backend is known to be alive", choice(_NO_HEALTH, _TCP, _ICMP))] = "tcp"
    health_port: Annotated[int | None, _HEALTH_PORT] = None
    health_interval: Annotated[int, _INTERVAL] = 1000


class Backend(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("backend", "a vport that serves", under=("load-balancer",), key=NAME)
    vport: Annotated[
        str, Leaf("the vport", NAME, reference="vport", named_by_default=True, default_text="the name")
    ] = ""
    port: Annotated[int | None, Leaf("its port", _PORT, default_text="the virtual port")] = None
    weight: Annotated[int, Leaf("share of the connections; 0 gets no new ones", integer(0, 100, "a weight"))] = 1


class RedirectionTarget(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Its vports route what they get (anti-spoofing mac); several share the flows."""

    declared: ClassVar[Kind] = Kind(
        "redirection-target",
        "service vports that packets are led through",
        under=("domain",),
        key=NAME,
        reference_scope="domain",
    )
    vport: Annotated[tuple[str, ...], Leaf("the service vports", NAME, mandatory=True, reference="vport")] = ()
    health: Annotated[str, Leaf("how a vport is known to be alive", choice(_NO_HEALTH, _ARP, _ICMP, _TCP))] = "arp"
    health_port: Annotated[int | None, Leaf("TCP port that is probed", _PORT)] = None
    health_interval: Annotated[int, _INTERVAL] = 1000
    fail: Annotated[
        str,
        Leaf(
            "when none of them is alive",
            choice(("closed", "packets are dropped"), ("open", "packets go on as if nothing redirected them")),
        ),
    ] = "closed"


class ForwardingPolicy(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "forwarding-policy",
        "leads packets other ways than the routes do",
        under=("domain", "domain-template"),
        key=NAME,
    )
    priority: Annotated[int, POLICY_PRIORITY] = 100


class Redirect(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Looked at after the ingress policies allowed a packet; packets from the target itself are never redirected."""

    declared: ClassVar[Kind] = Kind(
        "redirect",
        "packets that go another way; the first that matches decides",
        under=("forwarding-policy",),
        key=numbered(1, 65535, "order in the policy, lower is looked at first"),
    )
    from_: Annotated[Endpoint, FROM] = ANY
    to: Annotated[Endpoint, TO] = ANY
    protocol: Annotated[str | None, TRANSPORT] = None
    source_port: Annotated[tuple[str, ...], SOURCE_PORT] = ()
    destination_port: Annotated[tuple[str, ...], DESTINATION_PORT] = ()
    dscp: Annotated[
        int | None, Leaf("differentiated services code point", integer(0, 63, "a code point"), default_text="any")
    ] = None
    target: Annotated[
        str | None,
        Leaf(
            "service vports that they are led through", NAME, reference="redirection-target", default_text="as routed"
        ),
    ] = None
    next_hop: Annotated[
        str | None,
        Leaf(
            "address in a subnet of the domain that they go to", ADDRESS, default_text="as routed", looked_up="domain"
        ),
    ] = None

    @property
    def redirects(self) -> bool:
        """Whether packets that match go another way than they are routed."""
        return self.target is not None or self.next_hop is not None


class Mirror(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("mirror", "copies packets of vports", under=("domain", "l2-domain"), key=NAME)
    vport: Annotated[
        tuple[str, ...], Leaf("vports whose packets are copied", NAME, mandatory=True, reference="vport")
    ] = ()
    direction: Annotated[
        str,
        Leaf("which packets", choice(("ingress", "what it sends"), ("egress", "what it receives"), ("both", "both"))),
    ] = "both"
    to: Annotated[str | None, Leaf("vport that gets the copies, on any hypervisor", NAME, reference="vport")] = None
    collector: Annotated[str | None, Leaf("address in the underlay that gets the copies", ADDRESS, provider=True)] = (
        None
    )
    encapsulation: Annotated[
        str,
        Leaf(
            "how the copies travel to the collector",
            choice(("gre", "GRE (RFC 2890) with the session as key"), ("erspan", "ERSPAN type II")),
        ),
    ] = "gre"
    session: Annotated[int, Leaf("session id (ERSPAN) or key (GRE) of the copies", integer(0, 1023, "a session"))] = 1
