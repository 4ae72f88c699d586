"""Where SSH is listened for, as `ssh listen-address` and `ssh port` say; a participant of commits.

    prepare   close what moves ──> open it at its new place ──taken──> put it back, ApplyFailed
    drop      the same way back
    changed   who may no longer come in is shown out; connections survive a move, and the end of listening

A port that is taken at start is told as an event and tried again every RETRY seconds, as those of hypervisors are. The
server is loaded in a thread when the first listener opens, and not before.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from contextvars import Context
from typing import TYPE_CHECKING, NamedTuple

from controller.events import Kind
from data.configuration import Configuration, Edits
from data.errors import ApplyFailed
from data.schema.accounts import Ssh

if TYPE_CHECKING:
    from nshell.serving.service import Service
    from nshell.ssh.server import SshServer

log = logging.getLogger("nshell.ssh")

SSH = ("ssh",)
RETRY = 5.0
BACKLOG = 128
_REMEDY = "choose another address or port, or stop what listens there"


class Place(NamedTuple):
    """Where SSH is listened for."""

    address: str
    port: int


class SshListener:
    """The listener, for life, and the server behind it once there is one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._server: SshServer | None = None
        self._listening: asyncio.Server | None = None
        self._wanted: Place | None = None
        self._former: tuple[Place | None] | None = None  # where it listened before the commit that is under way
        self._told = ""
        self._moving = asyncio.Lock()
        self._retrying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listens where the configuration says, soon: the start of the daemon does not wait for it."""
        self._wanted = _place(_settings(self._service.fabric.acting))
        self._service.fabric.add_participant(self)
        self._retrying = asyncio.create_task(self._retry(), name="ssh listener")

    async def close(self) -> None:
        """Closes everything, connections included."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        self._stop()
        if self._server is not None:
            await self._server.close()

    async def prepare(self, edits: Edits) -> None:
        """Listens where a commit says. Raises ApplyFailed, and listens where it did before then."""
        if SSH not in edits:
            return
        place = _place(edits[SSH])
        async with self._moving:
            if place == self._wanted:
                return
            self._former = (self._wanted,)
            self._stop()
            self._wanted = place
            problem = await self._listen()
            if problem:
                await self._back()
                raise ApplyFailed("ssh", problem, _REMEDY)
            self._told = ""

    async def drop(self) -> None:
        """The commit failed: listens where it did before."""
        async with self._moving:
            await self._back()

    async def changed(self, edits: Edits) -> None:
        """The commit is decided."""
        self._former = None
        if self._server is not None:
            self._server.changed(edits)

    async def _back(self) -> None:
        if self._former is None:
            return
        (place,), self._former = self._former, None
        self._stop()
        self._wanted = place
        await self._try()

    async def _retry(self) -> None:
        while True:
            async with self._moving:
                await self._try()
            await asyncio.sleep(RETRY)

    async def _try(self) -> None:
        """Opens what is closed; tells what cannot be opened, once for each cause, and when it can at last."""
        if self._wanted is None or self._listening is not None:
            return
        problem = await self._listen()
        events = self._service.fabric.events
        if problem and problem != self._told:
            events.add(Kind.FAULT, f"ssh: {problem}; {_REMEDY}. Tried again every {RETRY:g} s")
        elif not problem and self._told:
            events.add(Kind.COMMIT, f"ssh: listening on {self._wanted.address} port {self._wanted.port} at last")
        self._told = problem

    async def _listen(self) -> str:
        """Opens what is wanted; returns why it cannot be done, '' when it is."""
        if self._wanted is None:
            return ""
        try:
            if self._server is None:
                module = await asyncio.to_thread(importlib.import_module, "nshell.ssh.server")
                server: SshServer = await asyncio.to_thread(module.SshServer, self._service)
                server.start()
                self._server = server
            loop = asyncio.get_running_loop()
            address, port = self._wanted
            opening = loop.create_server(self._server.accept, address, port, backlog=BACKLOG)
            # In a context of its own: what is logged of those who come is not by the user whose commit opened the port.
            self._listening = await loop.create_task(opening, context=Context())
        except OSError as problem:
            return f"cannot listen on {self._wanted.address} port {self._wanted.port}: {_cause(problem)}"
        except (ImportError, ValueError) as problem:  # asyncssh's KeyImportError is a ValueError
            return f"its server cannot be started: {problem}"
        log.info("listening on %s port %d", address, port)
        return ""

    def _stop(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None


def _settings(configuration: Configuration) -> Ssh:
    return configuration.settings(Ssh)


def _place(item: object) -> Place | None:
    """Where these settings say to listen; nowhere when there are none, or they are deactivated."""
    if not isinstance(item, Ssh) or item.listen_address is None or getattr(item, "inactive", False):
        return None
    return Place(item.listen_address, item.port)


def _cause(problem: OSError) -> str:
    """Just the system's words: asyncio's sentence repeats the address."""
    return (problem.strerror or str(problem)).rpartition(": ")[2]
