"""Events: what happened, newest last; new ones come as they happen; Enter shows all that is known of one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

from views.dashboard.board import Tabular

if TYPE_CHECKING:
    from views.dashboard.arranging import Cells

__all__ = ["Events", "event_of"]


def event_of(row: Cells) -> Hashable:
    """What tells an event from others: all of it, as numbers begin anew with each run of the controller."""
    return row


class Events(Tabular):
    """The last events. The cursor stays at the end while it is there."""

    NAME = "events"
    LINE: ClassVar[str] = "show events limit 500"
    EVERY: ClassVar[float] = 2.0
    TAIL: ClassVar[bool] = True

    @staticmethod
    def identity(row: Cells) -> object:
        return event_of(row)
