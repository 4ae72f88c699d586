"""What a tenant's administrator may know of hypervisors, asked of every command, completion, receipt and error."""

from __future__ import annotations

from typing import Any, cast

import pytest

from commands.language.complete import complete
from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode, commands
from controller.commit.commits import Outcome
from controller.commit.receipts import Kept, Receipt
from controller.openflow.readback import FlowEntry
from controller.topology import Interface
from data.access import Access, Rule
from data.configuration import Edits
from data.errors import ApplyFailed, NothingThere
from data.path import Path
from data.store import HistoryEntry
from nshell.sessions.confined import BEYOND, ConfinedFabric, facade
from nshell.sessions.confined_topology import ConfinedTopology, without_endpoints
from tests.unit.shell.pretend import PretendContext, PretendFabric, running

LINES = """
set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set dvrs hv3 tunnel-address 172.31.0.3
set enterprise acme domain prod zone z subnet s prefix 10.1.1.0/24
set enterprise acme domain prod vport web-1 subnet s mac 02:00:0a:01:01:0b address 10.1.1.11
set enterprise acme domain prod vport web-3 subnet s mac 02:00:0a:01:01:0d address 10.1.1.13
set enterprise umbrella domain lab zone z subnet s prefix 10.1.1.0/24
set enterprise umbrella domain lab vport vm subnet s mac 02:00:0a:01:01:0b address 10.1.1.11
"""
HERE = [
    Interface("hv1", "tap1", "acme/prod/web-1", 1, 0.0, 1),
    Interface("hv1", "tap2", "umbrella/lab/vm2", 2, 0.0, 2),
    Interface("hv2", "tap1", "umbrella/lab/vm", 1, 0.0, 3),
]
TINA = Access("tina", "acme-admin", frozenset(["show", "configure", "commit"]), frozenset(["acme"]))
OTTO = Access("otto", "noc", frozenset(["show", "commit"]), None, (Rule(("bgp",), "none"),))
WEB = ("enterprise", "acme", "domain", "prod", "vport", "web-1")
WITH_ONE = {
    "show flows [dvrs <dvrs>] [vport <vport>] [table <table>]": "show flows dvrs {}",
    "show flows top [by {flow|vport|rule|table}] [dvrs <dvrs>] [limit <number>]": "show flows top by rule dvrs {}",
    "why flow dvrs <dvrs> [table <table>] {cookie <cookie>|match <match:text>}": "why flow dvrs {} match reg1",
}
"""Every command with a hypervisor among its arguments that may be used by those who are confined to tenants."""


class Network(PretendFabric):
    """hv1 hosts a vport of acme, hv2 one of umbrella, hv3 nothing. Commits fail with `failing`."""

    def __init__(self) -> None:
        super().__init__(running(LINES))
        self.topology.restore(HERE)
        self.failing: ApplyFailed | None = None
        self.waiting_author: str | None = None

    def explain(self, cookie: int) -> Path | None:
        return None

    async def flows(self, dvrs: str, table: int = 0) -> list[FlowEntry]:
        return []

    async def last_changes(self, paths: Any) -> dict[Path, Any]:
        return {}

    async def history(self, limit: int, number: int | None = None) -> list[HistoryEntry]:
        return [
            HistoryEntry(2, "tina", 0.0, "", "applied", receipts=tuple(cast(Any, RECEIPTS))),
            HistoryEntry(3, "otto", 0.0, "", "failed", reason="hv3 was lost"),
        ]

    async def difference(self, first: int, second: int) -> dict[Path, Any]:
        return {WEB: (None, self.running.get(WEB))}

    async def lives(self, path: Path) -> list[Any]:
        return []

    async def commit(self, edits: Edits, **how: Any) -> Outcome:
        if self.failing is not None:
            raise self.failing
        return Outcome(2, tuple(RECEIPTS))


RECEIPTS = [Receipt(part, Kept.PENDING) for part in ("hv1", "hv2", "hv3", "bgp-neighbor pe1")]


class Context(PretendContext):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.fabric = cast(Any, facade(cast(Any, Network()), self.access))


def mine(access: Access = TINA) -> tuple[Network, ConfinedFabric]:
    network = Network()
    return network, cast(ConfinedFabric, facade(cast(Any, network), access))


async def said(line: str) -> str:
    """The error of a line, '' for none."""
    context = Context(running=running(LINES), access=TINA)
    command, arguments = parse(Mode.OPERATIONAL, lex(line).words, context, False)
    try:
        await command.handler(context, arguments)
    except NothingThere as problem:
        return str(problem)
    return ""


