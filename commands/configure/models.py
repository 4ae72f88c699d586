"""Configurations and differences as read-models: the texts come from data/, made only in the form that is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from data.configuration import Configuration
from data.difference import Changes, difference_hierarchy, difference_lines
from data.path import Path, path_text
from data.schema.objects import Object
from data.text import hierarchy_lines, json_form, set_lines
from data.text.inheritance import Inheritance
from views.models import Tree

Compared = Callable[[int | None], Awaitable[Tree]]


def tree(
    view: Configuration,
    under: Path = (),
    compared: Compared | None = None,
    acting: Callable[[], Configuration] | None = None,
) -> Tree:
    """The object at `under` and all below it. `acting` gives what has effect of the view, for what is inherited."""

    def inherited() -> Tree:
        assert acting is not None
        both = Inheritance(view, acting(), under)
        return Tree(lambda: list(both.hierarchy()), lambda: list(both.set_lines()), both.json_form)

    return Tree(
        lambda: list(hierarchy_lines(view, under)),
        lambda: list(set_lines(view, under)),
        lambda: json_form(view, under),
        compared=compared,
        inherited=inherited if acting is not None else None,
    )


def difference(changes: Changes, under: Path = ()) -> Tree:
    """What differs at or below a place: hierarchy with + and -, set and delete lines, or a list of changed objects."""
    if under:
        changes = {path: pair for path, pair in changes.items() if path[: len(under)] == under}

    def document() -> object:
        return {
            "changes": [{"path": path_text(path), "change": kind(*pair)} for path, pair in changes.items()],
            "lines": difference_lines(changes),
        }

    def hierarchy() -> list[str]:
        return list(difference_hierarchy(changes)) if changes else ["no difference"]

    return Tree(hierarchy, lambda: difference_lines(changes), document, signed=True)


def kind(old: Object | None, new: Object | None) -> str:
    """added, removed or changed."""
    return "added" if old is None else "removed" if new is None else "changed"


def overlaid(changes: Changes, running: Configuration, edits: Mapping[Path, Object | None]) -> Changes:
    """The changes up to the running configuration, carried on through a candidate's edits."""
    result = dict(changes)
    for path, new in edits.items():
        old = changes[path][0] if path in changes else running.get(path)
        result[path] = (old, new)
    return {path: (old, new) for path, (old, new) in result.items() if old != new}
