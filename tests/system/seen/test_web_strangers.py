"""Strangers below and beside HTTP: what is no request, half of one or two in one, crowds, and who is slow."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.system.seen.web_site import PASSWORD, Web, form, logged_in, served

SECOND = b"\r\n\r\n0\r\n\r\nGET /style.css HTTP/1.1\r\nHost: x\r\n\r\n"
"""The end of a request, and one behind it that nobody should answer."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with served(tmp_path_factory.mktemp("wb")) as made:
        yield made


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
