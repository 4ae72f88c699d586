"""The thin client: what a person's `nshell` runs. It moves bytes and window sizes; the daemon does everything else.

Standard library alone (a test looks at sys.modules), and little of it: argparse, json, socket, signal and
subprocess each cost as much as the whole rest. The first frames of a one-shot command leave in one write.
"""

import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket

from nshell import frames
from nshell.places import socket_path, state_directory

USAGE = """\
usage: nshell [--state DIR] [--no-start]                     an interactive session
       nshell [options] -c COMMAND [-c COMMAND ...]          run commands in one session
       nshell [options] run FILE [FILE ...]                  run a batch ('-' is standard input)
       nshell [options] < FILE                               the same
       nshell serve | agent | lab ...                        the daemon, a hypervisor's agent, a lab on this machine
       nshell doctor                                         what this machine lacks, and what mends it
options:
  --json        one JSON document per command, also for errors
  --keep-going  do not stop a batch at its first error
  --state DIR   the daemon's state directory (also $NSHELL_STATE)
  --no-start    do not start a daemon when none answers
  --version     print the version of this client
exit codes: 0 done, 1 command failed, 2 bad syntax, 3 commit rejected, 4 partly applied and reverted,
            5 no daemon, 6 not permitted
"""

FAILED, SYNTAX, NO_DAEMON, NOT_PERMITTED = 1, 2, 5, 6
PROGRAMS = ("serve", "agent", "lab", "doctor")
"""What main.py runs, when it is the first word."""
DIALS = 40
"""Attempts when a daemon on its way out takes the connection and drops it before its greeting: one each 50 ms."""


class Refused(Exception):
    """No daemon to talk to, or not allowed to: (exit code, text)."""


class Request:
    """What the command line asked for."""

    __slots__ = ("commands", "files", "json", "keep_going", "start", "state")

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.files: list[str] = []
        self.json = self.keep_going = False
        self.start = True
        self.state = ""


def parse(arguments: list[str]) -> Request:
    """The request in the arguments; raises Refused(2, …) for what is not understood."""
    request = Request()
    rest = iter(arguments)
    for word in rest:
        if word in ("-c", "--command", "--state", "--complete"):
            value = next(rest, None)
            if value is None:
                raise Refused(SYNTAX, f"{word} needs a value")
            if word == "--state":
                request.state = value
            elif word == "--complete":
                # For packaging/completion: asked of a daemon that runs; a Tab starts none.
                value = value.replace("\\", "\\\\").replace('"', '\\"')
                request.commands.append(f'complete "{value}"')
                request.start = False
            else:
                request.commands.append(value)
        elif word.startswith("--state="):
            request.state = word[8:]
        elif word == "--json":
            request.json = True
        elif word == "--keep-going":
            request.keep_going = True
        elif word == "--no-start":
            request.start = False
        elif word == "run":
            for name in rest:
                if name == "--json":
                    request.json = True
                elif name == "--keep-going":
                    request.keep_going = True
                else:
                    request.files.append(name)
            if not request.files:
                raise Refused(SYNTAX, "run needs a file")
        elif word in PROGRAMS:
            raise Refused(SYNTAX, f"'{word}' has to be the first word\n  nshell {word} ... (options behind it)")
        else:
            raise Refused(SYNTAX, f"unknown argument '{word}'\n{USAGE}")
    if request.commands and request.files:
        raise Refused(SYNTAX, "either -c or run, not both")
    return request


def dial(state: str) -> "socket | None":
    """A connection to the daemon of this state directory, or None when none listens."""
    connection = socket(AF_UNIX, SOCK_STREAM)
    try:
        connection.connect(socket_path(state))
        return connection
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except PermissionError:
        raise Refused(
            NOT_PERMITTED, f"you may not open {socket_path(state)}\n  ask to be added to the group that owns it"
        ) from None
    except OSError as problem:
        raise Refused(NO_DAEMON, f"{socket_path(state)}: {problem.args[-1]}") from None


def attach(state: str, may_start: bool) -> socket:
    """A connection to the daemon, started when none runs. Raises Refused."""
    connection = dial(state)
    if connection is not None:
        return connection
    if not may_start:
        raise Refused(NO_DAEMON, f"no daemon serves {state}\n  start one with 'nshell serve --state {state}'")
    from nshell import daemon

    try:
        started = daemon.start(state, dial)
    except daemon.DaemonFailed as problem:
        raise Refused(NO_DAEMON, f"the daemon did not start: {problem}") from None
    except PermissionError as problem:
        raise Refused(
            NOT_PERMITTED, f"{problem.filename}: {problem.strerror}\n  choose your own state directory with --state DIR"
        ) from None
    except OSError as problem:
        raise Refused(
            NO_DAEMON,
            f"the daemon did not start: {problem.filename or state}: {problem.strerror}\n"
            "  mend that, or choose another state directory with --state DIR",
        ) from None
    assert isinstance(started, socket)
    return started


