"""How long a real Open vSwitch carries out a bundle for, in the order of the compiler and in that of the channel."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from controller.hypervisors.channel import Channel
from controller.openflow import actions as a
from controller.openflow import match as m
from controller.openflow import wire
from controller.openflow.connection import Switch
from controller.openflow.messages import as_delete
from controller.openflow.packed import Template
from controller.openflow.wire import Field
from tests.system.ovs import RealOvs
from tests.system.switches.test_openflow_server import dialled, push

ENTRIES, CLAUSES = 500, 60  # policy entries, and matches that all of them have: 30,000 flows


@pytest.fixture(scope="module")
def ovs() -> Iterator[RealOvs]:
    with RealOvs() as running:
        running.add_bridge()
        yield running


def policy(table: int) -> list[bytes]:
    """Entries as they are compiled: the first has the highest priority."""
    clause = Template(
        table=table,
        priority=Field("priority"),
        match=[m.eth_type(wire.ETH_IPV4), m.ip_proto(6), m.tcp_src(Field("port"))],
        actions=[a.conjunction(Field("entry"), 1, 2)],
        fields=("priority", "port", "entry"),
    )
    return [clause.pack(40_000 - entry, port, entry) for entry in range(ENTRIES) for port in range(CLAUSES)]


async def carried_out(switch: Switch, table: int) -> float:
    """Seconds for which the bundle is carried out, when it comes as it is compiled."""
    bundle = switch.bundle()
    await bundle.open()
    await bundle.add(policy(table))
    await bundle.close()
    began = time.perf_counter()
    await bundle.commit()
    return time.perf_counter() - began


@pytest.mark.quiet
async def test_policy_entries_are_added_in_a_fraction_of_the_time_and_are_the_same_flows(ovs: RealOvs) -> None:
    async with dialled(ovs) as switch:
        channel = Channel("hv1")
        channel.connected(switch)
        compiled = await carried_out(switch, 30)
        prepared = await channel.prepare(policy(31))
        began = time.perf_counter()
        await prepared.commit()
        ordered = time.perf_counter() - began
        print(f"bundle of {ENTRIES * CLAUSES} flows: as compiled {compiled:.3f} s, in order {ordered:.3f} s")
        assert ordered < compiled / 2
        first, second = [sorted(entry.key[1:] for entry in await switch.flows(table)) for table in (30, 31)]
        assert first == second and len(first) == ENTRIES * CLAUSES
        await channel.push([as_delete(message) for message in policy(31)])
        assert await switch.flow_count(31) == 0
        await push(switch, [as_delete(message) for message in policy(30)])
