"""show bgp …, request bgp …: neighbours, what they told and why some of it is not taken, what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import scope
from data.addresses import prefix
from data.errors import CommandFailed, NothingThere
from data.path import Path, path_text
from data.steps import Pace, spread
from views.models import Cell, Column, Document, Lines, Model, Moment, Several, Table

if TYPE_CHECKING:
    from controller.bgp.rib.chosen import Chosen
    from controller.bgp.rib.views import NeighbourView, RouteView
    from controller.bgp.service import Bgp

ROWS = 5_000
"""Routes shown at most; to explain so many takes about 0.1 s."""
CHOSEN = "[family {evpn|vpnv4|vpnv6|ipv4|ipv6}] [prefix <prefix>] [mac <mac>] [enterprise <enterprise> domain <domain>]"
WORDS = {
    "bgp": "routes told to, and learned from, others",
    "summary": "a line per neighbor",
    "neighbors": "all that is known of neighbors",
    "routes": "what is known of each destination, which way is taken and why",
    "advertised": "what a neighbor is told",
    "received": "what a neighbor told, and why it was not accepted",
    "duplicates": "MAC addresses that are in two places at once",
    "family": "of one address family",
    "prefix": "inside a prefix, also addresses of machines",
    "mac": "of one MAC address",
    "enterprise": "taken by a domain or its subnets, and its own",
    "evpn": "MAC addresses, segments and prefixes over VXLAN",
    "vpnv4": "IPv4 prefixes of domains over MPLS",
    "vpnv6": "IPv6 prefixes of domains over MPLS",
    "ipv4": "IPv4 prefixes of the underlay",
    "ipv6": "IPv6 prefixes of the underlay",
}


def bgp(context: Context) -> Bgp:
    """Raises CommandFailed while there is no BGP."""
    found = context.fabric.bgp
    if found is None:
        raise CommandFailed("bgp", "there is no BGP", "set bgp autonomous-system and a bgp-neighbor, and commit")
    return found


def chosen(context: Context, arguments: Arguments) -> Chosen:
    """The routes that were asked for. Raises NothingThere."""
    from controller.bgp.rib.chosen import Chosen
    from controller.bgp.routes import Family

    family, inside, mac = (arguments.get(name) for name in ("family", "prefix", "mac"))
    return Chosen(
        None if family is None else Family(family),
        None if inside is None else prefix(inside),
        None if mac is None else bytes.fromhex(mac.replace(":", "")),
        scope(context.fabric.running, arguments) or None,
    )


def neighbour(context: Context, arguments: Arguments) -> str:
    """The neighbour that was named. Raises NothingThere."""
    name = arguments.values["bgp-neighbor"]
    require_neighbour(context, name)
    return name


def require_neighbour(context: Context, name: str) -> None:
    known = [one.name for one in bgp(context).views.neighbours()]
    if name not in known:
        hint = f"there are: {', '.join(known[:12])}" if known else "'set bgp-neighbor' makes one"
        raise NothingThere(f"bgp-neighbor {name}", f"there is no neighbor {name}", hint)


@command("show bgp summary", help="BGP neighbors and their sessions", words=WORDS)
async def show_summary(context: Context, arguments: Arguments) -> Table:
    """One row per neighbour: what it told, how much of it is not accepted or stale, what it was told."""
    service = bgp(context)
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, one.address, one.autonomous_system, one.role, one.state, Moment(service.epoch(one.since)),
            one.received, one.refused, one.stale, one.advertised, _reason(service, one),
        )
        for one in service.views.neighbours()
    ]  # fmt: skip
    columns = (
        Column("name", "Neighbor"),
        Column("address", "Address"),
        Column("as", "AS", "right", spare=True),
        Column("role", "Role", spare=True),
        Column("state", "State"),
        Column("since", "Since"),
        Column("received", "In", "right"),
        Column("refused", "Refused", "right"),
        Column("stale", "Stale", "right"),
        Column("advertised", "Out", "right"),
        Column("reason", "Reason", shrink=True, whole=True),
    )
    return Table("BGP neighbors", columns, rows, "neighbors")


@command("show bgp neighbors [<bgp-neighbor>]", help="BGP neighbors in full", words=WORDS)
async def show_neighbours(context: Context, arguments: Arguments) -> Model:
    """What was agreed with each, its limits, and what of it could not be read."""
    service, name = bgp(context), arguments.get("bgp-neighbor")
    if name is not None:
        require_neighbour(context, name)
    found: dict[str, Model] = {
        one.name: Document(_facts(service, one), f"BGP neighbor {one.name}")
        for one in service.views.neighbours()
        if name in (None, one.name)
    }
    return found[name] if name is not None else Several(found)


def _reason(service: Bgp, one: NeighbourView) -> str | None:
    """Of one that is away: why the last attempt failed, or how the session ended."""
    failed = service.speaker.failures.get(one.name) if one.state == "idle" else None
    return failed or one.reason or None


def _facts(service: Bgp, one: NeighbourView) -> dict[str, object]:
    def moment(at: float | None) -> Moment | None:
        return None if at is None else Moment(service.epoch(at))

    return {
        "address": one.address,
        "autonomous_system": one.autonomous_system,
        "type": "internal" if one.internal else "external",
        "role": one.role,
        "state": one.state,
        "since": moment(one.since),
        "reason": one.reason or None,
        "last_attempt": None if one.state == "established" else service.speaker.failures.get(one.name),
        "router_id": one.router_id,
        "hold_time": one.hold_time,
        **_bfd(service, one.name),
        "restart_time": one.restart_time,
        "configured_families": ", ".join(one.configured),
        "spoken_families": ", ".join(one.families),
        "received": one.received,
        "refused": one.refused,
        "stale": one.stale,
        "stale_until": moment(one.stale_until),
        "advertised": one.advertised,
        "prefix_limit": one.prefix_limit,
        "flaps": one.flaps,
        "left_alone_until": moment(one.shut_until),
        "not_read": [f"{note.reason} ({note.what})" if note.what else note.reason for note in one.notes],
    }


def _bfd(service: Bgp, name: str) -> dict[str, object]:
    """How the BFD session with a neighbour stands; nothing where it has none."""
    found = service.bfd.standing.get(name)
    if found is None:
        return {}
    return {"bfd": found.state, "bfd_since": Moment(service.epoch(found.since)), "bfd_reason": found.reason or None}


@command(f"show bgp routes {CHOSEN} [detail]", help="routes of neighbors and our own", words=WORDS)
async def show_routes(context: Context, arguments: Arguments) -> Table:
    """A row per way: which one is taken, and why the others are not."""
    service = bgp(context)
    found = await spread(service.views.routes(chosen(context, arguments), ROWS + 1))
    return await _table(service, found, "BGP routes", arguments.has("detail"))


@command(f"show bgp received <bgp-neighbor> {CHOSEN} [detail]", help="what a BGP neighbor told", words=WORDS)
async def show_received(context: Context, arguments: Arguments) -> Table:
    """Accepted or not: the reason is beside it."""
    service, name = bgp(context), neighbour(context, arguments)
    found = await spread(service.views.received(name, chosen(context, arguments), ROWS + 1))
    return await _table(service, found, "BGP routes received", arguments.has("detail"), f"from {name}")


@command(f"show bgp advertised <bgp-neighbor> {CHOSEN} [detail]", help="what a BGP neighbor is told", words=WORDS)
async def show_advertised(context: Context, arguments: Arguments) -> Table:
    """Ours alone; nothing while its session is down, or when it is of the underlay."""
    service, name = bgp(context), neighbour(context, arguments)
    found = await spread(service.views.advertised(name, chosen(context, arguments), ROWS + 1))
    return await _table(service, found, "BGP routes advertised", arguments.has("detail"), f"to {name}")


COLUMNS = (
    Column("family", "Family"),
    Column("type", "Type", spare=True),
    Column("destination", "Destination"),
    Column("neighbor", "Neighbor"),
    Column("next_hop", "Next hop"),
    Column("label", "Label or VNI"),
    Column("standing", "Standing", shrink=True, whole=True),
    Column("since", "Since", spare=True),
)
DETAIL = (
    Column("rd", "RD"),
    Column("targets", "Targets"),
    Column("taken_by", "Taken by"),
    Column("as_path", "AS path"),
    Column("origin", "Origin"),
    Column("med", "MED", "right"),
    Column("local_preference", "Preference", "right"),
    Column("mobility", "Mobility", "right"),
    Column("router_mac", "Router MAC"),
    Column("encapsulation", "Encapsulation"),
)


async def _table(service: Bgp, found: Sequence[RouteView], title: str, detail: bool, note: str = "") -> Table:
    rows, pace = [], Pace()
    for one in found[:ROWS]:
        rows.append(_row(service, one, detail))
        await pace.breathe()
    columns = (*COLUMNS, *DETAIL) if detail else COLUMNS
    more = f"only the first {ROWS}; name a prefix, a mac or a domain" if len(found) > ROWS else ""
    return Table(title, columns, rows, "routes", more, note, tall=detail)


def _row(service: Bgp, one: RouteView, detail: bool) -> tuple[Cell, ...]:
    standing = f"{one.standing} (stale)" if one.stale else one.standing
    since = None if one.since is None else Moment(service.epoch(one.since))
    row: tuple[Cell, ...] = (
        one.family, one.kind, one.what, one.neighbour, one.next_hop, one.label or None, standing, since
    )  # fmt: skip
    if not detail:
        return row
    owners, path = ", ".join(map(_owner, one.owners)), " ".join(map(str, one.as_path))
    return (
        *row, one.rd or None, ", ".join(one.targets), owners, path, one.origin, one.med, one.local_preference,
        one.mobility, one.router_mac, one.encapsulation or None,
    )  # fmt: skip


def _owner(path: Path) -> str:
    """enterprise/domain or enterprise/domain/subnet."""
    return "/".join(path[at] for at in (1, 3, 7) if at < len(path))


@command("show bgp duplicates", help="MAC addresses that are in two places at once", words=WORDS)
async def show_duplicates(context: Context, arguments: Arguments) -> Table:
    """Frozen: what others say of them is not looked at until the time shown (RFC 7432 section 15.1)."""
    service = bgp(context)
    rows: list[tuple[Cell, ...]] = [
        (one.mac, path_text(one.segment), Moment(service.epoch(one.until))) for one in service.views.frozen()
    ]
    columns = (Column("mac", "MAC"), Column("segment", "Segment", shrink=True), Column("until", "Frozen until"))
    return Table("Duplicate addresses", columns, rows, "addresses")


@command(
    "request bgp-neighbor <bgp-neighbor> reset",
    help="end a session with a BGP neighbor, to begin anew",
    permission="request",
    words={**WORDS, "reset": "also when it is left alone after too many routes"},
)
async def reset(context: Context, arguments: Arguments) -> Lines:
    """The flows that its routes made stay until it is known what it says now."""
    name = neighbour(context, arguments)
    await bgp(context).reset(name)
    return Lines([f"bgp-neighbor {name}: the session begins anew"], {"neighbor": name})


@command(
    "request bgp duplicates clear",
    help="let MAC addresses that were in two places at once move again",
    permission="request",
    words={**WORDS, "clear": "what others say of them counts again"},
)
async def clear_duplicates(context: Context, arguments: Arguments) -> Lines:
    """All of them."""
    count = await bgp(context).unfreeze()
    return Lines([f"{count} addresses may move again"], {"addresses": count})
