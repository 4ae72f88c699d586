"""A graph as a picture in a file: a process draws it (views/chart.py), and the operator's end gets the bytes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING

from data.errors import CommandFailed
from views.chart import FORMS
from views.json import document

if TYPE_CHECKING:
    from commands.context import Context
    from views.graph import Graph

PATIENCE = 60.0
"""Seconds that a picture may take; one takes 1 to 2."""
LARGEST = 32 << 20
"""Bytes of a picture at most; one has 30 to 100 KB."""
FONTS = "matplotlib"
"""Directory, beside the state, for matplotlib's list of fonts: without one it makes that anew for every picture."""
_drawing = asyncio.Semaphore(2)  # pictures that are drawn at a time; each takes a core and 150 MB


def form_of(name: str) -> str | None:
    """'svg' or 'png' for a file of such a name; None for any other."""
    suffix = PurePath(name).suffix.removeprefix(".").lower()
    return suffix if suffix in FORMS else None


async def picture(context: Context, graph: Graph, form: str) -> bytes:
    """The picture. Raises CommandFailed."""
    asked = json.dumps({"form": form, "graph": document(graph)}).encode()
    environment = dict(os.environ, MPLCONFIGDIR=os.path.join(context.state_directory, FONTS))
    async with _drawing:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "views.chart", env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE):
                drawn, said = await process.communicate(asked)
        except TimeoutError:
            raise CommandFailed("save", f"the picture was not drawn within {PATIENCE:g} s", "try again later") from None
        finally:
            if process.returncode is None:  # a timeout, or ctrl-c
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if process.returncode or not drawn or len(drawn) > LARGEST:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        cause = lines[-1] if lines else f"the drawing process ended with {process.returncode}"
        raise CommandFailed("save", f"the picture could not be drawn: {cause}", "'| json | save FILE' has the numbers")
    return drawn
