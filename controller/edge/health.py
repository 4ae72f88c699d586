"""The prober: asks those who serve others, again and again, whether they are alive.

    Feature.probes ──> targets ──> a wheel of ticks ──> packet-out to the vport's slot     every interval
                                                    <── punted answer (compile/probed.py)
    answered            ──> alive at once
    silent twice        ──> dead: 2 intervals and a half after the last sign of life at most
    not asked           ──> as it was: unresolved, or its hypervisor is away or not yet in order

What is found out goes to `Upkeep.observe` and from there into flows, and is remembered over a restart: nobody dies
because the controller was away. Before somebody is declared dead, his hypervisor has to answer the controller itself,
so that neither a hanging connection nor a busy controller is taken for a silent target.

A target costs one question per interval, whoever and how many ask for it. Read next: `questions.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from controller.commit.planning import Draft
from controller.compile import Observed
from controller.compile.catalogue import SERVICES
from controller.compile.health import Probe
from controller.compile.services.probed import probes_in
from controller.edge.context import EdgeContext
from controller.edge.questions import Asked, Questions
from controller.events import Kind, Severity
from controller.hypervisors.punted import Punt
from controller.openflow.errors import OpenFlowError
from controller.pipeline import Feature
from data.path import Path, vport_name

__all__ = ["Health", "Target"]

TICK = 0.02  # seconds: how exactly intervals are kept
MISSED = 2  # questions without an answer that make one dead
_APART = 0.002  # seconds between the first questions to targets that are new together
_WHILE_BUSY = 2.0  # seconds in which a hypervisor must answer before one of its vports is declared dead
_DOMAINS = 64  # looked at between two pauses when the controller starts


class _Step(Enum):
    ASK = auto()
    LOOK = auto()  # half an interval later: was there an answer?


@dataclass(slots=True, eq=False)
class Target:
    """One thing that is probed. `alive` is None until something is known; `since` when this process learned so."""

    key: str
    probe: Probe
    alive: bool | None
    since: float
    missed: int = 0
    waiting: bool = False  # asked, and not answered yet
    asked: Asked | None = None
    acknowledgement: int = 0
    place: object = None
    turn: int = 0  # steps of an earlier turn in the wheel are void

    @property
    def ticks(self) -> int:
        """Between two questions."""
        return max(2, round(self.probe.interval / 1000 / TICK))


class Health:
    """See the module. `monotonic` gives seconds for the intervals."""

    def __init__(self, context: EdgeContext, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._monotonic = monotonic
        self._questions = Questions()
        self.targets: dict[str, Target] = {}
        self._wanted: dict[Path, Mapping[str, Probe]] = {}
        self._asked: dict[Asked, Target] = {}
        self._wheel: defaultdict[int, list[tuple[Target, _Step, int]]] = defaultdict(list)
        self._tick = self._now()
        self._some = asyncio.Event()
        context.punted.serve(Feature.PROBED, self.answered)
        context.network.on_change.append(self.changed)

    # What is to be probed -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Asks and looks until it is cancelled."""
        for number, domain in enumerate(tuple(self._context.network.state.policies)):
            self._look_at([domain])
            if number % _DOMAINS == 0:
                await asyncio.sleep(0)
        remembered = self._context.network.state.placement.health
        self._forget(key for key in tuple(remembered) if key not in self.targets)
        while True:
            if not self.targets:
                self._some.clear()
                await self._some.wait()
                self._tick = self._now()
            await asyncio.sleep(max(0.0, (self._tick + 1) * TICK - self._monotonic()))
            self.advance()

    def changed(self, made: Draft) -> None:
        """The network is another: looks at the domains that the change is about again."""
        paths = {path[:4] for path in made.edits if len(path) >= 4 and path[0] == "enterprise"}
        uuids = [*made.moved, *made.observed.learned, *made.observed.holders]
        for uuid in uuids:
            for view in (made.old.view, made.new.view):
                path = view.by_uuid(uuid)
                if path is not None:
                    paths.add(path[:4])
        self._look_at(paths)

    def _look_at(self, domains: Iterable[Path]) -> None:
        state = self._context.network.state
        gone: set[str] = set()
        new: list[Target] = []
        for domain in domains:
            before = self._wanted.pop(domain, {})
            wanted: dict[str, Probe] = {}
            if state.routed(domain) and state.view.get(domain) is not None:
                for probe in probes_in(SERVICES, state, domain):
                    key = probe.key(state)
                    if key not in wanted or probe.interval < wanted[key].interval:
                        wanted[key] = probe
            if wanted:
                self._wanted[domain] = wanted
            gone |= before.keys() - wanted.keys()
            new += [target for key, probe in wanted.items() if (target := self._want(key, probe)) is not None]
        for key in gone:
            self._drop(key)
        self._forget(gone)
        self._begin(new)

    def _want(self, key: str, probe: Probe) -> Target | None:
        """A target that is to be asked soon: a new one, or one that is somewhere else now."""
        state = self._context.network.state
        place = state.place(probe.vport)
        where = None if place is None else (place.location, place.subnet)
        target = self.targets.get(key)
        if target is None:
            alive = state.placement.health.get(key)
            target = self.targets[key] = Target(key, probe, alive, self._context.clock(), place=where)
            return target
        if target.probe == probe and target.place == where:
            return None
        target.probe, target.place = probe, where
        target.missed, target.waiting = 0, False
        return target

    def _drop(self, key: str) -> None:
        target = self.targets.pop(key, None)
        if target is not None:
            target.turn += 1
            if target.asked is not None and self._asked.get(target.asked) is target:
                del self._asked[target.asked]

    def _forget(self, keys: Iterable[str]) -> None:
        """What is known of targets that nobody asks for any more."""
        known = self._context.network.state.placement.health
        facts = {key: None for key in keys if known.get(key) is not None}
        if facts:
            self._context.upkeep.observe(Observed(health=facts))

    def _begin(self, targets: list[Target]) -> None:
        """Asks one at once, thousands over their first interval."""
        now = self._now()
        for number, target in enumerate(targets):
            target.turn += 1
            self._at(now + 1 + int(number * _APART / TICK) % target.ticks, target, _Step.ASK)
        if targets:
            self._some.set()

    # The wheel ----------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(self._monotonic() / TICK)

    def _at(self, tick: int, target: Target, step: _Step) -> None:
        self._wheel[max(tick, self._tick + 1)].append((target, step, target.turn))

    def advance(self) -> None:
        """Does what is due."""
        suspects: defaultdict[str, list[Target]] = defaultdict(list)
        now = self._now()
        while self._tick < now:
            self._tick += 1
            for target, step, turn in self._wheel.pop(self._tick, ()):
                if turn != target.turn:
                    continue
                if step is _Step.ASK:
                    self._ask(target)  # from now on, however late: its answer needs time
                    self._at(now + target.ticks // 2, target, _Step.LOOK)
                    self._at(now + target.ticks, target, _Step.ASK)
                elif self._silent(target):
                    assert target.asked is not None
                    suspects[target.asked.dvrs].append(target)
        for dvrs, targets in suspects.items():
            self._context.upkeep.spawn(self._declare(dvrs, targets), f"health on {dvrs}")

    def _ask(self, target: Target) -> None:
        target.waiting = False
        network = self._context.network
        question = self._questions.ask(network.state, target.probe)
        channel = None if question is None else network.channels.get(question.asked.dvrs)
        if question is None or channel is None or not channel.ready:
            return  # nobody there, or what would bring the answer up may not be there yet
        if target.asked != question.asked:
            if target.asked is not None and self._asked.get(target.asked) is target:
                del self._asked[target.asked]
            target.asked = question.asked
        self._asked[question.asked] = target
        target.acknowledgement = question.acknowledgement
        target.waiting = self._context.punted.deliver(question.asked.dvrs, question.asked.slot, question.frame)

    def _silent(self, target: Target) -> bool:
        """Whether it left the last questions unanswered and is not known to be dead."""
        if not target.waiting:
            return False
        target.waiting = False
        target.missed = min(target.missed + 1, MISSED)
        return target.missed >= MISSED and target.alive is not False

    async def _declare(self, dvrs: str, targets: list[Target]) -> None:
        """Declares targets dead, once their hypervisor has shown that it would have brought an answer."""
        channel = self._context.network.channels.get(dvrs)
        if channel is None or channel.switch is None:
            return
        try:
            async with asyncio.timeout(_WHILE_BUSY):
                await channel.switch.send([])  # a barrier: its reply comes behind the answers
        except (OpenFlowError, TimeoutError):
            return
        for target in targets:
            silent = target.missed >= MISSED and self.targets.get(target.key) is target
            if silent and target.alive is not False and target.asked is not None and target.asked.dvrs == dvrs:
                self._learn(target, alive=False)

    # Answers ------------------------------------------------------------------------------------------------

    def answered(self, punt: Punt) -> None:
        """A packet to a gateway that may be the answer of a target."""
        answer = self._questions.read(self._context.network.state, punt)
        target = None if answer is None else self._asked.get(answer.asked)
        if answer is None or target is None or answer.acknowledgement != target.acknowledgement:
            return
        if answer.ending is not None:
            self._context.punted.answer(punt, answer.ending)
        if not answer.good:
            return  # a closed port: as good as no answer
        target.waiting, target.missed = False, 0
        if target.alive is not True:
            self._learn(target, alive=True)

    def _tell(self, target: Target, text: str, state: str) -> None:
        probe = target.probe
        self._context.network.events.add(
            Kind.HEALTH, text, severity=Severity.WARNING if state == "dead" else Severity.NOTICE, about=probe.vport,
            facts={"address": str(probe.address), "probe": probe.kind, "state": state},
        )  # fmt: skip

    def _learn(self, target: Target, *, alive: bool) -> None:
        before, target.alive, target.since = target.alive, alive, self._context.clock()
        probe = target.probe
        what = f"{vport_name(probe.vport)} {probe.address}, probed by {probe.kind}"
        if probe.kind == "tcp":
            what += f" on port {probe.port}"
        if not alive:
            self._tell(target, f"{what}, is dead: {MISSED} probes unanswered", "dead")
        elif before is False:
            self._tell(target, f"{what}, is alive again", "alive")
        self._context.upkeep.observe(Observed(health={target.key: alive}))
