"""The program itself: interpreter, packages, clock, terminal."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import nshell
from nshell.doctor.finding import Finding, missing, ok, warning
from nshell.doctor.machine import Machine

OLDEST_PYTHON = (3, 11)
PACKAGES = {
    "asyncssh": "asyncssh",
    "cryptography": "cryptography",
    "dns": "dnspython",
    "exabgp": "exabgp",
    "matplotlib": "matplotlib",
    "msgspec": "msgspec",
    "napalm": "napalm",
    "prometheus_client": "prometheus-client",
    "prompt_toolkit": "prompt-toolkit",
    "sqlite_utils": "sqlite-utils",
    "textual": "textual",
    "textual_serve": "textual-serve",
}
"""What the program imports and did not bring itself: module -> package."""


def python(machine: Machine) -> Finding:
    """The interpreter that runs this."""
    found = f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]} ({sys.executable})"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return missing("python", found, "nshell needs 3.11 or newer", "apt install python3, then make install")
    return ok("python", found)


def packages(machine: Machine) -> Finding:
    """What it imports."""
    absent = []
    for module, package in PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError:
            absent.append(package)
    if absent:
        lack = f"without {', '.join(absent)}"
        return missing(
            "packages", lack, "the daemon does not start", f"{sys.executable} -m pip install {' '.join(absent)}"
        )
    return ok("packages", f"all {len(PACKAGES)} can be imported")


def clock(machine: Machine) -> Finding:
    """Certificates have dates, and commits times."""
    built = Path(nshell.__file__).stat().st_mtime
    if machine.now() < built - 86400:
        return missing(
            "clock",
            "earlier than the files of this program",
            "certificates look as if they were not valid yet, and revisions are out of order",
            "timedatectl set-ntp true",
        )
    if not machine.clock_is_kept():
        return warning(
            "clock",
            "nothing keeps it",
            "when it drifts, certificates of other machines look expired or not valid yet",
            "apt install systemd-timesyncd && timedatectl set-ntp true",
        )
    return ok("clock", "kept by the network")


def locale(machine: Machine) -> Finding:
    """What the terminal can show."""
    found = next((machine.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if machine.environ.get(name)), "")
    if "utf8" not in found.lower().replace("-", ""):
        return warning(
            "locale", found or "none is set", "names outside ASCII are shown as '?'", "export LC_ALL=C.UTF-8"
        )
    return ok("locale", found)


def terminal(machine: Machine) -> Finding:
    """Whether lines can be edited."""
    found = machine.environ.get("TERM", "")
    if found in ("", "dumb", "unknown"):
        return warning(
            "terminal", found or "TERM is not set", "no completion and no line editing", "export TERM=xterm-256color"
        )
    return ok("terminal", found)
