"""What a web server meets that is no browser of a user: other origins, garbage, crowds, people who guess."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import aiohttp
import pytest

from nshell.lab.probing import wait_until
from tests.system.seen.web_site import OTHER, PASSWORD, WRONG, Web, form, logged_in, served

DEEP = "[" * 100_000
"""More than the interpreter's stack has room for."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with served(tmp_path_factory.mktemp("wb")) as made:
        yield made


def test_a_websocket_needs_a_cookie_and_an_origin(web: Web) -> None:
    async def status(cookie: str, origin: str | None) -> int:
        headers = {"Cookie": f"__Host-nshell={cookie}"} | ({} if origin is None else {"Origin": origin})
        async with aiohttp.ClientSession(headers=headers) as client:
            try:
                async with client.ws_connect(f"{web.base}/ws", ssl=False) as opened:
                    opened_ = await opened.receive()
                    return 101 if opened_.type is not aiohttp.WSMsgType.ERROR else 0
            except aiohttp.WSServerHandshakeError as refused:
                return refused.status

    async def all_of_them() -> list[int]:
        cookie = await asyncio.to_thread(logged_in, web, "ann", PASSWORD)
        good = web.base
        rows = ((cookie, good), ("", good), ("x" * 43, good), (cookie, None), (cookie, "https://evil.example"),
                (cookie, "null"), (cookie, f"http://127.0.0.1:{web.port}"))  # fmt: skip
        return [await status(*row) for row in rows]

    assert asyncio.run(all_of_them()) == [101, 401, 401, 403, 403, 403, 403]
    assert wait_until(lambda: not web.sessions(), 20)


def test_what_is_no_message_ends_the_dashboard_and_more_than_are_allowed_are_not_opened(web: Web) -> None:
    web.commit("set web max-sessions 1")
    cookie = logged_in(web, "ann", PASSWORD)

    async def talk() -> None:
        headers = {"Cookie": f"__Host-nshell={cookie}", "Origin": web.base}
        async with aiohttp.ClientSession(headers=headers) as client:
            async with client.ws_connect(f"{web.base}/ws", ssl=False) as first:
                await first.receive()
                async with client.ws_connect(f"{web.base}/ws", ssl=False) as second:
                    said = await second.receive()
                    assert b"error: web max-sessions\r\n  1 dashboard is open already\r\n  try again" in said.data
                    assert (await second.receive()).type is aiohttp.WSMsgType.CLOSE
                await first.send_str('["resize", {"width": "wide", "height": 1e9}]')
                await ended(first)
            for nonsense in ("{", "[]", '"stdin"', '["stdin"]', '["stdin", 5]', '["resize", []]', "5", "null", DEEP):
                async with client.ws_connect(f"{web.base}/ws", ssl=False) as one:
                    await one.receive()
                    await one.send_str(nonsense)
                    await ended(one)

    asyncio.run(asyncio.wait_for(talk(), 120))
    web.commit("delete web max-sessions")
    assert wait_until(lambda: not web.sessions(), 20)


def test_one_user_who_opens_all_dashboards_he_can_keeps_no_other_out(web: Web) -> None:
    web.commit("set web max-sessions 3", "set web sessions-per-user 2")
    ann, tom = (logged_in(web, *who) for who in (("ann", PASSWORD), ("tom", OTHER)))

    async def talk() -> None:
        clients = [
            aiohttp.ClientSession(headers={"Cookie": f"__Host-nshell={cookie}", "Origin": web.base})
            for cookie in (ann, tom)
        ]
        async with clients[0] as first, clients[1] as second:
            held = [await first.ws_connect(f"{web.base}/ws", ssl=False) for _ in range(2)]
            for one in held:
                await one.receive()
            refused = [await first.ws_connect(f"{web.base}/ws", ssl=False) for _ in range(6)]
            async with second.ws_connect(f"{web.base}/ws", ssl=False) as other:
                assert b"open already" not in (await other.receive()).data
                shown = await asyncio.to_thread(web.run, "show web")
                facts = dict(line.split(None, 1) for line in shown.splitlines() if len(line.split()) == 2)
                assert (facts["dashboards"], facts["max-sessions"], facts["sessions-per-user"]) == ("3", "3", "2")
            for one in refused:
                said = (await one.receive()).data
                assert b"error: web sessions-per-user\r\n  2 dashboards are open already, all of them yours" in said
                await ended(one)
            for one in held:
                await one.close()

    asyncio.run(asyncio.wait_for(talk(), 120))
    web.commit("delete web max-sessions", "delete web sessions-per-user")
    assert wait_until(lambda: not web.sessions(), 20)


