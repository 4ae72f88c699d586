"""Commits: `show system commit`, receipts as they arrive; Enter shows one with what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from views.dashboard.board import Ask, Board, Tabular, said
from views.dashboard.grid import Grid
from views.dashboard.pages import Pages
from views.models import Document, Model, Several, Table

if TYPE_CHECKING:
    from data.errors import NshellError
    from views.dashboard.arranging import Cells

__all__ = ["Commit", "Commits"]

WIDE = 110
"""Cells from which on the changes stand beside the receipts."""
LIVE = 1.0
"""Seconds between two looks: receipts of a commit come within a second, those of who was away later."""


class Commits(Tabular):
    """One row per revision, scheduled or failed commit, the newest first."""

    NAME = "commits"
    LINE: ClassVar[str] = "show system commit limit 100"
    EVERY: ClassVar[float] = LIVE

    @staticmethod
    def identity(row: Cells) -> object:
        return row[:3]

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        number = grid.value(row, "revision")
        return Commit(number) if isinstance(number, int) else super().enter(grid, row)


class Commit(Board):
    """One revision: who, when and why, its receipts, and what it changed."""

    DEFAULT_CSS = """
    Commit Vertical { width: 3fr; }
    Commit #changes { width: 2fr; }
    Commit #facts { height: 8; }
    Commit.narrow Horizontal { layout: vertical; }
    Commit.narrow Vertical { width: 1fr; height: 3fr; }
    Commit.narrow #changes { width: 1fr; height: 2fr; }
    Commit.narrow #facts { height: 6; }
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._revision = number

    @property
    def heading(self) -> str:
        return f"revision {self._revision}"

    @property
    def asks(self) -> Sequence[Ask]:
        before = max(0, self._revision - 1)
        return (
            Ask("receipts", f"show system commit revision {self._revision}", LIVE),
            Ask("changes", f"show configuration compare revision {before} to {self._revision}", 60.0),
        )

    def compose(self) -> ComposeResult:
        facts, receipts, changes = Pages(id="facts"), Grid(), Pages(id="changes")
        facts.border_title, receipts.border_title = f"Revision {self._revision}", "Receipts"
        changes.border_title = "What it changed"
        with Horizontal():
            with Vertical():
                yield facts.add_class("panel")
                yield receipts.add_class("panel")
            yield changes.add_class("panel")

    def on_resize(self) -> None:
        self.set_class(self.size.width < WIDE, "narrow")

    async def take(self, name: str, model: Model) -> None:
        if name == "changes":
            self.query_one("#changes", Pages).put_model(model)
        elif isinstance(model, Several):
            # attempts that failed before it come first; what counts is the last
            facts = [part for part in model.parts.values() if isinstance(part, Document)]
            tables = [part for part in model.parts.values() if isinstance(part, Table)]
            told = {key: value for key, value in facts[-1].facts.items() if key != "revision"}  # the panel's title
            self.query_one("#facts", Pages).put_model(Document(told))
            await self.query_one(Grid).fill(tables[-1])

    def refuse(self, name: str, problem: NshellError) -> None:
        if name == "changes":
            self.query_one("#changes", Pages).put([said(problem)])
        else:
            self.query_one(Grid).refuse(said(problem))
