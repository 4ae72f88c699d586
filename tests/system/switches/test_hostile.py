"""Strangers on every listening port, and operators and daemons that die at the wrong moment.

Each test ends with the network as it began: every hypervisor ready, the policy and the flows as they were.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import struct
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent import keys
from agent.trust import SERVER_NAME
from nshell import frames
from nshell.lab.authority import LabAuthority
from nshell.lab.probing import wait_until
from nshell.serving.service import SESSIONS
from tests.system.network import Network

BASE = "enterprise acme domain prod"
AT_ONCE = 1.5  # seconds for one command while others do their worst, start of the client included
MEMORY = 64 * 1024  # KiB that the daemon may grow by
HELLO = b"interactive=0\ncolumns=0\nrows=0\nterm=dumb\nunicode=1\njson=0\nkeep-going=0\n"
OPENFLOW_HELLO = struct.pack("!BBHIHH4xI", 5, 0, 20, 1, 1, 8, 1 << 5)[:20]
LISTENERS = ("openflow", "ovsdb", "agent", "socket")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("hostile"), "thos")
    try:
        yield network
    finally:
        network.close()


@pytest.fixture(autouse=True)
def nothing_changed(network: Network) -> Iterator[None]:
    """Whatever was done: configuration and flows are as before, and the log has no traceback."""
    network.ready()
    configuration, flows = network.run("show configuration"), network.all_flows()
    yield
    network.ready()
    assert network.run("show configuration") == configuration
    assert network.all_flows() == flows
    assert "Traceback" not in network.shell.log()


def certified(network: Network, name: str) -> ssl.SSLContext:
    """TLS as a hypervisor of this name, with a certificate that the controller's authority gave."""
    key, request = keys.new_key()
    granted = LabAuthority(network.shell.state).sign(name, request)
    context = ssl.create_default_context(cadata=granted.authority)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(key + granted.certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def dial(network: Network, listener: str, context: ssl.SSLContext | None = None) -> socket.socket:
    """A connection to one of the daemon's listeners, with TLS if there is a context."""
    if listener == "socket":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(network.shell.state / "nshell.sock"))
        connection.settimeout(10)
        return connection
    port = dict(zip(LISTENERS, network.shell.ports, strict=False))[listener]
    connection = socket.create_connection((network.lab.controller_address, port), timeout=10)
    return connection if context is None else context.wrap_socket(connection, server_hostname=SERVER_NAME)


def throw(network: Network, listener: str, data: bytes, context: ssl.SSLContext | None = None) -> None:
    """Send bytes and go away when the daemon does, or after a moment."""
    try:
        with dial(network, listener, context) as connection:
            connection.settimeout(0.3)
            connection.sendall(data)
            while connection.recv(65536):
                continue
    except OSError:
        return


def memory(network: Network) -> int:
    """Resident memory of the daemon in KiB."""
    status = Path(f"/proc/{network.shell.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def answers_at_once(network: Network) -> None:
    began = time.monotonic()
    network.run("show version")
    assert time.monotonic() - began < AT_ONCE


@contextmanager
def unharmed(network: Network, lines: int) -> Iterator[None]:
    """Meanwhile pings go through, hypervisors stay, memory stays, and the log grows by so many lines at most."""
    before, kibibytes, pid = len(network.shell.log().splitlines()), memory(network), network.shell.pid
    with network.pinging("web-1", "web-2") as report:
        yield
        answers_at_once(network)
    assert report["lost"] == 0
    assert network.shell.pid == pid
    assert memory(network) - kibibytes < MEMORY
    said = [line for line in network.shell.log().splitlines()[before:] if "session opened" not in line]
    said = [line for line in said if "session closed" not in line]
    assert len(said) <= lines, "\n".join(said[:50])
    assert not any("disconnected" in line for line in said), "a hypervisor was lost"


def garbage(dice: random.Random) -> list[bytes]:
    """What a stranger might send."""
    return [
        dice.randbytes(2000),
        b"GET / HTTP/1.1\r\nHost: controller\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(400),
        b"\0" * 100_000,
        b"\xff" * 100_000,
        OPENFLOW_HELLO + b"\x05\x12\xff\xff\0\0\0\1" + b"x" * 100,
        OPENFLOW_HELLO + b"\x05\x01\x00\x0c\0\0\0\1\0\1\0\1" * 500,
        b'{"method":"echo","params":[],"id":"' + b"x" * 500_000,
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"id":0,"result":["Open_vSwitch"],"error":null}{"id":1,"result":{"Open_vSwitch":7},"error":null}',
        b'{"method":"hello","params":{"system_id":"hv1\\nlevel=ERROR forged"}}\n',
        b'{"method":"hello","params":{"system_id":"' + b"x" * 2_000_000 + b'"}}\n',
        b"H\xff\xff\xff\xff" + b"x" * 100,
        b"H\0\0\0\4abcd",
        frames.pack(b"H", HELLO) + b"C\xff\xff\xff\xff",
        frames.pack(b"H", HELLO.replace(b"rows=0", b"rows=x")),
        frames.pack(b"H", HELLO) + frames.pack(b"Q", b"?"),
        frames.pack(b"H", HELLO) + frames.pack(b"F", b"unasked"),
        frames.pack(b"H", HELLO)[:-3],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("listener", "name"), [*((one, "") for one in LISTENERS), *((one, "stranger") for one in LISTENERS[:3])]
)
def test_garbage_costs_one_line_in_the_log_and_nobody_else_anything(network: Network, listener: str, name: str) -> None:
    pieces = garbage(random.Random(3))
    context = certified(network, name) if name else None  # a hypervisor with a good certificate may be hostile, too
    with unharmed(network, len(pieces) + 1):
        threads = [threading.Thread(target=throw, args=(network, listener, data, context)) for data in pieces]
        for thread in threads:
            thread.start()
        answers_at_once(network)
        for thread in threads:
            thread.join()


