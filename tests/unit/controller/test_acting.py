"""Commits that deactivate, and commits of templates: the network does what acts, texts and revisions hold what is
configured.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath

import pytest

from controller.commit.commits import Commits
from controller.commit.receipts import Kept
from controller.compile import compile_all, start
from controller.network import Network
from data.acting import Acting
from data.candidate import Candidate
from data.configuration import Edits
from data.errors import ApplyFailed, BatchProblem, CheckFailed
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


OFFICE = "domain-template office"
TEST = "enterprise acme domain test"
MADE = (
    f"set {OFFICE} zone web subnet web1 prefix 10.1.1.0/24",
    f"set {OFFICE} policy-group front",
    f"set {OFFICE} ingress-policy base priority 900 entry 10 from policy-group front protocol tcp action deny",
    f"set {TEST} template office",
    "set enterprise acme domain prod template office",
    "delete enterprise acme domain prod zone web",
    f"set {TEST} ingress-policy own priority 1 entry 5 action allow",
    f"set {TEST} vport vm-2 subnet web1 mac 02:00:00:00:00:22 address 10.1.1.22 policy-group front",
)


async def with_templates(bench: Bench) -> None:
    """Two domains of a template: prod with its workloads vm-2 and vm-3, and test with one that is nowhere yet."""
    await ready(bench)
    await bench.commits.commit(edits(bench, *MADE), "ops", "")


async def from_nothing(bench: Bench) -> None:
    """Whether switches and state are as a compilation from nothing makes them."""
    await bench.upkeep.idle()
    assert await bench.agreed()
    network = bench.network
    scratch = at_once(start(network.running, network.state.placement, network.numbers))
    for name in network.running.children((), "dvrs"):
        assert at_once(compile_all(scratch, name)) == await network.compile_all(name)


async def test_policies_of_the_template_are_looked_at_first_whatever_their_priority(bench: Bench) -> None:
    await with_templates(bench)
    network = bench.network
    domain = tuple(TEST.split())
    policy = network.state.policy(domain)
    order = sorted(policy.rules, key=lambda path: -policy.priorities[path])
    assert [path[5] for path in order] == ["base", "own"]
    assert ("domain-template", "office") not in network.state.policies
    given = network.configured.get((*OFFICE.split(), "zone", "web", "subnet", "web1"))
    assert given is not None and network.numbers.find("vni", given.uuid) is None, "a template itself is nowhere"
    await from_nothing(bench)


async def test_a_plan_of_a_template_names_every_domain_vport_and_hypervisor_that_follows(bench: Bench) -> None:
    await with_templates(bench)
    plan = await bench.commits.plan(edits(bench, f"set {OFFICE} zone web subnet web1 mtu 9000"))
    assert [(one.domain, one.vports, one.dvrs) for one in plan.touched] == [
        ("acme/prod", ("acme/prod/vm-2", "acme/prod/vm-3"), ("hv1", "hv2")),
        ("acme/test", ("acme/test/vm-2",), ()),
    ]
    plan = await bench.commits.plan(edits(bench, f"set {OFFICE} ingress-policy base entry 10 action allow"))
    assert [(one.domain, one.vports) for one in plan.touched] == [("acme/prod", ()), ("acme/test", ("acme/test/vm-2",))]
    plan = await bench.commits.plan(edits(bench, f"set {OFFICE} egress-default deny"))
    assert plan.touched[0].vports == ("acme/prod/vm-2", "acme/prod/vm-3")
    assert set(plan.summary) >= {f"domain {name}: egress now denies what no entry matches" for name in ("prod", "test")}
    plan = await bench.commits.plan(edits(bench, f"set {TEST} vport vm-2 description x"))
    assert plan.touched == ()
    own = edits(bench, f"set {TEST} zone web subnet web1 mtu 1400")
    await bench.commits.commit(own, "ops", "")
    plan = await bench.commits.plan(edits(bench, f"set {OFFICE} zone web subnet web1 mtu 8000"))
    assert [one.domain for one in plan.touched] == ["acme/prod"], "the other says itself what its mtu is"


async def test_what_is_inherited_is_the_same_after_a_restart_and_a_rollback(bench: Bench) -> None:
    await with_templates(bench)
    before = dict(bench.network.running.walk())
    held = {name: dict(switch.held) for name, switch in bench.switches.items()}
    again = Network(bench.store.load(), bench.network.numbers, (), bench.events)
    assert dict(again.running.walk()) == before
    await bench.commits.commit(
        edits(bench, f"set {OFFICE} ingress-policy base entry 11 protocol udp action deny"), "ops", "", confirmed=1
    )
    assert {name: dict(switch.held) for name, switch in bench.switches.items()} != held
    waiting = bench.commits.confirmation.waiting
    assert waiting is not None
    await bench.commits._give_back(waiting)
    assert dict(bench.network.running.walk()) == before
    assert {name: dict(switch.held) for name, switch in bench.switches.items()} == held
    await from_nothing(bench)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("seed", range(4))
async def test_random_edits_of_templates_and_overrides_leave_what_a_compilation_from_nothing_makes(
    bench: Bench, seed: int, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if many:
        monkeypatch.setattr("controller.network._MANY", 0)
    dice = random.Random(seed)
    await with_templates(bench)
    for number in (2, 3):
        bench.network.topology.appear("hv2", f"tap9{number}", f"acme/test/vm-{number}", 90 + number)
    places = (OFFICE, OFFICE, "enterprise acme domain prod", TEST)
    ends = ("from policy-group front", "to policy-group front", "from zone web", "to subnet web1", "")
    side = ("ingress-policy", "egress-policy")

    def line() -> str:
        place = dice.choice(places)
        policy = f"{dice.choice(side)} {dice.choice(('base', 'own'))}"
        entry = f"{policy} entry {dice.choice((5, 10, 20))}"
        verdict = f"{dice.choice(ends)} action {dice.choice(('allow', 'deny'))}"
        return dice.choice(
            (
                f"set {place} {entry} {verdict}",
                f"set {place} {entry} {verdict}",
                f"delete {place} {entry}",
                f"delete {place} {policy}",
                f"set {place} {policy} priority {dice.randrange(1000)}",
                f"set {place} zone web subnet web1 mtu {dice.randrange(1400, 1500)}",
                f"delete {place} zone web",
                f"set {place} {side[0].partition('-')[0]}-default {dice.choice(('allow', 'deny'))}",
                f"{dice.choice(('deactivate', 'activate'))} {place} {policy}",
                f"{dice.choice(('deactivate', 'activate'))} {place}",
                f"set {dice.choice(places[2:])} template {dice.choice(('office', 'lab'))}",
                f"delete {dice.choice(places[2:])} template",
                f"set domain-template lab zone web subnet web1 prefix 10.1.1.0/{dice.choice((24, 25))}",
                "set domain-template lab policy-group front",
                f"set {dice.choice(places[2:])} vport vm-{dice.choice((2, 3))} policy-group front",
            )
        )

    committed = 0
    for _ in range(60):
        candidate = Candidate(bench.network.configured, "ops")
        for _ in range(dice.randrange(1, 5)):
            try:
                candidate.apply_batch([line()], "test")
            except BatchProblem:
                continue  # there is nothing to delete
        try:
            await bench.commits.commit(candidate.merge(), "ops", "")
        except CheckFailed:
            continue
        committed += 1
        await from_nothing(bench)
        assert bench.network.acting.edits == Acting(bench.network.configured).edits
    assert committed > 10
