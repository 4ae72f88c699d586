"""What every object of the configuration has: the base of all kinds in `objects.py` and `accounts.py`."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from data.schema.declaration import Kind, Leaf
from data.schema.types import TEXT


class Object(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What every object of the configuration has."""

    declared: ClassVar[Kind]
    uuid: str
    description: Annotated[str | None, Leaf("free text about it", TEXT)] = None
    annotation: str | None = None
    """A remark that stands before the object in texts."""
    inactive: bool = False
    """It and all below it is configured and has no effect."""


MARKS: dict[str, object] = {"annotation": None, "inactive": False}
"""What an object says about itself beside its leaves, with what it is when nobody said anything."""
