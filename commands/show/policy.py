"""show enterprises, domains, zones, subnets, policy-groups, network-macros, policies: the tenants' objects as
tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from commands.context import Context
from commands.counters import RULE_TABLES, reachable, read
from commands.language.registry import Arguments, command
from commands.lookup import note, scope
from commands.show.dvrs import attachments
from controller.pipeline import Feature
from data.configuration import Configuration
from data.networks import networks
from data.path import Path
from data.schema.objects import (
    Domain,
    EgressPolicy,
    Enterprise,
    Entry,
    IngressPolicy,
    NetworkMacro,
    PolicyGroup,
    Subnet,
    Vport,
    Zone,
)
from data.schema.services import ForwardingPolicy, Redirect
from data.templates import in_template
from views.models import Cell, Column, Table

Policy: TypeAlias = "IngressPolicy | EgressPolicy | ForwardingPolicy"
POLICIES: dict[str, type[Policy]] = {
    "ingress": IngressPolicy,
    "egress": EgressPolicy,
    "forwarding": ForwardingPolicy,
}
SCOPE = "[enterprise <enterprise> [domain <domain>]]"
DOMAIN = Column("domain", "Domain", shrink=True)
DESCRIPTION = Column("description", "Description", shrink=True)


def domain_name(path: Path) -> str:
    """'acme/prod' of anything in a domain."""
    return f"{path[1]}/{path[3]}"


def both(*values: object) -> str | None:
    """What a subnet has in either family, IPv4 first."""
    return ", ".join(str(value) for value in values if value) or None


@command("show enterprises", help="tenants, and how much each has", confined=True)
async def show_enterprises(context: Context, arguments: Arguments) -> Table:
    """One row per tenant."""
    running = context.fabric.running
    rows = []
    for path, enterprise in running.objects(Enterprise):
        domains = running.children(path, "domain")
        vports = sum(running.count((*path, "domain", name), "vport") for name in domains)
        rows.append((path[-1], len(domains), vports, enterprise.description))
    columns = (
        Column("name", "Name"),
        Column("domains", "Domains", "right"),
        Column("vports", "Vports", "right"),
        DESCRIPTION,
    )
    return Table("Enterprises", columns, rows, "enterprises")


@command("show domains [enterprise <enterprise>]", help="routing instances of the tenants", confined=True)
async def show_domains(context: Context, arguments: Arguments) -> Table:
    """One row per domain, with the hypervisors that hold flows of it."""
    fabric, running = context.fabric, context.fabric.running
    under, acting = scope(running, arguments), fabric.acting
    where: dict[Path, set[str]] = {}
    for path, _, attachment in attachments(fabric, under):
        if attachment is not None:
            where.setdefault(path[:4], set()).add(attachment.dvrs)
    rows = [
        (
            path[-1],
            path[1],
            acting.count(path, "zone"),
            sum(acting.count((*path, "zone", zone), "subnet") for zone in acting.children(path, "zone")),
            acting.count(path, "vport"),
            ", ".join(sorted(where.get(path, ()))) or None,
            domain.description,
        )
        for path, domain in running.objects(Domain, under)
    ]
    columns = (
        Column("name", "Name"),
        Column("enterprise", "Enterprise"),
        Column("zones", "Zones", "right"),
        Column("subnets", "Subnets", "right"),
        Column("vports", "Vports", "right"),
        Column("dvrs", "dVRS", shrink=True),
        DESCRIPTION,
    )
    return Table("Domains", columns, rows, "domains", note=note(under))


@command(f"show zones {SCOPE}", help="groups of subnets that policy can name", confined=True)
async def show_zones(context: Context, arguments: Arguments) -> Table:
    """One row per zone."""
    running, under = context.fabric.acting, scope(context.fabric.running, arguments)
    rows = [
        (path[-1], domain_name(path), ", ".join(running.children(path, "subnet")) or None, zone.description)
        for path, zone in running.objects(Zone, under)
        if not in_template(path)
    ]
    return Table(
        "Zones",
        (Column("name", "Name"), DOMAIN, Column("subnets", "Subnets", shrink=True), DESCRIPTION),
        rows,
        "zones",
        note=note(under),
    )


@command(f"show subnets {SCOPE}", help="L2 segments with prefix, gateway and use", confined=True)
async def show_subnets(context: Context, arguments: Arguments) -> Table:
    """One row per subnet; VNI as allocated at the commit."""
    fabric, running = context.fabric, context.fabric.acting
    under = scope(fabric.running, arguments)
    used = Counter((path[:4], vport.subnet) for path, vport in running.objects(Vport, under))
    rows = [
        (
            path[-1],
            domain_name(path),
            path[-3],
            both(*(own.prefix for own in networks(subnet))),
            both(*(own.gateway for own in networks(subnet))),
            fabric.numbers.find("vni", subnet.uuid),
            used[path[:4], path[-1]],
            subnet.description,
        )
        for path, subnet in running.objects(Subnet, under)
        if not in_template(path)
    ]
    columns = (
        Column("name", "Name"),
        DOMAIN,
        Column("zone", "Zone"),
        Column("prefix", "Prefix"),
        Column("gateway", "Gateway"),
        Column("vni", "VNI", "right"),
        Column("vports", "Vports", "right"),
        DESCRIPTION,
    )
    return Table("Subnets", columns, rows, "subnets", note=note(under))


@command(f"show policy-groups {SCOPE}", help="named sets of vports", confined=True)
async def show_policy_groups(context: Context, arguments: Arguments) -> Table:
    """One row per group with its members."""
    running, under = context.fabric.acting, scope(context.fabric.running, arguments)
    rows = []
    for path, group in running.objects(PolicyGroup, under):
        if in_template(path):
            continue
        users = running.referrers(path)
        members = sorted(user[-1] for user in users if user[-2] == "vport")
        rows.append(
            (
                path[-1],
                domain_name(path),
                len(members),
                ", ".join(members) or None,
                len(users) - len(members),
                group.description,
            )
        )
    columns = (
        Column("name", "Name"),
        DOMAIN,
        Column("count", "Vports", "right"),
        Column("members", "Members", shrink=True),
        Column("entries", "Entries", "right"),
        DESCRIPTION,
    )
    return Table("Policy groups", columns, rows, "policy groups", note=note(under))


@command("show network-macros [enterprise <enterprise>]", help="named outside prefixes", confined=True)
async def show_network_macros(context: Context, arguments: Arguments) -> Table:
    """One row per macro."""
    running = context.fabric.running
    under = scope(running, arguments)
    rows = [
        (path[-1], path[1], macro.prefix, len(running.referrers(path)), macro.description)
        for path, macro in running.objects(NetworkMacro, under)
    ]
    columns = (
        Column("name", "Name"),
        Column("enterprise", "Enterprise"),
        Column("prefix", "Prefix"),
        Column("entries", "Entries", "right"),
        DESCRIPTION,
    )
    return Table("Network macros", columns, rows, "network macros", note=note(under))


def entry_match(entry: Entry | Redirect) -> str:
    """What of a packet a rule looks at besides its ends."""
    more = [
        f"dport {','.join(entry.destination_port)}" if entry.destination_port else "",
        f"sport {','.join(entry.source_port)}" if entry.source_port else "",
        f"dscp {entry.dscp}" if entry.dscp is not None else "",
    ]
    if isinstance(entry, Entry):
        more[2:2] = [
            f"type {entry.icmp_type}" if entry.icmp_type is not None else "",
            f"code {entry.icmp_code}" if entry.icmp_code is not None else "",
        ]
    return " ".join([entry.protocol or "any", *(text for text in more if text)])


def entry_flags(entry: Entry) -> str | None:
    """What else it says, in words."""
    return " ".join(word for word, on in (("stateful", entry.stateful), ("log", entry.log)) if on) or None


def entry_direction(path: Path) -> str:
    """'ingress' or 'egress'."""
    return path[-4].removesuffix("-policy")


def entry_cells(path: Path, entry: Entry) -> tuple[str | None, ...]:
    """One rule: its name, whom and what it is about, what it does."""
    name = f"{path[-3]}/{path[-1]}"
    return name, str(entry.from_), str(entry.to), entry_match(entry), entry.action, entry_flags(entry)


def entry_row(path: Path, entry: Entry, priority: int) -> tuple[str | int | None, ...]:
    """The same among others, with where it is looked at."""
    return entry_direction(path), priority, *entry_cells(path, entry)


def policies_in_order(acting: Configuration, domain: Path, direction: str) -> list[tuple[Path, Policy]]:
    """The policies of a direction as they are looked at: those of the domain's template before its own, each by
    priority, then name.
    """
    found = [(path, policy) for path, policy in acting.objects(POLICIES[direction], domain)]
    return sorted(found, key=lambda pair: (not pair[1].inherited, pair[1].priority, pair[0][-1]))


def entries(
    running: Configuration, domain: Path
) -> Iterator[tuple[tuple[Path, Feature], tuple[str | int | None, ...]]]:
    """The rules of a domain in the order in which they are looked at, each direction closed by its default; before each
    what its flows are counted under.
    """
    for keyword in ("ingress", "egress"):
        any_entry = False
        for path, policy in policies_in_order(running, domain, keyword):
            for number in running.children(path, "entry"):
                entry = running.get((*path, "entry", number))
                if isinstance(entry, Entry):
                    any_entry = True
                    where = (*path, "entry", number)
                    yield (where, Feature.RULE), entry_row(where, entry, policy.priority)
        settings = running.get(domain)
        assert isinstance(settings, Domain)
        default = settings.ingress_default if keyword == "ingress" else settings.egress_default
        feature = Feature.DEFAULT_INGRESS if keyword == "ingress" else Feature.DEFAULT_EGRESS
        verdict = default or ("deny" if any_entry else "allow")
        yield (domain, feature), (keyword, None, "default", "any", "any", "any", verdict, None)


@command(
    f"show policies {SCOPE} [counters]",
    help="rules in the order in which they are looked at",
    words={"counters": "with what each matched, added up over the hypervisors"},
    confined=True,
)
async def show_policies(context: Context, arguments: Arguments) -> Table:
    """One row per entry; the last row of a direction is what happens when nothing matches."""
    running, under = context.fabric.acting, scope(context.fabric.running, arguments)
    found = [(path, key, row) for path, _ in running.objects(Domain, under) for key, row in entries(running, path)]
    rows: list[tuple[Cell, ...]] = [(domain_name(path), *row) for path, _, row in found]
    keys = [key for _, key, _ in found]
    columns: tuple[Column, ...] = (
        DOMAIN,
        Column("direction", "Direction"),
        Column("priority", "Prio", "right"),
        Column("entry", "Policy/Entry"),
        Column("from", "From", shrink=True),
        Column("to", "To", shrink=True),
        Column("match", "Match", shrink=True),
        Column("action", "Action"),
        Column("flags", "Flags"),
    )
    if arguments.has("counters"):
        asked = reachable(context.fabric)
        counts = await read(context.fabric, asked, RULE_TABLES)
        nothing = (0, 0) if asked else (None, None)
        rows = [(*row, *counts.get(key, nothing)) for row, key in zip(rows, keys, strict=True)]
        columns = (*columns, Column("packets", "Packets", "right"), Column("bytes", "Bytes", "right", spare=True))
    return Table("Policies", columns, rows, "rules and defaults", note=note(under))
