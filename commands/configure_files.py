"""load and save: the candidate from and to files at the operator's end."""

from __future__ import annotations

import asyncio

from commands.context import Context
from commands.registry import Arguments, Mode, command
from data.candidate import readable
from data.text import hierarchy_lines
from views.models import Lines


@command(
    "load {merge|replace|override|set} {terminal|<file>}",
    help="take configuration from a file or the terminal",
    permission="configure",
    mode=Mode.CONFIGURE,
    confined=True,
)
async def load(context: Context, arguments: Arguments) -> None:
    """Set lines, a hierarchy or JSON, told apart by how the text begins; all or nothing."""
    name = arguments.get("file")
    if name is None:
        text, source = await context.read_terminal("end with ctrl-d on an empty line"), "terminal"
    else:
        text, source = await context.read_file(name), name
    mode = arguments.values["load"]
    contents = await asyncio.to_thread(readable, mode, text, source)
    await context.change_candidate(lambda candidate: candidate.loading(mode, contents, source))


@command("save <file>", help="the candidate as text into a file at your end", mode=Mode.CONFIGURE, confined=True)
async def save(context: Context, arguments: Arguments) -> Lines:
    """The whole candidate as a hierarchy; `load override` takes it back."""
    await context.candidate()
    lines = list(hierarchy_lines(context.configuration))
    name = arguments.values["file"]
    await context.write_file(name, "".join(line + "\n" for line in lines))
    return Lines([f"{len(lines)} lines saved to {name}"], {"file": name, "lines": len(lines)})
