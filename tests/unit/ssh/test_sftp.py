"""SFTP: what one request may cost the daemon."""

from __future__ import annotations

import asyncio
import types
from pathlib import Path
from typing import Any

from asyncssh import FXF_CREAT, FXF_READ, FXF_WRITE, SFTPAttrs

from nshell.ssh.files import UserFiles
from nshell.ssh.server import VARIABLES, Variables
from nshell.ssh.sftp import READ, UNSENT, FileServer


def served(tmp_path: Path, unsent: list[int]) -> FileServer:
    """A file server whose channel has these numbers of bytes to send, one after the other."""
    channel: Any = types.SimpleNamespace(
        get_write_buffer_size=lambda: unsent.pop(0), is_closing=lambda: False, get_connection=lambda: None,
        get_extra_info=lambda *_: None, logger=None,
    )  # fmt: skip

    async def drained() -> None:
        return

    return FileServer(channel, types.SimpleNamespace(drained=drained), UserFiles(str(tmp_path), "bob"))


def test_one_request_reads_a_bounded_part_once_the_former_answers_are_sent(tmp_path: Path) -> None:
    waiting = [2 * UNSENT, 2 * UNSENT, 0, 0]
    server = served(tmp_path, waiting)
    file = server.open(b"big", FXF_READ | FXF_WRITE | FXF_CREAT, SFTPAttrs())
    server.write(file, 0, b"x" * (READ + 10))
    assert len(asyncio.run(server.read(file, 0, 0xFFFFFFFF))) == READ
    assert waiting == [0], "it waited until little was left to send"
    assert asyncio.run(served(tmp_path, [0]).read(file, READ, 100)) == b"x" * 10
    assert asyncio.run(served(tmp_path, [0]).read(file, 2**64 - 1, 100)) == b""


def test_an_environment_is_kept_as_far_as_anybody_could_mean_it() -> None:
    kept = Variables()
    for number in range(10 * VARIABLES):
        kept[b"V%d" % number] = b"x"
    assert len(kept) == VARIABLES
    other = Variables()
    other[b"V"] = b"x" * 100_000
    assert not other
