"""What who is confined to tenants may know of hypervisors: one rule for all commands, errors, events and receipts.

A hypervisor is known to whom it hosts a vport of: its name, its state, what it confirmed of own commits. Its address is
not, nor that of any tunnel in a flow. Of any other nothing is told, not even how many there are, and naming one says
what naming one that does not exist says. One that a commit brings an own vport to, or takes one from, is known for the
plan and the outcome of that commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from commands.lookup import no_hypervisor
from controller.commit.planning import vports_of
from controller.topology import Attachment, Hypervisor
from data.configuration import Configuration, Edits
from data.path import Path
from data.schema.objects import Vport

if TYPE_CHECKING:
    from controller.fabric import Fabric

__all__ = ["ConfinedTopology", "without_endpoints"]

_WORD = re.compile(r"[^\s,:;()]+")
_ENDPOINT = re.compile(
    rb"(\x00\x19\x00\x10\x00\x01[\x3e\x40]\x04)....|(\x00\x19\x00\x18\x00\x01[\xda\xdc]\x10).{16}", re.DOTALL
)
"""Set-field (OpenFlow 1.3, 7.2.5) of a tunnel's source or destination: NXM 31, 32 of IPv4, 109, 110 of IPv6."""


def without_endpoints(flow: bytes) -> bytes:
    """A flow-mod, or instructions, with the tunnel addresses of hypervisors as zeroes: they are of the underlay."""
    return _ENDPOINT.sub(lambda found: (found[1] or found[2]) + bytes(4 if found[1] else 16), flow)


class ConfinedTopology:
    """Where the vports are that the user sees, and the hypervisors that host them."""

    def __init__(self, fabric: Fabric, running: Configuration) -> None:
        self._topology = fabric.topology
        self._running = running
        self.unknown: Mapping[str, Hypervisor] = {}

    def attachment(self, path: Path, vport: Vport) -> Attachment | None:
        """Where a vport is; None for one that the user does not see."""
        seen = self._running.by_uuid(vport.uuid) is not None
        return self._topology.attachment(path, vport) if seen else None

    @property
    def hypervisors(self) -> Mapping[str, Hypervisor]:
        """The hypervisors that own vports are on: name and state, not their addresses and versions. Costs the own
        vports: to be asked once for a command.
        """
        found: dict[str, Hypervisor] = {}
        for path, vport in self._running.objects(Vport):
            where = self._topology.attachment(path, vport)
            if where is not None and where.dvrs not in found and where.dvrs in self._topology.hypervisors:
                known = self._topology.hypervisors[where.dvrs]
                found[where.dvrs] = Hypervisor(known.name, "", known.state, known.since)
        return found

    def hosts(self, dvrs: str) -> bool:
        """Whether an own vport is on this hypervisor: costs its interfaces, not the own vports."""
        for claim in self._topology.claims_of(dvrs):
            for path, vport in vports_of(self._running, claim.iface_id):
                where = self._topology.attachment(path, vport)
                if where is not None and where.dvrs == dvrs:
                    return True
        return False

    def touched(self, edits: Edits) -> frozenset[str]:
        """The hypervisors that host a vport of the user's which these edits make, change or take away. Costs them."""
        found = set()
        for path, item in edits.items():
            for vport in (item, self._running.get(path)):
                if isinstance(vport, Vport):
                    where = self._topology.attachment(path, vport)
                    found |= set() if where is None else {where.dvrs}
        return frozenset(found)

    def require(self, dvrs: str) -> None:
        """Raises NothingThere unless this hypervisor is known."""
        if not self.hosts(dvrs):
            raise no_hypervisor(dvrs, sorted(self.hypervisors))

    def names_others(self, text: str, also: frozenset[str] = frozenset()) -> bool:
        """Whether a text of the controller's names a hypervisor that is not known, nor one of `also`."""
        words = set(_WORD.findall(text)) - also
        return any(word in self._topology.hypervisors and not self.hosts(word) for word in words)
