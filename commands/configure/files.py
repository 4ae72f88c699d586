"""load and save: the candidate from and to files at the operator's end."""

from __future__ import annotations

import asyncio

from commands.context import Context
from commands.language.registry import Arguments, Mode, command
from data.candidate import readable
from data.errors import CommandFailed
from data.path import Path, path_text
from data.schema.secret import HIDDEN
from data.schema.verbs import VERBS
from data.text import hierarchy_lines
from data.text.set_lines import is_remark
from views.models import Lines

RELATIVE = ("merge", "set")
"""Ways to load that leave alone what the text does not name: the only ones that make sense below a place."""


def below(at: Path, text: str) -> str:
    """The text as if it began at the top; its lines keep their numbers."""
    if not at:
        return text
    lines = text.splitlines()
    first = next((line.split(None, 1)[0] for line in lines if not is_remark(line)), "")
    if first.startswith("{"):
        raise CommandFailed("load relative", "JSON begins at the top", "load set lines or a hierarchy, or 'top'")
    if first in VERBS:
        place = path_text(at)
        return "\n".join(line if is_remark(line) else " ".join(beneath(line, place)) for line in lines)
    opened = "".join(f"{path_text(at[i : i + 2])} {{ " for i in range(0, len(at), 2))
    return f"{opened}{text}\n{'}' * (len(at) // 2 + len(at) % 2)}"


def beneath(line: str, place: str) -> list[str]:
    """A set line's verb, the place, and the rest."""
    verb, *rest = line.split(None, 1)
    return [verb, place, *rest]


@command(
    "load {merge|replace|override|set} {terminal|<file>} [relative]",
    help="take configuration from a file or the terminal",
    permission="configure",
    mode=Mode.CONFIGURE,
    words={"relative": "the text begins at the edit level, not at the top"},
    confined=True,
)
async def load(context: Context, arguments: Arguments) -> None:
    """Set lines, a hierarchy or JSON, told apart by how the text begins; all or nothing."""
    name, mode = arguments.get("file"), arguments.values["load"]
    at = context.level if arguments.has("relative") else ()
    if at and mode not in RELATIVE:
        raise CommandFailed(f"load {mode} relative", f"{mode} has no edit level", "use merge or set, or 'top'")
    if name is None:
        text, source = await context.read_terminal("end with ctrl-d on an empty line"), "terminal"
    else:
        text, source = await context.read_file(name), name
    contents = await asyncio.to_thread(readable, mode, below(at, text), source)
    await context.change_candidate(lambda candidate: candidate.loading(mode, contents, source))


@command("save <file>", help="the candidate as text into a file at your end", mode=Mode.CONFIGURE, confined=True)
async def save(context: Context, arguments: Arguments) -> Lines:
    """The whole candidate as a hierarchy; `load override` takes it back. Keys and passwords are not in it."""
    await context.candidate()
    lines = list(hierarchy_lines(context.configuration))
    name = arguments.values["file"]
    await context.write_file(name, "".join(line + "\n" for line in lines))
    said = [f"{len(lines)} lines saved to {name}"]
    hidden = sum(f" {HIDDEN};" in line for line in lines)
    if hidden:
        said.append(f"  {hidden} of them with {HIDDEN} for a key or password: one that is there is kept by 'load'")
    return Lines(said, {"file": name, "lines": len(lines), "hidden": hidden})
