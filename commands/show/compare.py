"""show configuration compare: what changed from one revision to another, without a candidate."""

from __future__ import annotations

from commands.configure.models import difference
from commands.context import Context
from commands.language.registry import Arguments, command
from commands.show.configuration import exists
from views.models import Tree


@command(
    "show configuration compare revision <revision> [to <to:revision>]",
    help="what differs between two revisions, or between one and what is running",
    words={"compare": "what differs", "revision": "from this revision", "to": "to this one instead of the running"},
    confined=True,
)
async def show_compare(context: Context, arguments: Arguments) -> Tree:
    """As `compare revision N to M` in configure mode; `| display set` gives the lines that make the difference."""
    fabric = context.fabric
    first, second = int(arguments.values["revision"]), arguments.get("to")
    end = fabric.running.revision if second is None else int(second)
    for number in (first, end):
        exists(context, number)
    return difference(await fabric.difference(first, end))
