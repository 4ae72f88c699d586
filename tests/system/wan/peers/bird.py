"""BIRD in a network namespace, asked through birdc.

Write `strict bind on;` in every BGP protocol, or it listens on 0.0.0.0:179 (its own namespace's, here).
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.system.wan.peers.daemon import PATIENCE, Daemon


@dataclass(slots=True)
class Bird(Daemon):
    """One bird; `configuration` is its bird.conf."""

    program: ClassVar[str] = "bird"
    file_name: ClassVar[str] = "bird.conf"

    @property
    def socket(self) -> Path:
        return self.directory / "bird.ctl"

    def ask(self, command: str) -> str:
        """What birdc prints for a command, as `show protocols all`; AssertionError when it fails."""
        done = self._command(command)
        assert done.returncode == 0, f"birdc {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def established(self, protocol: str) -> bool:
        """Whether that BGP protocol's session is up."""
        return "Established" in self.ask(f"show protocols {protocol}")

    def configure(self, configuration: str) -> None:
        """Another configuration, taken over by the running process."""
        self.configuration = configuration
        self.file.write_text(configuration)
        self.ask("configure")

    def _argv(self) -> Sequence[str]:
        self.socket.unlink(missing_ok=True)
        return ["bird", "-f", "-c", str(self.file), "-s", str(self.socket)]

    def _answers(self) -> bool:
        return self.socket.exists() and self._command("show status").returncode == 0

    def _command(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["birdc", "-s", str(self.socket), *command.split()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
