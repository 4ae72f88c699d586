"""A controller that demands TLS, in this process, and a lab of hypervisors that have not joined it yet."""

from __future__ import annotations

import asyncio
import shlex
import ssl
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec

from agent.trust import SERVER_NAME, Files
from commands.language.registry import Arguments
from commands.request_dvrs import join_token
from controller.topology import Standing
from nshell.lab import Lab
from nshell.lab.hypervisor import PACKAGES
from tests.system.site import Site, network, vport, vport_path

HYPERVISORS = ("hv1", "hv2", "hv3")


class Trusted(Site):
    """A controller that listens on the lab's network, and the lab's hypervisors, which have not joined yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "state")
        self.lab = Lab("ttrust", folder / "lab")

    async def open(self) -> None:
        await self.start()
        self.lab.down()
        settings = self.settings
        await asyncio.to_thread(
            lambda: self.lab.up(
                len(HYPERVISORS), agents=False, ovsdb_port=settings.ovsdb_port,
                openflow_port=settings.openflow_port, agent_port=settings.agent_port,
            )
        )  # fmt: skip
        self.settings = msgspec.structs.replace(settings, listen_address=self.lab.controller_address)
        await self.commit({("controller",): self.settings, **network(len(HYPERVISORS)), vport_path(1): vport(1)})

    async def close(self) -> None:
        await super().close()
        self.lab.down()

    @property
    def ports(self) -> tuple[int, int, int]:
        return self.settings.ovsdb_port, self.settings.openflow_port, self.settings.agent_port

    def files(self, name: str) -> Files:
        return Files(self.lab.ovs(name).location)

    async def line(self, name: str, minutes: int | None = None) -> str:
        """What `request dvrs NAME join-token` prints."""
        values = {"dvrs": name} | ({} if minutes is None else {"minutes": str(minutes)})
        found = await join_token(SimpleNamespace(fabric=self.fabric), Arguments(values, frozenset()))  # type: ignore[arg-type]
        assert len(found.lines) == 1
        return found.lines[0]

    async def join(self, name: str, line: str) -> None:
        """Runs such a line on a hypervisor. Raises CommandFailed."""
        words = shlex.split(line)
        assert words[:3] == ["nshell", "agent", "join"]
        await self.agent(name, *words[2:], "--datapath", "netdev")

    async def agent(self, name: str, *words: str) -> str:
        rundir = str(self.lab.ovs(name).location.rundir)
        argv = ["env", f"PYTHONPATH={PACKAGES}", sys.executable, "-m", "agent", *words, "--rundir", rundir]
        return await asyncio.to_thread(self.lab.on_hypervisor, name, argv)

    async def joined(self, *names: str) -> None:
        """Joins those that have not, and waits until all of them are ready."""
        for name in names:
            if self.state(name) is not Standing.READY:
                await self.join(name, await self.line(name))
        await self.ready(*names)

    async def vsctl(self, name: str, *words: str) -> str:
        return await asyncio.to_thread(self.lab.ovs(name).vsctl, *words)

    def told_since(self, count: int) -> list[str]:
        return [event.text for event in list(self.fabric.events)[count:]]

    async def dial(  # type: ignore[override]
        self, port: int, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = None if context is None else SERVER_NAME
        return await asyncio.open_connection(self.lab.controller_address, port, ssl=context, server_hostname=name)

    async def refused(self, port: int, context: ssl.SSLContext | None, said: bytes) -> bytes:
        """Dials and says something; what came before the connection was ended by the controller."""
        try:
            reader, writer = await self.dial(port, context)
        except (ssl.SSLError, ConnectionError):
            return b""
        try:
            writer.write(said)
            async with asyncio.timeout(8):
                return await reader.read()
        except (ssl.SSLError, ConnectionError):
            return b""
        finally:
            writer.close()
