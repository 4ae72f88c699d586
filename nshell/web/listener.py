"""Where HTTPS is listened for, as `web listen-address`, `port` and `certificate` say: nshell/serving/listening.py with
a certificate. One that cannot be read is as a port that is taken, and a web server that is gone shows everybody out.
"""

from __future__ import annotations

import asyncio
import importlib
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.errors import CommandFailed
from data.schema.objects import System
from data.schema.seen import Web
from nshell.serving.listening import Listener, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from commands.context import Certificate, Login
    from data.configuration import Edits
    from data.schema.accounts import Ssh
    from nshell.serving.service import Service
    from nshell.web.certificate import Certificates
    from nshell.web.server import WebServer

__all__ = ["WebListener"]


@dataclass(frozen=True, slots=True)
class SecurePlace(Place):
    """Where HTTPS is listened for, and with which certificate: an operator's file, or one of our authority's."""

    certificate: str | None


class WebListener(Listener[SecurePlace, "WebServer"]):
    """The listener of HTTPS, and what `show web` says of it."""

    settings = Web

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._certificates: Certificates | None = None

    @property
    def place(self) -> tuple[str, int] | None:
        """Address and port that the configuration says; None for none."""
        return None if self.wanted is None else (self.wanted.address, self.wanted.port)

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

    def place_of(self, item: Ssh | Web, address: str) -> SecurePlace:
        """With the certificate."""
        assert isinstance(item, Web)
        return SecurePlace(address, item.port, item.certificate)

    async def changed(self, edits: Edits) -> None:
        """The commit is decided: without a web server nobody stays logged in."""
        await super().changed(edits)
        if self.server is not None and self.wanted is None:
            self.server.end("the web server has been switched off")

    async def adapt(self, place: SecurePlace) -> None:
        """Has connections from now on see the certificate of this place. Raises NshellError."""
        module = await asyncio.to_thread(importlib.import_module, "nshell.web.certificate")
        fabric = self._service.fabric
        hostname = fabric.acting.settings(System).hostname
        names = await asyncio.to_thread(module.names_of, place.address, hostname)
        made: Certificates = module.Certificates(fabric, place.certificate, names)
        await made.open()
        self._certificates = made
        if self.server is not None:
            self.server.entrances.certificates = made

    async def serve(self, place: SecurePlace) -> WebServer:
        """The server, with the certificate of this place. Raises NshellError, OSError."""
        await self.adapt(place)
        assert self._certificates is not None
        if self.server is not None:
            return self.server
        try:
            module = await asyncio.to_thread(importlib.import_module, "nshell.web.server")
            server: WebServer = await asyncio.to_thread(module.WebServer, self._service)
        except ImportError as problem:
            cause = f"its server cannot be started: {problem}"
            raise CommandFailed("web", cause, "install nshell completely") from problem
        await asyncio.get_running_loop().create_task(server.start(self._certificates), context=Context())
        return server
