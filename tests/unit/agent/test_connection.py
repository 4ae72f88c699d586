"""The agent's connection to the controller, both ends in one process and each end against a broken other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from agent import rpc
from controller.events import Events
from controller.hypervisors import agents
from controller.hypervisors.agents import AgentServer
from data.errors import CommandFailed

HELLO = b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"system_id":"%s","version":"t"}}\n'


@pytest.fixture
async def server() -> AsyncIterator[AgentServer]:
    server = AgentServer(Events(), lambda name: None if name.startswith("hv") else "not configured")
    await server.start("127.0.0.1", 0)
    yield server
    await server.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def dial(server: AgentServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert server.port is not None
    return await asyncio.open_connection("127.0.0.1", server.port)


def said(server: AgentServer) -> str:
    return "\n".join(event.text for event in server._events)


@pytest.fixture
async def agent(server: AgentServer) -> AsyncIterator[rpc.Controller]:
    async def echo(params: Mapping[str, Any]) -> Any:
        if params.get("fail"):
            raise CommandFailed("echo", "it does not want to", "ask nicely")
        if params.get("crash"):
            raise ZeroDivisionError
        return params if "size" not in params else "x" * params["size"]

    assert server.port is not None
    controller = rpc.Controller("127.0.0.1", server.port, {"system_id": "hv1", "version": "1"}, {"echo": echo})
    task = asyncio.create_task(controller.run())
    await until(lambda: server.agent("hv1"))
    yield controller
    task.cancel()


async def test_a_call_comes_back_with_its_result_or_the_agents_own_words(
    server: AgentServer, agent: rpc.Controller
) -> None:
    assert await server.call("hv1", "echo", {"a": 1}) == {"a": 1}
    with pytest.raises(CommandFailed, match="does not want to") as caught:
        await server.call("hv1", "echo", {"fail": True})
    assert caught.value.remedy == "ask nicely"
    with pytest.raises(CommandFailed, match="see its log"):
        await server.call("hv1", "echo", {"crash": True})
    with pytest.raises(CommandFailed, match="no method"):
        await server.call("hv1", "nothing")
    with pytest.raises(CommandFailed, match="larger than"):
        await server.call("hv1", "echo", {"size": rpc.LINE_LIMIT})
    with pytest.raises(CommandFailed, match="not connected"):
        await server.call("hv2", "echo")


async def test_peers_are_told_at_hello_and_on_change_alone(server: AgentServer) -> None:
    server.set_peers("hv1", ["172.31.0.3", "172.31.0.2", "172.31.0.2"])
    reader, writer = await dial(server)
    writer.write(HELLO % b"hv1")
    assert json.loads(await reader.readline())["result"] == {"accepted": True}
    assert json.loads(await reader.readline())["params"] == {"peers": ["172.31.0.2", "172.31.0.3"]}
    server.set_peers("hv1", ["172.31.0.2", "172.31.0.3"])
    server.set_peers("hv1", [])
    assert json.loads(await reader.readline())["params"] == {"peers": []}
    writer.close()


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00\xff\xfe garbage\n",
        b"[]\n",
        b'{"method":"hello"}\n',
        b'{"method":"hello","params":{"system_id":""}}\n',
        b'{"method":"hello","params":{"system_id":7}}\n',
        b'{"method":"hello","params":["hv1"]}\n',
        b'{"method":"trace","params":{"system_id":"hv1"}}\n',
        b"[" * 100_000 + b"\n",
        b"x" * (agents.LINE_LIMIT + 10),
    ],
    ids=lambda noise: repr(noise[:24]),
)
async def test_garbage_is_closed_and_logged_and_the_others_go_on(
    server: AgentServer, agent: rpc.Controller, noise: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await dial(server)
    writer.write(noise)
    async with asyncio.timeout(5):
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionError:
            pass
    assert caplog.text.count("; closed") == 1 and "; closed" not in said(server)
    assert await server.call("hv1", "echo", {"still": "here"}) == {"still": "here"}
    writer.close()


async def test_who_says_nothing_is_closed_after_the_hello_timeout(
    server: AgentServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(agents, "HELLO_TIMEOUT", 0.1)
    reader, writer = await dial(server)
    assert await reader.read() == b""
    assert "no hello within" in caplog.text
    writer.close()


async def test_an_unknown_hypervisor_is_refused_with_the_reason_and_one_event(server: AgentServer) -> None:
    for _ in range(3):
        reader, writer = await dial(server)
        writer.write(HELLO % b"stranger")
        assert json.loads(await reader.readline())["error"]["message"] == "not configured"
        assert await reader.read() == b""
        writer.close()
    assert said(server).count("refused") == 1


async def test_the_older_connection_stays_while_it_answers(server: AgentServer, agent: rpc.Controller) -> None:
    reader, writer = await dial(server)
    writer.write(HELLO % b"hv1")
    assert "is connected already" in json.loads(await reader.readline())["error"]["message"]
    assert await server.call("hv1", "echo", {"a": 1}) == {"a": 1}
    writer.close()


async def test_the_older_connection_is_replaced_when_it_does_not_answer(
    server: AgentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "PING_TIMEOUT", 0.1)
    _, dead = await dial(server)
    dead.write(HELLO % b"hv1")
    await until(lambda: server.agent("hv1"))
    first = server.agent("hv1")
    reader, writer = await dial(server)
    writer.write(HELLO % b"hv1")
    assert json.loads(await reader.readline())["result"] == {"accepted": True}
    assert server.agent("hv1") is not None and server.agent("hv1") != first
    assert "does not answer; replaced" in said(server)
    writer.close()
    dead.close()


async def test_a_half_open_connection_is_noticed(server: AgentServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "IDLE_LIMIT", 0.1)
    monkeypatch.setattr(agents, "PING_TIMEOUT", 0.1)
    _, silent = await dial(server)
    silent.write(HELLO % b"hv1")
    await until(lambda: server.agent("hv1"))
    await until(lambda: server.agent("hv1") is None)
    assert "does not answer a ping" in said(server)
    silent.close()


async def test_a_call_that_is_not_answered_times_out_and_one_whose_agent_leaves_fails(
    server: AgentServer,
) -> None:
    _, writer = await dial(server)
    writer.write(HELLO % b"hv1")
    await until(lambda: server.agent("hv1"))
    with pytest.raises(CommandFailed, match="no answer to trace"):
        await server.call("hv1", "trace", {}, timeout=0.05)
    waiting = asyncio.create_task(server.call("hv1", "trace"))
    await asyncio.sleep(0.02)
    writer.close()
    with pytest.raises(CommandFailed, match="connection was lost"):
        await waiting
    await until(lambda: server.agent("hv1") is None)


async def test_the_agent_dials_again_after_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def no_sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            raise asyncio.CancelledError

    monkeypatch.setattr(rpc.asyncio, "sleep", no_sleep)
    with pytest.raises(asyncio.CancelledError):
        await rpc.Controller("127.0.0.1", 1, {"system_id": "hv1"}, {}).run()
    assert pauses == [1, 2, 4, 8, 8, 8]


async def test_the_agent_survives_a_controller_that_speaks_garbage() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xff\xff\n[1]\n")
        writer.close()

    listener = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    task = asyncio.create_task(rpc.Controller("127.0.0.1", port, {"system_id": "hv1"}, {}).run())
    await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    listener.close()
