"""What of a configuration has effect: all but what is deactivated, and what domains inherit from their templates.

    configured   all objects that somebody typed, as texts and revisions show them
    acting       without the inactive ones, with the inherited ones: what is checked, compiled and looked up

`Acting` is the configured one with the differences laid over it, so it costs what is inactive and inherited, and
answers as fast as any other. `acting_edits` says what edits of the configured change of the acting; a commit makes
them both with `apply`. What a domain inherits is decided in `templates.py`, object by object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from data.configuration import Configuration, Edits, Overlay, Running
from data.path import Path
from data.schema.nodes import order_key
from data.schema.objects import Domain, DomainTemplate, Object
from data.templates import (
    TEMPLATE,
    derived,
    domain_of,
    in_template,
    inheriting,
    instances,
    merged,
    placed,
    source_of,
    template_of,
)

__all__ = ["Acting", "Successor", "acting_edits", "all_act", "inactive_at", "inherited_from"]

_LISTED = 2  # words of the path of a template


class _Effect:
    """What acts at each path of one configured state, which stays as it is meanwhile: it remembers what it found."""

    def __init__(self, view: Configuration) -> None:
        self.view = view
        self._off: dict[Path, bool] = {(): False}
        self._templates: dict[Path, tuple[Path, str] | None] = {}

    def off(self, path: Path) -> bool:
        """Whether the object at the path, or one above it, is inactive."""
        answer = self._off.get(path)
        if answer is None:
            item = self.view.get(path)
            answer = self._off[path] = (item is not None and item.inactive) or self.off(path[:-2])
        return answer

    def template(self, domain: Path) -> tuple[Path, str] | None:
        """The template whose objects act in a domain, and the UUID of the domain."""
        if domain not in self._templates:
            item = self._active(domain)
            template = template_of(item)
            there = template is not None and self._active(template) is not None
            self._templates[domain] = (template, item.uuid) if item and template and there else None
        return self._templates[domain]

    def _active(self, path: Path) -> Object | None:
        return None if self.off(path) else self.view.get(path)

    def at(self, path: Path) -> Object | None:
        """The object that acts at the path."""
        own = self._active(path)
        domain = domain_of(path)
        template = None if domain is None else self.template(domain)
        if template is None:
            return own
        source = source_of(path, template[0])
        given = None if source is None else self._active(source)
        if given is None:
            return own
        if own is None:
            return derived(given, template[1])
        if isinstance(own, Domain):
            return inheriting(own, given) if isinstance(given, DomainTemplate) else own
        return merged(path, own, given)

    def inherited_by(self, domain: Path) -> Iterator[Path]:
        """Where a domain may inherit something: itself, and the places of all objects of its template."""
        template = self.template(domain)
        if template is not None:
            for path, _ in self.view.walk(template[0]):
                yield placed(domain, path)


class Acting(Overlay):
    """What acts of `configured`. Whoever commits calls `apply`, or `become` with a `successor`."""

    __slots__ = ("configured",)

    def __init__(self, configured: Running) -> None:
        super().__init__(configured)
        self.configured = configured
        effect = _Effect(configured)
        for path in _different(effect):
            item = effect.at(path)
            if item != configured.get(path):
                self.put(path, item)

    def apply(self, edits: Edits, acting: Edits, revision: int) -> None:
        """Make the edits the committed state; `acting` is what `acting_edits` made of them. Costs both."""
        laid = {} if acting is edits else self._laid(edits, acting)
        self.configured.apply(edits, revision)
        for path, (differs, item) in laid.items():
            if differs:
                self.put(path, item)
            else:
                self.withdraw(path)

    def _laid(self, edits: Edits, acting: Edits) -> dict[Path, tuple[bool, Object | None]]:
        """For each path: whether what acts there will differ from what is configured, and what it is."""
        found: dict[Path, tuple[bool, Object | None]] = {}
        for path in (*acting, *(path for path in edits if path not in acting)):
            item = acting[path] if path in acting else self.get(path)
            configured = edits[path] if path in edits else self.configured.get(path)
            found[path] = (item != configured, item)
        return found

    def successor(self, edits: Edits, acting: Edits, revision: int) -> Successor:
        """What `apply` would make of this, as other objects; costs the configuration.

        Reads only, so that a worker thread can do it as long as nobody applies anything meanwhile.
        """
        layer: Overlay | None = None
        if acting is not edits:
            differences = dict(self.edits)
            for path, (differs, item) in self._laid(edits, acting).items():
                if differs:
                    differences[path] = item
                else:
                    differences.pop(path, None)
            layer = Overlay(self.configured, differences)
        return Successor(self.configured.successor(edits, revision), layer)

    def become(self, successor: Successor) -> None:
        """Be what `successor` is, at once, and the configured with it. The successor is used up."""
        self.configured.become(successor.configured)
        layer = successor.layer
        if layer is not None:
            self._edits, self._index = layer._edits, layer._index
            self._added, self._removed = layer._added, layer._removed


@dataclass(frozen=True, slots=True)
class Successor:
    """Both configurations after many edits; no `layer` when the differences between them stay the same."""

    configured: Running
    layer: Overlay | None


def _different(effect: _Effect) -> Iterator[Path]:
    """The paths at which what acts may differ from what is configured."""
    view = effect.view
    assert isinstance(view, Running)
    for outer in view.inactive:
        for path, _ in view.walk(outer):
            yield path
    for name in view.children((), TEMPLATE):
        for domain in instances(view, (TEMPLATE, name)):
            yield from effect.inherited_by(domain)


def acting_edits(acting: Acting, edits: Edits) -> Edits:
    """The edits of what acts that edits of the configured make; the same object while nothing is inactive or inherited
    before or after. Pure. Costs the edits, what lies below an object that is turned on or off, and for each edit of a
    template the domains made from it."""
    if all_act(acting, edits):
        return edits
    configured = acting.configured
    effects = _Effect(configured), _Effect(Overlay(configured, edits))
    found: dict[Path, Object | None] = {}
    for path in dict.fromkeys(_touched(effects, edits)):
        now = effects[1].at(path)
        if now != acting.get(path):
            found[path] = now
    return found


def all_act(acting: Acting, edits: Edits) -> bool:
    """Whether what acts is what is configured, before these edits and after them. Costs the edits at most."""
    if acting.edits:
        return False
    for path, item in edits.items():  # 100,000 in 10 ms
        if path[0] == TEMPLATE:
            return False
        if item is not None and (item.inactive or (type(item) is Domain and item.template)):
            return False
    return True


def _touched(effects: tuple[_Effect, _Effect], edits: Edits) -> Iterator[Path]:
    """The paths at which something else may act after the edits."""
    before, after = effects[0].view, effects[1].view
    domains: dict[Path, None] = {}
    made_from: dict[Path, list[Path]] = {}
    for path, item in edits.items():
        former = before.get(path)
        turned = _inactive(former) != _inactive(item)
        below: Iterable[Path] = [one for one, _ in after.walk(path)] if turned else ()
        yield path
        yield from below
        if in_template(path):
            template = path[:_LISTED]
            if template not in made_from:
                found = instances(before, template) | instances(after, template)
                made_from[template] = sorted(found, key=order_key)  # numbers are given out in this order
            for domain in made_from[template]:
                yield placed(domain, path)
                yield from (placed(domain, one) for one in below)
        for one in (path, *below):
            if domain_of(one) == one:
                domains[one] = None
    for domain in domains:
        was, now = (effect.template(domain) for effect in effects)
        if was != now:
            for effect in effects:
                yield from effect.inherited_by(domain)


def _inactive(item: Object | None) -> bool:
    return item is not None and item.inactive


def inactive_at(view: Configuration, path: Path) -> Path | None:
    """The outermost inactive object at or above `path`."""
    for end in range(2 if len(path) > 1 else 1, len(path) + 1, 2):
        item = view.get(path[:end])
        if item is not None and item.inactive:
            return path[:end]
    return None


def inherited_from(configured: Configuration, path: Path) -> Path | None:
    """The object of a template that the object at `path` comes from, all of it or what the domain does not say itself;
    None for what a domain has of its own. O(1)."""
    domain = domain_of(path)
    template = None if domain is None else template_of(configured.get(domain))
    source = None if template is None else source_of(path, template)
    if source is None or configured.get(source) is None or inactive_at(configured, source) is not None:
        return None
    return source
