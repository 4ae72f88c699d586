"""The whole configuration, declared once: one frozen Struct per kind, each leaf with its facts.

    system, controller, ssh, login-class, user,     enterprise NAME
    alias: see accounts.py; dvrs NAME               ├── network-macro NAME
    bgp, underlay, pe: see wan.py                   │
    domain-template NAME                            ├── l2-domain NAME: policy-group, qos, vport,
    └── zone, policy-group, qos, policies           │   ingress-policy, egress-policy, mirror
                                                    └── domain NAME
                                                        ├── zone NAME ── subnet NAME ── dhcp-option NUMBER
                                                        ├── policy-group NAME, qos NAME
                                                        ├── vport NAME
                                                        ├── policies.py: ingress-policy, egress-policy NAME
                                                        │   ── entry NUMBER
                                                        └── services.py: static-route, virtual-ip, floating-ip,
                                                            source-nat, load-balancer, redirection-target,
                                                            forwarding-policy, mirror

A leaf's keyword is its field name with '-' for '_' (`from_` is `from`). A leaf that is not set holds its
default; a mandatory leaf that is not set yet holds "" or (), which `rules/` refuses at commit, so committed
objects always have it. Multi-valued leaves are sorted tuples. `uuid` never changes and is not part of set
lines.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from data.schema.accounts import AccessDefaults, Alias, ClassRule, LoginClass, Ssh, User
from data.schema.base import Object as Object
from data.schema.controller import Controller as Controller
from data.schema.controller import System as System
from data.schema.declaration import EVERYWHERE, Kind, Leaf
from data.schema.endpoint import ENDPOINT as ENDPOINT
from data.schema.endpoint import ENDPOINT_KINDS as ENDPOINT_KINDS
from data.schema.endpoint import Endpoint as Endpoint
from data.schema.policies import PERMIT
from data.schema.policies import EgressPolicy as EgressPolicy
from data.schema.policies import Entry as Entry
from data.schema.policies import IngressPolicy as IngressPolicy
from data.schema.seen import (
    FLOW_EXPORT,
    FlowExport,
    SyslogServer,
    Telemetry,
    Threshold,
    Web,
)
from data.schema.services import (
    Backend,
    DhcpOption,
    FloatingIp,
    ForwardingPolicy,
    LoadBalancer,
    Mirror,
    Qos,
    Redirect,
    RedirectionTarget,
    SourceNat,
    StaticRoute,
    VirtualIp,
)
from data.schema.types import (
    ADDRESS,
    ADDRESS_4,
    ADDRESS_6,
    DOMAIN_NAME,
    FLAG,
    HOSTNAME,
    MAC,
    NAME,
    PREFIX,
    SUBNET_PREFIX,
    SUBNET_PREFIX_6,
    choice,
    integer,
)
from data.schema.wan import (
    EXPORT_TARGET,
    FIXED_VNI,
    IMPORT_TARGET,
    RD,
    TARGET,
    Bgp,
    Neighbor,
    Pe,
    PeVpn,
    Underlay,
    UnderlayListener,
)

_PORT = integer(1, 65535, "a TCP port")
_SECONDS = integer(60, 31536000, "seconds", units="seconds")
_DOMAINS = ("domain", "domain-template", "l2-domain")
_ROUTED = ("domain", "domain-template")
_UNKNOWN_UNICAST = choice(
    ("flood", "to every vport, as hubs do"),
    ("bridge", "to bridge vports alone: behind them may be what nobody knows yet"),
    ("drop", "nowhere"),
)


class Dvrs(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("dvrs", "a hypervisor's virtual switch", key=NAME)
    system_id: Annotated[
        str | None,
        Leaf(
            "external_ids:system-id of its Open vSwitch",
            NAME,
            unique=EVERYWHERE,
            named_by_default=True,
            default_text="the name",
        ),
    ] = None
    tunnel_address: Annotated[
        str | None, Leaf("its IPv4 or IPv6 address in the underlay", ADDRESS, mandatory=True, unique=EVERYWHERE)
    ] = None


class Enterprise(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("enterprise", "a tenant", key=NAME, reference_scope=EVERYWHERE)


class NetworkMacro(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "network-macro",
        "a named outside prefix",
        under=("enterprise",),
        key=NAME,
        reference_scope="enterprise",
    )
    prefix: Annotated[str, Leaf("the prefix", PREFIX, mandatory=True)] = ""


_INGRESS_DEFAULT = Leaf(
    "what happens to packets from a vport that no entry matches",
    PERMIT,
    default_text="deny once an ingress-policy has an entry",
)
_EGRESS_DEFAULT = Leaf(
    "what happens to packets to a vport that no entry matches",
    PERMIT,
    default_text="deny once an egress-policy has an entry",
)
_DEFAULT_QOS = Leaf("qos of its vports that name none", NAME, reference="qos")


class DomainTemplate(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What the domains made from it have, unless they say otherwise themselves."""

    declared: ClassVar[Kind] = Kind(
        "domain-template",
        "what all domains made from it have: zones, subnets, policies, qos",
        key=NAME,
        reference_scope=EVERYWHERE,
        stands_for="domain",
    )
    ingress_default: Annotated[str | None, _INGRESS_DEFAULT] = None
    egress_default: Annotated[str | None, _EGRESS_DEFAULT] = None
    default_qos: Annotated[str | None, _DEFAULT_QOS] = None