def hello(request: Request, interactive: bool) -> bytes:
    """The hello frame: what the daemon must know about this terminal."""
    try:
        columns, rows = os.get_terminal_size()
    except OSError:
        columns, rows = 0, 0
    variables = os.environ
    locale = variables.get("LC_ALL") or variables.get("LC_CTYPE") or variables.get("LANG") or ""
    unicode = "utf8" in locale.lower().replace("-", "")
    term = variables.get("TERM", "dumb")
    color = columns > 0 and os.isatty(2) and term not in ("dumb", "vt100") and not variables.get("NO_COLOR")
    text = (
        f"interactive={int(interactive)}\ncolumns={columns}\nrows={rows}\nterm={term}\n"
        f"unicode={int(unicode)}\ncolor={int(color)}\njson={int(request.json)}\nkeep-going={int(request.keep_going)}\n"
    )
    return frames.pack(frames.HELLO, text.encode())


def work(request: Request) -> bytes:
    """The frames that carry the commands. Files are read here, with the person's own rights. Raises Refused."""
    if request.commands:
        return b"".join(frames.pack(frames.COMMAND, os.fsencode(line)) for line in request.commands) + frames.pack(
            frames.END, b""
        )
    parts = []
    for name in request.files or ["-"]:
        try:
            if name == "-":
                contents = sys.stdin.buffer.read()
            else:
                with open(name, "rb") as file:
                    contents = file.read()
        except OSError as problem:
            raise Refused(FAILED, f"{name}: {problem.strerror}") from None
        if len(contents) > frames.MAXIMUM - 4096:
            raise Refused(FAILED, f"{name}: longer than {frames.MAXIMUM >> 20} MiB; split it")
        parts.append(
            frames.pack(frames.BATCH, os.fsencode("standard input" if name == "-" else name) + b"\0" + contents)
        )
    return b"".join(parts) + frames.pack(frames.END, b"")


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; a pipe may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def answer_file(connection: socket, kind: bytes, payload: bytes) -> None:
    """Read or save a file for the daemon, with the person's own rights."""
    name, _, contents = payload.partition(b"\0")
    try:
        if kind == frames.READ:
            with open(name, "rb") as file:
                contents = file.read()
        else:
            with open(name, "wb") as file:
                file.write(contents)
            contents = b""
    except (OSError, ValueError) as problem:
        connection.sendall(frames.pack(frames.REFUSED, str(getattr(problem, "strerror", problem)).encode()))
    else:
        connection.sendall(frames.pack(frames.FILE, contents))


class Receiver:
    """Cuts the stream from the daemon into frames and obeys them."""

    __slots__ = ("buffer", "code", "connection", "greeted")

    def __init__(self, connection: socket) -> None:
        self.connection = connection
        self.buffer = b""
        self.greeted = False
        self.code = -1

    def receive(self) -> bool:
        """Take what has arrived; False when the connection has ended."""
        try:
            data = self.connection.recv(262144)
        except ConnectionResetError:
            return False
        if not data:
            return False
        buffer = self.buffer + data if self.buffer else data
        at = 0
        while len(buffer) - at >= 5:
            end = at + 5 + int.from_bytes(buffer[at + 1 : at + 5], "big")
            if len(buffer) < end:
                break
            self.obey(buffer[at : at + 1], buffer[at + 5 : end])
            at = end
        self.buffer = buffer[at:]
        return True

    def obey(self, kind: bytes, payload: bytes) -> None:
        """Carry out one frame."""
        if kind == frames.OUTPUT or kind == frames.DATA:
            write_all(1, payload)
        elif kind == frames.ERROR:
            write_all(2, payload)
        elif kind == frames.EXIT:
            self.code = payload[0]
        elif kind == frames.GREETING:
            self.greeted = True
        elif kind == frames.READ or kind == frames.SAVE:
            answer_file(self.connection, kind, payload)


def converse(connection: socket, opening: bytes) -> Receiver:
    """One-shot: send everything, print what comes back."""
    receiver = Receiver(connection)
    try:
        connection.sendall(opening)
    except (BrokenPipeError, ConnectionResetError):
        # The daemon may have answered and left before it read all of a batch: what it said is still to be read.
        while receiver.receive():
            continue
    while receiver.code < 0 and receiver.receive():
        continue
    return receiver


def main(arguments: list[str]) -> int:
    """Run the client; returns the exit code."""
    if arguments == ["--version"]:
        from nshell import __version__

        print(f"nshell {__version__}")
        return 0
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    try:
        request = parse(arguments)
        state = state_directory(request.state)
        interactive = not request.commands and not request.files and os.isatty(0) and os.isatty(1)
        opening = hello(request, interactive) + (b"" if interactive else work(request))
        for _ in range(DIALS):
            connection = attach(state, request.start)
            if interactive:
                from nshell.raw import converse_raw

                receiver = converse_raw(connection, opening)
            else:
                receiver = converse(connection, opening)
            connection.close()
            if receiver.greeted:
                break
            import time

            time.sleep(0.05)
        if receiver.code < 0:
            raise Refused(
                NO_DAEMON,
                "the daemon closed the connection\n"
                "  start nshell again: your candidate is kept, and 'show system commit' tells what a commit came to",
            )
        return receiver.code
    except Refused as problem:
        code, text = problem.args
        if "--json" in arguments:
            import json

            cause, _, remedy = text.partition("\n")
            print(json.dumps({"error": {"where": "", "cause": cause, "remedy": remedy.strip(), "exit_code": code}}))
        else:
            sys.stderr.write(f"error: {text}\n")
        return int(code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: that is its business, not an error.
        return 0
