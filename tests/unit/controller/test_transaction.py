"""All or nothing, with a fault injected at every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from controller.commit.receipts import Kept, Receipt
from controller.commit.transaction import Rank, Work, apply
from controller.hypervisors.channel import Channel
from controller.openflow import actions, match
from controller.openflow.packed import as_delete_strict, flow, flow_key
from data.errors import ApplyFailed, StoreUnavailable
from tests.unit.controller.pretend import STEPS, PretendSwitch

OLD, NEW = ([flow(0, 100, 1, [match.in_port(1)], [actions.output(out)])] for out in (1, 2))
EXTRA = flow(3, 100, 1, [match.in_port(9)])
FORWARD = [*NEW, EXTRA]
BACKWARD = [*OLD, as_delete_strict(EXTRA)]


class Fabric:
    """Four hypervisors that hold OLD, and a commit that makes them hold FORWARD."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.switches = {name: PretendSwitch(name, self.log) for name in ("hv1", "hv2", "hv3", "hv4")}
        self.channels = {name: Channel(name) for name in self.switches}
        for name, switch in self.switches.items():
            switch.held = {flow_key(message): message for message in OLD}
            self.channels[name].connected(switch)
            self.channels[name].ready = True
        self.decided: list[tuple[Receipt, ...]] = []
        self.journalled = 0
        self.stranded: dict[str, str] = {}
        self.store_fault: Exception | None = None
        self.journal_fault: Exception | None = None
        self.ranks = {"hv3": Rank.RECEIVES, "hv2": Rank.RELEASES}

    async def backward(self) -> Mapping[str, Sequence[bytes]]:
        return dict.fromkeys(self.switches, BACKWARD)

    async def decide(self, receipts: tuple[Receipt, ...]) -> None:
        if self.store_fault is not None:
            raise self.store_fault
        self.decided.append(receipts)

    async def journal(self) -> None:
        if self.journal_fault is not None:
            raise self.journal_fault
        self.journalled += 1

    async def commit(self, strict: bool = False) -> tuple[Receipt, ...]:
        work = [
            Work(channel, FORWARD, 2, 0, self.ranks.get(name, Rank.BETWEEN)) for name, channel in self.channels.items()
        ]
        return await apply(
            work, self.backward, self.decide, journal=self.journal, strict=strict,
            stranded=lambda channel, reason: self.stranded.update({channel.name: reason}),
        )  # fmt: skip

    def holds(self, name: str) -> list[bytes]:
        return list(self.switches[name].held.values())

    def nothing_is_left(self) -> bool:
        return all(self.holds(name) == OLD for name in self.switches if not self.switches[name].gone) and all(
            switch.open_bundles == 0 for switch in self.switches.values() if not switch.gone
        )


@pytest.fixture
def fabric() -> Fabric:
    return Fabric()


async def test_a_commit_is_carried_out_everywhere_and_decided_once(fabric: Fabric) -> None:
    receipts = await fabric.commit()
    assert [(receipt.part, receipt.state) for receipt in receipts] == [
        (name, Kept.VERIFIED) for name in ("hv1", "hv2", "hv3", "hv4")
    ]
    assert fabric.decided == [receipts]
    assert all(fabric.holds(name) == FORWARD for name in fabric.switches)
    assert fabric.journalled == 1


async def test_nothing_is_carried_out_before_every_hypervisor_has_taken_its_bundle(fabric: Fabric) -> None:
    await fabric.commit()
    steps = [line.split()[1] for line in fabric.log]
    assert steps.index("commit") > max(index for index, step in enumerate(steps) if step == "close")


async def test_who_receives_is_changed_before_who_sends_and_who_only_loses_last(fabric: Fabric) -> None:
    await fabric.commit()
    commits = [line.split()[0] for line in fabric.log if line.endswith("commit")]
    assert commits[0] == "hv3" and commits[-1] == "hv2"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("victim", ["hv1", "hv2", "hv3"])
async def test_a_refusal_at_any_step_on_any_hypervisor_takes_everything_back_and_names_it(
    fabric: Fabric, victim: str, step: str
) -> None:
    fabric.switches[victim].fail[step] = "refuse"
    with pytest.raises(ApplyFailed) as failure:
        await fabric.commit()
    assert victim in failure.value.where and "prerequisite missing" in failure.value.cause
    assert failure.value.exit_code == 4
    assert not fabric.decided
    assert fabric.nothing_is_left()


@pytest.mark.parametrize("step", STEPS)
async def test_a_hypervisor_lost_at_any_step_is_pending_and_the_others_go_on(fabric: Fabric, step: str) -> None:
    fabric.switches["hv2"].fail[step] = "lose"
    receipts = {receipt.part: receipt.state for receipt in await fabric.commit()}
    assert receipts == {"hv1": Kept.VERIFIED, "hv2": Kept.PENDING, "hv3": Kept.VERIFIED, "hv4": Kept.VERIFIED}
    assert len(fabric.decided) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_a_strict_commit_fails_when_a_hypervisor_is_lost_at_any_step(fabric: Fabric, step: str) -> None:
    fabric.switches["hv2"].fail[step] = "lose"
    with pytest.raises(ApplyFailed, match="hv2"):
        await fabric.commit(strict=True)
    assert fabric.nothing_is_left() and not fabric.decided


async def test_an_absent_hypervisor_is_pending_or_refuses_a_strict_commit_before_anything_is_touched(
    fabric: Fabric,
) -> None:
    fabric.channels["hv4"].lost()
    with pytest.raises(ApplyFailed, match="hv4"):
        await fabric.commit(strict=True)
    assert fabric.log == [] and not fabric.journalled
    receipts = {receipt.part: receipt.state for receipt in await fabric.commit()}
    assert receipts["hv4"] is Kept.PENDING and receipts["hv1"] is Kept.VERIFIED


async def test_a_full_disk_at_the_decision_takes_the_switches_back(fabric: Fabric) -> None:
    fabric.store_fault = StoreUnavailable("commit", "the disk is full", "make room")
    with pytest.raises(StoreUnavailable):
        await fabric.commit()
    assert fabric.nothing_is_left()
    commits = [line.split()[0] for line in fabric.log if line.endswith("commit")]
    assert commits[4] == "hv2" and commits[-1] == "hv3", "senders are taken back before receivers"


async def test_a_journal_that_cannot_be_written_stops_the_commit_before_any_switch_changes(fabric: Fabric) -> None:
    fabric.journal_fault = StoreUnavailable("commit", "read-only database", "remount it")
    with pytest.raises(StoreUnavailable):
        await fabric.commit()
    assert fabric.nothing_is_left()
    assert not [line for line in fabric.log if line.endswith("commit")]


async def test_a_hypervisor_that_refuses_even_the_revert_is_handed_over_to_a_reconcile(fabric: Fabric) -> None:
    fabric.store_fault = StoreUnavailable("commit", "the disk is full", "make room")

    async def backward() -> Mapping[str, Sequence[bytes]]:
        fabric.switches["hv1"].fail["close"] = "refuse"
        return dict.fromkeys(fabric.switches, BACKWARD)

    fabric.backward = backward  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await fabric.commit()
    assert list(fabric.stranded) == ["hv1"]
    assert fabric.holds("hv2") == OLD
