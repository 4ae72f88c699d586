"""Every screen as a text frame, at 80x24 and 160x48, kept in frames/ to be read in review.

`pytest tests/unit/dashboard/test_frames.py --update-frames` writes them anew; read the difference.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.dashboard.pretend import PretendSource
from tests.unit.dashboard.screens import LARGE, SMALL, seen
from views.dashboard.catalogue import SCREENS
from views.dashboard.screens import BOARDS
from views.models import Table
from views.render import Screen, render

FRAMES = Path(__file__).parent / "frames"
SIZES = {"80x24": SMALL, "160x48": LARGE}
INTO = {"hypervisors": "hypervisor", "vports": "vport"}
"""Screens whose Enter leads to one with a frame of its own."""
PLACE = re.compile(r"\d+-\d+ of \d+|\b0 vports|No\. of [\w ]+: 0")
"""Where in a table one is, and that there is nothing of a document's parts: the only numbers of the screens' own."""
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def compare(name: str, text: str, update: bool) -> None:
    """The frame must be as kept."""
    file = FRAMES / f"{name}.txt"
    if update:
        file.write_text(text)
    assert file.exists(), f"no frame {file.name} yet: --update-frames writes it"
    assert text == file.read_text(), f"{file.name} differs; --update-frames writes it anew"


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-frames", default=False))


def test_the_catalogue_has_every_screen_in_its_order() -> None:
    assert [board.NAME for board in BOARDS] == list(SCREENS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_looks_as_it_did_and_every_number_on_it_is_one_that_show_prints(
    name: str, size: str, update: bool
) -> None:
    source = PretendSource(Screen(*SIZES[size], True, True))
    async with seen(name, SIZES[size], source) as it:
        text = await it.settled()
        assert any(isinstance(model, Table) for model in source.models.values())
        strange_numbers(text, source)
        compare(f"{name}-{size}", text, update)
        if name in INTO:
            await it.press("enter")
            compare(f"{INTO[name]}-{size}", await it.settled(), update)


def strange_numbers(text: str, source: PretendSource) -> None:
    """All of the models are printed without a limit; what else has numbers is the frame: time, tabs and place."""
    printed = "\n".join(line for model in source.models.values() for line in render(model, Screen()))
    said = set(NUMBER.findall(printed))
    body = text.splitlines()[2:-1]
    strange = {
        number: line for line in body for number in NUMBER.findall(re.sub(PLACE, "", line)) if number not in said
    }
    assert not strange, f"{strange}\nnot in\n{printed}"


async def test_a_terminal_without_unicode_gets_ascii_alone(update: bool) -> None:
    async with seen(unicode=False) as it:
        for number, name in enumerate(SCREENS, 1):
            await it.press(str(number))
            text = await it.settled()
            assert text.isascii(), name
            if name == "overview":
                compare("overview-ascii", text, update)


async def test_help_and_command_line_look_as_they_did(update: bool) -> None:
    async with seen("vports") as it:
        await it.settled()
        await it.press("question_mark")
        compare("help", it.text, update)
        await it.press("escape", "colon", *"show x", "enter")
        compare("command", await it.see("done: show x"), update)


async def test_any_size_is_survived_by_every_screen() -> None:
    async with seen("overview", (1, 1)) as it:
        for size in ((1, 1), (40, 12), (20, 5), (3, 2), (60, 15), (300, 100), SMALL):
            await it.pilot.resize_terminal(*size)
            for number, board in enumerate(BOARDS, 1):
                await it.press(str(number))
                assert type(it.app.board) is board
                if size == SMALL:
                    assert SCREENS[board.NAME].title in await it.settled()
                elif size[0] in (300, 60, 20):
                    await it.settled()
