"""show flows top: what grew between two reads, added up, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from commands.show import flows_top as show_flows_top
from controller.openflow.readback import FlowEntry
from controller.pipeline import Feature, Owner, Table, cookie, split_cookie
from controller.topology import Standing
from data.errors import CommandFailed
from data.path import Path
from tests.unit.statistics.test_show_statistics import RULE, WEB_1, Shop, rows

VPORT, ENTRY = 7, 8
OBJECTS = {VPORT: WEB_1, ENTRY: RULE}
MATCHES = (bytes.fromhex("0001000480000004"), bytes.fromhex("0001000480000008"))


def flow(
    table: Table, feature: Feature, number: int, match: bytes, packets: int, octets: int, age: int = 60
) -> FlowEntry:
    owner = Owner.FABRIC if number == 0 else Owner.VPORT if number == VPORT else Owner.ENTRY
    return FlowEntry(table, 100, cookie(owner, feature, number), match, b"", packets, octets, age)


class Flowing(Shop):
    """One hypervisor; `reads` are what its switch says, one after the other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reads: list[list[FlowEntry]] = []
        fabric: Any = self.fabric

        async def flows(dvrs: str, table: int) -> list[FlowEntry]:
            if not self.reads:
                raise CommandFailed(f"dvrs {dvrs}", "it is away", "see 'show dvrs'")
            return self.reads.pop(0)

        async def last_changes(paths: set[Path]) -> dict[Path, tuple[int, str]]:
            return dict.fromkeys(paths, (4, "ops"))

        def explain(value: int) -> Path | None:
            parts = split_cookie(value)
            return None if parts is None else OBJECTS.get(parts[2])

        fabric.flows, fabric.last_changes, fabric.explain = flows, last_changes, explain
        fabric.topology.stand("hv1", Standing.READY, "")


RECEIVED = flow(Table.CLASSIFY, Feature.RECEIVED, VPORT, MATCHES[0], 1_000, 100_000)
GUARD = flow(Table.SPOOF_GUARD, Feature.FORWARD, VPORT, MATCHES[0], 1_000, 100_000)
HIT = flow(Table.INGRESS_ACL, Feature.RULE, ENTRY, MATCHES[0], 10, 900)
IDLE = flow(Table.SWITCH, Feature.FORWARD, 0, MATCHES[1], 5_000_000, 10**9)


@pytest.fixture
def flowing(monkeypatch: pytest.MonkeyPatch) -> Flowing:
    monkeypatch.setattr(show_flows_top, "APART", 0.0)
    made = Flowing()
    made.reads = [
        [RECEIVED, GUARD, HIT, IDLE],
        [grown(RECEIVED, 50, 5_000), grown(GUARD, 50, 5_000), grown(HIT, 20, 1_800), IDLE],
    ]
    return made


def grown(before: FlowEntry, packets: int, octets: int) -> FlowEntry:
    return FlowEntry(
        before.table, before.priority, before.cookie, before.match, b"",
        before.packets + packets, before.octets + octets, before.duration + 2,
    )  # fmt: skip


async def test_the_busiest_stand_first_and_idle_ones_last(flowing: Flowing) -> None:
    found = rows(await flowing.ask("show flows top"))
    assert [row["table"] for row in found] == ["classify", "spoof_guard", "ingress_acl", "switch"]
    assert found[0]["rate"] > found[2]["rate"] > found[3]["rate"] == 0
    assert found[2]["object"] == "ingress-policy acme/prod/base/10"
    assert (found[2]["revision"], found[2]["author"]) == (4, "ops")
    assert found[2]["path"] == "enterprise acme domain prod ingress-policy base entry 10"
    assert found[3]["path"] is None and found[3]["object"] == "fabric"


async def test_a_packet_of_a_vport_counts_once_however_many_flows_it_meets(flowing: Flowing) -> None:
    (row,) = rows(await flowing.ask("show flows top by vport"))
    assert row["object"] == "acme/prod/web-1" and row["flows"] == 1


async def test_rules_and_tables_are_added_up(flowing: Flowing) -> None:
    first, second = (list(read) for read in flowing.reads)
    other = flow(Table.INGRESS_ACL, Feature.RULE, ENTRY, MATCHES[1], 0, 0)
    flowing.reads = [[*first, other], [*second, grown(other, 7, 70)]]
    (row,) = rows(await flowing.ask("show flows top by rule dvrs hv1"))
    assert row["flows"] == 2
    flowing.reads = [[*first, other], [*second, grown(other, 7, 70)]]
    tables = {row["table"]: row for row in rows(await flowing.ask("show flows top by table limit 3"))}
    assert tables["ingress_acl"]["flows"] == 2 and len(tables) == 3
    assert tables["ingress_acl"]["packet_rate"] / tables["classify"]["packet_rate"] == pytest.approx(27 / 50, rel=1e-3)


async def test_a_flow_that_was_made_anew_counts_from_zero(flowing: Flowing) -> None:
    young = flow(Table.CLASSIFY, Feature.RECEIVED, VPORT, MATCHES[0], 2_000, 200_000, age=1)
    assert show_flows_top.grown(young, RECEIVED) == (2_000, 200_000)
    assert show_flows_top.grown(young, None) == (2_000, 200_000)
    assert show_flows_top.grown(grown(RECEIVED, 3, 300), RECEIVED) == (3, 300)


async def test_a_hypervisor_that_is_asked_for_and_away_is_an_error_others_are_left_out(flowing: Flowing) -> None:
    flowing.reads = []
    with pytest.raises(CommandFailed, match="it is away"):
        await flowing.ask("show flows top dvrs hv1")
    assert rows(await flowing.ask("show flows top")) == []
