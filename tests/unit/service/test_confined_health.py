"""Health and shares of flows are shown to a tenant of its own vports alone."""

from __future__ import annotations

import asyncio
from typing import Any

from commands.language.lexer import lex
from commands.language.parse import parse
from commands.language.registry import Mode
from controller.compile.health import Probe
from controller.compile.services.sharing import Share
from controller.edge.health import Target
from data.access import EVERYTHING, Access
from data.path import Path
from nshell.sessions.confined import facade
from tests.unit.shell.pretend import PretendContext, PretendFabric, running
from views.models import Table

MAC = "02:00:00:00:00:02"
LINES = "\n".join(
    line
    for tenant in ("acme", "umbra")
    for line in (
        f"set enterprise {tenant} domain prod zone z subnet s prefix 10.1.0.0/16",
        f"set enterprise {tenant} domain prod vport fw subnet s mac {MAC} address 10.1.0.2 anti-spoofing mac",
        f"set enterprise {tenant} domain prod redirection-target fw vport fw",
        f"set enterprise {tenant} domain prod static-route 192.168.0.0/16 next-hop 10.1.0.2",
    )
)
TINA = Access("tina", "acme-admin", frozenset(["show"]), frozenset(["acme"]))


class Probing(PretendFabric):
    """A network in which each tenant's fw is dead."""

    def health(self) -> list[Any]:
        probes = [Probe(vport(tenant), "10.1.0.2", MAC, "arp") for tenant in ("acme", "umbra")]
        return [Target(f"{probe.vport[1]} key", probe, False, 5.0) for probe in probes]

    def sharing(self, path: Path) -> list[Any]:
        return [Share("fw", vport(path[1]), "dead", 0.0, f"{path[1]} key")]


def vport(tenant: str) -> Path:
    return ("enterprise", tenant, "domain", "prod", "vport", "fw")


class Confined(PretendContext):
    """A context whose network is the facade of somebody confined."""

    @property
    def fabric(self):  # type: ignore[no-untyped-def]
        return facade(Probing(self.running), self.access)  # type: ignore[arg-type]

    @fabric.setter
    def fabric(self, whole: PretendFabric) -> None:
        self.whole = whole


async def shown(line: str, access: Access) -> object:
    context = Confined(running=running(LINES), access=access)
    command, arguments = parse(Mode.OPERATIONAL, lex(line).words, context, False)  # type: ignore[arg-type]
    return await command.handler(context, arguments)


def rows(line: str, access: Access = EVERYTHING) -> list[tuple[object, ...]]:
    table = asyncio.run(shown(line, access))
    assert isinstance(table, Table)
    return list(table.rows)


def test_a_tenant_sees_the_health_of_its_own() -> None:
    assert [row[:3] for row in rows("show health", TINA)] == [("acme/prod", "fw", "10.1.0.2")]
    assert len(rows("show health")) == 2


def test_a_tenant_sees_its_own_redirection_targets() -> None:
    assert [row[0] for row in rows("show redirection-targets", TINA)] == ["acme/prod"]
    assert {row[0] for row in rows("show redirection-targets")} == {"acme/prod", "umbra/prod"}


def test_another_tenants_route_says_nothing_even_when_it_is_named() -> None:
    whole = Probing(running(LINES))
    theirs = ("enterprise", "umbra", "domain", "prod", "static-route", "192.168.0.0/16")
    own = ("enterprise", "acme", *theirs[2:])
    assert facade(whole, TINA).sharing(theirs) == []  # type: ignore[arg-type]
    assert len(facade(whole, TINA).sharing(own)) == 1  # type: ignore[arg-type]
    (row,) = [row for row in rows("show routes enterprise acme domain prod", TINA) if row[1] == "static"]
    assert row[0] == "192.168.0.0/16" and row[6] == "dead"
