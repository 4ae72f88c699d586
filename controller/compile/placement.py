"""Where things are: which hypervisor a vport is resolved on, how each hypervisor is reached, and what was observed.

The compiler's frozen view of `controller.topology` and `controller.observed`: only what flows depend on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.compile.layered import Layered

__all__ = ["Learned", "Location", "Observed", "Placement"]

Learned = Mapping[str, tuple[str, ...]]
"""MAC address -> IP addresses, of what is behind one bridge vport."""


@dataclass(frozen=True, slots=True)
class Location:
    """A vport's place: the hypervisor's name and the OpenFlow port of its interface there."""

    dvrs: str
    port: int


@dataclass(frozen=True, slots=True)
class Observed:
    """Facts about the workloads that only their packets tell; as a change, None removes one.

    learned   UUID of a bridge vport -> what was learned behind it
    holders   UUID of a virtual IP -> UUID of the vport that claimed it last
    health    target of a probe (`controller.compile.health.target`) -> whether it is alive
    """

    learned: Mapping[str, Learned | None] = field(default_factory=dict)
    holders: Mapping[str, str | None] = field(default_factory=dict)
    health: Mapping[str, bool | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.learned or self.holders or self.health)


@dataclass(frozen=True, slots=True)
class Placement:
    """Immutable; the `with_` methods give changed copies that share the rest.

    `tunnel_ports` maps each known hypervisor to the OpenFlow port of its VXLAN tunnel port. A hypervisor that is away
    stays in it, with its vports, until its configuration is deleted: others go on sending to it. The rest is as in
    `Observed`.
    """

    tunnel_ports: Mapping[str, int] = field(default_factory=dict)
    vports: Layered[str, Location] = field(default_factory=Layered)
    learned: Layered[str, Learned] = field(default_factory=Layered)
    holders: Layered[str, str] = field(default_factory=Layered)
    health: Layered[str, bool] = field(default_factory=Layered)

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

    def with_observed(self, changes: Observed) -> Placement:
        """A copy with other observed facts."""
        return replace(
            self,
            learned=self.learned.changed(changes.learned),
            holders=self.holders.changed(changes.holders),
            health=self.health.changed(changes.health),
        )
