"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nshell.doctor.machine import Machine

State: TypeAlias = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How it stands with one thing: what was found and, unless it is well, what that means and what mends it."""

    check: str
    state: State
    found: str
    meaning: str = ""
    remedy: str = ""


Check: TypeAlias = Callable[[Machine], "Finding | None"]
"""A check; None where it does not apply to this machine."""


def ok(check: str, found: str) -> Finding:
    """It is well."""
    return Finding(check, "ok", found)


def warning(check: str, found: str, meaning: str, remedy: str) -> Finding:
    """It works so, with a drawback."""
    return Finding(check, "warning", found, meaning, remedy)


def missing(check: str, found: str, meaning: str, remedy: str) -> Finding:
    """It does not work so."""
    return Finding(check, "missing", found, meaning, remedy)
