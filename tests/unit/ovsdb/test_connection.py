"""An OVSDB connection against a scripted peer: pieces, garbage, silence, errors."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from controller.ovsdb import connection as module
from controller.ovsdb.connection import Hypervisor
from controller.ovsdb.errors import OvsdbGone, OvsdbRefused, OvsdbTimeout
from controller.ovsdb.model import Change
from controller.ovsdb.server import OvsdbServer
from tests.unit.dialling import Place, ScriptedPeer, listening

ROOT = {
    "bridges": ["set", []], "external_ids": ["map", [["system-id", "hv1"]]], "other_config": ["map", []],
    "ovs_version": "3.1.0", "next_cfg": 0, "cur_cfg": 0, "manager_options": ["set", []],
}  # fmt: skip
SNAPSHOT = {"Open_vSwitch": {"root": {"new": ROOT}}}


class Peer(ScriptedPeer):
    """The hypervisor's side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.text = ""

    async def receive(self) -> dict[str, Any]:
        while True:
            with contextlib.suppress(json.JSONDecodeError):
                value, end = json.JSONDecoder().raw_decode(self.text)
                self.text = self.text[end:]
                return value
            data = await asyncio.wait_for(self.reader.read(65536), 5)
            if not data:
                raise EOFError
            self.text += data.decode()

    def send(self, message: dict[str, Any]) -> None:
        self.raw(json.dumps(message).encode())

    async def answer(self, result: Any, error: Any = None) -> dict[str, Any]:
        request = await self.receive()
        self.send({"id": request["id"], "result": result, "error": error})
        return request

    async def greet(self) -> None:
        assert (await self.answer(["Open_vSwitch"]))["method"] == "list_dbs"
        assert (await self.answer(SNAPSHOT))["method"] == "monitor"


def serving(probe_interval: float = 5.0, limit: int = 10) -> AbstractAsyncContextManager[Place[Hypervisor, Peer]]:
    return listening(Place(OvsdbServer, Peer, probe_interval, limit))


async def test_a_database_is_announced_with_its_tables() -> None:
    async with serving() as place:
        _, hypervisor = await place.greeted()
        assert (hypervisor.system_id, hypervisor.ovs_version, hypervisor.tunnel_port) == (
            "hv1",
            "3.1.0",
            65000,
        )
        assert hypervisor.local_address == "127.0.0.1"
        assert hypervisor.attached() == {}
        assert place.server.connections == [hypervisor]
    assert place.left == ["the controller stops"]


async def test_messages_may_come_in_any_pieces() -> None:
    async with serving() as place:
        peer, hypervisor = await place.greeted()
        batches: list[list[Change]] = []
        hypervisor.on_change = lambda _, changes: batches.append(changes)
        names = ["é{}", 'a"b}', "\U0001f600", "x" * 5000]
        data = b"".join(
            json.dumps(
                {"method": "update", "id": None, "params": ["m", {"Manager": {n: {"new": {"target": n}}}}]},
                ensure_ascii=False,
            ).encode()
            for n in names
        )
        for at in range(0, len(data), 7):
            peer.raw(data[at : at + 7])
            await peer.writer.drain()
            if at % 70 == 0:
                await asyncio.sleep(0)
        peer.send({"method": "echo", "id": "e", "params": ["hello"]})
        assert await peer.receive() == {"id": "e", "result": ["hello"], "error": None}
        assert [change.new["target"] for batch in batches for change in batch if change.new] == names


async def test_calls_get_their_answers_errors_and_timeouts() -> None:
    async with serving() as place:
        peer, hypervisor = await place.greeted()
        call = asyncio.create_task(hypervisor.transact([{"op": "comment", "comment": "x"}]))
        request = await peer.answer([{}])
        assert request["params"] == ["Open_vSwitch", {"op": "comment", "comment": "x"}]
        assert await call == [{}]

        call = asyncio.create_task(hypervisor.transact([{}]))
        await peer.answer([{}, None, {"error": "constraint violation", "details": "two of a kind"}])
        with pytest.raises(OvsdbRefused, match="constraint violation: two of a kind") as refusal:
            await call
        assert refusal.value.details == "two of a kind"

        call = asyncio.create_task(hypervisor.transact([{}]))
        await peer.answer(None, {"error": "syntax error", "details": "where?"})
        with pytest.raises(OvsdbRefused, match="syntax error: where"):
            await call

        with pytest.raises(OvsdbTimeout, match=r"no answer to echo within 0\.05 s"):
            await hypervisor.echo(0.05)

        call = asyncio.create_task(hypervisor.transact([{}]))
        await asyncio.sleep(0)
        peer.writer.close()
        with pytest.raises(OvsdbGone, match=r"closed by the hypervisor|connection lost"):
            await call
        with pytest.raises(OvsdbGone):
            await hypervisor.echo()


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 10,
        b"\x16\x03\x01\x02\x00\x01\x00",
        b'{"method": oops, "id": 1, "params": [1, 2, 3]}',
        b'{"id": 1, "result": 5, "error": null}',
        b'{"method": "update", "params": 3, "id": null}',
        b'{"method": "update", "params": ["m", {"Nothing": {"u": {}}}], "id": null}',
        b'{"method": "echo"}',
        b'{"a":' * 100_000 + b"}",
        b"[" * 100_000,
        b'{"x": "' + b"y" * 9 * 1024 * 1024,
    ],
)
async def test_garbage_ends_the_connection_with_one_line_in_the_log(
    garbage: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIMEOUT", 1.0)
    async with serving() as place:
        peer = await place.dial()
        with contextlib.suppress(ConnectionError):
            peer.raw(garbage)
            await peer.writer.drain()
        async with asyncio.timeout(8):
            assert await peer.closed()
        assert place.arrived.empty()
        assert place.left == []
        refusals = [record for record in caplog.records if "refused" in record.message]
        assert len(refusals) == 1
        assert "127.0.0.1:" in refusals[0].message
        assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("tables", [7, {"Bridge": 7}, {"Bridge": {"b": {"new": {"name": ["map", []]}}}}, {"X": {}}])
async def test_malformed_tables_end_the_connection(tables: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as place:
        peer = await place.dial()
        await peer.answer(["Open_vSwitch"])
        await peer.answer(tables)
        assert await peer.closed()
        assert "malformed tables" in caplog.text


async def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIMEOUT", 0.1)
    async with serving(probe_interval=0.05) as place:
        silent = await place.dial()
        assert await silent.closed()
        _, hypervisor = await place.greeted()
        with pytest.raises(OvsdbGone, match="no answer to 3 probes"):
            await hypervisor.call("list_dbs", [])
        assert place.left == ["no answer to 3 probes in 0.15 s"]


async def test_a_peer_that_answers_probes_stays() -> None:
    async with serving(probe_interval=0.02) as place:
        peer, hypervisor = await place.greeted()

        async def answering() -> None:
            while True:
                await peer.answer([])

        task = asyncio.create_task(answering())
        await asyncio.sleep(0.3)
        assert hypervisor.connected
        task.cancel()


async def test_connections_above_the_limit_are_closed(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(limit=1) as place:
        await place.greeted()
        assert await (await place.dial()).closed()
        assert "already 1 connections" in caplog.text


async def test_a_handler_that_fails_ends_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: Hypervisor) -> None:
        raise LookupError("a mistake")

    server = OvsdbServer(fail)
    port = await server.start("127.0.0.1", 0)
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    await peer.greet()
    assert await peer.closed()
    assert "cannot be served" in caplog.text
    await server.close()
