"""A daemon in a network namespace: what BIRD and GoBGP have in common."""

from __future__ import annotations

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from agent import namespaces
from nshell.lab import processes
from nshell.lab.probing import wait_until
from nshell.lab.processes import Process

PATIENCE = 60.0  # seconds until it answers


@dataclass(slots=True)
class Daemon(ABC):
    """One daemon; `configuration` is its file's text, `directory` where that and its log are."""

    program: ClassVar[str]
    file_name: ClassVar[str]  # of its configuration

    namespace: Path
    directory: Path
    configuration: str
    process: Process | None = field(default=None, init=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Starts it; returns when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.file.write_text(self.configuration)
        argv, record = self._argv(), self.directory / f"{self.program}.log"
        with open(record, "ab") as log:
            self._child = namespaces.inside(
                self.namespace,
                lambda: subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                ),
            )
        self.process = processes.look(self._child.pid)
        if not wait_until(lambda: self._answers() or not self.runs, PATIENCE, 0.05) or not self.runs:
            self.stop()
            raise AssertionError(f"{self.program} does not answer:\n{record.read_text()[-2000:]}")

    @property
    def file(self) -> Path:
        return self.directory / self.file_name

    @property
    def runs(self) -> bool:
        return processes.is_alive(self.process)

    def kill(self) -> None:
        """kill -9."""
        processes.end([self.process], signal.SIGKILL)

    def restart(self) -> None:
        """Starts it again with the same configuration; what was told it since is gone."""
        self.stop()
        self.start()

    def stop(self) -> None:
        processes.end([self.process], signal.SIGKILL)
        if self._child is not None:
            self._child.wait()
        self.process = self._child = None

    @abstractmethod
    def _argv(self) -> Sequence[str]:
        """Its command line, in the foreground."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it can be asked."""
