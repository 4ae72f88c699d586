"""A model of the whole way of a commit, from typed lines to what switches hold: only what passes the check gets there.

`fabric_model.py` makes edits by hand; here they come from set lines, are expanded by templates and what is deactivated,
and checked by the rules. Read next: `test_random_configurations.py`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from controller.commit.planning import Draft, backward, change_of, check, draft, located, relocation, vports_of
from controller.compile import Location, Observed, Placement, State, start
from controller.compile.core import fragments_of
from controller.compile.state import domains
from controller.events import Events
from controller.numbers import Numbers
from controller.openflow import meters
from controller.openflow.messages import as_replacement, is_delete, key
from controller.openflow.text import describe
from controller.ovsdb.model import UPLINK
from controller.topology import Topology
from data.acting import Acting
from data.candidate import Candidate
from data.configuration import Edits, Running
from data.path import Path, path_text
from data.schema.objects import Object, Vport
from data.steps import at_once


class Plugged(NamedTuple):
    """An interface with what it claims to be, its hypervisor, and its port there; port 0: it is gone."""

    claim: str
    dvrs: str
    port: int


Held = dict[str, dict[bytes, bytes]]


class Committed:
    """Configured and acting, and the flows that each hypervisor holds after every commit; `history` is what was
    configured at each revision."""

    def __init__(self) -> None:
        self.configured = Running()
        self.acting = Acting(self.configured)
        self.topology = Topology(Events())
        self.numbers = Numbers()
        self.state: State = at_once(start(self.acting, Placement(), self.numbers))
        self.held: Held = {}
        self.history: list[dict[Path, Object]] = []
        self.refused = 0
        self._ports = 100

    def port(self) -> int:
        """An OpenFlow port that no other vport has or had."""
        self._ports += 1
        return self._ports

    def candidate(self) -> Candidate:
        """Edits of what is configured now."""
        return Candidate(self.configured, "ops")

    def commit(self, *lines: str) -> None:
        """Commits set lines and such. Raises NshellError when they are refused."""
        candidate = self.candidate()
        candidate.apply_batch(lines, "test")
        self.merge(candidate)

    def merge(self, candidate: Candidate) -> None:
        """Commits a candidate. Raises NshellError when it is refused; nothing is changed then."""
        edits = candidate.merge()
        if edits:
            asyncio.run(self.carry_out(edits))

    def place(self, name: str, dvrs: str, port: int) -> None:
        """`appear`, where no loop is running."""
        asyncio.run(self.appear(name, dvrs, port))

    async def appear(self, name: str, dvrs: str, port: int) -> None:
        """An interface of a vport, by its full name, appears on a hypervisor, and is gone from the others."""
        for other in self.topology.hypervisors:
            self.topology.vanish(other, name)
        if dvrs:
            self.topology.appear(dvrs, name, name, port)
        await self.settle(Observed())

    def plug(self, interfaces: Sequence[Plugged], settled: bool = True) -> None:
        """Interfaces appear and go at once. Those of a vport are gone from elsewhere then; uplinks of one name stay.
        What is not `settled` is found by the next commit or change."""
        for claim, dvrs, _ in interfaces:
            names = self.topology.hypervisors if not claim.startswith(UPLINK) else (dvrs,)
            for other in names:
                self.topology.vanish(other, claim)
        for claim, dvrs, port in interfaces:
            if port:
                self.topology.appear(dvrs, claim, claim, port)
        if settled:
            asyncio.run(self.settle(Observed()))

    def ports(self, dvrs: str) -> set[int]:
        """Those in use on a hypervisor."""
        return {claim.ofport for claim in self.topology.claims_of(dvrs)}

    def observe(self, facts: Observed) -> None:
        """Facts are others now."""
        asyncio.run(self.settle(facts))

    async def settle(self, facts: Observed) -> None:
        """What the controller does about interfaces that changed, and facts."""
        moved: dict[str, Location | None] = {}
        for claim in self.topology.take_touched():
            for path, vport in vports_of(self.acting, claim):
                now = located(self.topology, path, vport)
                if now != self.state.placement.location(vport.uuid):
                    moved[vport.uuid] = now
        if moved or facts:
            made = await relocation(self.state, moved, {}, facts)
            await self._there_and_back(made)
            self.state = made.new

    def acting_domains(self) -> list[Path]:
        """Domains and l2-domains."""
        return list(domains(self.acting))

    def agree(self, *hypervisors: str) -> None:
        """What these hypervisors, or all, hold is what a compilation from nothing makes, of an acting configuration
        made from nothing; no two fragments say different things about one flow, and vports are where interfaces are.
        """
        acting = Acting(self.configured)
        assert dict(acting.walk()) == dict(self.acting.walk()), "what acts is not what is configured"
        numbers = Numbers(dict(self.numbers.items()))
        state = at_once(start(acting, self.state.placement, numbers))
        assert not numbers.new, f"a restart gives out other numbers: {numbers.new}"
        given = Counter((pool, number) for (pool, _), number in self.numbers.items())
        assert max(given.values()) == 1, f"given out twice: {given.most_common(2)}"
        for path, vport in self.acting.objects(Vport):
            if not self.topology.touched:
                here = located(self.topology, path, vport)
                assert here == self.state.placement.location(vport.uuid), f"{path_text(path)} is at {here}"
        for dvrs in hypervisors or self.configured.children((), "dvrs"):
            said: dict[bytes, tuple[bytes, object]] = {}
            for fragment in fragments_of(state, dvrs):
                for flow in fragment.flows(state, dvrs):
                    other, whose = said.setdefault(key(flow), (flow, fragment))
                    assert other == flow, f"{fragment} and {whose} differ about one flow on {dvrs}: {describe(flow)}"
            fresh = {at: as_replacement(flow) for at, (flow, _) in said.items()}
            held = self.held.get(dvrs, {})
            assert held == fresh, _differing({dvrs: held}, {dvrs: fresh})

    def flows(self, dvrs: str) -> list[str]:
        """The flows of a hypervisor as text."""
        return [describe(flow) for flow in self.held[dvrs].values()]

    async def carry_out(self, edits: Edits) -> None:
        """Commits edits, there and back and there again. Raises NshellError when they are refused."""
        change = await change_of(self.acting, edits)
        await check(self.acting, change)
        made = await draft(self.acting, change.acting, self.state, self.topology)
        await self._there_and_back(made)
        self.numbers.adopt(made.new.numbers.new)
        self.acting.apply(change.edits, change.acting, self.configured.revision + 1)
        self.state = made.new.settled(self.acting, self.numbers)
        for name in self.acting.children((), "dvrs"):
            if name not in self.topology.hypervisors:
                self.topology.configure(name, name, "")
        for name in set(self.topology.hypervisors) - set(self.acting.children((), "dvrs")):
            self.topology.forget(name)
        self.history.append(dict(self.configured.walk()))
        await self.settle(Observed())

    async def _there_and_back(self, made: Draft) -> None:
        before = self._copied()
        self._take(made.messages)
        after = self._copied()
        self._take(await backward(made))
        assert self._copied() == before, f"the way back leads elsewhere: {_differing(self._copied(), before)}"
        self.held = after

    def _take(self, messages: Mapping[str, Sequence[bytes]]) -> None:
        for dvrs, flows in messages.items():
            held = self.held.setdefault(dvrs, {})
            for flow in flows:
                if meters.is_meter(flow):
                    there = key(flow) in held
                    assert there == (meters.command(flow) != meters.ADD), f"{dvrs} refuses {describe(flow)}"
                if is_delete(flow):
                    del held[key(flow)]
                else:
                    held[key(flow)] = as_replacement(flow)  # a meter that is there is modified

    def _copied(self) -> Held:
        return {name: dict(flows) for name, flows in self.held.items() if flows}


def _differing(one: Held, other: Held) -> list[str]:
    """Some of the flows that one has and the other has not, or has otherwise."""
    found: list[str] = []
    for dvrs in one.keys() | other.keys():
        first, second = set(one.get(dvrs, {}).values()), set(other.get(dvrs, {}).values())
        found += [f"{dvrs} {describe(flow)}" for flow in first ^ second]
    return found[:4]
