"""What each router may hold of us, kept over a restart: a file `pe/NAME.json` in the state directory.

While a commit is under way that is the former part and the new one; whoever comes back after a crash takes back all
that is not wanted, whichever it was. Without secrets (an intent has none), and written whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from controller.pe.intent import PeIntent
from data.files import replace_private

__all__ = ["DIRECTORY", "UNDECIDED", "Held", "HeldFiles"]

DIRECTORY = "pe"
UNDECIDED = -1
"""In place of the revision of a commit that is none: the store will never have it."""


@dataclass(frozen=True, slots=True)
class Held:
    """`parts`: all that the router may hold of us; `revision`: that of the commit under way there, 0 when none is;
    `session`: what the router calls that commit, where it must be told (EOS)."""

    parts: tuple[PeIntent, ...] = ()
    revision: int = 0
    session: str = ""
    owed: bool = False

    def begun(self, intent: PeIntent, revision: int, session: str = "") -> Held:
        """The same once a commit has begun there."""
        parts = self.parts if intent in self.parts else (*self.parts, intent)
        return replace(self, parts=parts, revision=revision, session=session)

    def only(self, intent: PeIntent) -> bool:
        """Whether this and nothing else is there."""
        mine = (intent,) if intent.controller else ()
        return not self.revision and not self.owed and self.parts == mine

    @staticmethod
    def of(intent: PeIntent) -> Held:
        """A router that holds exactly this."""
        return Held((intent,) if intent.controller else ())


class HeldFiles:
    """The files. All methods block and may raise OSError: call them in a thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / DIRECTORY

    def load(self) -> dict[str, Held]:
        """What is known of each router. A file that cannot be read counts as none."""
        found = {}
        for file in sorted(self._directory.glob("*.json")):
            try:
                found[file.stem] = msgspec.json.decode(file.read_bytes(), type=Held)
            except msgspec.DecodeError:
                continue  # of an earlier version: the next commit writes all that is wanted in any case
        return found

    def save(self, name: str, held: Held | None) -> None:
        """On disk when it returns; None: the router is nothing to us any more."""
        file = self._directory / f"{name}.json"
        if held is None:
            file.unlink(missing_ok=True)
            return
        self._directory.mkdir(mode=0o700, exist_ok=True)
        replace_private(file, msgspec.json.encode(held))
