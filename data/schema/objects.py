"""The whole configuration, declared once: one frozen Struct per kind, each leaf with its facts.

    system, controller                         enterprise NAME
    ssh, login-class, user, alias: see         ├── network-macro NAME
    accounts.py; dvrs NAME                     └── domain NAME
                                                   ├── zone NAME ── subnet NAME
                                                   ├── policy-group NAME
                                                   ├── vport NAME
                                                   ├── ingress-policy NAME ── entry NUMBER
                                                   └── egress-policy NAME ── entry NUMBER

A leaf's keyword is its field name with '-' for '_' (`from_` is `from`). A leaf that is not set holds its
default; a mandatory leaf that is not set yet holds "" or (), which `rules/` refuses at commit, so committed
objects always have it. Multi-valued leaves are sorted tuples. `uuid` never changes and is not part of set
lines.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from data.schema.accounts import AccessDefaults, Alias, ClassRule, LoginClass, Ssh, User
from data.schema.base import Object as Object
from data.schema.declaration import EVERYWHERE, Kind, Leaf
from data.schema.types import (
    ADDRESS,
    FLAG,
    HOSTNAME,
    LISTEN_ADDRESS,
    MAC,
    NAME,
    PORTS,
    PREFIX,
    PROTOCOL,
    SUBNET_PREFIX,
    TEXT,
    ValueType,
    choice,
    integer,
    numbered,
)

_PERMIT = choice(("allow", "let the packet through"), ("deny", "drop the packet"))
_PORT = integer(1, 65535, "a TCP port")
_PRIORITY = integer(0, 65535, "lower is looked at first")
_BYTE = integer(0, 255, "a number of one byte")


class Endpoint(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One side of a policy entry: `any`, or the name of something that stands for a set of addresses."""

    kind: str = "any"
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


ANY = Endpoint()
ENDPOINT_KINDS: dict[str, str] = {
    "any": "every address",
    "vport": "the addresses of one vport",
    "policy-group": "the vports of a policy group",
    "zone": "the subnets of a zone",
    "subnet": "the prefix of a subnet",
    "network-macro": "an outside prefix of the enterprise",
}
"""The kinds an entry may name in `from` and `to`, with their help."""


def _no_single_word(word: str) -> Endpoint:
    raise AssertionError("an endpoint is two words and is parsed by words.py")


ENDPOINT = ValueType(
    "endpoint",
    "any|<kind> <name>",
    _no_single_word,
    "any, or a kind and the name of an object of the domain",
    choices=tuple(ENDPOINT_KINDS.items()),
    json_type="object",
)


