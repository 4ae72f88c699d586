"""Decoders of what strangers send, as functions of bytes: each must end soon, and say no by what it is declared to say.

The first byte chooses how far a conversation has come, so that what is behind a handshake is reached, too. The same
functions serve hypothesis (`test_targets.py`) and atheris (`atheris_run.py`), which is why nothing here needs pytest.
"""

# ruff: noqa: E501 (lines of data are easier to read whole)

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import Callable
from typing import Any

from commands.language.complete import complete, help_lines
from commands.language.lexer import lex, split_pipes
from commands.language.parse import parse
from commands.language.registry import Mode
from controller.events import Events
from controller.hypervisors.agentlink import Broken
from controller.hypervisors.agentlink import Link as AgentLink
from controller.hypervisors.agents import AgentServer
from controller.openflow import meters, readback, wire
from controller.openflow.connection import Switch
from controller.openflow.errors import OpenFlowError
from controller.ovsdb.connection import BUFFER_LIMIT, Hypervisor
from controller.ovsdb.errors import OvsdbError
from data.candidate import Candidate
from data.errors import NshellError
from data.schema.redaction import redacted
from data.text.hierarchy import read_hierarchy
from data.text.json_form import read_json
from data.text.set_lines import read_set_lines
from nshell.serving.link import Link
from tests.fuzz import packets, routes
from tests.unit.shell.pretend import PretendContext

HELLO = struct.pack("!BBHIHHI", 5, 0, 16, 1, 1, 8, 1 << 5)
ROOT = {
    "bridges": ["set", []], "external_ids": ["map", [["system-id", "hv1"]]], "other_config": ["map", []],
    "ovs_version": "3.1.0", "next_cfg": 0, "cur_cfg": 0, "manager_options": ["set", []],
}  # fmt: skip
CLIENT = b"interactive=0\ncolumns=0\nrows=0\nterm=dumb\nunicode=1\njson=0\nkeep-going=0\n"


class Wire(asyncio.Transport):
    """A transport whose other end is the test."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 4711), "sockname": ("127.0.0.1", 6653)})
        self.sent = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing is sent by itself."""

    def resume_reading(self) -> None:
        """Nothing is sent by itself."""


class Owner:
    """A server that takes note of nothing."""

    def greeted(self, connection: object) -> None:
        assert getattr(connection, "ended", None) is None, "who is gone says no more who it is"

    def ended(self, connection: object, reason: str) -> None:
        assert len(reason) < 1000, "a reason is one line of the log"


class Failed(logging.Handler):
    """An exception that was caught and logged is one that nobody foresaw."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            raise AssertionError(record.getMessage()) from record.exc_info[1]


_failed = Failed(logging.ERROR)
_loop: asyncio.AbstractEventLoop | None = None


def running(work: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """A coroutine function as a target; whatever reaches the loop's last resort fails it."""

    def target(data: bytes) -> None:
        global _loop
        if _loop is None:
            _loop = asyncio.new_event_loop()
        problems: list[dict[str, Any]] = []
        _loop.set_exception_handler(lambda _, context: problems.append(context))
        logging.getLogger("controller").addHandler(_failed)
        try:
            _loop.run_until_complete(work(data))
        finally:
            logging.getLogger("controller").removeHandler(_failed)
        assert not problems, problems

    return target


def pieces(data: bytes) -> list[bytes]:
    """The bytes as they may arrive: in one piece, or cut somewhere."""
    cut = data[0] % (len(data) + 1) if data else 0
    return [data[:cut], data[cut:]] if cut % 3 else [data]


async def settle() -> None:
    """Let tasks go on that wait for nothing."""
    for _ in range(4):
        await asyncio.sleep(0)


async def openflow(data: bytes) -> None:
    """A switch: from its first byte, after the handshake, or in the middle of an answer."""
    switch, line = Switch(Owner(), 5.0), Wire()
    switch.on_flow_event = lambda event: None
    switch.on_packet_in = lambda *arguments: None
    switch.connection_made(line)
    stage, data = data[:1], data[1:]
    asked: list[asyncio.Task[Any]] = []
    if stage and stage[0] % 3:
        switch.data_received(HELLO)
        xid = int.from_bytes(line.sent[-4:], "big")
        switch.data_received(wire.message(wire.FEATURES_REPLY, xid, struct.pack("!QIBB2xII", 7, 0, 254, 0, 0, 0)))
        assert switch.connected
    if stage and stage[0] % 3 == 2:
        for ask in (switch.flows(), switch.flow_count(), switch.software(), switch.meters(), switch.barrier()):
            asked.append(asyncio.ensure_future(ask))
            await asyncio.sleep(0)
        xids = [int.from_bytes(line.sent[at + 4 : at + 8], "big") for at in starts(line.sent)][-5:]
        kinds = (readback.FLOW, readback.AGGREGATE, readback.DESCRIPTION, meters.CONFIG)
        for kind, number in zip(kinds, xids, strict=False):
            if data:
                size, data = data[0], data[1:]
                body, data = data[:size], data[size:]
                switch.data_received(wire.message(wire.MULTIPART_REPLY, number, struct.pack("!HH4x", kind, 0) + body))
    for piece in pieces(data):
        switch.data_received(piece)
    await settle()
    assert len(switch._buffer) < 65536 + len(data)
    switch.connection_lost(None)
    await settle()
    for task in asked:
        try:
            await task
        except OpenFlowError:
            continue
    assert not switch._pending


