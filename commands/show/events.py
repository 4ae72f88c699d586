"""show events, monitor events: what happened in the network, and what happens while you look.

Both choose alike (`selection`) and give programs the same facts (`facts`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.language.statement import words_of
from commands.times import past
from controller.events import Event, Kind, Selection, Severity
from controller.events.selection import named
from data.errors import CommandFailed
from data.path import path_text
from data.steps import Pace
from views.models import Cell, Clock, Column, Facts, Lines, Model, Stream, Table
from views.moment import clock, iso

EVENTS = 50
"""Events shown unless a limit is given."""
MOST = 10_000
"""Events shown at most: so many as JSON take 0.15 s, in which nobody else is answered."""
WAITING = 10_000
"""Events that wait for a slow screen; more are dropped, `show events` has them all."""
KINDS: dict[str, str] = {
    Kind.HYPERVISOR: "hypervisors that come, go or are refused",
    Kind.IDENTITY: "two that claim to be the same hypervisor or vport",
    Kind.VPORT: "vports that appear, move or vanish",
    Kind.COMMIT: "commits, also those that failed",
    Kind.CONFIRM: "commits that wait for their confirmation",
    Kind.RECONCILE: "switches that were compared and put right",
    Kind.DRIFT: "flows that somebody else changed",
    Kind.HEALTH: "those that serve others and die or return",
    Kind.BGP: "sessions with neighbors, and what is wrong with their routes",
    Kind.PE: "PE routers that go and return",
    Kind.UNDERLAY: "tunnel endpoints that are lost, return or flap, and listeners",
    Kind.SESSION: "operators that come, go or are refused",
    Kind.THRESHOLD: "measures that are too high, and that are not any more",
    Kind.DENIED: "packets that policy refused, counted",
    Kind.POLICY: "packets that met a rule with log",
    Kind.FAULT: "what the controller could not do",
}
SEVERITIES: dict[str, str] = {
    Severity.CRITICAL: "the network does not do what it should",
    Severity.ERROR: "errors and worse",
    Severity.WARNING: "warnings and worse",
    Severity.NOTICE: "notices and worse",
    Severity.INFO: "everything",
}
WORDS = (
    KINDS
    | SEVERITIES
    | {
        "kind": "of one kind",
        "severity": "so bad or worse",
        "since": "from then on",
        "limit": f"so many, the latest ({EVENTS})",
        "about": "about an object and what is below it, or a vport's full name; up to the end of the line",
    }
)
WHICH = f"[kind {{{'|'.join(Kind)}}}] [severity {{{'|'.join(Severity)}}}]"
COLUMNS = (
    Column("number", "No.", "right", unseen=True),
    Column("time", "Time"),
    Column("severity", "Severity"),
    Column("kind", "Kind"),
    Column("about", "About", unseen=True),
    Column("dvrs", "dVRS", unseen=True),
    Column("facts", "Facts", unseen=True),
    Column("text", "Event", shrink=True, whole=True),
)


@command(
    f"show events [limit <number>] {WHICH} [since <since>] [about <place...>]",
    help="what happened in the network, newest last", words=WORDS, confined=True,
)  # fmt: skip
@command(
    f"show system events [limit <number>] {WHICH} [since <since>] [about <place...>]",
    help="what happened in the network, newest last", words=WORDS, confined=True,
)  # fmt: skip
async def show_events(context: Context, arguments: Arguments) -> Table:
    """The latest events of a selection, also those of earlier runs of the controller."""
    chosen, limit = selection(arguments), int(arguments.get("number") or EVENTS)
    if limit > MOST:
        raise CommandFailed("show events limit", f"{limit} are more than are shown at a time", f"use at most {MOST}")
    events = await context.fabric.events.kept(chosen, limit)
    rows: list[tuple[Cell, ...]] = []
    pace = Pace()
    for event in events:
        about = None if event.about is None else path_text(event.about)
        rows.append(
            (
                event.number, Clock(event.time), str(event.severity), str(event.kind), about, event.dvrs,
                Facts(event.facts), event.text,
            )
        )  # fmt: skip
        await pace.breathe()
    return Table("Events", COLUMNS, rows, "events")


def selection(arguments: Arguments) -> Selection:
    """Which events the words of a line choose."""
    kind, severity, since = (arguments.get(name) for name in ("kind", "severity", "since"))
    words = tuple(words_of(arguments))
    return Selection(
        frozenset() if kind is None else frozenset({Kind(kind)}),
        None if severity is None else Severity(severity),
        None if since is None else past(since, time.time()),
        named(words) if words else (),
    )


def facts(event: Event) -> dict[str, object]:
    """An event for programs: the same names as in the rows of `show events`."""
    return {
        "number": event.number,
        "time": iso(event.time),
        "severity": str(event.severity),
        "kind": str(event.kind),
        "about": None if event.about is None else path_text(event.about),
        "dvrs": event.dvrs,
        "facts": dict(event.facts),
        "text": event.text,
    }


@command(f"monitor events {WHICH} [about <place...>]", help="events as they happen", words=WORDS, confined=True)
async def monitor_events(context: Context, arguments: Arguments) -> Stream:
    """From now on; `show events` has what was before."""
    events, chosen = context.fabric.events, selection(arguments)

    async def happening() -> AsyncIterator[Model]:
        waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)

        def take(event: Event) -> None:
            if chosen.takes(event) and not waiting.full():
                waiting.put_nowait(event)

        stop = events.watch(take)
        try:
            while True:
                event = await waiting.get()
                line = f"{clock(event.time)}  {event.severity:<8}  {event.kind:<10}  {event.text}"
                yield Lines([line], facts(event))
        finally:
            stop()

    return Stream(happening)
