"""A flow that another ADD replaces keeps its counters in Open vSwitch, and its age begins anew: it is counted once.

As seen of ovs-vswitchd 3.1: `duration` is that of the ADD, n_packets and n_bytes go on, no word comes of the former.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from controller.openflow.statistics import flow_removed
from controller.pipeline import Feature, Owner, Table, cookie
from controller.telemetry.account import Account, Growth, Kept
from controller.telemetry.poll import read, subjects_of
from controller.telemetry.purposes import Purpose, Subject
from data.steps import at_once
from tests.system.ovs import RealOvs
from tests.unit.telemetry.fake_switch import CountingSwitch, Flow

SENDS, OTHER = (cookie(Owner.VPORT, Feature.RECEIVED, number) for number in (7, 8))
ABOUT = Subject(Purpose.SENDS, 7)


def look(account: Account, switch: CountingSwitch) -> int:
    """Packets that a look counts for the vport."""
    found = asyncio.run(read(switch, (), lambda: switch.now))
    about = lambda one: subjects_of(one, found.subjects)  # noqa: E731
    return told(at_once(account.look(found.counters, found.asked, found.answered, about)))


def told(grown: Growth) -> int:
    return grown.get(ABOUT, (0, 0))[0]


def replace(switch: CountingSwitch, flow: Flow) -> None:
    """As a commit that changes its actions does it."""
    flow.made = switch.now


@pytest.fixture
def switch() -> CountingSwitch:
    """One that has an older flow besides, of another vport."""
    made = CountingSwitch()
    made.add(Table.CLASSIFY, OTHER, 9).packets = 3
    made.now += 100
    return made


@pytest.fixture
def account(switch: CountingSwitch) -> Account:
    """One that has looked at a flow with 100 packets 10 s ago."""
    account = Account(switch.now)
    switch.add(Table.CLASSIFY, SENDS, 1).packets = 100
    switch.now += 1
    assert look(account, switch) == 100
    switch.now += 10
    return account


def flow_of(switch: CountingSwitch) -> Flow:
    return switch.flows[Table.CLASSIFY, 1]


def test_a_flow_that_is_replaced_goes_on_where_it_was(switch: CountingSwitch, account: Account) -> None:
    flow_of(switch).packets += 7
    replace(switch, flow_of(switch))
    flow_of(switch).packets += 5
    switch.now += 2
    assert look(account, switch) == 12
    flow_of(switch).packets += 1
    switch.now += 10
    assert look(account, switch) == 1


def test_one_that_is_replaced_and_then_removed_counts_what_came_since_the_look(
    switch: CountingSwitch, account: Account
) -> None:
    replace(switch, flow_of(switch))
    flow_of(switch).packets += 5
    switch.now += 2
    message = switch.remove(Table.CLASSIFY, 1)
    assert told(account.removed(flow_removed(message), switch.now, lambda one: subjects_of(one, {}))) == 5
    switch.now += 10
    assert look(account, switch) == 0


def test_one_that_was_removed_and_made_anew_is_told_apart_when_word_of_its_end_comes_late(
    switch: CountingSwitch, account: Account
) -> None:
    """Until then it looks as if it had been replaced; at the end all is counted: 4 of the former, 150 of the new."""
    flow_of(switch).packets += 4
    message = switch.remove(Table.CLASSIFY, 1)
    switch.add(Table.CLASSIFY, SENDS, 1).packets = 150
    switch.now += 1
    seen = look(account, switch)
    late = told(account.removed(flow_removed(message), switch.now - 1, lambda one: subjects_of(one, {})))
    assert seen + late == 154


@pytest.mark.parametrize("packets", [40, 100, 400])
def test_after_a_restart_of_the_switch_everything_is_new_however_much_it_has_counted(
    switch: CountingSwitch, account: Account, packets: int
) -> None:
    switch.restart()
    account.cut(switch.now)
    switch.add(Table.CLASSIFY, OTHER, 9)
    switch.add(Table.CLASSIFY, SENDS, 1).packets = packets
    switch.now += 3
    assert look(account, switch) == packets


def test_a_connection_that_was_lost_alone_makes_nothing_new_of_a_flow_that_is_replaced_then(
    switch: CountingSwitch, account: Account
) -> None:
    account.cut(switch.now)
    switch.now += 0.5
    replace(switch, flow_of(switch))
    flow_of(switch).packets += 5
    switch.now += 2
    assert look(account, switch) == 5


def test_neither_does_a_controller_that_was_killed(switch: CountingSwitch, account: Account) -> None:
    kept: Kept = account.keep()
    account = Account(switch.now, kept)
    switch.now += 0.5
    replace(switch, flow_of(switch))
    flow_of(switch).packets += 5
    switch.now += 2
    assert look(account, switch) == 5


@pytest.fixture
def ovs() -> Iterator[RealOvs]:
    with RealOvs() as made:
        made.vsctl("add-br", "b", "--", "set", "Bridge", "b", "datapath_type=dummy")
        made.vsctl("add-port", "b", "p1", "--", "set", "Interface", "p1", "type=dummy", "ofport_request=1")
        yield made


def test_open_vswitch_does_hand_the_counters_on(ovs: RealOvs) -> None:
    """What all of the above rests on; when a later version does otherwise, this says so."""
    bridge = f"unix:{ovs.directory}/b.mgmt"
    flow = "table=0,send_flow_rem,priority=100,cookie=1,in_port=1,actions="
    packet = (
        "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800),"
        "ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
    )
    ovs.run("ovs-ofctl", "-O", "OpenFlow14", "add-flow", bridge, f"{flow}drop")
    for _ in range(5):
        ovs.run("ovs-appctl", "-t", f"{ovs.directory}/ovs-vswitchd.ctl", "netdev-dummy/receive", "p1", packet)
    ovs.run("ovs-appctl", "-t", f"{ovs.directory}/ovs-vswitchd.ctl", "revalidator/wait")
    ovs.run("ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flow", bridge, f"{flow}load:1->NXM_NX_REG0[]")
    said = ovs.run("ovs-ofctl", "-O", "OpenFlow14", "dump-flows", bridge, "in_port=1")
    assert "n_packets=5" in said and "0x1->NXM_NX_REG0" in said, said
