"""The listener that ovsdb-servers dial into: handshake within 5 s, 8 MiB of unfinished message.

What it shares with OpenFlow's is in `controller/hypervisors/dialin.py`.
"""

from __future__ import annotations

from controller.hypervisors.dialin import DialIn
from controller.ovsdb.connection import Hypervisor
from controller.ovsdb.errors import OvsdbError

__all__ = ["OvsdbServer"]


class OvsdbServer(DialIn[Hypervisor]):
    """Listens for databases; they are announced once their tables are mirrored."""

    protocol = "OVSDB"
    failure = OvsdbError

    def accept(self, probe_interval: float) -> Hypervisor:
        return Hypervisor(self, probe_interval)

    def name(self, connection: Hypervisor) -> str:
        return str(connection.tables.system_id)
