"""Virtual ports: `show vports` with the rates of `show statistics vports`; Enter shows one: facts, policy, graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from views.dashboard.board import Ask, Beside, Board, Tabular, said
from views.dashboard.grid import Grid
from views.dashboard.pages import Pages
from views.models import Model

if TYPE_CHECKING:
    from data.errors import NshellError
    from views.dashboard.arranging import Cells

__all__ = ["Vport", "Vports", "full_name"]

BUSIEST = 500
"""Vports with rates, the busiest; of 10,000 the others are idle, and their rates would cost 0.2 s."""


def full_name(row: Cells) -> str:
    """'acme/prod/web-1' of a row of `show vports`: its place begins with enterprise and domain."""
    return "/".join([*str(row[1]).split("/")[:2], str(row[0])])


class Vports(Beside):
    """One row per vport."""

    NAME = "vports"
    LINE: ClassVar[str] = "show vports"
    NUMBERS: ClassVar[str] = f"show statistics vports top {BUSIEST}"
    COLUMNS: ClassVar[Sequence[str]] = ("name", "place", "address", "dvrs", "state", "sends", "gets", "trend")
    SPARE: ClassVar[Sequence[str]] = ("trend", "sent", "got", "since", "dropped", "mac")

    @staticmethod
    def identity(row: Cells) -> object:
        return full_name(row)

    def enter(self, grid: Grid, row: Cells) -> Board | None:
        return Vport(full_name(row))


class Vport(Board):
    """One vport: everything known of it, what policy applies, what passed in the last hour; Enter shows its flows."""

    DEFAULT_CSS = """
    Vport #facts { width: 1fr; }
    Vport #right { width: 1fr; }
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._vport = name

    @property
    def heading(self) -> str:
        return self._vport

    @property
    def asks(self) -> Sequence[Ask]:
        return (
            Ask("facts", f"show vports {self._vport} detail"),
            Ask("graph", f"graph throughput vport {self._vport}", 10.0),
            Ask("policy", f"show vport {self._vport} policy", 15.0),
        )

    def compose(self) -> ComposeResult:
        facts, graph, policy = Pages(id="facts"), Pages(id="graph"), Pages(id="policy")
        facts.border_title, graph.border_title, policy.border_title = self._vport, "Throughput", "Policy"
        with Horizontal():
            yield facts.add_class("panel")
            with Vertical(id="right"):
                yield graph.add_class("panel")
                yield policy.add_class("panel")

    async def take(self, name: str, model: Model) -> None:
        self.query_one(f"#{name}", Pages).put_model(model)

    def refuse(self, name: str, problem: NshellError) -> None:
        self.query_one(f"#{name}", Pages).put([said(problem)])

    def choose(self) -> Board | None:
        return Tabular(f"show flows vport {self._vport}", f"flows of {self._vport}")
