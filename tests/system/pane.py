"""A terminal that is looked at: tmux runs a command in a pane, types into it and says what is on its screen."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from nshell.lab.probing import wait_until

__all__ = ["Pane"]

PATIENCE = 10.0


class Pane:
    """One tmux server of the test's own with one pane, in which a command runs."""

    def __init__(self, folder: Path, words: list[str], columns: int = 120, rows: int = 40) -> None:
        self._socket = str(folder / "tmux")
        environment = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")
        environment.pop("TMUX", None)
        size = ["-x", str(columns), "-y", str(rows)]
        command = f"{shlex.join(words)}; echo code=$?; sleep 1000"
        subprocess.run(
            ["tmux", "-S", self._socket, "-f", "/dev/null", "new-session", "-d", *size, command],
            check=True, env=environment,
        )  # fmt: skip
        self._tmux("set-option", "-g", "window-size", "manual")

    def _tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", "-S", self._socket, *words], capture_output=True, text=True, check=True).stdout

    @property
    def screen(self) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p", "-J").rstrip("\n")

    def type(self, text: str, *keys: str) -> None:
        """Type a text, then press keys by tmux's names for them (Enter, Tab, C-c)."""
        if text:
            self._tmux("send-keys", "-l", text)
        if keys:
            self._tmux("send-keys", *keys)

    def see(self, text: str) -> str:
        """Wait until this is on the screen; the screen then."""
        assert wait_until(lambda: text in self.screen, PATIENCE), f"no {text!r} on:\n{self.screen}"
        return self.screen

    def prompt(self, mark: str = ">") -> str:
        """Wait for an empty prompt on the last line; the screen then."""
        assert wait_until(lambda: self.screen.rpartition("\n")[2].rstrip().endswith(f"@nshell{mark}"), PATIENCE), (
            self.screen
        )
        return self.screen

    def line(self, text: str, mark: str = ">") -> str:
        """Clear the screen, run a line, wait for the prompt after it; the screen then."""
        self.type("", "C-l")
        self.prompt(mark if text != "configure" else ">")
        self.type(text)
        assert wait_until(lambda: self.screen.endswith(text), PATIENCE), self.screen
        self.type("", "Enter")
        return self.prompt(mark)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def client(self) -> int:
        """The process id of the ssh in the pane."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True)