def starts(stream: bytes | bytearray) -> list[int]:
    """Where the OpenFlow messages of a stream begin."""
    found, at = [], 0
    while at + 8 <= len(stream):
        found.append(at)
        at += int.from_bytes(stream[at + 2 : at + 4], "big")
    return found


async def ovsdb(data: bytes) -> None:
    """A hypervisor's database: from its first byte, as its first tables, or after them."""
    hypervisor, line = Hypervisor(Owner(), 5.0), Wire()
    hypervisor.on_change = lambda _, changes: None
    hypervisor.connection_made(line)
    await settle()
    stage, data = data[:1], data[1:]
    if stage and stage[0] % 3:
        hypervisor.data_received(b'{"id":1,"result":["Open_vSwitch"],"error":null}')
        await settle()
    if stage and stage[0] % 3 == 1:
        hypervisor.data_received(json.dumps({"id": 2, "result": {"Open_vSwitch": {"root": {"new": ROOT}}}}).encode())
        await settle()
        assert hypervisor.connected
    asked = asyncio.ensure_future(hypervisor.transact([{"op": "comment"}])) if hypervisor.connected else None
    for piece in pieces(data):
        hypervisor.data_received(piece)
        await settle()
    if hypervisor.connected:
        for look in (hypervisor.attached, lambda: hypervisor.tunnel_port, lambda: hypervisor.ovs_version):
            look()
        assert hypervisor.system_id is None or isinstance(hypervisor.system_id, str)
    assert len(hypervisor._text) <= BUFFER_LIMIT
    hypervisor.connection_lost(None)
    await settle()
    if asked is not None:
        try:
            await asked
        except OvsdbError:
            return


async def agent(data: bytes) -> None:
    """A hypervisor's agent."""
    server = AgentServer(Events(lambda: 0.0), lambda name: None if name == "hv1" else "not configured")
    protocol, line = server._protocol(), Wire()
    assert isinstance(protocol, asyncio.StreamReaderProtocol)
    protocol.connection_made(line)
    if data and data[0] % 2:
        protocol.data_received(
            b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"system_id":"hv1","version":"1"}}\n'
        )
    for piece in pieces(data[1:]):
        protocol.data_received(piece)
        await settle()
    protocol.eof_received()
    await settle()
    protocol.connection_lost(None)
    await settle()
    await server.close()


async def agent_lines(data: bytes) -> None:
    """The agent's lines one by one."""
    reader = asyncio.StreamReader(limit=1 << 16)
    reader.feed_data(data)
    reader.feed_eof()
    line = asyncio.StreamWriter(Wire(), asyncio.StreamReaderProtocol(reader), reader, asyncio.get_running_loop())
    link = AgentLink(reader, line)
    try:
        while (message := await link.read(1.0)) is not None:
            link.answered(message)
    except Broken as problem:
        assert len(str(problem)) < 1000


async def frames(data: bytes) -> None:
    """A client of the unix socket: its hello, its work, and the frames of a session."""
    reader = asyncio.StreamReader()
    stage, data = data[:1], data[1:]
    if stage and stage[0] % 2:
        data = b"H" + len(CLIENT).to_bytes(4, "big") + CLIENT + data
    reader.feed_data(data)
    reader.feed_eof()
    line = asyncio.StreamWriter(Wire(), asyncio.StreamReaderProtocol(reader), reader, asyncio.get_running_loop())
    link = Link(reader, line)
    try:
        await link.greet()
        for batch in await link.work() if not (stage and stage[0] % 4 == 3) else ():
            assert batch.lines is not None
        await link.pump()
    except (ValueError, asyncio.IncompleteReadError, ConnectionError, NshellError):
        return


_contexts: list[PretendContext] = []


def grammar(data: bytes) -> None:
    """A command line in either mode, interactive or not."""
    if not _contexts:
        _contexts.extend(PretendContext(mode=mode, interactive=True) for mode in (Mode.OPERATIONAL, Mode.CONFIGURE))
    text = data[1:].decode("utf-8", "replace")
    context = _contexts[data[0] % 2 if data else 0]
    redacted(text, context.level)
    if "scheduled" not in text and not text.lstrip().startswith(("clear", "run cl", "c")):
        complete(context.mode, text, context)
        help_lines(context.mode, text, context)
    try:
        for number, part in enumerate(split_pipes(lex(text).words)):
            parse(Mode.PIPE if number else context.mode, part, context, True)
    except NshellError as problem:
        assert str(problem)


