"""The terminal in a page: what it is sent, what it says, and a page that takes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from data.errors import CommandFailed
from nshell.web.browser import PAUSE, SLICE, UNSENT, WAITING, Browser
from views.errors import render_failure
from views.models import Failure


class Socket:
    """A websocket that takes what it is sent when the test lets it."""

    def __init__(self) -> None:
        self.closed = False
        self.taken: list[bytes] = []
        self.open = asyncio.Event()

    async def send_bytes(self, data: bytes) -> None:
        await self.open.wait()
        self.taken.append(data)

    async def send_str(self, data: str) -> None:
        raise AssertionError(data)


class Shown:
    """A dashboard that takes keys; so many wait for it."""

    def __init__(self, waiting: int = 0) -> None:
        self.pressed: list[bytes] = []
        self.sizes = 0
        self.waiting = waiting

    def keys(self, data: bytes) -> None:
        self.pressed.append(data)

    def resized(self) -> None:
        self.sizes += 1


def browser(folder: Path, socket: Socket) -> tuple[Any, list[str]]:
    told: list[str] = []
    made = Browser(
        socket,  # type: ignore[arg-type]
        str(folder), "ann", lambda: told.append("used"), lambda: told.append("given up"),
    )  # fmt: skip
    return made, told


async def test_what_is_put_is_sent_in_order_and_waited_for(tmp_path: Path) -> None:
    socket = Socket()
    page, _ = browser(tmp_path, socket)
    sending = asyncio.create_task(page.send_all())
    for n in range(100):
        page.put(b"%d," % n)
    drained = asyncio.create_task(page.drain())
    await asyncio.sleep(0.01)
    assert not drained.done()
    socket.open.set()
    await drained
    assert b"".join(socket.taken) == b"".join(b"%d," % n for n in range(100)) and len(socket.taken) < 5
    socket.closed = True
    with pytest.raises(ConnectionResetError):
        await page.drain()
    sending.cancel()


async def test_words_beside_the_dashboard_are_coloured_for_the_terminal_and_steer_nothing(tmp_path: Path) -> None:
    socket = Socket()
    socket.open.set()
    page, _ = browser(tmp_path, socket)
    sending = asyncio.create_task(page.send_all())
    failure = Failure("dashboard", "the rights of tom\x1b[2J have changed", "open it again", 1, "CommandFailed")
    await page.write_error("".join(line + "\n" for line in render_failure(failure, page.screen.color, 80)))
    await page.flushed()
    said = b"".join(socket.taken).decode()
    assert "\x1b[" in said and "dashboard\r\n" in said and "\x1b[2J" not in said
    assert not [mark for mark in said if ord(mark) > 0xF0000], "no mark is left for a font to draw"
    sending.cancel()


async def test_a_page_that_takes_nothing_is_given_up_and_costs_no_more(tmp_path: Path) -> None:
    page, told = browser(tmp_path, Socket())
    sending = asyncio.create_task(page.send_all())
    for _ in range(UNSENT // 65536 + 1):
        page.put(b"x" * 65536)
    assert told == ["given up"]
    sending.cancel()


async def test_keys_are_handed_on_a_few_at_a_time_and_sizes_within_reason(tmp_path: Path) -> None:
    page, told = browser(tmp_path, Socket())
    assert not await page.send_bytes(b"nobody there yet") and told == ["used"]
    page.shown = shown = Shown()
    assert await page.send_bytes(b"k" * (3 * SLICE + 1))
    assert [len(some) for some in shown.pressed] == [SLICE, SLICE, SLICE, 1]
    for width, height, becomes in ((100, 30, (100, 30)), (10**9, -5, (500, 2))):
        await page.set_terminal_size(width, height)
        assert (page.screen.columns, page.screen.rows) == becomes
    assert shown.sizes == 2
    for nonsense in ((1e9, 5), ("5", 5), (None, None)):
        with pytest.raises(TypeError):
            await page.set_terminal_size(*nonsense)


async def test_a_page_that_sends_more_keys_than_are_done_is_read_no_further(tmp_path: Path) -> None:
    page, _ = browser(tmp_path, Socket())
    page.shown = shown = Shown(WAITING + 1)
    typing = asyncio.create_task(page.send_bytes(b"t" * SLICE))
    await asyncio.sleep(5 * PAUSE)
    assert not typing.done() and not shown.pressed
    shown.waiting = WAITING
    assert await typing and shown.pressed == [b"t" * SLICE]
    shown.waiting = WAITING + 1
    typing = asyncio.create_task(page.send_bytes(b"t"))
    await asyncio.sleep(0)
    page.shown = None
    assert not await typing, "the dashboard is over"


async def test_nobody_can_be_asked_for_a_secret_in_a_page(tmp_path: Path) -> None:
    page, _ = browser(tmp_path, Socket())
    for asked in (page.read_secret("password:"), page.read_terminal("lines:")):
        with pytest.raises(CommandFailed):
            await asked
