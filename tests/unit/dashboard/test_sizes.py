"""Terminals that are too small: said, and nothing is done unseen; what was there is there again with the room."""

from __future__ import annotations

from tests.unit.dashboard.screens import SMALL, seen

TINY = ((40, 10), (20, 5), (3, 2), (1, 1), (59, 24), (80, 14))


async def test_a_dashboard_that_begins_in_a_small_terminal_says_so_and_is_there_when_it_grows() -> None:
    async with seen("vports", (40, 10)) as it:
        text = await it.see("too small: 40 x 10", "needs 60 x 15", "q to leave")
        assert "web-1" not in text
        for size in (*TINY, (40, 10)):
            await it.pilot.resize_terminal(*size)
            await it.until(lambda: it.app.small)
            assert max(map(len, it.text.splitlines()), default=0) <= size[0]
        assert "too small: 40 x 10" in it.text
        await it.pilot.resize_terminal(*SMALL)
        await it.see("web-1", "8 Events")
        assert "too small" not in it.text
        await it.press("down", "down")
        assert "▸ web-1" in it.text, "the keys are the table's"
        await it.pilot.resize_terminal(60, 15)
        assert "too small" not in it.text and "web-1" in it.text


async def test_nothing_is_done_unseen_and_q_leaves() -> None:
    async with seen("vports") as it:
        await it.settled()
        await it.press("colon", *"show version")
        await it.pilot.resize_terminal(30, 8)
        await it.until(lambda: it.app.small)
        await it.press("enter", "x", "s", "down", "escape", "question_mark")
        assert it.source.typed == [] and it.app.current == 2
        await it.pilot.resize_terminal(*SMALL)
        await it.see("ops@nsh1> show version")
        await it.press("enter")
        await it.until(lambda: it.source.typed == ["show version"])
        await it.pilot.resize_terminal(30, 8)
        await it.until(lambda: it.app.small)
        await it.press("q")
        await it.until(lambda: not it.app.is_running)
        assert it.app.problem is None


async def test_a_small_terminal_without_unicode_is_told_in_ascii() -> None:
    async with seen("overview", (30, 6), unicode=False) as it:
        assert (await it.see("too small")).isascii()
