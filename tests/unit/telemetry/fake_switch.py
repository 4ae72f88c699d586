"""A switch that counts: flows that come, go, count and begin anew, told as Open vSwitch tells them, in bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from controller.openflow import statistics, wire
from controller.openflow.errors import RequestRefused
from controller.pipeline import Feature, Owner, Table, cookie

_FLOW = struct.Struct("!HBxIIHHHHH2xQQQ")


@dataclass
class Flow:
    table: int
    cookie: int
    port: int
    made: float
    packets: int = 0
    octets: int = 0
    meter: int | None = None
    endpoints: tuple[bytes, ...] = ()

    @property
    def match(self) -> bytes:
        """One field: in_port."""
        return struct.pack("!HHII", 1, 12, 0x80000004, self.port) + bytes(4)

    def instructions(self) -> bytes:
        meter = b"" if self.meter is None else struct.pack("!HHI", wire.METER, 8, self.meter)
        acts = b"".join(
            struct.pack("!HHI", wire.SET_FIELD, 16, int.from_bytes(wire.FIELDS["tun_ipv4_dst"].oxm(), "big"))
            + to
            + bytes(4)
            for to in self.endpoints
        )
        return meter + (struct.pack("!HH4x", wire.APPLY_ACTIONS, 8 + len(acts)) + acts if acts else b"")


@dataclass
class CountingSwitch:
    """`now` is its clock. `removed` gets the messages of flows that went."""

    now: float = 1000.0
    flows: dict[tuple[int, int], Flow] = field(default_factory=dict)
    meters: dict[int, tuple[int, float]] = field(default_factory=dict)
    ports: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    removed: list[bytes] = field(default_factory=list)
    asked: list[tuple[int, bytes]] = field(default_factory=list)
    tells_tables: bool = True

    def add(self, table: int, flow_cookie: int, port: int, **more: object) -> Flow:
        flow = self.flows[table, port] = Flow(table, flow_cookie, port, self.now, **more)  # type: ignore[arg-type]
        return flow

    def vport(self, number: int, port: int) -> tuple[Flow, Flow]:
        """The flows that count what a vport sends and gets."""
        return (
            self.add(Table.CLASSIFY, cookie(Owner.VPORT, Feature.RECEIVED, number), port),
            self.add(Table.DELIVER, cookie(Owner.VPORT, Feature.DELIVERED, number), port),
        )

    def remove(self, table: int, port: int) -> bytes:
        """A flow goes; the message that says so, which may come later."""
        return self.farewell(self.flows.pop((table, port)))

    def farewell(self, flow: Flow) -> bytes:
        """What is said of a flow that is gone."""
        seconds, fraction = divmod(self.now - flow.made, 1)
        head = struct.pack(
            "!QHBBIIHHQQ",
            flow.cookie,
            100,
            2,
            flow.table,
            int(seconds),
            int(fraction * 1e9),
            0,
            0,
            flow.packets,
            flow.octets,
        )
        return head + flow.match

    def restart(self) -> None:
        """As a new process: no flow, no meter, no word of those there were."""
        self.flows.clear()
        self.meters.clear()
        self.ports.clear()

    def _age(self, made: float) -> tuple[int, int]:
        seconds, fraction = divmod(self.now - made, 1)
        return int(seconds), int(fraction * 1e9)

    async def multipart(self, kind: int, body: bytes) -> list[bytes]:
        self.asked.append((kind, body))
        if kind == statistics.FLOW:
            table, (wanted, mask) = body[0], struct.unpack_from("!QQ", body, 16)
            return [
                b"".join(self._flow(flow) for flow in self.flows.values()
                         if flow.table == table and flow.cookie & mask == wanted & mask)
            ]  # fmt: skip
        if kind == statistics.TABLE:
            tables = [table for table, _ in self.flows] if self.tells_tables else []
            return [b"".join(struct.pack("!B3xIQQ", one, tables.count(one), 0, 0) for one in sorted(set(tables)))]
        if kind == statistics.METER:
            return [
                b"".join(
                    struct.pack("!IH6xIQQIIQQ", number, 56, 1, 0, 0, *self._age(made), dropped, dropped * 100)
                    for number, (dropped, made) in self.meters.items()
                )
            ]
        number = int.from_bytes(body[:4], "big")
        if number not in self.ports:
            raise RequestRefused(13, 5)
        received, sent, made = self.ports[number]
        head = struct.pack("!H2xIIIQQQQ", 80, number, *self._age(made), 0, 0, received, sent)
        return [head + bytes(80 - len(head))]

    def _flow(self, flow: Flow) -> bytes:
        rest = flow.match + flow.instructions()
        head = _FLOW.pack(
            48 + len(rest), flow.table, *self._age(flow.made), 100, 0, 0, 0, 0, flow.cookie, flow.packets, flow.octets
        )
        return head + rest
