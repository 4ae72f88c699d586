"""BGP in the controller: what the fabric and a pretended speaker do to each other."""

from __future__ import annotations

import pytest

from controller.bgp.routes import Family
from controller.bgp.speaker.backend import Changed, EndOfRib
from controller.commit.receipts import Kept
from controller.compile.remote import MPLS, RemoteKey
from data.addresses import address, prefix
from tests.unit.bgp.service_bench import Wan, theirs
from tests.unit.controller.model import uuid


async def test_a_neighbour_that_comes_up_is_told_everything_and_its_pending_receipt_is_settled(wan: Wan) -> None:
    outcome = await wan.go_out()
    assert [(one.part, one.state) for one in outcome.receipts if " " in one.part] == [
        ("bgp-neighbor pe1", Kept.PENDING)
    ]
    assert [peer.name for peer in wan.speaker.peers] == ["pe1"]
    await wan.up()
    assert "10.1.1.2/32" in wan.prefixes() and wan.speaker.ended == ["pe1"]
    receipts = {one.part: one.state for one in wan.store.receipts(outcome.revision)}
    assert receipts["bgp-neighbor pe1"] == Kept.VERIFIED


async def test_a_route_becomes_a_fact_and_goes_again(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    key = RemoteKey(uuid(101), "prefix", prefix("10.9.0.0/24"))
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()), EndOfRib("pe1", Family.VPNV4))
    await wan.settled()
    facts = dict(wan.network.state.placement.all_remote())
    assert facts[key].next_hops[0].tunnel == (address("192.0.2.9"), MPLS, 300)  # type: ignore[union-attr]
    assert await wan.agreed()
    wan.hear(Changed("pe1", (), (theirs("10.9.0.0/24").nlri,)))
    await wan.settled()
    assert not dict(wan.network.state.placement.all_remote()) and await wan.agreed()


async def test_a_next_hop_that_the_underlay_loses_is_watched_until_it_is_back(
    wan: Wan, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wan.go_out()
    await wan.up()
    hop, lost, watched = address("192.0.2.9"), set[object](), list[set[object]]()
    monkeypatch.setattr(wan.underlay, "usable", lambda ip: ip not in lost)
    monkeypatch.setattr(wan.underlay, "remote", lambda hops: watched.append(set(hops)))

    async def weighed() -> bool:
        wan.bgp._weighed(frozenset({hop}))
        await wan.settled()
        return bool(dict(wan.network.state.placement.all_remote()))

    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()), EndOfRib("pe1", Family.VPNV4))
    await wan.settled()
    assert watched[-1] == {hop}
    lost.add(hop)
    assert not await weighed()
    assert watched[-1] == {hop}, "who else would say that it is back"
    lost.clear()
    assert await weighed() and watched[-1] == {hop}
    wan.hear(Changed("pe1", (), (theirs("10.9.0.0/24").nlri,)))
    await wan.settled()
    assert watched[-1] == set()
