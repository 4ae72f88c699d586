"""A switch that is a dictionary, with a fault on demand at any step of a bundle: what the transaction's tests break."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from controller.openflow import meters
from controller.openflow.actions import Action
from controller.openflow.errors import BundleRefused, RequestRefused, SwitchGone
from controller.openflow.packed import cookie, flow_key, instructions, is_delete, priority_of, table_of
from controller.openflow.readback import FlowEntry
from controller.openflow.wire import ALL_TABLES

STEPS = ("open", "add", "close", "commit", "barrier")


class PretendSwitch:
    """Flows and meters by key. `fail[step]` is what that step of the next bundle raises, "refuse" or "lose"; the step
    "meters" is any sending of meter-mods, of which the first is then refused."""

    def __init__(self, name: str, log: list[str] | None = None) -> None:
        self.name = name
        self.held: dict[bytes, bytes] = {}
        self.limits: dict[bytes, bytes] = {}
        self.fail: dict[str, str] = {}
        self.log = [] if log is None else log
        self.open_bundles = 0
        self.gone = False
        self.progress = 0
        self.flushed: list[int] = []

    def bundle(self) -> PretendBundle:
        return PretendBundle(self)

    async def flows(self, table: int = ALL_TABLES) -> list[FlowEntry]:
        await asyncio.sleep(0)
        return [
            FlowEntry(table_of(msg), priority_of(msg), cookie(msg), key[3:], instructions(msg), 0, 0, 0)
            for key, msg in self.held.items()
            if table in (ALL_TABLES, table_of(msg))
        ]

    async def flow_count(self, table: int = ALL_TABLES) -> int:
        return len(await self.flows(table))

    async def meters(self) -> list[bytes]:
        await asyncio.sleep(0)
        return list(self.limits.values())

    async def send(self, messages: Sequence[bytes]) -> list[RequestRefused | None]:
        try:
            await self.step("meters")
        except BundleRefused:
            return [RequestRefused(12, 7), *(self._obey(message) for message in messages[1:])]
        return [self._obey(message) for message in messages]

    def _obey(self, mod: bytes) -> RequestRefused | None:
        """As Open vSwitch: a meter that goes takes the flows along that use it."""
        at, there = meters.key(mod), meters.key(mod) in self.limits
        if meters.command(mod) == meters.DELETE:
            user = (6).to_bytes(2, "big") + (8).to_bytes(2, "big") + mod[12:16]
            self.held = {key: flow for key, flow in self.held.items() if instructions(flow)[:8] != user}
            self.limits.pop(at, None)
        elif meters.command(mod) == meters.ADD and there:
            return RequestRefused(12, 1)
        elif meters.command(mod) == meters.MODIFY and not there:
            return RequestRefused(12, 3)
        else:
            self.limits[at] = mod[:8] + bytes(2) + mod[10:]
        return None

    def packet_out(self, frame: bytes, actions: Sequence[Action]) -> bool:
        return not self.gone

    def close(self, reason: str) -> None:
        self.gone = True

    async def flush_conntrack(self, zone: int) -> None:
        self.flushed.append(zone)

    async def step(self, step: str) -> None:
        await asyncio.sleep(0)
        self.progress += 1
        if self.gone:
            raise SwitchGone("connection lost")
        what = self.fail.pop(step, None)
        if what == "refuse":
            raise BundleRefused(RequestRefused(4, 9))
        if what == "lose":
            self.gone = True
            raise SwitchGone("connection lost")
        self.log.append(f"{self.name} {step}")


class PretendBundle:
    """All or nothing on a PretendSwitch."""

    def __init__(self, switch: PretendSwitch) -> None:
        self.switch = switch
        self.messages: list[bytes] = []

    @property
    def count(self) -> int:
        return len(self.messages)

    async def open(self) -> None:
        await self.switch.step("open")
        self.switch.open_bundles += 1

    async def add(self, flow_mods: Iterable[bytes]) -> None:
        try:
            await self.switch.step("add")
        except BundleRefused:
            self.switch.fail["close"] = "refuse"  # as Open vSwitch: errors while filling come out when it is closed
        self.messages += flow_mods

    async def close(self) -> None:
        try:
            await self.switch.step("close")
        except BundleRefused:
            await self.discard()
            raise

    async def commit(self) -> None:
        try:
            await self.switch.step("commit")
        finally:
            self.switch.open_bundles -= 1
        for message in self.messages:
            if is_delete(message):
                self.switch.held.pop(flow_key(message), None)
            else:
                self.switch.held[flow_key(message)] = message
        await self.switch.step("barrier")

    async def discard(self) -> None:
        self.switch.open_bundles -= 1
        self.switch.log.append(f"{self.switch.name} discard")
