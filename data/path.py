"""Paths: where an object lives in the configuration, as a tuple of words.

Keyword and name alternate for list entries, a container is one keyword:
`("enterprise", "acme", "domain", "prod")`, `("system",)`. Names never need quotes; values may.
"""

from __future__ import annotations

import re

Path = tuple[str, ...]

NUMBER = "\x01"
"""Begins a number in a natural key."""
_DIGITS = re.compile(r"(\d+)")
_PLAIN = re.compile(r"(?!/\*)[^\s\"'\\\[\]{};#|]+")  # what begins with /* would be a remark in a hierarchy


def natural_key(name: str) -> tuple[str, str]:
    """Sort key that puts web-2 before web-10, and numbers before letters.

    A number becomes a mark below every letter, how many digits it has, and the digits: keys compare as plain strings,
    and what begins alike, up to the end of a number, lies together.
    """
    parts = _DIGITS.split(name)
    for index in range(1, len(parts), 2):
        digits = parts[index].lstrip("0")
        parts[index] = f"{NUMBER}{chr(len(digits) + 1)}{digits}"
    return "".join(parts), name


def quoted(word: str) -> str:
    """The word as it must be typed: in double quotes when it is empty or holds a space or a special
    character."""
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def path_text(path: Path) -> str:
    """The words of a path, as errors and set lines show them."""
    return " ".join(path)


def vport_paths(full_name: str) -> tuple[Path, ...]:
    """The paths that a vport's full name (`acme/prod/web-1`) can mean, in a domain and in an l2-domain of this name, of
    which an enterprise has one alone; none when it is not a full name."""
    parts = full_name.split("/")
    if len(parts) != 3 or not all(parts):
        return ()
    return tuple(("enterprise", parts[0], keyword, parts[1], "vport", parts[2]) for keyword in ("domain", "l2-domain"))


def vport_name(path: Path) -> str:
    """The full name (`acme/prod/web-1`) of the vport at `path`."""
    return f"{path[1]}/{path[3]}/{path[5]}"
