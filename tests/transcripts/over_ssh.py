"""SSH for the transcripts: a user with a key, one connection that is kept, and a channel for each step.

A client in Python instead of OpenSSH's: it says in which order standard output and error arrived, as transcripts want
it. OpenSSH's client is what tests/system/sessions/test_ssh*.py are about.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
import uuid
from pathlib import Path

import asyncssh

from data.schema.accounts import Ssh, User
from data.schema.base import Object

PATIENCE = 10.0
"""Seconds until the daemon listens."""
ANSWER = 60.0


class Collected(asyncssh.SSHClientSession[str]):
    """Everything a channel said, both streams in order."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        self.said.append(data)


class SecureShell:
    """The user's way in; made before the daemon is started."""

    def __init__(self, folder: Path, port: int, user: str) -> None:
        self.port, self.user = port, user
        self.key = folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(self.key)], check=True)
        self._loop = asyncio.new_event_loop()
        self._connection: asyncssh.SSHClientConnection | None = None

    def configuration(self) -> dict[tuple[str, ...], Object | None]:
        """What lets the user in."""
        public = self.key.with_suffix(".pub").read_text().strip()
        return {
            ("ssh",): Ssh(uuid=str(uuid.uuid4()), listen_address="127.0.0.1", port=self.port),
            ("user", self.user): User(uuid=str(uuid.uuid4()), class_="super-user", ssh_key=(public,)),
        }

    def left_out(self, text: str) -> str:
        """Text without that part of the configuration, as hierarchy or set lines."""
        for word in ("ssh", f"user {self.user}"):
            text = re.sub(rf"^{word} {{\n(?:[ +-].*\n)*}}\n", "", text, flags=re.MULTILINE)
            text = re.sub(rf"^set {word} .*\n", "", text, flags=re.MULTILINE)
        return text

    def run(self, lines: list[str]) -> tuple[str, int]:
        """These command lines as one command; output (both streams in order) and exit code."""
        return self._loop.run_until_complete(asyncio.wait_for(self._run("\n".join(lines)), ANSWER))

    async def _run(self, command: str) -> tuple[str, int]:
        try:
            if self._connection is None:
                raise asyncssh.ConnectionLost("not connected yet")
            channel, session = await self._connection.create_session(Collected, command)
        except (asyncssh.ConnectionLost, asyncssh.ChannelOpenError):  # the daemon was started anew
            self._connection = await self._connect()
            channel, session = await self._connection.create_session(Collected, command)
        await channel.wait_closed()
        code = channel.get_exit_status()
        assert code is not None, "the daemon hung up without an exit code"
        return "".join(session.said), code

    async def _connect(self) -> asyncssh.SSHClientConnection:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await asyncssh.connect(
                    "127.0.0.1", self.port, username=self.user, client_keys=[str(self.key)], known_hosts=None,
                    config=None, agent_path=None,
                )  # fmt: skip
            except OSError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
