"""What systemd is told by a service of Type=notify: ready, alive, ending. Without systemd nothing is told.

sd_notify(3): datagrams of NAME=value lines to the socket in $NOTIFY_SOCKET, which an '@' marks as abstract.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket

log = logging.getLogger("nshell.serve")


class Supervisor:
    """The service manager that watches this process, if any."""

    def __init__(self) -> None:
        # Taken out of the environment: what this process may start one day must not speak in its name.
        self.address = os.environ.pop("NOTIFY_SOCKET", "")
        meant_for = os.environ.pop("WATCHDOG_PID", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "0")
        ours = meant_for in ("", str(os.getpid())) and microseconds.isdecimal()
        self.interval = int(microseconds) / 2_000_000 if ours else 0.0
        """Seconds between two signs of life: half of what systemd waits (sd_watchdog_enabled(3)); 0 for none."""

    def tell(self, *lines: str) -> None:
        """Send these lines, as ("READY=1", "STATUS=serving")."""
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(address)
                channel.send("\n".join(lines).encode())
        except OSError as problem:
            log.warning("systemd was not told %s: %s", lines[0], problem)

    async def keep_alive(self) -> None:
        """Tell that the event loop turns, for as long as it does."""
        while self.interval and self.address:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.interval)