def test_thousands_of_short_connections_are_borne(network: Network) -> None:
    count = 500
    with unharmed(network, 4 * count):
        for listener in LISTENERS:
            for _ in range(count):
                dial(network, listener).close()
            answers_at_once(network)


def test_connections_that_say_nothing_or_little_are_ended(network: Network) -> None:
    count = 100
    with unharmed(network, 4 * count + 5):
        slow = [dial(network, listener) for listener in LISTENERS for _ in range(count)]
        beginnings = {"openflow": b"\x05", "ovsdb": b"{", "agent": b"{", "socket": b"H"}
        began = time.monotonic()
        try:
            for n, connection in enumerate(slow[::2]):
                connection.sendall(beginnings[LISTENERS[2 * n // count]])
            answers_at_once(network)
            for connection in slow:
                connection.settimeout(max(0.1, began + 9 - time.monotonic()))
                try:
                    while connection.recv(65536):
                        continue
                except ConnectionResetError:
                    continue
        finally:
            for connection in slow:
                connection.close()


def test_half_a_message_of_many_megabytes_holds_nobody_up(network: Network) -> None:
    floods = {
        "openflow": OPENFLOW_HELLO + (b"\x05\x01\x00\x0c\0\0\0\1\0\1\0\1" * 100_000),
        "ovsdb": b'{"a":[' + b'{"b":1},' * 900_000,
        "agent": b'{"a":"' + b"x" * 900_000,
        "socket": frames.pack(b"H", HELLO) + b"B\x0f\xff\xff\xff" + b"x" * 4_000_000,
    }

    context = certified(network, "stranger")

    def flood(listener: str) -> None:
        try:
            with dial(network, listener, None if listener == "socket" else context) as connection:
                connection.settimeout(3)
                connection.sendall(floods[listener])
                for _ in range(200):
                    connection.sendall(b'{"b":1}')
                    time.sleep(0.002)
        except OSError:
            return

    with unharmed(network, 4 * 4):
        threads = [threading.Thread(target=flood, args=(listener,)) for listener in LISTENERS for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            answers_at_once(network)
        for thread in threads:
            thread.join()


def test_what_a_stranger_calls_itself_steers_no_terminal_and_forges_no_line_in_the_log(network: Network) -> None:
    name = "\x1b]0;evil\x07\r\n2026-01-01 level=ERROR forged " + "x" * 2000
    root = {"external_ids": ["map", [["system-id", name]]], "bridges": ["set", []], "manager_options": ["set", []]}
    root |= {"ovs_version": "3.1.0", "datapath_types": ["set", []], "other_config": ["map", []]}
    answers = {"list_dbs": ["Open_vSwitch"], "monitor": {"Open_vSwitch": {str(uuid.uuid4()): {"new": root}}}}
    with dial(network, "ovsdb", certified(network, name)) as connection:
        for _ in range(2):
            asked = json.loads(connection.recv(65536))
            answer = {"id": asked["id"], "result": answers[asked["method"]], "error": None}
            connection.sendall(json.dumps(answer).encode())
        assert wait_until(lambda: len(network.rows("show dvrs")) == 4, 10)
        said = network.run("show dvrs") + network.run("show system events")
        assert "evil" in said and "\x1b" not in said and "\x07" not in said
        assert "evil" in json.dumps(network.rows("show dvrs"))
    assert wait_until(lambda: len(network.rows("show dvrs")) == 3, 10)
    log = network.shell.log()
    assert "evil" in log and "\x1b" not in log and "\n2026-01-01 " not in log


def test_more_sessions_than_there_may_be_are_refused_in_words(network: Network) -> None:
    with unharmed(network, 2):
        held = [dial(network, "socket") for _ in range(SESSIONS)]
        try:
            for connection in held:
                connection.sendall(frames.pack(b"H", HELLO))
            assert wait_until(lambda: network.shell.run("-c", "show version").returncode == 1, 10)
            done = network.shell.run("--json", "-c", "show version")
            assert done.returncode == 1 and "sessions are open" in json.loads(done.stdout)["error"]["cause"]
        finally:
            for connection in held:
                connection.close()
        assert wait_until(lambda: network.shell.run("-c", "show version").returncode == 0, 10)
