"""The way in from the WAN, into a domain as a whole: by its VNI, or by its label for each family.

    VXLAN, VNI of the domain   whatever the MAC addresses inside (RFC 9135 section 6.1: they are routers')  -> nat_in
    MPLS over GRE, its label   last of the stack; what is under it is what the label says                   -> nat_in

From there as in `pipeline.py`: identities, then route with one hop less, and the egress policy of the vport. What bears
another number, or a stack of labels, is dropped in `classify`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.compile.addresses import FAMILIES
from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, domain_hosts, tunnel_port
from controller.compile.state import State
from controller.openflow import actions, match, wire
from controller.openflow.packed import flow
from controller.ovsdb.model import MPLS_OFPORT
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Table, cookie
from data.path import Path
from data.schema.objects import Domain

__all__ = ["FEATURE"]


def _flows(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    number = state.number(path)
    mark = cookie(Owner.DOMAIN, Purpose.ENTERED, number)
    enter = [actions.set_field("eth_dst", state.gateway_mac()), actions.set_metadata(number)]
    # Open vSwitch sends nothing back by the port that it came in by: on the way to another hypervisor it must.
    enter.append(actions.load_in_port(0))
    vxlan = [match.in_port(state.placement.tunnel_ports[dvrs]), match.tunnel_id(state.l3_vni(path))]
    yield flow(Table.CLASSIFY, Priority.NORMAL, mark, vxlan, enter, Table.NAT_IN)
    for version, family in FAMILIES.items():
        label = match.mpls_label(state.label(path, version))
        mpls = [match.in_port(MPLS_OFPORT), match.eth_type(wire.ETH_MPLS), label, match.mpls_bos(1)]
        pop = actions.pop_mpls(family.eth_type)
        yield flow(Table.CLASSIFY, Priority.NORMAL, mark, mpls, [pop, *enter], Table.NAT_IN)


def _hosts(state: State, path: Path) -> Collection[str]:
    return domain_hosts(state, path) if state.in_wan(path) else ()


_ENTRANCE = Kind("entrance", _hosts, _flows, tunnel_port)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    if state.routed(domain) and state.in_wan(domain):
        yield Fragment(_ENTRANCE, domain)


def _touched(delta: Delta) -> Iterator[Fragment]:
    for path, body in delta.edits.items():
        if isinstance(body, Domain) or isinstance(delta.old.view.get(path), Domain):
            yield Fragment(_ENTRANCE, path)


FEATURE = Feature(_fragments, _touched)
