"""show l2-domain, show mac-table, request vport: broadcast domains without routing, and who is behind bridge vports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from commands.context import Context
from commands.counters import reachable, read
from commands.language.registry import Arguments, command
from commands.language.types import paths
from commands.lookup import named, note, require, scope
from commands.show.dvrs import attachments
from commands.show.vports import states_of
from controller.pipeline import Feature, Table
from data.errors import CommandFailed, NothingThere
from data.path import Path, vport_name
from data.schema.objects import L2Domain, Vport
from views import models
from views.models import Cell, Column, Document, Lines, Model, Moment, Several

LIST = "show l2-domain [enterprise <enterprise>]"
ONE = "show l2-domain <l2-domain> [enterprise <enterprise>]"
MAC_TABLE = (
    Column("mac", "MAC"),
    Column("address", "Address", shrink=True),
    Column("vport", "Vport"),
    Column("segment", "Segment", shrink=True),
    Column("dvrs", "dVRS"),
    Column("heard", "Heard"),
)


@command(ONE, help="one l2-domain with its vports", confined=True)
@command(LIST, help="broadcast domains without routing", confined=True)
async def show_l2_domain(context: Context, arguments: Arguments) -> Model:
    """One row per l2-domain; of one its facts and vports."""
    running = context.fabric.running
    under = scope(running, arguments)
    name = arguments.get("l2-domain")
    if name is not None:
        return Several({"/".join(path[1::2]): await _one(context, path) for path in _domains(context, arguments, name)})
    learned = context.fabric.learned()
    rows: list[tuple[Cell, ...]] = []
    for path, domain in running.objects(L2Domain, under):
        vports = [(below, vport) for below, vport in running.objects(Vport, path)]
        bridges = [below for below, vport in vports if vport.type == "bridge"]
        macs = sum(len(learned.get(below, ())) for below in bridges)
        rows.append((path[-1], path[1], len(vports), len(bridges), macs, domain.unknown_unicast, domain.description))
    columns = (
        Column("name", "Name"),
        Column("enterprise", "Enterprise"),
        Column("vports", "Vports", "right"),
        Column("bridges", "Bridges", "right"),
        Column("learned", "Learned", "right"),
        Column("unknown_unicast", "Unknown unicast"),
        Column("description", "Description", shrink=True),
    )
    return models.Table("L2 domains", columns, rows, "l2-domains", note=note(under))


def _domains(context: Context, arguments: Arguments, name: str) -> list[Path]:
    running = context.fabric.running
    if arguments.get("enterprise") is not None:
        return [require(running, (*scope(running, arguments), "l2-domain", name))]
    found = [path for path in paths(running, "l2-domain", {}, name) if path[-1] == name]
    if not found:
        raise NothingThere(f"l2-domain {name}", f"there is no l2-domain {name}", "'show l2-domain' lists what there is")
    return found


async def _one(context: Context, path: Path) -> Document:
    fabric = context.fabric
    domain = fabric.running.get(path)
    assert isinstance(domain, L2Domain)
    learned, state = fabric.learned(), states_of(fabric)
    there = {where.dvrs for _, _, where in attachments(fabric, path) if where is not None}
    counts = await read(fabric, sorted(there.intersection(reachable(fabric))), (Table.FLOOD,))
    vports = []
    for below, vport, where in attachments(fabric, path):
        uplink = ""
        if vport.uplink is not None:
            uplink = f", uplink {vport.uplink} {'untagged' if vport.vlan is None else f'vlan {vport.vlan}'}"
        behind = f", {len(learned.get(below, {}))} of {vport.mac_limit} MACs" if vport.type == "bridge" else ""
        at = f" on {where.dvrs}" if where else ""
        vports.append(f"{below[-1]}: {vport.type}{uplink}{behind}, {state(below, where)}{at}")
    return Document(
        {
            "description": domain.description,
            "unknown_unicast": domain.unknown_unicast,
            "unknown_unicast_dropped": counts.get((path, Feature.UNICAST), (0, 0))[0],
            "ingress_default": domain.ingress_default,
            "egress_default": domain.egress_default,
            "vports": vports,
        },
        f"l2-domain {path[1]}/{path[3]}",
    )


@command("show mac-table vport <vport>", help="who is behind one bridge vport", confined=True)
@command("show mac-table subnet <subnet>", help="who is behind the bridge vports of a subnet", confined=True)
@command("show mac-table l2-domain <l2-domain>", help="who is behind those of an l2-domain", confined=True)
@command("show mac-table", help="who is behind bridge vports: learned MAC and IP addresses", confined=True)
async def show_mac_table(context: Context, arguments: Arguments) -> models.Table:
    """One row per learned MAC address; `heard` is when it last showed that it is there, within a minute."""
    fabric = context.fabric
    wanted = _wanted(context, arguments)
    learned = fabric.learned()
    rows: list[tuple[Cell, ...]] = []
    counts: Counter[Path] = Counter()
    for path, vport, where in attachments(fabric):
        if path not in learned or (wanted is not None and path not in wanted):
            continue
        segment = "/".join(filter(None, (path[1], path[3], vport.subnet)))
        for mac, entry in learned[path].items():
            counts[path] += 1
            place = (path[-1], segment, where.dvrs if where else None)
            rows.append((mac, ", ".join(entry.addresses) or None, *place, Moment(entry.seen)))
    full = [path for path, number in counts.items() if number >= _limit(context, path)]
    summary = f"at their mac-limit: {', '.join(vport_name(path) for path in full)}" if full else ""
    return models.Table("Learned MAC addresses", MAC_TABLE, rows, "MAC addresses", summary)


def _limit(context: Context, path: Path) -> int:
    vport = context.fabric.running.get(path)
    return vport.mac_limit if isinstance(vport, Vport) else 1


def _wanted(context: Context, arguments: Arguments) -> Collection[Path] | None:
    """The vports that the arguments ask for; None: all."""
    running = context.fabric.running
    if (name := arguments.get("vport")) is not None:
        return [_bridge(context, path) for path in named(running, "vport", name, arguments)]
    if (name := arguments.get("subnet")) is not None:
        subnets = named(context.fabric.acting, "subnet", name, arguments)
        return {path for subnet in subnets for path in running.referrers(subnet)}
    if (name := arguments.get("l2-domain")) is not None:
        domains = _domains(context, arguments, name)
        return {path for domain in domains for path, _ in running.objects(Vport, domain)}
    return None


def _bridge(context: Context, path: Path) -> Path:
    vport = context.fabric.running.get(path)
    if not isinstance(vport, Vport) or vport.type != "bridge":
        raise CommandFailed(
            f"vport {vport_name(path)}",
            "it is no bridge vport: nothing is learned behind it",
            "see 'show vports type bridge'",
        )
    return path


@command(
    "request vport <vport> clear-mac-table",
    help="forget who is behind a bridge vport; they are learned anew as they send",
    permission="request",
)
async def clear_mac_table(context: Context, arguments: Arguments) -> Lines:
    """What was learned is forgotten on every hypervisor."""
    path, *more = named(context.fabric.running, "vport", arguments.values["vport"], arguments)
    if more:
        names = ", ".join(vport_name(one) for one in (path, *more))
        raise CommandFailed(f"vport {path[-1]}", f"there are several: {names}", "write enterprise/domain/vport")
    number = context.fabric.forget_learned(_bridge(context, path))
    text = f"{vport_name(path)}: {number} MAC addresses forgotten"
    return Lines([text], {"vport": vport_name(path), "forgotten": number})
