"""The edge services, one file each: what they add to the flows of a domain, and what makes them differ.

A feature has two pure functions. `fragments` names everything it can hold for a domain; the scope of each fragment
says which hypervisors do (always some of the hypervisors of that domain). `touched` names the fragments whose contents
or scope a change may have altered, looked at with the state before and the state after: rather one too many than one
too few, since equal contents are thrown away afterwards. Entering and leaving a domain or subnet is seen to in
`change.py` for every fragment of the domain. One that depends on the health of others names its `probes` in a domain;
`segment` names what the hypervisors of a subnet alone hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controller.compile.fragments import Fragment
from controller.compile.health import Probe
from controller.compile.placement import Observed
from controller.compile.remote import RemoteKey
from controller.compile.state import State
from data.path import Path
from data.schema.objects import Object

__all__ = ["Delta", "Feature"]


@dataclass(frozen=True, slots=True)
class Delta:
    """What happened between two states.

    `vports` are those that were edited, appeared, moved, vanished or whose subnet is another; `hypervisors` those that
    came, went, or are reached otherwise; `observed` the facts that are others now. `remote` has those about places
    elsewhere, by their kind: of 100,000 that are others at once, a feature looks at its own alone.
    """

    old: State
    new: State
    edits: Mapping[Path, Object | None]
    vports: frozenset[Path]
    hypervisors: frozenset[str]
    observed: Observed = field(default_factory=Observed)
    remote: Mapping[str, Sequence[RemoteKey]] = field(default_factory=dict)

    def near(self, kind: str) -> list[Path]:
        """The vports in domains that have objects of this kind, before or after: a domain without any costs nothing."""
        known: dict[Path, bool] = {}
        found = []
        for path in self.vports:
            domain = path[:4]
            has = known.get(domain)
            if has is None:
                has = known[domain] = any(state.view.count(domain, kind) for state in (self.old, self.new))
            if has:
                found.append(path)
        return found

    def edited(self, *kinds: str) -> Iterator[Path]:
        """The edited objects of these kinds, in domains of enterprises."""
        for path in self.edits:
            if len(path) > 4 and path[-2] in kinds and path[0] == "enterprise":
                yield path


@dataclass(frozen=True, slots=True)
class Feature:
    """See the module."""

    fragments: Callable[[State, Path], Iterator[Fragment]]
    touched: Callable[[Delta], Iterator[Fragment]]
    probes: Callable[[State, Path], Iterator[Probe]] | None = None
    segment: Callable[[State, Path], Iterator[Fragment]] | None = None
