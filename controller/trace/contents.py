"""The flows that traces read, hypervisor by hypervisor, made when a packet first comes there and kept for the next.

    Compiled   what a hypervisor must hold of a domain and of those that share with it
    Held       what its switch was read to hold

`Compiled` makes the fragments of the domains that a packet can come to alone: a hypervisor with 100,000 flows of 500
domains costs what one domain costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from controller.compile.core import SKELETON, everything_of, fragments_of
from controller.compile.fragments import Fragment
from controller.compile.state import State
from controller.openflow.messages import key
from controller.trace.tables import Tables
from data.path import Path
from data.steps import Steps

__all__ = ["Compiled", "Contents", "Held", "Unread", "together"]


_SLICE = 500  # flows sorted by table between two yields, 0.2 ms


class Unread(LookupError):
    """The flows of a hypervisor were not read yet; its name is the argument."""

    def __init__(self, dvrs: str) -> None:
        super().__init__(dvrs)
        self.dvrs = dvrs


class Contents(Protocol):
    """Gives the tables of a hypervisor."""

    def of(self, dvrs: str) -> Steps[Tables]:
        """Its flows, the same object each time."""
        ...


class Compiled:
    """The flows of a state; only those of `domain` and of domains that share with it, where one is named."""

    def __init__(self, state: State, domain: Path | None = None) -> None:
        self._state = state
        self._domains = None if domain is None else together(state, domain)
        self._made: dict[str, Tables] = {}

    def of(self, dvrs: str) -> Steps[Tables]:
        """See Contents."""
        found = self._made.get(dvrs)
        if found is None:
            flows: dict[bytes, bytes] = {}
            for fragment in self._fragments(dvrs):
                for flow in fragment.flows(self._state, dvrs):
                    flows[key(flow)] = flow
                yield
            found = self._made[dvrs] = Tables()
            for number, flow in enumerate(flows.values()):
                found.add(flow)
                if number % _SLICE == 0:
                    yield
        return found

    def _fragments(self, dvrs: str) -> Iterable[Fragment]:
        state = self._state
        if self._domains is None:
            yield from fragments_of(state, dvrs)
            return
        skeleton = Fragment(SKELETON, ())
        if dvrs in skeleton.scope(state):
            yield skeleton
        for domain in self._domains:
            if dvrs in state.hosts_of(domain):
                yield from (fragment for fragment in everything_of(state, domain) if dvrs in fragment.scope(state))


class Held:
    """The flows read from switches so far; Unread is raised for any other."""

    def __init__(self, read: Mapping[str, Tables]) -> None:
        self._tables = read

    def of(self, dvrs: str) -> Steps[Tables]:
        """See Contents. Raises Unread."""
        found = self._tables.get(dvrs)
        if found is None:
            raise Unread(dvrs)
        yield
        return found


def together(state: State, domain: Path) -> list[Path]:
    """The domains that a packet of one can come to: itself, the shared ones it uses, and who else uses these."""
    found = [domain, *state.shared(domain)]
    for one in tuple(found):
        found += sorted(state.users.get(one) or ())
    return list(dict.fromkeys(one for one in found if state.view.get(one) is not None))
