"""A subnet on a hypervisor that hosts a vport of it: entry from its VNI, and flooding by head-end replication.

Broadcast, unknown unicast and multicast go once to every other hypervisor of the subnet and to every vport here (each
through its own egress policy); what came from the tunnel goes to the vports here alone, so nothing loops and the
underlay carries no multicast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from controller.openflow import actions, match
from controller.openflow.actions import Action
from controller.openflow.packed import flow
from controller.pipeline import Priority, Register, Table

__all__ = ["entry", "flood"]


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


def flood(owner: int, vni: int, tunnel_port: int, endpoints: Iterable[int], ports: Iterable[int]) -> Iterator[bytes]:
    """`endpoints`: tunnel addresses of the other hypervisors of the subnet; `ports`: its vports here."""
    local = [_deliver(port) for port in sorted(ports)]
    remote = [_send(endpoint, tunnel_port) for endpoint in sorted(endpoints)]
    if remote:
        remote.insert(0, actions.set_field("tunnel_id", vni))
    subnet = match.reg(Register.SUBNET, vni)
    yield flow(Table.FLOOD, Priority.HIGH, owner, [subnet, match.in_port(tunnel_port)], local)
    yield flow(Table.FLOOD, Priority.NORMAL, owner, [subnet], remote + local)


# A port joins a subnet of a thousand and the whole list is written anew: its pieces are made once.


@lru_cache(maxsize=65536)
def _deliver(port: int) -> Action:
    return actions.together(actions.set_reg(Register.TO_PORT, port), actions.resubmit(Table.EGRESS_TRACK))


@lru_cache(maxsize=65536)
def _send(endpoint: int, tunnel_port: int) -> Action:
    return actions.together(actions.set_field("tun_ipv4_dst", endpoint), actions.output(tunnel_port))
