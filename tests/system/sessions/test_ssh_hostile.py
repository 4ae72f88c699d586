"""Strangers at the SSH port: garbage, half handshakes, floods. Operators are served meanwhile, memory stays small."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from nshell.lab.probing import wait_until
from tests.system.openssh import Site

ANSWER = 3.0
"""Seconds in which an operator must be served, whatever strangers do; alone it takes 0.1, but machines are busy."""
GROWTH = 48 << 10
"""KiB that the daemon may grow by; scrypt needs 16 MiB for each of two passwords."""
ELSEWHERE = "BindAddress=127.0.0.2"
"""Where operators come from; strangers come from 127.0.0.1."""
VERSION = b"SSH-2.0-stranger\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("ssh"))
    try:
        made.run("set user bob class operator password Correct.Horse", "commit")
        yield made
        assert "Traceback" not in made.shell.log(), made.shell.log()
    finally:
        made.close()


def resident(site: Site) -> int:
    """KiB of the daemon's memory."""
    status = Path(f"/proc/{site.shell.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


@pytest.fixture
def twenty_thousand(site: Site) -> Iterator[None]:
    """A configuration whose text is 2 MB, there before anything is measured: it costs memory itself."""
    lines = [f"set enterprise acme network-macro m{n} prefix 10.{n >> 8}.{n & 255}.0/24" for n in range(20_000)]
    assert site.shell.run(text="\n".join([*lines, "commit"])).returncode == 0
    yield
    assert site.shell.commands("delete enterprise acme", "commit").returncode == 0


@pytest.fixture
def unharmed(site: Site) -> Iterator[None]:
    """The same daemon serves afterwards, without sessions left over, and has hardly grown."""
    pid, before = site.shell.pid, resident(site)
    yield
    assert served(site) < ANSWER
    assert site.shell.pid == pid
    assert wait_until(lambda: not site.sessions(), 10)
    assert resident(site) - before < GROWTH


def served(site: Site, over: str = "ssh") -> float:
    """Seconds in which an operator gets an answer."""
    began = time.monotonic()
    done = site.ssh.run("show version", options=(ELSEWHERE,)) if over == "ssh" else site.shell.commands("show version")
    assert done.returncode == 0, done
    return time.monotonic() - began


def dial(site: Site) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", site.ssh.port), timeout=5)
    connection.settimeout(5)
    return connection


def packet(payload: bytes) -> bytes:
    """A packet before encryption (RFC 4253 section 6)."""
    padding = 8 - (len(payload) + 5) % 8 + 4
    padding += -(len(payload) + 5 + padding) % 8
    return (len(payload) + padding + 1).to_bytes(4, "big") + bytes([padding]) + payload + b"\0" * padding


@pytest.mark.fuzz
def test_garbage_is_hung_up_on(site: Site, unharmed: None) -> None:
    dice = random.Random(22)
    pieces = [
        b"", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 4096, b"x" * 200_000, VERSION, VERSION + b"\xff" * 5000,
        VERSION + packet(b"\x14" + b"x" * 16 + b"\xff\xff\xff\xff"), VERSION + packet(b""),
        VERSION + packet(b"\x32bob"),
        VERSION + (0x7FFFFFFF).to_bytes(4, "big") + b"x" * 100, b"SSH-1.0-old\r\n", b"\n" * 10_000,
        *(VERSION + packet(bytes([kind]) + dice.randbytes(40)) for kind in range(0, 256, 5)),
        *(dice.randbytes(dice.randrange(1, 3000)) for _ in range(50)),
    ]  # fmt: skip
    for piece in pieces:
        with dial(site) as connection:
            try:
                connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    continue
            except (BrokenPipeError, ConnectionResetError):
                continue
            except OSError as problem:
                if problem.errno != errno.ENOTCONN:  # hung up on before our end was shut
                    raise


def test_connections_that_never_log_in_make_room_for_those_that_do(site: Site, unharmed: None) -> None:
    with ExitStack() as held:
        for number in range(400):
            connection = held.enter_context(dial(site))
            try:
                connection.sendall(VERSION if number % 2 else b"SSH-2.0-ha")
            except (BrokenPipeError, ConnectionResetError):
                continue
            except OSError as problem:
                if problem.errno != errno.ENOTCONN:  # hung up on before our end was shut
                    raise
            if number % 80 == 79:
                assert served(site) < ANSWER and served(site, "socket") < ANSWER
        descriptors = len(os.listdir(f"/proc/{site.shell.pid}/fd"))
        assert descriptors < 150, descriptors


async def guess(port: int, names: list[str], stop: float) -> int:
    """Guess passwords as fast as the server lets, until `stop`; how many."""
    tried = 0
    while time.monotonic() < stop:
        for name in names:
            try:
                await asyncssh.connect(
                    "127.0.0.1", port, username=name, password=f"guess{tried}", known_hosts=None, config=None,
                    client_keys=None, agent_path=None, preferred_auth="password", login_timeout=20,
                )  # fmt: skip
            except (asyncssh.Error, OSError):
                tried += 1
    return tried


def test_a_flood_of_guesses_slows_the_guessers_alone(site: Site, unharmed: None) -> None:
    async def flood() -> tuple[list[int], list[float]]:
        stop = time.monotonic() + 8
        guessers = [asyncio.create_task(guess(site.ssh.port, ["bob", f"nobody{n}"], stop)) for n in range(16)]
        taken = []
        while time.monotonic() < stop:
            taken.append(await asyncio.to_thread(served, site))
            taken.append(await asyncio.to_thread(served, site, "socket"))
        for task in guessers:
            task.cancel()
        results = await asyncio.gather(*guessers, return_exceptions=True)
        return [result for result in results if isinstance(result, int)], taken

    _, taken = asyncio.run(flood())
    print(f"16 guessers, operators served within {max(taken):.2f} s")
    assert max(taken) < ANSWER, taken
    assert site.shell.log().count("wrong password") < 60, "of thousands that could be tried without a delay"


def test_a_user_who_reads_nothing_does_not_fill_the_memory(site: Site, twenty_thousand: None, unharmed: None) -> None:
    before = resident(site)
    words = site.ssh.command("\n".join(["show configuration"] * 30), options=("BatchMode=yes",))
    client = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        assert served(site) < ANSWER
        assert resident(site) - before < 2 * GROWTH
    finally:
        client.kill()
        client.communicate()


def test_many_channels_of_one_user_are_refused(site: Site, unharmed: None) -> None:
    async def open_many() -> tuple[int, str]:
        assert site.ssh.key is not None
        async with asyncssh.connect(
            "127.0.0.1", site.ssh.port, username=site.ssh.user, client_keys=[str(site.ssh.key)], known_hosts=None,
            config=None, agent_path=None,
        ) as connection:  # fmt: skip
            opened = []
            try:
                for _ in range(100):
                    opened.append(await connection.create_process(term_type="xterm"))
            except asyncssh.ChannelOpenError as problem:
                return len(opened), str(problem)
        return len(opened), ""

    opened, problem = asyncio.run(open_many())
    assert opened == 10 and "10 channels are open" in problem


def test_one_user_who_opens_all_connections_he_can_keeps_no_other_out(site: Site, unharmed: None) -> None:
    site.run("set ssh max-sessions 4", "set ssh sessions-per-user 2", "commit")
    address: dict[str, Any] = {"host": "127.0.0.1", "port": site.ssh.port, "known_hosts": None, "config": None}

    async def crowd() -> tuple[list[str], str]:
        said = []
        async with AsyncExitStack() as stack:
            for _ in range(8):
                mine = asyncssh.connect(**address, username=site.ssh.user, client_keys=[str(site.ssh.key)])
                try:
                    one = await stack.enter_async_context(mine)
                    said.append(str((await one.run("show version")).stdout))
                except asyncssh.Error as problem:
                    said.append(problem.reason)
            done = await asyncio.to_thread(site.ssh.run, "show version", options=("LogLevel=INFO",))
            said.append(done.stderr)
            bobs = asyncssh.connect(**address, username="bob", password="Correct.Horse", client_keys=None)
            bob = await stack.enter_async_context(bobs)
            return said, str((await bob.run("show version")).stdout)

    said, bob = asyncio.run(asyncio.wait_for(crowd(), 120))
    site.run("delete ssh max-sessions", "delete ssh sessions-per-user", "commit")
    assert said[0] == said[1] == bob and "revision" in bob
    assert not [one for one in said[2:] if "revision" in one], "the others were hung up on"
    why = "2 of your sessions are open already (ssh sessions-per-user); end one"
    assert why in said[-1], "OpenSSH's client says why"
    assert site.shell.log().count(why) == 7 and f"{site.ssh.user} from ssh 127.0.0.1:" in site.run(
        "show events kind session"
    )
