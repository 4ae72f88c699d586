"""Operators of other users, for tests: the client run in a process of another uid."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nshell import client
from tests.transcripts.shell import Shell

GROUP = "games"  # on every Debian
HOMELESS = 4711
"""A uid without an account."""


def as_user(shell: Shell, arguments: Sequence[str], *, uid: int = HOMELESS, gid: int) -> tuple[int, str, str]:
    """The client as it runs for this user: exit code, standard output and error.

    Forked and not executed anew: another user may not read where the interpreter lies.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(error.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.environ.clear()
                os.environ["NSHELL_STATE"] = str(shell.state)
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
                client.sys.stdout = os.fdopen(1, "w", closefd=False)
                client.sys.stderr = os.fdopen(2, "w", closefd=False)
                code = client.main(list(arguments))
                client.sys.stdout.flush()
                client.sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        error.seek(0)
        return os.waitstatus_to_exitcode(status), out.read(), error.read()


@contextmanager
def shared_shell() -> Iterator[Shell]:
    """A daemon that members of GROUP may use, in a folder that they can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="nshell-shared-"))
    folder.chmod(0o755)
    shell = Shell(folder / "shell")
    shell.folder.chmod(0o755)
    shell.environment["NSHELL_GROUP"] = GROUP
    try:
        yield shell
    finally:
        shell.end()
        shutil.rmtree(folder)


def client_process(shell: Shell, *arguments: str) -> subprocess.Popen[str]:
    """The client as a process of its own, to be killed."""
    words = [str(shell.folder / "bin" / "nshell"), *arguments]
    return subprocess.Popen(
        words, env=shell.environment, cwd=shell.work, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def written(shell: Shell, name: str, text: str) -> Path:
    """A file in the operator's directory."""
    path = shell.work / name
    path.write_text(text)
    return path
