"""The world outside the fabric: BGP, the underlay that is listened to, PE routers.

bgp, bgp-neighbor NAME              MP-BGP with PEs, VTEPs, other sites; listening to routers of the underlay
underlay, underlay-listener NAME    OSPF and IS-IS, listening alone; damping
pe NAME ── vpn NAME                 routers of the WAN, configured with the commit

What of a tenant goes out is said in the tenant: `route-target` and its kin of a domain, a subnet and an l2-domain.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from data.schema.base import Object
from data.schema.declaration import EVERYWHERE, Kind, Leaf
from data.schema.secret import SHARED_KEY
from data.schema.types import (
    ADDRESS,
    ADDRESS_4,
    DOMAIN_NAME,
    FLAG,
    HOSTNAME,
    NAME,
    PREFIX,
    choice,
    integer,
)
from data.schema.wan_types import AS_NUMBER, INTERFACE, ROUTE_DISTINGUISHER, ROUTE_TARGET

__all__ = ["EXPORT_TARGET", "FIXED_VNI", "IMPORT_TARGET", "RD", "TARGET", "Bgp", "Neighbor", "Pe", "PeVpn", "Underlay",
           "UnderlayListener"]  # fmt: skip

RD = Leaf(
    "route distinguisher (RFC 4364)",
    ROUTE_DISTINGUISHER,
    default_text="one for each hypervisor and domain",
    provider=True,
)
TARGET = Leaf("route target of what it announces and takes (RFC 4364)", ROUTE_TARGET, provider=True)
IMPORT_TARGET = Leaf("further route targets whose routes it takes", ROUTE_TARGET, provider=True)
EXPORT_TARGET = Leaf("further route targets of what it announces", ROUTE_TARGET, provider=True)
FIXED_VNI = Leaf(
    "VNI, where VTEPs outside must know it (RFC 7348)",
    integer(1, 0xFFFFFF, "a VNI"),
    unique=EVERYWHERE,
    default_text="the next free one",
    provider=True,
)
_PORT = integer(1, 65535, "a TCP port")
_SECONDS = "seconds"
_INTERVAL = integer(50, 10000, "milliseconds", units="milliseconds")
_AT_LEAST_THREE = integer(3, 65535, _SECONDS, units=_SECONDS)  # RFC 4271 section 4.2: zero or at least three
_PENALTY = integer(100, 20000, "penalty; each flap costs 1000")


class Bgp(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("bgp", "routes told to, and learned from, PE routers, VTEPs and other sites")
    autonomous_system: Annotated[
        int | None, Leaf("our number (RFC 6793)", AS_NUMBER, default_text="there is no BGP")
    ] = None
    router_id: Annotated[
        str | None, Leaf("BGP identifier (RFC 6286)", ADDRESS_4, default_text="local-address of the first neighbor")
    ] = None
    port: Annotated[int, Leaf("TCP port on which passive neighbors are waited for", _PORT)] = 179
    hold_time: Annotated[int, Leaf("silence after which a neighbor is lost (RFC 4271)", _AT_LEAST_THREE)] = 90
    restart_time: Annotated[
        int,
        Leaf(
            "how long neighbors keep our routes while we restart (RFC 4724)",
            integer(1, 4095, _SECONDS, units=_SECONDS),
        ),
    ] = 120
    stale_time: Annotated[
        int,
        Leaf(
            "how long routes of a neighbor that is lost are kept at most", integer(0, 86400, _SECONDS, units=_SECONDS)
        ),
    ] = 300
    bfd_instance: Annotated[
        str | None,
        Leaf(
            "FRR instance on this machine (its -N option) whose bfdd watches neighbors",
            NAME,
            default_text="the one without a name",
        ),
    ] = None
    bfd_interval: Annotated[
        int, Leaf("time between two BFD packets; after three of them a path is lost (RFC 5880)", _INTERVAL)
    ] = 300


FAMILIES_OF: dict[str, tuple[str, ...]] = {"fabric": ("evpn", "vpnv4", "vpnv6"), "underlay": ("ipv4", "ipv6")}
"""What can be spoken with a neighbor of a role, and is where nothing is said."""


class Neighbor(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("bgp-neighbor", "a BGP neighbor", key=NAME, reference_scope=EVERYWHERE)
    address: Annotated[str | None, Leaf("its address", ADDRESS, mandatory=True, unique=EVERYWHERE)] = None
    autonomous_system: Annotated[int | None, Leaf("its number", AS_NUMBER, mandatory=True)] = None
    local_address: Annotated[
        str | None, Leaf("our address towards it", ADDRESS, default_text="listen-address of the controller")
    ] = None
    role: Annotated[
        str,
        Leaf(
            "what it is to us",
            choice(
                ("fabric", "a PE, a VTEP, a route reflector or another site: routes go both ways"),
                ("underlay", "a router of the underlay: it is listened to, and never told anything"),
            ),
        ),
    ] = "fabric"
    family: Annotated[
        tuple[str, ...],
        Leaf(
            "address families; an underlay neighbor has ipv4 and ipv6 alone",
            choice(
                ("evpn", "MAC addresses, segments and prefixes over VXLAN (RFC 7432, RFC 9136)"),
                ("vpnv4", "IPv4 prefixes of domains over MPLS (RFC 4364)"),
                ("vpnv6", "IPv6 prefixes of domains over MPLS (RFC 4659)"),
                ("ipv4", "IPv4 prefixes of the underlay"),
                ("ipv6", "IPv6 prefixes of the underlay"),
            ),
            default_text="evpn, vpnv4 and vpnv6; ipv4 and ipv6 of an underlay neighbor",
        ),
    ] = ()
    port: Annotated[int, Leaf("its TCP port", _PORT)] = 179
    passive: Annotated[bool, Leaf("wait until it connects", FLAG)] = False
    hold_time: Annotated[
        int | None, Leaf("silence after which it is lost", _AT_LEAST_THREE, default_text="that of bgp")
    ] = None
    multihop: Annotated[
        int | None,
        Leaf("TTL of packets to it (eBGP over routers)", integer(1, 255, "hops"), default_text="as TCP has it"),
    ] = None
    ttl_security: Annotated[
        int | None,
        Leaf(
            "most hops that it is away; others are not listened to (RFC 5082)",
            integer(1, 254, "hops"),
            default_text="not checked",
        ),
    ] = None
    password: Annotated[str | None, Leaf("TCP MD5 key (RFC 2385)", SHARED_KEY)] = None
    bfd: Annotated[
        str | None,
        Leaf(
            "whether the path to it is watched, by the bfdd of an FRR on this machine; a path that is lost ends the "
            "session at once (RFC 5882)",
            choice(
                ("single-hop", "it is on a network of this machine (RFC 5881)"),
                ("multihop", "there are routers between (RFC 5883)"),
            ),
            default_text="the hold time alone says when it is lost",
        ),
    ] = None
    prefix_limit: Annotated[
        int, Leaf("routes taken from it at most; one more ends the session", integer(1, 10_000_000, "routes"))
    ] = 100_000
    accept: Annotated[
        tuple[str, ...], Leaf("prefixes inside which its routes must be", PREFIX, default_text="all")
    ] = ()
    announce: Annotated[
        tuple[str, ...], Leaf("prefixes inside which it is told routes", PREFIX, default_text="all")
    ] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """What is spoken with it."""
        return self.family or FAMILIES_OF[self.role]


class Underlay(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Damping as in RFC 2439: each flap of a tunnel endpoint costs 1000."""

    declared: ClassVar[Kind] = Kind("underlay", "what is known of the network below the tunnels, by listening alone")
    half_life: Annotated[int, Leaf("time in which a penalty halves", integer(1, 3600, _SECONDS, units=_SECONDS))] = 60
    suppress: Annotated[int, Leaf("penalty from which an endpoint is not used", _PENALTY)] = 2500
    reuse: Annotated[int, Leaf("penalty below which it is used again", _PENALTY)] = 750
    max_suppress: Annotated[
        int, Leaf("longest time that an endpoint is not used", integer(1, 86400, _SECONDS, units=_SECONDS))
    ] = 300
    poll_interval: Annotated[
        int,
        Leaf("time between two looks at a listener", integer(100, 60000, "milliseconds", units="milliseconds")),
    ] = 1000


