"""monitor vports, monitor flows, monitor statistics: what passes, while you look. Events are show/events.py's."""

from __future__ import annotations

from collections.abc import Hashable

from commands.context import Context
from commands.counters import VPORT_TABLES, Counts, reachable, read
from commands.language.registry import Arguments, command
from commands.lookup import named, note, require, scope
from commands.show.flows import table_number
from commands.show.vports import chosen, states_of
from commands.statistics.measured import IN, telemetry
from commands.statistics.rates import TREND, Rates
from commands.statistics.redrawn import OFTEN, redrawn
from commands.statistics.redrawn import WORDS as TIMES
from commands.statistics.show import WORDS, listing
from controller.flow_words import flow_text, owner_name
from controller.openflow.wire import ALL_TABLES
from controller.pipeline import TABLE_NAMES, Feature
from controller.telemetry.keys import Level, Measure, SeriesKey
from data.path import Path, vport_name
from data.schema.objects import Vport
from views.models import Column, Model, Rate, Stream, Table, Trend

TOP = "[top <number>]"
FLOWS = 200
"""Flows that a picture shows, the busiest first."""
KEYS = (
    (Feature.RECEIVED, "bytes"),
    (Feature.RECEIVED, "packets"),
    (Feature.DELIVERED, "bytes"),
    (Feature.DELIVERED, "packets"),
)
"""What vports are shown of, as the switches count it."""
MEASURES = (Measure.SENDS_BYTES, Measure.SENDS_PACKETS, Measure.GETS_BYTES, Measure.GETS_PACKETS)
"""The same, as telemetry calls it."""
VPORTS = (
    Column("name", "Name"),
    Column("dvrs", "dVRS"),
    Column("state", "State"),
    Column("received", "Sends", "right"),
    Column("received_packets", "Packets/s", "right", spare=True),
    Column("delivered", "Gets", "right"),
    Column("delivered_packets", "Packets/s", "right", spare=True),
    Column("trend", "Trend"),
)


@command(
    f"monitor vports [enterprise <enterprise> [domain <domain> [subnet <subnet>]]] {OFTEN}",
    help="rates of virtual ports, the busiest first",
    words=TIMES,
)
async def monitor_vports(context: Context, arguments: Arguments) -> Stream:
    """Bits and packets per second that each vport sends and gets: those of telemetry, which is made to look as often
    as this. Where that is disabled the switches are read for this alone.
    """
    fabric = context.fabric
    under = scope(fabric.running, arguments)
    counted = fabric.telemetry if fabric.telemetry.enabled else None
    rates = Rates()

    async def look() -> None:
        if counted is not None:
            await counted.look()
        else:
            rates.take(totals(await read(fabric, reachable(fabric), VPORT_TABLES)))

    def figures(path: Path, vport: Vport) -> tuple[list[float | None], Trend]:
        if counted is None:
            return [rates.of((path, *key)) for key in KEYS], rates.trend((path, *KEYS[0]))
        key = SeriesKey(Level.VPORT, vport.uuid)
        seen = counted.latest(key)
        now = [None if seen is None else seen.rates.get(measure) for measure in MEASURES]
        return now, Trend(counted.recent(key, MEASURES[0], TREND))

    def draw() -> Table:
        rows = []
        state = states_of(fabric)
        for path, vport in chosen(context, arguments):
            where = fabric.topology.attachment(path, vport)
            values, trend = figures(path, vport)
            total = sum(value or 0 for value in values[::2])
            bits = [None if value is None else Rate(value * 8) for value in values[::2]]
            packets = [None if value is None else round(value) for value in values[1::2]]
            row = (
                vport_name(path),
                where.dvrs if where else None,
                state(path, where),
                bits[0],
                packets[0],
                bits[1],
                packets[1],
                trend,
            )
            rows.append((-total, row))
        rows.sort(key=lambda pair: (pair[0], pair[1][0]))
        return Table("Rates of virtual ports", VPORTS, [row for _, row in rows], "virtual ports", note=note(under))

    return redrawn(arguments, look, draw)


