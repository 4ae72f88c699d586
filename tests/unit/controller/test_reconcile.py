"""Making a switch equal to what it should hold, sending only what differs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from controller.hypervisors.channel import Channel
from controller.hypervisors.reconcile import reconcile, repair
from controller.openflow import actions, match
from controller.openflow.errors import BundleRefused
from controller.openflow.packed import as_delete_strict, flow, flow_key
from tests.unit.controller.pretend import PretendSwitch


def made(port: int, out: int = 1, table: int = 0, cookie: int = 7) -> bytes:
    return flow(table, 100, cookie, [match.in_port(port)], [actions.output(out)])


class Bench:
    """A channel with a pretended switch, and what it should hold."""

    def __init__(self) -> None:
        self.switch = PretendSwitch("hv1")
        self.channel = Channel("hv1")
        self.channel.connected(self.switch)
        self.turn = asyncio.Lock()
        self.desired: list[bytes] = []
        self.compiling = asyncio.Event()

    async def contents(self, dvrs: str) -> Mapping[bytes, bytes]:
        self.compiling.set()
        await asyncio.sleep(0)
        return {flow_key(message): message for message in self.desired}

    def hold(self, *messages: bytes) -> None:
        self.switch.held = {flow_key(message): message for message in messages}


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_an_empty_switch_gets_everything_and_its_channel_is_ready(bench: Bench) -> None:
    bench.desired = [made(port) for port in range(1, 200)]
    done = await reconcile(bench.channel, bench.contents, bench.turn)
    assert (done.flows, done.added, done.removed) == (199, 199, 0)
    assert bench.switch.held == await bench.contents("hv1")
    assert bench.channel.ready


async def test_a_switch_that_agrees_is_sent_nothing(bench: Bench) -> None:
    bench.desired = [made(1), made(2)]
    bench.hold(*bench.desired)
    done = await reconcile(bench.channel, bench.contents, bench.turn)
    assert not done.difference and done.flows == 2
    assert bench.switch.log == []


async def test_only_what_is_missing_wrong_or_too_many_is_sent(bench: Bench) -> None:
    bench.desired = [made(1), made(2), made(3), made(4)]
    bench.hold(made(1), made(2, out=9), made(3, cookie=8), made(5))
    done = await reconcile(bench.channel, bench.contents, bench.turn)
    difference = done.difference
    assert (difference.equal, difference.wrong, difference.missing, difference.alien) == (1, 2, 1, 1)
    assert difference.messages == [made(2), made(3), made(4), as_delete_strict(made(5))]
    assert bench.switch.held == await bench.contents("hv1")


async def test_what_commits_change_meanwhile_is_sent_before_the_switch_is_ready(bench: Bench) -> None:
    bench.desired = [made(1), made(2)]
    work = asyncio.create_task(reconcile(bench.channel, bench.contents, bench.turn))
    await bench.compiling.wait()
    async with bench.turn:
        assert not bench.channel.ready
        bench.channel.owed += [made(3), as_delete_strict(made(1))]
        bench.desired = [made(2), made(3)]
    await work
    assert bench.switch.held == await bench.contents("hv1")


async def test_a_refused_reconcile_leaves_the_channel_unready(bench: Bench) -> None:
    bench.desired = [made(1)]
    bench.switch.fail["commit"] = "refuse"
    with pytest.raises(BundleRefused):
        await reconcile(bench.channel, bench.contents, bench.turn)
    assert not bench.channel.ready


async def test_a_connection_that_was_replaced_meanwhile_is_not_made_ready(bench: Bench) -> None:
    bench.desired = [made(1)]
    work = asyncio.create_task(reconcile(bench.channel, bench.contents, bench.turn))
    await bench.compiling.wait()
    bench.channel.connected(PretendSwitch("hv1 again"))
    with pytest.raises(LookupError):
        await work
    assert not bench.channel.ready


async def test_a_repair_restores_changed_removed_and_added_flows_of_the_tables_it_looks_at(bench: Bench) -> None:
    bench.desired = [made(1), made(2), made(3, table=4)]
    bench.hold(made(1, out=9), made(6), made(8, table=4))
    bench.channel.ready = True
    difference = await repair(bench.channel, bench.contents, bench.turn, frozenset({0}))
    assert difference is not None
    assert (difference.wrong, difference.missing, difference.alien) == (1, 1, 1)
    assert set(bench.switch.held) == {flow_key(made(port)) for port in (1, 2)} | {flow_key(made(8, table=4))}


async def test_a_read_during_which_a_commit_changed_flows_is_not_taken_for_drift(bench: Bench) -> None:
    bench.desired = [made(1)]
    bench.hold(made(1))
    bench.channel.ready = True
    async with bench.turn:
        work = asyncio.create_task(repair(bench.channel, bench.contents, bench.turn))
        await asyncio.sleep(0.01)  # it has read the old flows and waits for its turn
        bench.desired = [made(1), made(2)]
        await bench.channel.push([made(2)])
    difference = await work
    assert difference is not None and not difference


async def test_a_hypervisor_that_is_not_ready_is_not_repaired(bench: Bench) -> None:
    assert await repair(bench.channel, bench.contents, bench.turn) is None
