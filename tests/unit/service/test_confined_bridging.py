"""What was learned behind bridge vports, shown to somebody who is confined to tenants: his own alone."""

from __future__ import annotations

import pytest

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode, commands
from controller.edge.learning import Entry
from data.path import Path
from tests.unit.service.test_confined_shows import TINA, Confined
from tests.unit.shell.pretend import running
from views.models import Table

LINES = "\n".join(
    f"set enterprise {name} l2-domain office vport door type bridge uplink wan vlan {vlan}"
    for name, vlan in (("acme", 100), ("globex", 200))
)


def door(enterprise: str) -> Path:
    return ("enterprise", enterprise, "l2-domain", "office", "vport", "door")


async def test_a_tenant_sees_the_hosts_behind_his_own_bridge_vports_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Confined(running=running(LINES), access=TINA)
    learned = {
        door(name): {f"02:0e:00:00:00:0{number}": Entry([f"192.168.7.{number}"], 0.0)}
        for number, name in enumerate(("acme", "globex"), 1)
    }
    monkeypatch.setattr(context.whole, "learned", lambda: learned)
    for line in ("show mac-table", "show mac-table vport acme/office/door", "show mac-table l2-domain office"):
        command, arguments = parse(Mode.OPERATIONAL, lex(line).words, context, False)  # type: ignore[arg-type]
        table = await command.handler(context, arguments)
        assert isinstance(table, Table) and [row[0] for row in table.rows] == ["02:0e:00:00:00:01"], line


def test_to_forget_them_is_not_for_tenants() -> None:
    (clear,) = [one for one in commands(Mode.OPERATIONAL) if one.grammar.endswith("clear-mac-table")]
    assert not clear.permitted(TINA)
