"""What the daemon is told about itself, apart from the network: command line, then environment, then nshell.conf.

    # /etc/nshell/nshell.conf (places.py says which file is read)
    log-level = debug
    log-format = json

One `name = value` to a line. Everything about the network, its users included, is the configuration in the store.
"""

from __future__ import annotations

import grp
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from data.errors import CommandFailed
from nshell.serving.logs import FORMATS, LEVELS


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def wrong(value: str) -> str:
        return "" if value in choices else f"choose {', '.join(choices[:-1])} or {choices[-1]}"

    return wrong


def _absolute(value: str) -> str:
    return "" if value.startswith("/") else "write a whole path, as /var/log/nshell/nshell.log"


def _group(value: str) -> str:
    try:
        grp.getgrnam(value)
    except KeyError:
        return f"there is no such group; make it with 'groupadd --system {value}'"
    return ""


CHECKS: Mapping[str, Callable[[str], str]] = {
    "log": _absolute,
    "log-level": _one_of(LEVELS),
    "log-format": _one_of(FORMATS),
    "group": _group,
}
"""Each setting with what tells why a value is not one: the remedy, "" when it is one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds. Empty: not set, the default applies."""

    log: str = ""
    log_level: str = "info"
    log_format: str = ""
    group: str = ""


def variable(name: str) -> str:
    """The environment's name for a setting."""
    return "NSHELL_" + name.upper().replace("-", "_")


def check(where: str, name: str, value: str) -> None:
    """Raise CommandFailed unless this is a value of the setting."""
    remedy = CHECKS[name](value)
    if remedy:
        raise CommandFailed(where, f"{value!r} is no {name}", remedy)


def read(path: str, must_exist: bool = False) -> dict[str, str]:
    """The settings in a file, {} when there is none. Raises CommandFailed with file, line and remedy."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        if must_exist:
            raise CommandFailed(path, "there is no such file", "correct --config, or leave it out") from None
        return {}
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise CommandFailed(path, str(reason), "make it readable for the daemon's user, or remove it") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{path} line {number}"
        name, separator, value = (part.strip() for part in line.partition("="))
        if not separator or not value:
            raise CommandFailed(where, f"{line.strip()!r} is not 'name = value'", "write it as log-level = info")
        if name not in CHECKS:
            raise CommandFailed(where, f"there is no setting {name!r}", f"there are {', '.join(CHECKS)}")
        if name in found:
            raise CommandFailed(where, f"{name} is set a second time", "remove one of the two lines")
        check(where, name, value)
        found[name] = value
    return found


def settle(options: Mapping[str, str], environ: Mapping[str, str], path: str, must_exist: bool = False) -> Settings:
    """What holds, of the command line, the environment and the file at `path`. Raises CommandFailed."""
    chosen = read(path, must_exist)
    for name in CHECKS:
        if value := environ.get(variable(name), ""):
            check(variable(name), name, value)
            chosen[name] = value
    for name, value in options.items():
        check(f"--{name}", name, value)
        chosen[name] = value
    return Settings(**{name.replace("-", "_"): value for name, value in chosen.items()})
