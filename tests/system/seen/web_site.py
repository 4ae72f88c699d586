"""A daemon with a web server, two tenants and two users, for tests of it; it has no network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.transcripts.shell import Shell, free_ports

WRONG = "user or password is wrong"
PASSWORD, OTHER = "Correct.Horse", "Battery.Staple"
USERS = f"""
set enterprise acme
set enterprise umbrella
set login-class of-acme permission [ show configure commit ] enterprise acme
set user ann class super-user password {PASSWORD}
set user tom class of-acme password {OTHER}
"""


class Web:
    """A daemon with a web server, two users and two tenants."""

    def __init__(self, folder: Path) -> None:
        self.shell = Shell(folder)
        self.port = free_ports(1)[0]
        self.commit(*USERS.strip().splitlines(), f"set web listen-address 127.0.0.1 port {self.port}")

    def commit(self, *lines: str, code: int = 0) -> str:
        done = self.shell.commands(*lines, "commit")
        assert done.returncode == code, done
        return done.stdout + done.stderr

    def run(self, *lines: str) -> str:
        done = self.shell.commands(*lines)
        assert done.returncode == 0, done
        return done.stdout

    def sessions(self) -> str:
        return "\n".join(line for line in self.run("show sessions").splitlines() if "web " in line)

    def curl(self, *words: str) -> tuple[int, str]:
        """Status and text of a request, certificates not looked at."""
        words = ("curl", "-sk", "-m", "30", "-w", "\n%{http_code}", *words)
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        text, _, status = done.stdout.rpartition("\n")
        return int(status or 0), text

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@contextmanager
def served(folder: Path) -> Iterator[Web]:
    """One in a new folder, which ends without a traceback in its log."""
    web = Web(folder)
    try:
        yield web
        assert "Traceback" not in web.shell.log(), web.shell.log()
    finally:
        web.shell.close()


def form(web: Web) -> tuple[str, str]:
    """The token of a login page, and the cookie that repeats it."""
    _, text = web.curl("-i", f"{web.base}/login")
    token = text.partition('name="token" value="')[2].partition('"')[0]
    cookie = text.partition("__Host-nshell-form=")[2].partition(";")[0]
    assert token and token == cookie
    return token, cookie


def logged_in(web: Web, user: str, password: str, *more: str) -> str:
    """The cookie of somebody who logged in; `more` words are for curl."""
    token, cookie = form(web)
    data = f"user={user}&password={password}&token={token}"
    words = ("-i", "-b", f"__Host-nshell-form={cookie}", "-H", f"Origin: {web.base}", "-d", data, *more)
    status, text = web.curl(*words, f"{web.base}/login")
    assert status == 303, text
    return text.partition("__Host-nshell=")[2].partition(";")[0]
