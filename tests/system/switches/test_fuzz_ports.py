"""Generated conversations at every listening port of a real daemon: it answers operators within a second meanwhile, and
is afterwards what it was, in configuration, candidates, sessions, log and memory.

Each conversation begins as a real one does, and goes wrong: bytes changed, left out, repeated, cut off; sent whole, in
drips, with the sending half closed, with a reset, or again and again without reading. What single strangers do on
purpose is in test_hostile.py and test_ssh_hostile.py; the decoders alone, with far more input, in tests/fuzz.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from controller.openflow import wire
from nshell import frames
from nshell.lab.probing import wait_until
from tests.fuzz.runs import SIZES
from tests.fuzz.targets import CLIENT, HELLO, ROOT, SEEDS
from tests.system.openssh import Site

AT_ONCE = 1.0
"""Seconds in which `show version` is answered, connection included; alone it takes 0.01."""
GROWTH = 64 << 10
"""KiB that the daemon may grow by."""
CONVERSATIONS = {"whole": 120, "dripping": 60, "half-closed": 200, "reset": 300, "flooding": 24}
"""At each port, by manner."""
AT_A_TIME = 6
PORTS = ("socket", "ssh", "openflow", "ovsdb", "agent")
KEPT = "set enterprise kept description unfinished"
"""An edit of somebody who is in the middle of work."""
TLS = (
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(32)) + b"\0\0\x04\x13\x01\x13\x02\x01\0" + bytes(150)
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("fuzz"))
    try:
        made.run(
            "set dvrs hv1 tunnel-address 172.31.0.1", "set user bob class operator password Correct.Horse", "commit"
        )
        made.run(KEPT)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def beginnings(site: Site) -> dict[str, list[bytes]]:
    """What a real peer says at each port, up to where it has to compute."""
    features = wire.message(wire.FEATURES_REPLY, 3, struct.pack("!QIBB2xII", 7, 0, 254, 0, 0, 0))
    tables = [b'{"id":1,"result":["Open_vSwitch"],"error":null}']
    tables.append(json.dumps({"id": 2, "result": {"Open_vSwitch": {"root": {"new": ROOT}}}, "error": None}).encode())
    hello = frames.pack(b"H", CLIENT)
    work = frames.pack(b"C", b"show vports | match x | count") + frames.pack(
        b"B", b"file\0show version\n# x\nshow dvrs\n"
    )
    client = ssh_client(site)
    return {
        "socket": [hello + work + frames.pack(b"Z", b""), hello.replace(b"interactive=0", b"interactive=1")
                   + frames.pack(b"W", b"\0\x50\0\x18") + frames.pack(b"D", b"show v\t?\x1b[A\x03\x04")],
        "ssh": [client, client[:60], b"SSH-2.0-x\r\n" + client[client.index(b"\n") + 1 :]],
        "openflow": [HELLO + features + b"".join(seed[1:] for seed in SEEDS["openflow"][:3]), HELLO + features, TLS],
        "ovsdb": [b"".join(tables) + SEEDS["ovsdb"][1][1:] + SEEDS["ovsdb"][2][1:], b"".join(tables), TLS],
        "agent": [SEEDS["agent"][0][1:] + SEEDS["agent"][1][1:], TLS],
    }  # fmt: skip


def ssh_client(site: Site) -> bytes:
    """What a client says until it has logged in: read off a relay in front of the daemon."""
    said = bytearray()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", site.ssh.port)

        async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, seen: bytearray | None) -> None:
            try:
                while data := await source.read(65536):
                    if seen is not None:
                        seen += data
                    target.write(data)
            except ConnectionError:
                return
            finally:
                target.close()

        await asyncio.gather(carry(reader, there[1], said), carry(there[0], writer, None))

    async def talk() -> None:
        async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            how = {
                "username": "bob",
                "password": "Correct.Horse",
                "known_hosts": None,
                "config": None,
                "client_keys": None,
            }
            async with asyncssh.connect("127.0.0.1", port, agent_path=None, **how) as connection:
                await connection.run("show version")

    asyncio.run(asyncio.wait_for(talk(), 30))
    return bytes(said)


def dial(site: Site, port: str) -> socket.socket:
    """A connection to one of the daemon's ports."""
    if port == "socket":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(str(site.shell.state / "nshell.sock"))
        return connection
    number = site.ssh.port if port == "ssh" else site.shell.ports[("openflow", "ovsdb", "agent").index(port)]
    return socket.create_connection(("127.0.0.1", number), timeout=5)


def damaged(data: bytes, dice: random.Random) -> bytes:
    """The beginning of a conversation that goes wrong somewhere."""
    text = bytearray(data)
    for _ in range(dice.randint(0, 6)):
        at, how = dice.randint(0, len(text)), dice.randrange(6)
        if how == 0 and at < len(text):
            text[at] = dice.randrange(256)
        elif how == 1:
            text[at:at] = dice.choice(
                [dice.randbytes(dice.randint(1, 40)), b"\xff" * 4, b"\0" * 8, b"{", b'"', b"[" * 50]
            )
        elif how == 2:
            del text[at : at + dice.randint(1, 16)]
        elif how == 3:
            text[at:at] = text[max(0, at - dice.randint(1, 200)) : at]
        elif how == 4:
            del text[at:]
        elif at + 4 <= len(text):
            text[at : at + 4] = dice.choice([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]).to_bytes(4, "big")
    return bytes(text)


