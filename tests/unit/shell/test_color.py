"""Colour: on terminals that want it, never alone, and nothing that a stranger's name can do."""

from __future__ import annotations

from views.color import END, Style
from views.errors import render_failure
from views.models import Branch, Column, Document, Failure, Outline, Table, Tree
from views.render import Screen, ScreenSettings, encode, harmless, render

COLOR = Screen(80, 24, True, True)
PLAIN = Screen(80, 24)


def sent(lines: list[str], screen: Screen) -> str:
    return encode(harmless("\n".join(lines)), screen).decode()


def states(state: str) -> Table:
    return Table(
        "T", (Column("name", "Name"), Column("state", "State"), Column("n", "N", "right")), [("up", state, 1)], "t"
    )


def test_words_of_state_are_coloured_in_their_column_alone() -> None:
    assert "up    \x1b[32mup\x1b[0m     1" in sent(render(states("up"), COLOR), COLOR)
    assert "\x1b[31maway\x1b[0m" in sent(render(states("away"), COLOR), COLOR)
    assert "\x1b[33munconfirmed, 4:31 left\x1b[0m" in sent(render(states("unconfirmed, 4:31 left"), COLOR), COLOR)


def test_without_colour_the_text_is_the_same() -> None:
    colored, plain = sent(render(states("away"), COLOR), COLOR), sent(render(states("away"), PLAIN), PLAIN)
    assert "\x1b" not in plain
    for code in ("\x1b[31m", "\x1b[1m", "\x1b[0m"):
        colored = colored.replace(code, "")
    assert colored == plain


def test_what_comes_and_goes_is_coloured_in_a_difference_alone() -> None:
    lines = ["  a {", "-     b;", "+     c;", "  }"]
    tree = Tree(lambda: lines, lambda: lines, dict, signed=True)
    assert sent(render(tree, COLOR), COLOR).splitlines()[1:3] == ["\x1b[31m-     b;\x1b[0m", "\x1b[32m+     c;\x1b[0m"]
    assert render(Tree(lambda: lines, lambda: lines, dict), COLOR) == lines


def test_errors_documents_and_trees_too() -> None:
    assert render_failure(Failure("x", "bad", "", 1), True)[0] == f"{Style.BAD}error{END}: x"
    assert render_failure(Failure("", "bad", "", 2))[0] == "syntax error: bad"
    assert f"{Style.GOOD}up{END}" in render(Document({"state": "up", "name": "up"}), COLOR)[0]
    outline = Outline("top", [Branch("up   up 1", (Branch("x"),), "   up "), Branch("y")])
    assert render(outline, Screen()) == ["top", "├── up   up 1", "│   └── x", "└── y"]
    assert render(outline, Screen(unicode=False)) == ["top", "|-- up   up 1", "|   `-- x", "`-- y"]
    assert render(outline, COLOR)[1] == f"├── up   {Style.GOOD}up{END} 1"


def test_marks_never_reach_a_terminal_that_does_not_want_them() -> None:
    assert encode(f"{Style.BAD}x{END}", PLAIN) == b"x"
    assert encode(f"{Style.BAD}x{END}", Screen(unicode=False, color=True)) == b"\x1b[31mx\x1b[0m"


def test_settings_go_before_what_the_terminal_says() -> None:
    settings = ScreenSettings()
    assert settings.applied(COLOR) == COLOR
    settings.columns, settings.rows, settings.color = 0, 0, False
    assert settings.applied(COLOR) == Screen(0, 0, True, False)
