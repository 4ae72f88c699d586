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
    inherited: bool = False
    """All of it, or what the domain does not say itself, comes from the domain's template. True only in what acts
    (`data/acting.py`), so it is never stored, shown or read."""


MARKS: dict[str, object] = {"annotation": None, "inactive": False}
"""What an object says about itself beside its leaves, with what it is when nobody said anything."""
