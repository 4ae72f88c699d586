"""The listener that switches dial into: handshake within 5 s, messages of at most 64 KiB (what a length field can say).

What it shares with OVSDB's is in `controller/hypervisors/dialin.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from controller.hypervisors.dialin import MAX_CONNECTIONS, DialIn
from controller.openflow import text
from controller.openflow.connection import Switch
from controller.openflow.errors import OpenFlowError
from controller.trust.door import Door

__all__ = ["OpenFlowServer"]


class OpenFlowServer(DialIn[Switch]):
    """Listens for switches. ``describe`` turns a flow-mod into the line that a refused bundle shows."""

    protocol = "OpenFlow"
    failure = OpenFlowError

    def __init__(
        self,
        on_connect: Callable[[Switch], Awaitable[None]],
        on_disconnect: Callable[[Switch, str], None] | None = None,
        probe_interval: float = 5.0,
        *,
        max_connections: int = MAX_CONNECTIONS,
        describe: Callable[[bytes], str] = text.describe,
        door: Door | None = None,
    ) -> None:
        super().__init__(on_connect, on_disconnect, probe_interval, max_connections=max_connections, door=door)
        self._describe = describe

    def accept(self, probe_interval: float) -> Switch:
        return Switch(self, probe_interval, self._describe)

    def name(self, connection: Switch) -> str:
        return f"switch {connection.datapath_id:016x}"
