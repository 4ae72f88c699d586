"""A dashboard on the pipe of a session: bytes, keys, sizes, and every way in which it ends."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable

import pytest

from data.errors import NothingThere, NotPermitted
from nshell.terminal.fullscreen import CHUNK, ENTER, ESCAPE, LEAVE, FullScreen, colors_of, size_of
from tests.unit.dashboard.pretend import PretendSource
from views.dashboard.app import Dashboard
from views.dashboard.source import Closed
from views.render import Screen


class Wire:
    """A terminal that keeps what it is sent."""

    def __init__(self, screen: Screen | None = None) -> None:
        self.screen = screen or Screen(80, 24, True, True)
        self.said = b""
        self.gone = False
        self.full = False

    def put(self, data: bytes) -> None:
        self.said += data

    async def drain(self) -> None:
        while self.full:
            await asyncio.sleep(0.01)
        if self.gone:
            raise ConnectionResetError("the client is gone")
        await asyncio.sleep(0)


class Running:
    """A dashboard that runs on a wire."""

    def __init__(self, wire: Wire | None = None, source: PretendSource | None = None, screen: str = "vports") -> None:
        self.wire = wire or Wire()
        self.source = source or PretendSource(self.wire.screen)
        self.source.ready = self.wire.drain  # type: ignore[method-assign]
        self.full = FullScreen(self.wire, self.source, screen)
        self.task = asyncio.create_task(self.full.run())

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(15):
            while not condition():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.01)

    async def started(self) -> Running:
        await self.until(lambda: b"web-1" in self.wire.said)
        return self

    async def ended(self) -> bytes:
        async with asyncio.timeout(15):
            return await self.task

    @property
    def restored(self) -> bool:
        return self.wire.said.count(LEAVE.encode()) == 1 and self.wire.said.endswith(LEAVE.encode())


async def test_it_begins_on_another_screen_and_q_gives_the_terminal_back() -> None:
    run = await Running().started()
    assert run.wire.said.startswith(ENTER.encode())
    run.full.keys(b"q")
    assert await run.ended() == b""
    assert run.restored
    said = len(run.wire.said)
    await asyncio.sleep(0.1)
    assert len(run.wire.said) == said, "nothing is drawn over the prompt"


async def test_ctrl_c_ends_it_and_the_end_of_input_is_for_the_prompt_too() -> None:
    run = await Running().started()
    run.full.keys(b"\x03")
    assert await run.ended() == b"" and run.restored
    run = await Running().started()
    run.full.keys(b"\x04\x04\x04\x04")
    assert await run.ended() == b"\x04\x04\x04\x04" and run.restored


async def test_what_is_typed_while_it_ends_is_for_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    run = await Running().started()
    leave, put = run.full.app.exit, run.wire.put

    def left(*result: object) -> None:
        leave()
        run.full.keys(b"show ver")

    def restored(data: bytes) -> None:
        put(data)
        if LEAVE.encode() in data:
            run.full.keys(b"sion\r")

    monkeypatch.setattr(run.full.app, "exit", left)
    monkeypatch.setattr(run.wire, "put", restored)
    run.full.keys(b"q")
    assert await run.ended() == b"show version\r" and run.restored


async def test_a_session_that_ends_takes_it_along_and_restores_the_terminal_at_once() -> None:
    run = await Running().started()
    run.full.restore()
    assert run.restored, "before anything else is awaited"
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.ended()
    assert run.restored
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert not others, f"left behind: {others}"


async def test_a_terminal_that_is_gone_ends_it() -> None:
    run = await Running().started()
    run.wire.gone = True
    run.full.app.refresh_now()
    assert await run.ended() == b""


async def test_a_terminal_that_takes_nothing_is_asked_nothing_for() -> None:
    run = await Running().started()
    run.wire.full = True
    run.full.app.refresh_now()
    await asyncio.sleep(0.1)
    before = len(run.source.asked)
    run.full.app.refresh_now()
    await asyncio.sleep(0.2)
    assert len(run.source.asked) <= before + 2
    run.wire.full = False
    await run.until(lambda: len(run.source.asked) > before + 2)
    run.full.keys(b"q")
    await run.ended()


async def test_rights_that_changed_are_raised_for_the_prompt() -> None:
    run = await Running().started()
    problem = NotPermitted("dashboard", "the rights of ops have changed meanwhile", "open it again")
    run.source.instead["show vports"] = Closed(problem)
    run.full.app.refresh_now()
    with pytest.raises(NotPermitted, match="have changed meanwhile"):
        await run.ended()
    assert run.restored


async def test_a_mistake_in_it_is_raised_and_the_terminal_is_as_it_was() -> None:
    run = await Running().started()
    run.source.instead["show vports"] = ZeroDivisionError("on purpose")
    run.full.app.refresh_now()
    with pytest.raises(BaseException) as caught:
        await run.ended()
    assert "on purpose" in repr(caught.value) + repr(getattr(caught.value, "exceptions", ""))
    assert run.restored


async def test_a_window_that_changes_is_drawn_anew_and_a_huge_one_is_not_believed() -> None:
    run = await Running().started()
    run.wire.screen = Screen(120, 40, True, True)
    run.full.resized()
    await run.until(lambda: run.full.app.size == (120, 40))
    run.full.keys(b"q")
    await run.ended()
    assert size_of(Screen(65535, 65535)) == (600, 250) and size_of(Screen(0, 0)) == (80, 24)


async def test_only_what_changed_is_sent() -> None:
    run = await Running().started()
    await asyncio.sleep(0.2)
    run.wire.said = b""
    run.full.keys(b"\x1b[B")
    await run.until(lambda: run.wire.said)
    await asyncio.sleep(0.1)
    assert len(run.wire.said) < 1500, "two rows of 24"
    run.full.keys(b"q")
    await run.ended()


async def test_colours_and_signs_are_those_that_the_terminal_shows() -> None:
    run = await Running(Wire(Screen(80, 24, False, False))).started()
    assert run.wire.said.isascii()
    assert b"38;" not in run.wire.said and b"48;" not in run.wire.said
    run.full.keys(b"q")
    await run.ended()
    assert colors_of("xterm-256color", {}) == "256" and colors_of("linux", {}) == "standard"
    assert colors_of("tmux-256color", {"COLORTERM": "truecolor"}) == "truecolor"


async def test_a_line_that_arrives_in_one_piece_with_its_colon_is_typed_whole() -> None:
    run = await Running().started()
    run.full.keys(b":show one\r:show two\r")
    await run.until(lambda: run.source.typed == ["show one", "show two"])
    run.full.keys(b"\x03\x03")
    await run.ended()


async def test_keys_without_end_are_dropped() -> None:
    run = await Running().started()
    run.full.keys(b"\x1b[200~" + b"x" * 200_000)
    for _ in range(20):
        run.full.keys(b"y" * CHUNK)
    run.full.keys(b"\x03")
    await run.ended()
    assert run.restored


async def test_others_have_their_turn_while_keys_are_done_one_by_one() -> None:
    """A key that changes every colour takes 20 ms: of 400 at once, nobody else would have had a turn for 8 s."""
    run = await Running().started()
    themes: list[str] = []
    run.full.app.theme_changed_signal.subscribe(run.full.app, lambda theme: themes.append(theme.name))
    run.full.keys(b"t" * 400)
    turns = 0
    while len(themes) < 10:
        before = len(themes)
        await asyncio.sleep(0)
        turns += 1
        assert len(themes) <= before + 1, "more than one key in a turn"
    assert turns >= 10 and run.full.waiting > 300
    run.full.keys(b"\x03")
    assert await run.ended() == b"" and run.restored, "ctrl-c is not behind them"


async def test_nothing_is_left_of_a_dashboard_in_which_keys_were_pressed() -> None:
    """Textual's cache of keys would have kept the last 1,024 of them, 450 KB each."""
    for _ in range(3):
        run = await Running().started()
        run.full.keys(b"jq")
        await run.ended()
    del run
    await asyncio.sleep(2 * ESCAPE)
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Dashboard)]


async def test_output_of_the_process_goes_where_it_went_before() -> None:
    before = sys.stdout, sys.stderr, asyncio.get_running_loop().get_task_factory()
    run = await Running().started()
    assert (sys.stdout, sys.stderr, asyncio.get_running_loop().get_task_factory()) == before
    run.full.keys(b"q")
    await run.ended()
    assert (sys.stdout, sys.stderr, asyncio.get_running_loop().get_task_factory()) == before


async def test_a_screen_that_there_is_not_is_an_error() -> None:
    with pytest.raises(NothingThere, match="no such screen"):
        FullScreen(Wire(), PretendSource(Screen(80, 24)), "nonsense")


def test_nobody_who_asks_for_no_dashboard_pays_for_textual() -> None:
    code = (
        "import sys, nshell.serving.serve, nshell.terminal.loop; "
        "from commands.language.registry import Mode, automaton; "
        "automaton(Mode.OPERATIONAL); print([name for name in sys.modules if name.partition('.')[0] == 'textual'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
