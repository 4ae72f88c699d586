"""The configuration as JSON: keywords and names as keys, leaves as values.

    {"enterprise": {"acme": {"domain": {"prod": {"vport": {"web-1": {"address": ["10.1.1.11"], "subnet":
    "web1"}}}}}}}

Numbers are numbers, flags are true, several values are a list, an endpoint is "any" or {"zone": "app"}. What an
object says beside its leaves stands under "@annotation" (text) and "@inactive" (true).
"""

from __future__ import annotations

from typing import Any

import msgspec

from data.configuration import Configuration
from data.errors import SyntaxProblem
from data.path import Path, path_text
from data.schema.nodes import TOP, LeafNode, Node, children_of, node_of
from data.schema.objects import Endpoint, Object
from data.schema.secret import HIDDEN
from data.schema.types import BadValue, parse_annotation
from data.schema.words import Reader, listed
from data.text.loaded import Loaded, place, without_empty_containers

ANNOTATION, INACTIVE = "@annotation", "@inactive"


def json_form(view: Configuration, under: Path = ()) -> dict[str, Any]:
    """Plain data of the object at `under` and all below it."""
    item = view.get(under) if under else None
    form: dict[str, Any] = _leaves(under, item) if item is not None else {}
    for keyword, node in children_of(under).items():
        if node.key is None:
            container = view.get((keyword,))
            if container is not None:
                form[keyword] = _leaves((keyword,), container)
        else:
            names = view.children(under, keyword)
            if names:
                form[keyword] = {name: json_form(view, (*under, keyword, name)) for name in names}
    return form


def json_text(view: Configuration, under: Path = ()) -> str:
    """The same as text, indented by two."""
    return msgspec.json.format(msgspec.json.encode(json_form(view, under)), indent=2).decode()


def _leaves(path: Path, item: Object) -> dict[str, Any]:
    form: dict[str, Any] = {}
    if item.annotation is not None:
        form[ANNOTATION] = item.annotation
    if item.inactive:
        form[INACTIVE] = True
    for keyword, leaf in node_of(path).leaves.items():
        value = getattr(item, leaf.field)
        if value != leaf.default:
            form[keyword] = json_value(leaf, value)
    return form


def json_value(leaf: LeafNode, value: object) -> object:
    """The plain form of a leaf's value."""
    if leaf.secret:
        return HIDDEN
    if isinstance(value, Endpoint):
        return {value.kind: value.name} if value.name else value.kind
    return list(value) if isinstance(value, tuple) else value


def read_json(text: str | bytes, source: str) -> Loaded:
    """Read JSON; raises SyntaxProblem naming the path of what is wrong."""
    try:
        form = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SyntaxProblem(source, f"not JSON: {error}", "check the text with a JSON tool") from None
    loaded = Loaded()
    _objects(loaded, (), TOP, form)
    return without_empty_containers(loaded)


def _objects(loaded: Loaded, path: Path, nodes: dict[str, Node], form: object) -> None:
    node = node_of(path) if path else None
    if not isinstance(form, dict):
        shown = "this" if node and any(leaf.secret for leaf in node.leaves.values()) else _shown(form)
        raise SyntaxProblem(path_text(path), f"{shown} is not an object", "write { ... }")
    leaves: dict[str, object] = {}
    marks: dict[str, object] = {}
    for keyword, value in form.items():
        child = nodes.get(keyword)
        leaf = node.leaves.get(keyword) if node else None
        if child is not None and child.key is None:
            _objects(loaded, (keyword,), child.children, value)
        elif child is not None:
            if not isinstance(value, dict):
                where = path_text((*path, keyword))
                raise SyntaxProblem(where, f"{_shown(value)} is not an object of names", 'write { "name": { ... } }')
            for name, below in value.items():
                reader = Reader((name,), path)
                reader.enter(child)
                _objects(loaded, reader.path, child.children, below)
        elif leaf is not None:
            leaves[leaf.field] = _value(path, leaf, value)
        elif node is not None and keyword in (ANNOTATION, INACTIVE):
            marks.update(_mark(path, keyword, value))
        else:
            possible = [*nodes, *(node.leaves if node else ())]
            where = path_text((*path, keyword))
            raise SyntaxProblem(
                where, f"'{keyword}' is not known here", f"expected: {listed(possible)}", expected=possible
            )
    if node is not None:
        place(loaded, path, node, {**{name: value for name, value in leaves.items() if value is not False}, **marks})


def _mark(path: Path, keyword: str, value: object) -> dict[str, object]:
    where = f"{path_text(path)} {keyword}"
    if keyword == INACTIVE:
        if not isinstance(value, bool):
            raise SyntaxProblem(where, f"{_shown(value)} is not true or false", "write true, or leave it out")
        return {"inactive": value}
    if not isinstance(value, str):
        raise SyntaxProblem(where, f"{_shown(value)} is not a string", "write a string")
    try:
        return {"annotation": parse_annotation(value) or None}
    except BadValue as bad:
        raise SyntaxProblem(where, bad.cause, bad.remedy) from None


def _value(path: Path, leaf: LeafNode, value: object) -> object:
    where = (*path, leaf.keyword)
    if leaf.secret and not isinstance(value, str):
        raise SyntaxProblem(path_text(where), "this is not a string", f"write a string: {leaf.type.help}")
    if leaf.flag:
        if not isinstance(value, bool):
            raise SyntaxProblem(
                path_text(where), f"{_shown(value)} is not true or false", "write true, or leave it out"
            )
        return value
    if leaf.endpoint:
        if isinstance(value, dict) and len(value) == 1:
            return _read(path, leaf, [str(word) for item in value.items() for word in item])
        if value == "any":
            return Endpoint()
        raise SyntaxProblem(
            path_text(where), f"{_shown(value)} is no endpoint", 'write "any" or for example {"zone": "app"}'
        )
    if leaf.many != isinstance(value, list):
        remedy = "write [ ... ]" if leaf.many else "write one value"
        raise SyntaxProblem(
            path_text(where), f"{_shown(value)} is not {'a list' if leaf.many else 'one value'}", remedy
        )
    if isinstance(value, list):
        return tuple(_read(path, leaf, [_word(where, leaf, one)]) for one in value)
    return _read(path, leaf, [_word(where, leaf, value)])


def _word(where: Path, leaf: LeafNode, value: object) -> str:
    numeric = leaf.type.json_type == "integer"
    if isinstance(value, bool) or not isinstance(value, int if numeric else str):
        kind = "a number" if numeric else "a string"
        raise SyntaxProblem(path_text(where), f"{_shown(value)} is not {kind}", f"write {kind}: {leaf.type.help}")
    return str(value)


def _read(path: Path, leaf: LeafNode, words: list[str]) -> object:
    reader = Reader(words, path)
    try:
        value = reader.value(leaf)
    except SyntaxProblem as problem:
        raise SyntaxProblem(
            path_text((*path, leaf.keyword)), problem.cause, problem.remedy, expected=problem.expected
        ) from None
    return value[0] if leaf.many and isinstance(value, tuple) else value


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else text[:37] + "..."
