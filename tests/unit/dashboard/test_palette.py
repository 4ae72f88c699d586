"""Colours that can be read: the contrast of every role to all that it can stand on, dark and light."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from tests.unit.dashboard.screens import LARGE, seen
from views.dashboard.palette import DARK, LIGHT, ROLES, THEMES, style_of

TEXT, FRAME = 4.5, 3.0
"""WCAG 2.2: 1.4.3 (AA) for text of ordinary size, 1.4.11 for what is no text."""


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2.2 defines it, 0 to 1."""
    parts = (part / 255 for part in Color.parse(color).rgb)
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_is_21() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21 and round(contrast("#767676", "#ffffff"), 2) == 4.54


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: str(theme.name))
def test_every_role_can_be_read_wherever_it_stands(theme: Theme) -> None:
    assert {DARK, LIGHT} == {each.name for each in THEMES}
    grounds = [theme.background, theme.surface, theme.panel]
    for role in ROLES:
        style, under = style_of(theme.name, role), style_of(theme.name, f"cursor {role}".strip())
        color = style.color.name if style.color is not None else theme.foreground
        assert color is not None
        own = [style.bgcolor.name] if style.bgcolor is not None else [*grounds]
        for ground in own:
            assert contrast(color, str(ground)) >= TEXT, f"{role} on {ground}"
        assert under.color is not None and under.bgcolor is not None
        assert contrast(under.color.name, under.bgcolor.name) >= TEXT, f"{role} under the cursor"


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: str(theme.name))
def test_frames_can_be_seen(theme: Theme) -> None:
    for frame in (theme.primary, theme.secondary):
        assert contrast(str(frame), str(theme.background)) >= FRAME
        assert contrast(str(frame), str(theme.surface)) >= FRAME


async def test_what_stands_in_a_frame_can_be_read_too() -> None:
    async with seen("vports", LARGE) as it:
        for theme in THEMES:
            it.app.theme = theme.name
            await it.press("3", "enter")
            await it.see("Throughput", "the last hour")
            for panel in it.app.board.query(".panel"):
                for color in (panel.styles.border_title_color, panel.styles.border_subtitle_color):
                    assert contrast(color.hex6, str(theme.background)) >= TEXT, f"{color.hex6} on {theme.name}"
