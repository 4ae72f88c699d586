"""A daemon's sessions in this process: a real store, fabric and service; an operator's screen is a list of texts."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from pathlib import Path as FilePath
from unittest import mock

import nshell.sessions.context
from controller.fabric import Fabric
from data.access import EVERYTHING, Access
from data.candidate import Candidate
from data.configuration import Running
from data.path import Path
from data.schema.objects import Controller, Object
from data.store import Revision, Store
from nshell.serving.service import Service
from nshell.serving.users import Caller
from nshell.sessions.candidates import UserCandidates
from nshell.sessions.session import Session
from tests.system.site import free_port
from views.render import Screen, ScreenSettings

ENDLESS = ("monitor", "refresh", "ping", "mo", "pi", "ref")
"""Words that may begin what does not end by itself."""


class Screened:
    """A transport that keeps what it is told."""

    def __init__(self, interactive: bool) -> None:
        self.interactive = interactive
        self.json = False
        self.settings = ScreenSettings()
        self.screen = Screen()
        self.said: list[str] = []
        self.files: dict[str, bytes] = {}

    async def write(self, text: str) -> None:
        self.said.append(text)

    write_error = write

    async def show(self, lines: list[str], pager: bool) -> None:
        self.said.append("\n".join(lines))

    async def draw(self, lines: list[str], first: bool) -> None:
        self.said.append("\n".join(lines))

    async def read_file(self, name: str) -> bytes:
        return self.files.get(name, b"set enterprise acme description loaded\n")

    async def write_file(self, name: str, contents: bytes) -> None:
        self.files[name] = contents
        self.said.append(contents.decode())

    async def read_terminal(self, prompt: str) -> str:
        return "set enterprise acme description typed\n"

    async def read_secret(self, prompt: str) -> str:
        return "ЖЩЮЖЩЮЖЩЮ"

    def notice(self, text: str) -> None:
        self.said.append(text)


class Place:
    """One network and its sessions; everything runs in the place's own loop, a call at a time."""

    def __init__(self, folder: FilePath, text: str, *more: str) -> None:
        """`text` is the first revision's set lines, each of `more` a later one."""
        self.loop = asyncio.new_event_loop()
        store = Store.open(folder)
        ports = Controller(
            uuid=str(uuid.uuid4()), openflow_port=free_port(), ovsdb_port=free_port(), agent_port=free_port()
        )
        first: dict[Path, Object | None] = {("controller",): ports}
        store.commit(first, Revision(1, "test", time.time(), "the ports"), {}, [])
        store.close()
        self.store = Store.open(folder)
        self.fabric = Fabric(self.store)
        self.loop.run_until_complete(self._start(str(folder)))
        for lines in (text, *more):
            self.commit(lines, "provider")

    async def _start(self, state: str) -> None:
        await self.fabric.start()
        self.candidates = UserCandidates(self.fabric)
        await self.candidates.load()
        self.service = Service(state, self.fabric, self.candidates)
        await self.service.start()

    def commit(self, lines: str, author: str) -> None:
        """Make a revision of these lines."""
        candidate = Candidate(self.fabric.running, author)
        candidate.apply_batch(lines.strip().splitlines(), "test")
        self.loop.run_until_complete(self.fabric.commit(candidate.merge(), author=author, comment=f"by {author}"))

    @property
    def running(self) -> Running:
        return self.fabric.running

    def run(self, lines: Sequence[str], access: Access = EVERYTHING, interactive: bool = False) -> str:
        """Everything that somebody with this access is told who types these lines, Tab and ? after each included.

        The lines are UTF-8, as every transport sees to. The user's candidate is gone afterwards.
        """
        lines = [line.encode("utf-8", "replace").decode() for line in lines]
        with mock.patch.object(nshell.sessions.context, "access_for", lambda *_, **__: access):
            return self.loop.run_until_complete(self._run(lines, access, interactive))

    async def _run(self, lines: Sequence[str], access: Access, interactive: bool) -> str:
        from commands.language.complete import help_lines

        screen = Screened(interactive)
        caller = Caller(access.user or "ops", "test", 65534)
        session = self.service.open(caller, screen)
        try:
            for line in lines:
                for end in {len(line), len(line) // 2}:
                    screen.said += help_lines(session.mode, line[:end], session)
                await self._execute(session, line)
                screen.said += session.prompt()
            screen.said += await session.news()
        finally:
            self.service._close(session, 0)
            self.candidates._held.pop(caller.name, None)
        return "\n".join(screen.said)

    async def _execute(self, session: Session, line: str) -> None:
        endless = any(word in line for word in ENDLESS)
        task = asyncio.ensure_future(session.execute(line))
        done, _ = await asyncio.wait({task}, timeout=0.05 if endless else 20)
        if not done:
            assert endless, f"{line!r} did not end"
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            assert task.done(), f"{line!r} did not end when it was stopped"
        if not task.cancelled():
            task.result()

    def close(self) -> None:
        """End it all."""

        async def end() -> None:
            await self.service.stop()
            await self.fabric.stop()

        self.loop.run_until_complete(end())
        self.store.close()
        self.loop.close()
