"""Drift: flows and meters that somebody else changed in a switch are seen, put right or only told, and audited.

    a flow changed by somebody else   ──> suspect   compare that table, and all meters, after PAUSE
    every `controller drift-interval` ──> all       the same for everything, one switch after the other

    `controller drift repair`   what differs is put right, and told
    `controller drift report`   what differs is told once, and stays until `request drift repair`, or until the switch
                                connects again: nobody knows then who changed what, so it is put right

Each flow is told as an event of its own, as far as they are few, then all of them together; and each comparison that
found something is a row of the audit, in the name of `system`. `standings` is what `show drift` shows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.commit.confirm import RETURNER
from controller.events import Kind, Severity
from controller.flow_words import NAMES, flow_text, owner_name
from controller.hypervisors.channel import Channel
from controller.hypervisors.reconcile import LOST, Difference, Differing, What, repair
from controller.network import Network
from controller.openflow import messages, packed
from controller.openflow.errors import RequestRefused
from controller.openflow.messages import METERS, Phase, phase
from controller.openflow.text import actions_text, match_text, meter_text
from controller.openflow.wire import METER_MOD
from controller.pipeline import TABLE_NAMES
from data.errors import CommandFailed, NshellError
from data.path import Path
from data.schema.objects import Controller
from data.steps import Pace
from data.store import AuditRow

__all__ = ["REPAIR", "REPORT", "Drift", "Flow", "Standing"]

PAUSE = 0.2  # seconds between a foreign change and the look at it: one look for a burst of changes
QUICK = 20  # looks in a row that found something, after which the pauses between them are longer
LONGEST_PAUSE = 4.0  # seconds: somebody who changes flows in a loop is looked at less, and put right within 5 s still
PATIENCE = 30.0  # seconds that one hypervisor may hold up the comparison of the others
TICK = 1.0  # seconds between two looks whether a comparison of everything is due
TOLD = 50  # events about single flows of one hypervisor within WINDOW; more are in the sum and in the audit
WINDOW = 10.0  # seconds
AUDITED = 50  # flows that a row of the audit names
REPAIR, REPORT = "repair", "report"

Spawn = Callable[[Coroutine[object, object, None], str], asyncio.Task[None]]


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow or meter that differs, in words. `text` is what is there, else what should be; `should` what should be
    there instead of it. `about` is the object that it belongs to, `owner` the same for people.
    """

    what: What
    table: str
    text: str
    should: str
    about: Path | None
    owner: str

    def __str__(self) -> str:
        instead = f" instead of {self.should}" if self.should else ""
        return f"{self.what}: {self.table} {self.text}{instead} ({self.owner})"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one hypervisor. Times are seconds since the epoch; `differs` is what is not put right, `more`
    how many flows beyond. `repaired` counts flows and meters that were put right since the controller started.
    """

    compared: float | None = None
    differs: tuple[Differing, ...] = ()
    more: int = 0
    repaired: int = 0
    last_repair: float | None = None


class Drift:
    """The comparisons of all hypervisors. `spawn` runs a task nobody waits for, `stranded` is told of a switch that
    refuses what it should hold, `audit` writes rows; they are the controller's.
    """

    def __init__(self, network: Network, spawn: Spawn, stranded: Callable[[Channel, str], None]) -> None:
        self._network = network
        self._spawn = spawn
        self._stranded = stranded
        self.audit: Callable[[Sequence[AuditRow]], Awaitable[None]] = _unaudited
        self._suspects: dict[str, set[int] | None] = {}  # hypervisor -> tables, None: all
        self._looking: set[str] = set()
        self._standings: dict[str, Standing] = {}
        self._told: dict[str, tuple[float, int]] = {}  # hypervisor -> begin of its window, events in it
        self._found: dict[str, tuple[float, int]] = {}  # hypervisor -> last look that found something, the how many-th
        self._comparing: set[str] = set()  # hypervisors of which everything is being compared

    @property
    def mode(self) -> str:
        """REPAIR or REPORT."""
        return self._network.running.settings(Controller).drift

    @property
    def interval(self) -> float:
        """Seconds between two comparisons of everything."""
        return float(self._network.running.settings(Controller).drift_interval)

    def standing(self, dvrs: str) -> Standing:
        """What is known of a hypervisor."""
        return self._standings.get(dvrs, Standing())

    def words(self, differing: Differing) -> Flow:
        """A difference as people read it."""
        there = differing.held or differing.should or b""
        should = ""
        if messages.table_of(there) == METERS:
            if differing.what is What.WRONG and differing.should is not None:
                should = meter_text(differing.should)
            return Flow(differing.what, "meters", meter_text(there), should, None, "a rate limit")
        text = flow_text(packed.priority_of(there), packed.flow_key(there)[3:], packed.instructions(there))
        mine = differing.should or there  # a foreign flow may have any cookie: the object is that of the right one
        if differing.what is What.WRONG and differing.should is not None:
            should = f"actions={actions_text(packed.instructions(differing.should), NAMES)}"
            if packed.instructions(there) == packed.instructions(differing.should):
                text = match_text(packed.priority_of(there), packed.flow_key(there)[3:], NAMES)
                text += f" cookie=0x{packed.cookie(there):x}"
                should = f"cookie=0x{packed.cookie(differing.should):x}"
        table = TABLE_NAMES.get(messages.table_of(there), str(messages.table_of(there)))
        about = self._network.owner(packed.cookie(mine))
        return Flow(differing.what, table, text, should, about, owner_name(packed.cookie(mine), self._network.owner))

    # When to look -------------------------------------------------------------------------------------------

    def suspect(self, dvrs: str, table: int | None) -> None:
        """Somebody else changed a flow of this table, or None: events were lost and any flow may have changed."""
        known = self._suspects.setdefault(dvrs, set())
        if table is None:
            self._suspects[dvrs] = None
        elif known is not None:
            known.add(table)
        if dvrs not in self._looking:
            self._looking.add(dvrs)
            self._spawn(self._look(dvrs), f"drift on {dvrs}")

    async def periodically(self) -> None:
        """Compares everything again and again, for ever."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(min(TICK, max(0.0, began + self.interval - time.monotonic())))
            if self.mode == REPAIR:
                for dvrs in [name for name, one in self._standings.items() if one.differs]:
                    self.suspect(dvrs, None)  # it was only reported until a commit changed the mode
            if time.monotonic() < began + self.interval:
                continue
            for dvrs in tuple(self._network.channels):
                # A task of its own: a mistake met on one hypervisor is told and does not end the audit of the others,
                # nor does one that never answers.
                if dvrs not in self._comparing:
                    self._comparing.add(dvrs)
                    await asyncio.wait([self._spawn(self._everything(dvrs), f"audit of {dvrs}")], timeout=PATIENCE)
            began = time.monotonic()

    async def repair(self, dvrs: str) -> Difference:
        """Puts right everything that differs, whatever the mode. Raises CommandFailed when the hypervisor is away."""
        found = await self._compare(dvrs, None, send=True)
        if found is None:
            where = f"dvrs {dvrs}"
            raise CommandFailed(where, "it is away, or its flows are being read back", "see 'show dvrs', try again")
        return found

    def settled(self, dvrs: str) -> None:
        """All its flows were read back and put right, because it connected."""
        self._standings[dvrs] = replace(self.standing(dvrs), compared=time.time(), differs=(), more=0)

    async def _look(self, dvrs: str) -> None:
        try:
            while dvrs in self._suspects:
                await asyncio.sleep(self._pause(dvrs))
                channel = self._network.channels.get(dvrs)
                if channel is not None and channel.switch is not None and not channel.ready:
                    continue  # a reconcile may have read that table before it was changed
                tables = self._suspects.pop(dvrs)
                await self._compare(dvrs, None if tables is None else frozenset(tables))
        finally:
            self._looking.discard(dvrs)

    async def _everything(self, dvrs: str) -> None:
        try:
            await self._compare(dvrs, None)
        finally:
            self._comparing.discard(dvrs)

    def _pause(self, dvrs: str) -> float:
        """Seconds to the next look; each look costs the switch, an event and a row of the audit."""
        at, number = self._found.get(dvrs, (0.0, 0))
        if number <= QUICK or time.monotonic() > at + WINDOW:
            return PAUSE
        return min(LONGEST_PAUSE, PAUSE * 2.0 ** min(number - QUICK, 10))

    def _noted(self, dvrs: str, found: Difference) -> None:
        now = time.monotonic()
        at, number = self._found.get(dvrs, (now, 0))
        if now > at + WINDOW:
            number = 0
        if found:
            self._found[dvrs] = now, number + 1
        elif not number:
            self._found.pop(dvrs, None)

    # A look -------------------------------------------------------------------------------------------------

    async def _compare(
        self, dvrs: str, tables: frozenset[int] | None, *, send: bool | None = None
    ) -> Difference | None:
        network = self._network
        channel = network.channels.get(dvrs)
        if channel is None:
            self._standings.pop(dvrs, None)
            return None
        send = self.mode == REPAIR if send is None else send
        began = time.perf_counter()
        try:
            found = await repair(channel, network.compile_all, network.turn, tables, send=send)
        except LOST:
            return None
        except RequestRefused as refusal:
            network.events.add(
                Kind.FAULT, f"{dvrs} refuses the repair of its flows: {refusal}", about=("dvrs", dvrs), dvrs=dvrs
            )
            self._stranded(channel, str(refusal))
            return None
        if found is None:
            return None
        if tables is not None:
            self._noted(dvrs, found)
        made = () if send else (mod for mod in found.messages if mod[1] == METER_MOD and phase(mod) is Phase.EARLY)
        channel.lacking = {messages.key(mod): mod for mod in made}
        known = self.standing(dvrs)
        if send:
            await self._repaired(dvrs, known, found, tables, (time.perf_counter() - began) * 1000)
        else:
            await self._reported(dvrs, known, found, tables)
        return found

    async def _repaired(
        self, dvrs: str, known: Standing, found: Difference, tables: Collection[int] | None, milliseconds: float
    ) -> None:
        now = time.time()
        differs = () if tables is None else _elsewhere(known.differs, tables)
        self._standings[dvrs] = replace(
            known, compared=now, differs=differs, more=known.more if differs else 0,
            repaired=known.repaired + found.count, last_repair=now if found else known.last_repair,
        )  # fmt: skip
        if not found:
            return
        flows = await self._tell(dvrs, found.found, REPAIR)
        text = f"{dvrs} repaired: {found}"
        self._network.events.add(
            Kind.DRIFT, text, about=("dvrs", dvrs), dvrs=dvrs,
            facts={"mode": REPAIR, **_counts(found), "milliseconds": round(milliseconds, 1)},
        )  # fmt: skip
        await self._audit(dvrs, "repair", "repaired", found, flows)

    async def _reported(self, dvrs: str, known: Standing, found: Difference, tables: Collection[int] | None) -> None:
        elsewhere = () if tables is None else _elsewhere(known.differs, tables)
        more = found.count - len(found.found)
        self._standings[dvrs] = replace(known, compared=time.time(), differs=(*elsewhere, *found.found), more=more)
        former = set(known.differs)
        fresh = [one for one in found.found if one not in former]
        if not fresh and more <= known.more:
            return  # told before
        flows = await self._tell(dvrs, fresh, REPORT)
        text = f"{dvrs} differs, and stays as it is: {found}; 'request drift repair dvrs {dvrs}' puts it right"
        self._network.events.add(
            Kind.DRIFT, text, about=("dvrs", dvrs), dvrs=dvrs, facts={"mode": REPORT, **_counts(found)}
        )
        await self._audit(dvrs, "report", "left as it is", found, flows)

    async def _tell(self, dvrs: str, found: Iterable[Differing], mode: str) -> list[Flow]:
        """An event for each of them, as far as they are few; all of them in words."""
        flows, pace = list[Flow](), Pace()
        for one in found:
            flows.append(self.words(one))
            await pace.breathe()
        now = time.monotonic()
        began, told = self._told.get(dvrs, (now, 0))
        if now >= began + WINDOW:
            began, told = now, 0
        for flow in flows[: TOLD - told]:
            facts = {"mode": mode, "what": str(flow.what), "table": flow.table, "flow": flow.text}
            if flow.should:
                facts["should"] = flow.should
            done = "put right" if mode == REPAIR else "left as it is"
            severity = Severity.WARNING if mode == REPORT else Severity.NOTICE
            self._network.events.add(
                Kind.DRIFT, f"{dvrs} {flow}, {done}", severity=severity, about=flow.about, dvrs=dvrs, facts=facts
            )
        self._told[dvrs] = began, min(TOLD, told + len(flows))
        return flows

    async def _audit(self, dvrs: str, verb: str, result: str, found: Difference, flows: Sequence[Flow]) -> None:
        named = [str(flow) for flow in flows[:AUDITED]]
        rest = found.count - len(named)
        detail = "; ".join([f"{result}: {found}", *named, *([f"{rest} more"] if rest > 0 else [])])
        row = AuditRow(
            id=0, time=time.time(), user=RETURNER, origin="drift", command=f"drift {verb} dvrs {dvrs}", detail=detail
        )
        try:
            await self.audit([row])
        except NshellError as problem:
            events = self._network.events
            events.once(Kind.FAULT, "audit of drift", problem.cause, f"the audit cannot be written: {problem.cause}")
        else:
            self._network.events.settled("audit of drift")


async def _unaudited(rows: Sequence[AuditRow]) -> None:
    """Where there is no store, nothing is audited."""


def _counts(found: Difference) -> Mapping[str, int]:
    return {"missing": found.missing, "wrong": found.wrong, "too-many": found.alien}


def _elsewhere(differs: Iterable[Differing], tables: Collection[int]) -> tuple[Differing, ...]:
    """Those that a comparison of these tables, and of all meters, did not look at."""
    return tuple(one for one in differs if one.key[0] != METERS and one.key[0] not in tables)
