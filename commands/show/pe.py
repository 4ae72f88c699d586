"""show pe …, request pe … repair: the PE routers that are configured with commits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from commands.context import Context
from commands.language.registry import Arguments, command
from data.errors import CommandFailed
from views.models import Cell, Column, Lines, Moment, Table

if TYPE_CHECKING:
    from controller.pe.router import Router

WORDS = {
    "pe": "a PE router, configured through NAPALM with each commit",
    "facts": "vendor, model, version, serial number, asked of it now",
    "interfaces": "its interfaces, asked of it now",
    "bgp": "its BGP neighbors, asked of it now",
    "config": "its configuration",
    "diff": "what must change there so that it holds what is committed, asked of it now",
    "repair": "make it hold what is committed",
}
NONE = Lines(["there is no PE router", "  'set pe NAME driver …' in configure mode adds one"], {"pe": []})


@command("show pe", help="PE routers: whether each holds what is committed", words=WORDS)
async def show_pe(context: Context, arguments: Arguments) -> Table | Lines:
    """A line per router, as it was at the last contact; nothing is asked."""
    found: list[Router] = context.fabric.pe.all()
    if not found:
        return NONE
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, str(one.state), one.wanted.pe.driver,
            one.wanted.pe.instance or one.wanted.pe.address, len(one.wanted.intent.vrfs),
            Moment(one.contact) if one.contact else None, one.reason or None,
        )
        for one in found
    ]  # fmt: skip
    columns = (
        Column("name", "Name"),
        Column("state", "State"),
        Column("driver", "Driver"),
        Column("address", "Address"),
        Column("vpns", "VPNs", "right"),
        Column("contact", "Last contact"),
        Column("reason", "Reason", shrink=True, whole=True),
    )
    return Table("PE routers", columns, rows, "routers")


@command("show pe <pe> facts", help="what a PE router is", words=WORDS)
async def show_facts(context: Context, arguments: Arguments) -> Table:
    """Vendor, model, version: NAPALM's get_facts."""
    name = arguments.values["pe"]
    facts: Mapping[str, Any] = await asked(context, name, "get_facts")
    rows: list[tuple[Cell, ...]] = [(key, _cell(value)) for key, value in facts.items()]
    return Table(f"Facts of {name}", (Column("fact", "Fact"), Column("value", "Value", shrink=True)), rows, "facts")


@command("show pe <pe> interfaces", help="interfaces of a PE router", words=WORDS)
async def show_interfaces(context: Context, arguments: Arguments) -> Table:
    """NAPALM's get_interfaces."""
    name = arguments.values["pe"]
    found: Mapping[str, Mapping[str, Any]] = await asked(context, name, "get_interfaces")
    rows: list[tuple[Cell, ...]] = [
        (
            interface, "up" if one.get("is_up") else "down", "yes" if one.get("is_enabled") else "no",
            _cell(one.get("mac_address")), _cell(one.get("mtu")), _cell(one.get("speed")),
            _cell(one.get("description")),
        )
        for interface, one in found.items()
    ]  # fmt: skip
    columns = (
        Column("interface", "Interface"),
        Column("state", "State"),
        Column("enabled", "Enabled"),
        Column("mac", "MAC"),
        Column("mtu", "MTU", "right"),
        Column("speed", "Mbit/s", "right"),
        Column("description", "Description", shrink=True),
    )
    return Table(f"Interfaces of {name}", columns, rows, "interfaces")


@command("show pe <pe> bgp", help="BGP neighbors of a PE router", words=WORDS)
async def show_bgp(context: Context, arguments: Arguments) -> Table:
    """NAPALM's get_bgp_neighbors: a row per neighbor and address family."""
    name = arguments.values["pe"]
    found: Mapping[str, Any] = await asked(context, name, "get_bgp_neighbors")
    columns = (
        Column("vrf", "VRF"),
        Column("neighbor", "Neighbor"),
        Column("remote_as", "AS", "right"),
        Column("state", "State"),
        Column("uptime", "Uptime (s)", "right"),
        Column("family", "Family"),
        Column("received", "Received", "right"),
        Column("accepted", "Accepted", "right"),
        Column("sent", "Sent", "right"),
    )
    return Table(f"BGP neighbors of {name}", columns, list(_neighbors(found)), "neighbors")


@command("show pe <pe> config diff", help="what differs there from what is committed", words=WORDS)
async def show_difference(context: Context, arguments: Arguments) -> Lines:
    """The router itself compares; nothing is changed."""
    name = arguments.values["pe"]
    text = await context.fabric.pe.difference(name)
    lines = text.splitlines()
    return Lines(lines or [f"{name} holds what is committed"], {"pe": name, "diff": lines})


@command("request pe <pe> repair", help="make a PE router hold what is committed", permission="request", words=WORDS)
async def repair(context: Context, arguments: Arguments) -> Lines:
    """The difference is committed there; the rest of its configuration is left alone."""
    name = arguments.values["pe"]
    text = await context.fabric.pe.repair(name)
    lines = text.splitlines()
    return Lines(lines or [f"{name} holds what is committed"], {"pe": name, "diff": lines})


async def asked(context: Context, name: str, getter: str) -> Any:
    """What the router answers now. Raises NothingThere, CommandFailed, also where its driver has no such question."""
    ask: Callable[[str, str], Awaitable[Any]] = context.fabric.pe.ask
    found = await ask(name, getter)
    if not isinstance(found, dict):
        raise CommandFailed(f"pe {name}", f"its driver answers {type(found).__name__}", "see 'show pe'")
    return found


def _neighbors(found: Mapping[str, Any]) -> Iterator[tuple[Cell, ...]]:
    for vrf, instance in found.items():
        for address, one in instance.get("peers", {}).items():
            families = one.get("address_family") or {"": {}}
            for family, counts in families.items():
                yield (
                    vrf, address, _cell(one.get("remote_as")), "up" if one.get("is_up") else "down",
                    _cell(one.get("uptime")), family or None, _cell(counts.get("received_prefixes")),
                    _cell(counts.get("accepted_prefixes")), _cell(counts.get("sent_prefixes")),
                )  # fmt: skip


def _cell(value: Any) -> Cell:
    """A value of a driver as a cell; NAPALM says -1 for what it does not know."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if value in ("", -1, -1.0, None):
        return None
    return value if isinstance(value, int | float | str) else str(value)
