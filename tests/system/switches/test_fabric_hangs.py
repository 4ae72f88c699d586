"""Switches that hang (SIGSTOP): they hold nobody for longer than the fabric's patience, and are right afterwards."""

from __future__ import annotations

import os
import signal
import time

import msgspec
import pytest

from controller.commit.receipts import Kept
from controller.hypervisors import patience
from controller.hypervisors.channel import Prepared
from controller.topology import Standing
from data.errors import ApplyFailed
from tests.system.site import Site, network, vport, vport_path


@pytest.mark.parametrize("strict", [False, True])
async def test_a_switch_that_hangs_holds_a_commit_no_longer_than_its_patience(
    site: Site, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 1.0)
    await site.commit(network(2))
    for name in ("hv1", "hv2"):
        await site.hypervisor(name)
    await site.ready("hv1", "hv2")
    await site.commit({vport_path(n): vport(n) for n in (1, 2)})
    await site.attach("hv1", 1, 11)
    await site.attach("hv2", 2, 12)
    await site.attached(1, "hv1")
    await site.attached(2, "hv2")
    edited = msgspec.structs.replace(site.fabric.running.get(vport_path(1)), address=("10.1.9.9",))
    os.kill(site.switches["hv2"].pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        if strict:
            with pytest.raises(ApplyFailed, match="hv2 was lost: it hangs"):
                await site.commit({vport_path(1): edited}, strict=True)
        else:
            outcome = await site.fabric.commit({vport_path(1): edited}, author="test")
            states = {receipt.part: receipt.state for receipt in outcome.receipts}
            assert states == {"hv1": Kept.VERIFIED, "hv2": Kept.PENDING}
        assert time.monotonic() - began < 2.0
        assert site.state("hv2") is Standing.CONNECTED, "its database is still there"
        assert "it hangs" in site.fabric.topology.hypervisors["hv2"].reason
        other = msgspec.structs.replace(site.fabric.running.get(vport_path(2)), mac="02:00:00:00:00:99")
        await site.commit({vport_path(2): other})
        assert time.monotonic() - began < 2.5, "the next commit does not wait for it"
    finally:
        os.kill(site.switches["hv2"].pid, signal.SIGCONT)
    await site.ready("hv1", "hv2")
    assert await site.difference("hv1") == [] and await site.difference("hv2") == []
    if not strict:
        await site.until(
            lambda: all(r.state == "verified" for r in site.store.receipts(outcome.revision)), "it is verified"
        )


async def test_a_switch_that_hangs_between_preparation_and_commit_is_pending(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 1.0)
    await site.commit(network(2))
    for name in ("hv1", "hv2"):
        await site.hypervisor(name)
    await site.ready("hv1", "hv2")
    await site.attach("hv1", 1, 11)
    await site.attach("hv2", 2, 12)
    await site.until(lambda: site.fabric.topology.claim("", "acme/prod/vm-2") is not None, "tap2 is seen")
    carry_out = Prepared.commit

    async def hanging(self: Prepared) -> float:
        if self.channel.name == "hv2":
            os.kill(site.switches["hv2"].pid, signal.SIGSTOP)
        return await carry_out(self)

    monkeypatch.setattr(Prepared, "commit", hanging)
    try:
        began = time.monotonic()
        outcome = await site.fabric.commit({vport_path(n): vport(n) for n in (1, 2)}, author="test")
        assert time.monotonic() - began < 2.0
    finally:
        monkeypatch.setattr(Prepared, "commit", carry_out)
        os.kill(site.switches["hv2"].pid, signal.SIGCONT)
    assert {receipt.part: receipt.state for receipt in outcome.receipts} == {"hv1": Kept.VERIFIED, "hv2": Kept.PENDING}
    await site.ready("hv1", "hv2")
    assert await site.difference("hv1") == [] and await site.difference("hv2") == []
