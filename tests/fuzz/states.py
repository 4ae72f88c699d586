"""Configurations of any shape: objects from the schema, remarks and texts with every special character, secrets, and
some of it deactivated."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from hypothesis import strategies as st

from data.candidate import Candidate
from data.configuration import Configuration, Running
from data.path import Path
from data.schema.nodes import NODES, node_of
from data.schema.objects import Object
from data.schema.types import parse_annotation
from data.text import hierarchy_lines, json_text, set_lines
from tests.unit.data.examples import any_lines, apply

PIECES = [
    '"',
    "\\",
    "#",
    "{",
    "}",
    ";",
    "[",
    "]",
    "|",
    "/*",
    "*",
    "/",
    "'",
    " ",
    "inactive:",
    "@inactive",
    "set",
    "a",
    "ß",
    "名",
]
PIECES += ["to", "annotate", "********", "$scrypt$", "😀", "\\\\", '\\"', ":", "<", "?", "%s", "{0}", "\u0301"]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join).filter(lambda text: text.isprintable())
remarks = texts.filter(lambda text: "*/" not in text).map(parse_annotation)
FORMS = {
    "set": lambda view: "\n".join(set_lines(view)),
    "hierarchy": lambda view: "\n".join(hierarchy_lines(view)),
    "json": json_text,
}
"""The texts of a configuration."""


@st.composite
def configurations(draw: st.DrawFn) -> Running:
    """A committed configuration; it need not pass the rules."""
    state = Running()
    candidate = Candidate(state, "ops")
    apply(candidate, draw(any_lines))
    paths = [path for path, _ in candidate.view.walk()]
    some = st.lists(st.sampled_from(paths), max_size=4) if paths else st.just([])
    for path in draw(some):
        candidate.set(["description", draw(texts)], at=path)
    for path in draw(some):
        candidate.annotate([], draw(remarks), at=path)
    for path in draw(some):
        candidate.deactivate([], at=path)
    state.apply(candidate.edits(), 1)
    return state


def secrets(view: Configuration) -> Iterator[str]:
    """Every secret that is kept."""
    for path, item in view.walk():
        for leaf in node_of(path).leaves.values():
            value = getattr(item, leaf.field)
            if leaf.secret and value:
                yield value


def told(view: Configuration) -> dict[Path, Object]:
    """The objects as texts tell them: without UUIDs and secrets, and without containers that hold nothing else."""
    plainly = ((path, plain(path, item)) for path, item in view.walk())
    return {path: item for path, item in plainly if len(path) % 2 == 0 or item != type(item)(uuid="")}


def plain(path: Path, item: Object) -> Object:
    hidden = {leaf.field: leaf.default for leaf in NODES[path[::2]].leaves.values() if leaf.secret}
    return msgspec.structs.replace(item, uuid="", **hidden)
