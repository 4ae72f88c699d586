"""Hypervisors that are only protocol: `… -m tests.bench.fake_switch COUNT OVSDB_PORT OPENFLOW_PORT VPORTS`.

One asyncio process plays COUNT hypervisors, named f0, f1, …: each dials the controller's OVSDB port as ovsdb-server
would, with VPORTS interfaces that appear once the controller has made the bridge, and its OpenFlow port as ovs-vswitchd
would. Flows and meters are kept as they were sent, so that reading them back gives what was programmed; with BUSY in
their environment the flows of every second object count 1,000 packets a second. Standard output gets a JSON line every
0.2 s: how many are connected, how many flows they hold, how many bundles were committed. The process ends when its
standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from tests.bench.fake_ovsdb import Database
from tests.bench.objects import fleet_domain

VERSION = 5  # OpenFlow 1.4
HEADER = struct.Struct("!BBHI")
FEATURES = struct.Struct("!QIBB2xII")
STATS = struct.Struct("!HBxIIHHHHH2xQQQ")
CHUNK = 60_000  # bytes of flow statistics in one multipart message, which may have 65,535

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FEATURES_REQUEST, FEATURES_REPLY = 0, 1, 2, 3, 5, 6
METER_MOD, FLOW_MOD, MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 29, 14, 18, 19, 20, 21
ROLE_REQUEST, ROLE_REPLY, BUNDLE_CONTROL, BUNDLE_ADD = 24, 25, 33, 34
MULTIPART_FLOW, MULTIPART_TABLE, MULTIPART_METER_CONFIG, MORE = 1, 3, 10, 1
COUNTING = frozenset({0, 10, 20, 27, 30})  # tables whose flows count: classify, acl, switch, deliver
BUSY = bool(os.environ.get("BUSY"))
METER_FAILED, METER_EXISTS, METER_UNKNOWN = 12, 1, 3
BUNDLE_CLOSE, BUNDLE_COMMIT, BUNDLE_DISCARD = 2, 4, 6
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = range(5)
STARTED = time.monotonic()


class Counters:
    """What all switches of the process did."""

    connected = 0
    commits = 0


class Switch(asyncio.Protocol):
    """The OpenFlow side of one hypervisor."""

    def __init__(self, datapath_id: int, counters: Counters) -> None:
        self.datapath_id = datapath_id
        self.counters = counters
        self.flows: dict[bytes, bytes] = {}
        self.meters: dict[bytes, bytes] = {}  # number -> flags, number and bands
        self.bundles: dict[int, list[bytes]] = {}
        self.buffer = bytearray()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counters.connected += 1
        self.send(HELLO, 0, struct.pack("!HHI", 1, 8, 1 << VERSION))

    def connection_lost(self, exc: Exception | None) -> None:
        self.counters.connected -= 1

    def send(self, kind: int, xid: int, body: bytes = b"") -> None:
        self.transport.write(HEADER.pack(VERSION, kind, 8 + len(body), xid) + body)

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer
        buffer += data
        at, end = 0, len(buffer)
        while end - at >= 8:
            _, kind, length, xid = HEADER.unpack_from(buffer, at)
            if end - at < length:
                break
            self.message(kind, xid, bytes(buffer[at + 8 : at + length]))
            at += length
        del buffer[:at]

    def message(self, kind: int, xid: int, body: bytes) -> None:
        if kind == ECHO_REQUEST:
            self.send(ECHO_REPLY, xid, body)
        elif kind == FEATURES_REQUEST:
            self.send(FEATURES_REPLY, xid, FEATURES.pack(self.datapath_id, 0, 254, 0, 0x4F, 0))
        elif kind == BARRIER_REQUEST:
            self.send(BARRIER_REPLY, xid)
        elif kind == ROLE_REQUEST:
            self.send(ROLE_REPLY, xid, body)
        elif kind == MULTIPART_REQUEST:
            self.multipart(xid, body)
        elif kind == BUNDLE_CONTROL:
            self.bundle(xid, *struct.unpack_from("!IHH", body))
        elif kind == BUNDLE_ADD:
            self.bundles[int.from_bytes(body[:4], "big")].append(body[8:])
        elif kind == METER_MOD:
            self.meter(xid, body)
        elif kind == FLOW_MOD:
            self.obey(HEADER.pack(VERSION, kind, 8 + len(body), xid) + body)

    def bundle(self, xid: int, number: int, kind: int, flags: int) -> None:
        if kind == BUNDLE_COMMIT:
            for message in self.bundles.pop(number):
                self.obey(message)
            self.counters.commits += 1
        elif kind == BUNDLE_DISCARD:
            self.bundles.pop(number, None)
        elif kind != BUNDLE_CLOSE:
            self.bundles[number] = []
        self.send(BUNDLE_CONTROL, xid, struct.pack("!IHH", number, kind + 1, flags))

    def obey(self, message: bytes) -> None:
        """A flow-mod: add and strict delete as Open vSwitch does; any other delete empties the table."""
        if message[1] != FLOW_MOD:
            return
        command, table = message[25], message[24]
        match = 48 + (int.from_bytes(message[50:52], "big") + 7) // 8 * 8
        key = message[24:25] + message[30:32] + message[48:match]
        if command == ADD:
            self.flows[key] = message
        elif command == DELETE_STRICT:
            self.flows.pop(key, None)
        elif command == DELETE:
            for held in [held for held in self.flows if table in (255, held[0])]:
                del self.flows[held]

    def meter(self, xid: int, body: bytes) -> None:
        """A meter-mod. The flows of a meter that goes stay: nobody who counts flows here removes a meter in use."""
        command, number = int.from_bytes(body[:2], "big"), body[4:8]
        if (command == ADD) == (number in self.meters) and command in (ADD, MODIFY):
            code = METER_EXISTS if command == ADD else METER_UNKNOWN
            refused = HEADER.pack(VERSION, METER_MOD, 8 + len(body), xid) + body
            self.send(ERROR, xid, struct.pack("!HH", METER_FAILED, code) + refused)
        elif command in (ADD, MODIFY):
            self.meters[number] = body[2:]
        else:
            self.meters.pop(number, None)

    def asked(self, body: bytes) -> Iterator[bytes]:
        """The flows of the table, and with the cookie, that a request for flow statistics names."""
        table, (cookie, mask) = body[8], struct.unpack_from("!QQ", body, 24)
        for message in self.flows.values():
            if table in (255, message[24]) and int.from_bytes(message[8:16], "big") & mask == cookie & mask:
                yield message

    def statistics(self, message: bytes) -> bytes:
        """One flow, and what it has counted since the process began."""
        age, cookie = time.monotonic() - STARTED, int.from_bytes(message[8:16], "big")
        packets = int(age * 1000) if BUSY and message[24] in COUNTING and cookie & 1 else 0
        seconds, fraction = divmod(age, 1)
        priority = int.from_bytes(message[30:32], "big")
        head = STATS.pack(
            len(message), message[24], int(seconds), int(fraction * 1e9), priority, 0, 0, 0, 0, cookie, packets,
            packets * 500,
        )  # fmt: skip
        return head + message[48:]

    def multipart(self, xid: int, body: bytes) -> None:
        kind = int.from_bytes(body[:2], "big")
        part = bytearray()
        for config in self.meters.values() if kind == MULTIPART_METER_CONFIG else ():
            if len(part) > CHUNK:
                self.send(MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, MORE) + bytes(part))
                part.clear()
            part += struct.pack("!H", 2 + len(config)) + config
        for message in self.asked(body) if kind == MULTIPART_FLOW else ():
            if len(part) > CHUNK:
                self.send(MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, MORE) + bytes(part))
                part.clear()
            part += self.statistics(message)
        if kind == MULTIPART_TABLE:
            tables = [message[24] for message in self.flows.values()]
            part += b"".join(struct.pack("!B3xIQQ", table, tables.count(table), 0, 0) for table in sorted(set(tables)))
        self.send(MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, 0) + bytes(part))


async def dial(factory: Callable[[], asyncio.Protocol], port: int) -> asyncio.Protocol:
    """Connect to the controller, trying again for ten seconds while it is not there yet."""
    loop = asyncio.get_running_loop()
    for _ in range(100):
        try:
            _, protocol = await loop.create_connection(factory, "127.0.0.1", port)
            return protocol
        except ConnectionRefusedError:
            await asyncio.sleep(0.1)
    raise ConnectionRefusedError(f"nothing listens on port {port}")


async def hypervisor(number: int, ports: Mapping[str, int], vports: int, counters: Counters) -> Switch:
    """One hypervisor: its database first; its switch dials when the database says where to."""
    database = Database(f"f{number}", fleet_domain(number), vports)
    await dial(lambda: database, ports["ovsdb"])
    await database.openflow_target.wait()
    switch = Switch(database.datapath_id, counters)
    await dial(lambda: switch, ports["openflow"])
    database.switch_connected()
    return switch


async def main(count: int, ovsdb_port: int, openflow_port: int, vports: int) -> None:
    counters = Counters()
    ports = {"ovsdb": ovsdb_port, "openflow": openflow_port}
    starting = [asyncio.ensure_future(hypervisor(number, ports, vports, counters)) for number in range(count)]
    input_ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not input_ended.done():
        switches = [each.result() for each in starting if each.done()]
        print(
            json.dumps(
                {
                    "connected": counters.connected,
                    "commits": counters.commits,
                    "flows": sum(len(switch.flows) for switch in switches),
                }
            ),
            flush=True,
        )
        await asyncio.wait([input_ended], timeout=0.2)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:5])))
