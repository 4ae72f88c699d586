"""Commits over real Open vSwitch, the BGP speaker and a real FRR as PE router, with a failure at each step."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path as FilePath

import pytest

from controller.commit.plan import SidePlan
from controller.commit.planning import Draft
from controller.commit.receipts import Kept, Receipt
from controller.events import Kind
from controller.hypervisors.channel import Channel
from controller.pe.router import RouterState
from data.errors import ApplyFailed, NshellError, StoreUnavailable
from tests.system.site import vport_path
from tests.system.wan.pe_site import OWN, PREFIX, REVERT, VPN, PeSite, change

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def site(tmp_path: FilePath) -> AsyncIterator[PeSite]:
    site = PeSite(tmp_path / "state")
    try:
        await site.begin()
        yield site
    finally:
        await site.end()


@asynccontextmanager
async def differing(site: PeSite) -> AsyncIterator[dict[str, float]]:
    """Seconds during which each part was not as it is now, looked at as fast as the parts answer."""
    text, counts = (
        await asyncio.to_thread(site.text),
        {name: await site.fabric.flow_count(name) for name in site.switches},
    )
    found = dict.fromkeys((*counts, "pe r1"), 0.0)
    ends = asyncio.Event()

    async def router() -> None:
        while not ends.is_set():
            begun = time.monotonic()
            if await asyncio.to_thread(site.text) != text:
                found["pe r1"] += time.monotonic() - begun

    async def switch(name: str) -> None:
        while not ends.is_set():
            begun = time.monotonic()
            if await site.fabric.flow_count(name) not in (counts[name], None):
                found[name] += time.monotonic() - begun

    tasks = [asyncio.create_task(router()), *(asyncio.create_task(switch(name)) for name in counts)]
    try:
        yield found
    finally:
        ends.set()
        await asyncio.gather(*tasks)


async def test_a_commit_configures_the_router_and_its_opposite_leaves_it_as_it_was(site: PeSite) -> None:
    outcome = await site.fabric.commit(change(), author="test")
    assert {one.part: one.state for one in outcome.receipts}["pe r1"] is Kept.VERIFIED
    text = site.text()
    assert (
        f"network {PREFIX}" in text and "rt vpn both 65000:1" in text and "neighbor 192.0.2.1 remote-as 65000" in text
    )
    assert "neighbor 192.0.2.1 password opensesame" in text
    assert not site.pending and all(line in text for line in OWN)
    assert await site.fabric.pe.difference("r1") == ""
    assert (await site.fabric.pe.ask("r1", "get_facts"))["vendor"]
    assert "192.0.2.1" in (await site.fabric.pe.ask("r1", "get_bgp_neighbors"))["global"]["peers"]
    plan = await site.fabric.plan({VPN: None})
    shown = {side.name: side for side in plan.sides}["pe r1"]
    assert shown.state == "ready" and any(line.startswith("-") and "vrf nsh-prod" in line for line in shown.lines)
    await site.commit({VPN: None, ("pe", "r1"): None, vport_path(1): None})
    assert site.text() == site.own
    assert "opensesame" not in "\n".join(event.text for event in site.fabric.events)


class LastSide:
    """A side after the routers, which fails."""

    async def plan(self, made: Draft) -> Sequence[SidePlan]:
        return []

    async def prepare(self, made: Draft, strict: bool) -> LastSide:
        return self

    async def commit(self) -> Sequence[Receipt]:
        raise ApplyFailed("last", "it does not want to", "")

    async def settle(self) -> None: ...

    async def discard(self) -> None: ...

    async def revert(self) -> None: ...


STEPS = ["journal", "bundle", "bgp", "pe prepare", "pe commit", "after pe", "store"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_failure_at_any_step_leaves_switches_and_the_router_as_they_were(
    site: PeSite, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, flows = site.text(), {name: await site.fabric.flow_count(name) for name in site.switches}
    async with differing(site) as differed:
        inject(site, step, monkeypatch)
        with pytest.raises(NshellError) as problem:
            await site.fabric.commit(change(), author="test")
        monkeypatch.undo()
        site.fabric._commits._sides = [one for one in site.fabric._commits._sides if not isinstance(one, LastSide)]
        if step == "pe prepare":
            await asyncio.to_thread(site.router.restart, "bgpd")
        await site.quiet()
    assert "opensesame" not in str(problem.value)
    assert site.text() == before and not site.pending
    assert {name: await site.fabric.flow_count(name) for name in site.switches} == flows
    assert await site.difference("hv1") == [] and await site.difference("hv2") == []
    shown = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in differed.items() if seconds)
    print(f"failure at {step} ({problem.value.cause[:80]}): briefly differed: {shown or 'nothing'}")
    assert f"network {PREFIX}" not in before
    await site.fabric.commit(change(), author="test")
    assert f"network {PREFIX}" in site.text() and await site.difference("hv1") == []


def inject(site: PeSite, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real faults of the router where there are some."""

    async def refuse(*_: object, **__: object) -> object:
        raise ApplyFailed(step, "it does not want to", "")

    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("nshell.db", "the disk is full", "make room")

    if step == "journal":
        monkeypatch.setattr(site.store, "begin_journal", full)
    elif step == "bundle":
        whole = Channel.prepare

        async def not_on_hv2(self: Channel, messages: Sequence[bytes]) -> object:
            return await (refuse() if self.name == "hv2" else whole(self, messages))

        monkeypatch.setattr(Channel, "prepare", not_on_hv2)
    elif step == "bgp":
        monkeypatch.setattr(site.fabric._commits._sides[0], "prepare", refuse)
    elif step == "pe prepare":
        site.router.kill("bgpd")  # the driver refuses what FRR would silently forget
    elif step == "pe commit":
        # another AS than the router's own: it takes the syntax, and refuses to carry it out
        router = site.fabric.pe._routers["r1"]
        candidate = type(router).candidate

        async def wrong(self: object, wanted: object) -> str:
            monkeypatch.setattr(type(router), "candidate", candidate)  # once: it is looked at again right afterwards
            await candidate(self, wanted)  # type: ignore[arg-type]
            return await router.session().prepare("router bgp 65009\n neighbor 192.0.2.77 remote-as 1\nexit\n")

        monkeypatch.setattr(type(router), "candidate", wrong)
    elif step == "after pe":
        site.fabric._commits.add_side(LastSide())
    else:
        monkeypatch.setattr(site.store, "commit", full)


