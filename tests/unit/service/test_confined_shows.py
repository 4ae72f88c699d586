"""What shows cost somebody who is confined to tenants: their vports, and never these times themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from controller.topology import Attachment, Interface, Topology
from data.access import Access
from data.path import Path, vport_name
from data.schema.objects import Vport
from nshell.sessions.confined import facade
from tests.unit.shell.pretend import PretendContext, PretendFabric, running
from views.models import Table

VPORTS = 120
ABOVE = "set enterprise acme domain prod"
LINES = "\n".join(
    [
        "set dvrs hv1 tunnel-address 172.31.0.1",
        f"{ABOVE} zone z subnet s prefix 10.1.0.0/16",
        *(f"{ABOVE} vport v{n} subnet s mac 02:00:00:00:00:{n:02x} address 10.1.0.{n}" for n in range(2, VPORTS + 2)),
    ]
)
TINA = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))


class Confined(PretendContext):
    """A context whose network is the facade of somebody confined, made anew each time it is asked for."""

    @property
    def fabric(self):  # type: ignore[no-untyped-def]
        return facade(self.whole, self.access)

    @fabric.setter
    def fabric(self, whole: PretendFabric) -> None:
        self.whole = whole


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The vports whose place was looked up."""
    names: list[str] = []
    real = Topology.attachment

    def attachment(self: Topology, path: Path, vport: Vport) -> Attachment | None:
        names.append(vport_name(path))
        return real(self, path, vport)

    monkeypatch.setattr(Topology, "attachment", attachment)
    yield names


@pytest.mark.parametrize("line", ["show vports", "show routes enterprise acme domain prod", "show mac", "show arp"])
def test_a_show_looks_each_vport_up_a_few_times_however_many_there_are(line: str, looked_up: list[str]) -> None:
    context = Confined(running=running(LINES), access=TINA)
    context.whole.topology.restore(
        [Interface("hv1", f"tap{n}", f"acme/prod/v{n}", n, 0.0, n) for n in range(2, VPORTS + 2)]
    )
    command, arguments = parse(Mode.OPERATIONAL, lex(line).words, context, False)
    table = asyncio.run(command.handler(context, arguments))
    assert isinstance(table, Table) and len(table.rows) >= VPORTS
    assert all("hv1" in row for row in table.rows if any(str(cell).startswith("v1") for cell in row))
    assert len(looked_up) <= 3 * VPORTS
