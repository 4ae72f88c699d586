"""Meters on their way to a switch: before the bundle or after it, taken back, healed, read back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from controller.commit.receipts import Receipt
from controller.commit.transaction import Work, apply
from controller.hypervisors.channel import Channel
from controller.hypervisors.reconcile import reconcile, repair
from controller.openflow import actions, match, meters
from controller.openflow.errors import BundleRefused, MeterRefused, SwitchGone
from controller.openflow.messages import as_delete, as_replacement, key
from controller.openflow.packed import as_delete_strict, flow
from data.errors import ApplyFailed
from tests.unit.controller.pretend import PretendSwitch


def limit(number: int, rate: int = 1000) -> bytes:
    return meters.meter_mod(meters.ADD, number, rate, 100)


def limited(port: int, number: int) -> bytes:
    return flow(0, 100, 7, [match.in_port(port)], [actions.output(1)], meter=number)


class Bench:
    """A ready channel to a pretended switch, and what it should hold."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.switch = PretendSwitch("hv1", self.log)
        self.channel = Channel("hv1")
        self.channel.connected(self.switch)
        self.channel.ready = True
        self.turn = asyncio.Lock()
        self.desired: list[bytes] = []

    async def contents(self, dvrs: str) -> Mapping[bytes, bytes]:
        return {key(message): message for message in self.desired}

    def hold(self, *messages: bytes) -> None:
        for message in messages:
            (self.switch.limits if meters.is_meter(message) else self.switch.held)[key(message)] = message

    def holds(self) -> dict[bytes, bytes]:
        return self.switch.held | self.switch.limits

    def steps(self) -> list[str]:
        return [line.split()[1] for line in self.log]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_new_meters_are_made_before_the_bundle_and_others_change_after_it(bench: Bench) -> None:
    bench.hold(limit(2), limit(3), limited(3, 3))
    change = [
        limit(1),
        limited(1, 1),
        as_delete_strict(limited(3, 3)),
        meters.as_modify(limit(2, 5)),
        as_delete(limit(3)),
    ]
    prepared = await bench.channel.prepare(change)
    assert bench.switch.limits == {key(mod): mod for mod in (limit(1), limit(2), limit(3))}, "before the commit"
    assert bench.steps() == ["meters", "open", "add", "close"]
    await prepared.commit()
    assert bench.steps()[4:] == ["commit", "barrier", "meters"]
    assert bench.holds() == {key(message): message for message in (limit(1), limit(2, 5), limited(1, 1))}


async def test_a_change_that_is_discarded_takes_its_meters_back_and_no_others(bench: Bench) -> None:
    bench.hold(limit(2, 5))
    prepared = await bench.channel.prepare([limit(1), limit(2), limited(1, 1)])
    assert bench.switch.limits == {key(mod): mod for mod in (limit(1), limit(2))}
    await prepared.discard()
    assert list(bench.switch.limits) == [key(limit(2))], "it was there before, so flows may use it"
    assert bench.switch.open_bundles == 0


@pytest.mark.parametrize("step", ["open", "close", "commit"])
async def test_a_refused_bundle_leaves_no_meters_behind(bench: Bench, step: str) -> None:
    bench.switch.fail[step] = "refuse"
    with pytest.raises(BundleRefused):
        await bench.channel.push([limit(1), limited(1, 1)])
    assert bench.holds() == {}


async def test_a_refused_meter_is_named_and_nothing_of_the_change_stays(bench: Bench) -> None:
    bench.switch.fail["meters"] = "refuse"
    with pytest.raises(MeterRefused, match=r"meter-mod failed: code 7: meter=1 kbps burst bands=type=drop rate=1000"):
        await bench.channel.push([limit(1), limit(2), limited(1, 1)])
    assert bench.holds() == {} and bench.steps() == ["meters"]


async def test_a_meter_refused_after_the_bundle_is_an_error_for_the_revert(bench: Bench) -> None:
    bench.hold(limit(2))
    prepared = await bench.channel.prepare([limited(1, 2), meters.as_modify(limit(2, 5))])
    bench.switch.fail["meters"] = "refuse"
    with pytest.raises(MeterRefused, match="modify meter=2"):
        await prepared.commit()
    await bench.channel.push([as_delete_strict(limited(1, 2)), meters.as_modify(limit(2))])
    assert bench.holds() == {key(limit(2)): limit(2)}


async def test_a_meter_that_exists_or_does_not_against_expectation_is_right_all_the_same(bench: Bench) -> None:
    bench.hold(limit(1, 9))
    await bench.channel.push([limit(1), meters.as_modify(limit(2, 5)), as_delete(limit(3)), limited(1, 1)])
    assert bench.holds() == {key(message): message for message in (limit(1), limit(2, 5), limited(1, 1))}


async def test_changes_owed_one_behind_the_other_end_as_the_last_one_says(bench: Bench) -> None:
    bench.hold(limit(1), limited(1, 1))
    first = [as_delete_strict(limited(1, 1)), as_delete(limit(1)), limit(2), limited(2, 2)]
    second = [limit(1, 7), limited(1, 1), as_delete_strict(limited(2, 2)), as_delete(limit(2))]
    await bench.channel.push([*first, *second])
    assert bench.holds() == {key(message): message for message in (limit(1, 7), limited(1, 1))}


