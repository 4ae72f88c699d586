"""show system commit revision: who, when, what each part confirmed; attempts that failed before it."""

from __future__ import annotations

from typing import Any

import pytest

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from data.access import Access
from data.errors import NothingThere
from data.store import HistoryEntry
from data.store.records import Receipt
from nshell.sessions.confined import facade
from tests.unit.shell.pretend import PretendContext
from views.json import document
from views.render import Screen, render

WEB_1 = ("enterprise", "acme", "domain", "prod", "vport", "web-1")
RECEIPTS = (
    Receipt("hv2", "failed", 2, 0, 12.34, 1_790_000_001.0, "the switch refused a flow"),
    Receipt("bgp-neighbor pe1", "verified", 3, 1, 40.0, 1_790_000_002.0),
    Receipt("hv1", "verified", 2, 0, 4.0, 1_790_000_001.0),
)
HISTORY = (
    HistoryEntry(3, "ops", 1_790_000_000.0, "let the app tier in", "applied", "", RECEIPTS),
    HistoryEntry(3, "eve", 1_789_999_000.0, "", "failed", "hv2 hung up", ()),
    HistoryEntry(2, "ops", 1_789_990_000.0, "", "applied", "", ()),
)


class Committed(PretendContext):
    """Revisions 2 and 3, the second of them at the second attempt."""

    def __post_init__(self) -> None:
        super().__post_init__()
        fabric: Any = self.fabric

        async def history(limit: int, number: int | None = None) -> list[HistoryEntry]:
            return [one for one in HISTORY if number in (None, one.number)][:limit]

        async def difference(first: int, second: int) -> dict[Any, Any]:
            return {WEB_1: (None, self.running.get(WEB_1)), ("dvrs", "hv1"): (None, None)} if second == 3 else {}

        async def lives(path: Any) -> list[Any]:
            return []

        fabric.history, fabric.difference, fabric.lives = history, difference, lives

    async def ask(self, line: str) -> Any:
        context: Any = self
        command, arguments = parse(Mode.OPERATIONAL, lex(line).words, context, False)
        return await command.handler(context, arguments)


async def test_the_last_attempt_stands_last_with_its_receipts_hypervisors_first() -> None:
    model = await Committed().ask("show system commit revision 3")
    facts: Any = document(model)
    assert list(facts) == ["commit", "receipts", "commit_1", "receipts_1"]
    assert facts["commit"]["state"] == "failed" and facts["commit"]["reason"] == "hv2 hung up"
    assert facts["commit_1"]["author"] == "ops" and facts["commit_1"]["comment"] == "let the app tier in"
    rows = facts["receipts_1"]["rows"]
    assert [row["part"] for row in rows] == ["hv1", "hv2", "bgp-neighbor pe1"]
    assert rows[1]["milliseconds"] == 12.3 and rows[1]["reason"] == "the switch refused a flow"
    assert "No. of receipts: 3" in "\n".join(render(model, Screen(columns=80)))


async def test_a_revision_that_there_is_not_is_an_error() -> None:
    with pytest.raises(NothingThere, match="there is no such revision"):
        await Committed().ask("show system commit revision 9")


async def test_a_tenant_sees_commits_that_touched_it_without_what_is_the_providers() -> None:
    context = Committed()
    access = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))
    whole: Any = context.fabric
    context.fabric = facade(whole, access)  # type: ignore[assignment]
    facts: Any = document(await context.ask("show system commit revision 3"))
    assert list(facts) == ["commit", "receipts"], "the attempt of another is not told"
    assert "comment" not in facts["commit"], "it may speak of others"
    assert facts["receipts"]["rows"] == []
    with pytest.raises(NothingThere):
        await context.ask("show system commit revision 2")
