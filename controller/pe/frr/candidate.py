"""What a candidate means before it is committed: lines as text in, a difference as text out. Pure.

`frr-reload.py --test` knows which lines FRR treats as the same and which must go before others may come; what it
prints is what `--reload` would do. Here that is turned into the difference an operator reads:

      router bgp 65000
    -  neighbor 192.0.2.1 remote-as 65001
    +  neighbor 192.0.2.1 remote-as 65002
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napalm.base.helpers import sanitize_config  # type: ignore[import-untyped]

SIZE_LIMIT = 16 << 20  # bytes of a candidate; a route reflector's prefix lists reach one or two MiB
DELETIONS, ADDITIONS = "Lines To Delete", "Lines To Add"  # headings of frr-reload.py --test

SECRETS: Mapping[str, str] = {
    rf"^(\s*(?:no )?(?:{words})) \S.*$": r"\1 <removed>"
    for words in (
        r"neighbor \S+ password",
        r"(?:enable )?password",
        r"username \S+ password",
        r"key-string",
        r"ip ospf (?:\S+ )?authentication-key",
        r"ip ospf (?:\S+ )?message-digest-key \d+ md5",
        r"ipv6 ospf6 authentication key-id \d+ hash-algo \S+ key",
        r"area \S+ virtual-link .*?(?:authentication-key|message-digest-key \d+ md5)",
        r"(?:area|domain)-password (?:clear|md5)",
        r"isis password (?:clear|md5)",
        r"ip rip authentication string",
        r"ip nhrp authentication",
        r"tcp-md5-auth",
        r"md5 password",
    )
}
"""Patterns of lines that hold a secret, and what is left of them; FRR has no filter of its own for these."""

_ECHOED = {
    pattern.removeprefix("^").removesuffix("$"): kept for pattern, kept in SECRETS.items()
}  # the same lines where vtysh repeats them in the middle of a message

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} +(?:ERROR|WARNING)?(?:: *)?")  # frr-reload.py's log

DAEMONS: Mapping[str, str] = {
    "router bgp": "bgpd",
    "router ospf": "ospfd",
    "router ospf6": "ospf6d",
    "router isis": "isisd",
    "router rip": "ripd",
    "router ripng": "ripngd",
    "router eigrp": "eigrpd",
    "router babel": "babeld",
    "router openfabric": "fabricd",
    "mpls ldp": "ldpd",
    "bfd": "bfdd",
    "segment-routing": "pathd",
    "ip route": "staticd",
    "ipv6 route": "staticd",
}
"""The daemon without which vtysh takes a line, says nothing, and forgets it; by the words the line begins with."""


def without_secrets(text: str) -> str:
    """A configuration with `<removed>` in place of each password and key."""
    cleaned: str = sanitize_config(text, dict(SECRETS))
    return cleaned


def message_without_secrets(text: str) -> str:
    """What vtysh and frr-reload.py say, fit for an exception: each line once, no secret, no colour, no time of day."""
    lines = (_STAMP.sub("", _COLOUR.sub("", line)) for line in text.splitlines())
    plain = ("".join(letter if letter.isprintable() else " " for letter in line).rstrip() for line in lines)
    cleaned: str = sanitize_config("\n".join(dict.fromkeys(line for line in plain if line)), _ECHOED)
    return cleaned


def normal(text: str) -> str:
    """The candidate with Unix line ends and one at its end; without the `end` that would cut a merge short.

    Raises ValueError with the reason for what cannot be a configuration: empty, too long, with control characters.
    """
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    if len(text.encode()) > SIZE_LIMIT:
        raise ValueError(f"it is longer than {SIZE_LIMIT} bytes")
    for number, line in enumerate(lines, 1):
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line):
            raise ValueError(f"line {number} holds a control character")
    kept = [line for line in lines if line.strip() and line.strip() != "end"]
    if all(line.lstrip().startswith(("!", "#")) for line in kept):
        raise ValueError("it is empty")
    return "\n".join(kept) + "\n"


def missing_daemons(candidate: str, running: Iterable[str]) -> dict[str, str]:
    """Daemons the candidate needs that do not run, each with the first line that needs it."""
    there, missing = set(running), dict[str, str]()
    for line in candidate.splitlines():
        words = line.split()
        for length in (2, 1):
            daemon = DAEMONS.get(" ".join(words[:length])) if not line.startswith(" ") else None
            if daemon is not None and daemon not in there:
                missing.setdefault(daemon, line.strip())
    return missing


def merged(running: str, fragment: str) -> str:
    """The running configuration with the fragment behind it, as frr-reload.py compares a merge."""
    lines = [line for line in running.splitlines() if line.strip() != "end"]
    return "\n".join([*lines, fragment])


@dataclass(frozen=True, slots=True)
class _Step:
    """One line that frr-reload.py would give the router, and the contexts it is in."""

    sign: str
    contexts: tuple[str, ...]
    line: str


def difference(test_output: str, running: str = "") -> str:
    """The output of `frr-reload.py --test` as a difference; empty when nothing would change.

    With the running configuration a `no X` to be added counts as the deletion of the X that is there.
    """
    there = [line.strip() for line in running.splitlines()]
    shown: list[str] = []
    contexts: tuple[str, ...] = ()
    for step in _in_order(_steps(test_output, there)):
        common = 0
        while common < min(len(contexts), len(step.contexts)) and contexts[common] == step.contexts[common]:
            common += 1
        for depth in range(common, len(step.contexts)):
            shown.append(f" {' ' * depth}{step.contexts[depth]}")
        shown.append(f"{step.sign}{' ' * len(step.contexts)}{step.line}")
        contexts = step.contexts
        if step.sign == "+":
            contexts = (*contexts, step.line)  # a block that is new itself need not be named again
    return "\n".join(shown)


def _steps(test_output: str, running: list[str]) -> list[_Step]:
    """A block is its contexts, each a column further in, and the line; where that stops growing the next begins."""
    steps: list[_Step] = []
    deleting = False
    stack: list[str] = []

    def flush() -> None:
        if not stack:
            return
        line = stack[-1]
        sign = "+"
        if deleting:
            # `no X` deletes X; X alone deletes `no X`
            sign, line = "-", line[3:] if line.startswith("no ") else f"no {line}"
        elif line.startswith("no ") and _is_there(line[3:], running):
            sign, line = "-", line[3:]
        steps.append(_Step(sign, tuple(stack[:-1]), line))
        stack.clear()

    for raw in test_output.splitlines():
        text = raw.strip()
        if not text or set(text) == {"="}:
            continue
        if text in (DELETIONS, ADDITIONS):
            flush()
            deleting = text == DELETIONS
            continue
        if len(raw) - len(raw.lstrip()) != len(stack):
            flush()
        stack.append(text)
    flush()
    return steps


def _is_there(line: str, running: list[str]) -> bool:
    return any(one == line or one.startswith(f"{line} ") for one in running)


def _in_order(steps: list[_Step]) -> list[_Step]:
    """Steps of one outermost context together, in the order in which these first appear."""
    groups: dict[str, list[_Step]] = {}
    for step in dict.fromkeys(steps):
        groups.setdefault(step.contexts[0] if step.contexts else step.line, []).append(step)
    return [step for group in groups.values() for step in group]
