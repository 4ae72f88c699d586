"""Commits with a real store and pretended switches: what is true afterwards, also when something breaks in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath

import msgspec
import pytest

import controller.commit.confirm
import controller.network
from controller.commit.commits import Commits
from controller.commit.receipts import Kept
from controller.events import Kind
from controller.hypervisors.reconcile import Reconciled
from controller.network import Network
from controller.numbers import Numbers
from data.candidate import Candidate
from data.errors import ApplyFailed, CheckFailed, CommandFailed, StoreUnavailable
from data.merge import Edit
from data.path import Path
from data.schema.objects import Endpoint, Entry, IngressPolicy, Object
from data.store import Revision, Store
from tests.unit.controller.model import PROD, Model, configuration, uuid, vport, vport_path


class Bench(Model):
    """A model whose commits go to a store on disk."""

    def __init__(self, directory: FilePath) -> None:
        super().__init__()
        self.store = Store.open(directory)
        if self.store.last_revision() == 0:
            self.store.commit(configuration(), Revision(1, "test", 1.0), {}, [])
        self.commits = Commits(self.network, self.store, self.submit, self.upkeep.stranded, ())

    async def submit(self, work: Callable[..., object], *args: object, **kwargs: object) -> object:
        await asyncio.sleep(0)
        return work(*args, **kwargs)

    async def _returned(self, dvrs: str, done: Reconciled) -> None:
        await super()._returned(dvrs, done)
        await self.commits.settled(dvrs, done.added, done.removed, done.milliseconds)

    async def begin(self) -> None:
        """Two hypervisors with a workload each."""
        await self.connect("hv1", "hv2")
        self.attach("hv1", 2, 4)
        self.attach("hv2", 3, 5)
        await self.upkeep.idle()

    @property
    def states(self) -> list[tuple[int, str]]:
        return [(entry.number, entry.state) for entry in self.store.history(10)]


@pytest.fixture
def bench(tmp_path: FilePath) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


ADDED = {vport_path(2): vport(2), vport_path(3): vport(3)}


async def test_a_commit_is_in_the_store_and_on_the_switches_with_its_receipts_and_numbers(bench: Bench) -> None:
    await bench.begin()
    outcome = await bench.commits.commit(ADDED, "ops", "two machines")
    assert outcome.revision == 2 and bench.network.running.revision == 2
    assert {receipt.part: receipt.state for receipt in outcome.receipts} == {"hv1": Kept.VERIFIED, "hv2": Kept.VERIFIED}
    assert await bench.agreed()
    await bench.commits.stop()
    newest = bench.store.history(1)[0]
    assert (newest.author, newest.comment, newest.state) == ("ops", "two machines", "applied")
    assert [receipt.state for receipt in newest.receipts] == ["verified", "verified"]
    assert bench.store.load().get(vport_path(2)) == vport(2)
    assert bench.store.numbers()["object", vport(2).uuid] in bench.network.objects
    assert not bench.store.open_journals()


async def test_a_plan_touches_nothing_and_tells_every_hypervisor_and_object(bench: Bench) -> None:
    await bench.begin()
    bench.log.clear()
    plan = await bench.commits.plan(ADDED)
    assert plan.revision == 2 and plan.summary == ("vport vm-2 added", "vport vm-3 added")
    assert [(one.name, one.state, one.removed) for one in plan.dvrs] == [("hv1", "ready", 0), ("hv2", "ready", 0)]
    assert plan.dvrs[0].added == len(plan.dvrs[0].messages) == sum(added for added, _ in plan.dvrs[0].by_table.values())
    assert bench.log == [] and bench.network.running.revision == 1
    assert await bench.agreed()


async def test_a_configuration_that_is_not_valid_is_refused_before_anything_happens(bench: Bench) -> None:
    await bench.begin()
    bad = msgspec.structs.replace(vport(2), address=("10.9.9.9",))
    with pytest.raises(CheckFailed):
        await bench.commits.commit({vport_path(2): bad}, "ops", "")
    with pytest.raises(CheckFailed):
        await bench.commits.plan({vport_path(2): bad})
    assert bench.states == [(1, "applied")]


async def test_a_refusal_leaves_the_running_configuration_and_its_reason_in_the_history(bench: Bench) -> None:
    await bench.begin()
    bench.switches["hv2"].fail["add"] = "refuse"
    with pytest.raises(ApplyFailed):
        await bench.commits.commit(ADDED, "ops", "")
    assert bench.network.running.revision == 1 and await bench.agreed()
    newest = bench.store.history(1)[0]
    assert newest.state == "failed" and "hv2 refused the change" in newest.reason
    assert bench.commits.counts["failed"] == 1
    assert (await bench.commits.commit(ADDED, "ops", "")).revision == 2
    assert bench.commits.counts == {"applied": 1, "failed": 1}
    assert await bench.agreed()


async def test_a_full_disk_takes_the_switches_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.begin()

    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("nshell.db", "the disk is full", "make room")

    monkeypatch.setattr(bench.store, "commit", full)
    with pytest.raises(StoreUnavailable):
        await bench.commits.commit(ADDED, "ops", "")
    assert bench.network.running.revision == 1 and await bench.agreed()
    assert "hv1 commit" in bench.log, "it had been carried out and was taken back"


async def test_a_session_that_is_dropped_in_the_middle_does_not_leave_half_a_commit(bench: Bench) -> None:
    await bench.begin()
    bench.log.clear()
    session = asyncio.create_task(bench.commits.commit(ADDED, "ops", ""))
    while "hv1 close" not in bench.log:
        await asyncio.sleep(0)
    session.cancel()
    await bench.commits.stop()
    assert bench.network.running.revision == 2 and await bench.agreed()


async def test_commits_at_the_same_time_go_one_after_the_other(bench: Bench) -> None:
    await bench.begin()
    one_each = ({vport_path(n): vport(n)} for n in range(2, 12))
    outcomes = await asyncio.gather(*(bench.commits.commit(edits, "ops", "") for edits in one_each))
    assert [outcome.revision for outcome in outcomes] == [*range(2, 12)]
    assert await bench.agreed()


async def test_edits_made_before_somebody_elses_commit_are_taken_anew_after_it(bench: Bench) -> None:
    await bench.begin()
    await bench.commits.commit(ADDED, "ops", "")
    described = msgspec.structs.replace(vport(2), description="mine")
    both = msgspec.structs.replace(described, mac="02:00:00:00:00:99")
    theirs = {vport_path(2): msgspec.structs.replace(vport(2), mac="02:00:00:00:00:99")}
    first = bench.commits.commit(theirs, "eve", "")
    second = bench.commits.commit({vport_path(2): described}, "ops", "", again=lambda: {vport_path(2): both})
    await asyncio.gather(first, second)
    assert bench.network.running.get(vport_path(2)) == both


async def test_a_candidate_ends_with_its_revision_and_outlives_a_commit_that_fails(bench: Bench) -> None:
    await bench.begin()
    candidate = Candidate(bench.network.running, "ops", {path: Edit(None, item) for path, item in ADDED.items()})
    bench.store.save_candidate("ops", {path: Edit(None, item) for path, item in ADDED.items()})
    bench.switches["hv2"].fail["add"] = "refuse"
    with pytest.raises(ApplyFailed):
        await bench.commits.commit(candidate.merge(), "ops", "", candidate_of="ops")
    assert bench.store.load_candidates()["ops"].keys() == ADDED.keys()
    edits = candidate.merge()
    await bench.commits.commit(edits, "ops", "", candidate_of="ops")
    candidate.committed(edits)
    assert not bench.store.load_candidates() and not candidate.unsaved() and not candidate.differs


async def test_a_large_commit_prepares_what_will_be_running_aside(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller.network, "_MANY", 1)
    await bench.begin()
    running = bench.network.running
    await bench.commits.commit(ADDED, "ops", "")
    assert bench.network.running is running and running.revision == 2
    assert running.get(vport_path(2)) == vport(2) and await bench.agreed()


async def test_a_hypervisor_that_was_away_settles_its_receipt_when_it_returns(bench: Bench) -> None:
    await bench.begin()
    bench.network.channels["hv2"].lost()
    outcome = await bench.commits.commit(ADDED, "ops", "")
    assert outcome.receipts[-1].state is Kept.PENDING
    await bench.connect("hv2")
    assert await bench.agreed()
    assert [receipt.state for receipt in bench.store.receipts(2)] == ["verified", "verified"]


async def test_a_receipt_that_was_pending_is_settled_also_after_a_restart(bench: Bench, tmp_path: FilePath) -> None:
    await bench.begin()
    bench.network.channels["hv2"].lost()
    await bench.commits.commit(ADDED, "ops", "")
    await bench.commits.stop()
    after = Bench(tmp_path)
    await after.commits.recover()
    await after.connect("hv2")
    assert [receipt.state for receipt in after.store.receipts(2)] == ["verified", "verified"]
    after.store.close()


async def test_a_receipt_that_could_not_be_written_is_settled_by_the_next_return(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.begin()
    bench.network.channels["hv2"].lost()
    await bench.commits.commit(ADDED, "ops", "")
    with monkeypatch.context() as broken:
        broken.setattr(bench.store, "add_receipts", full)
        await bench.connect("hv2")
    assert [receipt.state for receipt in bench.store.receipts(2)] == ["verified", "pending"]
    await bench.connect("hv2")
    assert [receipt.state for receipt in bench.store.receipts(2)] == ["verified", "verified"]


async def test_a_receipt_of_a_hypervisor_that_is_deleted_before_it_returned_does_not_stay_pending(
    bench: Bench,
) -> None:
    await bench.begin()
    bench.network.channels["hv2"].lost()
    await bench.commits.commit(ADDED, "ops", "")
    bench.switches.pop("hv2")
    await bench.commits.commit({("dvrs", "hv2"): None}, "ops", "")
    assert [(receipt.state, receipt.reason) for receipt in bench.store.receipts(2)] == [
        ("verified", ""), ("failed", "deleted in revision 3"),
    ]  # fmt: skip
    assert bench.store.pending_receipts() == {}


async def test_rollbacks_over_a_domain_that_was_deleted_and_made_again_leave_what_a_restart_would_make(
    bench: Bench,
) -> None:
    await bench.begin()
    await bench.commits.commit(ADDED, "ops", "")
    policy = (*PROD, "ingress-policy", "base")
    zones = Endpoint("zone", "web"), Endpoint("zone", "app")
    rules: dict[Path, Object | None] = {policy: IngressPolicy(uuid=uuid(700))}
    rules[(*policy, "entry", "10")] = Entry(uuid=uuid(701), action="allow", from_=zones[0], to=zones[1], stateful=True)
    await bench.commits.commit(rules, "ops", "revision 3")
    await bench.commits.commit({(*policy, "entry", "10"): None}, "ops", "")
    await bench.commits.commit({(*policy, "entry", "20"): Entry(uuid=uuid(702), action="deny")}, "ops", "revision 5")
    former = dict(bench.network.running.walk(PROD))
    await bench.commits.commit(dict.fromkeys(former), "ops", "")
    again = {path: msgspec.structs.replace(item, uuid=uuid(5000 + n)) for n, (path, item) in enumerate(former.items())}
    await bench.commits.commit(again, "ops", "revision 7")
    for revision in (3, 5, 7, 3, 1, 7):
        difference = bench.store.difference(bench.network.running.revision, revision)
        await bench.commits.commit({path: new for path, (_, new) in difference.items()}, "ops", f"rollback {revision}")
        workloads = [claim for name in bench.switches for claim in bench.network.topology.claims_of(name)]
        fresh = Network(bench.store.load(), Numbers(bench.store.numbers()), workloads, bench.events)
        for name, switch in bench.switches.items():
            assert switch.held == dict(await fresh.compile_all(name)), f"{name} after rollback {revision}"


async def test_a_commit_that_was_interrupted_is_told_and_the_former_revision_stands(bench: Bench) -> None:
    bench.store.begin_journal(Revision(2, "ops", 5.0), ["hv1"])
    await bench.commits.recover()
    assert not bench.store.open_journals()
    assert bench.store.history(1)[0].reason == "interrupted, returned to revision 1"
    assert any("interrupted" in text for text in bench.told(Kind.COMMIT))


async def test_a_commit_that_is_not_confirmed_returns_by_itself(bench: Bench) -> None:
    await bench.begin()
    outcome = await bench.commits.commit(ADDED, "ops", "", confirmed=0)
    assert outcome.deadline is not None
    while bench.network.running.revision < 3:
        await asyncio.sleep(0.01)
    await bench.commits.stop()
    assert bench.network.running.get(vport_path(2)) is None and await bench.agreed()
    newest = bench.store.history(1)[0]
    assert newest.author == "system"
    assert newest.comment == "revision 2 was not confirmed in time: returned to revision 1"
    assert bench.states == [(3, "applied"), (2, "reverted"), (1, "applied")]


async def test_a_return_that_fails_by_a_mistake_of_ours_is_told_and_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.begin()
    monkeypatch.setattr(controller.commit.confirm, "_AGAIN", 0.01)
    wrong = [ValueError("what nobody foresaw")]
    difference = bench.store.difference
    monkeypatch.setattr(bench.store, "difference", lambda a, b: fail(wrong.pop()) if wrong else difference(a, b))
    await bench.commits.commit(ADDED, "ops", "", confirmed=0)
    async with asyncio.timeout(5):
        while bench.network.running.revision < 3:
            await asyncio.sleep(0.01)
    await bench.commits.stop()
    assert bench.network.running.get(vport_path(2)) is None
    assert "ValueError('what nobody foresaw'); trying again" in bench.told(Kind.FAULT)[0]


async def test_a_confirmed_commit_stays_and_confirming_again_says_that_nothing_waits(bench: Bench) -> None:
    await bench.begin()
    await bench.commits.commit(ADDED, "ops", "", confirmed=5)
    assert bench.states[0] == (2, "confirmed-pending")
    with pytest.raises(CommandFailed, match="revision 1 does not wait"):
        await bench.commits.confirm("ops", 1)
    assert await bench.commits.confirm("ops", 2) == 2
    assert bench.states[0] == (2, "applied") and bench.commits.confirmation.waiting is None
    with pytest.raises(CommandFailed):
        await bench.commits.confirm("ops", 2)


async def test_a_further_commit_confirms_the_one_that_waits_and_says_so(bench: Bench) -> None:
    await bench.begin()
    said: list[str] = []
    await bench.commits.commit(ADDED, "ops", "", confirmed=5)
    outcome = await bench.commits.commit({vport_path(4): vport(4)}, "ops", "", report=said.append)
    assert outcome.confirmed == 2 and "revision 2 is confirmed by this commit" in said
    await bench.commits.stop()
    assert bench.states[:2] == [(3, "applied"), (2, "applied")]
    assert bench.store.pending_confirm() is None


async def test_a_deadline_that_passed_while_the_controller_was_dead_is_kept_at_its_start(
    bench: Bench, tmp_path: FilePath
) -> None:
    await bench.begin()
    await bench.commits.commit(ADDED, "ops", "", confirmed=5)
    await bench.commits.stop()
    with bench.store.transaction() as db:
        db.execute("UPDATE confirm SET deadline = 1")
    after = restarted(tmp_path)
    await after.commits.recover()
    while after.network.running.revision < 3:
        await asyncio.sleep(0.01)
    assert after.network.running.get(vport_path(2)) is None
    after.store.close()


def full(*_: object) -> None:
    raise StoreUnavailable("the store", "disk full", "make room")


def fail(problem: Exception) -> None:
    raise problem


def restarted(directory: FilePath) -> Bench:
    """A new process on the same state directory."""
    bench = Bench(directory)
    bench.network = Network(bench.store.load(), Numbers(bench.store.numbers()), (), bench.events)
    bench.commits = Commits(bench.network, bench.store, bench.submit, bench.upkeep.stranded, ())
    return bench
