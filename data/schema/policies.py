"""Policies: what vports may send and receive. Entries of one direction are looked at policy by policy, in order."""

from __future__ import annotations

from typing import Annotated, ClassVar

from data.schema.base import Object
from data.schema.declaration import Kind, Leaf
from data.schema.endpoint import ANY, Endpoint
from data.schema.matching import DESTINATION_PORT, FROM, POLICY_PRIORITY, SOURCE_PORT, TO, TRANSPORT
from data.schema.types import FLAG, NAME, choice, integer, numbered

PERMIT = choice(("allow", "let the packet through"), ("deny", "drop the packet"))
_BYTE = integer(0, 255, "a number of one byte")
_DOMAINS = ("domain", "domain-template", "l2-domain")


class IngressPolicy(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "ingress-policy", "filters packets from vports into the network", under=_DOMAINS, key=NAME
    )
    priority: Annotated[int, POLICY_PRIORITY] = 100


class EgressPolicy(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind("egress-policy", "filters packets to vports", under=_DOMAINS, key=NAME)
    priority: Annotated[int, POLICY_PRIORITY] = 100


class Entry(Object, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    declared: ClassVar[Kind] = Kind(
        "entry",
        "one rule; the first that matches decides",
        under=("ingress-policy", "egress-policy"),
        key=numbered(1, 65535, "order in the policy, lower is looked at first"),
    )
    from_: Annotated[Endpoint, FROM] = ANY
    to: Annotated[Endpoint, TO] = ANY
    protocol: Annotated[str | None, TRANSPORT] = None
    source_port: Annotated[tuple[str, ...], SOURCE_PORT] = ()
    destination_port: Annotated[tuple[str, ...], DESTINATION_PORT] = ()
    icmp_type: Annotated[int | None, Leaf("ICMP type (RFC 792, RFC 4443)", _BYTE, default_text="any")] = None
    icmp_code: Annotated[int | None, Leaf("ICMP code (RFC 792, RFC 4443)", _BYTE, default_text="any")] = None
    dscp: Annotated[
        int | None,
        Leaf(
            "differentiated services code point (RFC 2474)",
            integer(0, 63, "a code point"),
            default_text="any",
        ),
    ] = None
    action: Annotated[str, Leaf("what to do", PERMIT, mandatory=True)] = ""
    stateful: Annotated[bool, Leaf("let the replies back, too", FLAG)] = False
    log: Annotated[bool, Leaf("log the first packet of each flow", FLAG)] = False
