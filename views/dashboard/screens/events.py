"""Events: what happened, newest last; new ones come as they happen."""

from __future__ import annotations

from typing import ClassVar

from views.dashboard.board import Tabular

__all__ = ["Events"]


class Events(Tabular):
    """The last events. The cursor stays at the end while it is there."""

    NAME = "events"
    LINE: ClassVar[str] = "show events limit 500"
    EVERY: ClassVar[float] = 2.0
    TAIL: ClassVar[bool] = True

    @staticmethod
    def identity(row: tuple[object, ...]) -> object:
        return row
