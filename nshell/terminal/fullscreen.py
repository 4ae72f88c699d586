"""A dashboard over the whole of a terminal somewhere else: keys and sizes in, bytes out, in this process.

    keys ──> FullScreen.keys ──> XTermParser ──> Dashboard (views/dashboard) ──> Wire.put ──> the terminal
    size ──> FullScreen.resized

Whoever has a Wire (a pipe of a session, a browser's socket) gets a dashboard with `FullScreen(...).run()`. However it
ends (q, ctrl-c, the session's end, a lost connection, a mistake in it), the terminal is as it was before.

What Textual does to a process that is not its own, and what is done about it: it redirects sys.stdout for everybody
(to what it is anyway: `_capture_stdout`), sets the eager task factory on the loop (3.12 and later; put back after its
first step), prints exceptions (nowhere; they are raised by `run`), swallows being cancelled (`run` is a task beside).
Importing it takes 0.3 s: `fullscreen_module`, in a thread. Next: views/dashboard/app.py.
"""

from __future__ import annotations

import asyncio
import codecs
import contextvars
import sys
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from textual import events
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.geometry import Size

from data.errors import NshellError
from views.dashboard.app import Colors, Dashboard, dashboard
from views.render import Screen

if TYPE_CHECKING:
    from textual.app import App

    from views.dashboard.source import Source

