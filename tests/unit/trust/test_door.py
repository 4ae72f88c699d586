"""Who is let in by the door, as whom, and what strangers cost; over real sockets on loopback."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent import keys
from controller.events import Events, Kind
from controller.trust import door as door_module
from controller.trust import refused
from controller.trust.authority import Authority
from controller.trust.door import ANONYMOUS, Credential, Door, Gate, is_local
from controller.trust.office import _context
from data.errors import CommandFailed


@pytest.mark.parametrize(
    ("peer", "local", "expected"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 2), True),
        (("127.0.0.9", 1), ("127.0.0.1", 2), True),
        (("::1", 1, 0, 0), ("::1", 2, 0, 0), True),
        ("", "/run/x.sock", True),
        (("127.0.0.1", 1), ("192.0.2.1", 2), False),
        (("192.0.2.1", 1), ("127.0.0.1", 2), False),
        (("192.0.2.1", 1), ("192.0.2.1", 2), False),  # this machine by its own name
        (("::ffff:127.0.0.1", 1, 0, 0), ("::1", 2, 0, 0), False),
        (("fe80::1%eth0", 1, 0, 2), ("::1", 2, 0, 0), False),
    ],
)
def test_only_both_ends_on_loopback_are_this_machine(peer: object, local: object, expected: bool) -> None:
    ends = {"peername": peer, "sockname": local}
    assert is_local(SimpleNamespace(get_extra_info=ends.get)) is expected  # type: ignore[arg-type]


class Pretence:
    """An office whose answers a test chooses."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.open(folder)
        file, _ = self.authority.controller(time.time())
        self.contexts = {required: _context(self.authority.pem, required) for required in (True, False)}
        for context in self.contexts.values():
            context.load_cert_chain(file)
        self.reason: str | None = None
        self.pause = 0.0
        self.broken = False

    async def context(self, *, required: bool) -> ssl.SSLContext:
        if self.broken:
            raise CommandFailed("trust", "the disk is full", "free space on it")
        return self.contexts[required]

    async def objection(self, credential: Credential) -> str | None:
        await asyncio.sleep(self.pause)
        return self.reason


class Inside(asyncio.Protocol):
    """What stands behind the door: it echoes."""

    def __init__(self, place: Place, credential: Credential | None) -> None:
        place.entered.append(credential)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"heard " + data)  # type: ignore[attr-defined]


class Place:
    """A listener behind a door, for which even loopback is not this machine."""

    def __init__(self, folder: Path) -> None:
        self.office = Pretence(folder / "trust")
        self.folder = folder
        self.events = Events()
        self.door = Door(self.office, self.events)
        self.entered: list[Credential | None] = []
        self.gates: set[Gate] = set()
        self.required = True

    def gate(self) -> Gate:
        gate = Gate(self.door, "test", self.required, lambda who: Inside(self, who), self.gates.discard)
        self.gates.add(gate)
        return gate

    async def open(self) -> None:
        self.server = await asyncio.get_running_loop().create_server(self.gate, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    def client(self, name: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.office.authority.pem)
        if name is not None:
            key, request = keys.new_key()
            file = self.folder / "client.pem"
            file.write_text(key + self.office.authority.sign(name, request, time.time()).pem)
            context.load_cert_chain(file)
        return context

    async def say(self, who: str | ssl.SSLContext | None, data: bytes = b"x") -> bytes:
        context = who if isinstance(who, ssl.SSLContext) else self.client(who)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname=door_module.SERVER_NAME
        )
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(100), 5)
        except (ssl.SSLError, ConnectionError):
            return b""
        finally:
            writer.close()


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(door_module, "is_local", lambda transport: False)
    place = Place(tmp_path)
    await place.open()
    yield place
    place.server.close()


async def test_who_has_a_certificate_is_let_in_by_its_name_with_what_it_said_meanwhile(place: Place) -> None:
    place.office.pause = 0.1
    assert await place.say("hv 1/ö") == b"heard x"
    assert [one.system_id for one in place.entered if one] == ["hv 1/ö"] and place.gates == set()


async def test_without_a_certificate_one_is_nobody_where_that_is_allowed_at_all(place: Place) -> None:
    assert await place.say(None) == b"" and place.entered == []
    place.required = False
    assert await place.say(None) == b"heard x" and place.entered == [ANONYMOUS]


async def test_an_objection_is_told_once_however_often_it_dials(place: Place) -> None:
    place.office.reason = "its certificate 7 is revoked"
    context = place.client("hv1")
    for _ in range(3):
        assert await place.say(context) == b""
    told = [event.text for event in place.events if event.kind is Kind.IDENTITY]
    assert told == ["hv1 from 127.0.0.1 refused: its certificate 7 is revoked"]
    assert place.entered == [] and place.gates == set()


async def test_a_controllers_certificate_is_no_hypervisors(place: Place) -> None:
    context = place.client(None)
    context.load_cert_chain(place.office.authority.directory / "controller.pem")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", place.port, ssl=context, server_hostname=door_module.SERVER_NAME
        )
        writer.write(b"x")
        if await reader.read() == b"":
            raise ConnectionError
    assert place.entered == []


async def test_a_peer_that_goes_away_at_any_moment_leaves_nothing(place: Place) -> None:
    for size in (0, 1, 5, 100):
        _, writer = await asyncio.open_connection("127.0.0.1", place.port)
        writer.write((b"\x16\x03\x01\x01\x00" + b"\x01" * 200)[:size])
        await asyncio.sleep(0.01)
        writer.transport.abort()
    await asyncio.sleep(0.05)
    assert place.gates == set() and place.entered == [] and not place.door._shaking


async def test_a_gate_that_is_aborted_ends(place: Place) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    await asyncio.sleep(0.01)
    for gate in tuple(place.gates):
        gate.abort()
    with pytest.raises(ConnectionError):
        await reader.read()
        raise ConnectionError
    writer.close()
    await asyncio.sleep(0)
    assert place.gates == set() and not place.door._shaking


async def test_one_address_has_a_bounded_number_of_handshakes(place: Place) -> None:
    waiting = [await asyncio.open_connection("127.0.0.1", place.port) for _ in range(door_module.HANDSHAKES)]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await place.say("hv1")
    for _, writer in waiting:
        writer.close()
    await asyncio.sleep(0.05)
    assert await place.say("hv1") == b"heard x"


async def test_an_office_that_cannot_work_is_told_as_an_event_once(place: Place) -> None:
    place.office.broken = True
    for _ in range(2):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await place.say("hv1")
    assert [event.text for event in place.events] == [
        "hypervisors cannot be let in: trust: the disk is full; free space on it"
    ]


async def test_a_flood_of_strangers_is_a_bounded_number_of_lines(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(500):
            place.door.refused("test", f"192.0.2.1:{number}", "no TLS")
        assert len(caplog.records) == refused.LINES
        monkeypatch.setattr(refused, "WINDOW", 0.0)
        place.door.refused("test", "192.0.2.1:1", "no TLS")
    assert f"{500 - refused.LINES} more connections refused" in caplog.text
