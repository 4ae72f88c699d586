"""What is to be merged into a router's configuration so that it holds what is wanted and no more what it held: pure.

The lines that go come first, the dependent before what they depend on, then all that is wanted. Both are our own text
(`render.py`), compared block by block:

    router bgp 65001               not ours: it is entered, never removed
     no vrf nsh-red                ours as a whole
     no neighbor 192.0.2.1         with all its lines
     exit
    no vrf instance nsh-red

A line whose value alone is another one (`rd`, `remote-as`) is not taken back: the new one replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from controller.pe.intent import PREFIX, PeIntent
from controller.pe.render import rendered

__all__ = ["DIALECTS", "Dialect", "fragment", "owned"]

Tree: TypeAlias = "dict[str, Tree]"
Way: TypeAlias = tuple[str, ...]

_HEADERS = (
    r"vrf |vrf (?:instance|definition|context) |interface |route-map |route-policy |router bgp |address-family "
    r"|neighbor \S+$|ip decap-group |l3vpn encapsulation |(?:import|export) route-target$"
)
_REPLACED = re.compile(
    r"(?:neighbor \S+ )?(?:remote-as|description|timers|ebgp-multihop|ttl-security hops|ttl maximum-hops|update-source"
    r"|password)(?= |$)|rd(?: vpn export)?(?= )|rt vpn (?:import|export|both)(?= )|tunnel decap-ip(?= )"
)
_NEIGHBOR = re.compile(r"(neighbor \S+) remote-as ")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a router takes text. `ends`: the line that ends a block, by the first words of its header; `names_running`:
    it shows its configuration in our very words, so what it does not show need not be taken back; `whole_families`:
    `no address-family …` takes all that is in one back."""

    ends: Mapping[str, str]
    names_running: bool = False
    whole_families: bool = True

    def end(self, header: str) -> str | None:
        """The line that ends this block."""
        return next((end for words, end in self.ends.items() if header.startswith(words)), None)


DIALECTS: Mapping[str, Dialect] = {
    "frr": Dialect({"address-family ": "exit-address-family", "vrf ": "exit-vrf", "": "exit"}, True, False),
    "eos": Dialect({"": "exit"}),
    "ios": Dialect({"address-family ": "exit-address-family", "": "!"}),
    "iosxr": Dialect({"route-policy ": "end-policy", "": "!"}),
    "nxos": Dialect({}),  # an `exit` would show as a difference, and the parser finds the parent by itself
}


def fragment(wanted: PeIntent, held: Iterable[PeIntent], *, key: str | None = None, running: str | None = None) -> str:
    """The text to merge. `held` is everything that the router may hold of ours (more than one after a crash),
    `running` its configuration, where its dialect says that this helps. Empty: nothing to do.

    Raises KeyError for a driver that is not known.
    """
    if wanted.driver == "junos":
        return _statements(wanted, held, key)
    dialect = DIALECTS[wanted.driver]
    now = _tree(rendered(wanted))
    there = _tree(running) if running is not None and dialect.names_running else None
    going: Tree = {}
    for former in held:
        if former.driver == wanted.driver and former != wanted:
            _merge(going, _going(_tree(rendered(former)), now, there, dialect))
    lines = [*_composed(going, dialect), *_composed(_tree(rendered(wanted, key)), dialect)]
    return "\n".join(lines) + "\n" if lines else ""


def owned(line: str) -> bool:
    """Whether a block that begins so is ours as a whole."""
    return not line.startswith("interface ") and (
        any(word.startswith(PREFIX) for word in line.split()) or re.fullmatch(r"neighbor \S+", line) is not None
    )


def _tree(text: str) -> Tree:
    """Blocks by indentation."""
    top: Tree = {}
    stack: list[tuple[int, Tree]] = [(-1, top)]
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line == "end-policy" or line.startswith("!"):
            continue
        depth = len(raw) - len(raw.lstrip())
        while stack[-1][0] >= depth:
            stack.pop()
        stack.append((depth, stack[-1][1].setdefault(line, {})))
    return top


def _going(former: Tree, now: Tree, there: Tree | None, dialect: Dialect, way: Way = ()) -> Tree:
    """What of `former` must be taken back, as a tree of lines, last rendered first. Blocks that are not ours as a whole
    are entered; `there` is what the router shows at this place, None: not known."""
    kept = {_key(line) for line in now}
    gone = {
        match[1] for line in former if (match := _NEIGHBOR.match(line)) and not any(_key(line) == key for key in kept)
    }
    found: Tree = {}
    for line in reversed(former):
        block = former[line]
        seen = None if there is None else there.get(line)
        if there is not None and seen is None and not any(one.startswith(f"{line} ") for one in there):
            continue  # not even with a key behind it, which ours does not have
        ours = owned(line) or any(map(owned, way))
        if not ours and line not in now and not block and line.startswith("address-family "):
            continue  # the router has it for others, too
        whole = ours and (dialect.whole_families or not line.startswith("address-family "))
        if line in now or (block and not whole):
            below = _going(block, now.get(line, {}), seen, dialect, (*way, line))
            for neighbor in gone:
                below = {one: rest for one, rest in below.items() if not one.startswith(f"no {neighbor} ")}
            if below:
                found[line] = below
        elif (match := re.match(r"neighbor \S+", line)) and match[0] in gone:
            found[f"no {match[0]}"] = {}
        elif _key(line) not in kept:
            found[_negated(line)] = {}
    return found


def _key(line: str) -> str:
    match = _REPLACED.match(line)
    return match[0] if match else line


def _negated(line: str) -> str:
    return line.removeprefix("no ") if line.startswith("no ") else f"no {line}"


def _merge(into: Tree, other: Tree) -> None:
    for line, block in other.items():
        _merge(into.setdefault(line, {}), block)


def _composed(tree: Tree, dialect: Dialect, indent: int = 0) -> Iterator[str]:
    for line, block in tree.items():
        yield " " * indent + line
        yield from _composed(block, dialect, indent + 1)
        if block or (re.match(_HEADERS, line) and (not indent or line.startswith("address-family "))):
            end = dialect.end(line)
            if end is not None:
                yield " " * indent + end


def _statements(wanted: PeIntent, held: Iterable[PeIntent], key: str | None) -> str:
    """Junos: `delete` statements, of a thing of ours that goes as a whole just one, then `set` statements."""
    now = rendered(wanted).splitlines()
    going: dict[str, None] = {}
    for former in held:
        if former.driver != wanted.driver:
            continue
        for line in reversed(rendered(former).splitlines()):
            if line in now:
                continue
            whole = _whole(line)
            if not any(one == whole or one.startswith(f"{whole} ") for one in now):
                line = whole
            going.setdefault("delete " + line.removeprefix("set "))
    lines = [*going, *rendered(wanted, key).splitlines()]
    return "\n".join(lines) + "\n" if lines else ""


def _whole(line: str) -> str:
    """The statement up to the first name that is ours."""
    words = line.split(" ")
    mine = next((number for number, word in enumerate(words) if word.startswith(PREFIX)), len(words) - 1)
    return " ".join(words[: mine + 1])
