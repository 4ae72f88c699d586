"""Every packet is counted once, whatever becomes of the flows that count it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.openflow.statistics import flow_removed
from controller.pipeline import Feature, Owner, Table, cookie
from controller.telemetry.account import Account, Growth, Kept
from controller.telemetry.poll import read, subjects_of
from controller.telemetry.purposes import Purpose, Subject
from data.steps import at_once
from tests.unit.telemetry.fake_switch import CountingSwitch, Flow

SENDS = cookie(Owner.VPORT, Feature.RECEIVED, 7)


@dataclass
class Life:
    """One flow from its making to its end: what it counted, what of it a look has seen."""

    flow: Flow
    seen: int = 0


@dataclass
class World:
    """A switch, an account of it, and what should have been counted."""

    switch: CountingSwitch = field(default_factory=CountingSwitch)
    alive: dict[int, Life] = field(default_factory=dict)
    told_late: list[Life] = field(default_factory=list)
    told: list[Life] = field(default_factory=list)
    true: int = 0
    lost: int = 0
    counted: int = 0
    kept: tuple[bytes, int] = (b"", 0)
    unheard: set[int] = field(default_factory=set)
    """Ports whose flow went while nobody listened: one that is made anew there cannot be told from one replaced."""
    restarted: bool = False
    changed: set[int] = field(default_factory=set)
    """Ports whose flow was replaced since the last look."""
    begun: bool = False
    """Whether a controller was started and has not looked yet."""
    doubtful: bool = False
    """Whether a look found a flow made anew of whose former's end there was no word yet; that comes within a second."""

    def __post_init__(self) -> None:
        self.switch.add(Table.CLASSIFY, cookie(Owner.VPORT, Feature.RECEIVED, 8), 9).packets = 1
        self.pass_time(100)
        self.account = Account(self.switch.now)
        self.look()

    def credit(self, grown: Growth) -> None:
        assert all(first >= 0 and second >= 0 for first, second in grown.values()), "totals never fall"
        self.counted += grown.get(Subject(Purpose.SENDS, 7), (0, 0))[0]

    def pass_time(self, seconds: float) -> None:
        self.switch.now += seconds

    def make(self, port: int) -> None:
        if port not in self.alive and port not in self.unheard:
            self.alive[port] = Life(self.switch.add(Table.CLASSIFY, SENDS, port))

    def packets(self, port: int, count: int) -> None:
        if port in self.alive:
            flow = self.alive[port].flow
            flow.packets += count
            flow.octets += count * 100
            self.true += count

    def work(self, port: int, count: int) -> None:
        self.make(port)
        self.packets(port, count)

    def remove(self, port: int) -> None:
        if self.begun and port in self.changed:
            self.look()  # one that is replaced and removed before the first look is more than is promised
        if port in self.alive:
            self.told_late.append(self.alive.pop(port))
            del self.switch.flows[Table.CLASSIFY, port]

    def hear(self) -> None:
        """Open vSwitch tells the age that a flow has when it tells of it, in the order in which they went."""
        for life in self.told_late:
            message = self.switch.farewell(life.flow)
            self.credit(self.account.removed(flow_removed(message), self.switch.now, lambda one: subjects_of(one, {})))
            self.told.append(life)
        self.told_late.clear()
        self.doubtful = False

    def look(self) -> None:
        found = asyncio.run(read(self.switch, (), lambda: self.switch.now))
        about = lambda one: subjects_of(one, found.subjects)  # noqa: E731
        self.credit(at_once(self.account.look(found.counters, found.asked, found.answered, about)))
        for life in self.alive.values():
            life.seen = life.flow.packets
        self.told.clear()
        self.unheard.clear()
        self.changed.clear()
        self.restarted = self.begun = False
        self.doubtful = self.doubtful or any(life.flow.port in self.alive for life in self.told_late)
        self.kept = msgspec.msgpack.encode(self.account.keep()), self.counted

    def _lose(self, lives: list[Life]) -> None:
        self.lost += sum(life.flow.packets - life.seen for life in lives)

    def change(self, port: int) -> None:
        """A commit replaces the flow: it goes on with its counters, and its age begins anew."""
        if port in self.alive:
            self.alive[port].flow.made = self.switch.now
            self.changed.add(port)

    def restart_switch(self) -> None:
        """What was counted since the last look is gone with it, and nothing is said of any flow."""
        if self.doubtful:
            self.hear()
            self.look()
        self._lose([*self.alive.values(), *self.told_late])
        self.alive.clear()
        self.told_late.clear()
        self.switch.restart()
        self.account.cut(self.switch.now)
        self.restarted = True
        self.switch.add(Table.CLASSIFY, cookie(Owner.VPORT, Feature.RECEIVED, 8), 9).packets = 1

    def kill_controller(self) -> None:
        """What it knew is what it kept at the last look. Of flows that went since nobody knows. That a switch was
        restarted, or a flow made anew, within the same interval is more than is promised."""
        gone = {life.flow.port for life in (*self.told, *self.told_late)}
        if self.restarted or self.doubtful or not gone.isdisjoint(self.alive):
            self.hear()
            self.look()
            gone = set()
        self.unheard.update(gone)
        self._lose([*self.told, *self.told_late])
        self.told.clear()
        self.told_late.clear()
        self.account = Account(self.switch.now, msgspec.msgpack.decode(self.kept[0], type=Kept))
        self.counted, self.begun = self.kept[1], True
        self.pass_time(0.5)


