"""graph: a measure over time, drawn in the terminal; `| save FILE.svg` or `.png` makes a picture for a report of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeAlias

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.statistics.counted import Course, Period, course, period, span
from commands.statistics.measured import PROVIDERS, TENANTS, WORDS, Measured, measured, telemetry
from controller.telemetry.keys import MEASURES_OF, Measure
from data.errors import CommandFailed
from views.graph import Graph, Line

POINTS = 240
"""Values of a line: more than a terminal has dots for, enough for a page."""
HOUR = 3600.0
"""Seconds that a graph looks back, unless it is said since when."""
LITTLE = 4
"""Of the last hour is drawn what is known of it, where that is less than one part in so many: of two minutes at its end
one would see a spike."""
LEAST = 120.0
"""Seconds that are drawn at least."""
Drawn: TypeAlias = "tuple[tuple[str, Measure], ...]"
"""Lines of a graph: what each is called, and its measure."""
THROUGHPUT: Drawn = (
    ("sends", Measure.SENDS_BYTES), ("gets", Measure.GETS_BYTES), ("hits", Measure.HIT_BYTES),
    ("uplinks in", Measure.UPLINK_RECEIVED_BYTES), ("uplinks out", Measure.UPLINK_SENT_BYTES),
)  # fmt: skip
KINDS: Mapping[str, tuple[str, str, Drawn]] = {
    "throughput": ("Throughput", "bit/s", THROUGHPUT),
    "packets": (
        "Packets",
        "packet/s",
        (("sends", Measure.SENDS_PACKETS), ("gets", Measure.GETS_PACKETS), ("hits", Measure.HIT_PACKETS)),
    ),
    "drops": (
        "Drops",
        "packet/s",
        (
            ("spoofed", Measure.SPOOFED_PACKETS),
            ("denied", Measure.DENIED_PACKETS),
            ("over the limit", Measure.LIMITED_PACKETS),
        ),
    ),
    "hits": ("Hits", "packet/s", (("hits", Measure.HIT_PACKETS),)),
    "messages": (
        "Messages",
        "message/s",
        (("received", Measure.MESSAGES_RECEIVED), ("sent", Measure.MESSAGES_SENT)),
    ),
    "routes": ("Routes", "routes", (("received", Measure.ROUTES_RECEIVED), ("sent", Measure.ROUTES_SENT))),
    "flows": ("Flows", "flows", (("flows", Measure.FLOWS),)),
}
"""What can be drawn: how it is called, its unit, and its lines, of which an object has some or none."""
KIND = "{throughput|packets|drops|hits|messages|routes|flows}"
HELP = {
    **WORDS,
    "throughput": "bits per second",
    "packets": "packets per second",
    "drops": "packets per second that were refused: spoofed, denied, over a limit",
    "hits": "packets per second that a rule matched",
    "messages": "messages per second with a BGP neighbor",
    "routes": "routes of a BGP neighbor",
    "flows": "flows in a hypervisor's switch",
}
TIME = "[since <since>] [until <until:since>]"


@command(f"graph {KIND} {TENANTS} {TIME}", help="a measure over time, as a graph", words=HELP, confined=True)
async def graph(context: Context, arguments: Arguments) -> Graph:
    """Of the last hour, or of what is known of it where that is little; or of another time, which is drawn whole."""
    return await drawn(context, arguments)


@command(f"graph {KIND} {PROVIDERS} {TIME}", help="the same of the network below", words=HELP)
async def graph_of_network(context: Context, arguments: Arguments) -> Graph:
    """Of hypervisors, tunnels, BGP neighbours and PE routers."""
    return await drawn(context, arguments)


async def drawn(context: Context, arguments: Arguments) -> Graph:
    """The graph that a line asks for. Raises CommandFailed when the object has no such measure."""
    kind = arguments.values["graph"]
    title, unit, lines = KINDS[kind]
    what, when = measured(context, arguments), period(arguments, HOUR)
    assert when is not None
    lines = tuple(line for line in lines if line[1] in MEASURES_OF[what.level])
    if not lines:
        raise CommandFailed(f"graph {kind}", f"a {what.level} has no {kind}", f"there are: {', '.join(kinds(what))}")
    measures, counted = [measure for _, measure in lines], telemetry(context)
    over = await course(counted, what.keys, measures, when, POINTS)
    note = span(when)
    if arguments.get("since") is None and arguments.get("until") is None:
        note, first = "the last hour", _first_known(over)
        if first is not None and when.until - first < HOUR / LITTLE:
            begin = max(when.since, min(first, when.until - LEAST))
            over = await course(counted, what.keys, measures, Period(begin, when.until), POINTS)
            note = f"the last hour, known since {time.strftime('%H:%M:%S', time.localtime(first))}"
    factor = 8 if unit == "bit/s" else 1
    values = tuple(
        Line(label, [None if value is None else round(value * factor, 3) for value in over.values[measure]])
        for label, measure in lines
    )
    return Graph(f"{title} of {what.title}", unit, over.since, over.step, values, note)


def _first_known(over: Course) -> float | None:
    """When the first step begins of which anything is known; None when nothing is."""
    known = (at for row in over.values.values() for at, value in enumerate(row) if value is not None)
    first = min(known, default=None)
    return None if first is None else over.since + first * over.step


def kinds(what: Measured) -> list[str]:
    """What can be drawn of it."""
    has = MEASURES_OF[what.level]
    return [kind for kind, (_, _, lines) in KINDS.items() if any(measure in has for _, measure in lines)]
