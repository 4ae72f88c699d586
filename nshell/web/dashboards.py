"""Dashboards in browsers: each is one session of the user who logged in, with its class, limits and audit.

    websocket ── Browser (browser.py) ── Session ── the dashboard's app, in this process
                                            └ `show sessions`, `request session N disconnect`, `system idle-timeout`

The messages are textual-serve's: lists with "stdin", "resize", "focus", "blur" or "ping" first. What is none of these
ends the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, web
from textual_serve.server import to_int

from data.errors import CommandFailed
from data.schema.seen import Web
from nshell.serving.users import Caller
from nshell.sessions.context import DONE
from nshell.web.browser import Browser, run_dashboard
from nshell.web.entrance import ANSWERING, FOREVER
from nshell.web.http import entrance_of
from nshell.web.logins import Login

if TYPE_CHECKING:
    from nshell.web.server import WebServer

log = logging.getLogger("nshell.web")

MESSAGE = 256 * 1024
"""Bytes of one message: a paste."""
HEARTBEAT = 15.0
"""Seconds between two signs of life that the browser must answer."""


class Places:
    """The places for dashboards: so many in all, and of each user, as the settings are when one is taken. Whoever finds
    none takes none, not even while he is told: or refusals would keep others out.
    """

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, user: str, settings: Web) -> Iterator[None]:
        """A place for as long as the context lasts. Raises CommandFailed when there is none."""
        own, whole = self._taken[user], self._taken.total()
        if own >= settings.sessions_per_user:
            cause = f"{_dashboards(own)} open already, all of them yours"
            raise CommandFailed("web sessions-per-user", cause, "end one with q, or close its page")
        if whole >= settings.max_sessions:
            cause = f"{_dashboards(whole)} open already"
            raise CommandFailed("web max-sessions", cause, "try again later; 'show sessions' tells whose they are")
        self._taken[user] += 1
        try:
            yield
        finally:
            self._taken[user] -= 1
            if not self._taken[user]:
                del self._taken[user]


def _dashboards(count: int) -> str:
    return f"{count} dashboard{' is' if count == 1 else 's are'}"


class Dashboards:
    """All dashboards in browsers."""

    def __init__(self, server: WebServer) -> None:
        self._server = server
        self._places = Places()

    async def attend(self, request: web.Request, login: Login) -> web.WebSocketResponse:
        """One dashboard, from the upgrade of its connection to its end."""
        entrance = entrance_of(request)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MESSAGE, compress=True, timeout=2.0)
        await socket.prepare(request)
        entrance.deadline = FOREVER
        service, logins = self._server.service, self._server.logins
        browser = Browser(socket, service.state, login.user, lambda: logins.use(login), entrance.abort)
        width, height = (to_int(request.query.get(name, ""), usual) for name, usual in (("width", 80), ("height", 24)))
        browser.size = browser.bounded(width, height)
        settings = self._server.fabric.acting.settings(Web)
        sending = asyncio.create_task(browser.send_all(), name=f"screen of {entrance.origin}")
        try:
            if login not in logins:
                await browser.write_error("you have logged out meanwhile\n")
            else:
                with self._places.one(login.user, settings):
                    await self._run(browser, login, entrance.origin)
        except CommandFailed as full:
            log.warning("user=%s origin=%r refused: %s", login.user, entrance.origin, full.cause)
            await browser.write_error(f"{full}\n")
        except ConnectionError as problem:
            log.debug("user=%s origin=%r ended by its connection: %s", login.user, entrance.origin, problem)
        except Exception:
            log.exception("user=%s origin=%r internal error", login.user, entrance.origin)
        finally:
            await browser.flushed()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            entrance.deadline = asyncio.get_running_loop().time() + ANSWERING
            await socket.close(code=WSCloseCode.OK)
        return socket

    async def _run(self, browser: Browser, login: Login, origin: str) -> None:
        service = self._server.service
        caller = Caller(login.user, origin)

        def end(why: str) -> None:
            for session in tuple(service.sessions):
                if session.transport is browser:
                    service.end(session, why, DONE)

        login.ends.add(end)
        try:
            await service.attend(caller, browser, lambda session: run_dashboard(session, browser), self._pump(browser))
        finally:
            login.ends.discard(end)

    async def _pump(self, browser: Browser) -> None:
        """Hands on what the browser says, until it is gone or says what is no message."""
        try:
            await self._server._process_messages(browser.socket, browser)
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError) as problem:
            log.warning("user=%s sent what is no message: %s", browser.user, type(problem).__name__)