@pytest.mark.parametrize("step", ["prepared", "committed", "decided", "settled"])
async def test_a_controller_killed_between_any_two_steps_comes_back_to_all_old_or_all_new(
    site: PeSite, step: str
) -> None:
    before = site.text()
    await site.stop()
    site.running = False
    await killed(site, step)
    differed, begun = site.text() != before, time.monotonic()
    await site.start()
    site.running = True
    await site.ready("hv1", "hv2")
    await site.quiet()
    decided = step in ("decided", "settled")
    assert (site.fabric.running.get(VPN) is not None) == decided
    assert (f"network {PREFIX}" in site.text()) == decided and not site.pending
    assert decided or site.text() == before
    assert await site.difference("hv1") == [] and await site.difference("hv2") == []
    took = time.monotonic() - begun
    print(f"killed when {step}: the router {'differed' if differed else 'was as before'}; all one after {took:.2f} s")


@pytest.mark.soak  # the shortest timer of a router is 30 s; test_frr_* has the timer itself
async def test_a_router_whose_controller_dies_and_stays_dead_goes_back_by_itself(site: PeSite) -> None:
    before = site.text()
    await site.stop()
    site.running = False
    await killed(site, "committed")
    assert f"network {PREFIX}" in site.text() and site.pending
    begun = time.monotonic()
    while await asyncio.to_thread(site.text) != before:
        assert time.monotonic() < begun + REVERT + 120, "the timer has run out"
        await asyncio.sleep(0.2)
    print(f"back by itself {time.monotonic() - begun:.1f} s after the kill, with a timer of {REVERT} s")
    await site.start()
    site.running = True
    await site.quiet()
    assert site.text() == before


async def killed(site: PeSite, step: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.system.wan.pe_committer", str(site.directory), step, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said, _ = await asyncio.wait_for(process.communicate(), 180)
    assert process.returncode == -signal.SIGKILL and said.decode().split() == [step]


async def test_a_router_that_is_away_owes_the_revision_and_what_somebody_changes_is_seen_and_repaired(
    site: PeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pe.routers.LOOK", 1.0)
    for daemon in ("bgpd", "zebra"):
        site.router.kill(daemon)
    outcome = await site.fabric.commit(change(), author="test")
    assert {one.part: one.state for one in outcome.receipts}["pe r1"] is Kept.PENDING
    await asyncio.to_thread(site.router.start)
    await site.quiet()
    assert f"network {PREFIX}" in site.text()
    await site.eventually(lambda: "pe r1" not in site.store.pending_receipts())
    await asyncio.to_thread(
        site.router.configure,
        ["router bgp 65001 vrf nsh-prod", " address-family ipv4 unicast", f"  no network {PREFIX}"],
    )
    await site.eventually(lambda: site.fabric.pe._routers["r1"].state is RouterState.CHANGED)
    assert any(PREFIX in text for text in site.told(Kind.DRIFT))
    assert f"+  network {PREFIX}" in await site.fabric.pe.repair("r1")
    assert f"network {PREFIX}" in site.text()
