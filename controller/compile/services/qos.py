"""QoS: whose flows an edit changes that says which rates and marks vports have. The flows are in `limits.py`.

They are part of what a vport has on its own hypervisor, so they come, move and go with it. Here is only what changes
them from elsewhere: the qos that it names or has by default, and the default of its subnet or domain.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment
from controller.compile.port import PORT
from controller.compile.state import State
from data.path import Path
from data.schema.objects import Domain, L2Domain, Object, Subnet

__all__ = ["FEATURE"]


def _nothing(state: State, domain: Path) -> Iterator[Fragment]:
    return iter(())


def _touched(delta: Delta) -> Iterator[Fragment]:
    for path, body in delta.edits.items():
        if path[0] != "enterprise":
            continue
        if path[-2] == "qos":
            for state in (delta.old, delta.new):
                for user in state.view.referrers(path):
                    yield from (Fragment(PORT, vport) for vport in _vports(state, user))
        elif _default(body) != _default(delta.old.view.get(path)):
            for state in (delta.old, delta.new):
                yield from (Fragment(PORT, vport) for vport in _vports(state, path))


def _default(body: Object | None) -> str | None:
    """The qos that vports in this object have unless they say otherwise."""
    if isinstance(body, Subnet):
        return body.qos
    return body.default_qos if isinstance(body, Domain | L2Domain) else None


def _vports(state: State, path: Path) -> Iterator[Path]:
    """The resolved vports that have the qos of the object at the path: a vport, a subnet or a domain."""
    if path[-2] == "vport":
        yield path
        return
    for subnet in (path,) if path[-2] == "subnet" else tuple(state.subnets(path)):
        for vports in state.members_of(subnet).values():
            yield from vports


FEATURE = Feature(_nothing, _touched)
