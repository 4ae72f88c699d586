"""The daemon as a service: what systemd hears of it, its log in each form, its settings, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.transcripts.shell import Shell


@contextmanager
def serving(shell: Shell, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`nshell serve` in the foreground on the shell's state directory, ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nshell.main", "serve", *arguments], env={**shell.environment, **environment},
        cwd=shell.work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(15)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_systemd_hears_that_it_serves_lives_and_ends(shell: Shell, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(15)
        with serving(shell, NOTIFY_SOCKET=path, WATCHDOG_USEC="200000") as process:
            assert systemd.recv(200) == f"READY=1\nSTATUS=serving {shell.state}, revision 1".encode()
            assert shell.commands("show version").returncode == 0
            assert systemd.recv(200) == systemd.recv(200) == b"WATCHDOG=1"
            process.send_signal(signal.SIGTERM)
            while (said := systemd.recv(200)) == b"WATCHDOG=1":
                continue
            assert said.startswith(b"STOPPING=1\n")
            assert process.wait(15) == 0


def test_the_journal_gets_severities_and_no_clock(shell: Shell) -> None:
    with serving(shell, "--log-format", "journal") as process:
        wait_for((shell.state / "nshell.sock").exists)
        shell.commands("show version")
        process.terminate()
        _, log = process.communicate(timeout=15)
    lines = log.splitlines()
    assert lines and all(line.startswith("<6>logger=nshell.") for line in lines), log


def test_a_log_for_programs_has_one_json_object_to_a_line_and_follows_logrotate(shell: Shell, tmp_path: Path) -> None:
    log = tmp_path / "log" / "nshell.log"
    with serving(shell, "--log", str(log), NSHELL_LOG_FORMAT="json") as process:
        wait_for((shell.state / "nshell.sock").exists)
        shell.commands("show version")
        log.rename(tmp_path / "log" / "nshell.log.1")
        process.send_signal(signal.SIGHUP)
        wait_for(log.exists)
        shell.commands("show version")
        process.terminate()
        assert process.wait(15) == 0
    for file in (tmp_path / "log" / "nshell.log.1", log):
        records = [json.loads(line) for line in file.read_text().splitlines()]
        assert records and all({"time", "level", "logger", "message"} <= record.keys() for record in records)
    assert log.stat().st_mode & 0o077 == 0


def test_settings_in_the_state_directory_hold_for_a_daemon_that_a_client_starts(shell: Shell, tmp_path: Path) -> None:
    log = tmp_path / "elsewhere.log"
    (shell.state / "nshell.conf").write_text(f"log = {log}\nlog-format = json\n")
    assert shell.commands("show version").returncode == 0
    assert json.loads(log.read_text().splitlines()[0])["logger"] == "nshell.serve"


def test_a_mistake_in_the_settings_is_told_to_whoever_started_the_daemon(shell: Shell) -> None:
    (shell.state / "nshell.conf").write_text("log-level = loud\n")
    done = shell.commands("show version")
    assert done.returncode == 5
    assert f"{shell.state}/nshell.conf line 1" in done.stderr
    assert "choose debug, info, warning or error" in done.stderr


def test_a_daemon_may_open_many_files_whatever_the_shell_that_started_it_says(shell: Shell) -> None:
    done = shell.script('ulimit -Sn 256; nshell -c "show version"')
    assert done[1] == 0, done[0]
    limits = Path(f"/proc/{shell.pid}/limits").read_text()
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    assert int(soft) == min(int(hard), 65536)
    assert os.path.exists(f"/proc/{shell.pid}")


def test_a_record_names_the_session_that_it_comes_from(shell: Shell, tmp_path: Path) -> None:
    log = tmp_path / "nshell.log"
    with serving(shell, "--log", str(log), "--log-format", "json"):
        wait_for((shell.state / "nshell.sock").exists)
        assert shell.commands("configure", "set enterprise acme", "commit").returncode == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    commit = next(record for record in records if "commit: revision 2" in record["message"])
    assert commit["user"] and commit["origin"].startswith("local pid ")
