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
from tests.system.web_site import OTHER, PASSWORD, WRONG, Web, form, logged_in, served

DEEP = "[" * 100_000
"""More than the interpreter's stack has room for."""
SECOND = b"\r\n\r\n0\r\n\r\nGET /style.css HTTP/1.1\r\nHost: x\r\n\r\n"
"""The end of a request, and one behind it that nobody should answer."""


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


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01" + bytes(300),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 5000,
    ],
)
def test_what_is_no_tls_is_dropped(web: Web, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as stranger:
        stranger.sendall(sent)
        try:
            while stranger.recv(4096):
                continue
        except ConnectionResetError:
            return


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 500 + b"\r\n", b"400"),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 100000 + b"\r\n\r\n", b"4"),
        (b"POST /login HTTP/1.1\r\nHost: x\r\nOrigin: https://x\r\nContent-Length: 999999999\r\n"
         b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + b"a" * 20000, b"413"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", b"400"),
        *(
            (b"POST /login HTTP/1.1\r\nHost: x\r\n" + twice + SECOND, b"400")
            for twice in (
                b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5\r\nContent-Length: 5",
                b"Content-Length: 5, 5", b"Content-Length: +5", b"Content-Length : 5", b"Content-Length: 0x5",
                b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"Transfer-Encoding: chunked, identity",
                b"Transfer-Encoding: xchunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding : chunked",
            )
        ),  # what two servers in a row would cut differently (RFC 9112, section 11.2)
        (b"GET /login HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
        (b"GET /login HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", b"400"),
        (b"GET /login HTTP/1.1\nHost: x\n\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"GET /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n\r\n", b"415"),
    ],
)  # fmt: skip
def test_what_is_no_request_gets_a_short_answer(web: Web, sent: bytes, status: bytes) -> None:
    said = spoken(web, sent)
    assert b"aiohttp" not in said and b"Traceback" not in said and len(said) < 2000
    if len(sent) < 65536 or said:  # who goes on sending after the answer may lose it (RFC 9112 section 9.6)
        assert said.split()[1].startswith(status) and b"nshell" in said, said[:300]


def test_half_a_request_and_one_that_is_packed_leave_nothing_in_the_log(web: Web) -> None:
    before = web.shell.log()
    head = (f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nOrigin: {web.base}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n").encode()  # fmt: skip
    rests = (b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
             b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde")  # fmt: skip
    for rest in rests:
        with (
            socket.create_connection(("127.0.0.1", web.port), timeout=30) as plain,
            ssl._create_unverified_context().wrap_socket(plain) as secure,
        ):
            secure.sendall(head + rest)
            assert web.curl(f"{web.base}/login")[0] == 200, "what was sent before has been read"
    assert web.curl(f"{web.base}/login")[0] == 200
    said = web.shell.log().removeprefix(before)
    assert "Traceback" not in said and "level=ERROR" not in said


def test_strangers_who_are_many_or_slow_hold_nobody_up(web: Web) -> None:
    held = []
    context = ssl._create_unverified_context()
    try:
        for _ in range(80):  # more than one network may have
            stranger = socket.create_connection(("127.0.0.1", web.port), source_address=("127.0.0.9", 0), timeout=20)
            held.append(stranger)
        slow = [
            context.wrap_socket(
                socket.create_connection(("127.0.0.1", web.port), source_address=("127.0.0.8", 0), timeout=20)
            )
            for _ in range(5)
        ]
        held += slow
        for one in slow:
            one.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        began = time.monotonic()
        assert web.curl(f"{web.base}/login")[0] == 200
        web.run("show version")
        assert time.monotonic() - began < 20.0
        for one in slow:  # headers that never end
            one.settimeout(60)
            assert one.recv(1000) == b""
    finally:
        for stranger in held:
            stranger.close()


def test_strangers_from_many_addresses_who_hold_all_connections_keep_nobody_out(web: Web) -> None:
    held = []
    try:
        for n in range(300):  # more than there may be in all; none begins its handshake
            address = (f"127.0.1.{n // 60}", 0)
            held.append(socket.create_connection(("127.0.0.1", web.port), source_address=address, timeout=20))
        assert logged_in(web, "ann", PASSWORD)
    finally:
        for stranger in held:
            stranger.close()


def test_headers_and_forms_that_are_no_text_are_refused_in_words(web: Web) -> None:
    token, cookie = form(web)
    said = spoken(web, b"GET /login HTTP/1.0\r\n\r\n")
    assert said.split()[1] == b"400" and b"say which host you mean" in said
    for kind, status in (("; charset=utf-7", 415), ("; charset=nonsense", 415), ("", 403)):
        words = ("-b", f"__Host-nshell-form={cookie}", "-H", f"Origin: {web.base}", "--interface", "127.0.0.6",
                 "-H", f"Content-Type: application/x-www-form-urlencoded{kind}")  # fmt: skip
        data = f"user=%ff%00+2AA-&password=%f0%28%8c%28&token={token}"
        assert web.curl(*words, "-d", data, f"{web.base}/login")[0] == status, kind
    web.commit("set web metrics-token abcdefghijklmnop")
    assert web.curl("-H", "Authorization: Bearer \xff\xfe", f"{web.base}/metrics")[0] == 403
    assert web.curl("-H", "Authorization: Basic abc", f"{web.base}/metrics")[0] == 401
    assert web.curl("-H", "Authorization: Bearer abcdefghijklmnop", f"{web.base}/metrics")[0] == 200


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


def spoken(web: Web, sent: bytes) -> bytes:
    """What the server says to these bytes over TLS, until it hangs up."""
    said = b""
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=30) as plain,
        ssl._create_unverified_context().wrap_socket(plain) as secure,
    ):
        try:
            secure.sendall(sent)
            while data := secure.recv(65536):
                said += data
        except (ConnectionError, ssl.SSLError):
            return said  # it hangs up on what is too long, perhaps before all of it is sent
    return said