class UnderlayListener(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("underlay-listener", "a routing daemon on this machine that only listens", key=NAME)
    protocol: Annotated[
        str,
        Leaf(
            "link-state protocol",
            choice(("ospf", "OSPF version 2 (RFC 2328)"), ("isis", "IS-IS (RFC 1195)")),
            mandatory=True,
        ),
    ] = ""
    instance: Annotated[
        str | None, Leaf("name of the FRR instance (its -N option)", NAME, default_text="the one without a name")
    ] = None


class Pe(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "pe",
        "a provider-edge router, configured through NAPALM with each commit",
        key=NAME,
        reference_scope="configuration",
    )
    driver: Annotated[
        str,
        Leaf(
            "NAPALM driver",
            choice(
                ("eos", "Arista EOS"),
                ("ios", "Cisco IOS and IOS XE"),
                ("iosxr", "Cisco IOS XR"),
                ("junos", "Juniper Junos"),
                ("nxos", "Cisco NX-OS"),
                ("frr", "FRRouting"),
            ),
            mandatory=True,
        ),
    ] = ""
    address: Annotated[str | None, Leaf("its management address or name", HOSTNAME, mandatory=True)] = None
    port: Annotated[int | None, Leaf("TCP port of its management", _PORT, default_text="that of the driver")] = None
    username: Annotated[str | None, Leaf("who logs in there", NAME, default_text="this process's user")] = None
    password: Annotated[str | None, Leaf("with which password", SHARED_KEY)] = None
    key_file: Annotated[
        str | None, Leaf("file with the SSH key, in the state directory", NAME, default_text="a password, or an agent")
    ] = None
    instance: Annotated[
        str | None,
        Leaf("of an FRR on this machine: the name of its instance", NAME, default_text="it is reached by SSH"),
    ] = None
    neighbor: Annotated[
        str | None,
        Leaf("the BGP neighbor that it is", NAME, reference="bgp-neighbor", default_text="the one with its name"),
    ] = None
    autonomous_system: Annotated[int | None, Leaf("its number", AS_NUMBER, default_text="that of its BGP neighbor")] = (
        None
    )
    tunnel_address: Annotated[
        str | None, Leaf("where its GRE tunnels end", ADDRESS, default_text="the address of its BGP neighbor")
    ] = None
    revert_timer: Annotated[
        int,
        Leaf(
            "time after which it goes back by itself when a commit is cut short",
            integer(30, 3600, _SECONDS, units=_SECONDS),
        ),
    ] = 120


class PeVpn(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("vpn", "a VRF of the router that is part of a domain", under=("pe",), key=NAME)
    domain: Annotated[
        str, Leaf("the domain, as enterprise/domain", DOMAIN_NAME, mandatory=True, reference="domain")
    ] = ""
    route_distinguisher: Annotated[
        str | None, Leaf("of the VRF there", ROUTE_DISTINGUISHER, default_text="its own number and that of the domain")
    ] = None
    interface: Annotated[tuple[str, ...], Leaf("its interfaces that are in the VRF", INTERFACE)] = ()
    prefix: Annotated[tuple[str, ...], Leaf("prefixes behind it that it announces besides", PREFIX)] = ()
