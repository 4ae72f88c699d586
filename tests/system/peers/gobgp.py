"""GoBGP in a network namespace, asked by its own command line."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import namespaces
from nshell.lab import processes
from nshell.lab.probing import wait_until
from nshell.lab.processes import Process

API_PORT = 50051  # TCP, on its namespace's loopback
PATIENCE = 60.0  # seconds until it answers


@dataclass(slots=True)
class GoBgp:
    """One gobgpd; `configuration` is its TOML, `directory` where that and its log are."""

    namespace: Path
    directory: Path
    configuration: str
    api_port: int = API_PORT  # another one in the root namespace, where several may run
    process: Process | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Starts it; returns when its API answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / "gobgpd.toml"
        file.write_text(self.configuration)
        argv = ["gobgpd", "-f", str(file), f"--api-hosts=127.0.0.1:{self.api_port}", "--pprof-disable"]
        with open(self.directory / "gobgpd.log", "ab") as log:
            self._child = namespaces.inside(
                self.namespace,
                lambda: subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                ),
            )
        self.process = processes.look(self._child.pid)
        if not wait_until(lambda: self._answers() or not self.runs, PATIENCE, 0.05) or not self.runs:
            self.stop()
            raise AssertionError(f"gobgpd does not answer:\n{(self.directory / 'gobgpd.log').read_text()[-2000:]}")

    @property
    def runs(self) -> bool:
        return processes.is_alive(self.process)

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

    def kill(self) -> None:
        """kill -9."""
        processes.end([self.process], signal.SIGKILL)

    def restart(self) -> None:
        """Starts it again with the same configuration; what was added by its command line is gone."""
        self.stop()
        self.start()

    def stop(self) -> None:
        processes.end([self.process], signal.SIGKILL)
        if self._child is not None:
            self._child.wait()
        self.process = self._child = None

    def _answers(self) -> bool:
        return self._command("global").returncode == 0

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = ["gobgp", "-u", "127.0.0.1", "-p", str(self.api_port), *words]
        return namespaces.inside(
            self.namespace,
            lambda: subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE),
        )
