"""The examples of docs/automation.md are run, one after the other against one daemon, and print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.openssh import Site, public
from tests.system.sessions import earlier_scrapli
from tests.transcripts.shell import ROOT

PAGE = ROOT / "docs" / "automation.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
HOST, PORT, KEY = "controller.example.net", "2022", '"ssh-ed25519 AAAA... robot@desk"'
PASSWORD = "correct horse"
PATIENCE = 60.0


class Reader:
    """Somebody who types what the page says: with a home, a key, and an ssh that knows where the host is."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        self.key = self.home / ".ssh" / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        settings = self.home / ".ssh" / "config"
        settings.write_text(
            f"Host 127.0.0.1\n IdentityFile {self.key}\n IdentitiesOnly yes\n IdentityAgent none\n LogLevel ERROR\n"
            " StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n"
        )
        programs = folder / "programs"
        programs.mkdir()
        ssh = programs / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {settings} "$@"\n')
        ssh.chmod(0o755)
        self.environment = dict(
            os.environ, HOME=str(self.home), PATH=f"{programs}:{os.environ['PATH']}", ROBOT_PASSWORD=PASSWORD,
            LC_ALL="C.UTF-8",
        )  # fmt: skip

    def run(self, kind: str, text: str) -> str:
        """What an example prints; it must succeed."""
        text = text.replace(HOST, "127.0.0.1").replace(PORT, str(self.site.ssh.port)).replace(KEY, public(self.key))
        if kind == "nsh":
            return self.site.run(*text.replace("0.0.0.0", "127.0.0.1").splitlines())
        environment = dict(self.environment)
        if "scrapli.driver" in text:
            environment["PYTHONPATH"] = str(earlier_scrapli.folder())
        words = ["sh", "-e", "-c", text] if kind == "sh" else [sys.executable, "-W", "ignore", "-c", text]
        done = subprocess.run(
            words, env=environment, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    site = Site(tmp_path / "site")
    try:
        yield Reader(site, tmp_path)
        assert "Traceback" not in site.shell.log(), site.shell.log()
    finally:
        site.close()


def test_every_example_of_the_page_prints_what_stands_below_it(reader: Reader) -> None:
    examples = BLOCK.findall(PAGE.read_text())
    assert {kind for kind, _, _ in examples} == {"nsh", "python", "sh"}
    for kind, text, expected in examples:
        printed = reader.run(kind, text)
        assert not expected or printed.splitlines() == expected.splitlines(), f"{text}\nprinted:\n{printed}"
