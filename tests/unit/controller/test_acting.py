"""Commits that deactivate and activate: the network does what acts, texts and revisions hold what is configured."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath

import pytest

from controller.commits import Commits
from controller.compile import compile_all, start
from controller.network import Network
from controller.transaction import Kept
from data.candidate import Candidate
from data.configuration import Edits
from data.errors import ApplyFailed, CheckFailed
from data.path import Path
from data.schema.objects import EgressPolicy, Endpoint, Entry, IngressPolicy, PolicyGroup
from data.steps import at_once
from tests.unit.controller.model import PROD, uuid, vport, vport_path
from tests.unit.controller.test_commits import ADDED, Bench


@pytest.fixture
def bench(tmp_path: FilePath) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def edits(bench: Bench, *lines: str) -> Edits:
    candidate = Candidate(bench.network.configured, "ops")
    candidate.apply_batch(lines, "test")
    return candidate.merge()


VM_2 = "enterprise acme domain prod vport vm-2"


async def ready(bench: Bench) -> None:
    await bench.begin()
    await bench.commits.commit(ADDED, "ops", "")


async def test_a_deactivated_vport_has_no_flows_and_has_them_again_when_it_is_activated(bench: Bench) -> None:
    await ready(bench)
    network = bench.network
    held = {name: dict(switch.held) for name, switch in bench.switches.items()}
    assert network.running is network.configured
    outcome = await bench.commits.commit(edits(bench, f"deactivate {VM_2}"), "ops", "")
    assert outcome.revision == 3 and {receipt.state for receipt in outcome.receipts} == {Kept.VERIFIED}
    assert network.running.get(vport_path(2)) is None and network.running.by_uuid(vport(2).uuid) is None
    assert network.configured.get(vport_path(2)) == bench.store.load().get(vport_path(2))
    assert len(bench.switches["hv1"].held) < len(held["hv1"]) and await bench.agreed()
    await bench.commits.commit(edits(bench, f"activate {VM_2}"), "ops", "")
    assert {name: dict(switch.held) for name, switch in bench.switches.items()} == held
    assert network.running is network.configured and await bench.agreed()


async def test_a_plan_says_what_is_turned_off_and_on(bench: Bench) -> None:
    await ready(bench)
    off = edits(bench, f"deactivate {VM_2}")
    assert (await bench.commits.plan(off)).summary == ("vport vm-2 deactivated",)
    await bench.commits.commit(off, "ops", "")
    plan = await bench.commits.plan(edits(bench, f"activate {VM_2}", f"set {VM_2} description x"))
    assert plan.summary == ("vport vm-2 activated",) and plan.dvrs
    plan = await bench.commits.plan(edits(bench, f"set {VM_2} description x"))
    assert plan.summary == ("vport vm-2 changed (description)",) and not plan.dvrs


async def test_what_refers_to_something_inactive_is_refused_with_advice(bench: Bench) -> None:
    await ready(bench)
    with pytest.raises(CheckFailed) as caught:
        await bench.commits.commit(edits(bench, "deactivate enterprise acme domain prod zone web"), "ops", "")
    assert "cannot be deactivated: vport vm-2, vport vm-3 still name it" in str(caught.value)
    assert bench.network.configured.revision == 2 and not bench.network.configured.inactive


async def test_a_refused_deactivation_is_taken_back_everywhere(bench: Bench) -> None:
    await ready(bench)
    bench.switches["hv2"].fail["add"] = "refuse"
    with pytest.raises(ApplyFailed):
        await bench.commits.commit(edits(bench, f"deactivate {VM_2}"), "ops", "")
    assert bench.network.running is bench.network.configured and await bench.agreed()


async def test_a_hypervisor_that_is_deactivated_is_none_to_participants_and_owes_nothing(bench: Bench) -> None:
    await ready(bench)
    told: list[Edits] = []

    class Listening:
        async def prepare(self, edits: Edits) -> None:
            told.append(edits)

        async def drop(self) -> None: ...

        async def changed(self, edits: Edits) -> None:
            told.append(edits)

    bench.commits.add_participant(Listening())
    await bench.commits.commit(edits(bench, "deactivate dvrs hv2"), "ops", "")
    assert [change.get(("dvrs", "hv2"), 1) for change in told] == [None, None]
    assert bench.network.running.children((), "dvrs") == ["hv1"]
    assert bench.network.configured.children((), "dvrs") == ["hv1", "hv2"]
    assert bench.store.pending_receipts() == {}


async def test_a_confirmed_commit_that_returns_brings_back_what_it_deactivated(bench: Bench) -> None:
    await ready(bench)
    await bench.commits.commit(edits(bench, "deactivate enterprise acme"), "ops", "", confirmed=1)
    assert bench.network.running.get(PROD) is None
    waiting = bench.commits.confirmation.waiting
    assert waiting is not None
    await bench.commits._give_back(waiting)
    assert bench.network.running is bench.network.configured and await bench.agreed()
    assert [state for _, state in bench.states][:2] == ["applied", "reverted"]


async def test_after_a_restart_what_is_inactive_still_does_not_act(bench: Bench, tmp_path: FilePath) -> None:
    await ready(bench)
    await bench.commits.commit(edits(bench, f"deactivate {VM_2}"), "ops", "")
    again = Network(bench.store.load(), bench.network.numbers, (), bench.events)
    assert again.running.get(vport_path(2)) is None and again.configured.get(vport_path(2)) is not None
    commits = Commits(again, bench.store, bench.submit, bench.upkeep.stranded, ())
    await commits.recover()
    outcome = await commits.commit({vport_path(9): vport(9)}, "ops", "")
    assert outcome.revision == 4


async def test_many_edits_at_once_turn_things_off_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.network._MANY", 0)
    await ready(bench)
    await bench.commits.commit(edits(bench, f"deactivate {VM_2}"), "ops", "")
    assert bench.network.running.get(vport_path(2)) is None and await bench.agreed()


def policies() -> dict[Path, object]:
    ends = [Endpoint("policy-group", "web"), Endpoint("zone", "app"), Endpoint("vport", "vm-3"), Endpoint()]
    found: dict[Path, object] = {(*PROD, "policy-group", "web"): PolicyGroup(uuid=uuid(500))}
    for number, (keyword, kind) in enumerate((("ingress-policy", IngressPolicy), ("egress-policy", EgressPolicy))):
        found[(*PROD, keyword, "base")] = kind(uuid=uuid(510 + number))
        for nth, end in enumerate(ends):
            body = Entry(
                uuid=uuid(520 + 10 * number + nth), from_=end, to=ends[-1 - nth], action="allow", stateful=True
            )
            found[(*PROD, keyword, "base", "entry", str(nth + 1))] = body
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_random_activations_leave_what_a_compilation_from_nothing_makes(bench: Bench, seed: int) -> None:
    dice = random.Random(seed)
    await bench.begin()
    added = {vport_path(n): vport(n, dice.choice(("web1", "app1"))) for n in range(2, 8)}
    for number in range(2, 8):
        bench.attach(dice.choice(("hv1", "hv2")), number, 10 + number)
    await bench.commits.commit({**added, **policies()}, "ops", "")  # type: ignore[dict-item]
    verbs: list[Callable[[Candidate, Path], None]] = [
        lambda candidate, path: candidate.deactivate(list(path)),
        lambda candidate, path: candidate.activate(list(path)),
        lambda candidate, path: candidate.activate(list(path)),
        lambda candidate, path: candidate.set([*path, "description", f"d{dice.randrange(9)}"]),
    ]
    committed = 0
    for _ in range(40):
        candidate = Candidate(bench.network.configured, "ops")
        paths = [path for path, _ in candidate.view.walk()]
        for path in dice.sample(paths, dice.randrange(1, 5)):
            dice.choice(verbs)(candidate, path)
        try:
            await bench.commits.commit(candidate.merge(), "ops", "")
        except CheckFailed:
            continue
        committed += 1
        await bench.upkeep.idle()
        assert await bench.agreed()
        network = bench.network
        scratch = at_once(start(network.running, network.state.placement, network.numbers))
        for name in network.running.children((), "dvrs"):
            assert at_once(compile_all(scratch, name)) == await network.compile_all(name)
    assert committed > 5
