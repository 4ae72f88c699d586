"""show configuration: the running configuration, or that of an earlier revision."""

from __future__ import annotations

from commands.configure.models import difference, tree
from commands.context import Context
from commands.language.registry import Arguments, command
from commands.language.statement import path_of
from data.acting import inherited_from
from data.configuration import Configuration
from data.errors import CommandFailed, NothingThere
from data.path import Path, path_text
from data.schema.objects import Object
from views.models import Tree


def exists(context: Context, number: int) -> None:
    """Raises NothingThere when there is no such revision yet."""
    latest = context.running.revision
    if number > latest:
        raise NothingThere(
            f"revision {number}",
            f"there is no revision {number}",
            f"the latest is {latest}; 'show system commit' lists them",
        )


def revision_back(context: Context, back: int) -> int:
    """The revision of so many commits ago. Raises CommandFailed when there were fewer."""
    latest = context.fabric.running.revision
    if back > latest:
        raise CommandFailed(
            f"rollback {back}",
            f"there are only {latest} revisions",
            f"choose 0..{latest}",
        )
    return latest - back


async def at_revision(context: Context, number: int) -> Configuration:
    """The whole configuration of a revision. Raises NothingThere."""
    exists(context, number)
    return context.running if number == context.running.revision else await context.fabric.at_revision(number)


def not_there(view: Configuration, path: Path, cause: str, shows: str) -> NothingThere:
    """The error for a part of the configuration that is not there, or that a domain has from its template alone."""
    source = inherited_from(view.unconfined, path) if view.get(path[:4]) is not None else None
    if source is None:
        return NothingThere(path_text(path), cause, f"'{shows}' shows what is")
    shown = f"'{shows} {path_text(path[:4])} | display inheritance' shows it"
    return NothingThere(path_text(path), f"it comes from {path_text(source[:2])}", shown)


async def objects_at(context: Context, number: int) -> dict[Path, Object]:
    """Every object of a revision. Raises NothingThere."""
    exists(context, number)
    return await context.fabric.objects_at(number)


@command(
    "show configuration [<part...>]",
    help="the running configuration",
    words={"configuration": "the running configuration"},
    confined=True,
)
async def show_configuration(context: Context, arguments: Arguments) -> Tree:
    """The running configuration, or the part of it that the words name."""
    path = path_of(context, arguments)
    if path and context.running.get(path) is None:
        raise not_there(context.running, path, "it is not in the running configuration", "show configuration")
    running = context.fabric.running.revision

    async def compared(revision: int | None) -> Tree:
        exists(context, running if revision is None else revision)
        return difference(await context.fabric.difference(running if revision is None else revision, running), path)

    return tree(context.running, path, compared, lambda: context.fabric.acting)


@command("show configuration revision <revision>", help="the configuration as it was in a revision", confined=True)
async def show_revision(context: Context, arguments: Arguments) -> Tree:
    """The configuration of an earlier revision."""
    return tree(await at_revision(context, int(arguments.values["revision"])))
