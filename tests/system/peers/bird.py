"""BIRD in a network namespace, asked through birdc.

Write `strict bind on;` in every BGP protocol, or it listens on 0.0.0.0:179 (its own namespace's, here).
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from agent import namespaces
from nshell.lab import processes
from nshell.lab.probing import wait_until
from nshell.lab.processes import Process

PATIENCE = 60.0  # seconds until it answers


@dataclass(slots=True)
class Bird:
    """One bird; `configuration` is its bird.conf, `directory` where that, its socket and its log are."""

    namespace: Path
    directory: Path
    configuration: str
    process: Process | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def socket(self) -> Path:
        return self.directory / "bird.ctl"

    def start(self) -> None:
        """Starts it; returns when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        file = self.directory / "bird.conf"
        file.write_text(self.configuration)
        argv = ["bird", "-f", "-c", str(file), "-s", str(self.socket)]
        with open(self.directory / "bird.log", "ab") as log:
            self._child = namespaces.inside(
                self.namespace,
                lambda: subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                ),
            )
        self.process = processes.look(self._child.pid)
        if not wait_until(lambda: self._answers() or not self.runs, PATIENCE, 0.05) or not self.runs:
            self.stop()
            raise AssertionError(f"bird does not answer:\n{(self.directory / 'bird.log').read_text()[-2000:]}")

    @property
    def runs(self) -> bool:
        return processes.is_alive(self.process)

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
        (self.directory / "bird.conf").write_text(configuration)
        self.ask("configure")

    def kill(self) -> None:
        """kill -9."""
        processes.end([self.process], signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        processes.end([self.process], signal.SIGKILL)
        if self._child is not None:
            self._child.wait()
        self.process = self._child = None

    def _answers(self) -> bool:
        return self.socket.exists() and self._command("show status").returncode == 0

    def _command(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["birdc", "-s", str(self.socket), *command.split()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
