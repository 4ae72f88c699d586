"""Which tunnel addresses each hypervisor must keep resolved: those of the hypervisors it shares a domain with.

The agents are told (`agents.py`), so that the first packet over a tunnel is not lost to the underlay's ARP. Recomputed
only for hypervisors that enter or leave a domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from controller.commit.planning import Draft
from controller.compile import State
from controller.compile.change import rehosted
from controller.network import Network
from data.path import Path
from data.schema.objects import Dvrs, Vport

__all__ = ["Neighbours"]


class Neighbours:
    """Follows the network; `tell(system-id, addresses)` is called for every hypervisor whose neighbours may differ."""

    def __init__(self, network: Network, tell: Callable[[str, Iterable[str]], None]) -> None:
        self._network = network
        self._tell = tell
        network.on_change.append(self.follow)

    def all(self) -> None:
        """Tells every hypervisor's neighbours."""
        network = self._network
        self._say({*network.topology.hypervisors, *network.running.children((), "dvrs")})

    def follow(self, made: Draft) -> None:
        """Tells those that a change concerns."""
        if any(path[0] == "dvrs" for path in made.edits):
            self.all()
            return
        concerned: set[str] = set()
        for domain in _domains(made):
            before, after = set(made.old.hosts_of(domain)), set(made.new.hosts_of(domain))
            if before != after:
                concerned |= before | after
        self._say(concerned)

    def _say(self, names: Iterable[str]) -> None:
        # A commit has changed the configuration by now; the topology may still know the hypervisors as they were.
        network = self._network
        wanted: dict[str, Sequence[str]] = {}
        bodies: dict[str, Dvrs] = {}
        for name in names:
            known, body = network.topology.hypervisors.get(name), network.running.get(("dvrs", name))
            if known is not None:
                wanted[known.system_id] = ()
            if isinstance(body, Dvrs):
                bodies[name] = body
        for name, body in bodies.items():
            others = [network.running.get(("dvrs", other)) for other in _sharing(network.state, name)]
            wanted[body.system_id or name] = [
                other.tunnel_address for other in others if isinstance(other, Dvrs) and other.tunnel_address
            ]
        for system_id, addresses in wanted.items():
            self._tell(system_id, addresses)


def _domains(made: Draft) -> set[Path]:
    paths = {path for path, item in made.edits.items() if isinstance(item, Vport) or path[-2:-1] == ("vport",)}
    for uuid in made.moved:
        for view in (made.old.view, made.new.view):
            path = view.by_uuid(uuid)
            if path is not None:
                paths.add(path)
    return rehosted(made.old, made.new, made.edits, paths)


def _sharing(state: State, name: str) -> set[str]:
    found: set[str] = set()
    for domain in state.domains_with_hosts():
        hosts = state.hosts_of(domain)
        if name in hosts:
            found.update(hosts)
    found.discard(name)
    return found
