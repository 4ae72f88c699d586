"""Which events somebody wants to see: the same choice in memory, in the database and of what is yet to come."""

from __future__ import annotations

from dataclasses import dataclass

from controller.events.event import Event, Kind, Severity
from data.path import Path, vport_paths

__all__ = ["EVERYTHING", "Selection", "named"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Events that are all of this; a part that is empty or None does not matter.

    `severity` is the least that counts, `since` the earliest time (seconds since the epoch), `about` words that stand
    next to each other in the path of what an event is about, each tuple another way to say the same.
    """

    kinds: frozenset[Kind] = frozenset()
    severity: Severity | None = None
    since: float | None = None
    about: tuple[Path, ...] = ()

    def takes(self, event: Event) -> bool:
        """Whether the event is one of them."""
        return (
            (not self.kinds or event.kind in self.kinds)
            and (self.severity is None or event.severity.code <= self.severity.code)
            and (self.since is None or event.time >= self.since)
            and (not self.about or any(_within(words, event.about, event.dvrs) for words in self.about))
        )


EVERYTHING = Selection()


def named(words: Path) -> tuple[Path, ...]:
    """What the words of an operator may mean: a full name is a vport's, other words stand in a path as they are."""
    return vport_paths(words[0]) if len(words) == 1 and "/" in words[0] else (words,)


def _within(words: Path, about: Path | None, dvrs: str | None) -> bool:
    for path in (about or (), () if dvrs is None else ("dvrs", dvrs)):
        if any(path[at : at + len(words)] == words for at in range(len(path) - len(words) + 1)):
            return True
    return False
