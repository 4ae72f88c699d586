"""The pages: logging in and out, and the one with the terminal, whose scripts are textual-serve's and one of our own.
Nothing comes from elsewhere.

A form of the login page carries a random token that its cookie repeats: another site's form can have neither. It is on
top of what server.py holds against Origin.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import to_int

from data.schema.objects import System
from nshell.web.http import DRAWN, LOGIN, entrance_of, same
from nshell.web.logins import BYTES, COOKIE, Login

if TYPE_CHECKING:
    from nshell.web.server import WebServer

log = logging.getLogger("nshell.web")

FORM = "__Host-nshell-form"
READING = 10.0
"""Seconds until the end of a form."""
NAME = 64
"""Characters of a user's name; what is longer is nobody's."""
WRONG = "user or password is wrong"
SMALLEST, LARGEST = 6, 48
"""Font sizes in pixels."""
PARTS = {"style.css": "text/css", "keys.js": "text/javascript"}


async def ask(server: WebServer, request: web.Request) -> web.StreamResponse:
    """The login page; to the dashboard with somebody who has logged in."""
    if server.logins.find(request.cookies.get(COOKIE)) is not None:
        raise web.HTTPSeeOther("/")
    return _form(server, request, "")


async def log_in(server: WebServer, request: web.Request) -> web.StreamResponse:
    """A user and a password: the dashboard, or the form again, in the same words and time whatever is wrong."""
    user, password, token = await _fields(request, "user", "password", "token")
    if not same(token, request.cookies.get(FORM, "-")):
        return _form(server, request, "this page was too old: try again")
    entrance = entrance_of(request)
    origin = entrance.origin
    name = user if len(user) <= NAME else ""
    authentication = server.service.authentication
    with entrance.attended():
        right = await authentication.password(name, password, entrance.address, allowed=lambda: True)
    known = authentication.user(name)
    if not right or known is None:
        whose = "(unknown)" if known is None else name
        log.warning("user=%s origin=%r wrong password", whose, origin)
        server.service.visitors.refused(whose, origin, entrance.network, "wrong password")
        return _form(server, request, WRONG)
    before = server.logins.find(request.cookies.get(COOKIE))
    if before is not None:
        server.logins.end(before, "you logged in again")
    cookie, _ = server.logins.add(known, name, origin)
    answer = web.HTTPSeeOther("/")
    _set(answer, COOKIE, cookie)
    _set(answer, FORM, "")
    return answer


async def log_out(server: WebServer, request: web.Request) -> web.StreamResponse:
    """The end of a login and of its dashboards."""
    login = request[LOGIN]
    (token,) = await _fields(request, "token")
    if not same(token, login.token):
        raise web.HTTPForbidden(text="this page was too old: open it again\n")
    server.logins.end(login, "you logged out")
    answer = web.HTTPSeeOther("/login")
    _set(answer, COOKIE, "")
    return answer


def index(server: WebServer, request: web.Request, login: Login) -> web.StreamResponse:
    """The page with the terminal."""
    size = min(LARGEST, max(SMALLEST, to_int(request.query.get("fontsize", "16"), 16)))
    context = {
        "hostname": server.hostname,
        "user": login.user,
        "token": login.token,
        "font_size": size,
        "websocket_url": f"wss://{request.host}/ws",
    }
    answer = aiohttp_jinja2.render_template("app_index.html", request, context)
    answer.headers["Content-Security-Policy"] = DRAWN
    return answer


async def part(request: web.Request) -> web.StreamResponse:
    """What pages look like, and the one script of our own."""
    name = request.path.removeprefix("/")
    text = aiohttp_jinja2.render_string(name, request, {})
    return web.Response(text=text, content_type=PARTS[name], headers={"Cache-Control": "private, max-age=86400"})


def _form(server: WebServer, request: web.Request, problem: str) -> web.StreamResponse:
    token = secrets.token_urlsafe(BYTES)
    banner = (server.fabric.acting.settings(System).banner or "").replace("\\n", "\n")
    context = {"hostname": server.hostname, "banner": banner, "problem": problem, "token": token}
    answer = aiohttp_jinja2.render_template("login.html", request, context, status=403 if problem else 200)
    _set(answer, FORM, token)
    return answer


def _set(answer: web.StreamResponse, name: str, value: str) -> None:
    """A cookie that no script reads and no other site sends; it ends with the browser. '' takes it away."""
    age = None if value else 0
    answer.set_cookie(name, value, secure=True, httponly=True, samesite="Strict", path="/", max_age=age)


async def _fields(request: web.Request, *names: str) -> list[str]:
    """Fields of a form, '' for those that it lacks."""
    if request.content_type != "application/x-www-form-urlencoded" or request.charset not in (None, "utf-8", "UTF-8"):
        raise web.HTTPUnsupportedMediaType(text="send a form\n")
    try:
        async with asyncio.timeout(READING):
            form = await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the form did not end in time\n") from None
    except ValueError:
        raise web.HTTPBadRequest(text="this is no form\n") from None
    return [value if isinstance(value := form.get(name, ""), str) else "" for name in names]