def text_target(read: Callable[[str], object]) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        try:
            read(data.decode("utf-8", "replace"))
        except NshellError as problem:
            assert str(problem) and len(str(problem)) < 10 * len(data) + 2000

    return target


def loading(text: str) -> None:
    """Lines with every verb, on a candidate."""
    Candidate(_running(), "ops").load("set", text)


def _running() -> Any:
    if not _contexts:
        grammar(b"")
    return _contexts[0].running


TARGETS: dict[str, Callable[[bytes], None]] = {
    "grammar": grammar,
    "hierarchy": text_target(lambda text: read_hierarchy(text, "test")),
    "json": text_target(lambda text: read_json(text, "test")),
    "set-lines": text_target(lambda text: read_set_lines(text.splitlines(), "test")),
    "load-set": text_target(loading),
    "openflow": running(openflow),
    "ovsdb": running(ovsdb),
    "agent": running(agent),
    "agent-lines": running(agent_lines),
    "frames": running(frames),
    **packets.TARGETS,
    **routes.TARGETS,
}
"""By name: a function that must return for any bytes."""

SEEDS: dict[str, list[bytes]] = {
    "grammar": [b"\0show vports enterprise acme | match x | count", b"\1set enterprise acme domain prod vport web-1 type host"],
    "hierarchy": [b'enterprise acme {\n  /* x */ inactive: domain prod { description "a b"; vport v { address [ 10.1.1.1 ]; } }\n}\n'],
    "json": [b'{"enterprise": {"acme": {"@inactive": true, "domain": {"prod": {"vport": {"v": {"address": ["10.1.1.1"]}}}}}}}'],
    "set-lines": [b'set enterprise acme domain prod vport v address [ 10.1.1.1 ] description "x"\nannotate enterprise acme "y"\n'],
    "load-set": [b"rename enterprise acme to b\ncopy enterprise b to c\ndelete enterprise b\ndeactivate enterprise c\n"],
    "openflow": [
        b"\0" + HELLO,
        b"\1" + wire.message(wire.ERROR, 3, struct.pack("!HH", 1, 5) + HELLO),
        b"\1" + wire.message(wire.PACKET_IN, 3, bytes(40)) + wire.message(wire.MULTIPART_REPLY, 9, struct.pack("!HH4x", 16, 0) + bytes(40)),
        b"\1" + wire.message(wire.PACKET_IN, 3, struct.pack("!IHBBQHHHBBIHBBI", 0, 60, 1, 3, 7, 1, 20, 0x8000, 0, 4, 1, 1, 6, 4, 9) + bytes(6)),
        b"\2\0\x18" + bytes(24) + b"\0\x18" + struct.pack("!HHIHHII4x", 24, 5, 9, 1, 16, 1000, 100),
        b"\2\x38" + struct.pack("!HBxIIHHHHH2xQQQHH4x", 56, 3, 9, 0, 7, 0, 0, 0, 0, 1, 2, 3, 1, 4) + b"\x18" + bytes(24) + b"\0",
    ],
    "ovsdb": [
        b"\0" + b'{"id":1,"result":["Open_vSwitch"],"error":null}',
        b"\1" + json.dumps({"method": "update", "params": ["nshell", {"Open_vSwitch": {"root": {"new": ROOT, "old": {}}}}]}).encode(),
        b"\1" + json.dumps({"method": "update", "params": ["nshell", {"Interface": {"u": {"new": {"name": "t", "ofport": 1, "external_ids": ["map", [["iface-id", "x"]]]}}}, "Port": {"p": {"new": {"name": "t", "interfaces": ["uuid", "u"]}}}}]}).encode(),
        b"\2" + json.dumps({"id": 2, "result": {"Open_vSwitch": {"root": {"new": ROOT}}}}).encode(),
    ],
    "agent": [b'\0{"jsonrpc":"2.0","id":1,"method":"hello","params":{"system_id":"hv1","version":"1"}}\n', b'\1{"id":7,"result":1}\n'],
    "agent-lines": [b'{"id":1,"error":{"message":"x"}}\n{"method":"ping"}\n'],
    **packets.SEEDS,
    **routes.SEEDS,
    "frames": [b"\1C\0\0\0\x04showB\0\0\0\x09f\0set\nxyZ\0\0\0\0", b"\3W\0\0\0\x04\0\x50\0\x18D\0\0\0\1x"],
}  # fmt: skip
"""Valid beginnings from which mutations start."""
