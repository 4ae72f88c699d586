"""Which tunnel addresses each hypervisor must keep resolved: those of the hypervisors it shares a domain with.

The agents are told (`agents.py`), so that the first packet over a tunnel is not lost to the underlay's ARP. Recomputed
only for hypervisors that enter or leave a domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from controller.compile import State
from controller.network import Network
from controller.planning import Draft
from data.path import Path
from data.schema.objects import Vport

__all__ = ["Neighbours"]


class Neighbours:
    """Follows the network; `tell(system-id, addresses)` is called for every hypervisor whose neighbours may differ."""

    def __init__(self, network: Network, tell: Callable[[str, Iterable[str]], None]) -> None:
        self._network = network
        self._tell = tell
        network.on_change = self.follow

    def all(self) -> None:
        """Tells every hypervisor's neighbours."""
        self._say(self._network.topology.hypervisors)

    def follow(self, made: Draft) -> None:
        """Tells those that a change concerns."""
        if any(path[0] == "dvrs" for path in made.edits):
            self.all()
            return
        concerned: set[str] = set()
        for domain in set(_domains(made)):
            before, after = made.old.hosts_of(domain).keys(), made.new.hosts_of(domain).keys()
            if before != after:
                concerned |= before | after
        self._say(concerned)

    def _say(self, names: Iterable[str]) -> None:
        topology = self._network.topology
        for name in names:
            known = topology.hypervisors.get(name)
            if known is not None:
                others = _sharing(self._network.state, name)
                there = [topology.hypervisors[other] for other in others if other in topology.hypervisors]
                self._tell(known.system_id, [other.tunnel_address for other in there if other.tunnel_address])


def _domains(made: Draft) -> Iterable[Path]:
    for uuid in made.moved:
        for view in (made.old.view, made.new.view):
            path = view.by_uuid(uuid)
            if path is not None:
                yield path[:4]
    for path, item in made.edits.items():
        if isinstance(item, Vport) or path[-2:-1] == ("vport",):
            yield path[:4]


def _sharing(state: State, name: str) -> set[str]:
    found: set[str] = set()
    for domain in state.hosts:
        hosts = state.hosts_of(domain)
        if name in hosts:
            found.update(hosts)
    found.discard(name)
    return found
