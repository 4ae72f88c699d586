"""kill -9 of the controller in the middle of commits: store and switches agree afterwards, all old or all new."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path as FilePath

import pytest

from controller.events import Kind
from tests.system.site import Site, network, vport_path

KILLS = 6


async def test_store_and_switches_agree_after_each_kill(tmp_path: FilePath) -> None:
    await survive(Site(tmp_path / "state"), KILLS)


@pytest.mark.soak
@pytest.mark.timeout(1800)  # after each kill a switch waits up to 8 s before it dials again
async def test_store_and_switches_agree_after_a_hundred_kills(tmp_path: FilePath) -> None:
    await survive(Site(tmp_path / "state"), 100)


async def survive(site: Site, kills: int) -> None:
    chance = random.Random(7)
    await site.start()
    running = True
    try:
        await site.commit(network(2))
        for name in ("hv1", "hv2"):
            await site.hypervisor(name)
        await site.ready("hv1", "hv2")
        for number in range(1, 11):
            await site.attach("hv1" if number % 2 else "hv2", number, 10 + number)
        for _ in range(kills):
            await site.stop()
            running = False
            acknowledged = await killed(site, chance.uniform(0.0, 0.06))
            await site.start()
            running = True
            assert site.fabric.running.revision >= acknowledged, "an acknowledged revision is never lost"
            vports = {site.fabric.running.get(vport_path(n)) is not None for n in range(1, 11)}
            assert len(vports) == 1, "all old or all new"
            await site.ready("hv1", "hv2")
            assert await site.difference("hv1") == [] and await site.difference("hv2") == []
            assert not site.store.open_journals()
            assert not site.told(Kind.FAULT)
    finally:
        if running:
            await site.close()
        else:
            for ovs in site.switches.values():
                await asyncio.to_thread(ovs.stop)


async def killed(site: Site, after: float) -> int:
    """Runs the committer until `after` seconds after its first commits, kills it; the last acknowledged revision."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.system.switches.committer", str(site.directory), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    await asyncio.sleep(0.1 + after)
    process.kill()
    lines = (await process.stdout.read()).split()
    await process.wait()
    assert lines, "it had committed"
    return int(lines[-1])
