"""Started by the daemon as `python -m controller.bgp.speaker.child DESCRIPTOR DAEMON [outlive]`: a socket pair's end
and the daemon's process number. Ends when the other end closes; with `outlive`, when no session is left to keep then
(alone.py)."""

from __future__ import annotations

import os
import socket
import sys

from exabgp.environment import getenv
from exabgp.logger import log
from exabgp.version import version

from controller.bgp.speaker.child.channel import Channel
from controller.bgp.speaker.child.privileges import confine
from controller.bgp.speaker.configuration import EMPTY
from controller.bgp.speaker.frames import Kind

VERSION = "5.0.15"
REACTOR_SPEED = 2.0  # a turn at least every 20 ms when nothing happens


def main() -> int:
    """Runs until the daemon is gone."""
    if version != VERSION:
        print(
            f"ExaBGP {version} is installed, this takes exactly {VERSION}: pip install exabgp=={VERSION}",
            file=sys.stderr,
        )
        return 1
    line = socket.socket(fileno=int(sys.argv[1]))
    _settings()

    from exabgp.configuration.configuration import Configuration
    from exabgp.reactor.loop import Reactor

    from controller.bgp.speaker.child.commands import Commands
    from controller.bgp.speaker.child.grafts import graft

    problems: list[str] = []
    channel = Channel(line, lambda: reactor, outlive=sys.argv[3:] == ["outlive"])
    graft(channel, problems)
    confine(int(sys.argv[2]))
    reactor = Reactor(Configuration([EMPTY], True))
    channel.command = Commands(reactor, channel, problems)
    channel.put(Kind.READY)
    return int(reactor.run())


def _settings() -> None:
    """Nothing from the environment or a file that somebody left."""
    settings = getenv()
    settings.api.cli = False
    settings.bgp.passive = False
    settings.cache.attributes = False
    settings.daemon.daemonize = False
    settings.daemon.pid = ""
    settings.log.destination = "stderr"
    settings.log.enable = False
    settings.reactor.speed = REACTOR_SPEED
    settings.tcp.attempts = 0
    settings.tcp.bind = []
    settings.tcp.delay = 0
    for name in [one for one in os.environ if one.startswith(("exabgp.tcp", "exabgp_tcp"))]:
        del os.environ[name]
    for level in ("debug", "info", "warning", "error", "critical", "fatal"):
        setattr(log, level, _nothing)
    log.init(settings)


def _nothing(*_: object, **__: object) -> None:
    """In place of ExaBGP's log: what it says the daemon is told anyway, and it would print neighbours' settings."""


if __name__ == "__main__":
    sys.exit(main())
