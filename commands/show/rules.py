"""show rules: the entries of policies with what each is good for: hits over time, and those that decide nothing.

    hits      packets that met it since it is watched, the last one, and how many there are now
    unused    nobody met it in a period that it was watched all of; one that is younger is new
    finding   shadowed, redundant or matching nothing, from the policy alone (controller/analysis)

With `removal` the lines that take the shown entries away, to be saved and given to `load set`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import note, scope
from commands.show.policy import domain_name, entry_cells, entry_direction
from commands.statistics.rule_hits import Hits, hits_of
from commands.times import past
from controller.analysis import Finding, Found, Removal, removals
from controller.analysis.findings import in_order
from controller.compile.policy import DIRECTIONS, DomainPolicy
from data.path import Path, path_text
from data.schema.objects import Domain, Entry, L2Domain
from data.templates import in_template
from views.models import Cell, Clock, Column, Lines, Model, Moment, PerSecond, Table

PERIOD = "30d"
"""How long nobody met an entry that is unused, unless it is said."""
_DOMAIN = ("enterprise", "", "domain", "")
TODAY = "with today's members"
_NAMED = 3  # entries that are named as those that decide first

COLUMNS = (
    Column("domain", "Domain", shrink=True, whole=True),
    Column("direction", "Side"),
    Column("rule", "Policy/Entry", shrink=True, whole=True),
    Column("from", "From", shrink=True, whole=True),
    Column("to", "To", shrink=True, whole=True),
    Column("match", "Match", shrink=True, whole=True),
    Column("action", "Action"),
    Column("flags", "Flags", spare=True),
    Column("hits", "Hits", "right"),
    Column("last_hit", "Last hit", spare=True),
    Column("rate", "Rate", "right", spare=True),
    Column("watched", "Watched", spare=True),
    Column("finding", "Finding", shrink=True, whole=True, below=True),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of one domain."""

    path: Path
    entry: Entry
    finding: Finding | None
    hits: Hits


@command(
    "show rules [enterprise <enterprise> [domain <domain>]] [unused [since <since>]] [shadowed] [removal] [detail]",
    help="policy entries, their hits over time, and those that decide nothing",
    words={
        "unused": f"that nobody met for a time ({PERIOD})",
        "since": "how long ago, or when",
        "shadowed": "that decide nothing: shadowed, redundant, or matching no packet",
        "removal": "the lines that take them away, for 'load set'",
        "detail": "all that is known of each, a value to a line where the terminal is narrow",
    },
    confined=True,
)
async def show_rules(context: Context, arguments: Arguments) -> Model:
    """One row per entry in the order in which they are looked at; with both words those that are either."""
    now = time.time()
    since = past(arguments.get("since") or PERIOD, now)
    unused, shadowed = arguments.has("unused"), arguments.has("shadowed")
    chosen: list[tuple[DomainPolicy, list[Row]]] = []
    under = scope(context.fabric.running, arguments)
    for domain in _domains(context, under):
        policy = context.fabric.analysis.policy(domain)
        if policy is None:
            continue
        rows = await _rows(context, policy, now, hits=unused or not shadowed)
        if unused or shadowed:
            rows = [row for row in rows if _is_unused(row, unused, since) or (shadowed and row.finding is not None)]
        if rows:
            chosen.append((policy, rows))
    if arguments.has("removal"):
        return await _removal(context, chosen, since if unused else None, shadowed)
    cells = [_cells(row, since if unused else None) for _, rows in chosen for row in rows]
    one = len(under) == len(_DOMAIN)  # its name stands above the table then, and programs have it
    columns = (replace(COLUMNS[0], unseen=one), *COLUMNS[1:])
    return Table("Rules", columns, cells, "rules", note=note(under), tall=arguments.has("detail"))


def _is_unused(row: Row, asked: bool, since: float) -> bool:
    return asked and row.hits.use(since) != "used"


def _domains(context: Context, under: Path) -> Iterator[Path]:
    acting = context.fabric.acting
    for kind in (Domain, L2Domain):
        for path, _ in acting.objects(kind, under):
            if not in_template(path):
                yield path


async def _rows(context: Context, policy: DomainPolicy, now: float, *, hits: bool = True) -> list[Row]:
    """The entries of a domain; without `hits` those of entries with a finding alone are looked up."""
    found = await context.fabric.analysis.findings(policy.domain)
    looked = [(rule.path, rule.entry) for side in DIRECTIONS for rule in in_order(policy, side)]
    entries = [(path, entry) for path, entry in looked if isinstance(entry, Entry)]
    wanted = [entry for path, entry in entries if hits or path in found]
    counted = dict(zip((entry.uuid for entry in wanted), await hits_of(context, wanted, now), strict=True))
    return [Row(path, entry, found.get(path), counted.get(entry.uuid, Hits())) for path, entry in entries]


