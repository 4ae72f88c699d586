"""One real daemon on its own state directory and ports, and ways to talk to it; shared by the transcript tests.

With `ssh` it listens for SSH, too, for a user of the name of whoever runs the tests: sessions of both ways are the same
person's. Over SSH that user's files are those in the work directory, and `normal` leaves out the lines that let it in.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

from data.schema.objects import Controller, Object
from data.store import Revision, Store
from nshell import frames
from tests.transcripts.over_ssh import SecureShell

ROOT = Path(__file__).parents[2]
USER = pwd.getpwuid(os.geteuid()).pw_name
ENDING = 10.0
"""Seconds a daemon gets to end."""
PATTERNS = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "ISO-TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "DATE TIME          "),
    (re.compile(r"(?<![0-9a-f:])\d\d:\d\d:\d\d(?![0-9a-f:])"), "HH:MM:SS"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"in \d+ ms"), "in N ms"),
    (re.compile(r"^\d+ lines saved", re.MULTILINE), "N lines saved"),
)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Shell:
    """A state directory whose daemon starts with the first command and ends with `end`."""

    def __init__(self, folder: Path, state: Path | None = None, ssh: bool = False) -> None:
        self.folder = folder
        self.state = folder / "state" if state is None else state
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self.ports = free_ports(3)
        openflow, ovsdb, agent = self.ports
        controller = Controller(uuid=str(uuid.uuid4()), openflow_port=openflow, ovsdb_port=ovsdb, agent_port=agent)
        first: dict[tuple[str, ...], Object | None] = {("controller",): controller}
        self.over_ssh = SecureShell(self.folder, free_ports(1)[0], USER) if ssh else None
        if self.over_ssh is not None:
            first |= self.over_ssh.configuration()
            (self.state / "files").mkdir(parents=True)
            (self.state / "files" / USER).symlink_to(self.work)
        store = Store.open(self.state)
        store.commit(first, Revision(1, "test", time.time(), "ports of this test"), {}, [])
        store.close()
        programs = folder / "bin"
        programs.mkdir()
        command = programs / "nshell"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nshell.main "$@"\n')
        command.chmod(0o755)
        self.environment = dict(
            os.environ, NSHELL_STATE=str(self.state), PYTHONPATH=str(ROOT), LC_ALL="C.UTF-8", TERM="xterm",
            PATH=f"{programs}:{os.environ['PATH']}", TZ="UTC", COLUMNS="",
        )  # fmt: skip

    @property
    def pid(self) -> int | None:
        """The running daemon, None when there is none."""
        try:
            return int((self.state / "lock").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def run(self, *arguments: str, text: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the client with these arguments."""
        return subprocess.run(
            [sys.executable, "-m", "nshell.main", *arguments], input=text, env=self.environment, cwd=self.work,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def commands(self, *lines: str) -> subprocess.CompletedProcess[str]:
        """Run these command lines in one session with -c."""
        return self.run(*(word for line in lines for word in ("-c", line)))

    def script(self, text: str) -> tuple[str, int]:
        """Run a script of the system's shell in which `nshell` is ours; output (both streams) and exit code."""
        done = subprocess.run(
            ["sh", "-c", text], env=self.environment, cwd=self.work, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout, done.returncode

    def over_socket(self, lines: list[str]) -> tuple[str, int]:
        """The same command lines with frames of our own; output (both streams in order) and exit code."""
        hello = "interactive=0\ncolumns=0\nrows=0\nterm=dumb\nunicode=1\njson=0\nkeep-going=0\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.state / "nshell.sock"))
            connection.sendall(frames.pack(frames.HELLO, hello.encode()))
            for line in lines:
                connection.sendall(frames.pack(frames.COMMAND, line.encode()))
            connection.sendall(frames.pack(frames.END, b""))
            stream = connection.makefile("rb")
            said = b""
            while len(head := stream.read(5)) == 5:
                payload = stream.read(int.from_bytes(head[1:], "big"))
                if head[:1] in (frames.OUTPUT, frames.ERROR):
                    said += payload
                elif head[:1] in (frames.READ, frames.SAVE):
                    connection.sendall(self.file(head[:1], payload))
                elif head[:1] == frames.EXIT:
                    return said.decode(), payload[0]
        raise AssertionError("the daemon hung up without an exit code")

    def file(self, kind: bytes, payload: bytes) -> bytes:
        """The answer to the daemon's wish to read or save a file in the work directory."""
        name, _, contents = payload.partition(b"\0")
        path = self.work / name.decode()
        if kind == frames.SAVE:
            path.write_bytes(contents)
            return frames.pack(frames.FILE, b"")
        if path.exists():
            return frames.pack(frames.FILE, path.read_bytes())
        return frames.pack(frames.REFUSED, b"No such file or directory")

    def normal(self, text: str) -> str:
        """Output without what differs from run to run."""
        text = text.replace(str(self.state), "STATE").replace(str(self.work), "WORK")
        if self.over_ssh is not None:
            text = self.over_ssh.left_out(text)
        for port, name in zip(self.ports, ("OPENFLOW", "OVSDB", "AGENT"), strict=True):
            text = text.replace(str(port), name)
        for pattern, word in PATTERNS:
            text = pattern.sub(word, text)
        return "".join(line.rstrip() + "\n" for line in text.splitlines())

    def close(self) -> None:
        """End the daemon and whatever talks to it."""
        if self.over_ssh is not None:
            self.over_ssh.close()
        self.end()

    def end(self, number: int = signal.SIGTERM) -> None:
        """End the daemon and wait for it."""
        pid = self.pid
        if pid is None:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + ENDING
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    return
            except (ProcessLookupError, FileNotFoundError):
                return
            time.sleep(0.02)
        raise AssertionError(f"daemon {pid} did not end within {ENDING:g} s; its log:\n{self.log()}")

    def log(self) -> str:
        """The daemon's log."""
        path = self.state / "nshell.log"
        return path.read_text() if path.exists() else ""
