"""The web server: textual-serve's, with users, and dashboards that run in the daemon instead of a process each.

    GET  /            the page with the terminal         POST /login, /logout
    GET  /ws          its websocket (dashboards.py)      GET  /metrics    OpenMetrics, by token (metrics.py)
    GET  /static/...  textual-serve's script and fonts   GET  /style.css, /keys.js

Everything but /login, /metrics and /style.css is for those who have logged in. What changes something, and the
websocket, must come from a page of this server: browsers say so in Origin (RFC 6454), and another site's page cannot
lie about it. Requests are not logged: who logs in and which sessions they open is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp_jinja2
import jinja2
from aiohttp import web
from textual_serve.server import Server

from data.configuration import Edits
from data.schema.objects import System
from nshell.web import pages
from nshell.web.dashboards import Dashboards
from nshell.web.entrance import ANSWERING, Entrance, Entrances
from nshell.web.http import LOGIN, Http, dress, entrance_of, from_here
from nshell.web.logins import COOKIE, Logins
from nshell.web.metrics import Metrics

if TYPE_CHECKING:
    from nshell.serving.service import Service
    from nshell.web.certificate import Certificates

log = logging.getLogger("nshell.web")

TEMPLATES = Path(__file__).parent / "templates"
BODY = 8192
"""Bytes of a request's body; a login has 200."""
CHECK = 1.0
"""Seconds between two looks whether a login is over."""
FAREWELL = 2.0
"""Seconds that dashboards get to say why they end."""
OPEN = ("/login", "/metrics", "/style.css")
"""For those who have not logged in, too."""
SAFE = ("GET", "HEAD")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer(Server):
    """What all connections share. Its `command` is never run. Made in a thread: its imports take 0.5 s."""

    def __init__(self, service: Service) -> None:
        super().__init__("nshell", public_url="", templates_path=TEMPLATES)
        self.service = service
        self.fabric = service.fabric
        logging.getLogger("aiohttp").setLevel(logging.WARNING)

    async def start(self, certificates: Certificates) -> None:
        """The part of making it that belongs to the loop."""
        self.logins = Logins(lambda: self.fabric.acting, self.service.visitors)
        self.dashboards = Dashboards(self)
        self.metrics = Metrics(self.service)
        self.entrances = Entrances(self, certificates)
        self.runner = web.AppRunner(await self._make_app(), handle_signals=False, shutdown_timeout=FAREWELL)
        await self.runner.setup()
        self._checking = asyncio.create_task(self._check(), name="web logins")

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=BODY)
        app.on_response_prepare.append(dress)
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(self.templates_path))
        app.add_routes(
            [
                web.get("/", self.handle_index),
                web.get("/ws", self.handle_websocket),
                web.get("/login", lambda request: pages.ask(self, request)),
                web.post("/login", lambda request: pages.log_in(self, request)),
                web.post("/logout", lambda request: pages.log_out(self, request)),
                web.get("/metrics", self.metrics.answer),
                *(web.get(f"/{name}", pages.part) for name in pages.PARTS),
                web.static("/static", self.statics_path, show_index=False, follow_symlinks=False),
            ]
        )
        return app

    # A request --------------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Who may ask for this, and how long it may take."""
        entrance = entrance_of(request)
        entrance.deadline = asyncio.get_running_loop().time() + ANSWERING
        if "Host" not in request.headers:  # aiohttp would ask DNS who this machine is, and everybody would wait for it
            raise web.HTTPBadRequest(text="say which host you mean\n")
        if "Content-Encoding" in request.headers:  # no browser packs a form, and unpacking is work for whoever asks
            raise web.HTTPUnsupportedMediaType(text="send it as it is, not compressed\n")
        if (request.method not in SAFE or request.path == "/ws") and not from_here(request):
            self.entrances.refused(entrance.origin, "a page of another site asked for it")
            raise web.HTTPForbidden(text="this must be asked for from a page of this server\n")
        if request.path not in OPEN:
            login = self.logins.find(request.cookies.get(COOKIE))
            if login is None:
                if request.path == "/" and request.method in SAFE:
                    raise web.HTTPSeeOther("/login")
                raise web.HTTPUnauthorized(text="log in first\n")
            request[LOGIN] = login
            entrance.known = True
        return await handler(request)

    async def handle_index(self, request: web.Request) -> web.StreamResponse:  # type: ignore[override]
        """The page with the terminal."""
        self.logins.use(request[LOGIN])
        return pages.index(self, request, request[LOGIN])

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One dashboard, from its opening to its end."""
        return await self.dashboards.attend(request, request[LOGIN])

    @property
    def hostname(self) -> str:
        """What the configuration calls this machine."""
        return self.fabric.acting.settings(System).hostname

    # Life -------------------------------------------------------------------------------------------------------

    def accept(self) -> Entrance:
        """The protocol of a new connection."""
        return Entrance(self.entrances)

    def http(self, entrance: Entrance) -> Http:
        """The protocol of one whose TLS stands."""
        assert self.runner.server is not None
        return Http(self.runner.server, entrance)

    def changed(self, edits: Edits) -> None:
        """A commit is carried out: who may no longer come in is shown out."""
        self.logins.changed(edits)

    def end(self, why: str) -> None:
        """Log everybody out, and take leave of who is connected."""
        for login in self.logins:
            self.logins.end(login, why)
        asyncio.get_running_loop().call_later(FAREWELL, self.entrances.drop)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK)
            self.logins.check()

    async def close(self) -> None:
        """Close every connection."""
        self._checking.cancel()
        self.entrances.close()
        self.metrics.close()
        await self.runner.cleanup()