async def ended(opened: aiohttp.ClientWebSocketResponse) -> None:
    """Reads until the other end hangs up."""
    async for _ in opened:
        continue
    assert opened.closed


def test_every_answer_carries_what_keeps_browsers_safe_and_none_says_what_it_is_made_of(web: Web) -> None:
    for path, status in (("/", 303), ("/login", 200), ("/nowhere", 401), ("/static/", 401), ("/metrics", 403)):
        found, text = web.curl("-i", web.base + path)
        head = text.lower()
        assert found == status, text
        assert "server: nshell\n" in head.replace("\r", "") and "aiohttp" not in head and "python" not in head
        for header in ("content-security-policy: default-src 'none'", "frame-ancestors 'none'", "x-frame-options: deny",
                       "strict-transport-security: max-age=", "x-content-type-options: nosniff"):  # fmt: skip
            assert header in head, (path, header)
    cookie = f"__Host-nshell={logged_in(web, 'ann', PASSWORD)}"
    for path in ("/static/", "/static/js/", "/static/../server.py", "/static/%2e%2e/server.py", "/style.css/", "/x"):
        assert web.curl("--path-as-is", "-b", cookie, web.base + path)[0] in (403, 404), path
    assert web.curl("-X", "PUT", "-H", f"Origin: {web.base}", "-b", cookie, web.base + "/")[0] == 405


def test_a_login_has_a_cookie_of_its_own_and_nothing_of_it_is_good_after_leaving(web: Web) -> None:
    token, cookie = form(web)
    set_before = "x" * 43
    both = f"__Host-nshell-form={cookie}; __Host-nshell={set_before}"
    data = ("-d", f"user=ann&password={PASSWORD}&token={token}", "-H", f"Origin: {web.base}")
    status, text = web.curl("-i", "-b", both, *data, f"{web.base}/login")
    mine = text.partition("__Host-nshell=")[2].partition(";")[0]
    assert status == 303 and len(mine) == 43 and mine != set_before
    for flag in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
        assert flag in text.partition("__Host-nshell=")[2].splitlines()[0]
    known = ("-b", f"__Host-nshell={mine}")
    page = f"{web.base}/static/js/textual.js"
    assert web.curl("-b", f"__Host-nshell={set_before}", page)[0] == 401, "who was given a cookie has nothing of it"
    inside = web.curl(*known, f"{web.base}/")[1].partition('name="token" value="')[2].partition('"')[0]
    leave = (*known, "-d", f"token={inside}", f"{web.base}/logout")
    forged = (*known, "-H", f"Origin: {web.base}", "-d", "token=guess", f"{web.base}/logout")
    for other in (leave, ("-H", "Origin: https://evil.example", *leave), ("-H", "Origin: null", *leave), forged):
        assert web.curl(*other)[0] == 403 and web.curl(*known, page)[0] == 200, "nobody else logs anybody out"
    assert web.curl(*known, f"{web.base}/logout")[0] == 405
    status, text = web.curl("-i", "-H", f"Origin: {web.base}", *leave)
    assert status == 303 and '__Host-nshell=""' in text
    assert web.curl("-H", f"Origin: {web.base}", *leave)[0] == 401
    assert web.curl(*known, page)[0] == 401 and web.curl(*known, f"{web.base}/")[0] == 303

    async def opened() -> int:
        headers = {"Cookie": f"__Host-nshell={mine}", "Origin": web.base}
        async with aiohttp.ClientSession(headers=headers) as client:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{web.base}/ws", ssl=False)
            return refused.value.status

    assert asyncio.run(opened()) == 401


