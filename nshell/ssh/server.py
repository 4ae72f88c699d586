"""The SSH server: asyncssh with what this server offers, and what strangers and users may cost.

    strangers   STRANGERS connections that have not logged in, NEIGHBOURS of them from one address; who is too many
                makes another give way; GRACE seconds to log in; KEYS keys and PASSWORDS passwords to try
    users       `ssh max-sessions` connections and as many channels, and `ssh sessions-per-user` of one user; CHANNELS
                channels on one connection

Key exchanges are those that cost a server 1 ms: strangers may ask for as many as they like.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.stream import SSHServerStreamSession

from data.configuration import Edits
from data.errors import NotPermitted
from data.schema.accounts import Ssh
from data.schema.objects import System
from nshell import __version__
from nshell.serving.authentication import written
from nshell.serving.service import Service
from nshell.serving.throttle import source
from nshell.serving.users import Caller
from nshell.ssh import channel
from nshell.ssh.files import UserFiles
from nshell.ssh.host_keys import host_keys
from nshell.ssh.sftp import FileServer

if TYPE_CHECKING:
    from controller.fabric import Fabric

log = logging.getLogger("nshell.ssh")

STRANGERS = 100
NEIGHBOURS = 20
GRACE = 30.0
KEYS = 20
PASSWORDS = 4
CHANNELS = 10
VARIABLES = 100
VARIABLE = 4096
"""Variables of the environment of one channel, and bytes of one; what is more is left out."""
UNANSWERED = 3
"""Keep-alives without an answer before a connection is given up."""
FAREWELL = 1.0
"""Seconds that sessions get to say why they end before their connection is closed."""
EXCHANGES = (
    "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
)  # fmt: skip
CIPHERS = (
    "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes128-ctr",
)  # fmt: skip
MACS = (
    "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512",
)  # fmt: skip


class Variables(dict[bytes, bytes]):
    """The environment that a client sends along, as far as anybody could mean it: asyncssh keeps all of it."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if len(self) < VARIABLES and len(name) + len(value) <= VARIABLE:
            super().__setitem__(name, value)


class Connection(asyncssh.SSHServerConnection):
    """A connection that knows whether its socket takes more."""

    writable: asyncio.Event | None = None

    def pause_writing(self) -> None:
        self.writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self.writable is not None:
            self.writable.set()

    async def drained(self) -> None:
        """Waits until the socket takes more."""
        if self.writable is not None:
            await self.writable.wait()


