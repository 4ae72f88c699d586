"""The terminal over a pipe of a test: notices, secrets, history search, and the end of who only sits there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from data.schema.objects import System
from nshell.serving.transport import Keyboard
from nshell.sessions.session import Session
from nshell.terminal import loop as terminal
from nshell.terminal.loop import Terminal
from views.render import Screen

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]")


class Wire:
    """A pipe whose other end is the test."""

    def __init__(self) -> None:
        self.keyboard: Keyboard | None = None
        self.term = "xterm"
        self.screen = Screen(80, 24)
        self.said = b""

    def put(self, data: bytes) -> None:
        self.said += data

    async def drain(self) -> None:
        await asyncio.sleep(0)

    async def read_file(self, name: str) -> bytes:
        return b""

    async def write_file(self, name: str, contents: bytes) -> None:
        return None

    @property
    def shown(self) -> str:
        return ESCAPES.sub("", self.said.decode())


class Operator:
    """A session that notes what is executed; `answers` are what commands do."""

    user = "bob"
    ended = False

    def __init__(self, idle_minutes: int) -> None:
        settings = SimpleNamespace(settings=lambda kind: System(uuid="", idle_timeout=idle_minutes))
        self.service = SimpleNamespace(fabric=SimpleNamespace(running=settings, acting=settings), end=self.end)
        self.endings: list[tuple[str, int]] = []
        self.lines: list[str] = []
        self.answer: Callable[[str], Awaitable[object]] | None = None

    def end(self, session: object, reason: str, code: int) -> None:
        self.endings.append((reason, code))

    def prompt(self) -> tuple[str, str]:
        return "", "bob@nshell> "

    async def news(self) -> list[str]:
        return []

    async def execute(self, line: str) -> int:
        self.lines.append(line)
        if line == "exit":
            self.ended = True
        elif self.answer is not None:
            await self.answer(line)
        return 0


class Desk:
    """A terminal, its operator and its wire, running."""

    def __init__(self, state: Path, idle_minutes: int = 0) -> None:
        self.wire, self.operator = Wire(), Operator(idle_minutes)
        self.terminal = Terminal(cast("Any", self.wire), str(state))
        self.running = asyncio.create_task(self.terminal.run(cast(Session, self.operator)))

    async def see(self, text: str, times: int = 1) -> None:
        """Wait for a text on the screen."""
        async with asyncio.timeout(5):
            while self.wire.shown.count(text) < times:
                await asyncio.sleep(0.01)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.01)

    def type(self, keys: str) -> None:
        self.terminal.keys(keys.encode())

    async def leave(self) -> None:
        self.type("exit\r")
        async with asyncio.timeout(5):
            assert await self.running == 0


async def test_a_notice_is_written_above_the_prompt_and_the_line_stays(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.see("bob@nshell>")
    desk.type("show ver")
    await desk.see("show ver")
    desk.wire.said = b""
    desk.terminal.notice("revision 7 was committed by eve\x1b[31m")
    await desk.see("note: revision 7 was committed by eve\\u001b[31m\r\n")
    await desk.see("bob@nshell> show ver")
    desk.type("sion\r")
    await desk.until(lambda: desk.operator.lines == ["show version"])
    await desk.leave()


async def test_a_notice_during_a_command_waits_for_the_prompt(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.see("bob@nshell>")

    async def command(line: str) -> None:
        for number in range(100):
            desk.terminal.notice(f"revision {number}")
        await desk.terminal.write("result\n")

    desk.operator.answer = command
    desk.type("show version\r")
    await desk.see("note: revision 99")
    assert desk.wire.shown.index("result") < desk.wire.shown.index("note: ")
    assert desk.wire.shown.count("note: ") == terminal.NOTICES, "a flood is cut"
    await desk.leave()


async def test_a_secret_is_neither_shown_nor_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.see("bob@nshell>")
    got = []

    async def command(line: str) -> None:
        got.append(await desk.terminal.read_secret("password: "))

    desk.operator.answer = command
    desk.type("set user bob password\r")
    await desk.see("password:")
    desk.type("what? a secret\r")
    await desk.until(lambda: got == ["what? a secret"])
    desk.operator.answer = None
    assert "secret" not in desk.wire.shown and "***" not in desk.wire.shown and "what" not in desk.wire.shown
    desk.type("\x1b[A")
    await asyncio.sleep(0.1)
    assert "secret" not in desk.wire.shown
    desk.type("\x03")
    await desk.leave()
    assert "secret" not in (tmp_path / "history" / "bob").read_text()


async def test_ctrl_c_at_a_secret_cancels_the_command_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.see("bob@nshell>")

    async def command(line: str) -> None:
        await desk.terminal.read_secret("password: ")

    desk.operator.answer = command
    desk.type("set user bob password\r")
    await desk.see("password:")
    desk.type("half\x03")
    await desk.see("bob@nshell>", 2)
    await desk.leave()


async def test_ctrl_r_finds_what_was_typed_in_an_earlier_session(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.see("bob@nshell>")
    desk.type("show vports enterprise acme\r")
    await desk.until(lambda: desk.operator.lines)
    await desk.leave()
    desk = Desk(tmp_path)
    await desk.see("bob@nshell>")
    desk.type("\x12")
    await desk.see("search")
    desk.type("vpo")
    await desk.see("enterprise acme")
    desk.type("\r\r")
    await desk.until(lambda: desk.operator.lines == ["show vports enterprise acme"])
    await desk.leave()


async def test_who_presses_no_key_is_shown_out_and_a_running_command_is_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "MINUTE", 0.3)
    desk = Desk(tmp_path, idle_minutes=1)
    await desk.see("bob@nshell>")

    async def command(line: str) -> None:
        await asyncio.sleep(1.5)

    desk.operator.answer = command
    desk.type("monitor events\r")
    await asyncio.sleep(1.4)
    assert not desk.operator.endings
    await desk.until(lambda: desk.operator.endings)
    assert desk.operator.endings == [("the session ends: no key was pressed for 1 min", 0)]
    desk.running.cancel()
    await asyncio.gather(desk.running, return_exceptions=True)


async def test_without_a_limit_nobody_is_shown_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "MINUTE", 0.01)
    desk = Desk(tmp_path, idle_minutes=0)
    await desk.see("bob@nshell>")
    await asyncio.sleep(0.5)
    assert not desk.operator.endings
    await desk.leave()
