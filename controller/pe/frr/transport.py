"""How commands get to the router: on this very machine, or over SSH.

A transport does one thing, `run`: an argument vector, perhaps with standard input, and back come exit code, output
and error text. Arguments are never joined into a command line here except where SSH knows nothing else, and there
each one is quoted for the POSIX shell of the far end.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import paramiko  # type: ignore[import-untyped]
from napalm.base.exceptions import (  # type: ignore[import-untyped]
    CommandTimeoutException,
    ConnectAuthError,
    ConnectionClosedException,
    ConnectionException,
    ConnectTimeoutError,
)

OUTPUT_LIMIT = 1 << 28  # bytes of one answer: a table of a million routes as JSON
CHUNK = 1 << 16  # bytes read at once
PLAIN = ("LC_ALL=C", "VTYSH_PAGER=cat")  # behind sudo, which would drop them


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        """Everything it printed, for an error message."""
        return f"{self.errors.strip()}\n{self.output.strip()}".strip()


class Transport(Protocol):
    """One router's command channel; every method raises napalm's ConnectionException tree."""

    def open(self) -> None:
        """Connect. Raises ConnectionException, ConnectAuthError or ConnectTimeoutError."""

    def close(self) -> None:
        """Disconnect; closing what is closed is no error."""

    def alive(self) -> bool:
        """Whether the channel itself still stands; says nothing about FRR."""

    def run(self, argv: Sequence[str], given: str = "", timeout: float = 60.0) -> Done:
        """Run a command with `given` on its standard input.

        Raises CommandTimeoutException after `timeout` seconds, ConnectionClosedException when the channel breaks.
        """


class LocalTransport:
    """This machine. Being closed means that `run` refuses, as a remote one would."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._prefix = list(prefix)
        self._open = False

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        self._open = False

    def alive(self) -> bool:
        return self._open

    def run(self, argv: Sequence[str], given: str = "", timeout: float = 60.0) -> Done:
        if not self._open:
            raise ConnectionClosedException("the driver is not open: call open() first")
        words = [*self._prefix, "env", *PLAIN, *argv]
        try:
            done = subprocess.run(words, input=given.encode(), capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise CommandTimeoutException(f"{argv[0]} did not end within {timeout:g} s") from None
        except OSError as problem:
            return Done(127, "", f"{words[0]}: {problem.strerror}")
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How to reach a router over SSH. Host keys are checked unless `strict` is off."""

    host: str
    username: str
    password: str
    timeout: float  # seconds, for connecting and as keepalive of what says nothing
    port: int = 22
    key_file: str | None = None
    passphrase: str | None = None
    use_keys: bool = True
    allow_agent: bool = False
    strict: bool = True
    system_host_keys: bool = True
    host_keys_file: str | None = None
    prefix: tuple[str, ...] = ()


class SshTransport:
    """A router's SSH server whose login shell is a POSIX shell; one connection, one channel per command."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._client: Any = None

    def open(self) -> None:
        settings = self._settings
        client = paramiko.SSHClient()
        try:
            if settings.system_host_keys:
                client.load_system_host_keys()
            if settings.host_keys_file:
                client.load_host_keys(settings.host_keys_file)
            # unknown keys are taken for this one connection only, and only when the caller said so
            policy = paramiko.RejectPolicy if settings.strict else paramiko.WarningPolicy
            client.set_missing_host_key_policy(policy())
            client.connect(
                settings.host,
                port=settings.port,
                username=settings.username,
                password=settings.password or None,
                key_filename=settings.key_file,
                passphrase=settings.passphrase,
                look_for_keys=settings.use_keys and settings.key_file is None,
                allow_agent=settings.allow_agent,
                timeout=settings.timeout,
                banner_timeout=settings.timeout,
                auth_timeout=settings.timeout,
            )
        except BaseException as problem:
            client.close()
            raise self._of(problem) from None
        client.get_transport().set_keepalive(max(1, int(settings.timeout)))
        self._client = client

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def alive(self) -> bool:
        transport = self._client.get_transport() if self._client is not None else None
        return transport is not None and bool(transport.is_active())

    def run(self, argv: Sequence[str], given: str = "", timeout: float = 60.0) -> Done:
        if not self.alive():
            raise ConnectionClosedException(f"not connected to {self._settings.host}: call open() first")
        words = [*self._settings.prefix, "env", *PLAIN, *argv]
        try:
            channel = self._client.get_transport().open_session(timeout=timeout)
            channel.exec_command(shlex.join(words))
            return _converse(channel, given.encode(), timeout, argv[0])
        except (paramiko.SSHException, OSError, EOFError) as problem:
            raise ConnectionClosedException(f"{self._settings.host}: {problem or 'the connection broke'}") from None

    def _of(self, problem: BaseException) -> BaseException:
        """Napalm's exception for what connecting raised; what is no failure to connect stays as it is."""
        known: type[BaseException]
        match problem:
            case paramiko.BadHostKeyException():
                known, said = ConnectionException, f"its host key is not the known one: {problem}"
            case paramiko.AuthenticationException():
                known, said = ConnectAuthError, str(problem)
            case TimeoutError():
                known, said = ConnectTimeoutError, f"no answer within {self._settings.timeout:g} s"
            case paramiko.SSHException() | OSError() | EOFError() | ValueError():
                known, said = ConnectionException, str(problem) or "the connection broke"
            case _:
                return problem
        return known(f"{self._settings.host} port {self._settings.port}: {said}")


def _converse(channel: Any, given: bytes, timeout: float, name: str) -> Done:
    """Send input, collect both outputs until the far end has ended the command."""
    deadline = time.monotonic() + timeout
    output, errors, left = bytearray(), bytearray(), memoryview(given)
    ended_input = False
    try:
        while True:
            idle = True
            if len(left) and channel.send_ready():
                left, idle = left[channel.send(left[:CHUNK]) :], False
            if not len(left) and not ended_input:
                channel.shutdown_write()
                ended_input = True
            if channel.recv_ready():
                output += channel.recv(CHUNK)
                idle = False
            if channel.recv_stderr_ready():
                errors += channel.recv_stderr(CHUNK)
                idle = False
            if len(output) + len(errors) > OUTPUT_LIMIT:
                raise ConnectionClosedException(f"the answer of {name} is longer than {OUTPUT_LIMIT} bytes")
            if idle:
                if channel.exit_status_ready() and channel.eof_received:
                    break
                if channel.closed:
                    raise ConnectionClosedException(f"the connection broke while {name} ran")
                if time.monotonic() > deadline:
                    raise CommandTimeoutException(f"{name} did not end within {timeout:g} s")
                channel.status_event.wait(0.002)
        code = channel.recv_exit_status()
        # what arrived between the last look and the end
        while channel.recv_ready():
            output += channel.recv(CHUNK)
        while channel.recv_stderr_ready():
            errors += channel.recv_stderr(CHUNK)
        return Done(code, output.decode(errors="replace"), errors.decode(errors="replace"))
    finally:
        channel.close()
