"""OpenSSH's own client against a daemon, and OpenSSH's server beside it, for tests."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pexpect

from nshell.lab.probing import wait_until
from tests.transcripts.shell import USER, Shell, free_ports

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07")
SSHD = "/usr/sbin/sshd"


class OpenSsh:
    """The programs of OpenSSH's client, with nothing of the machine's own configuration."""

    def __init__(self, folder: Path, port: int, user: str = USER, key: Path | None = None) -> None:
        self.folder, self.port, self.user, self.key = folder, port, user, key
        self.known_hosts = folder / "known_hosts"

    def options(self, *more: str) -> list[str]:
        """The -o options of every call; `more` are others, which win."""
        given = [*more, "StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={self.known_hosts}", "LogLevel=ERROR",
                 "IdentitiesOnly=yes", "IdentityAgent=none", "ControlPath=none", "ConnectTimeout=10"]  # fmt: skip
        words = ["-F", "none", *(word for option in given for word in ("-o", option))]
        return words + (["-i", str(self.key)] if self.key is not None else [])

    def command(self, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        """The words of an ssh command; arguments stand behind the destination."""
        return ["ssh", *self.options(*options), "-p", str(self.port), f"{self.user}@127.0.0.1", *arguments]

    def run(
        self, *arguments: str, text: str | None = None, options: tuple[str, ...] = (), timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """One ssh command with a key, never asking for anything."""
        return subprocess.run(
            self.command(*arguments, options=("BatchMode=yes", *options)), input=text if text is not None else "",
            capture_output=True, text=True, timeout=timeout, check=False, env=dict(os.environ, LC_ALL="C.UTF-8"),
        )  # fmt: skip

    def start(self, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """The same in the background, to be ended by the test."""
        return subprocess.Popen(
            self.command(*arguments, options=("BatchMode=yes", *options)), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def sftp(self, batch: str) -> subprocess.CompletedProcess[str]:
        """An sftp batch; every line is tried."""
        lines = "".join(f"-{line}\n" for line in batch.splitlines())
        return subprocess.run(
            ["sftp", *self.options("BatchMode=yes"), "-P", str(self.port), "-b", "-", f"{self.user}@127.0.0.1"],
            input=lines, capture_output=True, text=True, timeout=30, check=False, cwd=self.folder,
        )  # fmt: skip

    def scp(self, source: str, target: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """A copy; ':name' is a file at the other end."""
        words = [f"{self.user}@127.0.0.1{word}" if word.startswith(":") else word for word in (source, target)]
        return subprocess.run(
            ["scp", *flags, *self.options("BatchMode=yes"), "-P", str(self.port), *words],
            capture_output=True, text=True, timeout=30, check=False, cwd=self.folder,
        )  # fmt: skip

    def log_in(self, passwords: list[str], *arguments: str) -> tuple[str, int, float]:
        """Give these passwords, one at each prompt; what was said, the exit code, and seconds since the last one."""
        options = ("PubkeyAuthentication=no", "NumberOfPasswordPrompts=3")
        words = self.command(*arguments, options=options)
        child = pexpect.spawn(words[0], words[1:], encoding="utf-8", timeout=30)
        said, began = "", time.monotonic()
        try:
            for password in passwords:
                child.expect("assword:")
                said += child.before or ""
                began = time.monotonic()
                child.sendline(password)
            child.expect(["assword:", pexpect.EOF])
            taken = time.monotonic() - began
            said += child.before or ""
        finally:
            if child.isalive():  # asked again: one that is hung up on would send an empty password, which counts, too
                child.kill(signal.SIGKILL)
            child.close(force=True)
        return said, int(child.exitstatus if child.exitstatus is not None else -1), taken


class SshServer:
    """OpenSSH's server on a loopback port, for one key of whoever runs the tests."""

    def __init__(self, folder: Path, key: Path, *lines: str) -> None:
        self.port = free_ports(1)[0]
        folder.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")], check=True)
        (folder / "authorized").write_text(key.with_suffix(".pub").read_text())
        (folder / "authorized").chmod(0o600)
        os.makedirs("/run/sshd", exist_ok=True)
        configuration = [
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", "PidFile none", "UsePAM no",
            f"AuthorizedKeysFile {folder}/authorized", "StrictModes no", "PermitRootLogin yes",
            "LogLevel ERROR", *lines,
        ]  # fmt: skip
        (folder / "configuration").write_text("\n".join(configuration) + "\n")
        self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "configuration")])
        assert wait_until(self._listens, 10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class Site:
    """A daemon that listens for SSH, with its operator's client."""

    def __init__(self, folder: Path) -> None:
        self.shell = Shell(folder, ssh=True)
        assert self.shell.over_ssh is not None
        self.ssh = OpenSsh(folder, self.shell.over_ssh.port, key=self.shell.over_ssh.key)
        self.run("show version")
        assert wait_until(lambda: self.ssh.run("show version").returncode == 0, 10)

    def run(self, *lines: str) -> str:
        """Run lines over the unix socket; they must succeed."""
        done = self.shell.commands(*lines)
        assert done.returncode == 0, done
        return done.stdout

    def sessions(self) -> str:
        """What 'show sessions' says of those over SSH."""
        return "\n".join(line for line in self.run("show sessions").splitlines() if "ssh " in line)

    def user(self, name: str, *settings: str) -> OpenSsh:
        """A client of another user, made with these settings."""
        self.run(f"set user {name} {' '.join(settings)}", "commit")
        return OpenSsh(self.shell.folder, self.ssh.port, name)

    def close(self) -> None:
        self.shell.close()


def new_key(folder: Path, name: str) -> Path:
    """A key pair; the private half's path."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


def public(key: Path) -> str:
    """The public half, quoted for a set line."""
    return f'"{key.with_suffix(".pub").read_text().strip()}"'
