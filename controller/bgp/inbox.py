"""What the speaker said and nobody has decided yet: in order, in pieces, and bounded by letting it read no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from controller.bgp.memory import Memory
from controller.bgp.speaker.backend import Changed, Event

__all__ = ["AHEAD", "Inbox"]

_ROUTES = 200  # of one piece of events: about 3 ms of decisions
AHEAD = 20_000
"""Routes that are read and not decided, about 20 MB; half of it lets the speaker read again."""


class Inbox:
    """One queue. `hold` tells the speaker to read no peer (true), or to read again."""

    def __init__(self, hold: Callable[[bool], None]) -> None:
        self._hold = hold
        self._events: deque[Event] = deque()
        self._ahead = 0  # routes in them
        self._memory = Memory()

    def __bool__(self) -> bool:
        return bool(self._events)

    def put(self, event: Event) -> None:
        """Takes an event of the speaker."""
        self._events.append(event)
        if isinstance(event, Changed):
            self._ahead += _routes(event)
            if self._ahead > AHEAD:
                self._hold(True)

    def piece(self) -> list[Event]:
        """The oldest events, as many as are decided in one go."""
        piece: list[Event] = []
        routes = announced = 0
        while self._events and routes < _ROUTES:
            event = self._events.popleft()
            piece.append(event)
            if isinstance(event, Changed):
                self._ahead -= _routes(event)
                announced += len(event.announced)
                routes += _routes(event)
            routes += 1
        if self._ahead <= AHEAD // 2:
            self._hold(False)
        self._memory.grew(announced)
        return piece


def _routes(event: Changed) -> int:
    return len(event.announced) + len(event.withdrawn)
