"""A piece of configuration as text: hierarchy by default, set lines on request (the texts themselves come
from data/).
"""

from __future__ import annotations

from views.color import of_difference
from views.models import Tree


def render_configuration(tree: Tree, color: bool = False) -> list[str]:
    """The hierarchy as lines; in a difference what comes and what goes is coloured."""
    lines = list(tree.hierarchy())
    return [of_difference(line) for line in lines] if color and tree.signed else lines
