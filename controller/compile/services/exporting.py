"""Flow export: whose flows an edit changes that says who is told of a subnet's packets (`exported.py`)."""

from __future__ import annotations

from collections.abc import Iterator

from controller.compile.features import Delta, Feature
from controller.compile.fragments import Fragment
from controller.compile.port import PORT
from controller.compile.state import State
from data.path import Path
from data.schema.objects import Subnet
from data.schema.seen import FlowExport

__all__ = ["FEATURE"]


def _nothing(state: State, domain: Path) -> Iterator[Fragment]:
    return iter(())


def _touched(delta: Delta) -> Iterator[Fragment]:
    for path, body in delta.edits.items():
        before = delta.old.view.get(path)
        if isinstance(body, FlowExport) or isinstance(before, FlowExport):
            for state in (delta.old, delta.new):
                for user in state.view.referrers(path):
                    yield from _ports(state, user)
        elif _export(body) != _export(before):
            for state in (delta.old, delta.new):
                yield from _ports(state, path)


def _export(body: object) -> str | None:
    return body.flow_export if isinstance(body, Subnet) else None


def _ports(state: State, subnet: Path) -> Iterator[Fragment]:
    """What the resolved vports of a subnet have on their hypervisors."""
    for vports in state.members_of(subnet).values():
        yield from (Fragment(PORT, vport) for vport in vports)


FEATURE = Feature(_nothing, _touched)