def test_the_table_has_every_command_with_a_hypervisor() -> None:
    found = {one.grammar for one in commands(Mode.OPERATIONAL) if one.confined and "<dvrs>" in one.grammar}
    assert found == WITH_ONE.keys()


@pytest.mark.parametrize("line", WITH_ONE.values())
async def test_each_takes_one_that_hosts_own_vports_and_tells_no_other_from_one_that_there_is_not(line: str) -> None:
    assert "there is no dvrs" not in await said(line.format("hv1"))
    unknown = await said(line.format("nowhere"))
    assert "dvrs nowhere\n  there is no dvrs nowhere\n  there are: hv1" in unknown
    for other in ("hv2", "hv3"):
        assert await said(line.format(other)) == unknown.replace("nowhere", other)


@pytest.mark.parametrize("line", WITH_ONE.values())
def test_each_is_completed_with_those_that_host_own_vports(line: str) -> None:
    context: Any = Context(running=running(LINES), access=TINA)
    found = complete(Mode.OPERATIONAL, line.partition("{}")[0], context)
    assert [one.word for one in found.candidates if one.live] == ["hv1"]


def test_what_each_question_of_the_topology_says_is_the_same() -> None:
    _, fabric = mine()
    topology = cast(ConfinedTopology, fabric.topology)
    assert list(topology.hypervisors) == [name for name in ("hv1", "hv2", "hv3") if topology.hosts(name)] == ["hv1"]
    assert topology.names_others("hv1, hv2 are away") and not topology.names_others("hv1 hung up: it is away")


async def test_tunnel_addresses_are_zeroes_in_own_flows_and_nothing_else_of_them_changes() -> None:
    four = bytes.fromhex("0019001000014004ac1f000200000000")  # set_field:172.31.0.2->tun_dst
    six = bytes.fromhex("001900180001dc10") + bytes(range(16))
    other = bytes.fromhex("00190010800018040a010101") + bytes(4)  # of an IPv4 destination
    assert without_endpoints(other + four + six + other) == other + four[:8] + bytes(8) + six[:8] + bytes(16) + other


async def test_flows_of_one_that_hosts_nothing_of_ones_own_are_not_there() -> None:
    _, fabric = mine()
    assert await fabric.flows("hv1") == []
    for name in ("hv2", "hv3", "nowhere"):
        with pytest.raises(NothingThere, match=f"there is no dvrs {name}"):
            await fabric.flows(name)


async def test_receipts_are_of_those_that_host_own_vports_in_the_outcome_and_in_the_history() -> None:
    _, fabric = mine()
    assert [one.part for one in (await fabric.commit({})).receipts] == ["hv1"]
    (entry,) = await fabric.history(2)
    assert [one.part for one in entry.receipts] == ["hv1"], "a commit of own things alone is no exception"


async def test_the_outcome_names_one_that_the_commit_takes_the_last_own_vport_from() -> None:
    network, fabric = mine()

    async def commit(edits: Edits, **how: Any) -> Outcome:
        network.running.apply(edits, 2)
        return Outcome(2, tuple(RECEIPTS))

    network.commit = commit  # type: ignore[method-assign]
    outcome = await fabric.commit({WEB: None})
    assert not fabric.topology.hypervisors
    assert [one.part for one in outcome.receipts] == ["hv1"]


@pytest.mark.parametrize(
    ("where", "cause", "told"),
    [
        ("dvrs hv1", "hv1 refused it: no room", True),
        ("dvrs hv3", "hv3 hung up", False),
        ("dvrs hv1", "hv1, hv3 cannot be programmed now and the commit is strict", False),
    ],
)
async def test_why_a_commit_failed_is_told_of_those_that_host_own_vports(where: str, cause: str, told: bool) -> None:
    network, fabric = mine()
    network.failing = ApplyFailed(where, cause, "wait")
    with pytest.raises(ApplyFailed) as failed:
        await fabric.commit({})
    assert (failed.value.cause == cause) is told and (told or failed.value.cause == BEYOND)


async def test_who_has_no_vport_anywhere_is_told_so() -> None:
    fabric = ConfinedFabric(cast(Any, PretendFabric(running(LINES))), TINA)
    with pytest.raises(NothingThere, match="there is no dvrs hv1") as refused:
        await fabric.flows("hv1")
    assert refused.value.remedy == "none of your vports is on a hypervisor now"


async def test_who_runs_the_network_without_seeing_all_of_it_is_told_of_every_hypervisor() -> None:
    _, fabric = mine(OTTO)
    applied, failed = await fabric.history(2)
    assert [one.part for one in applied.receipts] == ["hv1", "hv2", "hv3"]
    assert failed.reason == "hv3 was lost"
