"""show version: which nshell this is and what it serves."""

from __future__ import annotations

import platform
import time

from commands.context import Context
from commands.language.registry import Arguments, command
from data.schema.objects import System
from views.models import Document, Moment

STARTED = time.time()


@command("show version", help="version of this nshell, its host and its revision", confined=True)
async def show_version(context: Context, arguments: Arguments) -> Document:
    """Facts about the daemon; JSON has the same names."""
    system = context.fabric.running.settings(System)
    return Document(
        {
            "nshell": context.version,
            "hostname": system.hostname,
            "revision": context.fabric.running.revision,
            "up_since": Moment(STARTED),
            "state_directory": None if context.access.confined else context.state_directory,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        }
    )
