"""An operator's files on this machine: <state>/files/<user>/NAME, flat, bounded in number and size.

`load`, `save` and `| save` of an SSH session name files here; SFTP (sftp.py) shows the same directory and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat

from data.errors import CommandFailed
from nshell import frames

FOLDER = "files"
COUNT = 100
"""Files of one user."""
TOTAL = 2 * frames.MAXIMUM
"""Bytes of one user's files: two of the largest batches, 512 MiB."""
NAMES = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.,+@=-]{0,127}")


class UserFiles:
    """The files of one user."""

    def __init__(self, state: str, user: str) -> None:
        if "/" in user or user.startswith("."):
            raise CommandFailed(user, "this name has no directory for files", "choose another name for the user")
        self.folder = os.path.join(state, FOLDER, user)

    def path(self, name: str) -> str:
        """Where a file is. Raises CommandFailed for a name that is no plain file name."""
        if NAMES.fullmatch(name) is None:
            raise CommandFailed(
                name,
                "over SSH a file is one in your own directory on the controller",
                "use a plain name: letters, digits and . _ - without a slash",
            )
        return os.path.join(self.folder, name)

    def make(self) -> None:
        """Make the directory. Raises OSError."""
        os.makedirs(self.folder, 0o700, exist_ok=True)

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a plain file. Raises OSError, and CommandFailed for a bad name and too many files."""
        path = self.path(name)
        self.make()
        if flags & os.O_CREAT and not os.path.lexists(path) and len(os.listdir(self.folder)) >= COUNT:
            raise CommandFailed(name, f"you have {COUNT} files already", "remove one with 'rm' in sftp")
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise CommandFailed(name, "this is not a plain file", "name another")
        return descriptor

    def check_room(self, name: str, size: int) -> None:
        """Raises CommandFailed when the file may not become so many bytes long."""
        with os.scandir(self.folder) as entries:
            others = sum(entry.stat(follow_symlinks=False).st_size for entry in entries if entry.name != name)
        if others + size > TOTAL:
            raise CommandFailed(name, f"your files would exceed {TOTAL >> 20} MiB", "remove some with 'rm' in sftp")

    async def read_file(self, name: str) -> bytes:
        """The contents of a file. Raises CommandFailed."""
        return await asyncio.to_thread(self._read, name)

    async def write_file(self, name: str, contents: bytes) -> None:
        """Replaces a file. Raises CommandFailed."""
        await asyncio.to_thread(self._write, name, contents)

    def _read(self, name: str) -> bytes:
        try:
            with os.fdopen(self.open(name, os.O_RDONLY), "rb") as file:
                contents = file.read(frames.MAXIMUM + 1)
        except OSError as problem:
            raise CommandFailed(name, problem.strerror or str(problem), "name a file that you may use") from None
        if len(contents) > frames.MAXIMUM:
            raise CommandFailed(name, f"longer than {frames.MAXIMUM >> 20} MiB", "split it")
        return contents

    def _write(self, name: str, contents: bytes) -> None:
        self.path(name)
        try:
            self.make()
            self.check_room(name, len(contents))
            with os.fdopen(self.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(contents)
        except OSError as problem:
            raise CommandFailed(name, problem.strerror or str(problem), "mend that, and save it again") from None