class Domain(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "domain",
        "an L3 routing instance of the enterprise",
        under=("enterprise",),
        key=NAME,
        reference_scope=EVERYWHERE,
        named_in_full=True,
    )
    template: Annotated[
        str | None, Leaf("template it is made from", NAME, reference="domain-template", provider=True)
    ] = None
    ingress_default: Annotated[str | None, _INGRESS_DEFAULT] = None
    egress_default: Annotated[str | None, _EGRESS_DEFAULT] = None
    default_qos: Annotated[str | None, _DEFAULT_QOS] = None
    shared: Annotated[
        bool, Leaf("other enterprises may use it, without joining each other", FLAG, looked_up=EVERYWHERE)
    ] = False
    access_prefix: Annotated[
        tuple[str, ...],
        Leaf("of a shared domain: vports of its users are seen under addresses of these prefixes", PREFIX),
    ] = ()
    route_distinguisher: Annotated[str | None, RD] = None
    route_target: Annotated[tuple[str, ...], TARGET] = ()
    import_target: Annotated[tuple[str, ...], IMPORT_TARGET] = ()
    export_target: Annotated[tuple[str, ...], EXPORT_TARGET] = ()
    use: Annotated[
        tuple[str, ...],
        Leaf("shared domains that its vports reach, as enterprise/domain", DOMAIN_NAME, reference="domain"),
    ] = ()

    @property
    def imports(self) -> tuple[str, ...]:
        """The route targets whose routes it takes."""
        return (*self.route_target, *self.import_target)

    @property
    def exports(self) -> tuple[str, ...]:
        """The route targets that its routes bear."""
        return (*self.route_target, *self.export_target)


