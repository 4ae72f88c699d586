"""Dashboards on a real terminal: OpenSSH's client in tmux, against a daemon with a hypervisor and a machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nshell.lab.probing import wait_until
from tests.system.network import PATIENCE, Network, machine
from tests.system.openssh import OpenSsh, new_key, public
from tests.system.pane import Pane
from tests.transcripts.shell import free_ports

UMBRELLA = """
set enterprise umbrella domain lab zone z subnet s prefix 10.9.1.0/24
set enterprise umbrella domain lab vport hidden-1 subnet s mac 02:00:0a:09:01:0b address 10.9.1.11
set login-class acme-admin permission [ show configure commit ] enterprise acme
"""
POLICY = """
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
"""


class Screen(Pane):
    """A pane at 80x24 whose texts come and go."""

    def press(self, *keys: str) -> None:
        """Keys by tmux's names for them; texts as they are."""
        self._tmux("send-keys", *keys)

    def shows(self, *texts: str, without: str = "\0") -> str:
        """Wait for texts on the screen, and for another not to be there."""
        found = wait_until(
            lambda: all(text in self.screen for text in texts) and without not in self.screen, PATIENCE, 0.1
        )
        assert found, f"waited for {texts} without {without!r}:\n{self.screen}"
        return self.screen


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("dashboard")
    made = Network(folder, "db", hypervisors=1, machines=(machine("web-1", "hv1", 1, 11),), policy=POLICY + UMBRELLA)
    try:
        yield made
    finally:
        made.close()


class Way:
    """SSH into the daemon, for users made on the way."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network, self.folder, self.port = network, folder, free_ports(1)[0]
        network.run("configure", f"set ssh listen-address 127.0.0.1 port {self.port}", "commit")
        self._screens: list[Screen] = []

    def user(self, name: str, login_class: str, columns: int = 80, rows: int = 24) -> Screen:
        """A prompt of this user on a screen."""
        folder = self.folder / name
        folder.mkdir()
        key = new_key(folder, "id")
        self.network.run("configure", f"set user {name} class {login_class} ssh-key {public(key)}", "commit")
        ssh = OpenSsh(folder, self.port, name, key)
        assert wait_until(lambda: ssh.run("show version").returncode == 0, PATIENCE, 0.2)
        screen = Screen(folder, ssh.command(options=("BatchMode=yes", "SendEnv=LC_ALL")), columns, rows)
        self._screens.append(screen)
        screen.shows(f"{name}@")
        return screen

    def close(self) -> None:
        for screen in self._screens:
            screen.close()


@pytest.fixture
def way(network: Network, tmp_path: Path) -> Iterator[Way]:
    made = Way(network, tmp_path)
    try:
        yield made
    finally:
        made.close()


def sessions(network: Network) -> list[str]:
    """Users with an interactive session."""
    return [str(row["user"]) for row in network.rows("show sessions") if row["kind"] == "interactive"]


def test_screens_keys_size_and_the_prompt_after_it(way: Way, network: Network) -> None:
    screen = way.user("ops", "super-user")
    screen.press("dashboard", "Enter")
    screen.shows("Fabric", "vports   1 up   1 unresolved", "hv1", "Events")
    screen.press("2")
    screen.shows("hv1", "ready", "No. of hypervisors: 1")
    screen.press("Enter")
    screen.shows("dVRS hv1", "web-1")
    screen.press("Escape")
    screen.shows("No. of hypervisors: 1")
    screen.press("3")
    screen.shows("web-1", "hidden-1")
    screen.press("/", "hid")
    screen.shows("1 of 2 virtual ports", without="web-1")
    screen.press("Escape")
    screen.shows("No. of virtual ports: 2")
    screen.resize(160, 48)
    wide = screen.shows("02:00:0a:01:01:0b")
    assert len(wide.splitlines()) > 40
    screen.resize(40, 10)
    screen.shows("too small: 40 x 10", without="02:00:0a:01:01:0b")
    screen.resize(100, 30)
    screen.shows("3 vports", "q quit", without="too small")
    screen.press(":", "configure", "Enter")
    screen.shows("[edit]")
    screen.press("set enterprise acme description made-here", "Enter")
    screen.shows("*[edit]")
    screen.press("commit", "Enter")
    screen.shows("commit complete")
    assert "made-here" in network.run("show configuration enterprise acme")
    rows = network.rows("show audit user ops limit 20")
    assert any("set enterprise acme description" in str(row["command"]) for row in rows), "what is typed is audited"
    assert not any("show statistics" in str(row["command"]) for row in rows), "what a screen asks is not"
    screen.press("Escape")
    screen.shows("No. of virtual ports: 2", without="commit complete")
    screen.press("q")
    screen.shows("ops@", without="q quit")
    screen.press("show version", "Enter")
    screen.shows("nshell           0.1.0")
    screen.press("dashboard events", "Enter")
    screen.shows("revision", "Severity")
    screen.press("C-c")
    screen.shows("ops@", without="Severity")
    screen.press("show version", "Enter")
    screen.shows("python")


def test_a_tenant_administrator_sees_only_what_is_theirs(way: Way) -> None:
    screen = way.user("anna", "acme-admin", 120, 40)
    screen.press("dashboard", "Enter")
    shown = screen.shows("vports    1 up", "Busiest virtual ports", "acme/prod/web-1")
    assert "umbrella" not in shown and "unresolved" not in shown.replace("0 unresolved", "")
    screen.press("2")
    screen.shows("does not let anna do this")
    screen.press("3")
    shown = screen.shows("web-1", "No. of virtual ports: 1")
    assert "hidden-1" not in shown
    screen.press(":", "show vports", "Enter")
    shown = screen.shows("anna@", "No. of virtual ports: 1")
    assert "hidden-1" not in shown


def test_rights_that_change_and_an_administrator_end_it_with_the_terminal_as_it_was(way: Way, network: Network) -> None:
    screen = way.user("carl", "acme-admin")
    screen.press("dashboard vports", "Enter")
    screen.shows("web-1")
    network.run("configure", "set login-class acme-admin enterprise umbrella", "commit")
    screen.shows("the rights of carl have changed meanwhile", "carl@", without="No. of virtual ports")
    network.run("configure", "delete login-class acme-admin enterprise umbrella", "commit")
    screen.press("dashboard vports", "Enter")
    screen.shows("No. of virtual ports: 1")
    number = next(row["session"] for row in network.rows("show sessions") if row["user"] == "carl")
    network.run(f"request session {number} disconnect")
    assert wait_until(lambda: "carl" not in sessions(network), PATIENCE, 0.2)


def test_a_connection_that_is_lost_leaves_nothing_behind(way: Way, network: Network) -> None:
    screen = way.user("dora", "super-user")
    screen.press("dashboard", "Enter")
    screen.shows("Fabric", "hv1")
    screen.close()
    assert wait_until(lambda: "dora" not in sessions(network), PATIENCE, 0.2)
    log = (network.shell.state / "nshell.log").read_text()
    assert "Traceback" not in log and "was never retrieved" not in log and "was destroyed" not in log, log[-4000:]
    assert "dora" in log


def test_the_daemon_stops_under_a_dashboard(way: Way, network: Network) -> None:
    """The last test here: the terminal is as it was, and the client ends."""
    screen = way.user("erik", "super-user")
    screen.press("dashboard vports", "Enter")
    screen.shows("web-1")
    network.shell.end()
    screen.shows("code=", without="q quit")
