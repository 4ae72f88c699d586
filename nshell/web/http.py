"""HTTP on one connection: what every answer carries, what is logged of errors, and who asked.

A request is not logged, and an error says nothing of what this server is made of.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from nshell.web.entrance import Entrance
from nshell.web.logins import Login

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest
    from aiohttp.web_server import Server

log = logging.getLogger("nshell.web")

LINE, FIELD, FIELDS = 4096, 8190, 64
"""Bytes of a request line and of one header, and headers of a request; a browser sends 1,000 bytes in 20 headers."""
KEEP_ALIVE = 30.0
LINGERING = 2.0
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Server": "nshell",
    "Content-Security-Policy": POLICY.format(styles=""),
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # no-referrer would have browsers say 'Origin: null' (Fetch, 3.2.1)
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
DRAWN = POLICY.format(styles=" 'unsafe-inline'")
"""For the page with the terminal: xterm.js writes its colours into a style element."""
LOGIN = web.RequestKey("login", Login)
"""Under which a request has who has logged in."""


class Http(RequestHandler):
    """HTTP on one connection, without a word about what it is made of."""

    __slots__ = ("entrance",)

    def __init__(self, server: Server, entrance: Entrance) -> None:
        super().__init__(
            server, loop=asyncio.get_running_loop(), access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=KEEP_ALIVE, lingering_time=LINGERING,
            max_line_size=LINE, max_field_size=FIELD, max_headers=FIELDS, logger=log, auto_decompress=False,
        )  # fmt: skip
        self.entrance = entrance

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.entrance.connection_lost(None)

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what is no request, and to a mistake of ours, whose traceback is in the log alone."""
        if status == HTTPStatus.INTERNAL_SERVER_ERROR and _theirs(exc):
            status = HTTPStatus.BAD_REQUEST
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("origin=%r internal error", self.entrance.origin, exc_info=exc)
        else:
            log.debug("origin=%r sent what is no request: %d", self.entrance.origin, status)
        if request.writer.output_size > 0:
            raise ConnectionError("half an answer has been sent")
        answer = web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n", headers=HEADERS)
        answer.force_close()
        return answer

    def log_exception(self, *args: object, **how: object) -> None:
        """What aiohttp meets beside handlers: a mistake of ours goes into the log, and no stranger's."""
        problem = how.get("exc_info")
        if isinstance(problem, BaseException) and _theirs(problem):
            log.debug("origin=%r sent half a request: %r", self.entrance.origin, problem)
        else:
            super().log_exception(*args, **how)


def _theirs(problem: BaseException | None) -> bool:
    """Whether who asks is to blame: a body that ends early, or is none. Anybody can send that, a thousand times."""
    return isinstance(problem, web.RequestPayloadError | HttpProcessingError | ConnectionError)


def entrance_of(request: web.Request) -> Entrance:
    """The connection that a request came over."""
    assert isinstance(request.protocol, Http)
    return request.protocol.entrance


def from_here(request: web.Request) -> bool:
    """Whether a page of this server asks, as far as the browser says; who says nothing is no browser."""
    return request.headers.get("Origin") == f"https://{request.host}"


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same; the time says nothing of where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


async def dress(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = HEADERS["Server"]
    if request.path.startswith("/static/") and response.status < HTTPStatus.BAD_REQUEST:
        response.headers["Cache-Control"] = "private, max-age=86400"
