"""Every key and the mouse: what a person can do in a dashboard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controller.events import Kind, Severity
from data.errors import CommandFailed, NotPermitted
from tests.unit.dashboard.pretend import PretendSource
from tests.unit.dashboard.screens import LARGE, SMALL, Seen, seen
from views.dashboard.catalogue import SCREENS
from views.dashboard.grid import Grid
from views.dashboard.palette import DARK, LIGHT
from views.dashboard.screens import BOARDS
from views.dashboard.source import Closed
from views.models import Column, Table
from views.render import Screen


def column(it: Seen, key: str) -> list[str]:
    """The cells of a column as they are shown, from top to bottom."""
    grid = it.app.board.query_one(Grid)
    return [str(grid.value(row, key)) for row in grid.shown]


def cursor(it: Seen) -> str:
    """The line with the mark of the cursor."""
    return next(line for line in it.text.splitlines() if "▸" in line)


def key_of(name: str) -> str:
    """The key that opens a screen."""
    return str(list(SCREENS).index(name) + 1)


async def test_numbers_open_screens_and_each_keeps_its_place() -> None:
    async with seen("vports") as it:
        await it.settled()
        await it.press("down", "down")
        at = cursor(it)
        for number, board in enumerate(BOARDS, 1):
            await it.press(str(number))
            assert type(it.app.board) is board
        await it.press("3")
        await it.settled()
        assert cursor(it) == at


async def test_only_the_screen_that_is_seen_is_asked_for() -> None:
    async with seen("hypervisors") as it:
        await it.settled()
        await it.press(key_of("events"))
        await it.settled()
        it.source.asked.clear()
        await it.settled()
        assert set(it.source.asked) == {"show events limit 500", "show system commit limit 1"}


async def test_arrows_and_pages_move_the_cursor() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    rows = [(f"vm-{number}", "acme/prod/web1", "up") for number in range(100)]
    columns = (Column("name", "Name"), Column("place", "Subnet"), Column("state", "State"))
    source.instead["show vports"] = Table("Virtual ports", columns, rows, "virtual ports")
    async with seen("vports", source=source) as it:
        await it.settled()
        for key, name in (
            ("down", "vm-1"), ("up", "vm-0"), ("up", "vm-0"), ("j", "vm-1"), ("k", "vm-0"), ("pagedown", "vm-18"),
            ("space", "vm-36"), ("pageup", "vm-18"), ("end", "vm-99"), ("down", "vm-99"), ("home", "vm-0"),
            ("G", "vm-99"), ("g", "vm-0"),
        ):  # fmt: skip
            await it.press(key)
            assert f"▸ {name} " in it.text, f"after {key}:\n{it.text}"


async def test_enter_goes_into_a_row_and_escape_back() -> None:
    async with seen("hypervisors") as it:
        await it.settled()
        await it.press("down", "enter")
        await it.see("› hv2", "web-2", "db-1")
        assert "show dvrs hv2 detail" in it.source.asked
        await it.until(lambda: it.app.focused is not None)
        await it.press("enter")
        await it.see("› hv2 › acme/prod/db-1")
        await it.press("escape", "escape")
        assert "› hv2" not in it.text and cursor(it).startswith("▸ hv2")
        await it.press("escape")
        assert len(it.app.stack) == 1, "escape leaves nothing that was not entered"


async def test_tab_goes_from_panel_to_panel() -> None:
    async with seen("overview", LARGE) as it:
        await it.settled()
        focused = []
        for _ in range(2):
            await it.press("tab")
            focused.append(it.app.focused)
        assert focused[0] is not focused[1] and None not in focused
        await it.press("shift+tab")
        assert it.app.focused is focused[0]


async def test_a_filter_is_live_stays_on_enter_and_goes_with_escape() -> None:
    async with seen("vports") as it:
        await it.settled()
        await it.press("slash", *"db")
        await it.see("2 of 5 virtual ports")
        assert set(column(it, "name")) == {"db-1", "db-2"}
        await it.press(*"-2")
        await it.see("1 of 5 virtual ports")
        await it.press("enter")
        assert set(column(it, "name")) == {"db-2"} and "filter: db-2" in it.text
        await it.press("escape")
        await it.see("No. of virtual ports: 5")
        await it.press("slash", *"web", "escape")
        await it.see("No. of virtual ports: 5")


async def test_keys_typed_into_a_filter_are_text() -> None:
    async with seen("vports") as it:
        await it.settled()
        await it.press("slash", *"q3t")
        assert it.app.is_running and it.app.current == 2 and it.app.theme == DARK
        await it.see("0 of 5 virtual ports")


async def test_s_sorts_by_one_column_after_the_other_and_shift_s_turns_it() -> None:
    async with seen("vports", LARGE) as it:
        await it.settled()
        as_shown = column(it, "name")
        await it.press("s")
        await it.see("Name▲")
        assert column(it, "name") == sorted(as_shown)
        await it.press("S")
        await it.see("Name▼")
        assert column(it, "name") == sorted(as_shown, reverse=True)
        for _ in range(5):
            await it.press("s")
        await it.see("Sends▼")
        rates = [float(rate) for rate in column(it, "sends") if rate != "None"]
        assert rates == sorted(rates, reverse=True) and len(rates) == 4


async def test_clicks_open_tabs_sort_by_titles_choose_rows_and_press_keys() -> None:
    async with seen("overview", LARGE) as it:
        await it.settled()
        await it.pilot.click(offset=(it.text.splitlines()[1].index("3 vports"), 1))
        await it.settled()
        assert it.app.current == 2
        at = it.text.splitlines()[2].index("Address")
        await it.pilot.click(offset=(at, 2))
        await it.see("Address▲")
        row = next(y for y, line in enumerate(it.text.splitlines()) if " web-2 " in line)
        await it.pilot.click(offset=(4, row))
        assert "web-2" in cursor(it)
        await it.pilot.click(offset=(4, row))
        await it.see("› acme/prod/web-2")
        await it.pilot.click(offset=(it.text.splitlines()[-1].index("? help"), LARGE[1] - 1))
        await it.see("back to the prompt")


async def test_the_wheel_moves_through_rows() -> None:
    async with seen("vports") as it:
        await it.settled()
        grid = it.app.board.query_one(Grid)
        await it.pilot._post_mouse_events([__import__("textual.events").events.MouseScrollDown], grid)
        await it.pilot.pause()
        assert "db-2" in cursor(it) or "web" in cursor(it)


async def test_question_mark_explains_every_key_and_screen() -> None:
    async with seen() as it:
        await it.settled()
        await it.press("question_mark")
        assert "8 Events" in it.text and "back to the prompt" in it.text and " of " not in it.text.splitlines()[-1]
        await it.press("question_mark")
        assert "back to the prompt" not in it.text
        await it.press("question_mark", "escape")
        assert "back to the prompt" not in it.text


async def test_a_command_runs_and_shows_its_output_and_escape_closes_it() -> None:
    async with seen("vports") as it:
        await it.settled()
        await it.press("colon")
        await it.see("ops@nsh1>")
        await it.press(*"sh", "tab", *"x", "enter")
        await it.see("ops@nsh1> show x", "done: show x")
        await it.press("up")
        await it.press("enter")
        await it.until(lambda: it.source.typed == ["show x", "show x"])
        await it.press("question_mark")
        await it.see("that is all")
        await it.press("tab")
        await it.see("  vports")
        await it.press("escape")
        assert "ops@nsh1>" not in it.text
        await it.press("down")
        assert "▸ db-2" in it.text, "the keys are the table's again"


async def test_ctrl_c_stops_a_command_then_closes_its_line_then_leaves() -> None:
    async with seen("vports") as it:
        stopped = asyncio.Event()

        async def forever(line: str, write: Callable[[str], None]) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                stopped.set()

        it.source.answer = forever
        await it.press("colon", *"monitor", "enter")
        await it.until(lambda: it.app.busy)
        await it.press("ctrl+c")
        await it.see("^C")
        assert stopped.is_set() and it.app.is_running
        await it.press("ctrl+c")
        assert "ops@nsh1>" not in it.text and it.app.is_running, "the line is closed"
        await it.press("ctrl+c")
        await it.until(lambda: not it.app.is_running)


async def test_exit_behind_the_colon_leaves() -> None:
    async with seen("vports") as it:
        await it.press("colon", *"exit", "enter")
        await it.until(lambda: not it.app.is_running)


async def test_p_pauses_and_r_looks_now() -> None:
    async with seen("hypervisors") as it:
        await it.settled()
        await it.press("p")
        await it.see("PAUSED")
        before = len(it.source.asked)
        await it.press("r")
        await it.pilot.pause(0.2)
        assert len(it.source.asked) == before
        await it.press("p")
        await it.until(lambda: len(it.source.asked) > before)
        assert "PAUSED" not in it.text
        before = len(it.source.asked)
        await it.press("r")
        await it.until(lambda: len(it.source.asked) > before)


async def test_t_turns_day_into_night() -> None:
    async with seen() as it:
        await it.settled()
        assert it.app.theme == DARK
        await it.press("t")
        assert it.app.theme == LIGHT
        await it.press("t")
        assert it.app.theme == DARK


async def test_q_leaves_without_a_problem() -> None:
    async with seen() as it:
        await it.settled()
        await it.press("q")
        await it.until(lambda: not it.app.is_running)
        assert it.app.return_value is None and it.app.problem is None


async def test_a_screen_that_is_not_permitted_says_so_and_others_go_on() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    source.instead["show dvrs"] = NotPermitted("show dvrs", "class tenant does not let bob do this", "ask for it")
    async with seen("hypervisors", source=source) as it:
        await it.see("class tenant does not let bob do this", "ask for it")
        await it.press("3")
        await it.see("web-1")


async def test_rights_that_change_end_it_with_the_reason() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    async with seen("hypervisors", source=source) as it:
        await it.settled()
        problem = NotPermitted("dashboard", "the rights of ops have changed meanwhile", "open it again")
        source.instead["show dvrs"] = Closed(problem)
        it.app.refresh_now()
        await it.until(lambda: not it.app.is_running)
        assert it.app.return_value is problem


async def test_an_error_is_shown_in_its_place_until_there_is_an_answer() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    source.instead["show dvrs"] = CommandFailed("dvrs", "the disk is full", "make room")
    async with seen("hypervisors", source=source) as it:
        await it.see("dvrs: the disk is full", "make room")
        del source.instead["show dvrs"]
        it.app.refresh_now()
        await it.see("hv1")
        assert "the disk is full" not in it.text


async def test_enter_on_an_event_shows_all_of_it_and_so_does_the_overview() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    said = "threshold busy: vport acme/prod/web-1 sends 99.2 Mb/s, more than the 90 Mb/s allowed to it, since noon"
    source.context.fabric.events.add(Kind.THRESHOLD, said, severity=Severity.ERROR, facts={"measure": "sends-bits"})
    async with seen("events", source=source) as it:
        await it.see("threshold busy", "error")
        assert "since noon" not in it.text, "it is too long for its line"
        await it.press("enter")
        text = await it.see("allowed to it", "since noon", "measure  sends-bits")
        assert said in " ".join(line.strip("│").strip() for line in text.splitlines()).replace("Event     ", "")
        await it.press("escape", "1")
        await it.settled()
        await it.press("tab")
        await it.see("▸ 14:13:20  threshold")
        await it.press("enter")
        await it.see("since noon", "measure  sends-bits")


async def test_a_row_that_is_shown_whole_is_kept_up_to_date() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    columns = (Column("name", "Name"), Column("state", "State"), Column("why", "Why", unseen=True))
    line = "show flows vport acme/prod/db-1"
    source.instead[line] = Table("Flows", columns, [("first", "pending", "waits for hv3")], "flows")
    async with seen("vports", source=source) as it:
        await it.settled()
        await it.press("enter")
        await it.see("› acme/prod/db-1")
        await it.press("enter")
        await it.see("first")
        await it.press("enter")
        await it.see("State  pending", "Why    waits for hv3")
        source.instead[line] = Table("Flows", columns, [("first", "verified", "")], "flows")
        it.app.refresh_now()
        await it.see("State  verified")


async def test_text_that_is_too_long_goes_on_below_and_tables_go_sideways() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    columns = (Column("name", "Object", shrink=True), Column("detail", "Detail", shrink=True))
    rows = [(f"a-zone-with-a-name-that-is-long-{number}", "10.1.1.0/24 and more of that") for number in range(40)]
    source.instead["show vport acme/prod/db-1 policy"] = Table("Policy of it", columns, rows, "objects")
    async with seen("vports", source=source) as it:
        await it.settled()
        await it.press("enter")
        text = await it.see("-00000000000c", "a-zone", "← →", "1-9 of 44")
        assert "Policy of it" not in text and "long-0" not in text, "the panel says it"
        await it.press("tab", "tab", "right")
        await it.see("that-is-long-0")
        await it.press("right", "right", "right", "right")
        await it.see("and more of that")
        await it.press(*["left"] * 6, "end")
        await it.see("of 44", "a-zone", "No. of objects: 40")


async def test_a_colon_at_the_beginning_of_the_line_is_no_part_of_it() -> None:
    async with seen("vports") as it:
        await it.settled()
        await it.press("colon", "colon", *"show a:b", "enter")
        await it.until(lambda: it.source.typed == ["show a:b"])


async def test_the_footer_names_only_keys_that_do_something() -> None:
    async with seen("vports") as it:
        await it.settled()
        assert "/ filter" in it.text and "enter into" in it.text and "esc" not in it.text.splitlines()[-1]
        await it.press("enter")
        await it.see("› acme/prod/db-1")
        last = it.text.splitlines()[-1]
        assert "esc back" in last and "enter into" in last and "filter" not in last
        await it.press("escape", "slash", *"nothing-has-this", "enter")
        await it.see("0 of 5 virtual ports")
        assert "enter into" not in it.text.splitlines()[-1]


async def test_names_from_the_network_cannot_steer_the_terminal() -> None:
    source = PretendSource(Screen(*SMALL, True, True))
    columns = (Column("name", "Name"), Column("state", "State"))
    source.instead["show dvrs"] = Table("Hypervisors", columns, [("hv\x1b[2J\x9b1m", "up")], "hypervisors")
    async with seen("hypervisors", source=source) as it:
        text = await it.see("hv\\u001b[2J\\u009b1m")
        assert "\x1b" not in text and "\x9b" not in text
