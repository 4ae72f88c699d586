"""Where SSH is listened for, as `ssh listen-address` and `port` say: serving/listening.py, with asyncssh behind it."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from data.errors import CommandFailed
from data.schema.accounts import Ssh
from nshell.serving.listening import ELSEWHERE, Listener, Place

if TYPE_CHECKING:
    from data.schema.seen import Web
    from nshell.ssh.server import SshServer

__all__ = ["SshListener"]


class SshListener(Listener[Place, "SshServer"]):
    """The listener of SSH."""

    settings = Ssh

    def place_of(self, item: Ssh | Web, address: str) -> Place:
        """Address and port alone."""
        return Place(address, item.port)

    async def serve(self, place: Place) -> SshServer:
        """The server. Raises CommandFailed, OSError."""
        if self.server is not None:
            return self.server
        try:
            module = await asyncio.to_thread(importlib.import_module, "nshell.ssh.server")
            server: SshServer = await asyncio.to_thread(module.SshServer, self._service)
            server.start()
        except (ImportError, ValueError) as problem:  # asyncssh's KeyImportError is a ValueError
            raise CommandFailed("ssh", f"its server cannot be started: {problem}", ELSEWHERE) from problem
        return server
