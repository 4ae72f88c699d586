"""Opening a dashboard on a pipe: the import that takes 0.3 s, its source, and the end of both."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from nshell.terminal.source import SessionSource

if TYPE_CHECKING:
    from nshell.serving.transport import Pipe
    from nshell.sessions.session import Session
    from nshell.terminal.fullscreen import FullScreen


@asynccontextmanager
async def full_screen(pipe: Pipe, session: Session, screen: str) -> AsyncIterator[FullScreen]:
    """A dashboard on this pipe, for the user of this session. Raises NothingThere for a screen that there is not."""
    module = await fullscreen_module()
    source = SessionSource(session, pipe, pipe)
    try:
        yield module.FullScreen(pipe, source, screen, module.colors_of(pipe.term, {}))
    finally:
        source.close()


async def fullscreen_module() -> Any:
    """nshell.terminal.fullscreen, and Textual with it: once, off the loop, which has keepalives to send."""
    return await asyncio.to_thread(importlib.import_module, "nshell.terminal.fullscreen")
