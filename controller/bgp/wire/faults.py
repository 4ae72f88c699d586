"""What may be wrong with bytes of a peer, as values (RFC 7606), and with what we want to say, as an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from controller.bgp.routes import Nlri

__all__ = ["FAULTS_KEPT", "Action", "Fault", "WireError", "bounded"]

FAULTS_KEPT = 16
"""Of one message; a message of 64 KiB can have 30,000."""


class WireError(ValueError):
    """Something cannot be said in BGP, or bytes do not say anything; the text is one sentence without a full stop."""


class Action(IntEnum):
    """RFC 7606 section 2; the strongest of a message counts."""

    DISCARD = 1
    WITHDRAW = 2
    RESET = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `nlri`: the routes that it withdrew, which are among the update's `withdrawn`, too."""

    action: Action
    reason: str
    nlri: tuple[Nlri, ...] = ()


def bounded(faults: list[Fault]) -> tuple[Fault, ...]:
    """The first faults of a message; of the others their number, with the strongest action and all that they
    withdrew."""
    if len(faults) <= FAULTS_KEPT:
        return tuple(faults)
    rest = faults[FAULTS_KEPT:]
    withdrawn = tuple(one for fault in rest for one in fault.nlri)
    last = Fault(max(fault.action for fault in rest), f"and {len(rest)} more faults of the same message", withdrawn)
    return (*faults[:FAULTS_KEPT], last)
