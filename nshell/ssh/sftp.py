"""SFTP and scp: a user's own files (files.py), as one flat directory that is the whole world.

    sftp -P 2022 bob@controller          put site.set, get backup, ls, rm, rename
    scp -P 2022 site.set bob@controller:

No directories, links, permissions or owners: whatever could lead out of the directory, or past its limits, is refused.
"""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn, TypeVar

import asyncssh
from asyncssh import FXF_APPEND, FXF_CREAT, FXF_EXCL, FXF_READ, FXF_TRUNC, FXF_WRITE, SFTPAttrs

from data.errors import CommandFailed
from nshell.ssh.channel import Wire
from nshell.ssh.files import TOTAL, UserFiles

READ = 256 * 1024
"""Bytes of the answer to one request; clients ask for 32 KiB to 4 MiB and take less."""
UNSENT = 1024 * 1024
"""Bytes that may wait to be sent before more is read."""
PAUSE = 0.01

T = TypeVar("T")


class FileServer(asyncssh.SFTPServer):
    """One SFTP or scp session."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], wire: Wire, files: UserFiles) -> None:
        files.make()
        self._wire = wire
        self._files = files
        self._held: dict[object, str] = {}
        super().__init__(channel, files.folder.encode())

    def map_path(self, path: bytes) -> bytes:
        """The local path: of the directory, or of a file in it."""
        name = posixpath.normpath(posixpath.join(b"/", path)).lstrip(b"/")
        if not name:
            return self._files.folder.encode()
        return _told(lambda: self._files.path(name.decode("utf-8", "replace"))).encode()

    def realpath(self, path: bytes) -> bytes:
        return b"/" + os.path.relpath(self.map_path(path), self._files.folder.encode()).lstrip(b".")

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> BinaryIO:
        local = self.map_path(path)
        if local == self._files.folder.encode():
            _refuse()
        name = os.path.basename(local).decode()
        writes = bool(pflags & (FXF_WRITE | FXF_APPEND))
        flags = (os.O_RDWR if pflags & FXF_READ else os.O_WRONLY) if writes else os.O_RDONLY
        for asked, flag in (
            (FXF_APPEND, os.O_APPEND), (FXF_CREAT, os.O_CREAT), (FXF_TRUNC, os.O_TRUNC), (FXF_EXCL, os.O_EXCL),
        ):  # fmt: skip
            flags |= flag if pflags & asked and writes else 0
        descriptor = _told(lambda: self._files.open(name, flags))
        file: BinaryIO = os.fdopen(descriptor, "r+b" if writes and pflags & FXF_READ else "wb" if writes else "rb", 0)
        self._held[file] = name
        return file

    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        """At most READ bytes, whatever is asked for, once the other end has taken most of what it asked for before:
        requests wait their turn, so that nobody has the daemon hold whole files in memory.
        """
        while self.channel.get_write_buffer_size() > UNSENT and not self.channel.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(PAUSE)  # asyncssh tells when a channel takes more only to its own streams
        await self._wire.drained()
        return os.pread(file_obj.fileno(), min(size, READ), offset) if offset <= TOTAL else b""

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        name = self._held[file_obj]
        end = offset + len(data)
        if end > os.fstat(file_obj.fileno()).st_size:
            _told(lambda: self._files.check_room(name, end))
        return os.pwrite(file_obj.fileno(), data, offset)

    def close(self, file_obj: Any) -> None:
        self._held.pop(file_obj, None)
        file_obj.close()

    def exit(self) -> None:
        """Says that all went well: without a code OpenSSH's scp calls every copy a failure."""
        if not self.channel.is_closing():
            self.channel.exit(0)

    # What there is no use for, and what could lead out -----------------------------------------------------------

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Times and modes, which scp and sftp send along, are left as they are."""
        if attrs.size is not None:
            _refuse()

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: Any, attrs: SFTPAttrs) -> None:
        """scp cuts what it has written to its size, and so may everybody; a file never grows by that."""
        if attrs.size is None:
            return
        if attrs.size > os.fstat(file_obj.fileno()).st_size:
            _refuse()
        os.ftruncate(file_obj.fileno(), attrs.size)

    def lstat(self, path: bytes) -> os.stat_result:
        return os.lstat(self.map_path(path))

    def stat(self, path: bytes) -> os.stat_result:
        return self.lstat(path)

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        _refuse()

    def rmdir(self, path: bytes) -> None:
        _refuse()

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        _refuse()

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        _refuse()

    def readlink(self, path: bytes) -> bytes:
        _refuse()


def _refuse() -> NoReturn:
    raise asyncssh.SFTPPermissionDenied("nshell keeps plain files in one directory")


def _told(work: Callable[[], T]) -> T:
    """The result, with the house's errors as the protocol's."""
    try:
        return work()
    except CommandFailed as problem:
        raise asyncssh.SFTPPermissionDenied(f"{problem.cause}; {problem.remedy}") from None
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO):
            _refuse()
        raise
