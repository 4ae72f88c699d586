"""The actions of a flow as plain facts, one class for each that the compiler can write (`decode.py` reads them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

__all__ = ["Action", "Clone", "Conjunction", "Controller", "Ct", "DecTtl", "Load", "Move", "Multipath", "Nat", "Output",
           "Place", "PopMpls", "PopVlan", "PushMpls", "PushVlan", "Resubmit", "Sample", "SetField",
           "SetTtl"]  # fmt: skip


class Place(NamedTuple):
    """Some bits of a field, from bit `first` on."""

    field: str
    first: int
    bits: int


@dataclass(frozen=True, slots=True)
class Output:
    port: int


@dataclass(frozen=True, slots=True)
class Controller:
    """`limit`: bytes of the packet that the controller gets."""

    limit: int


@dataclass(frozen=True, slots=True)
class SetField:
    field: str
    value: int


@dataclass(frozen=True, slots=True)
class Load:
    to: Place
    value: int


@dataclass(frozen=True, slots=True)
class Move:
    source: Place
    to: Place


@dataclass(frozen=True, slots=True)
class SetTtl:
    ttl: int


@dataclass(frozen=True, slots=True)
class DecTtl:
    pass


@dataclass(frozen=True, slots=True)
class PushVlan:
    pass


@dataclass(frozen=True, slots=True)
class PopVlan:
    pass


@dataclass(frozen=True, slots=True)
class PushMpls:
    eth_type: int


@dataclass(frozen=True, slots=True)
class PopMpls:
    """`eth_type`: of what was under the label."""

    eth_type: int


@dataclass(frozen=True, slots=True)
class Resubmit:
    table: int


@dataclass(frozen=True, slots=True)
class Multipath:
    """A hash of the packet, a number below `n`, is written to a place. `fields` as in nx_hash_fields."""

    fields: int
    n: int
    to: Place


@dataclass(frozen=True, slots=True)
class Nat:
    """`direction`: source, destination, or None for what was translated before."""

    direction: str | None
    version: int
    address: int | None
    port: int | None


@dataclass(frozen=True, slots=True)
class Ct:
    """`zone` is a number unless `zone_from` says where it stands; `table`: where the tracked packet is looked up."""

    commit: bool
    zone: int
    zone_from: Place | None
    table: int | None
    nat: Nat | None


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Clause `clause` (from 0) of `clauses`."""

    number: int
    clause: int
    clauses: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Collectors of flows are told; nothing else comes of it."""


@dataclass(frozen=True, slots=True)
class Clone:
    actions: tuple[Action, ...]


Action: TypeAlias = (
    "Output | Controller | SetField | Load | Move | SetTtl | DecTtl | PushVlan | PopVlan | PushMpls | PopMpls | "
    "Resubmit | Multipath | Nat | Ct | Conjunction | Clone | Sample"
)
