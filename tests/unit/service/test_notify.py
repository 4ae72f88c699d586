"""What systemd hears: datagrams to the socket it names, by path or abstract; and nothing without it."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from nshell.serving.notify import Supervisor


@pytest.mark.parametrize("abstract", [False, True])
async def test_the_supervisor_hears_that_the_daemon_is_ready_and_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"@nshell-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        supervisor = Supervisor()
        assert "NOTIFY_SOCKET" not in os.environ
        supervisor.tell("READY=1", "STATUS=serving")
        assert listener.recv(100) == b"READY=1\nSTATUS=serving"
        alive = asyncio.create_task(supervisor.keep_alive())
        await asyncio.sleep(0.05)
        alive.cancel()
        assert [listener.recv(100), listener.recv(100)] == [b"WATCHDOG=1"] * 2


async def test_a_watchdog_meant_for_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    supervisor = Supervisor()
    assert supervisor.interval == 0
    await asyncio.wait_for(supervisor.keep_alive(), 1)
    supervisor.tell("READY=1")  # a supervisor that has gone is a line in the log


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Supervisor().tell("READY=1")
