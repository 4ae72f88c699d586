"""What differs between two configurations, as set lines and as a hierarchy with marks.

Costs the changed objects, not the configuration, when it is made from edits or by the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from data.configuration import Configuration, Edits
from data.path import Path, path_text, quoted
from data.schema.completion import text_of
from data.schema.nodes import LeafNode, Node, node_of, order_key, parent_of
from data.schema.objects import Object
from data.text.hierarchy import ACTIVE, INACTIVE, Block, block, braced, remark
from data.text.set_lines import leaf_texts, mark_lines

Changes = Mapping[Path, tuple[Object | None, Object | None]]
"""Path → (old, new); None where the object does not exist."""


def of_edits(base: Configuration, edits: Edits) -> Changes:
    """The changes that edits make to a configuration."""
    changes = {path: (base.get(path), new) for path, new in edits.items()}
    return {path: pair for path, pair in changes.items() if pair[0] != pair[1]}


def between(old: Configuration, new: Configuration) -> Changes:
    """All changes from one configuration to another; looks at every object of both."""
    before = dict(old.walk())
    after = dict(new.walk())
    changes: dict[Path, tuple[Object | None, Object | None]] = {
        path: (item, after.get(path)) for path, item in before.items() if after.get(path) != item
    }
    changes.update((path, (None, item)) for path, item in after.items() if path not in before)
    return changes


def difference_lines(changes: Changes) -> list[str]:
    """Lines that turn the old into the new, deletions first. A secret is not in them: it stays what it is."""
    deleted: list[str] = []
    made: list[str] = []
    for path in sorted(changes, key=order_key):
        old, new = changes[path]
        words = path_text(path)
        if new is None:
            above = changes.get(parent_of(path))
            if above is None or above[1] is not None:
                deleted.append(f"delete {words}")
        elif old is None:
            texts = leaf_texts(path, new)
            if texts or len(path) > 1:
                made.append(" ".join(("set", words, *texts)))
            made += mark_lines(path, new)
        else:
            texts = []
            for leaf, before, after in _leaf_changes(node_of(path), old, new):
                gone, come = _gone_and_come(leaf, before, after)
                deleted += [f"delete {words} {text}" for text in gone]
                texts += come
            if texts:
                made.append(" ".join(("set", words, *texts)))
            if old.annotation != new.annotation:
                made.append(f"annotate {words} {quoted(new.annotation or '')}")
            if old.inactive != new.inactive:
                made.append(f"{'deactivate' if new.inactive else 'activate'} {words}")
    return deleted + made


def difference_hierarchy(changes: Changes) -> list[str]:
    """Lines of the hierarchy, each after a mark (`+` new, `-` gone, `!` deactivated or activated, blank for context)
    and a space."""
    return [f"{mark or ' '} {line}" for mark, line in braced(_blocks(changes))]


def _blocks(changes: Changes) -> Iterator[Block]:
    for path in sorted(changes, key=order_key):
        old, new = changes[path]
        if old is None or new is None:
            item = new if new is not None else old
            mark = "-" if new is None else "+"
            if item is not None:
                yield block(path, mark, item)
            continue
        marked = []
        for leaf, before, after in _leaf_changes(node_of(path), old, new):
            for mark, value in (("-", before), ("+", after)):
                if leaf.is_set(value):
                    marked.append((mark, f"{leaf.keyword} {text_of(leaf, value)}".rstrip()))
        if old.uuid != new.uuid:
            marked.append(("", f"# its UUID is {new.uuid} again, not {old.uuid}"))
        remarks: tuple[tuple[str, str], ...] = ()
        if old.annotation != new.annotation:
            pair = (("-", old.annotation), ("+", new.annotation))
            remarks = tuple((mark, remark(text)) for mark, text in pair if text)
        turned = old.inactive != new.inactive
        yield Block(path, "!" if turned else "", marked, remarks, (INACTIVE if new.inactive else ACTIVE) * turned)


def _leaf_changes(node: Node, old: Object, new: Object) -> Iterator[tuple[LeafNode, object, object]]:
    for leaf in node.leaves.values():
        before = getattr(old, leaf.field)
        after = getattr(new, leaf.field)
        if before != after:
            yield leaf, before, after


def _gone_and_come(leaf: LeafNode, before: object, after: object) -> tuple[list[str], list[str]]:
    """What to delete of a leaf, and what to set, as words."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        gone = tuple(value for value in before if value not in after)
        come = tuple(value for value in after if value not in before)
        return (
            [f"{leaf.keyword} {text_of(leaf, gone)}"] if gone else [],
            [f"{leaf.keyword} {text_of(leaf, come)}"] if come else [],
        )
    if not leaf.is_set(after):
        return [leaf.keyword], []
    return [], [f"{leaf.keyword} {text_of(leaf, after)}".rstrip()]
