"""show circuits and the routes that others told, as tables."""

from __future__ import annotations

from typing import Any, cast

from commands.language.registry import Arguments
from commands.show.circuits import show_circuits
from commands.show.routes import show_routes
from controller.compile.remote import MPLS, VXLAN, Tunnel
from controller.compile.wan.circuits import Circuit
from controller.compile.wan.shown import RemoteRoute
from data.addresses import address, prefix
from tests.unit.shell.pretend import PretendContext

DOMAIN = ("enterprise", "acme", "domain", "prod")
PE, VTEP = address("192.0.2.1"), address("192.0.2.2")


def context(circuits: list[Circuit] | None = None, routes: list[RemoteRoute] | None = None) -> Any:
    made = PretendContext()
    fabric = cast(Any, made.fabric)

    async def known() -> list[Circuit]:
        return circuits or []

    fabric.circuits = known
    fabric.remote_routes = lambda domain: iter(routes or [])
    return made


async def test_a_circuit_is_a_row_with_the_labels_of_both_ends() -> None:
    up = Circuit(DOMAIN, PE, (300, 301), {4: 16, 6: 17}, True, 2, ("hv1", "hv2"))
    stale = Circuit(DOMAIN, VTEP, (400,), {4: 16, 6: 17}, False, 1, ("hv1", "hv2"))
    table = await show_circuits(context([up, stale]), Arguments({}, frozenset()))
    assert [row[1:7] for row in table.rows] == [
        ("192.0.2.1", "up", "established", "300, 301", "16/17", 2),
        ("192.0.2.2", "stale", "down", "400", "16/17", 1),
    ]
    elsewhere = Arguments({"enterprise": "acme"}, frozenset())
    assert len((await show_circuits(context([up]), elsewhere)).rows) == 1


async def test_what_others_told_stands_among_the_routes_with_a_row_per_tunnel() -> None:
    mpls, vxlan = Tunnel(PE, MPLS, 300), Tunnel(VTEP, VXLAN, 900)
    routes = [
        RemoteRoute(prefix("10.1.1.50/32"), "web1", bytes.fromhex("020000000050"), (vxlan,)),
        RemoteRoute(prefix("10.9.0.0/24"), None, None, (mpls, vxlan)),
        RemoteRoute(prefix("10.8.0.0/24"), None, None, ()),
    ]
    named = Arguments({"enterprise": "acme", "domain": "prod"}, frozenset())
    table = await show_routes(context(routes=routes), named)
    told = [row for row in table.rows if str(row[1]).startswith("remote")]
    assert [(row[0], row[1], row[2], row[3], row[5], row[8]) for row in told] == [
        ("10.1.1.50/32", "remote host", "VXLAN 900", "web1", "192.0.2.2", None),
        ("10.9.0.0/24", "remote", "MPLS 300", None, "192.0.2.1", "50 %"),
        ("10.9.0.0/24", "remote", "VXLAN 900", None, "192.0.2.2", "50 %"),
        ("10.8.0.0/24", "remote", None, None, None, None),
    ]
