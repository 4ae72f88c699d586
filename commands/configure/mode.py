"""edit, up, top, exit, quit, show, compare, discard: moving about in configure mode and looking at the candidate."""

from __future__ import annotations

from commands.configure.models import difference, overlaid, tree
from commands.context import Context
from commands.language.habits import operational
from commands.language.registry import Arguments, Mode, command
from commands.language.statement import path_of, words_of
from commands.show.configuration import exists, not_there, objects_at, revision_back
from data.configuration import Configuration
from data.difference import of_edits
from data.errors import SyntaxProblem
from data.path import Path
from data.schema.nodes import parent_of
from views.models import Tree

CONFIGURE = Mode.CONFIGURE
DEPTH = 20
"""Edit levels that `exit` goes back through."""


@command(
    "edit <place...>", help="go to a place of the configuration", permission="configure", mode=CONFIGURE, confined=True
)
async def edit(context: Context, arguments: Arguments) -> None:
    """Words of set, delete and show are relative to the edit level; a place that is not there yet is made by
    the first set.
    """
    path = path_of(context, arguments)
    if not context.access.sees(path):
        context.access.refuse_write(path, "edit")
    context.entered = [*context.entered[-DEPTH:], context.level]
    context.level = path


@command("up [<levels>]", help="one place up, or so many", permission="configure", mode=CONFIGURE, confined=True)
async def up(context: Context, arguments: Arguments) -> None:
    """At the top it stays there."""
    for _ in range(int(arguments.get("levels") or 1)):
        context.level = parent_of(context.level) if context.level else ()


@command("top", help="to the top of the configuration", permission="configure", mode=CONFIGURE, confined=True)
async def top(context: Context, arguments: Arguments) -> None:
    """To the top."""
    context.level = ()
    context.entered.clear()


@command(
    "exit", help="back to before the last edit, then out of configure mode", permission="session", mode=CONFIGURE,
    confined=True,
)  # fmt: skip
async def exit_(context: Context, arguments: Arguments) -> None:
    """To where the last `edit` was typed; from the top back to operational mode, the candidate is kept."""
    here = context.level
    if not here:
        await leave(context)
        return
    while context.level == here:
        context.level = context.entered.pop() if context.entered else ()


@command(
    "quit", help="leave configure mode; the candidate is kept", permission="session", mode=CONFIGURE, confined=True
)
async def quit_(context: Context, arguments: Arguments) -> None:
    """Back to operational mode."""
    await leave(context)


@command(
    "exit configuration-mode",
    help="leave configure mode, whatever the edit level; the candidate is kept",
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def exit_configuration_mode(context: Context, arguments: Arguments) -> None:
    """As `quit`, in the words of Junos."""
    await leave(context)


async def leave(context: Context) -> None:
    """Leave configure mode, saying when edits stay behind."""
    if (await context.candidate()).differs:
        context.note("your candidate is kept; 'configure' goes on with it")
    context.leave_configure()


@command("show [<part...>]", help="the candidate at and below the edit level", mode=CONFIGURE, confined=True)
async def show(context: Context, arguments: Arguments) -> Tree:
    """The candidate, or the part of it that the words name."""
    candidate = await context.candidate()
    try:
        path, view = path_of(context, arguments), context.configuration
    except SyntaxProblem as problem:
        problem.remedy = operational(["show", *words_of(arguments)]) or problem.remedy
        raise
    if path and path != context.level and view.get(path) is None:
        raise not_there(view, path, "it is not configured", "show")

    def acting() -> Configuration:
        return context.fabric.acting_after(candidate.edits())

    return tree(view, path, lambda revision: changed(context, revision, under=path), acting)


@command(
    "compare [revision <revision> [to <to:revision>]]",
    help="what the candidate changes, or what differs from a revision",
    mode=CONFIGURE,
    words={"revision": "from this revision to the candidate", "to": "to this revision instead"},
    confined=True,
)
async def compare(context: Context, arguments: Arguments) -> Tree:
    """The difference as a hierarchy with + and -; `| display set` gives the lines that make it."""
    first, second = arguments.get("revision"), arguments.get("to")
    return await changed(context, None if first is None else int(first), None if second is None else int(second))


@command(
    "compare rollback <number:back>",
    help="what differs from the configuration of N commits ago to the candidate",
    mode=CONFIGURE,
    confined=True,
)
async def compare_rollback(context: Context, arguments: Arguments) -> Tree:
    """Counted as `rollback N` counts."""
    return await changed(context, revision_back(context, int(arguments.values["number"])))


async def changed(context: Context, first: int | None, second: int | None = None, under: Path = ()) -> Tree:
    """From a revision (None: the running one) to another (None: the candidate), at or below a place."""
    candidate = await context.candidate()
    fabric = context.fabric
    if first is None:
        changes = of_edits(fabric.running, candidate.edits())
    else:
        for number in (first, second):
            exists(context, number or 0)
        changes = await fabric.difference(first, fabric.running.revision if second is None else second)
        if second is None:
            changes = overlaid(changes, fabric.running, candidate.edits())
    changes = {path: pair for path, pair in changes.items() if context.access.reads(path)}
    return difference(changes, under)


@command("discard", help="drop all edits of your candidate", permission="configure", mode=CONFIGURE, confined=True)
async def discard(context: Context, arguments: Arguments) -> None:
    """The candidate equals the running configuration again."""
    candidate = await context.candidate()
    if not candidate.differs:
        context.note("nothing to discard: the candidate equals the running configuration")
    candidate.discard()
    await context.save_candidate()


@command(
    "rollback [<number:back>]",
    help="make the candidate what the configuration was N commits ago (0: drop your edits)",
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def rollback(context: Context, arguments: Arguments) -> None:
    """N commits back from the running revision; nothing changes in the network before the commit."""
    await roll(context, revision_back(context, int(arguments.get("number") or 0)))


@command(
    "rollback revision <revision>",
    help="make the candidate what the configuration was in a revision",
    permission="configure",
    mode=CONFIGURE,
    confined=True,
)
async def rollback_revision(context: Context, arguments: Arguments) -> None:
    """A revision by its number."""
    await roll(context, int(arguments.values["revision"]))


async def roll(context: Context, number: int) -> None:
    """Load a revision into the candidate."""
    if number == context.fabric.running.revision:
        (await context.candidate()).discard()
        await context.save_candidate()
        context.note(f"your edits are dropped: the candidate is revision {number}, which is running")
    else:
        objects = await objects_at(context, number)
        await context.change_candidate(lambda candidate: candidate.rolling_back(objects))
        context.note(f"the candidate is revision {number}; 'compare' shows the difference, 'commit' applies it")
