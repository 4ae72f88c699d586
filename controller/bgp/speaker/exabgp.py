"""The Speaker (backend.py) that ExaBGP is behind, as a process of its own.

::

    speaker = ExabgpSpeaker(listener, listen=["192.0.2.1"], port=179)
    await speaker.start()
    await speaker.configure([Peer(name="pe1", address="192.0.2.9", local_address="192.0.2.1", ...)])
    ... listener(Up("pe1", ...)) ...
    await speaker.announce(["pe1"], routes)
    await speaker.end_of_rib("pe1", [Family.VPNV4])
    await speaker.stop()

Routes become whole UPDATE messages here, once for all neighbours that are spoken to alike; the process only writes
them. Nothing is remembered but the neighbours, with which a process that is started again begins.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence

from controller.bgp.routes import Encapsulation, Family, Nlri, Route
from controller.bgp.speaker.backend import ADMINISTRATIVE_RESET, Event, Fault, Listener, Peer, SpeakerGone
from controller.bgp.speaker.configuration import check, configuration, secrets
from controller.bgp.speaker.events import Sessions, Told, canonical
from controller.bgp.speaker.frames import Kind, frame, numbers
from controller.bgp.speaker.left import Left
from controller.bgp.speaker.process import COMMAND, Child
from controller.bgp.speaker.saying import Manner, announcements, parcels, withdrawals
from controller.bgp.wire import end_of_rib
from data.errors import CommandFailed

__all__ = ["ExabgpSpeaker"]

log = logging.getLogger(__name__)

UNANSWERED = 32  # commands that may be on their way
TURN = 0.005  # seconds of events before others have theirs
LISTEN_AGAIN = 10.0  # seconds until an address that could not be listened on is tried again

_CEASE = 6  # RFC 4486
_OTHER_CONFIGURATION = (6, 6)
_MALFORMED = (3, 1)  # RFC 4271 section 6.3
_COMMUNICATION_LIMIT = 128  # bytes of a shutdown communication that every peer takes (RFC 8203 section 2)


class ExabgpSpeaker:
    """See the module, and `Speaker` for what the methods promise.

    `listen` are addresses of ours where neighbours may connect to, on `port`; both may be changed and hold from the
    next `configure` on. `encapsulation` is of EVPN routes that do not say. `command` starts the process. With `left`
    its sessions outlive us when we are killed, and those that were left to us end when ours can begin.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        listen: Collection[str] = (),
        port: int = 179,
        encapsulation: Encapsulation = Encapsulation.VXLAN,
        command: Sequence[str] = COMMAND,
        left: Left | None = None,
    ) -> None:
        self.listen = listen
        self.port = port
        self._listener = listener
        self._encapsulation = encapsulation
        self._peers: tuple[Peer, ...] = ()
        self._sessions = Sessions({}, encapsulation)
        self._pending: deque[asyncio.Future[str]] = deque()
        self._turn = asyncio.Lock()
        self._silent = self._held = False
        self._later: asyncio.TimerHandle | None = None
        self._child = Child(self._begun, self._told, self._ended, lambda: secrets(self._peers), command, left)

    @property
    def failures(self) -> Mapping[str, str]:
        """Why the last attempt of a session failed, by the neighbour's name; nothing of one that is up."""
        return self._sessions.failures

    def messages(self, name: str) -> tuple[int, int]:
        """See `Speaker`."""
        return self._sessions.heard[name], self._sessions.said[name]

    @property
    def pid(self) -> int | None:
        """The number of its process while that runs."""
        return self._child.pid

    def kill(self) -> None:
        """kill -9 its process, which is started again: peers with graceful restart lose no route."""
        self._child.kill()

    async def start(self) -> None:
        """See `Speaker`."""
        self._silent = False
        await self._child.start()

    async def stop(self, *, graceful: bool = True) -> None:
        """See `Speaker`. No events come after it."""
        self._silent = True
        self._not_later()
        await self._child.stop(b"" if graceful else frame(Kind.STOP))

    async def configure(self, peers: Iterable[Peer]) -> None:
        """See `Speaker`. Remembered also when SpeakerGone is raised: the next process begins with it. Raises
        ValueError for a neighbour that cannot be, CommandFailed when an address cannot be listened on (the other
        neighbours are configured all the same)."""
        some = tuple(peers)
        check(some)
        async with self._turn:
            await self._configure(some)

    async def announce(self, peers: Sequence[str], routes: Sequence[Route]) -> None:
        """See `Speaker` and saying.py. Neighbours without a session are left out: they are told everything when they
        come up. So are those that are listened to only, and families that a session does not carry."""
        async with self._turn:
            for manner, sessions in self._manners(peers).items():
                await self._send(sessions, await announcements(manner, routes))

    async def withdraw(self, peers: Sequence[str], routes: Sequence[Nlri]) -> None:
        """See `Speaker`; left out are the same as by `announce`."""
        async with self._turn:
            for manner, sessions in self._manners(peers).items():
                await self._send(sessions, await withdrawals(manner, routes))

    async def end_of_rib(self, peer: str, families: Iterable[Family]) -> None:
        """See `Speaker`."""
        async with self._turn:
            told = self._session(peer)
            if told is not None:
                await self._send([told], [end_of_rib(one) for one in families if one in told.families])

    async def reset(self, peer: str, reason: str, subcode: int = ADMINISTRATIVE_RESET) -> None:
        """See `Speaker`. Nothing more that the peer said is told; does not wait for what is being announced."""
        told = self._session(peer)
        if told is not None:
            told.muted, told.reason = True, reason
            words = reason.encode("ascii", "replace")[:_COMMUNICATION_LIMIT]
            communication = bytes([len(words)]) + words if subcode == ADMINISTRATIVE_RESET else b""
            await self._asked([self._command(_reset(told, (_CEASE, subcode), communication))])

    def hold(self, held: bool) -> None:
        """See `Speaker`."""
        if held != self._held:
            self._held = held
            if self._child.answers:
                self._command(frame(Kind.HOLD, bytes([held]))).add_done_callback(self._noted)

    # what is sent

    def _session(self, name: str) -> Told | None:
        """None of one without a session, also of one that went while what it is told waited for its turn: what others
        are told together with it goes out all the same."""
        if not self._child.answers:
            raise SpeakerGone("the speaker does not run")
        return self._sessions.by_name.get(name) if any(peer.name == name for peer in self._peers) else None

    def _manners(self, names: Sequence[str]) -> dict[Manner, list[Told]]:
        groups: dict[Manner, list[Told]] = {}
        for name in names:
            told = self._session(name)
            if told is not None and not told.peer.listens_only:
                peer = told.peer
                internal = peer.local_as == peer.peer_as
                manner = Manner(peer.local_as, internal, told.as4, told.size, told.families, self._encapsulation)
                groups.setdefault(manner, []).append(told)
        return groups

    async def _send(self, sessions: Sequence[Told], messages: Sequence[bytes]) -> None:
        """Returns when the process has them all."""
        head = numbers([told.number for told in sessions])
        for told in sessions:
            self._sessions.said[told.peer.name] += len(messages)
        answers: list[asyncio.Future[str]] = []
        for some in parcels(messages):
            answers.append(self._command(frame(Kind.SEND, head, some)))
            while len(self._pending) > UNANSWERED:
                await asyncio.wait([self._pending[0]])
            await asyncio.sleep(0)
        await self._asked(answers)

    def _command(self, data: bytes) -> asyncio.Future[str]:
        """Send one; the answer is what was wrong with it, nothing when it is done."""
        try:
            self._child.send(data)
        except ConnectionError as problem:
            raise SpeakerGone(str(problem)) from None
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pending.append(answer)
        return answer

    async def _asked(self, answers: Sequence[asyncio.Future[str]]) -> None:
        """Raises SpeakerGone; CommandFailed when one was refused, which is ours or ExaBGP's fault."""
        refused = [one for one in await asyncio.gather(*answers) if one]
        if refused:
            raise CommandFailed("bgp", f"the speaker refused: {refused[0]}", "see the log")

    async def _configure(self, peers: tuple[Peer, ...]) -> None:
        answers = [self._command(self._configured(peers))]
        for told in self._sessions.by_number.values():
            now = self._sessions.peers.get(canonical(told.peer.address))
            if now is not None and now.name != told.peer.name:  # ExaBGP knows no names
                answers.append(self._command(_reset(told, _OTHER_CONFIGURATION, b"")))
            elif now is not None:
                told.peer = now
        problem = next((one for one in await asyncio.gather(*answers) if one), "")
        if problem:
            self._try_later()
            raise CommandFailed("bgp", self._cleaned(problem), "see 'show configuration bgp'")

    def _configured(self, peers: tuple[Peer, ...]) -> bytes:
        """The command for these neighbours, which are ours from now on."""
        text = configuration(peers, self.listen, self.port)
        self._not_later()
        self._peers = peers
        self._sessions.peers = {canonical(peer.address): peer for peer in peers}
        return frame(Kind.CONFIGURE, text.encode())

    def _cleaned(self, problem: str) -> str:
        for secret in secrets(self._peers):
            problem = problem.replace(secret, "***")
        return problem

    def _try_later(self) -> None:
        self._later = asyncio.get_running_loop().call_later(LISTEN_AGAIN, self._again)

    def _not_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _again(self) -> None:
        """The same neighbours once more: sessions stay as they are, what could not be listened on is tried."""
        if self._child.answers:
            self._command(self._configured(self._peers)).add_done_callback(self._noted)

    def _noted(self, answer: asyncio.Future[str]) -> None:
        """Nobody waits for this answer, so the log has it."""
        if not answer.cancelled() and answer.exception() is None and answer.result():
            log.warning("the speaker refused: %s", self._cleaned(answer.result()))
            self._not_later()
            self._try_later()

    # what is heard

    async def _begun(self) -> None:
        """A process is ready: it gets the neighbours before anybody else's command. The answer comes later."""
        self._sessions = Sessions({}, self._encapsulation)
        self._again()
        if self._held:
            self._command(frame(Kind.HOLD, b"\1")).add_done_callback(self._noted)
        self._tell(Fault(True, "the speaker runs"))

    async def _told(self, kind: Kind, payload: bytes) -> None:
        if kind in (Kind.DONE, Kind.REFUSED):
            answer = self._pending.popleft()
            if not answer.done():
                answer.set_result(payload.decode(errors="replace"))
            return
        deadline = time.monotonic() + TURN
        for event in self._sessions.events(kind, payload):
            self._tell(event)
            if time.monotonic() > deadline:
                await asyncio.sleep(0)
                deadline = time.monotonic() + TURN
        while self._sessions.broken:
            told, reason = self._sessions.broken.pop()
            log.warning("neighbor %s: the session is reset: %s", told.peer.name, reason)
            self._command(_reset(told, _MALFORMED, b"")).add_done_callback(self._noted)

    def _ended(self, reason: str) -> None:
        gone = SpeakerGone(f"the speaker ended: {reason}")
        while self._pending:
            answer = self._pending.popleft()
            if not answer.done():
                answer.set_exception(gone)
                answer.exception()  # whoever asked may be gone, too
        for event in self._sessions.lost(f"the speaker ended: {reason}"):
            self._tell(event)
        self._tell(Fault(False, reason))

    def _tell(self, event: Event) -> None:
        if self._silent:
            return
        try:
            self._listener(event)
        except Exception:
            log.exception("a listener failed at %s", type(event).__name__)


def _reset(told: Told, code: tuple[int, int], words: bytes) -> bytes:
    return frame(Kind.RESET, told.number.to_bytes(4, "big"), bytes(code), words)
