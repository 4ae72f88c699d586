"""Where things are: which hypervisor a vport is resolved on and how each hypervisor is reached.

The compiler's frozen view of `controller.topology`: only what flows depend on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.compile.layered import Layered

__all__ = ["Location", "Placement"]


@dataclass(frozen=True, slots=True)
class Location:
    """A vport's place: the hypervisor's name and the OpenFlow port of its interface there."""

    dvrs: str
    port: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Immutable; `with_vports` and `with_hypervisors` give changed copies that share the rest.

    `tunnel_ports` maps each known hypervisor to the OpenFlow port of its VXLAN tunnel port. A hypervisor that is away
    stays in it, with its vports, until its configuration is deleted: others go on sending to it.
    """

    tunnel_ports: Mapping[str, int] = field(default_factory=dict)
    vports: Layered[str, Location] = field(default_factory=Layered)

    def location(self, uuid: str) -> Location | None:
        """Where the vport with this UUID is, None while it is unresolved."""
        return self.vports.get(uuid)

    def with_vports(self, changes: Mapping[str, Location | None]) -> Placement:
        """A copy in which these vports have moved; None means unresolved."""
        return replace(self, vports=self.vports.changed(changes))

    def with_hypervisors(self, changes: Mapping[str, int | None]) -> Placement:
        """A copy with other tunnel ports; None forgets a hypervisor."""
        ports = {**self.tunnel_ports, **{name: port for name, port in changes.items() if port is not None}}
        for name, port in changes.items():
            if port is None:
                ports.pop(name, None)
        return replace(self, tunnel_ports=ports)