def _cells(row: Row, since: float | None) -> tuple[Cell, ...]:
    path, entry, hits = row.path, row.entry, row.hits
    said = [] if since is None or hits.use(since) == "used" else [hits.use(since)]
    if row.finding is not None:
        said.append(finding_words(row.finding, path))
    return (
        domain_name(path),
        entry_direction(path),
        *entry_cells(path, entry),
        hits.hits,
        None if hits.last is None else Moment(hits.last),
        None if hits.rate is None else PerSecond(hits.rate),
        None if hits.watched is None else Clock(hits.watched),
        "; ".join(said) or None,
    )


def finding_words(finding: Finding, path: Path) -> str:
    """What was found of the entry at the path, as one phrase."""
    by = ", ".join(f"{other[-3]}/{other[-1]}" for other in finding.by[:_NAMED]) or "entries that you do not see"
    if len(finding.by) > _NAMED:
        by += f" and {len(finding.by) - _NAMED} more"
    if finding.found is Found.SHADOWED:
        others = "which decides otherwise" if len(finding.by) == 1 else "some of which decide otherwise"
        otherwise = f", {others}" if finding.otherwise else ""
        return f"shadowed by {by}{otherwise}; {'whatever the members' if finding.always else TODAY}"
    if finding.found is Found.REDUNDANT:
        alike = f"{by} decides alike" if len(finding.by) == 1 else f"{by} decide alike"
        return f"redundant: {'; '.join(filter(None, (alike if finding.by else '', finding.why)))}"
    return f"{finding.found.value}: {finding.why}"


async def _removal(
    context: Context, chosen: Sequence[tuple[DomainPolicy, list[Row]]], since: float | None, shadowed: bool
) -> Lines:
    """The lines, each with a remark that says why; what cannot go stands there as a remark."""
    fabric = context.fabric
    useless = await _useless(context, chosen, since, shadowed)
    lines: list[str] = []
    facts: list[dict[str, object]] = []
    given: set[str] = set()
    for policy, rows in chosen:
        wanted = {row.path: row for row in rows if _may_go(row, since, shadowed)}
        by = {
            row.path: row.finding.by for row in rows if row.finding is not None and row.finding.found is Found.SHADOWED
        }
        for one in removals(fabric.running, fabric.acting, policy, list(wanted), useless, context.access.writes, by):
            if one.lines and given.issuperset(one.lines):
                continue  # another domain of the same template has it already
            why = _reason(wanted[one.entry], since)
            lines.append(f"# {domain_name(one.entry)} {one.entry[-4]} {one.entry[-3]} entry {one.entry[-1]}: {why}")
            lines += _remarks(one)
            lines += [line for line in one.lines if line not in given]
            given.update(one.lines)
            facts.append({"entry": path_text(one.entry), "why": why, "lines": list(one.lines), "kept": one.why})
    if not lines:
        lines = ["# nothing to remove"]
    return Lines(lines, facts)


def _remarks(one: Removal) -> Iterator[str]:
    if one.serves:
        names = ", ".join(domain_name(path) for path in one.serves)
        yield f"#   its template also makes {names}"
    if one.why:
        yield f"#   kept: {one.why}"


def _may_go(row: Row, since: float | None, shadowed: bool) -> bool:
    found = row.finding is not None and row.finding.found is not Found.UNDECIDED
    if since is not None and row.hits.use(since) == "unused":
        return True
    return found and (shadowed or since is None)


def _reason(row: Row, since: float | None) -> str:
    said = [finding_words(row.finding, row.path)] if row.finding is not None else []
    if since is not None and row.hits.use(since) == "unused":
        said.insert(0, "unused")
    return "; ".join(said)


async def _useless(
    context: Context, chosen: Sequence[tuple[DomainPolicy, list[Row]]], since: float | None, shadowed: bool
) -> Callable[[Path], bool]:
    """Tells whether an entry may go in the other domains that are made from the same template: not where a default
    would turn, or replies would no longer be let back, without all that may go."""
    now = time.time()
    may_go: set[Path] = set()
    for domain in set(_made_alike(context, chosen)):
        policy = context.fabric.analysis.policy(domain)
        if policy is None:
            continue
        going = {
            row.path
            for row in await _rows(context, policy, now, hits=since is not None)
            if _may_go(row, since, shadowed)
        }
        for side in DIRECTIONS:
            whole = {rule.path for rule in in_order(policy, side)}
            going -= whole if whole <= going else set()
        stateful = {
            path for path, rule in policy.rules.items() if isinstance(rule.entry, Entry) and rule.entry.stateful
        }
        may_go |= going - stateful if stateful <= going else going
    return may_go.__contains__


def _made_alike(context: Context, chosen: Sequence[tuple[DomainPolicy, list[Row]]]) -> Iterator[Path]:
    acting = context.fabric.acting
    templates = {getattr(acting.get(policy.domain), "template", None) for policy, _ in chosen} - {None}
    for path, domain in acting.objects(Domain):
        if domain.template in templates:
            yield path
