"""Who serves in a load balancer: its backends, each a vport with an address of the balancer's family and a port.

A backend counts as alive from its first answered probe on, with health none while it is resolved. What follows from
that is in `balance.py` and `backends.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from controller.compile.addresses import Ip, address
from controller.compile.health import Probe, alive
from controller.compile.services import spread
from controller.compile.state import State
from data.path import Path
from data.schema.objects import Vport
from data.schema.services import Backend, LoadBalancer

__all__ = ["Serving", "balanced", "balancers", "dealt", "serving", "servings", "sharers"]


class Serving(NamedTuple):
    """A backend: its path, the vport that serves, the address and port there, and what tells whether it is alive."""

    path: Path
    vport: Path
    address: Ip
    port: int
    weight: int
    probe: Probe

    def alive(self, state: State) -> bool:
        """Whether it gets connections."""
        return alive(state, self.probe, unknown=False)


def serving(state: State, path: Path) -> Serving | None:
    """The backend at a path; None when its vport has no MAC address, or no address of the balancer's family."""
    backend, balancer = state.view.get(path), state.view.get(path[:-2])
    if not isinstance(backend, Backend) or not isinstance(balancer, LoadBalancer):
        return None
    where = (*path[:4], "vport", backend.vport or path[-1])
    vport = state.view.get(where)
    if not isinstance(vport, Vport) or vport.mac is None:
        return None
    version = address(balancer.address).version
    own = next((text for text in vport.address if address(text).version == version), None)
    if own is None:
        return None
    port = backend.port or balancer.port
    probed = (balancer.health_port or port) if balancer.health == "tcp" else 0
    probe = Probe(where, own, vport.mac, balancer.health, probed, balancer.health_interval)
    return Serving(path, where, address(own), port, backend.weight, probe)


def servings(state: State, path: Path) -> list[Serving]:
    """The backends of a load balancer, alive or not, in the order of their names."""
    paths = ((*path, "backend", name) for name in sorted(state.view.children(path, "backend")))
    return [found for found in (serving(state, one) for one in paths) if found is not None]


def dealt(state: State, among: Sequence[Serving], without: Ip | None = None) -> list[Serving | None]:
    """Who has which slot; `without` is the address of a client, which is not to be its own server."""
    here = {one for one in among if one.address != without and one.alive(state)}
    return spread.deal([(one, one.weight) for one in among], here)


def sharers(state: State, path: Path) -> list[Path]:
    """The load balancers that have the address of this one, in order; the first holds what belongs to the address."""
    balancer = state.view.get(path)
    if not isinstance(balancer, LoadBalancer):
        return []
    return sorted(state.view.holders("load-balancer", "address", path[:4], balancer.address))


def balancers(state: State, domain: Path) -> Iterator[Path]:
    """The load balancers of a domain."""
    return state.objects(domain, "load-balancer")


def balanced(state: State, vport: Path) -> dict[tuple[Ip, str, int], list[Path]]:
    """(address, protocol, port) at which a vport serves -> the load balancers it does it for, in order."""
    found: dict[tuple[Ip, str, int], list[Path]] = {}
    for path in sorted(path for path in state.view.referrers(vport) if path[-2] == "backend"):
        one, balancer = serving(state, path), state.view.get(path[:-2])
        if one is not None and isinstance(balancer, LoadBalancer):
            at = found.setdefault((one.address, balancer.protocol, one.port), [])
            if path[:-2] not in at:
                at.append(path[:-2])
    return found
