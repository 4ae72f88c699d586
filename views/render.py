"""Which renderer takes which model; and the last step for terminals that know nothing but ASCII."""

from __future__ import annotations

from dataclasses import dataclass

from views.configuration import render_configuration
from views.document import render_document
from views.models import Document, Lines, Model, Plan, Receipts, Several, Table
from views.plan import render_plan
from views.receipts import render_receipts
from views.table import render_table


@dataclass(frozen=True, slots=True)
class Screen:
    """What the other end can show: width in characters (0: no limit) and whether it takes more than ASCII."""

    columns: int = 0
    rows: int = 0
    unicode: bool = True


def render(model: Model, screen: Screen) -> list[str]:
    """The model as lines of text for this screen."""
    if isinstance(model, Table):
        lines = render_table(model, screen.columns, screen.unicode)
    elif isinstance(model, Lines):
        lines = list(model.lines)
    elif isinstance(model, Document):
        lines = render_document(model)
    elif isinstance(model, Several):
        lines = []
        for part in model.parts.values():
            lines += ([""] if lines else []) + render(part, screen)
    elif isinstance(model, Plan):
        lines = render_plan(model)
    elif isinstance(model, Receipts):
        lines = render_receipts(model)
    else:
        lines = render_configuration(model)
    return lines


_CONTROLS = {code: f"\\u{code:04x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


def harmless(text: str) -> str:
    """Text without control characters: what a hypervisor calls itself must not steer the operator's terminal.

    They are written as JSON writes them, so that a document stays one.
    """
    return text.translate(_CONTROLS)


def encode(text: str, screen: Screen) -> bytes:
    """Text for the wire; a terminal without UTF-8 gets '?' for what it cannot show."""
    return text.encode("utf-8", "replace") if screen.unicode else text.encode("ascii", "replace")
