"""A dashboard in an interactive session: whose the keys are, and how session and dashboard end together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from data.errors import CommandFailed
from nshell.terminal import loop as terminal
from nshell.terminal.fullscreen import LEAVE, FullScreen
from tests.unit.dashboard.pretend import PretendSource
from tests.unit.ssh.test_terminal import Desk
from views.dashboard.screens.vports import Vports


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A terminal whose `dashboard` shows the pretended network."""

    @asynccontextmanager
    async def full_screen(pipe: Any, session: object, screen: str) -> AsyncIterator[FullScreen]:
        yield FullScreen(pipe, PretendSource(pipe.screen), screen)

    monkeypatch.setattr(terminal, "full_screen", full_screen)
    made = Desk(tmp_path, idle_minutes=1)

    async def command(line: str) -> None:
        if line.startswith("dashboard"):
            await made.terminal.dashboard(made.terminal._session, "vports")

    made.operator.answer = command
    return made


async def opened(desk: Desk) -> FullScreen:
    await desk.see("bob@nshell>")
    desk.type("dashboard\r")
    await desk.see("web-2")
    assert desk.terminal._full is not None
    return desk.terminal._full


async def test_keys_and_window_are_the_dashboards_until_q_and_the_prompts_again(desk: Desk) -> None:
    await opened(desk)
    desk.type("?")
    await desk.see("back to the prompt")
    desk.type("q")
    await desk.see("bob@nshell>", 2)
    assert desk.wire.said.count(LEAVE.encode()) == 1
    desk.type("show version\r")
    await desk.until(lambda: desk.operator.lines[-1:] == ["show version"])
    await desk.leave()


async def test_who_presses_no_key_in_a_dashboard_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "MINUTE", 0.3)
    await opened(desk)
    await desk.until(lambda: desk.operator.endings)
    assert "no key was pressed" in desk.operator.endings[0][0]
    desk.running.cancel()
    await desk.until(desk.running.done)
    assert desk.wire.said.count(LEAVE.encode()) == 1


async def test_a_command_that_runs_in_a_dashboard_is_use_of_it(desk: Desk) -> None:
    full = await opened(desk)
    assert desk.terminal._waits()
    full.app.query_one("CommandLine")._command = object()  # type: ignore[attr-defined]
    assert not desk.terminal._waits()
    full.app.query_one("CommandLine")._command = None  # type: ignore[attr-defined]
    desk.type("\x03")
    await desk.see("bob@nshell>", 2)
    await desk.leave()


async def test_a_daemon_that_stops_says_so_on_the_terminal_as_it_was(desk: Desk) -> None:
    await opened(desk)
    desk.operator.ended = True
    desk.terminal.notice("the daemon stops")
    assert desk.wire.said.endswith(LEAVE.encode() + b"note: the daemon stops\r\n")
    desk.running.cancel()
    await desk.until(desk.running.done)
    assert desk.wire.said.endswith(b"note: the daemon stops\r\n")


async def test_a_mistake_in_a_screen_leaves_the_terminal_as_it_was_and_is_the_commands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = await opened(desk)
    caught: list[Exception] = []
    answer = desk.operator.answer

    async def as_a_session(line: str) -> None:
        """What a Session does about a mistake in a command: the prompt goes on."""
        try:
            await answer(line)
        except ZeroDivisionError as mistake:
            caught.append(mistake)

    async def take(self: object, name: str, model: object) -> None:
        raise ZeroDivisionError("a mistake on purpose")

    desk.type("q")
    await desk.see("bob@nshell>", 2)
    desk.operator.answer = as_a_session
    desk.wire.said = b""
    desk.type("dashboard\r")
    await desk.until(lambda: desk.terminal._full not in (None, full) and b"web-2" in desk.wire.said)
    monkeypatch.setattr(Vports, "take", take)
    assert desk.terminal._full is not None
    desk.terminal._full.app.refresh_now()
    await desk.until(lambda: caught)
    await desk.see("bob@nshell>")
    said = desk.wire.said.decode()
    assert said.count(LEAVE) == 1 and "Traceback" not in said
    desk.type("show version\r")
    await desk.until(lambda: desk.operator.lines[-1:] == ["show version"])
    await desk.leave()


async def test_a_session_that_is_ended_leaves_the_terminal_as_it_was(desk: Desk) -> None:
    await opened(desk)
    desk.running.cancel()
    await desk.until(desk.running.done)
    assert desk.wire.said.endswith(LEAVE.encode())


async def test_a_terminal_that_cannot_draw_is_told_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.see("bob@nshell>")
    desk.terminal.settings.plain = True
    with pytest.raises(CommandFailed, match="this terminal cannot draw one"):
        await desk.terminal.dashboard(desk.terminal._session, "vports")
    desk.terminal.settings.plain = False
    await desk.leave()
