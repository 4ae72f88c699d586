"""show configuration: the running configuration, or that of an earlier revision."""

from __future__ import annotations

import asyncio

from commands.configuration_models import tree
from commands.context import Context
from commands.registry import Arguments, command
from commands.statement import path_of
from data.configuration import Configuration, Running
from data.errors import NothingThere
from data.path import Path, path_text
from data.schema.objects import Object
from views.models import Tree


async def at_revision(context: Context, number: int) -> Configuration:
    """The whole configuration of a revision. Raises NothingThere."""
    if number == context.fabric.running.revision:
        return context.fabric.running
    return await asyncio.to_thread(Running, await objects_at(context, number), number)


async def objects_at(context: Context, number: int) -> dict[Path, Object]:
    """Every object of a revision. Raises NothingThere."""
    fabric = context.fabric
    if number > fabric.running.revision:
        raise NothingThere(
            f"revision {number}",
            f"there is no revision {number}",
            f"the latest is {fabric.running.revision}; 'show system commit' lists them",
        )
    return await fabric.submit(fabric.store.objects_at, number)


@command(
    "show configuration [<part...>]",
    help="the running configuration",
    words={"configuration": "the running configuration"},
)
async def show_configuration(context: Context, arguments: Arguments) -> Tree:
    """The running configuration, or the part of it that the words name."""
    path = path_of(context, arguments)
    if path and context.fabric.running.get(path) is None:
        raise NothingThere(
            path_text(path), "it is not in the running configuration", "'show configuration' shows what is"
        )
    return tree(context.fabric.running, path)


@command("show configuration revision <revision>", help="the configuration as it was in a revision")
async def show_revision(context: Context, arguments: Arguments) -> Tree:
    """The configuration of an earlier revision."""
    return tree(await at_revision(context, int(arguments.values["revision"])))
