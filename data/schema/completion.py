"""What may stand next on a `set`, `delete`, `edit` or `show` line, with live values: for Tab and for `?`.

Costs the length of the line and the number of completions shown, not the size of the configuration (one list
of names is looked through, 5 ms for 100,000): nothing is built per key press.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data.configuration import Configuration
from data.errors import SyntaxProblem
from data.index import reference_scope
from data.path import Path, path_text, quoted
from data.schema.nodes import FACTS, LeafNode, Node, children_of, may_be_below, reference_name
from data.schema.objects import ENDPOINT_KINDS, Domain, Endpoint
from data.schema.words import Reader
from data.templates import domain_of, source_of, template_of

COMPLETIONS_SHOWN = 50
"""Live values offered for one word."""
_NAMES_IN_HINT = 3

ENTER = "<enter>"


@dataclass(frozen=True, slots=True)
class Completion:
    """One possibility.

    `word` is what to insert ("" when only the kind of value is known, `<enter>` when the line is complete),
    `help` explains it, `hint` is the type of the value that follows or a few live names, `live` says that the
    word was read from the configuration.
    """

    word: str
    help: str = ""
    hint: str = ""
    live: bool = False


def complete(
    words: Sequence[str],
    partial: str,
    view: Configuration,
    *,
    verb: str = "set",
    at: Path = (),
    limit: int = COMPLETIONS_SHOWN,
) -> list[Completion]:
    """Completions of `partial`, the word being typed after `words`. The verb itself is not among the words.

    `verb` is set, delete, edit or show: delete offers only what is there, edit and show only objects. An
    error in the words gives no completions.
    """
    reader = Reader(words, at, abbreviations=True)
    given: set[str] = set()
    try:
        while reader.more:
            item = reader.keyword()
            if isinstance(item, Node):
                if item.key is not None and not reader.more:
                    return list(_names(view, reader.path, item, partial, verb, limit))
                reader.enter(item)
                given = set()
            elif verb in ("edit", "show"):
                return []
            elif _is_open(reader, item):
                return list(_values(view, reader, item, partial, verb, limit))
            else:
                if item.secret:
                    reader.index += 1  # hashing it would take 50 ms of every key press
                else:
                    reader.value(item)
                if verb == "delete":
                    return [Completion(ENTER, "delete it")] if not partial and not reader.more else []
                given.add(item.keyword)
    except SyntaxProblem:
        return []
    return list(_keywords(view, reader, partial, verb, given))


def _is_open(reader: Reader, leaf: LeafNode) -> bool:
    """Whether the value of the leaf is still to be typed, at least in part."""
    rest = reader.words[reader.index :]
    if leaf.flag:
        return False
    if not rest:
        return True
    if leaf.endpoint:
        return len(rest) == 1 and reader.expand(rest[0], list(ENDPOINT_KINDS), "kind") != "any"
    return leaf.many and rest[0] == "[" and "]" not in rest


def _names(view: Configuration, above: Path, node: Node, partial: str, verb: str, limit: int) -> Iterator[Completion]:
    names = view.search(above, node.keyword, partial, limit)
    for name in names:
        item = view.get((*above, node.keyword, name))
        yield Completion(name, (item.description or "") if item else "", live=True)
    domain = domain_of(above) if verb in ("set", "edit") else None
    template = None if domain is None else template_of(view.get(domain))
    source = None if template is None else source_of((*above, node.keyword, ""), template)
    if source is not None and template is not None:
        inherited = view.unconfined.search(source[:-2], node.keyword, partial, limit)
        inherited = [name for name in inherited if name not in names]
        names = [*names, *inherited]
        yield from (Completion(name, f"from {path_text(template)}", live=True) for name in inherited)
    if node.key is not None and verb in ("set", "edit") and partial not in names:
        yield Completion("", f"a new {node.keyword}: {node.key.help}", node.key.hint)


def _keywords(view: Configuration, reader: Reader, partial: str, verb: str, given: set[str]) -> Iterator[Completion]:
    path, node = reader.path, reader.node
    item = view.get(path) if path else None
    if not partial and _complete(reader, verb, given):
        yield Completion(ENTER, {"set": "make it so", "delete": "delete it and all below it"}.get(verb, f"{verb} this"))
    for keyword, leaf in node.leaves.items() if node and verb in ("set", "delete") else ():
        if not keyword.startswith(partial) or (keyword in given and not leaf.many):
            continue
        if verb == "delete":
            if given or item is None or not leaf.is_set(getattr(item, leaf.field)):
                continue
            yield Completion(keyword, leaf.facts.help, text_of(leaf, getattr(item, leaf.field)))
        else:
            needed = leaf.facts.mandatory and not (item and leaf.is_set(getattr(item, leaf.field)))
            yield Completion(keyword, _meaning(leaf), leaf.type.hint + (" (needed)" if needed else ""))
    for keyword, child in children_of(path).items():
        if not keyword.startswith(partial):
            continue
        names = view.search(path, keyword, "", _NAMES_IN_HINT + 1) if child.key else []
        here = bool(names) or (child.key is None and view.get((keyword,)) is not None)
        if here or verb not in ("delete", "show"):
            shown = [*names[:_NAMES_IN_HINT], "..."] if len(names) > _NAMES_IN_HINT else names
            yield Completion(keyword, child.facts.help, f"[{', '.join(shown)}]" if shown else "")


def _complete(reader: Reader, verb: str, given: set[str]) -> bool:
    if verb == "set":
        return bool(given) or (reader.path != reader.at and reader.node is not None and reader.node.key is not None)
    return reader.path != reader.at or verb == "show"


def _values(
    view: Configuration, reader: Reader, leaf: LeafNode, partial: str, verb: str, limit: int
) -> Iterator[Completion]:
    rest = list(reader.words[reader.index :])
    item = view.get(reader.path)
    if verb == "delete":
        value = getattr(item, leaf.field) if item else ()
        if not rest and not partial:
            yield Completion(ENTER, f"delete {leaf.keyword}")
        if leaf.many and isinstance(value, tuple):
            left = (leaf.type.text(one) for one in value)
            yield from (Completion(one, live=True) for one in left if one.startswith(partial) and one not in rest)
        return
    if leaf.endpoint and rest:
        kind = reader.expand(rest[0], list(ENDPOINT_KINDS), "kind")
        yield from reference_names(view, reader.path, kind, partial, limit)
        return
    if rest and not partial:
        yield Completion("]", "end of the list")
    for word, help in leaf.type.choices:
        if leaf.endpoint and word != "any" and not nameable(reader.path, word):
            continue
        if word.startswith("<"):
            if not partial or partial.isdecimal():
                yield Completion("", help, word)
        elif word.startswith(partial):
            yield Completion(word, help)
    if leaf.facts.reference:
        taken = {*rest, *(getattr(item, leaf.field) if item and leaf.many else ())}
        for completion in reference_names(view, reader.path, leaf.facts.reference, partial, limit):
            if completion.word not in taken:
                yield completion
    elif not leaf.type.choices:
        yield Completion("", _meaning(leaf), leaf.type.hint)
    if leaf.many and not rest and not partial:
        yield Completion("[", "several values, up to ]")


def _meaning(leaf: LeafNode) -> str:
    """What a value of the leaf means, and its unit."""
    return f"{leaf.facts.help}, in {leaf.type.units}" if leaf.type.units else leaf.facts.help


def reference_names(view: Configuration, path: Path, kind: str, partial: str, limit: int) -> Iterator[Completion]:
    """Names of `kind` that the object at `path` can refer to."""
    scope = reference_scope(path, kind)
    if scope is None:
        return
    if kind == Domain.declared.keyword:
        yield from _shared_domains(view, path, partial, limit)
        return
    always = [name for name in FACTS[kind].built_in if name.startswith(partial)]
    yield from (Completion(name, "built in", live=True) for name in always[:limit])
    found = len(always)
    if found >= limit:
        return
    seen: set[str] = set()
    for where, name, template in _own_and_inherited(view, scope, kind, partial, limit):
        if name in seen:
            continue
        seen.add(name)
        at = "in " + path_text(where) if where else ""
        yield Completion(name, f"{at}   from {path_text(template)}".strip() if template else at, live=True)
        found += 1
        if found >= limit:
            return
    if not found:
        yield Completion("", f"no {kind} there yet", "<name>")


def _own_and_inherited(
    view: Configuration, scope: Path, kind: str, partial: str, limit: int
) -> Iterator[tuple[Path, str, Path]]:
    """Where below the scope a name is, the name, and the template that it comes from: () for what is there itself."""
    for where, name in _below(view, scope, kind, partial, limit):
        yield where[len(scope) :], name, ()
    template = template_of(view.get(scope)) if scope else None
    if template is not None:
        for where, name in _below(view.unconfined, template, kind, partial, limit):
            yield where[len(template) :], name, template


def nameable(path: Path, kind: str) -> bool:
    """Whether the object at `path` is at a place from where objects of the kind could be named."""
    scope = reference_scope(path, kind)
    return scope is not None and may_be_below(scope, kind)


def _shared_domains(view: Configuration, path: Path, partial: str, limit: int) -> Iterator[Completion]:
    others = (one for one in view.holders("domain", "shared", (), True) if one != path)
    names = sorted(name for name in map(reference_name, others) if name.startswith(partial))
    yield from (Completion(name, "shared", live=True) for name in names[:limit])
    if not names:
        yield Completion("", "a domain that is shared", "<enterprise/domain>")


def _below(view: Configuration, above: Path, kind: str, partial: str, limit: int) -> Iterator[tuple[Path, str]]:
    for keyword, child in children_of(above).items():
        if keyword == kind:
            yield from ((above, name) for name in view.search(above, kind, partial, limit))
        elif kind in child.children:
            for name in view.children(above, keyword):
                yield from _below(view, (*above, keyword, name), kind, partial, limit)


def text_of(leaf: LeafNode, value: object) -> str:
    """The value of a leaf as words: nothing for a flag, `[ a b ]` for several values."""
    if leaf.flag:
        return ""
    if isinstance(value, Endpoint):
        return str(value)
    if isinstance(value, tuple):
        words = [quoted(leaf.type.text(one)) for one in value]
        return words[0] if len(words) == 1 else f"[ {' '.join(words)} ]"
    return quoted(leaf.type.text(value))
