"""Chromium, headless, in front of a daemon's web server: pages as a person sees them, and what went over the wire."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, WebSocket
from playwright.sync_api import Error as PageError

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 30.0  # seconds
_PIECE = re.compile(
    r"\x1b\[([0-9;?<>$]*)([A-Za-z@p])|\x1b[()=>][0B]?|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|([\r\n\b])|([^\x1b\r\n\b]+)"
)


def launched(playwright: Playwright) -> Browser:
    """Debian's Chromium. It trusts no authority of ours: contexts that do not mind certificates are made with it."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])


class Screen:
    """What stands on a terminal that was sent these bytes, as far as Textual speaks to one: places, text, erasing."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], str] = {}
        self._row = self._column = 1
        self._rest = ""

    def feed(self, text: str) -> None:
        """More of what the terminal is sent."""
        for parameters, final, control, plain in _PIECE.findall(text):
            if plain:
                for character in plain:
                    self._cells[self._row, self._column] = character
                    self._column += 1
            elif control == "\r":
                self._column = 1
            elif control == "\n":
                self._row += 1
            elif final == "H":
                row, _, column = parameters.partition(";")
                self._row, self._column = int(row or 1), int(column or 1)
            elif final == "J":
                self._cells.clear()

    def lines(self) -> list[str]:
        """The lines, top to bottom, without blanks at their ends."""
        height = max((row for row, _ in self._cells), default=0)
        width = max((column for _, column in self._cells), default=0)
        rows = range(1, height + 1)
        return ["".join(self._cells.get((row, at), " ") for at in range(1, width + 1)).rstrip() for row in rows]

    def find(self, text: str) -> tuple[int, int] | None:
        """Row and column, from 0, where this text stands first."""
        return next(((row, line.index(text)) for row, line in enumerate(self.lines()) if text in line), None)


class Visitor:
    """One browser of its own (cookies, cache), at a web server."""

    def __init__(self, browser: Browser, port: int, size: tuple[int, int] = (1000, 600)) -> None:
        width, height = size
        self._context = browser.new_context(ignore_https_errors=True, viewport={"width": width, "height": height})
        self.base = f"https://127.0.0.1:{port}"
        self.page: Page = self._context.new_page()
        self.screen = Screen()
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.sent: list[list[Any]] = []
        self.closed = False
        self.columns = 0
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda problem: self.problems.append(str(problem)))
        self.page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)
        self.screen, self.closed = Screen(), False
        self.columns = int(re.search(r"width=(\d+)", socket.url)[1])  # type: ignore[index]
        socket.on("framereceived", lambda data: self._received(data))
        socket.on("framesent", lambda data: self.sent.append(json.loads(data)))
        socket.on("close", lambda _: setattr(self, "closed", True))

    def _received(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self.screen.feed(data.decode())

    def close(self) -> None:
        with suppress(PageError):
            self._context.close()

    # What a person does ---------------------------------------------------------------------------------------------

    def log_in(self, user: str, password: str) -> None:
        """The login page, filled in; the page after it."""
        self.page.goto(self.base + "/")
        self.try_again(user, password)

    def try_again(self, user: str, password: str) -> None:
        """The same on the page that is there."""
        self.page.fill("#user", user)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")

    def shows(self, *words: str) -> None:
        """Waits until all of these stand on the terminal."""
        self.until(lambda: all(self.screen.find(word) for word in words), f"{words}")

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits until something is true; the terminal's text is part of the failure."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "\n".join([f"not seen: {what}", *self.screen.lines()])
            self.page.wait_for_timeout(50)

    def type(self, text: str) -> None:
        """Keys, one after the other, wherever the page takes them."""
        self.page.keyboard.type(text)

    def command(self, line: str) -> None:
        """A command line behind `:`."""
        self.type(":")
        self.shows("@")
        self.type(line + "\r")

    def click(self, text: str) -> None:
        """A click on a text of the terminal."""
        place = self.screen.find(text)
        assert place is not None, "\n".join([f"not there: {text}", *self.screen.lines()])
        box = self.page.locator(".xterm-screen").bounding_box()
        assert box is not None
        wide, high = box["width"] / self.columns, box["height"] / self.rows
        self.page.mouse.click(box["x"] + (place[1] + 0.5) * wide, box["y"] + (place[0] + 0.5) * high)

    @property
    def rows(self) -> int:
        """Of the terminal, as the page told it last."""
        return int(self.sizes[-1]["height"])

    @property
    def sizes(self) -> list[dict[str, int]]:
        """What the page told of its size."""
        return [message[1] for message in self.sent if message[0] == "resize"]

    @property
    def cookies(self) -> list[dict[str, Any]]:
        return [dict(cookie) for cookie in self._context.cookies()]
