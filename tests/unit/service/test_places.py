"""Where state, socket, log and settings are: by the FHS for the system's daemon, by XDG for a user's, else in DIR."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nshell import daemon, places
from tests.conftest import as_root

ROOT = Path(__file__).parents[3]


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user that is not root, on a machine without the service; their home."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(places, "SYSTEM_RUNTIME", str(tmp_path / "absent"))
    for name in ("NSHELL_STATE", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_system_s_daemon_is_laid_out_by_the_fhs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NSHELL_STATE", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    state = places.state_directory()
    assert state == "/var/lib/nshell"
    assert places.socket_path(state) == "/run/nshell/nshell.sock"
    assert places.log_path(state) == "/var/log/nshell/nshell.log"
    assert places.configuration_path(state) == "/etc/nshell/nshell.conf"


def test_a_user_s_daemon_is_laid_out_by_xdg(somebody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.state_directory() == f"{somebody}/.local/state/nshell"
    assert places.configuration_path(places.state_directory()) == f"{somebody}/.config/nshell/nshell.conf"
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    monkeypatch.setenv("XDG_CONFIG_HOME", "not/absolute")  # the specification has it ignored
    state = places.state_directory()
    assert state == "/srv/state/nshell"
    assert places.socket_path(state) == "/srv/state/nshell/nshell.sock"
    assert places.log_path(state) == "/srv/state/nshell/nshell.log"
    assert places.configuration_path(state) == f"{somebody}/.config/nshell/nshell.conf"


def test_with_a_state_directory_of_its_own_everything_stays_inside(somebody: Path) -> None:
    state = places.state_directory("/tmp/elsewhere")
    assert places.socket_path(state) == "/tmp/elsewhere/nshell.sock"
    assert places.log_path(state) == "/tmp/elsewhere/nshell.log"
    assert places.configuration_path(state) == "/tmp/elsewhere/nshell.conf"


def test_whom_the_service_lets_in_gets_the_service(somebody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (somebody / "run").mkdir()
    monkeypatch.setattr(places, "SYSTEM_RUNTIME", str(somebody / "run"))
    assert places.state_directory() == places.SYSTEM_STATE
    assert places.state_directory("/tmp/own") == "/tmp/own"


def test_a_member_of_the_group_hears_that_the_service_is_down(somebody: Path) -> None:
    with pytest.raises(daemon.DaemonFailed, match="systemctl start nshell"):
        daemon.start(places.SYSTEM_STATE, lambda state: None)


def test_root_writes_nothing_into_another_user_s_state_directory(tmp_path: Path) -> None:
    as_root("gives a directory to another user")
    state = tmp_path / "state"
    state.mkdir(0o700)
    os.chown(state, 65534, 65534)
    for arguments in (["--state", str(state), "-c", "show version"], ["serve", "--state", str(state)]):
        done = subprocess.run(
            [sys.executable, "-m", "nshell.main", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20,
            check=False,
        )  # fmt: skip
        assert done.returncode in (1, 5)
        assert "belongs to user nobody" in done.stderr
    assert list(state.iterdir()) == []
