"""Colours: what a role of text looks like on a dark and on a light screen.

All of them are colours of the 256 that any terminal of today has (6×6×6 cube and greys), so that nothing is rounded on
its way. Text has a contrast of 4.5 or more to whatever it can stand on, also under the cursor; frames have one of 3
(WCAG 2.2, 1.4.3 AA and 1.4.11). A role never says anything that the words beside it do not say.
"""

from __future__ import annotations

from rich.style import Style
from textual.theme import Theme

from views.color import Style as Mark
from views.color import style_of_state

__all__ = ["DARK", "LIGHT", "ROLES", "THEMES", "role_of", "style_of"]

DARK, LIGHT = "night", "day"
THEMES = (
    Theme(
        DARK, primary="#5fafff", secondary="#87afd7", accent="#5fafff", foreground="#d0d0d0", background="#121212",
        surface="#1c1c1c", panel="#262626", success="#5fd75f", warning="#ffaf00", error="#ff5f5f", dark=True,
    ),
    Theme(
        LIGHT, primary="#005faf", secondary="#5f87af", accent="#005faf", foreground="#262626", background="#ffffff",
        surface="#eeeeee", panel="#eeeeee", success="#005f00", warning="#875f00", error="#af0000", dark=False,
    ),
)  # fmt: skip

_STYLES = {
    DARK: {
        "": Style(),
        "good": Style(color="#5fd75f"),
        "soon": Style(color="#ffaf00"),
        "bad": Style(color="#ff5f5f", bold=True),
        "title": Style(color="#ffffff", bold=True),
        "dim": Style(color="#949494"),
        "head": Style(color="#87afd7", bold=True),
        "bar": Style(color="#eeeeee", bgcolor="#303030"),
        "mark": Style(color="#ffffff", bgcolor="#005f87", bold=True),
        "cursor": Style(color="#ffffff", bgcolor="#00005f", bold=True),
        "graph": Style(color="#5fafff"),
        "graph2": Style(color="#afd787"),
        "key": Style(color="#5fafff", bold=True),
    },
    LIGHT: {
        "": Style(),
        "good": Style(color="#005f00"),
        "soon": Style(color="#875f00"),
        "bad": Style(color="#af0000", bold=True),
        "title": Style(color="#000000", bold=True),
        "dim": Style(color="#5f5f5f"),
        "head": Style(color="#005f87", bold=True),
        "bar": Style(color="#1c1c1c", bgcolor="#d0d0d0"),
        "mark": Style(color="#ffffff", bgcolor="#005f87", bold=True),
        "cursor": Style(color="#000000", bgcolor="#d7ffff", bold=True),
        "graph": Style(color="#005faf"),
        "graph2": Style(color="#5f5f00"),
        "key": Style(color="#005faf", bold=True),
    },
}
ROLES = tuple(_STYLES[DARK])
_MARKS = {
    Mark.GOOD: "good", Mark.SOON: "soon", Mark.BAD: "bad", Mark.TITLE: "title", Mark.FIRST: "graph",
    Mark.SECOND: "graph2", Mark.THIRD: "soon", Mark.FOURTH: "key",
}  # fmt: skip
"""Marks of views/color.py -> roles."""


def style_of(theme: str, role: str) -> Style:
    """How text in this role looks; a role that nobody knows is plain text. 'cursor good' is good under the cursor."""
    known = _STYLES[theme]
    base, _, over = role.partition(" ")
    style = known.get(base, known[""])
    return style + known.get(over, known[""]) if over else style


def role_of(text: str) -> str:
    """The role of a word of state ('up', 'unresolved', 'unconfirmed, 4:31 left'); '' for any other text."""
    mark = style_of_state(text)
    return _MARKS[mark] if mark else ""


def role_of_mark(mark: str) -> str:
    """The role that a mark of views/color.py means; '' for its end."""
    return next((role for known, role in _MARKS.items() if known.value == mark), "")
