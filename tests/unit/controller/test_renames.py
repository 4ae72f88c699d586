"""Commits that rename and copy leave the flows that a compilation from nothing makes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path as FilePath

import pytest

from controller.compile import compile_all, start
from data.candidate import Candidate
from data.errors import CheckFailed, CommandFailed
from data.steps import at_once
from tests.unit.controller.model import vport, vport_path
from tests.unit.controller.test_acting import policies
from tests.unit.controller.test_commits import Bench


@pytest.fixture
def bench(tmp_path: FilePath) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


async def as_from_nothing(bench: Bench) -> bool:
    network = bench.network
    scratch = at_once(start(network.running, network.state.placement, network.numbers))
    for name in network.running.children((), "dvrs"):
        if at_once(compile_all(scratch, name)) != await network.compile_all(name):
            return False
    return await bench.agreed()


@pytest.mark.parametrize("seed", range(6))
async def test_random_renames_and_copies_leave_what_a_compilation_from_nothing_makes(bench: Bench, seed: int) -> None:
    dice = random.Random(seed)
    await bench.begin()
    for number in range(2, 8):
        bench.attach(dice.choice(("hv1", "hv2")), number, 10 + number)
    added = {vport_path(n): vport(n, dice.choice(("web1", "app1"))) for n in range(2, 8)}
    await bench.commits.commit({**added, **policies()}, "ops", "")  # type: ignore[dict-item]
    committed = 0
    for step in range(40):
        candidate = Candidate(bench.network.configured, "ops")
        paths = [path for path, _ in candidate.view.walk()]
        path = dice.choice([path for path in paths if len(path) > 2])
        name = str(1000 + step) if path[-2] == "entry" else f"n{dice.randrange(30)}"
        uuids = sorted(item.uuid for _, item in candidate.view.walk())
        try:
            if dice.random() < 0.7:
                candidate.rename(list(path), name)
                assert sorted(item.uuid for _, item in candidate.view.walk()) == uuids
            else:
                candidate.copy(list(path), name)
            await bench.commits.commit(candidate.merge(), "ops", "")
        except (CheckFailed, CommandFailed):
            continue
        committed += 1
        await bench.upkeep.idle()
        assert await as_from_nothing(bench)
        assert dict(bench.store.load().walk()) == dict(bench.network.configured.walk())
    assert committed > 10


async def test_a_workload_named_by_uuid_stays_up_when_its_enterprise_is_renamed(bench: Bench) -> None:
    await bench.begin()
    await bench.commits.commit({vport_path(2): vport(2)}, "ops", "")
    bench.network.topology.appear("hv1", "tap9", vport(2).uuid, 9)
    bench.upkeep.settle()
    await bench.upkeep.idle()
    candidate = Candidate(bench.network.configured, "ops")
    candidate.rename(["enterprise", "acme"], "umbrella")
    await bench.commits.commit(candidate.merge(), "ops", "")
    assert bench.network.state.placement.location(vport(2).uuid) is not None
    assert await as_from_nothing(bench)