class Entrance(asyncssh.SSHServer):
    """One connection, from the first byte to the last."""

    _connection: Connection

    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._keys_left, self._passwords_left = KEYS, PASSWORDS
        self._greeted = False
        self._key = ""
        self._came: float | None = None
        self.address, self.network, self.origin, self.user = "", "", "", ""
        self.channels = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        assert isinstance(conn, Connection)
        self._connection = conn
        peer = conn.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self.network = source(self.address)
        self.origin = f"ssh {self.address}:{peer[1]}" if peer else "ssh"
        self._server.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.resume_writing()
        self._server.left(self)
        if self._came is not None:
            self._server.service.visitors.went(self.user, self.origin, self._came)

    @property
    def guesses(self) -> bool:
        """Whether a password was tried here."""
        return self._passwords_left < PASSWORDS

    # Logging in -------------------------------------------------------------------------------------------------

    def begin_auth(self, username: str) -> bool:
        banner = self._server.fabric.acting.settings(System).banner
        if banner and not self._greeted:
            self._connection.send_auth_banner(banner.replace("\\n", "\n").rstrip("\n") + "\n")
        self._greeted = True
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        if self._server.authentication.knows(username, key):
            self._key = written(key)
            return True
        self._keys_left -= 1
        self._enough(self._keys_left)
        return False

    def password_auth_supported(self) -> bool:
        return self._server.authentication.takes_passwords

    async def validate_password(self, username: str, password: str) -> bool:
        self._passwords_left -= 1
        if self._passwords_left < 0:
            return False
        if await self._server.authentication.password(username, password, self.address):
            self._key = ""
            return True
        known = self._server.authentication.user(username) is not None
        log.warning("user=%s origin=%r wrong password", username if known else "(unknown)", self.origin)
        self._refused(username if known else "(unknown)", "wrong password")
        self._enough(self._passwords_left)
        return False

    def _enough(self, left: int) -> None:
        if left <= 0:
            log.warning("origin=%r closed: too many attempts to log in", self.origin)
            self._refused("(unknown)", "too many attempts to log in")
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many attempts to log in")

    def _refused(self, user: str, why: str) -> None:
        self._server.service.visitors.refused(user, self.origin, self.network, why)

    def auth_completed(self) -> None:
        self.user = str(self._connection.get_extra_info("username"))
        how = "a key" if self._key else "its password"
        problem = self._server.crowded(self)
        if problem:
            log.warning("user=%s origin=%r closed: %s", self.user, self.origin, problem)
            self._refused(self.user, problem)
            self._connection.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, problem)
            return
        log.info("user=%s origin=%r logged in with %s", self.user, self.origin, how)
        self._server.admitted(self)
        self._came = self._server.service.visitors.came(self.user, self.origin, how)

    # Channels ---------------------------------------------------------------------------------------------------

    def session_requested(self) -> tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]]:
        problem = self._server.full(self)
        if problem:
            log.warning("user=%s origin=%r refused: %s", self.user, self.origin, problem)
            self._refused(self.user, problem)
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, problem)
        opened: asyncssh.SSHServerChannel[bytes] = self._connection.create_server_channel(encoding=None)
        opened._env = Variables()
        return opened, Channel(self)

    def attend(
        self,
        stdin: asyncssh.SSHReader[bytes],
        stdout: asyncssh.SSHWriter[bytes],
        stderr: asyncssh.SSHWriter[bytes],
    ) -> Awaitable[None]:
        """Runs what a channel asks for."""
        caller = Caller(self.user, self.origin)
        return channel.attend(self._server.service, caller, self._connection, stdin, stdout, stderr)

    def files(self, opened: asyncssh.SSHServerChannel[bytes]) -> FileServer:
        """Serves SFTP and scp."""
        log.info("user=%s origin=%r files opened", self.user, self.origin)
        return FileServer(opened, self._connection, UserFiles(self._server.service.state, self.user))

    # The end ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """End everything here when its user could not come in again."""
        if self.user and not self._server.authentication.still(self.user, self._key):
            self.end("the session ends: you may no longer log in", NotPermitted.exit_code)

    def end(self, reason: str, code: int) -> None:
        """End the sessions with a word, then the connection."""
        for session in tuple(self._server.service.sessions):
            if session.origin == self.origin:
                self._server.service.end(session, reason, code)
        log.info("user=%s origin=%r %s", self.user, self.origin, reason)
        asyncio.get_running_loop().call_later(FAREWELL, self._connection.close)

    def keep_alive(self, interval: int) -> None:
        """Ask the other end after so many seconds of silence."""
        self._connection.set_keepalive(interval, UNANSWERED)

    def abort(self) -> None:
        """Drop the connection."""
        self._connection.abort()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Channel(SSHServerStreamSession[bytes]):
    """One channel that is counted; SFTP, scp or a session."""

    def __init__(self, entrance: Entrance) -> None:
        super().__init__(entrance.attend, entrance.files, sftp_version=3, allow_scp=True)  # type: ignore[arg-type]
        self._entrance = entrance
        entrance.channels += 1

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == "sftp"

    def pty_requested(self, term_type: str, term_size: object, term_modes: object) -> bool:
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._entrance.channels -= 1
        super().connection_lost(exc)