def listen(connection: socket.socket, seconds: float) -> None:
    """Take what comes until the other end hangs up, or for so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        if not connection.recv(65536):
            return


def whole(connection: socket.socket, data: bytes, dice: random.Random) -> None:
    connection.sendall(data)
    listen(connection, 0.2)


def dripping(connection: socket.socket, data: bytes, dice: random.Random) -> None:
    for at in range(0, min(len(data), 60), 3):
        connection.sendall(data[at : at + 3])
        time.sleep(0.01)
    connection.sendall(data[60:])
    listen(connection, 0.1)


def half_closed(connection: socket.socket, data: bytes, dice: random.Random) -> None:
    connection.sendall(data[: dice.randint(0, len(data))])
    connection.shutdown(socket.SHUT_WR)
    listen(connection, 0.3)


def reset(connection: socket.socket, data: bytes, dice: random.Random) -> None:
    connection.sendall(data)
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def flooding(connection: socket.socket, data: bytes, dice: random.Random) -> None:
    """Without ever reading: what the daemon answers has to wait somewhere."""
    connection.settimeout(0.3)
    for _ in range(200):
        connection.sendall(data + data[-64:] * 20)


MANNERS: dict[str, Callable[[socket.socket, bytes, random.Random], None]] = {
    "whole": whole, "dripping": dripping, "half-closed": half_closed, "reset": reset, "flooding": flooding,
}  # fmt: skip


class Watch(threading.Thread):
    """An operator who asks for the version all the time."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site, self.over = site, threading.Event()
        self.slowest, self.wrong = 0.0, ""

    def run(self) -> None:
        while not self.wrong:
            began = time.monotonic()
            try:
                said, code = self.site.shell.over_socket(["show version"])
                self.wrong = "" if code == 0 else said
            except (OSError, AssertionError) as problem:
                self.wrong = repr(problem)
            self.slowest = max(self.slowest, time.monotonic() - began)
            if self.over.wait(0.05):
                return


def memory(site: Site) -> int:
    """Resident memory of the daemon in KiB."""
    status = Path(f"/proc/{site.shell.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def descriptors(site: Site) -> int:
    return len(list(Path(f"/proc/{site.shell.pid}/fd").iterdir()))


def what_is(site: Site) -> str:
    """What may not change: configuration, the edits of somebody at work, and who is connected."""
    return site.run(
        "show configuration | display set", "configure", "compare", "run show agents", "run show sessions | count"
    )


@contextmanager
def unharmed(site: Site) -> Iterator[None]:
    """Operators are served within a second meanwhile, and in the end everything is as it was."""
    before, pid, kibibytes, files = what_is(site), site.shell.pid, memory(site), descriptors(site)
    log = len(site.shell.log())
    watch = Watch(site)
    watch.start()
    try:
        yield
    finally:
        watch.over.set()
        watch.join(60)
    said = site.shell.log()[log:]
    assert "Traceback" not in said and "internal error" not in said, said[said.find("Traceback") - 2000 :][:6000]
    assert not watch.wrong and watch.slowest < AT_ONCE, (watch.wrong, watch.slowest)
    assert site.shell.pid == pid
    assert wait_until(lambda: what_is(site) == before, 15), what_is(site)
    assert wait_until(lambda: descriptors(site) <= files + 2, 15), "connections are left over"
    assert memory(site) - kibibytes < GROWTH, f"grew by {memory(site) - kibibytes} KiB"


@pytest.mark.parametrize("longer", SIZES)
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("port", PORTS)
def test_conversations_that_go_wrong_leave_everything_as_it_was(
    site: Site, beginnings: dict[str, list[bytes]], port: str, manner: str, longer: int
) -> None:
    dice = random.Random(f"{port} {manner}")
    data = [damaged(dice.choice(beginnings[port]), dice) for _ in range(CONVERSATIONS[manner] * longer)]
    left = iter(data)
    turn = threading.Lock()

    def strangers(seed: int) -> None:
        own = random.Random(seed)
        while True:
            with turn:
                said = next(left, None)
            if said is None:
                return
            try:
                with dial(site, port) as connection:
                    MANNERS[manner](connection, said, own)
            except OSError:
                continue

    with unharmed(site):
        threads = [threading.Thread(target=strangers, args=(number,)) for number in range(AT_A_TIME)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.fuzz
def test_all_ports_at_once(site: Site, beginnings: dict[str, list[bytes]]) -> None:
    dice = random.Random(7)

    def stranger(port: str, seed: int) -> None:
        own = random.Random(seed)
        for _ in range(12):
            try:
                with dial(site, port) as connection:
                    MANNERS[own.choice(["whole", "half-closed", "reset"])](
                        connection, damaged(own.choice(beginnings[port]), own), own
                    )
            except OSError:
                continue

    with unharmed(site):
        threads = [
            threading.Thread(target=stranger, args=(port, dice.randrange(1 << 30))) for port in PORTS for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.fuzz
def test_bytes_that_are_no_text_can_be_typed_at_a_prompt(site: Site) -> None:
    """The history and the audit took only what can be written: the session ended, and rows of others were lost."""
    typed = [b"show version \xff\r", b"show \xe9nterprises\r", b"\xed\xa0\x80\r", b"show version\r", b"exit\r"]
    hello = CLIENT.replace(b"interactive=0", b"interactive=1").replace(b"columns=0\nrows=0", b"columns=80\nrows=24")
    with unharmed(site):
        with dial(site, "socket") as connection:
            connection.sendall(frames.pack(b"H", hello) + frames.pack(b"W", b"\0\x50\0\x18"))
            for line in typed:
                connection.sendall(frames.pack(b"D", line))
                time.sleep(0.2)
            stream, said, code = connection.makefile("rb"), b"", b""
            while len(head := stream.read(5)) == 5:
                payload = stream.read(int.from_bytes(head[1:], "big"))
                said += payload
                code = payload if head[:1] == b"X" else code
        assert code == b"\0", (code, said)
        assert said.count(b"nshell ") > 0
    assert wait_until(lambda: "nterprises" in site.run("show audit limit 200"), 5), site.run("show audit limit 20")
