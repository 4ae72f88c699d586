"""What is known of each part of the network's share in a revision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Kept", "Receipt"]


class Kept(StrEnum):
    """What is known of one part of a revision."""

    VERIFIED = "verified"  # carried out, and a barrier after it was answered
    PENDING = "pending"  # it is away; the reconcile after its return settles it
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one part of the network confirmed of a change: a hypervisor by its name, another as `pe NAME` or
    `bgp-neighbor NAME`. `milliseconds` from its preparation to its last answer; what was added and removed are
    flows, routes or lines."""

    part: str
    state: Kept
    added: int = 0
    removed: int = 0
    milliseconds: float = 0.0
    reason: str = ""
