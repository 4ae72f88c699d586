"""The registry of rules, and the check that runs them over the edits of a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from data.configuration import Configuration, Edits
from data.errors import Problem
from data.path import Path, path_text
from data.schema.nodes import FACTS, order_key
from data.schema.objects import KINDS, Object, Subnet
from data.schema.types import ipv4_number, ipv4_range, ipv4_text

T = TypeVar("T", bound=Object)


class Check:
    """One check: the configuration as it would be (`view`), the edits that make it, and the running one they
    are made to. `everything` is the view with what is deactivated."""

    def __init__(
        self, view: Configuration, edits: Edits, running: Configuration, everything: Configuration | None = None
    ) -> None:
        self.view = view
        self.everything = everything or view
        self.edits = edits
        self.running = running
        self._taken: dict[Path, set[int]] = {}

    def said_there(self, path: Path, other: Path) -> bool:
        """Whether a problem between two edited objects is reported at `other`: it is said once, at the later
        of the two."""
        return self.edits.get(other) is not None and order_key(other) > order_key(path)

    def next_free(self, subnet_path: Path, subnet: Subnet) -> str | None:
        """An address of the subnet that nobody holds and that was not suggested before: the one after the
        highest held."""
        first, last = ipv4_range(subnet.prefix)
        taken = self._taken.get(subnet_path)
        if taken is None:
            taken = self._taken[subnet_path] = {gateway_of(subnet)}
            for path in self.view.referrers(subnet_path):
                item = self.view.get(path)
                taken.update(ipv4_number(address) for address in getattr(item, "address", ()))
        inside = [number for number in taken if first <= number < last]
        after = max(inside, default=first) + 1
        free = after if after < last else next((one for one in range(first + 1, last) if one not in taken), None)
        if free is None:
            return None
        taken.add(free)
        return ipv4_text(free)


def gateway_of(subnet: Subnet) -> int:
    """The gateway as a number: as configured, or the first host address."""
    return ipv4_number(subnet.gateway) if subnet.gateway else ipv4_range(subnet.prefix)[0] + 1


def problem(path: Path, leaf: str, cause: str, remedy: str) -> Problem:
    """A problem at a leaf of an object; `leaf` is its keyword, "" for the object itself."""
    return Problem(path_text((*path, leaf) if leaf else path), cause, remedy)


Rule = Callable[[Check, Path, T], Iterator[Problem]]

_RULES: dict[str, list[Rule[Object]]] = {keyword: [] for keyword in FACTS}
_WHEN_DELETED: list[Callable[[Check, Path], Iterator[Problem]]] = []


def rule(kind: type[T]) -> Callable[[Rule[T]], Rule[T]]:
    """Register a rule for each new or changed object of the kind; Object means every kind."""

    def register(function: Rule[T]) -> Rule[T]:
        for one in KINDS:
            if issubclass(one, kind):
                _RULES[one.declared.keyword].append(cast(Rule[Object], function))
        return function

    return register


def when_deleted(
    function: Callable[[Check, Path], Iterator[Problem]],
) -> Callable[[Check, Path], Iterator[Problem]]:
    """Register a rule for each deleted object."""
    _WHEN_DELETED.append(function)
    return function


def check(
    view: Configuration, edits: Edits, running: Configuration, everything: Configuration | None = None
) -> list[Problem]:
    """Everything wrong with `view`, which is `running` with `edits`, as far as the edits can have caused it. What is
    deactivated is in `everything` alone, for errors to tell it from what does not exist.

    Pure. `running` must have passed this check itself. Problems come in the order of the configuration.
    """
    context = Check(view, edits, running, everything)
    found: list[tuple[Path, Problem]] = []
    for path, item in edits.items():
        if item is None:
            for deleted in _WHEN_DELETED:
                found += [(path, one) for one in deleted(context, path)]
        elif item != running.get(path):
            for one_rule in _RULES[path[-1] if len(path) == 1 else path[-2]]:
                found += [(path, one) for one in one_rule(context, path, item)]
    found.sort(key=lambda pair: order_key(pair[0]))
    return [one for _, one in found]
