"""Which NAPALM driver speaks to a router and how it is told to, with the host's key checked. Imported in a router's
own thread alone: NAPALM's import takes 0.5 to 0.9 s.

All go by SSH. Host keys are those of the user's ~/.ssh/known_hosts and of KNOWN_HOSTS in the state directory; an
unknown one is refused.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.schema.wan import Pe

__all__ = ["COMMENTED", "KNOWN_HOSTS", "NAMES", "TIMED", "TIMEOUT", "Place", "driver_of", "rounded"]

KNOWN_HOSTS = "known_hosts"
TIMEOUT = 60  # seconds for one question to a router
NAMES = {"nxos": "nxos_ssh"}
"""NAPALM's name of a driver where it is another than ours: that for NX-API would check no certificate."""
TIMED = frozenset({"eos", "ios", "junos", "frr"})
"""Drivers whose commits can be undone by the router itself. IOS XR and NX-OS can; NAPALM's drivers for them cannot."""
COMMENTED = frozenset({"iosxr", "junos", "frr"})
"""Drivers whose commits take a comment."""
_MINUTE = 60
_BY_MINUTES = frozenset({"ios", "junos"})


@dataclass(frozen=True, slots=True)
class Place:
    """How a router is reached; `directory` is the controller's state directory."""

    pe: Pe
    directory: Path

    @property
    def where(self) -> tuple[str, int] | None:
        """Address and TCP port, None when it is on this machine."""
        return None if self.pe.instance else (self.pe.address or "", self.pe.port or 22)


def rounded(driver: str, seconds: int) -> int:
    """The time until a commit is undone, as the driver takes it: some know minutes alone."""
    return -(-seconds // _MINUTE) * _MINUTE if driver in _BY_MINUTES else seconds


def driver_of(place: Place) -> Any:
    """The driver of a router, not opened yet."""
    pe = place.pe
    key = str(place.directory / pe.key_file) if pe.key_file else None
    known = place.directory / KNOWN_HOSTS
    address, username, password = pe.address or "", pe.username or getpass.getuser(), pe.password or ""
    if pe.driver == "frr":
        from controller.pe.frr import FrrDriver

        return FrrDriver(address, username, password, TIMEOUT, _frr(pe, key, known))
    from napalm import get_network_driver  # type: ignore[import-untyped]

    kind = get_network_driver(NAMES.get(pe.driver, pe.driver))
    if pe.driver == "junos":
        options: dict[str, Any] = {"port": pe.port or 22, "ignore_warning": ["statement not found"]}
        if key:
            options["key_file"] = key
        driver = kind(address, username, password, TIMEOUT, options | _ssh_config(known))
        driver.device._hostkey_verify = True  # PyEZ takes it as an argument, which NAPALM has no option for
        return driver
    options = {
        "port": pe.port or 22, "transport": "ssh", "ssh_strict": True, "system_host_keys": True,
        "allow_agent": not pe.password, "conn_timeout": 15,
    }  # fmt: skip
    if pe.driver in ("iosxr", "nxos"):
        del options["transport"]
    if known.exists():
        options |= {"alt_host_keys": True, "alt_key_file": str(known)}
    if key:
        options |= {"use_keys": True, "key_file": key}
    return kind(address, username, password, TIMEOUT, options)


def _frr(pe: Pe, key: str | None, known: Path) -> dict[str, Any]:
    if pe.instance:
        space = Path("/run/netns") / pe.instance  # a lab's routers are in a namespace of their own name
        there = {"netns": pe.instance} if space.exists() else {}
        return {"transport": "local", "instance": pe.instance, **there}
    options: dict[str, Any] = {"port": pe.port or 22, "allow_agent": not pe.password}
    if known.exists():
        options |= {"alt_host_keys": True, "alt_key_file": str(known)}
    return options | ({"key_file": key} if key else {})


def _ssh_config(known: Path) -> dict[str, str]:
    """ncclient reads one known_hosts file, which its SSH configuration names."""
    if not known.exists():
        return {}
    file = known.with_name("pe-ssh.config")
    text = f"Host *\n UserKnownHostsFile {known}\n"
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
    return {"ssh_config_file": str(file)}
