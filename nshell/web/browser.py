"""The other end of a dashboard's session: the terminal in a page, as a transport and as textual-serve's application.

    FullScreen (nshell/terminal) ── put() ── queue ── websocket ──> terminal in the page
             keys, size <── textual-serve's messages <──┘

textual-serve starts a process for each page and speaks to it in packets; here the same messages reach an application in
this process. Keys are handed on a few at a time, and not faster than the application takes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from data.errors import CommandFailed, NshellError
from nshell.serving.transport import nobody_types
from nshell.sessions.context import DONE
from nshell.ssh.files import UserFiles
from nshell.terminal.fullscreen import FullScreen
from nshell.terminal.source import SessionSource
from views.render import Screen, ScreenSettings, encode, harmless

if TYPE_CHECKING:
    from nshell.sessions.session import Session

log = logging.getLogger("nshell.web")

UNSENT = 4 << 20
"""Bytes that may wait for a browser that does not read; a whole screen of 200 by 60 has 60,000."""
FAREWELL = 2.0
"""Seconds that the last words get to be sent."""
SLICE = 256
"""Bytes of keys that are handed on in one go; they cost 1 ms."""
WAITING = 64
"""Keys that may wait for an application before more are taken from the page."""
PAUSE = 0.01
LEAST, WIDEST, TALLEST = 2, 500, 200
"""Columns and rows of a terminal."""


class Browser(AppService):
    """One page's terminal. `used` is called when somebody pressed a key or pointed, `give_up` ends the connection."""

    interactive = True
    json = False

    def __init__(
        self,
        socket: web.WebSocketResponse,
        state: str,
        user: str,
        used: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        super().__init__(
            "nshell", write_bytes=socket.send_bytes, write_str=socket.send_str, close=self._close,
            download_manager=DownloadManager(),
        )  # fmt: skip
        self.socket = socket
        self.user = user
        self.settings = ScreenSettings()
        self.size = (80, 24)
        self.shown: FullScreen | None = None
        self._used, self._give_up = used, give_up
        self._unsent: deque[bytes] = deque()
        self._waiting = 0
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        files = UserFiles(state, user)
        self.read_file, self.write_file = files.read_file, files.write_file

    async def _close(self) -> None:
        await self.socket.close()

    # Bytes for the terminal ---------------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Bytes for the terminal, while somebody looks. A browser that reads nothing is given up."""
        if self.socket.closed or not data:
            return
        self._waiting += len(data)
        if self._waiting > UNSENT:
            log.warning("user=%s its browser reads nothing", self.user)
            self._unsent.clear()
            self._waiting = 0
            self._give_up()
            return
        self._unsent.append(data)
        self._empty.clear()
        self._more.set()

    async def send_all(self) -> None:
        """Sends what is put, until it is cancelled or nobody is there any more."""
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while self._unsent:
                    data = b"".join(self._unsent)
                    self._unsent.clear()
                    await self.socket.send_bytes(data)
                    self._waiting -= len(data)
                self._empty.set()
        except (ConnectionError, RuntimeError) as problem:
            log.debug("user=%s the browser is gone: %s", self.user, problem)
            self._empty.set()

    async def flushed(self) -> None:
        """Waits until what was put is sent, not for long."""
        try:
            async with asyncio.timeout(FAREWELL):
                await self._empty.wait()
        except TimeoutError:
            log.debug("user=%s the last words were not read", self.user)

    async def drain(self) -> None:
        """Waits until most of what was put is sent. Raises ConnectionError when nobody looks any more."""
        await self._empty.wait()
        if self.socket.closed:
            raise ConnectionResetError("the page is gone")

    # What the page says (textual-serve) ---------------------------------------------------------------------------

    async def send_bytes(self, data: bytes) -> bool:
        """Keys, handed on a few at a time."""
        self._used()
        at = 0
        while at < len(data):
            if self.shown is None:
                return False
            if self.shown.waiting > WAITING:
                await asyncio.sleep(PAUSE)
                continue
            self.shown.keys(data[at : at + SLICE])
            at += SLICE
            await asyncio.sleep(0)
        return True

    async def set_terminal_size(self, width: int, height: int) -> None:
        """The page has another size."""
        self.size = self.bounded(width, height)
        if self.shown is not None:
            self.shown.resized()

    async def focus(self) -> None:
        """A dashboard looks the same whether it has the keys or not."""

    async def blur(self) -> None:
        """The same."""

    @staticmethod
    def bounded(width: object, height: object) -> tuple[int, int]:
        """A size that a terminal may have. Raises TypeError for what is none."""
        if not isinstance(width, int) or not isinstance(height, int):
            raise TypeError("a size is two numbers")
        return min(WIDEST, max(LEAST, width)), min(TALLEST, max(LEAST, height))

    # A transport --------------------------------------------------------------------------------------------------

    @property
    def screen(self) -> Screen:
        """What can be shown in the page now."""
        return self.settings.applied(Screen(*self.size, True, True))

    async def write(self, text: str) -> None:
        """Text for the terminal itself, before and after the dashboard."""
        self.put(encode(harmless(text).replace("\n", "\r\n"), self.screen))

    async def write_error(self, text: str) -> None:
        await self.write(text)

    async def show(self, lines: list[str], pager: bool) -> None:
        await self.write("".join(line + "\n" for line in lines))

    async def draw(self, lines: list[str], first: bool) -> None:
        await self.show(lines, False)

    async def read_terminal(self, prompt: str) -> str:
        raise nobody_types("load")

    async def read_secret(self, prompt: str) -> str:
        raise nobody_types("password")

    async def dashboard(self, session: Session, screen: str) -> None:
        raise CommandFailed("dashboard", "you are in a dashboard", "press esc, then the number of a screen")

    def notice(self, text: str) -> None:
        """What others did is in the dashboard already."""


async def run_dashboard(session: Session, browser: Browser) -> int:
    """The work of a session whose other end is a page: its dashboard, until its user leaves. Raises NshellError when
    what the user may see has changed."""
    source = SessionSource(session, browser, browser)
    shown = FullScreen(browser, source, color_system="truecolor")
    browser.shown = shown
    try:
        await shown.run()
    except NshellError as problem:
        return await session.refuse(problem)
    finally:
        browser.shown = None
        source.close()
    return DONE