class L2Domain(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One broadcast domain without routing: its vports need no addresses, and it has no gateway."""

    declared: ClassVar[Kind] = Kind(
        "l2-domain", "one broadcast domain without routing", under=("enterprise",), key=NAME, stands_for="domain"
    )
    ingress_default: Annotated[str | None, _INGRESS_DEFAULT] = None
    egress_default: Annotated[str | None, _EGRESS_DEFAULT] = None
    default_qos: Annotated[str | None, _DEFAULT_QOS] = None
    vni: Annotated[int | None, FIXED_VNI] = None
    route_target: Annotated[tuple[str, ...], TARGET] = ()
    unknown_unicast: Annotated[str, Leaf("where frames to an unknown MAC address go", _UNKNOWN_UNICAST)] = "flood"


class Zone(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "zone",
        "a group of subnets that policy can name",
        under=_ROUTED,
        key=NAME,
        reference_scope="domain",
    )


class Subnet(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "subnet",
        "an L2 segment with a prefix and a gateway",
        under=("zone",),
        key=NAME,
        unique_name="domain",
        reference_scope="domain",
    )
    prefix: Annotated[str | None, Leaf("the IPv4 prefix", SUBNET_PREFIX, disjoint="domain")] = None
    gateway: Annotated[
        str | None, Leaf("IPv4 address of the gateway", ADDRESS_4, default_text="the first host address")
    ] = None
    ipv6_prefix: Annotated[str | None, Leaf("the IPv6 prefix", SUBNET_PREFIX_6, disjoint="domain")] = None
    ipv6_gateway: Annotated[
        str | None, Leaf("IPv6 address of the gateway", ADDRESS_6, default_text="the first host address")
    ] = None
    ipv6_addressing: Annotated[
        str,
        Leaf(
            "how vports learn their IPv6 addresses",
            choice(
                ("slaac", "router advertisements with the prefix (RFC 4862)"),
                ("dhcpv6", "router advertisements, and the configured addresses by DHCPv6 (RFC 8415)"),
                ("none", "no router advertisements"),
            ),
        ),
    ] = "slaac"
    dhcp: Annotated[bool, Leaf("answer DHCP requests of its vports", FLAG)] = False
    dhcp_lease: Annotated[int, Leaf("how long a lease lasts", _SECONDS)] = 86400
    dns_server: Annotated[tuple[str, ...], Leaf("DNS servers that its vports are told", ADDRESS)] = ()
    dns_proxy: Annotated[
        bool,
        Leaf(
            "its gateway answers DNS queries for names of vports and forwards the others to dns-server",
            FLAG,
            provider=True,
        ),
    ] = False
    domain_name: Annotated[str | None, Leaf("DNS domain that its vports are told", HOSTNAME)] = None
    mtu: Annotated[int, Leaf("MTU that its vports are told", integer(1280, 9216, "bytes", units="bytes"))] = 1450
    unknown_unicast: Annotated[str, Leaf("where frames to an unknown MAC address go", _UNKNOWN_UNICAST)] = "flood"
    qos: Annotated[str | None, _DEFAULT_QOS] = None
    vni: Annotated[int | None, FIXED_VNI] = None
    route_target: Annotated[tuple[str, ...], TARGET] = ()
    flow_export: Annotated[str | None, FLOW_EXPORT] = None


class PolicyGroup(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "policy-group", "a named set of vports", under=_DOMAINS, key=NAME, reference_scope="domain"
    )


class Vport(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "vport", "a virtual port, the unit of policy", under=("domain", "l2-domain"), key=NAME, reference_scope="domain"
    )
    type: Annotated[
        str,
        Leaf(
            "what is attached to it",
            choice(
                ("vm", "a virtual machine"),
                ("container", "a container"),
                ("host", "a physical host"),
                ("bridge", "a VLAN segment"),
            ),
        ),
    ] = "vm"
    subnet: Annotated[str, Leaf("subnet it is in; vports of an l2-domain have none", NAME, reference="subnet")] = ""
    mac: Annotated[
        str | None, Leaf("its MAC address; those behind a bridge vport are learned", MAC, unique="domain")
    ] = None
    address: Annotated[tuple[str, ...], Leaf("its IPv4 and IPv6 addresses", ADDRESS, unique="domain")] = ()
    policy_group: Annotated[tuple[str, ...], Leaf("policy groups it is in", NAME, reference="policy-group")] = ()
    uplink: Annotated[
        str | None,
        Leaf("of a host or bridge vport: the physical port it is behind, wherever a hypervisor has one of this name",
             NAME, unique_with=(("vlan", EVERYWHERE), ("subnet", "domain")), looked_up=EVERYWHERE,
             provider=True),
    ] = None  # fmt: skip
    vlan: Annotated[
        int | None,
        Leaf("VLAN on the uplink", integer(1, 4094, "a VLAN (IEEE 802.1Q)"), default_text="untagged", provider=True),
    ] = None
    mac_limit: Annotated[
        int, Leaf("MAC addresses learned behind a bridge vport at most", integer(1, 4096, "addresses"))
    ] = 64
    anti_spoofing: Annotated[
        str,
        Leaf(
            "what its packets are checked for",
            choice(
                ("full", "its MAC address and its own addresses"),
                ("mac", "its MAC address alone: it is a router or a service"),
                ("off", "nothing"),
            ),
        ),
    ] = "full"
    qos: Annotated[
        str | None, Leaf("rate limits and marking", NAME, reference="qos", default_text="that of its subnet or domain")
    ] = None


KINDS: tuple[type[Object], ...] = (
    System,
    Ssh,
    AccessDefaults,
    LoginClass,
    ClassRule,
    User,
    Alias,
    Web,
    Telemetry,
    Threshold,
    SyslogServer,
    FlowExport,
    Controller,
    Bgp,
    Neighbor,
    Underlay,
    UnderlayListener,
    Pe,
    PeVpn,
    Dvrs,
    DomainTemplate,
    Enterprise,
    NetworkMacro,
    Domain,
    L2Domain,
    Zone,
    Subnet,
    DhcpOption,
    Qos,
    PolicyGroup,
    Vport,
    IngressPolicy,
    EgressPolicy,
    Entry,
    RedirectionTarget,
    ForwardingPolicy,
    Redirect,
    StaticRoute,
    VirtualIp,
    FloatingIp,
    SourceNat,
    LoadBalancer,
    Backend,
    Mirror,
)
"""Every kind of object, in the order in which texts show them."""
