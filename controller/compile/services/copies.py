"""The copies that mirrors make of a vport's packets, as actions on its own hypervisor.

    to a vport here          its interface
    to a vport elsewhere     VXLAN with the VNI of the mirror; `mirror.py` has the flow that takes them there
    to a collector           GRE with the session as key, or ERSPAN type II with it as session id

A copy is a datapath clone: what is set for its way leaves no trace in the packet itself. It goes straight to an
interface or into a tunnel, past all tables, so it is never copied again, limited or refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from controller.compile.addresses import FAMILIES, Ip, address, value
from controller.compile.state import State
from controller.openflow import actions
from controller.openflow.actions import Action
from controller.ovsdb.model import ERSPAN_OFPORT, GRE_OFPORT
from data.path import Path
from data.schema.objects import Vport
from data.schema.services import Mirror

__all__ = ["Copies", "copies", "mirrors_of", "out_of", "target_of"]

_VLAN_PRESENT = 0x1000  # OFPVID_PRESENT (ONF TS-012, 7.2.3.7)
_COLLECTORS = {"gre": GRE_OFPORT, "erspan": ERSPAN_OFPORT}


def mirrors_of(state: State, path: Path) -> list[Path]:
    """The mirrors that name a vport, as one that is copied or that gets copies, in the order of their names."""
    return sorted(referrer for referrer in state.view.referrers(path) if referrer[-2] == "mirror")


def target_of(path: Path, mirror: Mirror) -> Path | None:
    """The path of the vport that gets the copies."""
    return None if mirror.to is None else (*path[:4], "vport", mirror.to)


class Copies(NamedTuple):
    """What to do to a vport's packets in each direction before they go on."""

    ingress: list[Action]
    egress: list[Action]


def copies(state: State, path: Path) -> Copies:
    """The copies of a resolved vport's packets."""
    made = Copies([], [])
    for mirror_path in mirrors_of(state, path):
        mirror = state.view.get(mirror_path)
        if not isinstance(mirror, Mirror) or path[-1] not in mirror.vport:
            continue
        way = list(_way(state, mirror_path, mirror, path))
        copy = [actions.clone([actions.load_in_port(0), *way])] if way else []
        if mirror.direction != "egress":
            made.ingress.extend(copy)
        if mirror.direction != "ingress":
            made.egress.extend(copy)
    return made


def _way(state: State, path: Path, mirror: Mirror, source: Path) -> Iterator[Action]:
    place = state.place(source)
    assert place is not None, f"{' '.join(source)} is not resolved"
    here = place.location.dvrs
    if mirror.collector is not None:
        collector = address(mirror.collector)
        if collector.version == state.tunnel_address(here).version:
            yield from _tunnelled(mirror.session, collector, _COLLECTORS[mirror.encapsulation])
        return
    target = target_of(path, mirror)
    found = None if target is None else state.place(target)
    if found is None:
        return
    if found.location.dvrs == here:
        yield from out_of(found.vport, found.location.port)
    else:
        endpoint = state.tunnel_address(found.location.dvrs)
        yield from _tunnelled(state.vni(path), endpoint, state.placement.tunnel_ports[here])


def _tunnelled(key: int, to: Ip, port: int) -> Iterator[Action]:
    yield actions.set_field("tunnel_id", key)
    yield actions.set_field(FAMILIES[to.version].tunnel_destination, value(to))
    yield actions.output(port)


def out_of(vport: Vport, port: int) -> Iterator[Action]:
    """By the interface of a vport, in its VLAN."""
    if vport.vlan is not None:
        yield actions.push_vlan()
        yield actions.set_field("vlan_vid", _VLAN_PRESENT | vport.vlan)
    yield actions.output(port)