class SshServer:
    """What all connections share. Made in a thread: keys and options take 100 ms the first time."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.fabric: Fabric = service.fabric
        self._strangers: dict[Entrance, None] = {}
        self._users: dict[Entrance, None] = {}
        self._empty = asyncio.Event()
        """Set while nobody who logged in is connected any more."""
        for name in ("asyncssh", "asyncssh.sftp"):
            logging.getLogger(name).setLevel(logging.WARNING)  # it logs commands, and who knows what they hold
        self._options = asyncssh.SSHServerConnectionOptions(
            server_factory=lambda: Entrance(self), server_host_keys=host_keys(service.state), config=[],
            server_version=f"nshell_{__version__}", kex_algs=EXCHANGES, encryption_algs=CIPHERS, mac_algs=MACS,
            compression_algs=None, gss_host=None, host_based_auth=False, kbdint_auth=False, login_timeout=GRACE,
            agent_forwarding=False, x11_forwarding=False, line_editor=False, encoding=None, rdns_lookup=False,
        )  # fmt: skip

    def start(self) -> None:
        """The part of making it that belongs to the loop."""
        self.authentication = self.service.authentication

    def accept(self) -> Connection:
        """The protocol of a new connection."""
        return Connection(asyncio.get_running_loop(), self._options)

    @property
    def _settings(self) -> Ssh:
        return self.fabric.acting.settings(Ssh)

    # Who is here ------------------------------------------------------------------------------------------------

    def arrived(self, entrance: Entrance) -> None:
        """Somebody connected. Room is made in the network that most come from, at the cost of who has guessed a
        password there, else of who is longest on the way in.
        """
        self._strangers[entrance] = None
        numbers = Counter(stranger.network for stranger in self._strangers)
        network, number = numbers.most_common(1)[0]
        if number > NEIGHBOURS or len(self._strangers) > STRANGERS:
            neighbours = [stranger for stranger in self._strangers if stranger.network == network]
            leaves = next((stranger for stranger in neighbours if stranger.guesses), neighbours[0])
            del self._strangers[leaves]
            leaves.abort()

    def admitted(self, entrance: Entrance) -> None:
        """Somebody logged in."""
        self._strangers.pop(entrance, None)
        self._users[entrance] = None
        self._empty.clear()
        entrance.keep_alive(self._settings.keepalive_interval)

    def left(self, entrance: Entrance) -> None:
        """A connection is closed."""
        self._strangers.pop(entrance, None)
        self._users.pop(entrance, None)
        if not self._users:
            self._empty.set()

    def _own(self, entrance: Entrance) -> list[Entrance]:
        return [other for other in self._users if other.user == entrance.user]

    def crowded(self, entrance: Entrance) -> str:
        """Why a user who has just logged in gets no connection more, '' when it is not so: those without a channel
        count, too, and would keep all others out.
        """
        mine = self._settings.sessions_per_user
        return _yours(mine) if len(self._own(entrance)) >= mine else ""

    def full(self, entrance: Entrance) -> str:
        """Why another channel cannot be opened, '' when it can."""
        most, mine = self._settings.max_sessions, self._settings.sessions_per_user
        if entrance.channels >= CHANNELS:
            return f"{CHANNELS} channels are open on this connection already; open another connection"
        if sum(other.channels for other in self._own(entrance)) >= mine:
            return _yours(mine)
        if sum(other.channels for other in self._users) >= most or len(self._users) > most:
            return f"{most} sessions are open already (ssh max-sessions); end one"
        return ""

    def changed(self, edits: Edits) -> None:
        """A commit is carried out: who may no longer come in is shown out."""
        if any(path[:1] == ("user",) for path in edits):
            for entrance in tuple(self._users):
                entrance.check()
        if ("ssh",) in edits:
            for entrance in tuple(self._users):
                entrance.keep_alive(self._settings.keepalive_interval)

    async def close(self) -> None:
        """Close every connection. Users' programs hang up by themselves when their sessions are over: what these said
        last would not be shown by a client whose connection is closed at once.
        """
        if self._users:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), FAREWELL)
        for entrance in (*self._strangers, *self._users):
            entrance.close()
        await asyncio.sleep(0)


def _yours(most: int) -> str:
    return f"{most} of your sessions are open already (ssh sessions-per-user); end one"
