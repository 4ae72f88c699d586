"""Making a switch equal to the committed configuration by sending only what differs.

On every (re)connect the flows are read back and compared with a fresh compile by key (table, priority, match), cookie
and instruction bytes, and so are the meters; Open vSwitch returns them byte for byte as they were sent. Nothing is
flushed: a controller that was restarted, or away, sends nothing to a switch that still has the right flows, and traffic
does not notice.

    read back ──> [turn: compile, start noting what commits owe] ──> compare, one bundle ──> [turn: pay, ready]

Only the bracketed parts hold the turn that serialises changes, so 500 switches can come at once while commits go on.
`repair` is the same for a switch that is ready and where somebody else changed a flow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from controller.hypervisors.channel import Channel
from controller.hypervisors.patience import patience
from controller.openflow.errors import SwitchGone
from controller.openflow.messages import METERS, as_delete, as_replacement, key
from controller.openflow.packed import as_delete_strict, cookie, instructions
from controller.openflow.readback import FlowEntry
from data.steps import Steps, spread

__all__ = ["LISTED", "LOST", "Difference", "Differing", "Reconciled", "What", "compare", "reconcile", "repair"]

LOST = (SwitchGone, LookupError)  # how both end when the connection is gone, or is another: who dials in begins anew

ATTEMPTS = 3  # reads of a ready switch that a commit may spoil before the turn is taken for the whole of the read

LISTED = 200  # differences of one comparison that are told one by one, about 100 KB; the others are counted

_TOGETHER = 64  # flows between two looks at the clock, about 100 µs

Contents = Mapping[bytes, bytes]  # key -> flow-mod or meter-mod, an ADD
Compile = Callable[[str], Awaitable[Contents]]  # hypervisor -> everything that it must hold


class What(StrEnum):
    """How a flow or meter differs from what was compiled."""

    MISSING = "missing"
    WRONG = "wrong"  # a flow with another cookie or other instructions, a meter with another rate
    ALIEN = "too many"


@dataclass(frozen=True, slots=True)
class Differing:
    """A flow or meter that is not what it should be: the ADDs of what should be there and of what is."""

    what: What
    key: bytes
    should: bytes | None
    held: bytes | None


@dataclass(slots=True)
class Difference:
    """What has to be sent to make a switch right: flow-mods and meter-mods, removals last.

    `found` are the first LISTED of them, each with what is there instead.
    """

    messages: list[bytes] = field(default_factory=list)
    missing: int = 0  # flows and meters it did not have
    wrong: int = 0  # flows with another cookie or other instructions, meters with another rate
    alien: int = 0  # flows and meters that it should not have
    equal: int = 0
    found: list[Differing] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.messages)

    @property
    def count(self) -> int:
        """Flows and meters that differ."""
        return self.missing + self.wrong + self.alien

    def note(self, what: What, at: bytes, should: bytes | None, held: bytes | None) -> None:
        """Keeps one of the differences, as long as they are few."""
        if len(self.found) < LISTED:
            self.found.append(Differing(what, at, should, held))

    def __str__(self) -> str:
        return f"{self.missing} missing, {self.wrong} wrong, {self.alien} too many"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The end of a reconcile: flows it holds now, what was sent and how long the whole took."""

    flows: int
    added: int
    removed: int
    milliseconds: float
    difference: Difference


