"""What a tenant administrator is told of neighbours and routers when an own commit reached them: nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from controller.topology import Interface
from data.access import Access
from data.configuration import Edits
from data.difference import Changes
from data.errors import ApplyFailed
from data.store import HistoryEntry
from data.store.records import Receipt
from nshell.sessions.confined import ConfinedFabric
from tests.unit.shell.pretend import PretendFabric, running

TINA = Access("tina", "acme-admin", frozenset(("configure", "commit")), frozenset(("acme",)))
PARTS = ("hv1", "bgp-neighbor zz-pe", "pe zz-pe", "bgp")


class Network(PretendFabric):
    """One commit of each author, with receipts of every part; a commit fails at `failing`."""

    failing = ""

    async def history(self, limit: int, number: int | None = None) -> list[HistoryEntry]:
        kept = tuple(Receipt(part, "pending", 1, 0, 1.0, 0.0) for part in PARTS)
        return [HistoryEntry(2, author, 0.0, "", "committed", receipts=kept) for author in ("tina", "root")]

    async def difference(self, first: int, second: int) -> Changes:
        path = ("enterprise", "acme")
        return {path: (None, self.running.get(path)), ("dvrs", "hv1"): (None, self.running.get(("dvrs", "hv1")))}

    async def lives(self, path: object) -> list[Any]:
        return []

    async def commit(self, edits: Edits, **how: Any) -> Any:
        raise ApplyFailed(self.failing, f"{self.failing} does not answer", "wait for it")


LINES = """
set dvrs hv1 tunnel-address 172.31.0.1
set enterprise acme domain prod zone z subnet s prefix 10.1.1.0/24
set enterprise acme domain prod vport web-1 subnet s mac 02:00:0a:01:01:0b address 10.1.1.11
"""


def network() -> Network:
    made = Network(running(LINES))
    made.topology.restore([Interface("hv1", "tap1", "acme/prod/web-1", 1, 0.0, 1)])
    return made


async def test_the_history_has_no_receipts_of_neighbours_and_routers() -> None:
    entries = await ConfinedFabric(cast(Any, network()), TINA).history(10)
    assert len(entries) == 2
    assert [one.part for one in entries[0].receipts] == ["hv1"]
    assert not [one for entry in entries for one in entry.receipts if "zz" in one.part]


@pytest.mark.parametrize("part", PARTS[1:])
async def test_a_failure_of_one_of_them_is_told_without_its_name(part: str) -> None:
    fabric = network()
    fabric.failing = part
    with pytest.raises(ApplyFailed) as failed:
        await ConfinedFabric(cast(Any, fabric), TINA).commit({})
    assert "zz-pe" not in str(failed.value) and "beyond the enterprise" in failed.value.cause


async def test_a_failure_of_a_hypervisor_is_told_as_ever() -> None:
    fabric = network()
    fabric.failing = "dvrs hv1"
    with pytest.raises(ApplyFailed, match="hv1"):
        await ConfinedFabric(cast(Any, fabric), TINA).commit({})
