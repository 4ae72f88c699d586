"""show fabric: whether all is well, in one look. What is not as it should be is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from commands.context import Context
from commands.counters import reachable
from commands.language.registry import Arguments, command
from commands.show.dvrs import attachments
from commands.show.vports import STATES, states_of
from commands.statistics.counted import POINTS
from commands.statistics.measured import listed, ranked
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.path import vport_name
from data.schema.objects import System
from data.steps import Steps, spread
from views.models import Document, Moment, Rate, Trend

if TYPE_CHECKING:
    from controller.fabric import Fabric

NAMED = 3
"""Of those that are not as they should be, so many are named; of the busiest vports so many are shown."""
WELL = ("up", "in sync", "elsewhere", "inactive")
"""States of which nobody need be named."""
BOTH = (Measure.SENDS_BYTES, Measure.GETS_BYTES)
HYPERVISORS = ("up", "away", "unknown")
VPORTS = ("up", "unresolved")
NEIGHBOURS = ("up", "down")
ROUTERS = ("in sync",)
"""States that are told also when nobody is in them."""


@command("show fabric", help="whether all is well: hypervisors, vports, sessions, traffic", confined=True)
async def show_fabric(context: Context, arguments: Arguments) -> Document:
    """Numbers of each state, names of what is not well, and the busiest vports. Those who are confined to tenants see
    their vports and traffic alone.
    """
    fabric, confined = context.fabric, context.access.confined
    facts: dict[str, object] = {"revision": await revision(context)}
    if not confined:
        facts["dvrs"] = tally(HYPERVISORS, hypervisors(fabric))
    facts["vports"] = await spread(vports(fabric))
    if not confined:
        facts["flows"] = await flows(fabric)
        facts["drift"] = drift(fabric)
        facts["bgp"] = tally(NEIGHBOURS, neighbours(fabric))
        facts["pe"] = tally(ROUTERS, ((one.name, str(one.state)) for one in fabric.pe.all()))
    if fabric.telemetry.enabled:
        facts |= await spread(traffic(fabric, Level.ENTERPRISE if confined else Level.DVRS))
    return Document(facts, f"fabric {fabric.running.settings(System).hostname}", flat=True)


async def revision(context: Context) -> dict[str, object]:
    """What runs, since when and by whom, and whether it still waits to be confirmed."""
    fabric = context.fabric
    number = fabric.running.revision
    facts: dict[str, object] = {"running": number}
    newest = next(iter(await fabric.history(1, number)), None)
    if newest is not None:
        facts |= {"committed": Moment(newest.time), "author": newest.author}
    waiting = fabric.waiting
    if waiting is not None and waiting[0] == number:
        facts["unconfirmed_until"] = Moment(waiting[1])
    return facts


def tally(states: Iterable[str], found: Iterable[tuple[str, str]]) -> dict[str, object]:
    """How many are in each state, and the names of those in a state that is not well."""
    counts = Counter(dict.fromkeys(states, 0))
    unwell = []
    for name, state in found:
        counts[state] += 1
        if state not in WELL:
            unwell.append(name)
    facts: dict[str, object] = dict(counts)
    if unwell:
        facts["unwell"] = unwell[:NAMED] + ([f"and {len(unwell) - NAMED} more"] if len(unwell) > NAMED else [])
    return facts


def hypervisors(fabric: Fabric) -> Iterator[tuple[str, str]]:
    """Those that are configured, and those that dialled in unasked, with their states as `show vports` has them."""
    for each in (*fabric.topology.hypervisors.values(), *fabric.topology.unknown.values()):
        yield each.name, STATES.get(each.state, each.state.value)


def vports(fabric: Fabric) -> Steps[dict[str, object]]:
    """Virtual ports by state."""
    state = states_of(fabric)
    found = []
    for path, _, where in attachments(fabric):
        yield
        found.append((vport_name(path), state(path, where)))
    return tally(VPORTS, found)


def neighbours(fabric: Fabric) -> Iterator[tuple[str, str]]:
    """BGP neighbours: up or down."""
    if fabric.bgp is not None:
        for one in fabric.bgp.views.neighbours():
            yield one.name, "up" if one.state == "established" else "down"


async def flows(fabric: Fabric) -> int:
    """Flows in all switches, as they were counted last; those that were not are counted now."""
    total = 0
    for name in reachable(fabric):
        seen = fabric.telemetry.latest(SeriesKey(Level.DVRS, name))
        count = seen.totals.get(Measure.FLOWS) if seen is not None else await fabric.flow_count(name)
        total += count or 0
    return total


def drift(fabric: Fabric) -> dict[str, object]:
    """Flows that somebody else changed: how many still differ, and where; how many were put right."""
    standings = {name: fabric.drift.standing(name) for name in fabric.topology.hypervisors}
    differ = {name: len(one.differs) + one.more for name, one in standings.items()}
    facts: dict[str, object] = {
        "differ": sum(differ.values()),
        "repaired": sum(one.repaired for one in standings.values()),
    }
    where = [name for name, count in differ.items() if count]
    return facts | ({"unwell": where[:NAMED]} if where else {})


def traffic(fabric: Fabric, level: Level) -> Steps[dict[str, object]]:
    """What all vports together send and get, and who most."""
    counted = fabric.telemetry
    rates: Counter[Measure] = Counter()
    trends: dict[Measure, list[float]] = {}
    for each in (yield from listed(fabric, counted, level, ())):
        yield
        rates.update(each.seen.rates)  # type: ignore[arg-type]
        for measure in BOTH:
            recent = counted.recent(each.key, measure, POINTS)
            backwards = zip_longest(reversed(trends.get(measure, [])), reversed(recent), fillvalue=0.0)
            trends[measure] = [sum(pair) for pair in backwards][::-1]
    facts: dict[str, object] = {}
    for word, measure in zip(("sends", "gets"), BOTH, strict=True):
        facts[word] = Rate(round(rates[measure] * 8, 1)) if measure in rates else None
        facts[f"{word}_trend"] = Trend(tuple(round(value * 8, 1) for value in trends.get(measure, ())))
    vports = yield from listed(fabric, counted, Level.VPORT, ())
    busiest = yield from ranked(Level.VPORT, vports, [each.seen for each in vports], NAMED)
    top = []
    for each, seen in busiest:
        now = seen.rates
        if any(now.get(measure) for measure in BOTH):
            bits = {word: Rate(round(now.get(measure, 0.0) * 8, 1))
                    for word, measure in zip(("sends", "gets"), BOTH, strict=True)}  # fmt: skip
            top.append({"vport": each.name, **bits})
    return {"traffic": facts, "top": top}
