"""`nshell serve`: the daemon's process. Owns the state directory, opens the store, runs the fabric, answers clients.

    own the directory -> Store.open -> Fabric.start -> agents -> unix socket -> 'ok' to whoever started us -> serve
    SIGTERM, SIGINT: close the socket, cancel sessions, stop the fabric, release the directory
    SIGHUP: open the log again, for logrotate

Where its things are is in places.py, what it may be told in settings.py; what happens on a connection is service.py's.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys

from data.errors import NshellError
from nshell import __version__, daemon
from nshell.places import configuration_path, log_path, socket_path, state_directory
from nshell.serving import admission, logs
from nshell.serving.notify import Supervisor
from nshell.serving.service import Service
from nshell.serving.settings import CHECKS, settle
from nshell.sessions.candidates import UserCandidates

log = logging.getLogger("nshell.serve")

USAGE = """\
usage: nshell serve [options]
  --state DIR          state directory (also $NSHELL_STATE)
  --config FILE        settings of the daemon, instead of nshell.conf where it is looked for: /etc/nshell for
                       the system's daemon, ~/.config/nshell for a user's, else the state directory
  --log FILE           append the log to a file instead of standard error; SIGHUP opens it again
  --log-level LEVEL    debug, info (default), warning or error
  --log-format FORMAT  text (default), json or journal (default where systemd reads standard error)
  --group GROUP        whose members may connect (default: nshell, where there is one)
The last four can stand in the file as 'log-level = debug', or in the environment as NSHELL_LOG_LEVEL=debug.
"""
BACKLOG = 128
DESCRIPTORS = 65536
"""Open files this process may have where the system allows it: three connections for each hypervisor."""


async def serve(state: str, ready: int | None, handler: logging.Handler) -> None:
    """Run the daemon until a signal ends it. Raises DaemonFailed and NshellError when it cannot start."""
    supervisor = Supervisor()
    lock = daemon.own(state)
    # Imported only now: a second daemon that finds the lock taken fails in 50 ms.
    from controller.fabric import Fabric
    from data.store import Store

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reopen, handler)
    fabric = Fabric(Store.open(state))
    await fabric.start()
    candidates = UserCandidates(fabric)
    await candidates.load()
    service = Service(state, fabric, candidates)
    await service.start()
    path = socket_path(state)
    place = os.path.dirname(path)
    os.makedirs(place, 0o700, exist_ok=True)
    group = admission.group()
    server = await asyncio.start_unix_server(service.client, path, backlog=BACKLOG)
    admission.admit(place, path, group)
    gc.collect()
    gc.freeze()
    log.info("version=%s state=%s revision=%d serving", __version__, state, fabric.running.revision)
    if ready is not None:
        os.write(ready, b"ok")
        os.close(ready)
    supervisor.tell("READY=1", f"STATUS=serving {state}, revision {fabric.running.revision}")
    alive = asyncio.create_task(supervisor.keep_alive())
    try:
        await stop.wait()
        log.info("stopping")
    finally:
        supervisor.tell("STOPPING=1", "STATUS=ending sessions")
        alive.cancel()
        server.close()
        try:
            os.unlink(path)  # 3.11 leaves it; from now on a client starts a new daemon, which waits for our lock
        except OSError as problem:
            log.warning("the socket stays behind: %s", problem)
        await service.stop()
        await fabric.stop()
        fabric.store.close()  # its write-ahead log goes into the database: one file to back up
        os.close(lock)


def reopen(handler: logging.Handler) -> None:
    """SIGHUP: go on in a new log file; nothing to do where the log is standard error."""
    if isinstance(handler, logs.LogFile):
        try:
            handler.reopen()
        except OSError as problem:
            log.warning("the log goes on in its former file: %s", problem)


def main(arguments: list[str]) -> int:
    """Entry point of `nshell serve`; returns the exit code."""
    state, config, ready = "", "", None
    options: dict[str, str] = {}
    rest = iter(arguments)
    try:
        for word in rest:
            if word in ("-h", "--help"):
                print(USAGE, end="")
                return 0
            if word == "--state":
                state = next(rest)
            elif word == "--config":
                config = next(rest)
            elif word == "--ready-fd":
                ready = int(next(rest))
            elif word.startswith("--") and word[2:] in CHECKS:
                options[word[2:]] = next(rest)
            else:
                raise ValueError(word)
    except (ValueError, StopIteration):
        sys.stderr.write(USAGE)
        return 2
    state = state_directory(state)
    os.umask(admission.PRIVATE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, DESCRIPTORS), most))
    if "log" in options:
        options["log"] = os.path.abspath(options["log"])
    try:
        settings = settle(options, os.environ, config or configuration_path(state), must_exist=bool(config))
        if settings.group:
            os.environ[admission.VARIABLE] = settings.group
        handler = logs.set_up(
            settings.log or ("" if ready is None else log_path(state)), settings.log_format, settings.log_level
        )
        asyncio.run(serve(state, ready, handler))
        return 0
    except daemon.DaemonFailed as problem:
        code, reason = 1, str(problem)
    except NshellError as problem:
        code, reason = problem.exit_code, f"{problem.where}: {problem.cause}\n  {problem.remedy}"
    except OSError as problem:
        place = problem.filename or state
        code, reason = 1, f"{place}: {problem.strerror or problem}\n  mend that, or choose another --state"
    except Exception as problem:
        log.exception("the daemon cannot go on")
        code, reason = 1, f"internal error: {type(problem).__name__}: {problem}\n  its log has more; please report it"
    sys.stderr.write(f"error: {reason}\n")
    if ready is not None:
        try:
            os.write(ready, reason.encode())
        except OSError:
            log.debug("nobody waits for this daemon any more")
    return code