PORTS = st.integers(1, 2)
STEPS = st.one_of(
    st.tuples(st.just("work"), PORTS, st.integers(1, 1000)),
    st.tuples(st.just("work"), PORTS, st.integers(1, 1000)),
    st.tuples(st.just("make"), PORTS),
    st.tuples(st.just("packets"), PORTS, st.integers(0, 1000)),
    st.tuples(st.just("remove"), PORTS),
    st.tuples(st.just("change"), PORTS),
    st.tuples(st.just("hear")),
    st.tuples(st.just("look")),
    st.tuples(st.just("restart_switch")),
    st.tuples(st.just("kill_controller")),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_the_sum_of_what_is_counted_is_what_passed_through_flows_that_come_go_and_begin_anew(
    steps: list[tuple[object, ...]],
) -> None:
    world = World()
    for name, *values in steps:
        getattr(world, str(name))(*values)
        world.pass_time(1.5)
    world.hear()
    world.look()
    assert world.counted == world.true - world.lost


def look(account: Account, switch: CountingSwitch) -> Growth:
    found = asyncio.run(read(switch, (), lambda: switch.now))
    return at_once(
        account.look(found.counters, found.asked, found.answered, lambda one: subjects_of(one, found.subjects))
    )


def test_flows_that_are_older_than_the_first_contact_begin_to_count_with_it() -> None:
    switch = CountingSwitch()
    flow = switch.add(Table.CLASSIFY, SENDS, 1)
    flow.packets = 1_000_000
    switch.now += 100
    account = Account(switch.now)
    new = switch.add(Table.CLASSIFY, SENDS, 2)
    new.packets = 5
    switch.now += 10
    assert look(account, switch) == {Subject(Purpose.SENDS, 7): (5, 0)}
    flow.packets += 3
    switch.now += 10
    assert look(account, switch) == {Subject(Purpose.SENDS, 7): (3, 0)}


def test_a_flow_made_anew_counts_from_nothing_also_when_it_has_counted_more_than_the_former() -> None:
    switch = CountingSwitch()
    account = Account(switch.now)
    switch.add(Table.CLASSIFY, SENDS, 1).packets = 10
    switch.now += 10
    look(account, switch)
    message = switch.remove(Table.CLASSIFY, 1)
    late = account.removed(flow_removed(message), switch.now, lambda one: subjects_of(one, {}))
    assert late == {}, "the former had counted nothing since the look"
    switch.now += 1
    switch.add(Table.CLASSIFY, SENDS, 1).packets = 50
    switch.now += 9
    assert look(account, switch) == {Subject(Purpose.SENDS, 7): (50, 0)}


def test_a_port_number_that_another_vport_gets_counts_for_that_vport() -> None:
    switch = CountingSwitch()
    account = Account(switch.now)
    switch.add(Table.CLASSIFY, SENDS, 1).packets = 10
    switch.now += 10
    look(account, switch)
    switch.flows[Table.CLASSIFY, 1].packets = 14
    message = switch.remove(Table.CLASSIFY, 1)
    switch.add(Table.CLASSIFY, cookie(Owner.VPORT, Feature.RECEIVED, 8), 1).packets = 30
    told = account.removed(flow_removed(message), switch.now, lambda one: subjects_of(one, {}))
    assert told == {Subject(Purpose.SENDS, 7): (4, 0)}
    switch.now += 10
    assert look(account, switch) == {Subject(Purpose.SENDS, 8): (30, 0)}


def test_counters_that_somebody_set_to_nothing_go_on_from_there() -> None:
    switch = CountingSwitch()
    account = Account(switch.now)
    flow = switch.add(Table.CLASSIFY, SENDS, 1)
    flow.packets = 10
    switch.now += 10
    look(account, switch)
    flow.packets = 4
    switch.now += 10
    assert look(account, switch) == {Subject(Purpose.SENDS, 7): (4, 0)}


def test_meters_count_for_the_vport_whose_packets_pass_them_and_ports_for_the_hypervisor() -> None:
    switch = CountingSwitch()
    account = Account(switch.now)
    switch.add(Table.CLASSIFY, SENDS, 1, meter=2).packets = 5
    switch.add(Table.LIMITED, cookie(Owner.VPORT, Feature.LIMITED, 9), 4, meter=3).packets = 5
    switch.meters = {2: (11, switch.now), 3: (22, switch.now), 99: (33, switch.now)}
    switch.ports[65000] = (1000, 3000, switch.now)
    switch.now += 1
    found = asyncio.run(read(switch, (65000, 65001), lambda: switch.now))
    grown = at_once(
        account.look(found.counters, found.asked, found.answered, lambda one: subjects_of(one, found.subjects))
    )
    assert grown == {
        Subject(Purpose.SENDS, 7): (5, 0),
        Subject(Purpose.LIMITED, 7): (11, 1100),
        Subject(Purpose.LIMITED, 9): (22, 2200),
        Subject(Purpose.UPLINK): (1000, 3000),
    }
    assert found.flows == 2


def test_a_flow_that_sends_copies_into_several_tunnels_counts_for_each() -> None:
    switch = CountingSwitch()
    account = Account(switch.now)
    ends = (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    flow = switch.add(Table.FLOOD, cookie(Owner.SUBNET, Feature.FORWARD, 3), 1, endpoints=ends)
    flow.packets, flow.octets = 4, 400
    switch.now += 1
    assert look(account, switch) == {Subject(Purpose.TUNNEL, 0, end): (4, 400) for end in ends}


@pytest.mark.parametrize("cut", [1, 40, 55])
def test_statistics_that_end_in_the_middle_of_a_flow_are_refused(cut: int) -> None:
    switch = CountingSwitch()
    switch.add(Table.CLASSIFY, SENDS, 1).packets = 10
    whole = switch.multipart

    async def shortened(kind: int, body: bytes) -> list[bytes]:
        parts = await whole(kind, body)
        return [part[:-cut] for part in parts] if kind == 1 and parts[0] else parts

    switch.multipart = shortened  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="flow statistics"):
        asyncio.run(read(switch, (), lambda: switch.now))


def test_only_tables_that_hold_anything_are_asked() -> None:
    switch = CountingSwitch()
    switch.vport(7, 1)
    asyncio.run(read(switch, (), lambda: switch.now))
    assert [body[0] for kind, body in switch.asked if kind == 1] == [Table.CLASSIFY, Table.DELIVER]
