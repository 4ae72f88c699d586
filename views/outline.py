"""A tree of things as lines, with the corners of Unicode or of ASCII.

controller 10.0.0.1   ready 2
├── hv1   ready 00:00:09          |-- hv1   ready 00:00:09
│   └── port 1   acme/prod/web-1  |   `-- port 1   acme/prod/web-1
└── hv2   ready 00:00:09          `-- hv2   ready 00:00:09
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from views.color import of_state
from views.models import Branch, Outline

UNICODE = ("├── ", "└── ", "│   ")
ASCII = ("|-- ", "`-- ", "|   ")


def render_outline(outline: Outline, unicode: bool = True, color: bool = False) -> list[str]:
    """The outline as lines."""
    signs = UNICODE if unicode else ASCII
    return [outline.title, *lines(outline.branches, "", signs, color), *outline.below]


def lines(branches: Sequence[Branch], before: str, signs: tuple[str, str, str], color: bool) -> Iterator[str]:
    """The branches and what hangs below them."""
    branch_sign, last_sign, through = signs
    for at, branch in enumerate(branches):
        last = at == len(branches) - 1
        text = branch.text.replace(branch.state, of_state(branch.state), 1) if color and branch.state else branch.text
        yield f"{before}{last_sign if last else branch_sign}{text}"
        yield from lines(branch.below, before + ("    " if last else through), signs, color)
