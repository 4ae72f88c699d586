"""What happens to BGP at an awkward moment: in the middle of a commit, or while the controller starts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path as FilePath

import pytest

from controller.bgp.kept import Kept as KeptNumbers
from controller.bgp.routes import Family
from controller.bgp.service import Bgp
from controller.bgp.speaker.backend import Changed, Down, EndOfRib, SpeakerGone, Up
from controller.commit.planning import Draft
from controller.commit.receipts import Kept, Receipt
from controller.underlay.service import Underlay
from data.addresses import address
from data.errors import ApplyFailed, CommandFailed
from tests.unit.bgp.service_bench import PretendSpeaker, Wan, theirs
from tests.unit.controller.model import vport, vport_path


class _Slow:
    """A PE router that takes its time: a session comes up meanwhile."""

    def __init__(self, bench: Wan) -> None:
        self._bench = bench

    async def plan(self, made: Draft) -> Sequence[object]:
        return ()

    async def prepare(self, made: Draft, strict: bool) -> _Slow:
        return self

    async def commit(self) -> Sequence[Receipt]:
        self._bench.hear(Up("pe1", frozenset({Family.EVPN, Family.VPNV4}), 90, "192.0.2.9", 120))
        for _ in range(20):
            await asyncio.sleep(0.01)
        return ()

    async def settle(self) -> None:
        return None

    async def discard(self) -> None:
        return None

    async def revert(self) -> None:
        return None


async def test_a_receipt_is_settled_of_a_neighbour_that_came_up_before_the_commit_was_decided(wan: Wan) -> None:
    wan.commits.add_side(_Slow(wan))  # type: ignore[arg-type]
    outcome = await wan.go_out()
    assert Kept.PENDING in {one.state for one in outcome.receipts if one.part == "bgp-neighbor pe1"}
    await wan.settled()
    receipts = {one.part: one.state for one in wan.store.receipts(outcome.revision)}
    assert receipts["bgp-neighbor pe1"] == Kept.VERIFIED


async def test_after_a_restart_the_underlay_watches_what_routes_that_are_told_again_lead_to(
    wan: Wan, tmp_path: FilePath
) -> None:
    await wan.go_out()
    await wan.up()
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()), EndOfRib("pe1", Family.VPNV4))
    await wan.settled()
    assert address("192.0.2.9") in {one.address for one in wan.underlay.endpoints}
    wan.network.on_change.clear()
    await wan.bgp.stop()
    wan.underlay = Underlay(wan.events, lambda: wan.network.running)
    wan.bgp = Bgp(wan.network, wan.upkeep, wan.underlay, KeptNumbers(tmp_path), wan.submit, wan.commits.settled)
    await wan.bgp.start()  # what is in force is recalled from the state
    assert address("192.0.2.9") in {one.address for one in wan.underlay.endpoints}
    await wan.up()
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()), EndOfRib("pe1", Family.VPNV4))
    await wan.settled()
    assert address("192.0.2.9") in {one.address for one in wan.underlay.endpoints}


async def test_a_speaker_that_dies_while_it_is_given_its_neighbours_does_not_keep_the_controller_from_starting(
    wan: Wan, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wan.go_out()
    wan.network.on_change.clear()
    await wan.bgp.stop()

    async def gone(self: PretendSpeaker, some: object) -> None:
        raise SpeakerGone("the speaker ended: signal 9")

    monkeypatch.setattr(PretendSpeaker, "configure", gone)
    await wan.bgp.start()
    assert wan.bgp.speaking


async def test_a_speaker_that_does_not_start_is_started_by_the_clock_and_told_of_once(
    wan: Wan, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wan.go_out()
    wan.network.on_change.clear()
    await wan.bgp.stop()
    monkeypatch.setattr("controller.bgp.clock._TICK", 0.02)
    tries = 0

    async def never(self: PretendSpeaker) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise CommandFailed("bgp", "the speaker does not start: not ready after 60 s", "see the log")

    monkeypatch.setattr(PretendSpeaker, "start", never)
    await wan.bgp.start()
    assert not wan.bgp.speaking
    async with asyncio.timeout(60):
        while not wan.bgp.speaking:
            await asyncio.sleep(0.02)
    assert [peer.name for peer in wan.speaker.peers] == ["pe1"]
    assert sum("does not start" in event.text for event in wan.events) == 1


@pytest.mark.parametrize("strict", [False, True])
async def test_a_neighbour_whose_speaker_dies_while_a_commit_tells_it_has_a_pending_receipt(
    wan: Wan, strict: bool
) -> None:
    await wan.go_out()
    await wan.up()
    wan.speaker.refuses = SpeakerGone("the speaker ended: signal 9")
    commit = wan.commits.commit({vport_path(3): vport(3)}, "ops", "", strict=strict)
    if strict:
        with pytest.raises(ApplyFailed, match="signal 9"):
            await commit
        return
    outcome = await commit
    assert {one.part: one.state for one in outcome.receipts}["bgp-neighbor pe1"] == Kept.PENDING
    wan.hear(Down("pe1", "the speaker ended: signal 9", graceful=True, ours=True))
    await wan.up()
    receipts = {one.part: one.state for one in wan.store.receipts(outcome.revision)}
    assert receipts["bgp-neighbor pe1"] == Kept.VERIFIED and "10.1.1.3/32" in wan.prefixes()


async def test_a_commit_check_that_is_given_up_anywhere_leaves_what_neighbours_are_told(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    rib = wan.bgp.rib
    before = set(map(str, rib.desired))
    for turns in range(80):
        asked = asyncio.create_task(wan.commits.plan({vport_path(2): None, vport_path(3): vport(3)}))
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        async with wan.bgp.deciding:
            assert set(map(str, rib.desired)) == before, f"after {turns} turns"
    await wan.change({vport_path(3): vport(3)})
    await wan.settled()
    assert {"10.1.1.2/32", "10.1.1.3/32"} <= wan.prefixes()
