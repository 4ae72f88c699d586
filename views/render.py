"""Which renderer takes which model; and the last step on the way to a terminal: colour, or nothing but ASCII."""

from __future__ import annotations

from dataclasses import dataclass, replace

from views.color import PLAIN, SEQUENCES
from views.configuration import render_configuration
from views.document import render_document
from views.graph import Graph
from views.models import Document, Lines, Model, Outline, Plan, Receipts, Several, Table
from views.outline import render_outline
from views.plan import render_plan
from views.plot import render_graph
from views.receipts import render_receipts
from views.table import render_table


@dataclass(frozen=True, slots=True)
class Screen:
    """What the other end can show: width and height in characters (0: no limit), more than ASCII, colour."""

    columns: int = 0
    rows: int = 0
    unicode: bool = True
    color: bool = False


@dataclass(slots=True)
class ScreenSettings:
    """What an operator wants instead of what the terminal says of itself; None is the terminal's own."""

    columns: int | None = None
    rows: int | None = None
    color: bool | None = None
    plain: bool = False
    """Lines are echoed as they are typed: no editor moves the cursor about."""

    def applied(self, screen: Screen) -> Screen:
        """The screen as it shall be used."""
        return replace(
            screen,
            columns=screen.columns if self.columns is None else self.columns,
            rows=screen.rows if self.rows is None else self.rows,
            color=screen.color if self.color is None else self.color,
        )


def render(model: Model, screen: Screen) -> list[str]:
    """The model as lines of text for this screen."""
    if isinstance(model, Table):
        lines = render_table(model, screen.columns, screen.unicode, screen.color)
    elif isinstance(model, Lines):
        lines = list(model.lines)
    elif isinstance(model, Document):
        lines = render_document(model, screen.color, screen.unicode)
    elif isinstance(model, Several):
        lines = []
        for part in model.parts.values():
            lines += ([""] if lines else []) + render(part, screen)
    elif isinstance(model, Plan):
        lines = render_plan(model, screen.color)
    elif isinstance(model, Receipts):
        lines = render_receipts(model, screen.color, screen.columns)
    elif isinstance(model, Graph):
        lines = render_graph(model, screen.columns, screen.rows, screen.unicode, screen.color)
    elif isinstance(model, Outline):
        lines = render_outline(model, screen.unicode, screen.color)
    else:
        lines = render_configuration(model, screen.color)
    return lines


_CONTROLS = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


def harmless(text: str) -> str:
    """Text without control characters: what a hypervisor calls itself must not steer the operator's terminal.

    They are written as JSON writes them, so that a document stays one.
    """
    return text.translate(_CONTROLS)


def encode(text: str, screen: Screen) -> bytes:
    """Text for the wire: marks become colour or nothing; a terminal without UTF-8 gets '?' for what it cannot show."""
    text = text.translate(SEQUENCES if screen.color else PLAIN)
    return text.encode("utf-8", "replace") if screen.unicode else text.encode("ascii", "replace")
