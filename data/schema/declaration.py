"""What `objects.py` can say about a leaf or a kind of object.

These facts are all there is: parsing, completion, `?`, validation, indexes, set lines, JSON, diffs and the
manual read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from data.schema.types import ValueType

EVERYWHERE = "configuration"
"""Uniqueness scope: the whole configuration."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """Facts about one leaf, carried by `Annotated[...]`. A `provider` leaf reaches beyond the tenant: who is confined
    to tenants sees it and cannot set it.

    `unique` names the kind inside which no two objects may hold the same value (or EVERYWHERE), `unique_with` fields
    beside which the value may be held once inside a kind, `looked_up` the kind inside which holders of a value are
    found although several may hold it, `disjoint` the kind inside which no two prefixes may overlap, `reference` the
    kind whose name the value is,
    `named_by_default` says that the value is the object's own name while it is not set, and `default_text`
    describes a default that is computed.
    """

    help: str
    type: ValueType
    mandatory: bool = False
    unique: str = ""
    unique_with: tuple[tuple[str, str], ...] = ()
    looked_up: str = ""
    disjoint: str = ""
    reference: str = ""
    named_by_default: bool = False
    default_text: str = ""
    provider: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """Facts about one kind of object: keyword, help, the kinds it lives under ("" is the top) and its name.

    `key` is None for a container, which exists once and has no name. `unique_name` names the kind inside
    which the name must be unique when that is wider than the parent; `reference_scope` the kind inside which
    other objects may refer to it by name. `built_in` are names that are always there to refer to, and that nobody
    can configure. `stands_for` names another kind that this one is to what lies below it: a template and an l2-domain
    are the domain of their policies. `named_in_full` says that whoever refers to it writes the names of all above it,
    too: enterprise/domain.
    """

    keyword: str
    help: str
    under: tuple[str, ...] = ("",)
    key: ValueType | None = None
    unique_name: str = ""
    reference_scope: str = ""
    built_in: tuple[str, ...] = ()
    stands_for: str = ""
    named_in_full: bool = False
