"""GoBGP in a network namespace, asked by its own command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from agent import namespaces
from tests.system.wan.peers.daemon import PATIENCE, Daemon

API_PORT = 50051  # TCP, on its namespace's loopback


@dataclass(slots=True)
class GoBgp(Daemon):
    """One gobgpd; `configuration` is its TOML."""

    program: ClassVar[str] = "gobgpd"
    file_name: ClassVar[str] = "gobgpd.toml"

    api_port: int = API_PORT  # another one in the root namespace, where several may run

    def ask(self, *words: str) -> str:
        """What `gobgp WORDS` prints; AssertionError when it fails."""
        done = self._command(*words)
        assert done.returncode == 0, f"gobgp {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def show(self, *words: str) -> Any:
        """What `gobgp -j WORDS` says, decoded: `show("global", "rib", "-a", "vpnv4")`."""
        return json.loads(self.ask("-j", *words) or "null")

    def established(self, neighbour: str) -> bool:
        """Whether the session with that address is up."""
        return any(
            one["state"]["neighbor_address"] == neighbour and one["state"]["session_state"] == 6
            for one in self.show("neighbor")
        )

    def _argv(self) -> Sequence[str]:
        return ["gobgpd", "-f", str(self.file), f"--api-hosts=127.0.0.1:{self.api_port}", "--pprof-disable"]

    def _answers(self) -> bool:
        return self._command("global").returncode == 0

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = ["gobgp", "-u", "127.0.0.1", "-p", str(self.api_port), *words]
        return namespaces.inside(
            self.namespace,
            lambda: subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE),
        )
