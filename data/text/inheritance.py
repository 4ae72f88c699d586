"""The configuration with what domains inherit from their templates, each such line marked: for `| display inheritance`.

    domain prod {
        template office;
        zone web { ## inherited from domain-template office
            subnet web1 { ## inherited from domain-template office
                prefix 10.1.1.0/24;
            }
        }
        ingress-policy base {
            entry 10 {
                action deny;
                protocol tcp; ## inherited from domain-template office
            }
        }
    }

For people: what is inherited is not configured, so nothing reads these texts back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data.configuration import Configuration, Overlay
from data.path import Path, path_text
from data.schema.nodes import node_of
from data.schema.objects import Object
from data.templates import domain_of, template_of
from data.text.hierarchy import Block, block, braced
from data.text.json_form import json_form
from data.text.set_lines import leaf_texts, mark_lines

__all__ = ["Inheritance"]

INHERITED = "@inherited"
"""Key of the JSON form: the template of an object, or of each leaf that is inherited, by its keyword."""


class Inheritance:
    """What is configured at and below a place, together with what acts there by inheritance alone."""

    def __init__(self, configured: Configuration, acting: Configuration, under: Path = ()) -> None:
        self._configured = configured
        self._under = under
        self._inherited: dict[Path, Object | None] = {
            path: item for path, item in acting.walk(under) if domain_of(path) and item != configured.get(path)
        }
        self._view = Overlay(configured, self._inherited)

    def _source(self, path: Path) -> str:
        domain = domain_of(path)
        template = None if domain is None else template_of(self._view.get(domain))
        return "" if template is None else path_text(template)

    def _leaves(self, path: Path, item: Object) -> tuple[list[str], list[str]]:
        """Texts of the leaves that the object has itself, and of those that it inherits."""
        texts = leaf_texts(path, item)
        if path not in self._inherited:
            return texts, []
        own = self._configured.get(path)
        if own is None or own.inactive:
            return [], texts
        has = set(leaf_texts(path, own))
        return [text for text in texts if text in has], [text for text in texts if text not in has]

    def _whole(self, path: Path) -> bool:
        """Whether the domain says nothing about the object itself."""
        own = self._configured.get(path)
        return path in self._inherited and (own is None or own.inactive)

    def hierarchy(self) -> Iterator[str]:
        """Lines with braces; the leaves of an object that is inherited as a whole are not marked once more."""
        for mark, line in braced(self._blocks(), self._under):
            yield f"{line} {mark}" if mark and line.strip() != "}" else line

    def _blocks(self) -> Iterator[Block]:
        for path, item in self._view.walk(self._under):
            if path not in self._inherited:
                yield block(path, "", item)
                continue
            mark = f"## inherited from {self._source(path)}"
            own, inherited = self._leaves(path, item)
            if self._whole(path):
                yield Block(path, mark, [(mark if path == self._under else "", text) for text in inherited])
                continue
            one = block(path, "", item)
            yield one._replace(leaves=[*(("", text) for text in own), *((mark, text) for text in inherited)])

    def set_lines(self) -> Iterator[str]:
        """A set line for what each object has itself, and one for what it inherits."""
        for path, item in self._view.walk(self._under):
            own, inherited = self._leaves(path, item)
            if own or (len(path) > 1 and not inherited and not self._has_below(path) and not self._whole(path)):
                yield " ".join(["set", path_text(path), *own])
            if not self._whole(path):
                yield from mark_lines(path, item)
            if inherited or (self._whole(path) and not self._has_below(path)):
                yield " ".join(["set", path_text(path), *inherited, "## inherited from", self._source(path)])

    def _has_below(self, path: Path) -> bool:
        return any(self._view.count(path, keyword) for keyword in node_of(path).children)

    def json_form(self) -> dict[str, Any]:
        """Plain data; see INHERITED."""
        form = json_form(self._view, self._under)
        for path in self._inherited:
            at = form
            for word in path[len(self._under) :]:
                at = at[word]
            source = self._source(path)
            own = self._configured.get(path)
            if self._whole(path) or own is None:
                at[INHERITED] = source
                continue
            node, item = node_of(path), self._view.get(path)
            fields = [leaf for leaf in node.leaves.values() if getattr(item, leaf.field) != getattr(own, leaf.field)]
            at[INHERITED] = {leaf.keyword: source for leaf in fields}
        return form