def compare(held: Iterable[FlowEntry], desired: Contents, meters: Iterable[bytes] = ()) -> Steps[Difference]:
    """What makes a switch that holds these flows and meters (their ADDs) equal to `desired`. O(both)."""
    has: dict[bytes, FlowEntry] = {}
    limits = {key(meter): meter for meter in meters}
    for number, entry in enumerate(held):
        has[entry.key] = entry
        if number % _TOGETHER == 0:
            yield
    found = Difference()
    for number, (at, message) in enumerate(desired.items()):
        if number % _TOGETHER == 0:
            yield
        if at[0] == METERS:
            _compare_meter(found, at, limits.pop(at, None), message)
            continue
        there = has.pop(at, None)
        if there is None:
            found.missing += 1
            found.note(What.MISSING, at, message, None)
        elif there.instructions == instructions(message) and there.cookie == cookie(message):
            found.equal += 1
            continue
        else:
            found.wrong += 1
            found.note(What.WRONG, at, message, there.flow_mod())
        found.messages.append(message)
    found.alien = len(has) + len(limits)
    for at, entry in has.items():
        foreign = entry.flow_mod()
        found.note(What.ALIEN, at, None, foreign)
        found.messages.append(as_delete_strict(foreign))
    for at, meter in limits.items():
        found.note(What.ALIEN, at, None, meter)
        found.messages.append(as_delete(meter))
    return found


def _compare_meter(found: Difference, at: bytes, there: bytes | None, message: bytes) -> None:
    if there == message:
        found.equal += 1
    elif there is None:
        found.missing += 1
        found.note(What.MISSING, at, message, None)
        found.messages.append(message)
    else:
        found.wrong += 1
        found.note(What.WRONG, at, message, there)
        found.messages.append(as_replacement(message))


async def reconcile(channel: Channel, compile_all: Compile, turn: asyncio.Lock) -> Reconciled:
    """Reads a newly connected switch back, sends the difference and what commits owe, and makes the channel ready.

    Raises RequestRefused or SwitchGone; the channel is then not ready. Raises LookupError when the channel got another
    connection meanwhile.
    """
    started = time.perf_counter()
    switch = channel.switch
    if switch is None:
        raise LookupError(channel.name)
    held, meters = await switch.flows(), await switch.meters()
    async with turn:
        channel.owed = []
        desired = await compile_all(channel.name)
    difference = await spread(compare(held, desired, meters))
    _same(channel, switch)
    await channel.push(difference.messages)
    async with turn:
        _same(channel, switch)
        owed, channel.owed = channel.owed, []
        await channel.push(owed)
        _same(channel, switch)
        channel.ready = True
    return Reconciled(
        flows=sum(at[0] != METERS for at in desired),
        added=difference.missing + difference.wrong,
        removed=difference.alien,
        milliseconds=(time.perf_counter() - started) * 1000,
        difference=difference,
    )


async def repair(
    channel: Channel,
    compile_all: Compile,
    turn: asyncio.Lock,
    tables: frozenset[int] | None = None,
    *,
    send: bool = True,
) -> Difference | None:
    """Compares a ready switch, or some of its tables, and sends what differs; None when it is not ready (any more).

    Without `send` it only looks.

    Meters are always compared: who removes a meter removes the flows that use it, and only of these there is word. The
    switch is read outside the turn; a read during which we changed flows ourselves is thrown away.
    Raises RequestRefused or SwitchGone.
    """
    for attempt in range(ATTEMPTS):
        before = channel.pushes
        switch = channel.switch
        if switch is None or not channel.ready:
            return None
        held: Sequence[FlowEntry] = await switch.flows() if attempt < ATTEMPTS - 1 else ()
        meters: Sequence[bytes] = await switch.meters() if attempt < ATTEMPTS - 1 else ()
        async with turn:
            if channel.switch is not switch or not channel.ready:
                return None
            if attempt == ATTEMPTS - 1:
                with patience(switch):
                    held, meters = await switch.flows(), await switch.meters()
            elif channel.pushes != before:
                continue
            desired = await compile_all(channel.name)
            if tables is not None:
                held = [entry for entry in held if entry.table in tables]
                desired = {at: message for at, message in desired.items() if at[0] in tables or at[0] == METERS}
            difference = await spread(compare(held, desired, meters))
            if send:
                await channel.push(difference.messages)
            return difference
    return None


def _same(channel: Channel, switch: object) -> None:
    if channel.switch is not switch:
        raise LookupError(channel.name)
