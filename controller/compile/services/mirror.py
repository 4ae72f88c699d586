"""Mirrors: how copies from other hypervisors get to the vport they are for, and whose copies a change concerns.

    vport a (hv1)   classify, deliver: a copy of each packet -> VXLAN, the VNI of the mirror
    vport m (hv2)   classify: what comes on this VNI -> its interface, and nothing else

The copying itself is part of the flows of each vport that is copied (`copies.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment, Kind, own
from controller.compile.port import PORT
from controller.compile.services.copies import mirrors_of, out_of, target_of
from controller.compile.state import Place, State
from controller.openflow import match
from controller.openflow.packed import flow
from controller.pipeline import Feature as Purpose
from controller.pipeline import Owner, Priority, Table, cookie
from data.path import Path
from data.schema.services import Mirror

__all__ = ["FEATURE", "MIRROR"]


def _target(state: State, path: Path) -> Place | None:
    """Where the vport is that gets the copies of a mirror from other hypervisors."""
    mirror = state.view.get(path)
    target = target_of(path, mirror) if isinstance(mirror, Mirror) else None
    return None if target is None else state.place(target)


def _host(state: State, path: Path) -> Collection[str]:
    place = _target(state, path)
    return () if place is None else (place.location.dvrs,)


def _arrival(state: State, path: Path, dvrs: str) -> Iterator[bytes]:
    place = _target(state, path)
    assert place is not None, f"{' '.join(path)} has no target"
    owner = cookie(Owner.SERVICE, Purpose.MIRRORED, state.number(path))
    here = [match.in_port(state.placement.tunnel_ports[dvrs]), match.tunnel_id(state.vni(path))]
    yield flow(Table.CLASSIFY, Priority.NORMAL, owner, here, list(out_of(place.vport, place.location.port)))


MIRROR = Kind("mirror", _host, _arrival, own)


def _fragments(state: State, domain: Path) -> Iterator[Fragment]:
    for path in state.objects(domain, "mirror"):
        yield Fragment(MIRROR, path)


def _touched(delta: Delta) -> Iterator[Fragment]:
    mirrors = set(delta.edited("mirror"))
    for path in delta.near("mirror"):
        for state in (delta.old, delta.new):
            mirrors.update(one for one in mirrors_of(state, path) if _gets_copies(state, one, path))
    if delta.hypervisors:  # their tunnels lead elsewhere
        for state in (delta.old, delta.new):
            mirrors.update(path for path, _ in state.view.objects(Mirror))
    for path in mirrors:
        yield Fragment(MIRROR, path)
        for state in (delta.old, delta.new):
            mirror = state.view.get(path)
            if isinstance(mirror, Mirror):
                yield from (Fragment(PORT, (*path[:4], "vport", name)) for name in mirror.vport)


def _gets_copies(state: State, path: Path, vport: Path) -> bool:
    mirror = state.view.get(path)
    return isinstance(mirror, Mirror) and mirror.to == vport[-1]


FEATURE = Feature(_fragments, _touched)
