"""A subnet on a hypervisor that hosts a vport of it: entry from its VNI, and flooding by head-end replication.

Broadcast, unknown unicast and multicast go once to every other hypervisor of the subnet and to every vport here (each
through its own egress policy); what came from the tunnel goes to the vports here alone, so nothing loops and the
underlay carries no multicast. VTEPs and hypervisors of other sites that want copies get theirs with the VNI that they
know the segment by. Where a subnet says so, unknown unicast goes to bridge vports alone, or nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from controller.compile.addresses import FAMILIES, Ip, value
from controller.compile.fragments import Kind, own, subnet_hosts
from controller.compile.remote import Tunnel
from controller.compile.state import State
from controller.compile.wan.facts import floods
from controller.openflow import actions, match, wire
from controller.openflow.actions import Action
from controller.openflow.match import Match
from controller.openflow.packed import flow
from controller.pipeline import Feature, Owner, Priority, Register, Table, cookie
from data.path import Path

__all__ = ["FLOOD", "entry", "flood", "open_to_unknown", "unknown_unicast"]

_ROUTERS = (133, 134, 137)  # RFC 4861: router solicitation, router advertisement, redirect
_NEIGHBOURS = (135, 136)  # neighbour solicitation, neighbour advertisement


def entry(owner: int, domain: int, vni: int, tunnel_port: int) -> Iterator[bytes]:
    """Packets from the tunnel fabric on this VNI belong to the subnet."""
    yield flow(
        Table.CLASSIFY,
        Priority.NORMAL,
        owner,
        [match.in_port(tunnel_port), match.tunnel_id(vni)],
        [actions.set_reg(Register.SUBNET, vni), actions.set_metadata(domain)],
        Table.SOURCE,
    )


def flood(
    owner: int,
    vni: int,
    tunnel_port: int,
    endpoints: Iterable[Ip],
    slots: Iterable[int],
    others: Iterable[Tunnel] = (),
) -> Iterator[bytes]:
    """`endpoints`: tunnel addresses of the other hypervisors of the subnet; `slots`: its vports here; `others`: who
    else gets copies."""
    subnet = match.reg(Register.SUBNET, vni)
    local, remote = _to_all(vni, tunnel_port, endpoints, slots)
    for tunnel in sorted(others, key=lambda one: (one.number, one.endpoint)):
        remote += [actions.set_field("tunnel_id", tunnel.number), _send(tunnel.endpoint, tunnel_port)]
    yield flow(Table.FLOOD, Priority.HIGH, owner, [subnet, match.in_port(tunnel_port)], local)
    yield flow(Table.FLOOD, Priority.NORMAL, owner, [subnet], remote + local)


def unknown_unicast(
    owner: int, vni: int, tunnel_port: int, endpoints: Iterable[Ip], slots: Iterable[int]
) -> Iterator[bytes]:
    """Where frames to an unknown MAC address go instead: to these alone, to nobody when there are none."""
    unicast = [match.reg(Register.SUBNET, vni), match.eth_dst("00:00:00:00:00:00", "01:00:00:00:00:00")]
    local, remote = _to_all(vni, tunnel_port, endpoints, slots)
    if local != remote + local:
        from_tunnel = [*unicast, match.in_port(tunnel_port)]
        yield flow(Table.FLOOD, Priority.HIGHEST + 1, owner, from_tunnel, local)
    yield flow(Table.FLOOD, Priority.HIGHEST, owner, unicast, remote + local)


def open_to_unknown(owner: int, vni: int, routed: bool) -> Iterator[bytes]:
    """ARP and ND that nobody here answers go on instead of being dropped: somebody may, behind a bridge vport or in an
    l2-domain. There, all discovery and every other protocol goes on, too."""
    subnet = match.reg(Register.SUBNET, vni)

    def on(priority: int, *matches: Match) -> bytes:
        return flow(Table.RESPONDER, priority, owner, [subnet, *matches], [], Table.NAT_IN)

    yield on(Priority.LOW, match.eth_type(wire.ETH_ARP))
    for kind in _NEIGHBOURS if routed else (*_ROUTERS, *_NEIGHBOURS):
        yield on(
            Priority.LOW + 1, match.eth_type(wire.ETH_IPV6), match.ip_proto(wire.IP_ICMPV6), match.icmpv6_type(kind)
        )
    if not routed:
        yield on(Priority.MISS)


def _to_all(
    vni: int, tunnel_port: int, endpoints: Iterable[Ip], slots: Iterable[int]
) -> tuple[list[Action], list[Action]]:
    local = [_deliver(slot) for slot in sorted(slots)]
    remote = [_send(endpoint, tunnel_port) for endpoint in sorted(endpoints)]
    if remote:
        remote.insert(0, actions.set_field("tunnel_id", vni))
    return local, remote


def _flood(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    members = state.members_of(path)
    return flood(
        cookie(Owner.SUBNET, Feature.FORWARD, state.number(path)),
        state.vni(path),
        state.placement.tunnel_ports[dvrs],
        [state.tunnel_address(name) for name in members if name != dvrs],
        members[dvrs].values(),
        floods(state, path),
    )


FLOOD = Kind("flood", subnet_hosts, _flood, own)
"""Head-end replication of a subnet."""


# A port joins a subnet of a thousand and the whole list is written anew: its pieces are made once.


@lru_cache(maxsize=65536)
def _deliver(slot: int) -> Action:
    return actions.together(actions.set_reg(Register.TO_PORT, slot), actions.resubmit(Table.RETURN))


@lru_cache(maxsize=65536)
def _send(endpoint: Ip, tunnel_port: int) -> Action:
    field = FAMILIES[endpoint.version].tunnel_destination
    return actions.together(actions.set_field(field, value(endpoint)), actions.output(tunnel_port))
