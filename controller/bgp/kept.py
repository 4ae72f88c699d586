"""Sequence numbers of MAC addresses that moved, kept over a restart (RFC 7432 section 15).

A site that forgot them would announce its machines with lower numbers than others remember, and lose them. One file in
the state directory, written anew when one changed, which is rare: a number changes when a machine moves.
"""

from __future__ import annotations

import json
from pathlib import Path

from controller.bgp.speaker import left
from controller.bgp.speaker.left import Left
from data.files import replace_private

__all__ = ["FILE", "Kept"]

FILE = "mobility.json"


class Kept:
    """The file, and `left`, the speakers that daemons before us left. Methods block; call them in a thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self.left = Left(directory / left.FILE)

    def load(self) -> dict[str, int]:
        """What was kept; nothing when there is no file, or not one that we wrote."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: value for key, value in found.items() if isinstance(value, int) and _is_key(key)}

    def save(self, numbers: dict[str, int]) -> None:
        """Takes the place of what was kept, as a whole. Raises OSError."""
        replace_private(self._path, json.dumps(numbers).encode())


def _is_key(text: object) -> bool:
    """UUID and MAC address, as `Mobility.kept` writes them."""
    _, _, mac = str(text).rpartition(" ")
    try:
        return len(bytes.fromhex(mac)) == 6
    except ValueError:
        return False