def test_a_class_that_is_changed_ends_the_dashboards_of_its_users_in_words(web: Web) -> None:
    cookie = logged_in(web, "tom", OTHER)

    async def shown() -> bytes:
        headers = {"Cookie": f"__Host-nshell={cookie}", "Origin": web.base}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.ws_connect(f"{web.base}/ws", ssl=False) as opened,
        ):
            said = (await opened.receive()).data
            change = ("delete login-class of-acme enterprise", "set login-class of-acme enterprise umbrella")
            changing = asyncio.create_task(asyncio.to_thread(web.commit, *change))
            async for message in opened:
                said += message.data
            await changing
            return bytes(said)

    said = asyncio.run(asyncio.wait_for(shown(), 120))
    web.commit("delete login-class of-acme enterprise", "set login-class of-acme enterprise acme")
    assert b"the rights of tom have changed meanwhile\r\n  open it again" in said
    assert "\U000f0000" not in said.decode(errors="replace"), "marks of colour are no text"


def test_the_daemon_ends_soon_with_a_dashboard_open(web: Web) -> None:
    cookie = logged_in(web, "ann", PASSWORD)

    async def watched() -> float:
        headers = {"Cookie": f"__Host-nshell={cookie}", "Origin": web.base}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.ws_connect(f"{web.base}/ws", ssl=False) as opened,
        ):
            await opened.receive()
            began = time.monotonic()
            ending = asyncio.create_task(asyncio.to_thread(web.shell.end))
            await ended(opened)
            await ending
            return time.monotonic() - began

    taken = asyncio.run(watched())
    assert taken < 10.0, "Shell.end waits no longer than that"
    assert "Traceback" not in web.shell.log()
    web.run("show version")
    assert wait_until(lambda: web.curl(f"{web.base}/login")[0] == 200, 20)


def test_guesses_become_slow_over_ssh_and_web_together(web: Web) -> None:
    token, cookie = form(web)
    words = ("-b", f"__Host-nshell-form={cookie}", "-H", f"Origin: {web.base}", "--interface", "127.0.0.7")
    with ThreadPoolExecutor(8) as many:  # who hangs up stands in no queue
        list(many.map(lambda n: hung_up(web, token, cookie, "127.0.0.5"), range(40)))
    assert logged_in(web, "tom", OTHER, "--interface", "127.0.0.5")
    taken = []
    for _ in range(5):
        began = time.monotonic()
        status, text = web.curl(*words, "-d", f"user=ann&password=wrong&token={token}", f"{web.base}/login")
        taken.append(time.monotonic() - began)
        assert status == 403 and WRONG in text
    assert taken[4] > 2.0 and "waits" in web.shell.log()


def hung_up(web: Web, token: str, cookie: str, address: str) -> None:
    """A guess whose answer nobody waits for."""
    form = f"user=nobody&password=wrong&token={token}"
    head = (f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nOrigin: {web.base}\r\n"
            f"Cookie: __Host-nshell-form={cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n")  # fmt: skip
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=30, source_address=(address, 0)) as plain,
        ssl._create_unverified_context().wrap_socket(plain) as secure,
    ):
        secure.sendall((head + form).encode())
        secure.settimeout(0.05)
        with suppress(TimeoutError):
            secure.recv(10)


def test_wrong_tokens_of_metrics_become_slow_are_told_once_and_nowhere_kept(web: Web) -> None:
    web.commit("set web metrics-token abcdefghijklmnop")
    url, bearer = f"{web.base}/metrics", "Authorization: Bearer"
    taken = []
    for n in range(5):
        began = time.monotonic()
        assert web.curl("--interface", "127.0.0.4", "-H", f"{bearer} zzguess{n}", url)[0] == 403
        taken.append(time.monotonic() - began)
    assert taken[4] > 2.0
    assert web.curl("-H", f"{bearer} abcdefghijklmnop", url)[0] == 200, "from elsewhere it is served as ever"
    told = web.run("show events kind session limit 200 | json")
    assert told.count("(unknown) from web 127.0.0.4:") == 1 and "refused: wrong token of /metrics" in told
    assert "zzguess" not in told + web.shell.log() and "abcdefghijklmnop" not in web.shell.log()