@pytest.mark.parametrize("when", ["prepared", "committed"])
async def test_a_switch_lost_while_meters_are_sent_is_lost(bench: Bench, when: str) -> None:
    bench.hold(limit(2))
    if when == "prepared":
        bench.switch.fail["meters"] = "lose"
        with pytest.raises(SwitchGone):
            await bench.channel.prepare([limit(1)])
        return
    prepared = await bench.channel.prepare([as_delete(limit(2))])
    bench.switch.fail["meters"] = "lose"
    with pytest.raises(SwitchGone):
        await prepared.commit()


async def test_a_switch_lost_with_new_meters_is_not_asked_to_take_them_back(bench: Bench) -> None:
    bench.switch.fail["close"] = "lose"
    with pytest.raises(SwitchGone, match="connection lost"):
        await bench.channel.push([limit(1), limited(1, 1)])


async def test_a_reconcile_sends_missing_wrong_and_alien_meters_in_that_order(bench: Bench) -> None:
    bench.hold(limit(1), limit(2, 9), limit(4), limited(1, 1), limited(4, 4))
    bench.desired = [limit(1), limit(2), limit(3), limited(1, 1), limited(2, 2), limited(3, 3)]
    done = await reconcile(bench.channel, bench.contents, bench.turn)
    difference = done.difference
    assert (difference.equal, difference.wrong, difference.missing, difference.alien) == (2, 1, 3, 2)
    assert [mod for mod in difference.messages if meters.is_meter(mod)] == [
        as_replacement(limit(2)), limit(3), as_delete(limit(4)),
    ]  # fmt: skip
    assert bench.holds() == await bench.contents("hv1")
    assert done.flows == 3
    again = await reconcile(bench.channel, bench.contents, bench.turn)
    assert not again.difference


async def test_a_repair_of_one_table_brings_back_the_meters_that_its_flows_went_with(bench: Bench) -> None:
    bench.desired = [limit(1), limited(1, 1), flow(3, 1, 1), limit(2)]
    bench.hold(*bench.desired)
    await bench.switch.send([as_delete(limit(1))])
    assert key(limited(1, 1)) not in bench.holds(), "as in Open vSwitch"
    difference = await repair(bench.channel, bench.contents, bench.turn, frozenset({0}))
    assert difference is not None and (difference.missing, difference.alien) == (2, 0)
    assert bench.holds() == await bench.contents("hv1")


async def test_a_read_that_new_meters_of_a_commit_fell_into_is_thrown_away(bench: Bench) -> None:
    before = bench.channel.pushes
    prepared = await bench.channel.prepare([limit(1)])
    assert bench.channel.pushes > before
    await prepared.discard()
    assert bench.holds() == {}


async def test_a_switch_that_is_gone_needs_no_taking_back(bench: Bench) -> None:
    prepared = await bench.channel.prepare([limit(1)])
    bench.switch.gone = True
    await prepared.discard()
    assert "meters" not in bench.steps()[1:]


@pytest.mark.parametrize("step", ["close", "commit", "meters"])
async def test_a_commit_that_one_hypervisor_refuses_takes_meters_back_on_the_others(step: str) -> None:
    benches = {"hv1": Bench(), "hv2": Bench()}
    forward = [
        limit(1),
        limited(1, 1),
        meters.as_modify(limit(2, 5)),
        as_delete_strict(limited(3, 3)),
        as_delete(limit(3)),
    ]
    backward = [
        limited(3, 3),
        limit(3),
        as_delete_strict(limited(1, 1)),
        meters.as_modify(limit(2)),
        as_delete(limit(1)),
    ]
    old = (limit(2), limit(3), limited(3, 3))
    for bench in benches.values():
        bench.hold(*old)
    benches["hv2"].switch.fail[step] = "refuse"

    async def undo() -> Mapping[str, Sequence[bytes]]:
        return dict.fromkeys(benches, backward)

    async def journal() -> None:
        """Written."""

    async def decide(receipts: tuple[Receipt, ...]) -> None:
        raise AssertionError("not decided by a change that failed")

    work = [Work(bench.channel, forward, 2, 2) for bench in benches.values()]
    for name, bench in benches.items():
        bench.channel.name = name
    stranded: list[str] = []
    with pytest.raises(ApplyFailed, match="hv2"):
        await apply(work, undo, decide, journal=journal, stranded=lambda channel, reason: stranded.append(channel.name))
    for bench in benches.values():
        assert bench.holds() == {key(message): message for message in old}
        assert bench.switch.open_bundles == 0
    assert stranded == []


async def test_a_meter_that_somebody_removed_and_that_is_only_reported_is_made_for_flows_that_need_it(
    bench: Bench,
) -> None:
    """Or each change of such a flow would be refused (OFPMMFC_UNKNOWN_METER)."""
    bench.channel.lacking = {key(limit(number)): limit(number) for number in (5, 6)}
    await bench.channel.push([limited(1, 7), limit(7)])
    assert set(bench.switch.limits) == {key(limit(7))}, "what nobody needs stays as it was found"
    await bench.channel.push([limited(2, 5)])
    assert set(bench.switch.limits) == {key(limit(5)), key(limit(7))}
    assert set(bench.channel.lacking) == {key(limit(6))}
    await bench.channel.push([limit(6, 9000)])
    await bench.channel.push([limited(3, 6)])
    assert bench.switch.limits[key(limit(6))] == limit(6, 9000), "as it is committed now, not as it once was missing"
