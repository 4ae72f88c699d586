"""Leases are shown to a tenant of its own vports alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from controller.edge.dhcp import LeaseRecord
from data.access import EVERYTHING, Access
from nshell.sessions.confined import facade
from tests.unit.shell.pretend import PretendContext, PretendFabric, running
from views.models import Clock, Moment, Table

LINES = "\n".join(
    line
    for tenant in ("acme", "umbra")
    for line in (
        f"set enterprise {tenant} domain prod zone z subnet s prefix 10.1.0.0/16 dhcp",
        f"set enterprise {tenant} domain prod zone z subnet other prefix 10.2.0.0/16",
        f"set enterprise {tenant} domain prod vport pc subnet s mac 02:00:00:00:00:02 address 10.1.0.2",
    )
)
TINA = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))


class Leasing(PretendFabric):
    """A network in which each tenant's pc has a lease."""

    def dhcp_leases(self) -> Iterator[LeaseRecord]:
        for tenant in ("acme", "umbra"):
            path = ("enterprise", tenant, "domain", "prod", "vport", "pc")
            yield LeaseRecord(path, "u", 4, ("10.1.0.2",), "leased", 1000.0, 3600)
            yield LeaseRecord(path, "u", 6, (), "refused", 1000.0, 3600)


class Confined(PretendContext):
    """A context whose network is the facade of somebody confined."""

    @property
    def fabric(self):  # type: ignore[no-untyped-def]
        return facade(Leasing(self.running), self.access)  # type: ignore[arg-type]

    @fabric.setter
    def fabric(self, whole: PretendFabric) -> None:
        self.whole = whole


def rows(line: str, access: Access = EVERYTHING) -> list[tuple[object, ...]]:
    context = Confined(running=running(LINES), access=access)
    command, arguments = parse(Mode.OPERATIONAL, lex(line).words, context, False)  # type: ignore[arg-type]
    tables: list[object] = []

    async def show() -> None:
        tables.append(await command.handler(context, arguments))  # type: ignore[arg-type]

    asyncio.run(show())
    (table,) = tables
    assert isinstance(table, Table)
    return list(table.rows)


def test_a_tenant_sees_its_own_leases() -> None:
    leased, refused = rows("show dhcp leases", TINA)
    assert leased == ("pc", "acme/prod/s", "DHCP", "10.1.0.2", "leased", Moment(1000.0), Clock(4600.0))
    assert refused[2:] == ("DHCPv6", "", "refused", Moment(1000.0), None)


def test_leases_are_shown_of_all_of_a_tenant_or_of_a_subnet() -> None:
    assert len(rows("show dhcp leases")) == 4
    assert {row[1] for row in rows("show dhcp leases enterprise umbra")} == {"umbra/prod/s"}
    assert len(rows("show dhcp leases enterprise umbra domain prod subnet s")) == 2
    assert len(rows("show dhcp leases subnet s")) == 4
    assert rows("show dhcp leases subnet other") == []
