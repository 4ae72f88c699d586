"""The registry of rules, and the check that runs them over the edits of a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from data.addresses import Ip, address
from data.configuration import Configuration, Edits
from data.errors import Problem
from data.networks import Network
from data.path import Path, path_text
from data.rules.inherited import said_once
from data.schema.nodes import FACTS, order_key
from data.schema.objects import KINDS, Object, Vport

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
        self._taken: dict[tuple[Path, int], set[int]] = {}
        self._once: set[object] = set()

    def said_there(self, path: Path, other: Path) -> bool:
        """Whether a problem between two edited objects is reported at `other`: it is said once, at the later
        of the two."""
        return self.edits.get(other) is not None and order_key(other) > order_key(path)

    def first_time(self, what: object) -> bool:
        """Whether this is asked for the first time in this check: for what is looked at once for many edits."""
        if what in self._once:
            return False
        self._once.add(what)
        return True

    def next_free(self, subnet_path: Path, network: Network) -> Ip | None:
        """An address of the subnet in this family that no vport of it holds and that was not suggested before: the one
        after the highest held."""
        key = subnet_path, network.prefix.version
        low, high = network.low.number, network.high.number
        taken = self._taken.get(key)
        if taken is None:
            taken = self._taken[key] = {network.gateway.number}
            for path in self.view.referrers(subnet_path):
                vport = self.view.get(path)
                held = map(address, vport.address if isinstance(vport, Vport) else ())
                taken.update(ip.number for ip in held if ip.version == network.prefix.version)
        after = max((number for number in taken if low <= number <= high), default=low - 1) + 1
        free = after if after <= high else next((one for one in range(low, high + 1) if one not in taken), None)
        if free is None:
            return None
        taken.add(free)
        return Ip(network.prefix.version, free)


def problem(path: Path, leaf: str, cause: str, remedy: str) -> Problem:
    """A problem at a leaf of an object; `leaf` is its keyword, "" for the object itself."""
    return Problem(path_text((*path, leaf) if leaf else path), cause, remedy)


Rule = Callable[[Check, Path, T], Iterator[Problem]]

Watch = Callable[[Check, Path, T, "T | None"], Iterator[Path]]

_RULES: dict[str, list[Rule[Object]]] = {keyword: [] for keyword in FACTS}
_AGAIN: dict[str, list[Rule[Object]]] = {keyword: [] for keyword in FACTS}
_WATCHES: dict[str, list[Watch[Object]]] = {keyword: [] for keyword in FACTS}
_WHEN_DELETED: list[Callable[[Check, Path], Iterator[Problem]]] = []


def rule(kind: type[T], *others: type[Object], again: bool = False) -> Callable[[Rule[T]], Rule[T]]:
    """Register a rule for each new or changed object of these kinds; Object means every kind. With `again` it looks at
    objects that are not edited, too, when what `dependents` watches changed."""

    def register(function: Rule[T]) -> Rule[T]:
        for one in KINDS:
            if issubclass(one, (kind, *others)):
                _RULES[one.declared.keyword].append(cast(Rule[Object], function))
                if again:
                    _AGAIN[one.declared.keyword].append(cast(Rule[Object], function))
        return function

    return register


def dependents(kind: type[T]) -> Callable[[Watch[T]], Watch[T]]:
    """Register what says, for an object of the kind that was there before and is changed or deleted (None), which other
    objects it may have made wrong."""

    def register(function: Watch[T]) -> Watch[T]:
        _WATCHES[kind.declared.keyword].append(cast(Watch[Object], function))
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
    again: dict[Path, None] = {}
    for path, item in edits.items():
        keyword = path[-1] if len(path) == 1 else path[-2]
        before = running.get(path)
        if before is not None and item != before:
            for watch in _WATCHES[keyword]:
                again.update(dict.fromkeys(watch(context, path, before, item)))
        if item is None:
            for deleted in _WHEN_DELETED:
                found += [(path, one) for one in deleted(context, path)]
        elif item != before:
            for one_rule in _RULES[keyword]:
                found += [(path, one) for one in one_rule(context, path, item)]
    for path in again:
        same = view.get(path)
        if same is not None and (path not in edits or edits[path] == running.get(path)):
            for one_rule in _AGAIN[path[-2]]:
                found += [(path, one) for one in one_rule(context, path, same)]
    if found and everything is not None:
        found = said_once(context, found)
    found.sort(key=lambda pair: order_key(pair[0]))
    return [one for _, one in found]
