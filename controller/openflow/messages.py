"""Flow-mods and meter-mods alike: key, removal, replacement, and when in a change a message is sent.

What a hypervisor must hold is a mapping from key to message (an ADD), and a change is a sequence of messages. Whoever
compiles, counts, compares or sends them asks here; ``packed.py`` and ``meters.py`` know how each is made.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from controller.openflow import meters, packed, wire

METERS: Final = meters.KEY
"""What ``table_of`` says of a meter: no flow is in this table."""


class Phase(IntEnum):
    """When a message takes effect: a bundle takes flows only, and flows must never name a meter that is not there."""

    EARLY = 0  # before the bundle: new meters
    BUNDLE = 1
    LATE = 2  # after it: meters that change or go


def phase(msg: bytes) -> Phase:
    """When in a change the message is sent."""
    if msg[1] != wire.METER_MOD:
        return Phase.BUNDLE
    return Phase.EARLY if meters.command(msg) == meters.ADD else Phase.LATE


def key(msg: bytes) -> bytes:
    """What identifies the flow or meter in its switch."""
    return meters.key(msg) if msg[1] == wire.METER_MOD else packed.flow_key(msg)


def table_of(msg: bytes) -> int:
    """The table of a flow, METERS for a meter."""
    return METERS if msg[1] == wire.METER_MOD else packed.table_of(msg)


def is_delete(msg: bytes) -> bool:
    """Whether the message removes."""
    return meters.command(msg) == meters.DELETE if msg[1] == wire.METER_MOD else packed.is_delete(msg)


def as_delete(msg: bytes) -> bytes:
    """The message that removes what this one adds."""
    return meters.as_delete(msg) if msg[1] == wire.METER_MOD else packed.as_delete_strict(msg)


def as_replacement(msg: bytes) -> bytes:
    """The message that puts this ADD in the place of what has the same key: a flow's ADD does so itself."""
    return meters.as_modify(msg) if msg[1] == wire.METER_MOD else msg