__all__ = ["FullScreen", "PipeDriver", "Wire", "colors_of"]

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1000h\x1b[?1002h\x1b[?1006h\x1b[H\x1b[2J"
"""Another screen, no cursor, no wrapping, buttons and drags of the mouse (not each of its movements) in SGR form."""
LEAVE = "\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
END_OF_INPUT = b"\x04"
CHUNK = 8192
"""Bytes of keys that are read in one go; nobody types more, and what is pasted into a dashboard is a line."""
UNSAID = 65_536
"""Bytes that may come without being any key; the beginning of a paste that never ends is forgotten then."""
LARGEST = 600, 250
"""Columns and rows that are drawn at most: the other end says how large it is."""
AHEAD = 4096
"""Keys and clicks that may wait for the app; nobody types so far ahead."""
TURNS = 3
"""Rounds of the loop in which the app, and the widget that it is for, have done what a key asks for."""
BUSY = 0.01
"""Seconds until it is looked again whether the app has begun with the key before."""
INTERRUPT = b"\x03"
ESCAPE = 0.12
"""Seconds after which an escape alone is the key; the parser waits for 0.1."""
PATIENCE = 5.0
"""Seconds that a dashboard gets to end by itself."""


class Wire(Protocol):
    """The way to a terminal: what a Pipe (nshell/serving/transport.py) has of it."""

    @property
    def screen(self) -> Screen:
        """What can be shown there now."""
        ...

    def put(self, data: bytes) -> None:
        """Bytes for the screen; nothing happens when nobody looks any more."""
        ...

    async def drain(self) -> None:
        """Waits until most of it is taken. Raises ConnectionError when nobody looks any more."""
        ...


class PipeDriver(Driver):
    """Textual's way to a terminal: no thread, no file, a Wire."""

    def __init__(self, wire: Wire, app: App[Any], **how: Any) -> None:
        how["size"] = size_of(wire.screen)
        super().__init__(app, **how)
        self._wire = wire
        self._parser = XTermParser()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unsaid = 0
        self._entered = False
        self._context = contextvars.copy_context()
        self._ahead: deque[Any] = deque()
        self._handing = False

    def write(self, data: str) -> None:
        if self._entered:
            self._wire.put(data.encode("utf-8" if self._wire.screen.unicode else "ascii", "replace"))

    @property
    def waiting(self) -> int:
        """Keys and clicks that the app has not begun with."""
        return len(self._ahead) + self._app.message_queue_size

    def send_message(self, message: Any) -> None:
        """To the app, when it is done with what was before: Textual does all that waits for it in one go, in which
        nobody else has a turn, and 500 changes of colours take half a minute."""
        if len(self._ahead) < AHEAD:
            self._ahead.append(message)
        if not self._handing:
            self._handing = True
            self._hand_on()

    def _hand_on(self) -> None:
        if not self._ahead:
            self._handing = False
        elif self._app.message_queue_size:
            self._loop.call_later(BUSY, self._hand_on)
        else:
            self._post(self._ahead.popleft())
            self._loop.call_soon(self._taken, self._loop.time(), TURNS)

    def _taken(self, since: float, turns: int) -> None:
        """Others have the loop as long as the last key had it."""
        if turns:
            self._loop.call_soon(self._taken, since, turns - 1)
        else:
            self._loop.call_later(self._loop.time() - since, self._hand_on)

    def _post(self, message: Any) -> None:
        """Keys arrive on the app's own loop, but not in its context."""
        self._context.run(self._app.post_message, message)

    def start_application_mode(self) -> None:
        self._context = contextvars.copy_context()
        self._entered = True
        self.write(ENTER)
        self.resize()

    def feed(self, data: bytes) -> None:
        """Keys and clicks, as a terminal sends them."""
        if INTERRUPT in data:
            self._ahead.clear()  # what was typed before it is forgotten
        if len(self._ahead) >= AHEAD or not self._entered:
            return
        text = self._decoder.decode(data[:CHUNK])
        self._unsaid += len(text)
        if self._unsaid > UNSAID:
            self._parser, self._unsaid = XTermParser(), len(text)
        for message in self._parser.feed(text):
            self._unsaid = 0
            self.process_message(message)
        if "\x1b" in text:
            self._loop.call_later(ESCAPE, self._tick)

    def _tick(self) -> None:
        for message in self._parser.tick():
            if self._entered:
                self.process_message(message)

    def resize(self) -> None:
        """The terminal has this size now."""
        self._size = size_of(self._wire.screen)
        size = Size(*self._size)
        self._post(events.Resize(size, size))

    def disable_input(self) -> None:
        """Keys are not for the app any more: FullScreen looks whether it runs."""

    def stop_application_mode(self) -> None:
        """The terminal as it was; once. Textual keeps its parsers in a cache of 1024, and they what they read last,
        and that the app: the end of what there is to read lets go of it.
        """
        self._ahead.clear()
        ended, self._parser = self._parser, XTermParser()
        for _ in ended.feed(""):
            continue
        if self._entered:
            self.write(LEAVE)
            self._entered = False


class FullScreen:
    """One dashboard on one terminal. `keys` and `resized` are for whoever has the keyboard while `run` runs."""

    def __init__(self, wire: Wire, source: Source, screen: str = "", color_system: Colors = "256") -> None:
        """Raises NothingThere for a screen that there is not."""
        driver: Any = partial(PipeDriver, wire)
        self.app: Dashboard = dashboard(source, screen, driver, color_system)
        self.app._capture_stdout, self.app._capture_stderr = sys.stdout, sys.stderr  # type: ignore[assignment]
        self._behind = b""

    @property
    def driver(self) -> PipeDriver | None:
        """The app's, once it runs."""
        driver = self.app._driver
        return driver if isinstance(driver, PipeDriver) else None

    @property
    def waiting(self) -> int:
        """Keys that were pressed and that the app has not begun with."""
        return 0 if self.driver is None else self.driver.waiting

    def keys(self, data: bytes) -> None:
        """Keys that were pressed. The end of input ends the dashboard, and is for the prompt as well; as is what is
        typed while it ends.
        """
        if self.app.leaving:
            self._behind = b"" if INTERRUPT in data else (self._behind + data)[:CHUNK]
        elif END_OF_INPUT in data:
            self._behind += data[data.index(END_OF_INPUT) :][:CHUNK]
            self.app.exit()
        elif self.driver is not None:
            self.driver.feed(data)

    def resized(self) -> None:
        """The window has another size."""
        if self.driver is not None:
            self.driver.resize()

    def restore(self) -> None:
        """The terminal as it was, at once: what is written from now on is not the app's."""
        if self.driver is not None:
            self.driver.stop_application_mode()

    async def run(self) -> bytes:
        """Until its user leaves; returns the keys that are for the prompt. Raises NshellError when its rights changed
        meanwhile, and what went wrong in it.
        """
        loop = asyncio.get_running_loop()
        factory = loop.get_task_factory()
        running = asyncio.create_task(self.app.run_async())
        await asyncio.sleep(0)
        loop.set_task_factory(factory)
        try:
            result = await asyncio.shield(running)
        finally:
            self.restore()
            if not running.done():
                self.app.exit()
                await asyncio.wait({running}, timeout=PATIENCE)
                running.cancel()
        if self.app.problem is not None:
            raise self.app.problem
        if isinstance(result, NshellError):
            raise result
        return self._behind


def size_of(screen: Screen) -> tuple[int, int]:
    """Columns and rows that are drawn; those of the terminals of old when it does not say."""
    return min(screen.columns or 80, LARGEST[0]), min(screen.rows or 24, LARGEST[1])


def colors_of(term: str, environment: Mapping[str, str]) -> Colors:
    """How many colours a terminal of this type shows, as Rich calls it: nearly all of today have 256."""
    if environment.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "truecolor"
    return "standard" if term in ("linux", "ansi", "vt220", "xterm", "screen", "rxvt") else "256"