def totals(counts: Counts) -> dict[Hashable, int]:
    """The counters of vports under keys of one number each."""
    result: dict[Hashable, int] = {}
    for (path, feature), (packets, octets) in counts.items():
        result[path, feature, "packets"], result[path, feature, "bytes"] = packets, octets
    return result


FLOW = (
    Column("table", "Table"),
    Column("rate", "Rate", "right"),
    Column("packets_per_second", "Packets/s", "right"),
    Column("packets", "Packets", "right", spare=True),
    Column("object", "Object", shrink=True),
    Column("flow", "Flow", shrink=True),
)


@command(
    f"monitor flows dvrs <dvrs> [vport <vport>] [table <table>] {OFTEN}",
    help="rates of the flows in a switch, the busiest first",
    words={**TIMES, "vport": "that come from one virtual port", "table": "of one table"},
)
async def monitor_flows(context: Context, arguments: Arguments) -> Stream:
    """Bits and packets per second of each flow."""
    fabric, name = context.fabric, arguments.values["dvrs"]
    require(fabric.running, ("dvrs", name))
    table, vport = arguments.get("table"), arguments.get("vport")
    number = ALL_TABLES if table is None else table_number(table)
    owner = None if vport is None else next(iter(named(fabric.running, "vport", vport, arguments)))
    rates = Rates()
    rows: dict[Hashable, tuple[str, int, str, str]] = {}

    async def look() -> None:
        rows.clear()
        sums: dict[Hashable, int] = {}
        for flow in await fabric.flows(name, number):
            if owner is not None and fabric.explain(flow.cookie) != owner:
                continue
            key = (flow.table, flow.priority, flow.match)
            sums[key, "bytes"], sums[key, "packets"] = flow.octets, flow.packets
            text = flow_text(flow.priority, flow.match, flow.instructions)
            place = TABLE_NAMES.get(flow.table, str(flow.table))
            rows[key] = (place, flow.packets, owner_name(flow.cookie, fabric.explain), text)
        rates.take(sums)

    def draw() -> Table:
        busiest = sorted(rows, key=lambda key: (-(rates.of((key, "bytes")) or 0), -rows[key][1]))[:FLOWS]
        shown = []
        for key in busiest:
            place, packets, whose, text = rows[key]
            octets, each = rates.of((key, "bytes")), rates.of((key, "packets"))
            rate = None if octets is None else Rate(octets * 8)
            shown.append((place, rate, None if each is None else round(each), packets, whose, text))
        hidden = len(rows) - len(shown)
        return Table(
            "Rates of flows", FLOW, shown, "flows", f"{hidden} more are less busy" if hidden > 0 else "", f"dvrs {name}"
        )

    return redrawn(arguments, look, draw)


async def monitor_statistics(context: Context, arguments: Arguments) -> Stream:
    """Counters are read as often as pictures are wanted, but not more than once a second, whoever looks."""
    counted = telemetry(context)
    drawn: list[Model] = []

    async def look() -> None:
        await counted.look()
        drawn[:] = [await listing(context, arguments)]

    return redrawn(arguments, look, lambda: drawn[0])


for _word in ("vports", "subnets", "zones", "domains", "rules"):
    command(
        f"monitor statistics {_word} {IN} {TOP} {OFTEN}",
        help=f"{WORDS[_word]}: what it sends and gets, or matches, as it happens",
        words={**WORDS, **TIMES},
        confined=True,
    )(monitor_statistics)
command(
    f"monitor statistics enterprises {TOP} {OFTEN}",
    help="the same of each tenant",
    words={**WORDS, **TIMES},
    confined=True,
)(monitor_statistics)
for _word in ("dvrs", "tunnels", "bgp", "pe"):
    command(
        f"monitor statistics {_word} {TOP} {OFTEN}",
        help=f"{WORDS[_word]}: what it carries, as it happens",
        words={**WORDS, **TIMES},
    )(monitor_statistics)
