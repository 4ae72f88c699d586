"""The agents' listener, kept in step with the configuration: address and port, who is admitted, whose tunnels they resolve.

The controller package knows how to talk to an agent (controller/agents.py); this wires it to the running configuration. It
follows commits through the fabric's events and asks nothing of the transaction: agents carry no forwarding.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from controller.agents import AgentServer
from controller.events import Event, Kind
from data.errors import CommandFailed
from data.schema.objects import Controller, Dvrs

if TYPE_CHECKING:
    from controller.fabric import Fabric


class Agents:
    """The agent server of one daemon."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._place: tuple[str, int] | None = None
        self._peers: dict[str, str] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unwatch = fabric.events.watch(self._happened)
        self.server = AgentServer(fabric.events, self._admit)

    async def start(self) -> None:
        """Listen as configured; an address that cannot be listened on is an event, not a failure of the daemon."""
        await self._follow()
        self._task = asyncio.create_task(self._keep(), name="agents follow the configuration")

    async def stop(self) -> None:
        """Close the listener and the connections."""
        self._unwatch()
        if self._task is not None:
            self._task.cancel()
        await self.server.stop()

    def _admit(self, system_id: str) -> str | None:
        """The reason to refuse an agent, None when its hypervisor is configured."""
        if system_id in self._peers:
            return None
        return f"no dvrs with system-id {system_id} is configured: 'set dvrs {system_id} tunnel-address ...' and commit"

    def _happened(self, event: Event) -> None:
        if event.kind is Kind.COMMIT:
            self._wanted.set()

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._follow()

    async def _follow(self) -> None:
        """Bring listener, admission and peers in line with the running configuration."""
        running = self._fabric.running
        self._peers = {
            item.system_id or path[-1]: item.tunnel_address
            for path, item in running.objects(Dvrs)
            if item.tunnel_address is not None
        }
        for system_id in self._peers:
            others = [address for other, address in self._peers.items() if other != system_id]
            self.server.set_peers(system_id, others)
        settings = running.settings(Controller)
        place = (settings.listen_address, settings.agent_port)
        if place == self._place:
            return
        if self._place is not None:
            await self.server.stop()
        self._place = place
        try:
            await self.server.start(*place)
        except CommandFailed as problem:
            self._fabric.events.add(Kind.FAULT, f"{problem.where}: {problem.cause}")
