"""The way to one hypervisor's switch: one at a time, ready or not, and what is owed to it meanwhile.

    no switch ──connected──> owing ──reconciled, debts paid──> ready ──lost──> no switch
                               │                                │
                    changes are noted in `owed`        changes are sent as bundles

A channel is `ready` while its flows are known to equal the committed configuration. While it is being reconciled,
committed changes are only noted, and sent at the end of the reconcile (`reconcile.py`).

A bundle takes flows only. So that no flow ever names a meter that is not there, new meters are made before the bundle
is filled, and meters change or go after it was carried out:

    prepare: meters added ── barrier ── bundle filled        commit: bundle ── barrier ── meters changed, removed
    discard: bundle thrown away ── the added meters removed
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from controller.hypervisors.patience import patience
from controller.openflow import meters
from controller.openflow.actions import Action
from controller.openflow.bundle import Bundle
from controller.openflow.errors import BundleRefused, MeterRefused, RequestRefused, SwitchGone
from controller.openflow.messages import Phase, key, phase
from controller.openflow.order import in_order
from controller.openflow.readback import FlowEntry
from controller.openflow.text import describe
from controller.openflow.wire import ALL_TABLES, METER, METER_MOD
from data.steps import spread

__all__ = ["Channel", "Prepared", "Switch"]

METER_KEY = bytes((meters.KEY,))  # what the key of a meter begins with; its number follows
_METERED = struct.pack("!HH", METER, 8)  # the instruction that names a meter; its number follows


class Switch(Protocol):
    """What a change needs of an OpenFlow connection (`controller.openflow.connection.Switch`)."""

    progress: int

    def bundle(self) -> Bundle: ...

    async def multipart(self, kind: int, body: bytes) -> list[bytes]: ...

    async def flows(self, table: int = ALL_TABLES) -> list[FlowEntry]: ...

    async def meters(self) -> list[bytes]: ...

    async def flow_count(self, table: int = ALL_TABLES) -> int: ...

    async def send(self, messages: Sequence[bytes]) -> list[RequestRefused | None]: ...

    async def flush_conntrack(self, zone: int) -> None: ...

    def packet_out(self, frame: bytes, actions: Sequence[Action]) -> bool: ...

    def close(self, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bundle that the switch has taken in whole and not yet carried out. `started` is a time.perf_counter().

    `added` are meters that were made for it, `late` meter-mods for afterwards.
    """

    channel: Channel
    switch: Switch
    bundle: Bundle
    started: float
    added: Sequence[bytes] = ()
    late: Sequence[bytes] = ()

    async def commit(self) -> float:
        """Carries it out; milliseconds from the preparation to the switch's last barrier reply.

        Raises BundleRefused (nothing was carried out), MeterRefused (the bundle was, and not all that is late) or
        SwitchGone.
        """
        self.channel.pushes += 1
        with patience(self.switch, self.bundle.count):
            try:
                await self.bundle.commit()
            except BundleRefused:
                await _take_back(self.switch, self.added)
                raise
        if self.late:
            with patience(self.switch, len(self.late)):
                await _carry_out(self.switch, self.late)
        for mod in (*self.added, *self.late):
            self.channel.lacking.pop(key(mod), None)
        self.channel.pushes += 1
        return (time.perf_counter() - self.started) * 1000

    async def discard(self) -> None:
        """Throws it away; a switch that is gone has done so already."""
        with patience(self.switch):
            await self.bundle.discard()
            await _take_back(self.switch, self.added)


