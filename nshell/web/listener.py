"""Where HTTPS is listened for, as `web listen-address`, `port` and `certificate` say; a participant of commits.

    prepare   read the certificate; close what moves, open it at its new place ──no──> put it back, ApplyFailed
    drop      the same way back
    changed   who may no longer come in is shown out, and everybody when there is no web server any more

A port that is taken, or a certificate that cannot be read, is told as an event at start and tried again every RETRY
seconds. The server is loaded in a thread when the first listener opens, and not before.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from contextvars import Context
from typing import TYPE_CHECKING, NamedTuple

from controller.events import Kind
from data.configuration import Edits
from data.errors import ApplyFailed, CommandFailed, NshellError
from data.schema.objects import System
from data.schema.seen import Web

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commands.context import Certificate, Login
    from nshell.serving.service import Service
    from nshell.web.certificate import Certificates
    from nshell.web.server import WebServer

log = logging.getLogger("nshell.web")

WEB = ("web",)
RETRY = 5.0
BACKLOG = 128
_REMEDY = "choose another address or port, or stop what listens there"


class Place(NamedTuple):
    """Where HTTPS is listened for, and with which certificate."""

    address: str
    port: int
    certificate: str | None


class WebListener:
    """The listener, for life, and the server behind it once there is one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.server: WebServer | None = None
        self._certificates: Certificates | None = None
        self._listening: asyncio.Server | None = None
        self.wanted: Place | None = None
        self.problem = ""
        """Why it does not listen where it should."""
        self._former: tuple[Place | None] | None = None  # before the commit that is under way
        self._moving = asyncio.Lock()
        self._retrying: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        """Whether somebody can dial in."""
        return self._listening is not None

    @property
    def place(self) -> tuple[str, int] | None:
        """Address and port that the configuration says; None for none."""
        return None if self.wanted is None else self.wanted[:2]

    @property
    def certificate_file(self) -> str | None:
        """The operator's; None for one that the controller's authority signs."""
        return None if self.wanted is None else self.wanted.certificate

    @property
    def certificate(self) -> Certificate | None:
        """The one in use."""
        return None if self._certificates is None else self._certificates.shown

    @property
    def connections(self) -> int:
        """How many are open now."""
        return 0 if self.server is None else len(self.server.entrances)

    def logins(self) -> Sequence[Login]:
        """Who has logged in."""
        return () if self.server is None else tuple(self.server.logins)

    async def open(self) -> None:
        """Listens where the configuration says, soon: the start of the daemon does not wait for it."""
        self.wanted = _place(self._service.fabric.acting.settings(Web))
        self._service.fabric.add_participant(self)
        self._retrying = asyncio.create_task(self._retry(), name="web listener")

    async def close(self) -> None:
        """Closes everything, connections included."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        self._stop()
        if self.server is not None:
            await self.server.close()

    async def prepare(self, edits: Edits) -> None:
        """Listens where a commit says. Raises ApplyFailed, and listens as it did before then."""
        if WEB not in edits:
            return
        place = _place(edits[WEB])
        async with self._moving:
            if place == self.wanted:
                return
            self._former = (self.wanted,)
            problem = await self._move(place)
            if problem is not None:
                await self._back()
                raise ApplyFailed(problem.where, problem.cause, problem.remedy)
            self.problem = ""

    async def drop(self) -> None:
        """The commit failed: listens where it did before."""
        async with self._moving:
            await self._back()

    async def changed(self, edits: Edits) -> None:
        """The commit is decided."""
        self._former = None
        if self.server is not None:
            self.server.changed(edits)
            if self.wanted is None:
                self.server.end("the web server has been switched off")

    async def _move(self, place: Place | None) -> NshellError | None:
        """Listens at another place, or with another certificate; why that cannot be done."""
        before, self.wanted = self.wanted, place
        if place is not None and before is not None and place[:2] == before[:2] and self._listening is not None:
            return await self._certify(place)
        self._stop()
        return await self._listen()

    async def _back(self) -> None:
        if self._former is None:
            return
        (place,), self._former = self._former, None
        problem = await self._move(place)
        if problem is not None:
            self._stop()
            self._tell(problem)

    async def _retry(self) -> None:
        while True:
            async with self._moving:
                if self.wanted is not None and self._listening is None:
                    self._tell(await self._listen())
            await asyncio.sleep(RETRY)

    def _tell(self, problem: NshellError | None) -> None:
        """Tells what cannot be opened, once for each cause, and when it can at last."""
        events, told = self._service.fabric.events, self.problem
        self.problem = "" if problem is None else f"{problem.where}: {problem.cause}; {problem.remedy}"
        if self.problem and self.problem != told:
            events.add(Kind.FAULT, f"{self.problem}. Tried again every {RETRY:g} s")
        elif told and not self.problem and self.wanted is not None:
            events.add(Kind.COMMIT, f"web: listening on {self.wanted.address} port {self.wanted.port} at last")

    async def _certify(self, place: Place) -> NshellError | None:
        """Has connections from now on see the certificate of this place; why they cannot."""
        try:
            module = await asyncio.to_thread(importlib.import_module, "nshell.web.certificate")
            fabric = self._service.fabric
            hostname = fabric.acting.settings(System).hostname
            names = await asyncio.to_thread(module.names_of, place.address, hostname)
            made: Certificates = module.Certificates(fabric, place.certificate, names)
            await made.open()
        except NshellError as problem:
            return problem
        self._certificates = made
        if self.server is not None:
            self.server.entrances.certificates = made
        return None

    async def _listen(self) -> NshellError | None:
        """Opens what is wanted; why it cannot be done, None when it is."""
        if self.wanted is None:
            return None
        problem = await self._certify(self.wanted)
        if problem is not None:
            return problem
        assert self._certificates is not None
        address, port, _ = self.wanted
        try:
            loop = asyncio.get_running_loop()
            if self.server is None:
                module = await asyncio.to_thread(importlib.import_module, "nshell.web.server")
                server: WebServer = await asyncio.to_thread(module.WebServer, self._service)
                await loop.create_task(server.start(self._certificates), context=Context())
                self.server = server
            opening = loop.create_server(self.server.accept, address, port, backlog=BACKLOG)
            # In a context of its own: what is logged of those who come is not by the user whose commit opened the port.
            self._listening = await loop.create_task(opening, context=Context())
        except OSError as problem_:
            cause = (problem_.strerror or str(problem_)).rpartition(": ")[2]  # asyncio's sentence repeats the address
            return CommandFailed("web", f"cannot listen on {address} port {port}: {cause}", _REMEDY)
        except ImportError as problem_:
            return CommandFailed("web", f"its server cannot be started: {problem_}", "install nshell completely")
        log.info("listening on %s port %d", address, port)
        return None

    def _stop(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None


def _place(item: object) -> Place | None:
    """What these settings say; nothing when there are none, or they are deactivated."""
    if not isinstance(item, Web) or item.listen_address is None or getattr(item, "inactive", False):
        return None
    return Place(item.listen_address, item.port, item.certificate)
