"""Fragments: the flows of a hypervisor cut into the pieces that change together.

A fragment is named by its kind and the object it belongs to. Each kind says which hypervisors hold it (`scope`), what
its contents depend on besides the state (`variant`: equal variants have equal bytes, so they are made once and sent
to all), and what flows it has. Nothing here remembers anything: the old contents are found by compiling the old state.

The kinds that make up the network itself are in `core.py`; each edge service declares its own in its file, and is
listed in `catalogue.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from controller.compile.state import Place, State
from data.path import Path

__all__ = ["Flows", "Fragment", "Kind", "Scope", "Variant", "domain_hosts", "everywhere", "own", "placed", "same",
           "subnet_hosts", "tunnel_port", "vport_domain_hosts", "vport_host", "vport_subnet_hosts"]  # fmt: skip

Scope = Callable[[State, Path], Collection[str]]
Flows = Callable[[State, Path, str], Iterator[bytes]]
Variant = Callable[[State, Path, str], Hashable]


def same(state: State, path: Path, dvrs: str) -> Hashable:
    """Equal on every hypervisor."""
    return None


def tunnel_port(state: State, path: Path, dvrs: str) -> Hashable:
    """Equal where the tunnel port has the same number."""
    return state.placement.tunnel_ports[dvrs]


def own(state: State, path: Path, dvrs: str) -> Hashable:
    """Different on each hypervisor."""
    return dvrs


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of fragment, see the module."""

    name: str
    scope: Scope
    flows: Flows
    variant: Variant = same

    def __repr__(self) -> str:
        return f"Kind({self.name})"


class Fragment(NamedTuple):
    """The name of a fragment."""

    kind: Kind
    path: Path

    def scope(self, state: State) -> Collection[str]:
        """The hypervisors that hold it in this state."""
        return self.kind.scope(state, self.path)

    def flows(self, state: State, dvrs: str) -> list[bytes]:
        """Its messages on one hypervisor of its scope."""
        return list(self.kind.flows(state, self.path, dvrs))

    def variant(self, state: State, dvrs: str) -> Hashable:
        """Hypervisors with equal variants hold equal bytes."""
        return self.kind.variant(state, self.path, dvrs)


# Scopes


def everywhere(state: State, path: Path) -> Collection[str]:
    """Every hypervisor of ours."""
    return [name for name in state.placement.tunnel_ports if state.view.get(("dvrs", name)) is not None]


def domain_hosts(state: State, path: Path) -> Collection[str]:
    """Hypervisors of the domain of an object that exists."""
    return state.hosts_of(path[:4]) if state.view.get(path) is not None else ()


def subnet_hosts(state: State, path: Path) -> Collection[str]:
    """Hypervisors of a subnet, or of an l2-domain."""
    return state.members_of(path) if state.view.get(path) is not None else ()


def vport_domain_hosts(state: State, path: Path) -> Collection[str]:
    """Hypervisors of the domain of a resolved vport."""
    return () if state.place(path) is None else state.hosts_of(path[:4])


def vport_subnet_hosts(state: State, path: Path) -> Collection[str]:
    """Hypervisors of the subnet of a resolved vport."""
    place = state.place(path)
    return () if place is None else state.members_of(place.subnet)


def vport_host(state: State, path: Path) -> Collection[str]:
    """The hypervisor of a resolved vport."""
    place = state.place(path)
    return () if place is None else (place.location.dvrs,)


def placed(state: State, path: Path) -> Place:
    """Where a vport is that is known to be resolved."""
    place = state.place(path)
    assert place is not None, f"{' '.join(path)} is not resolved"
    return place
