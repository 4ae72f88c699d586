"""clear statistics: totals count from now on, in the shows of the user who asks for it; nothing is lost for anybody."""

from __future__ import annotations

import time

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.statistics.measured import PROVIDERS, TENANTS, WORDS, measured, telemetry
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.errors import CommandFailed
from data.steps import Pace
from views.models import Lines
from views.moment import clock, iso

HELP = {**WORDS, "clear": "forget something", "statistics": "totals, for you alone"}
PACE = 64  # series between two looks at the clock
UNDO = "'clear statistics undo' shows all of it again"


@command(
    "clear statistics",
    help="totals count from now on, for you alone; series and /metrics go on as they are",
    words=HELP,
    confined=True,
)
async def clear_all(context: Context, arguments: Arguments) -> Lines:
    """Everything that the user sees."""
    counted, pace = telemetry(context), Pace()
    totals: list[tuple[SeriesKey, dict[Measure, int]]] = []
    for level in Level:
        for number, key in enumerate(counted.keys(level)):
            seen = counted.latest(key)
            if seen is not None:
                totals.append((key, dict(seen.totals)))
            if number % PACE == 0:
                await pace.breathe()
    at = time.time()
    counted.baselines.clear(context.user, at, totals, whole=True)
    return Lines([f"totals count from {clock(at)} on, for {context.user} alone", UNDO], {"cleared": iso(at)})


async def clear_one(context: Context, arguments: Arguments) -> Lines:
    """One object; what was cleared before stays so."""
    counted, what, at = telemetry(context), measured(context, arguments), time.time()
    totals = [(key, seen.totals) for key in what.keys if (seen := counted.latest(key)) is not None]
    counted.baselines.clear(context.user, at, totals, whole=False)
    lines = [f"totals of {what.title} count from {clock(at)} on, for {context.user} alone", UNDO]
    return Lines(lines, {"cleared": iso(at), "of": what.title})


command(f"clear statistics {TENANTS}", help="the same of one of them", words=HELP, confined=True)(clear_one)
command(f"clear statistics {PROVIDERS}", help="the same of one in the network below", words=HELP)(clear_one)


@command(
    "clear statistics undo",
    help="totals are those since counting began again",
    words={**HELP, "undo": "take back what you cleared"},
    confined=True,
)
async def undo(context: Context, arguments: Arguments) -> Lines:
    """Raises CommandFailed when there is nothing to take back."""
    if not telemetry(context).baselines.undo(context.user):
        raise CommandFailed(
            "clear statistics undo", "you have cleared nothing", "'clear statistics' counts from now on"
        )
    return Lines(["totals are those since counting began"], {"cleared": None})
