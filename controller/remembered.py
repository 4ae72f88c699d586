"""Where workloads were, kept over a restart of the controller.

The first hypervisor that dials in after a restart is reconciled before the others have reported their interfaces.
Without this memory its flows towards their workloads would be taken for too many and removed. It is a file of JSON
lines, one per interface that came, moved or went, rewritten when it is read and when it has become long: facts that
OVSDB reports again anyway, so it need not survive a power cut, only the process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from controller.topology import Interface

__all__ = ["FILE", "Remembered"]

FILE = "interfaces.jsonl"
HISTORY = 10_000  # lines of the past, about 100 bytes each, that are kept besides twice what is true now


class _Line(msgspec.Struct, omit_defaults=True):
    dvrs: str
    name: str
    iface_id: str = ""
    ofport: int = 0  # 0: the interface is gone
    since: float = 0.0
    order: int = 0


class Remembered:
    """The file in the state directory. All methods block and may raise OSError; call them in the writer thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._left = HISTORY  # lines to go until it is rewritten

    def load(self) -> list[Interface]:
        """The interfaces as the last process knew them, and a file without history from here on."""
        known: dict[tuple[str, str], Interface] = {}
        decode = msgspec.json.Decoder(_Line).decode
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        for text in lines:
            try:
                line = decode(text)
            except msgspec.DecodeError:
                continue  # the last line of a process that was killed while it wrote
            if line.ofport:
                known[line.dvrs, line.name] = Interface(
                    line.dvrs, line.name, line.iface_id, line.ofport, line.since, line.order
                )
            else:
                known.pop((line.dvrs, line.name), None)
        self._left = len(known) + HISTORY
        if len(lines) > len(known):
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(b"".join(_encoded(interface) for interface in known.values()))
            os.replace(fresh, self._path)
        return list(known.values())

    def note(self, changed: Mapping[tuple[str, str], Interface | None]) -> None:
        """Adds interfaces by (hypervisor, name): as they are now, or None for one that is gone."""
        text = b"".join(
            msgspec.json.encode(_Line(dvrs, name)) + b"\n" if interface is None else _encoded(interface)
            for (dvrs, name), interface in changed.items()
        )
        if text:
            with self._path.open("ab") as file:
                file.write(text)
            self._left -= len(changed)
            if self._left < 0:
                self.load()


def _encoded(interface: Interface) -> bytes:
    line = _Line(interface.dvrs, interface.name, interface.iface_id, interface.ofport, interface.since, interface.order)
    return msgspec.json.encode(line) + b"\n"
