"""A user's files: flat, bounded, and nobody else's."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from data.errors import CommandFailed
from nshell.ssh import files
from nshell.ssh.files import UserFiles


def test_what_is_written_is_read_and_belongs_to_the_daemon_alone(tmp_path: Path) -> None:
    mine = UserFiles(str(tmp_path), "bob")
    asyncio.run(mine.write_file("site.set", b"set enterprise acme\n"))
    assert asyncio.run(mine.read_file("site.set")) == b"set enterprise acme\n"
    assert os.stat(mine.path("site.set")).st_mode & 0o777 == 0o600
    assert os.stat(mine.folder).st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/etc/passwd", "../x", "a/b", ".hidden", "a\0b", "a\nb", "x" * 200, "é"]
)
def test_a_name_is_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandFailed, match="your own directory"):
        asyncio.run(UserFiles(str(tmp_path), "bob").read_file(name))


@pytest.mark.parametrize("user", ["..", ".", "a/b", "../x"])
def test_a_user_whose_name_leads_elsewhere_has_no_files(tmp_path: Path, user: str) -> None:
    with pytest.raises(CommandFailed):
        UserFiles(str(tmp_path), user)


def test_links_and_devices_are_no_files(tmp_path: Path) -> None:
    mine = UserFiles(str(tmp_path), "bob")
    mine.make()
    (tmp_path / "secret").write_text("s")
    os.symlink(tmp_path / "secret", mine.path("link"))
    os.mkfifo(mine.path("pipe"))
    os.mkdir(mine.path("folder"))
    for name in ("link", "pipe", "folder"):
        with pytest.raises(CommandFailed):
            asyncio.run(mine.read_file(name))
        with pytest.raises(CommandFailed):
            asyncio.run(mine.write_file(name, b"x"))
    assert (tmp_path / "secret").read_text() == "s"


def test_number_and_size_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "COUNT", 2)
    monkeypatch.setattr(files, "TOTAL", 10)
    mine = UserFiles(str(tmp_path), "bob")
    asyncio.run(mine.write_file("a", b"12345"))
    asyncio.run(mine.write_file("b", b"12345"))
    asyncio.run(mine.write_file("b", b"54321"))
    with pytest.raises(CommandFailed, match="2 files already"):
        asyncio.run(mine.write_file("c", b""))
    with pytest.raises(CommandFailed, match="exceed"):
        asyncio.run(mine.write_file("b", b"123456"))
    assert asyncio.run(mine.read_file("b")) == b"54321", "what was there stays"
