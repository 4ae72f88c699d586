"""Read-models: what a command found out, as plain values, before anybody decides how it looks.

Every renderer (render.py for text, json.py for JSON) and every pipe (commands/pipes.py) takes these and only these.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from views.graph import Graph


class Moment(float):
    """Seconds since the epoch: a person reads how long ago it was (2d 04:11), a script ISO 8601 in UTC."""

    __slots__ = ()


class Clock(Moment):
    """The same, of which a person reads the date and the time."""

    __slots__ = ()


class Rate(float):
    """Bits per second: a person reads 3.1 Mb/s, a script the number."""

    __slots__ = ()


class PerSecond(float):
    """What is counted one by one, per second: a person reads 1.2 k/s, a script the number."""

    __slots__ = ()


class Octets(int):
    """Bytes: a person reads 3.1 GB, a script the number."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Trend:
    """The last values of something, oldest first; None where nothing is known: a sparkline on screen, a list of numbers
    in JSON.
    """

    values: tuple[float | None, ...]


class Facts(dict[str, "str | int | float"]):
    """Named facts, for programs: an object in JSON. They do not change once they are in a cell."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # rows are compared and kept by what is in them
        return hash(frozenset(self.items()))


Cell: TypeAlias = "str | int | float | bool | Moment | Trend | Facts | None"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `key` names it in JSON, `title` on screen. To fit the terminal, a `shrink` column may be cut; a
    `spare` one is left out before that. A `whole` one is never cut: its text goes on in further lines, and where the
    last column is too narrow for that, below its row; one that is `below` has no column then. An `unseen` one is for
    programs alone.
    """

    key: str
    title: str
    align: Literal["left", "right"] = "left"
    shrink: bool = False
    spare: bool = False
    whole: bool = False
    below: bool = False
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table. `note` stands at the right of the title; a None cell shows as '-'. A `tall` one that is too wide
    for the terminal shows each row as lines of its own, a value to a line.

    Below the rows stands 'No. of <counted>: <number of rows>', then `detail`, which a filter drops because it
    counted all.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    counted: str
    detail: str = ""
    note: str = ""
    tall: bool = False

    @property
    def summary(self) -> str:
        """The line below the rows."""
        return f"No. of {self.counted}: {len(self.rows)}" + (f"   {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Lines:
    """Text that is what it is: one line per item. `document` is its structured form for JSON when there is one."""

    lines: Sequence[str]
    document: object = None


@dataclass(frozen=True, slots=True)
class Document:
    """A few named facts, in order: shown as 'name  value' lines, in JSON as one object. Values may be nested; with
    `flat` nested facts stand in one line.
    """

    facts: Mapping[str, object]
    title: str = ""
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Several:
    """Several models one after the other, by name (the name is the JSON key)."""

    parts: Mapping[str, Model]


@dataclass(frozen=True, slots=True)
class Tree:
    """A piece of configuration in its three forms. Functions, because only one of them is asked for. A difference is
    `signed`: its lines begin with + and -. `compared` gives how it differs from a revision (None: the running one),
    `inherited` the same with what is inherited from templates.
    """

    hierarchy: Callable[[], Sequence[str]]
    set_lines: Callable[[], Sequence[str]]
    document: Callable[[], object]
    signed: bool = False
    compared: Callable[[int | None], Awaitable[Tree]] | None = None
    inherited: Callable[[], Tree] | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of an outline and what hangs below it. `state` is the word in it that may be coloured."""

    text: str
    below: tuple[Branch, ...] = ()
    state: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """A tree of things: its first line, its branches, and lines below it."""

    title: str
    branches: Sequence[Branch]
    below: Sequence[str] = ()
    document: object = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Models that come one after the other while a command runs, until its end or ctrl-c.

    With `redraws` each takes the place of the one before on a terminal; `endless` ends by ctrl-c alone.
    """

    parts: Callable[[], AsyncIterator[Model]]
    redraws: bool = False
    endless: bool = True


@dataclass(frozen=True, slots=True)
class PlanHypervisor:
    """What a commit would do to one hypervisor: counts, per table name (added, removed), and each flow as text."""

    name: str
    state: str
    added: int
    removed: int
    by_table: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    flows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanSide:
    """What a commit would do to a BGP neighbour or a PE router: what is added and removed, and each change as text."""

    name: str
    state: str
    added: int
    removed: int
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanDomain:
    """A domain that an edit of its template concerns: by their names its vports that are, and where those are."""

    domain: str
    vports: tuple[str, ...]
    dvrs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit would do: a line per changed policy object, who reaches whom then, and each hypervisor. `domains`
    are those that follow an edited template; with `detail` a person sees all of them and all of their vports.
    """

    revision: int
    summary: tuple[str, ...]
    hypervisors: tuple[PlanHypervisor, ...]
    reach: tuple[str, ...] = ()
    domains: tuple[PlanDomain, ...] = ()
    detail: bool = False
    sides: tuple[PlanSide, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one part of the network confirmed of a revision: verified, pending (away) or failed. A hypervisor stands
    there by its name, another as `pe NAME` or `bgp-neighbor NAME`."""

    part: str
    state: str
    added: int
    removed: int
    milliseconds: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Receipts:
    """The outcome of a commit. `deadline` is the wall clock (seconds) of the return when it still waits for a
    confirmation.
    """

    revision: int
    receipts: tuple[Receipt, ...]
    deadline: float | None = None
    minutes: int | None = None
    back_to: int | None = None
    action: str = "applied"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as people and scripts see it. `line`, `file` and `text` say where in a batch; `position` is
    the caret's column.
    """

    where: str
    cause: str
    remedy: str
    exit_code: int
    kind: str = ""
    line: int | None = None
    file: str = ""
    text: str = ""
    position: int | None = None
    problems: tuple[tuple[str, str, str], ...] = ()
    """Several at once, from a check: (where, cause, remedy)."""
    after: str = ""
    """What happened to the operator's work ('nothing was applied; your candidate is kept')."""


Model: TypeAlias = "Table | Lines | Document | Several | Tree | Outline | Plan | Receipts | Graph"
"""What is there at once; a `Stream` gives several."""
