"""Which prefixes of a domain lead where, beside its machines' own addresses.

    subnets         every hypervisor that hosts the domain: each routes to every machine of it
    static routes   the hypervisors behind which their living next hops are; black holes are nobody's
    virtual IPs     the hypervisor of the vport that has it now
    floating IPs    nowhere: but nobody else's routes replace them

A floating IP is translated without state. What its vport sends to the WAN leaves with its own address, which is told as
well: translated, it would be a wrong answer to who asked that address, and as it is, to who asked the floating IP.
Virtual addresses of load balancers and of source NAT are not announced: the answers to what is translated with state
must come back through the hypervisor that did it, and packets from outside may enter by any. The access prefixes of
shared domains are not, either: users are known by them inside the fabric alone. Subnets go by EVPN alone; a PE is told
each address with the hypervisor where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from controller.bgp.rib.policy import host
from controller.compile.services.sharing import sharing
from controller.compile.services.virtual_ip import holder
from controller.compile.state import State
from data.addresses import Prefix, address, prefix
from data.floating import inside_of
from data.networks import networks
from data.path import Path
from data.schema.services import FloatingIp, StaticRoute

__all__ = ["MADE_OF", "Led", "services", "subnets"]

MADE_OF = frozenset({"static-route", "virtual-ip", "floating-ip", "subnet", "zone", "domain", "l2-domain"})
"""Kinds of objects whose edit may change what a domain announces, beside its vports."""
_ALIVE = ("alive", "unprobed", "unknown")


class Led(NamedTuple):
    """A prefix that a hypervisor leads to; `told`: from outside, too."""

    prefix: Prefix
    dvrs: str
    told: bool = True


def subnets(state: State, domain: Path) -> list[Prefix]:
    """The prefixes of its subnets."""
    return [one.prefix for subnet in state.subnets(domain) for one in networks(state.subnet(subnet))]


def services(state: State, domain: Path) -> list[Led]:
    """Everything else."""
    found: dict[Led, None] = {}
    for path in state.objects(domain, "static-route"):
        found.update(dict.fromkeys(_static(state, path)))
    for path in state.objects(domain, "virtual-ip"):
        vport = holder(state, path)
        found.update({} if vport is None else dict.fromkeys(_host(state, path, vport)))
    for path in state.objects(domain, "floating-ip"):
        found.update(dict.fromkeys(_floating(state, path)))
    return list(found)


def _static(state: State, path: Path) -> Iterator[Led]:
    body = state.view.get(path)
    if not isinstance(body, StaticRoute) or body.blackhole:
        return
    for share in sharing(state, path):
        place = state.place(share.vport) if share.vport is not None and share.state in _ALIVE else None
        if place is not None:
            yield Led(prefix(path[-1]), place.location.dvrs)


def _host(state: State, path: Path, vport: Path) -> Iterator[Led]:
    place = state.place(vport)
    if place is not None:
        yield Led(host(address(path[-1])), place.location.dvrs)


def _floating(state: State, path: Path) -> Iterator[Led]:
    body, vport = state.view.get(path), (*path[:4], "vport")
    if not isinstance(body, FloatingIp):
        return
    place = state.place((*vport, body.vport))
    if place is not None and inside_of(path, body, place.vport) is not None:
        yield Led(host(address(path[-1])), place.location.dvrs, told=False)
