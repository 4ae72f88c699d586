"""terminal ..., set cli ...: what this session's screen shall be, whatever the terminal says of itself.

`set cli` is Junos' spelling, with Junos' answers: programs that drive Junos (netmiko and scrapli as `juniper_junos`)
begin with it, and go on when they read these words. Nothing of it is configuration; it ends with the session.
"""

from __future__ import annotations

from commands.context import Context
from commands.language.registry import Arguments, command
from views.models import Document, Lines

SESSION = "session"


@command(
    "terminal width {auto|<columns>}",
    help="characters of a line in this session",
    permission=SESSION,
    words={"auto": "what the terminal says of itself", "terminal": "this session's screen"},
    confined=True,
)
async def width(context: Context, arguments: Arguments) -> None:
    """0 is without limit: nothing is cut."""
    context.settings.columns = None if arguments.has("auto") else int(arguments.values["columns"])


@command(
    "terminal length {auto|<rows>}",
    help="lines of a page in this session; 0 shows all at once",
    permission=SESSION,
    words={"auto": "what the terminal says of itself"},
    confined=True,
)
async def length(context: Context, arguments: Arguments) -> None:
    """0 ends paging: what programs want."""
    context.settings.rows = None if arguments.has("auto") else int(arguments.values["rows"])


@command(
    "terminal color {auto|on|off}",
    help="colour in this session; NO_COLOR and TERM decide otherwise",
    permission=SESSION,
    words={"auto": "what the terminal says of itself", "on": "words of state in colour", "off": "plain text"},
    confined=True,
)
async def color(context: Context, arguments: Arguments) -> None:
    """Colour says nothing that the words do not say."""
    choice = arguments.values["color"]
    context.settings.color = None if choice == "auto" else choice == "on"


@command("show terminal", help="the screen of this session", permission=SESSION, confined=True)
async def show_terminal(context: Context, arguments: Arguments) -> Document:
    """What was set; auto is what the terminal says of itself."""
    settings = context.settings
    return Document(
        {
            "width": "auto" if settings.columns is None else settings.columns,
            "length": "auto" if settings.rows is None else settings.rows,
            "color": "auto" if settings.color is None else "on" if settings.color else "off",
        }
    )


@command(
    "set cli screen-width <columns>",
    help="terminal width, as Junos spells it",
    permission=SESSION,
    words={"set": "the screen of this session, as Junos spells it", "cli": "the screen of this session"},
    confined=True,
)
async def screen_width(context: Context, arguments: Arguments) -> Lines:
    """The answer is Junos'."""
    context.settings.columns = columns = int(arguments.values["columns"])
    return Lines([f"Screen width set to {columns}"], {"width": columns})


@command("set cli screen-length <rows>", help="terminal length, as Junos spells it", permission=SESSION, confined=True)
async def screen_length(context: Context, arguments: Arguments) -> Lines:
    """The answer is Junos'."""
    context.settings.rows = rows = int(arguments.values["rows"])
    return Lines([f"Screen length set to {rows}"], {"length": rows})


@command(
    "set cli complete-on-space off",
    help="echo lines as they are typed: what programs want, as Junos spells it",
    permission=SESSION,
    confined=True,
)
async def complete_on_space(context: Context, arguments: Arguments) -> Lines:
    """A space is a space here always. Who says so types for a program, which looks for the echo of each line: on a
    terminal that could do more a line of any length is echoed as it is, too.
    """
    context.settings.plain = True
    return Lines(["Disabling complete-on-space"], {"complete_on_space": False})
