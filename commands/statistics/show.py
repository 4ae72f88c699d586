"""show statistics: what passed, in all and per second: tables of many objects, and everything known of one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.lookup import note, scope
from commands.show.vports import states_of
from commands.statistics.counted import Course, in_the_past, lately, latest, means, period, span, whole, with_totals
from commands.statistics.figures import FIGURES, Numbers, cell
from commands.statistics.measured import IN, PROVIDERS, TENANTS, Measured, listed, measured, ranked, telemetry
from commands.statistics.measured import WORDS as OBJECTS
from controller.telemetry.keys import GAUGES, MEASURES_OF, Level, Measure
from data.path import Path
from data.schema.objects import Vport
from data.steps import spread
from views.models import Cell, Column, Document, Moment, Octets, PerSecond, Rate, Table, Trend
from views.moment import clock

if TYPE_CHECKING:
    from controller.fabric import Fabric
    from controller.telemetry.baseline import Baseline

LONG = 12
"""Values of the sparklines of one object: of an hour, each is of five minutes."""
PARTS = 360
"""Parts of a period whose least and most is told of one object: of an hour one for each look at the usual interval."""
ROWS = 100
"""Rows of a table unless a number is given."""
PROGRESS = 2.0
"""Seconds between two words of how far a table is; most need less."""
HOUR = 3600.0
"""Seconds that the statistics of one object look back, unless it is said since when."""
LEVELS: dict[str, tuple[Level, str]] = {
    "vports": (Level.VPORT, "virtual ports"),
    "subnets": (Level.SUBNET, "subnets"),
    "zones": (Level.ZONE, "zones"),
    "domains": (Level.DOMAIN, "domains"),
    "enterprises": (Level.ENTERPRISE, "enterprises"),
    "rules": (Level.RULE, "rules"),
    "dvrs": (Level.DVRS, "hypervisors"),
    "tunnels": (Level.TUNNEL, "tunnels"),
    "bgp": (Level.BGP, "BGP neighbors"),
    "pe": (Level.PE, "interfaces of PE routers"),
}
"""What a table is asked for by, what that is, and what its rows are called."""
OFTEN = "[since <since>] [top <number>]"
WORDS = {
    "vports": "each virtual port",
    "subnets": "each subnet",
    "zones": "each zone",
    "domains": "each domain and l2-domain",
    "enterprises": "each tenant",
    "rules": "each policy entry",
    "dvrs": "each hypervisor",
    "tunnels": "each tunnel",
    "bgp": "each BGP neighbor",
    "pe": "each interface of PE routers",
    "since": "totals and means of the time since then",
    "top": f"so many rows instead of {ROWS}",
}
DVRS = (Column("dvrs", "dVRS", spare=True), Column("state", "State", spare=True))
"""Of vports, behind the figures."""


async def show_statistics(context: Context, arguments: Arguments) -> Table:
    """Now: rates of the last look, and totals since counting began. With since: totals and means of that time."""
    return await listing(context, arguments)


for _word in ("vports", "subnets", "zones", "domains", "rules"):
    command(
        f"show statistics {_word} {IN} {OFTEN}",
        help=f"{WORDS[_word]}: what it sends and gets, or matches, the busiest first",
        words=WORDS,
        confined=True,
    )(show_statistics)
command(f"show statistics enterprises {OFTEN}", help="the same of each tenant", words=WORDS, confined=True)(
    show_statistics
)
for _word in ("dvrs", "tunnels", "bgp", "pe"):
    command(
        f"show statistics {_word} {OFTEN}", help=f"{WORDS[_word]}: what it carries, the busiest first", words=WORDS
    )(show_statistics)


async def listing(context: Context, arguments: Arguments) -> Table:
    """The table of the level that the line names, the busiest first."""
    fabric, counted = context.fabric, telemetry(context)
    level, what = next(LEVELS[word] for word in LEVELS if arguments.has(word))
    under: Path = scope(fabric.running, arguments)
    when = period(arguments)
    cleared = counted.baselines.of(context.user) if when is None else None
    found = await spread(listed(fabric, counted, level, under, cleared))
    keys = [each.key for each in found]
    most = int(arguments.get("number") or ROWS)
    if when is None:
        busiest = await spread(ranked(level, found, [each.seen for each in found], most))
    else:
        past = await in_the_past(counted, keys, when, progress(context, len(keys)))
        busiest = await spread(ranked(level, found, [past[each.key] for each in found], most))
        shown_past = await with_totals(counted, {each.key: its for each, its in busiest}, when)
        busiest = [(each, shown_past[each.key]) for each, _ in busiest]
    place = _places(fabric) if level is Level.VPORT else None
    shown: list[tuple[Cell, ...]] = []
    for each, its in busiest:
        figures = replace(its, lately=lately(counted, each.key)) if when is None else its
        beside = () if place is None else place(each.path)
        shown.append((each.name, *(cell(figure, figures) for figure in FIGURES[level]), *beside))
    columns = (
        Column("name", "Name", shrink=True),
        *(figure.column for figure in FIGURES[level]),
        *(DVRS if place is not None else ()),
    )
    hidden = len(found) - len(shown)
    detail = f"{hidden} more are less busy" if hidden > 0 else ""
    if when is None:
        detail += f"{'   ' if detail else ''}read every {counted.interval:g} s{_since(cleared)}"
    where = note(under) if level in (Level.VPORT, Level.SUBNET, Level.ZONE, Level.DOMAIN, Level.RULE) else ""
    title = f"Statistics of {what}" + (f", {span(when)}" if when is not None else "")
    return Table(title, columns, shown, what, detail, where)


def progress(context: Context, all_: int) -> Callable[[int], None]:
    """Says every PROGRESS seconds how far a table is, to who waits for it."""
    begun = time.monotonic()
    last = 0

    def told(done: int) -> None:
        nonlocal last
        passed = int((time.monotonic() - begun) / PROGRESS)
        if passed > last and done < all_ and context.interactive:
            last = passed
            context.note(f"{done} of {all_} read")

    return told


def _since(cleared: Baseline | None) -> str:
    """Said behind totals that the user cleared."""
    return "" if cleared is None else f"   cleared {clock(cleared.at)}"


def _places(fabric: Fabric) -> Callable[[Path], tuple[Cell, Cell]]:
    """What says where a vport is, and its state."""
    state, topology = states_of(fabric), fabric.topology

    def place(path: Path) -> tuple[Cell, Cell]:
        vport = fabric.running.get(path)
        if not isinstance(vport, Vport):
            return None, None
        where = topology.attachment(path, vport)
        return (where.dvrs if where else None), state(path, where)

    return place


ONE = (
    Column("measure", "Measure"),
    Column("total", "Total", "right"),
    Column("now", "Now", "right"),
    Column("least", "Min", "right", spare=True),
    Column("mean", "Mean", "right"),
    Column("most", "Max", "right"),
    Column("trend", "Trend"),
)


@command(
    f"show statistics {TENANTS} [since <since>] [until <until:since>]",
    help="every measure of one of them: in all, now, and over the last hour or another time",
    words=OBJECTS,
    confined=True,
)
async def show_one(context: Context, arguments: Arguments) -> Table:
    """Without since the total is since counting began, and the rest of the last hour."""
    return await one(context, arguments, measured(context, arguments))


@command(
    f"show statistics {PROVIDERS} [since <since>] [until <until:since>]",
    help="every measure of a hypervisor, a tunnel, a BGP neighbor or a PE router",
    words=OBJECTS,
)
async def show_one_of_network(context: Context, arguments: Arguments) -> Table:
    """The same of the provider's."""
    return await one(context, arguments, measured(context, arguments))


