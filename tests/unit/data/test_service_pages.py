"""The examples of docs/services/ are true: typed literally into the network that README.md there gives, they commit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data.acting import Acting, acting_edits
from data.configuration import Overlay
from data.rules import check
from tests.unit.data.examples import edited, running

PAGES = Path(__file__).parents[3] / "docs" / "services"
NAMES = sorted(page.stem for page in PAGES.glob("*.md") if page.stem != "README")


def lines(name: str) -> list[str]:
    """The `set` lines of a page: those in its blocks, whether indented or fenced."""
    text = (PAGES / f"{name}.md").read_text()
    fenced = "".join(re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    indented = "".join(re.findall(r"^    (set .*\n)", text, re.MULTILINE))
    return [line for line in (fenced + indented).splitlines() if line.startswith("set ")]


@pytest.mark.parametrize("names", [*([name] for name in NAMES), NAMES], ids=[*NAMES, "all together"])
def test_examples_can_be_committed_as_they_stand(names: list[str]) -> None:
    before = running("\n".join(lines("README")))
    typed = [line for name in names for line in lines(name)]
    assert len(typed) >= len(names), "no example was found"
    edits = edited(before, *typed).edits()
    acting = Acting(before)
    found = acting_edits(acting, edits)
    assert check(Overlay(acting, found), found, acting, Overlay(before, edits)) == []


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = set(re.findall(r"^\| \[(\S+)\.md\]", (PAGES / "README.md").read_text(), re.MULTILINE))
    assert listed == set(NAMES)
