"""monitor statistics: the tables of `show statistics` in place, with a look at the counters for each picture."""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from commands.statistics.measured import IN, telemetry
from commands.statistics.rates import OFTEN, pictures
from commands.statistics.rates import WORDS as TIMES
from commands.statistics.show import WORDS, listing
from views.models import Model, Stream

TOP = "[top <number>]"


async def monitor_statistics(context: Context, arguments: Arguments) -> Stream:
    """Counters are read as often as pictures are wanted, but not more than once a second, whoever looks."""
    counted = telemetry(context)
    drawn: list[Model] = []

    async def look() -> None:
        await counted.look()
        drawn[:] = [await listing(context, arguments)]

    return pictures(arguments, look, lambda: drawn[0])


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