class System(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("system", "this nshell itself")
    hostname: Annotated[str, Leaf("name shown in the prompt", HOSTNAME)] = "nshell"
    contact: Annotated[str | None, Leaf("who to call about it", TEXT)] = None
    location: Annotated[str | None, Leaf("where it stands", TEXT)] = None
    banner: Annotated[str | None, Leaf("shown before anybody logs in over SSH", TEXT)] = None
    idle_timeout: Annotated[
        int,
        Leaf("an interactive session that is not used ends; 0 is never", integer(0, 1440, "minutes", units="minutes")),
    ] = 30


class Controller(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("controller", "where hypervisors dial in, and what all of them share")
    listen_address: Annotated[str, Leaf("address that hypervisors dial", LISTEN_ADDRESS)] = "127.0.0.1"
    openflow_port: Annotated[int, Leaf("TCP port for OpenFlow", _PORT)] = 6653
    ovsdb_port: Annotated[int, Leaf("TCP port for OVSDB", _PORT)] = 6640
    agent_port: Annotated[int, Leaf("TCP port for nshell agents", _PORT)] = 6641
    probe_interval: Annotated[
        int, Leaf("silence after which a connection is probed", integer(1, 3600, "seconds", units="seconds"))
    ] = 5
    anycast_gateway_mac: Annotated[str, Leaf("MAC address of every gateway", MAC)] = "00:00:5e:00:01:01"


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
        str | None, Leaf("its address in the underlay", ADDRESS, mandatory=True, unique=EVERYWHERE)
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


class Domain(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "domain", "an L3 routing instance of the enterprise", under=("enterprise",), key=NAME
    )
    ingress_default: Annotated[
        str | None,
        Leaf(
            "what happens to packets from a vport that no entry matches",
            _PERMIT,
            default_text="deny once an ingress-policy has an entry",
        ),
    ] = None
    egress_default: Annotated[
        str | None,
        Leaf(
            "what happens to packets to a vport that no entry matches",
            _PERMIT,
            default_text="deny once an egress-policy has an entry",
        ),
    ] = None


class Zone(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "zone",
        "a group of subnets that policy can name",
        under=("domain",),
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
    prefix: Annotated[str, Leaf("the prefix", SUBNET_PREFIX, mandatory=True, disjoint="domain")] = ""
    gateway: Annotated[str | None, Leaf("address of the gateway", ADDRESS, default_text="the first host address")] = (
        None
    )


class PolicyGroup(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "policy-group", "a named set of vports", under=("domain",), key=NAME, reference_scope="domain"
    )


class Vport(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "vport", "a virtual port, the unit of policy", under=("domain",), key=NAME, reference_scope="domain"
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
    subnet: Annotated[str, Leaf("subnet it is in", NAME, mandatory=True, reference="subnet")] = ""
    mac: Annotated[str, Leaf("its MAC address", MAC, mandatory=True, unique="domain")] = ""
    address: Annotated[tuple[str, ...], Leaf("its IPv4 addresses", ADDRESS, mandatory=True, unique="domain")] = ()
    policy_group: Annotated[tuple[str, ...], Leaf("policy groups it is in", NAME, reference="policy-group")] = ()


class IngressPolicy(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "ingress-policy", "filters packets from vports into the network", under=("domain",), key=NAME
    )
    priority: Annotated[int, Leaf("order among the policies, lower is looked at first", _PRIORITY)] = 100


class EgressPolicy(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("egress-policy", "filters packets to vports", under=("domain",), key=NAME)
    priority: Annotated[int, Leaf("order among the policies, lower is looked at first", _PRIORITY)] = 100


class Entry(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "entry",
        "one rule; the first that matches decides",
        under=("ingress-policy", "egress-policy"),
        key=numbered(1, 65535, "order in the policy, lower is looked at first"),
    )
    from_: Annotated[Endpoint, Leaf("where the packet comes from", ENDPOINT)] = ANY
    to: Annotated[Endpoint, Leaf("where the packet goes", ENDPOINT)] = ANY
    protocol: Annotated[str | None, Leaf("IP protocol", PROTOCOL, default_text="any")] = None
    source_port: Annotated[tuple[str, ...], Leaf("source ports (tcp, udp, sctp)", PORTS, default_text="any")] = ()
    destination_port: Annotated[
        tuple[str, ...], Leaf("destination ports (tcp, udp, sctp)", PORTS, default_text="any")
    ] = ()
    icmp_type: Annotated[int | None, Leaf("ICMP type (RFC 792)", _BYTE, default_text="any")] = None
    icmp_code: Annotated[int | None, Leaf("ICMP code (RFC 792)", _BYTE, default_text="any")] = None
    dscp: Annotated[
        int | None,
        Leaf(
            "differentiated services code point (RFC 2474)",
            integer(0, 63, "a code point"),
            default_text="any",
        ),
    ] = None
    action: Annotated[str, Leaf("what to do", _PERMIT, mandatory=True)] = ""
    stateful: Annotated[bool, Leaf("let the replies back, too", FLAG)] = False
    log: Annotated[bool, Leaf("log the first packet of each flow", FLAG)] = False


KINDS: tuple[type[Object], ...] = (
    System,
    Ssh,
    AccessDefaults,
    LoginClass,
    ClassRule,
    User,
    Alias,
    Controller,
    Dvrs,
    Enterprise,
    NetworkMacro,
    Domain,
    Zone,
    Subnet,
    PolicyGroup,
    Vport,
    IngressPolicy,
    EgressPolicy,
    Entry,
)
"""Every kind of object, in the order in which texts show them."""