async def one(context: Context, arguments: Arguments, what: Measured) -> Table:
    """A row per measure."""
    counted = telemetry(context)
    when = period(arguments, HOUR)
    assert when is not None
    said = arguments.get("since") is not None
    over = await whole(counted, what.keys, when, PARTS)
    cleared = None if said else counted.baselines.of(context.user)
    now = added([latest(counted, key, cleared) for key in what.keys])
    ended = arguments.get("until") is not None
    rows = [_measure(measure, now, over, said, ended) for measure in MEASURES_OF[what.level]]
    note = span(when) if said or ended else "the last hour"
    detail = f"read every {counted.interval:g} s{_since(cleared)}"
    return Table(f"Statistics of {what.title}", ONE, rows, "measures", detail, note)


def added(several: Sequence[Numbers]) -> Numbers:
    """The sum of some numbers."""
    if len(several) == 1:
        return several[0]
    totals: Counter[Measure] = Counter()
    rates: Counter[Measure] = Counter()
    for each in several:
        totals.update(each.totals)  # type: ignore[arg-type]
        rates.update(each.rates)  # type: ignore[arg-type]
    return Numbers(totals, rates)


def _measure(measure: Measure, now: Numbers, over: Course, past: bool, ended: bool) -> tuple[Cell, ...]:
    """One row: of a gauge the values, of what is counted the rates. What is now belongs to a time that has not ended:
    it is neither below its least nor above its most."""
    known = over.known(measure)
    gauge, octets = measure in GAUGES, measure.endswith("bytes")

    def rate(value: float | None) -> Cell:
        if value is None:
            return None
        return round(value, 1) if gauge else Rate(round(value * 8, 1)) if octets else PerSecond(round(value, 3))

    total: Cell = None
    if measure in (over.totals if past else now.totals) and not gauge:
        count = round(over.totals[measure] if past else now.totals[measure])
        total = Octets(count) if octets else count
    value = now.totals.get(measure) if gauge else now.rates.get(measure)
    extremes = [*known, value] if known and value is not None and not ended else known
    return (
        measure.replace("-", " "),
        total,
        rate(value),
        rate(min(extremes, default=None)),
        rate(sum(known) / len(known) if known else None),
        rate(max(extremes, default=None)),
        Trend(
            tuple(
                None if value is None else round(value * (8 if octets else 1), 1)
                for value in means(over.values[measure], LONG)
            )
        ),
    )


@command("show statistics storage", help="what is kept of the past, and how much room it takes")
async def show_storage(context: Context, arguments: Arguments) -> Document:
    """The archive beside the store: looks for an hour, minutes for a day, hours for a year."""
    counted = telemetry(context)
    size = await counted.size()
    return Document(
        {
            "size": Octets(size.bytes),
            "series": size.series,
            "oldest": None if size.oldest is None else Moment(size.oldest),
            "read_every": f"{counted.interval:g} s",
        },
        "statistics",
    )