class Channel:
    """One hypervisor's switch as the controller changes it."""

    __slots__ = ("lacking", "name", "owed", "pushes", "ready", "switch")

    def __init__(self, name: str) -> None:
        self.name = name
        self.switch: Switch | None = None
        self.ready = False
        self.owed: list[bytes] = []
        self.lacking: dict[bytes, bytes] = {}  # meters that somebody removed, and that are only reported: key -> ADD
        self.pushes = 0  # counts the begins and ends of our own changes: a read between two equal counts is clean

    def connected(self, switch: Switch) -> None:
        """A new connection: nothing is known of its flows, so nothing is owed yet either."""
        self.switch, self.ready, self.owed, self.lacking = switch, False, [], {}

    def lost(self) -> None:
        """The connection is gone; what was owed will be found by the next reconcile."""
        self.switch, self.ready, self.owed, self.lacking = None, False, [], {}

    async def prepare(self, messages: Sequence[bytes]) -> Prepared:
        """Makes new meters, fills a bundle and has it checked.

        Raises MeterRefused, BundleRefused or SwitchGone, and leaves nothing open then.
        """
        switch = self.switch
        if switch is None:
            raise SwitchGone("not connected")
        started = time.perf_counter()
        flows, early, late = _phases([*self._needed(messages), *messages] if self.lacking else messages)
        flows = await spread(in_order(flows))
        with patience(switch):
            added: list[bytes] = []
            if early:
                self.pushes += 1
                added = await _carry_out(switch, early)
            try:
                bundle = switch.bundle()
                await bundle.open()
                await bundle.add(flows)
                await bundle.close()
            except BaseException:
                await _take_back(switch, added)
                raise
        return Prepared(self, switch, bundle, started, added, late)

    def _needed(self, messages: Sequence[bytes]) -> list[bytes]:
        """Meters that are lacking and that flows of a change name: it would be refused without them."""
        found: dict[bytes, bytes] = {}
        for message in messages:
            at = -1 if message[1] == METER_MOD else message.find(_METERED)
            while at >= 0:
                name = METER_KEY + message[at + 4 : at + 8]
                if name in self.lacking:
                    found[name] = self.lacking[name]
                at = message.find(_METERED, at + 1)
        return list(found.values())

    async def forget_connections(self, zone: int) -> None:
        """Empties a conntrack zone; nothing when there is no switch. Raises RequestRefused or SwitchGone."""
        if self.switch is not None:
            with patience(self.switch):
                await self.switch.flush_conntrack(zone)

    async def push(self, messages: Sequence[bytes]) -> float:
        """One bundle there and behind a barrier; milliseconds. Raises BundleRefused, MeterRefused or SwitchGone."""
        if not messages:
            return 0.0
        return await (await self.prepare(messages)).commit()


def _phases(messages: Sequence[bytes]) -> tuple[Sequence[bytes], list[bytes], list[bytes]]:
    """The flow-mods, the early and the late meter-mods of a change.

    What is owed may be several changes one behind the other: a meter that one of them removes and a later one makes
    again stays, and the ADD then finds it there.
    """
    mods = [message for message in messages if message[1] == METER_MOD]
    if not mods:
        return messages, [], []
    flows = [message for message in messages if message[1] != METER_MOD]
    early: dict[bytes, bytes] = {}
    late: dict[bytes, bytes] = {}
    for mod in mods:
        if phase(mod) is Phase.EARLY:
            early[key(mod)] = mod
            late.pop(key(mod), None)
        else:
            late[key(mod)] = mod
    return flows, list(early.values()), list(late.values())


async def _carry_out(switch: Switch, mods: Sequence[bytes]) -> list[bytes]:
    """Has meter-mods carried out; those that made or changed what they were meant to, without a detour.

    A meter that exists though it should not, or does not though it should, is changed or made all the same. When one
    is refused for another reason, the new ones among the others are taken back. Raises MeterRefused or SwitchGone.
    """
    done: list[bytes] = []
    instead: list[bytes] = []
    refused: list[tuple[bytes, RequestRefused]] = []
    for mod, refusal in zip(mods, await switch.send(mods), strict=True):
        if refusal is None:
            done.append(mod)
        elif other := meters.instead(mod, refusal):
            instead.append(other)
        else:
            refused.append((mod, refusal))
    if instead and not refused:
        answers = zip(instead, await switch.send(instead), strict=True)
        refused = [(mod, refusal) for mod, refusal in answers if refusal is not None]
    if refused:
        await _take_back(switch, [mod for mod in done if phase(mod) is Phase.EARLY])
        mod, cause = refused[0]
        raise MeterRefused(cause, describe(mod))
    return done


async def _take_back(switch: Switch, added: Sequence[bytes]) -> None:
    """Removes meters that no flow uses yet; a switch that is gone is read back when it returns."""
    if added:
        with suppress(SwitchGone):
            await switch.send([meters.as_delete(mod) for mod in added])
