"""The mouse alone: every key in the last line, every tab, every row and title, and the wheel over all that scrolls."""

from __future__ import annotations

import pytest
from textual import events
from textual.widget import Widget

from tests.unit.dashboard.pretend_wan import WideSource
from tests.unit.dashboard.screens import LARGE, SMALL, Seen, seen
from views.dashboard.catalogue import SCREENS
from views.dashboard.command import CommandLine, FilterLine, Output
from views.dashboard.frame import Footer, Tabs
from views.dashboard.grid import Grid
from views.dashboard.help import Help
from views.dashboard.palette import LIGHT
from views.dashboard.screens import BOARDS
from views.models import Column, Lines, Table
from views.render import Screen

LAST_LINES = ("overview", "flows", "bgp")
"""Screens whose last lines have between them every key."""


def wide(size: tuple[int, int] = SMALL) -> WideSource:
    source = WideSource(Screen(*size, True, True))
    source.instead["show pe pe1 config diff"] = Lines(["+ a line"])
    return source


async def click_key(it: Seen, sign: str) -> None:
    """A click on a key of the last line."""
    footer = it.app.query_one(Footer)
    left = next(left for left, _, key in footer._spots if key == sign)
    await it.pilot.click(Footer, offset=(left, 0))
    await it.pilot.pause()


async def wheel(it: Seen, target: Widget, down: bool, notches: int = 1) -> None:
    kind = events.MouseScrollDown if down else events.MouseScrollUp
    for _ in range(notches):
        await it.pilot._post_mouse_events([kind], target)
        await it.pilot.pause()


async def test_every_tab_can_be_clicked_at_its_number_and_at_its_last_letter() -> None:
    async with seen("overview", source=wide()) as it:
        await it.settled()
        for number, board in enumerate(BOARDS):
            line = it.text.splitlines()[1]
            at = line.index(f"{number + 1} {SCREENS[board.NAME].title}")
            for x in (at, at + 1 + len(SCREENS[board.NAME].title)):
                await it.pilot.click(Tabs, offset=(x, 0))
                assert type(it.app.board) is board


@pytest.mark.parametrize("name", LAST_LINES)
async def test_every_key_of_the_last_line_does_on_a_click_what_it_says(name: str) -> None:
    async with seen(name, LARGE, wide(LARGE)) as it:
        await it.settled()
        signs = [key for _, _, key in it.app.query_one(Footer)._spots]
        assert set("/s:rpt?q") <= set(signs)
        for sign in signs:
            grid = it.app.board.grid
            assert grid is not None
            match sign:
                case "enter":
                    await click_key(it, sign)
                    await it.until(lambda: len(it.app.stack) == 2)
                    await it.settled()
                    await click_key(it, "esc")
                    await it.until(lambda: len(it.app.stack) == 1)
                    await it.settled()
                case "/":
                    await click_key(it, sign)
                    assert it.app.query_one(FilterLine).display
                    await it.press("escape")
                case "s":
                    await click_key(it, sign)
                    assert grid.sorting is not None
                case ":":
                    await click_key(it, sign)
                    assert it.app.query_one(CommandLine).display
                    await it.press("escape")
                case "r":
                    before = len(it.source.asked)
                    await click_key(it, sign)
                    await it.until(lambda asked=before: len(it.source.asked) > asked)  # type: ignore[misc]
                    it.app.query_one(Footer)._silent()
                case "p":
                    await click_key(it, sign)
                    assert it.app.paused
                    await click_key(it, sign)
                    assert not it.app.paused
                case "t":
                    await click_key(it, sign)
                    assert it.app.theme == LIGHT
                case "?":
                    await click_key(it, sign)
                    assert it.app.query_one(Help).display
                    await it.press("escape")
                case "b":
                    await click_key(it, sign)
                    await it.see("No. of rules")
                case "q":
                    await click_key(it, sign)
                    await it.until(lambda: not it.app.is_running)
                case _:
                    pytest.fail(f"nobody tries {sign}")


async def test_a_click_on_what_is_said_in_place_of_the_keys_presses_none_of_them() -> None:
    async with seen("vports", source=wide()) as it:
        await it.settled()
        left = next(left for left, _, key in it.app.query_one(Footer)._spots if key == "q")
        it.app.say("something that an operator should read before it goes, up to the end of the line")
        await it.pilot.click(Footer, offset=(left, 0))
        await it.pilot.pause()
        assert it.app.is_running and "q quit" in it.text, "it makes room for the keys"


async def test_enter_is_clicked_where_there_is_text_and_no_table() -> None:
    async with seen("vports", LARGE, wide(LARGE)) as it:
        await it.settled()
        await it.press("enter")
        await it.see("› acme/prod/db-1")
        assert it.app.board.grid is None
        await click_key(it, "enter")
        await it.see("› flows of acme/prod/db-1")


@pytest.mark.parametrize("name", SCREENS)
async def test_a_row_can_be_chosen_and_gone_into_with_a_second_click(name: str) -> None:
    async with seen(name, LARGE, wide(LARGE)) as it:
        await it.settled()
        for at in range(len(it.app.board.query(Grid))):
            grid = list(it.app.board.query(Grid))[at]
            for number in {0, len(grid.shown) - 1}:
                row = grid.content_region.y - grid.region.y + 1 + number
                column = grid.content_region.x - grid.region.x + 3
                grid.action_edge(-1 if number else 1)
                await it.pilot.click(grid, offset=(column, row))
                if len(it.app.stack) == 1:  # it was not the one under the cursor already
                    assert grid._cursor == number and it.app.focused is grid
                    await it.pilot.click(grid, offset=(column, row))
                await it.until(lambda: len(it.app.stack) == 2 or "no object" in it.text)
                await it.press("escape")
                await it.until(lambda: len(it.app.stack) == 1)


async def test_the_wheel_moves_through_rows_texts_help_and_output() -> None:
    source = wide()
    columns = (Column("name", "Name"), Column("place", "Subnet"))
    rows = [(f"vm-{at}", "a/b/c") for at in range(90)]
    source.instead["show vports"] = Table("Virtual ports", columns, rows, "virtual ports")
    async with seen("vports", source=source) as it:
        await it.settled()
        grid = it.app.board.query_one(Grid)
        await wheel(it, grid, True, 10)
        assert "▸ vm-30 " in it.text
        await wheel(it, grid, False, 2)
        assert "▸ vm-24 " in it.text
        await it.pilot.resize_terminal(60, 15)
        await it.press("question_mark")
        shown = it.app.query_one(Help)
        await wheel(it, shown, True, 2)
        assert shown._top == 6
        await wheel(it, shown, False)
        assert shown._top == 3
        await it.press("escape", "colon", *"x", "enter")
        await it.see("done: x")
        output = it.app.query_one(Output)
        output.put([f"line {at}" for at in range(200)])
        await it.pilot.pause()
        await wheel(it, it.app.query_one(CommandLine).query_one("Line"), True, 2)
        assert output._top == 6
        await wheel(it, it.app.query_one(CommandLine).query_one("Line"), False)
        assert output._top == 3
