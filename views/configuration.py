"""A piece of configuration as text: hierarchy by default, set lines on request (the texts themselves come
from data/).
"""

from __future__ import annotations

from views.models import Tree


def render_configuration(tree: Tree) -> list[str]:
    """The hierarchy as lines."""
    return list(tree.hierarchy())
