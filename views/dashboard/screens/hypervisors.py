"""Hypervisors: `show dvrs` with the rates of `show statistics dvrs`; Enter shows one with its vports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal

from data.steps import spread
from views.dashboard.arranging import only
from views.dashboard.board import Ask, Beside, Board, said
from views.dashboard.grid import Grid
from views.dashboard.pages import Pages
from views.dashboard.screens.vports import Vport, full_name
from views.models import Model, Table

if TYPE_CHECKING:
    from data.errors import NshellError
    from views.dashboard.arranging import Cells

VPORTS = ("name", "place", "address", "dvrs", "state", "since")
"""Columns of its vports that are seen."""

WIDE = 110
"""Cells from which on the facts stand beside the vports."""

__all__ = ["Hypervisor", "Hypervisors"]


class Hypervisors(Beside):
    """One row per hypervisor."""

    NAME = "hypervisors"
    LINE: ClassVar[str] = "show dvrs"
    NUMBERS: ClassVar[str] = "show statistics dvrs"
    COLUMNS: ClassVar[Sequence[str]] = ("name", "state", "vports", "flows", "sends", "gets", "trend", "reason")
    SPARE: ClassVar[Sequence[str]] = ("trend", "since", "tunnel_address", "dropped", "system_id")

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        return Hypervisor(str(grid.value(row, "name")))


class Hypervisor(Board):
    """One hypervisor: its vports beside its facts."""

    DEFAULT_CSS = """
    Hypervisor Grid { width: 3fr; }
    Hypervisor Pages { width: 2fr; }
    Hypervisor.narrow Horizontal { layout: vertical; }
    Hypervisor.narrow Grid { width: 1fr; height: 2fr; }
    Hypervisor.narrow Pages { width: 1fr; height: 3fr; }
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._dvrs = name

    @property
    def heading(self) -> str:
        return self._dvrs

    @property
    def asks(self) -> Sequence[Ask]:
        return Ask("detail", f"show dvrs {self._dvrs} detail"), Ask("vports", "show vports")

    def compose(self) -> ComposeResult:
        grid, facts = Grid(lambda row: row[:2], self._here), Pages()
        grid.border_title, facts.border_title = "Virtual ports", f"dVRS {self._dvrs}"
        with Horizontal():
            yield grid.add_class("panel")
            yield facts.add_class("panel")

    def on_resize(self) -> None:
        self.set_class(self.size.width < WIDE, "narrow")

    def _here(self, row: Cells) -> bool:
        return self.query_one(Grid).value(row, "dvrs") == self._dvrs

    async def take(self, name: str, model: Model) -> None:
        if name == "detail":
            self.query_one(Pages).put_model(model)
        elif isinstance(model, Table):
            await self.query_one(Grid).fill(await spread(only(model, VPORTS, ("address",))))

    def refuse(self, name: str, problem: NshellError) -> None:
        if name == "detail":
            self.query_one(Pages).put([said(problem)])
        else:
            self.query_one(Grid).refuse(said(problem))

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        return Vport(full_name(row))
