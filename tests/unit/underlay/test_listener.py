"""A listener and a daemon that may be away, slow, hostile or broken: it is told, and the loop goes on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from controller.underlay import listener as module
from controller.underlay import ospf, vty
from controller.underlay.listener import Listener, Place
from controller.underlay.vty import Vty, VtyFailed
from tests.unit.underlay.pictures import ospf_answers

SUMMARY = """{"routerId": "10.255.0.5", "areas": {"0.0.0.0": {"lsaNumber": 15, "lsaRouterChecksum": %d,
"nbrFullAdjacentCounter": 1}}}"""
END = b"\0\0\0\0"


class Daemon:
    """A daemon at a vty socket; `answers` by question, or bytes for everything."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checksum = 1
        self.answers: dict[str, str] = dict(zip(ospf.FULL, ospf_answers(), strict=True))
        self.raw: Callable[[str], bytes] | None = None
        self.asked: list[str] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._client, str(self.path))

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        if self._clients:
            await asyncio.wait(self._clients, timeout=10)
        self.path.unlink(missing_ok=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        self._writers.add(writer)
        try:
            while True:
                question = (await reader.readuntil(b"\0"))[:-1].decode()
                self.asked.append(question)
                if question == "enable":
                    writer.write(END)
                elif self.raw is not None:
                    writer.write(self.raw(question))
                elif question in ospf.DIGEST:
                    writer.write((SUMMARY % self.checksum).encode() + END)
                else:
                    writer.write(self.answers[question].encode() + END)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # whoever asked has gone
        finally:
            self._writers.discard(writer)
            self._clients.discard(task)
            writer.close()


class Bench:
    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "RUN", directory)
        monkeypatch.setattr(module, "RETRY", 0.01)
        monkeypatch.setattr(module, "RETRY_MOST", 0.02)
        self.now = 100.0
        self.changes: list[str] = []
        self.daemon = Daemon(directory / "tap" / "ospfd.vty")
        self.listener = Listener("core", Place("ospf", "tap"), lambda: 0.01, self._changed, lambda: self.now)
        self.task = asyncio.create_task(self.listener.run())

    def _changed(self, one: Listener) -> None:
        self.changes.append(f"{one.standing.state} {one.standing.reason}".strip())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                assert not self.task.done()
                await asyncio.sleep(0.005)

    def said(self, text: str) -> bool:
        return any(text in change for change in self.changes)


@pytest_asyncio.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, monkeypatch)
    try:
        yield bench
    finally:
        bench.task.cancel()
        await asyncio.gather(bench.task, return_exceptions=True)
        await bench.daemon.stop()


async def test_a_daemon_that_is_not_there_is_told_once_and_found_when_it_comes(bench: Bench) -> None:
    await bench.until(lambda: bench.said("No such file"))
    await asyncio.sleep(0.1)
    assert len(bench.changes) == 1 and bench.listener.believed() is None
    await bench.daemon.start()
    await bench.until(lambda: bench.listener.standing.state == "listening")
    seen = bench.listener.believed()
    assert seen is not None and len(seen.topology.nodes) == 6


async def test_the_whole_database_is_read_when_its_digest_differs_and_not_before(bench: Bench) -> None:
    await bench.daemon.start()
    await bench.until(lambda: len(bench.daemon.asked) > 60)
    assert bench.listener.read == 1 and bench.daemon.asked.count(ospf.FULL[0]) == 1
    bench.daemon.checksum += 1
    await bench.until(lambda: bench.listener.read == 2)
    bench.now += module.AGAIN
    await bench.until(lambda: bench.listener.read == 3)


async def test_a_database_that_changes_while_it_is_read_is_read_again(bench: Bench) -> None:
    numbers = iter(range(1000))
    bench.daemon.raw = lambda question: (
        (SUMMARY % (min(next(numbers), 2)) if question in ospf.DIGEST else bench.daemon.answers[question]).encode()
        + END
    )
    await bench.daemon.start()
    await bench.until(lambda: bench.listener.read == 1)
    assert bench.daemon.asked.count(ospf.FULL[0]) == 3


async def test_what_was_known_counts_for_a_while_when_the_daemon_is_gone(bench: Bench) -> None:
    await bench.daemon.start()
    await bench.until(lambda: bench.listener.believed() is not None)
    assert bench.listener.settling
    bench.now += module.SETTLE
    assert not bench.listener.settling
    await bench.daemon.stop()
    await bench.until(lambda: bench.listener.standing.state == "away")
    assert bench.listener.settling and bench.listener.believed() is not None
    bench.now += module.STALE
    assert bench.listener.believed() is None
    await bench.daemon.start()
    await bench.until(lambda: bench.listener.standing.state == "listening")
    assert bench.listener.settling and bench.listener.believed() is not None


async def test_a_daemon_without_neighbours_proves_nothing(bench: Bench) -> None:
    await bench.daemon.start()
    await bench.until(lambda: bench.listener.believed() is not None)
    bench.daemon.answers = dict.fromkeys(ospf.FULL, "{}") | {ospf.FULL[0]: '{"routerId": "10.255.0.5"}'}
    bench.daemon.checksum += 1
    await bench.until(lambda: bench.said("isolated it has no OSPF neighbour"))
    seen = bench.listener.believed()
    assert seen is not None and len(seen.topology.nodes) == 6, "what was heard before counts for STALE seconds"
    bench.now += module.STALE
    assert bench.listener.believed() is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"% Unknown command: show ip ospf json\n\0\0\0\2", "it refuses 'show ip ospf json' (code 2)"),
        (b"{}\n" + END, "router ospf"),
        (b'{"routerId": 7}' + END, "makes no sense"),
        (b"\xff\xfe\x00garbage" + END, "makes no sense"),
        (b'{"routerId": "1.1.1.1", "areas": ' + b"[" * 100_000 + END, "makes no sense"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_told_and_asked_for_again(
    bench: Bench, answer: bytes, told: str
) -> None:
    bench.daemon.raw = lambda question: answer
    await bench.daemon.start()
    await bench.until(lambda: bench.said(told))
    assert bench.listener.believed() is None and len(bench.changes) < 5
    bench.daemon.raw = None
    await bench.until(lambda: bench.listener.standing.state == "listening")


async def test_a_database_that_makes_no_sense_is_told_though_its_digest_does(bench: Bench) -> None:
    bench.daemon.answers[ospf.FULL[0]] = '{"routerLinkStates": 5}'
    await bench.daemon.start()
    await bench.until(lambda: bench.said("makes no sense"))
    assert bench.listener.believed() is None


async def test_a_daemon_that_hangs_up_or_never_ends_its_answer_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vty, "PATIENCE", 0.2)
    monkeypatch.setattr(vty, "ANSWER_LIMIT", 1 << 20)
    await bench.daemon.start()
    bench.daemon.raw = lambda question: b"{"
    await bench.until(lambda: bench.said("no answer to 'show ip ospf json' within 0.2 s"))
    bench.daemon.raw = lambda question: b"x" * (1 << 21)
    await bench.until(lambda: bench.said("its answer is longer than 1 MB"))
    bench.daemon.raw = None
    await bench.until(lambda: bench.listener.standing.state == "listening")


async def test_noise_never_ends_the_loop(bench: Bench) -> None:
    random.seed(3)
    bench.daemon.raw = lambda question: random.randbytes(random.randrange(2000)) + END
    await bench.daemon.start()
    await bench.until(lambda: len(bench.daemon.asked) > 200)
    bench.daemon.raw = None
    await bench.until(lambda: bench.listener.standing.state == "listening")


async def test_nothing_but_show_can_be_asked(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "ospfd.vty")
    await daemon.start()
    line = Vty(daemon.path)
    with pytest.raises(AssertionError):
        await line.ask(["configure terminal"])
    with pytest.raises(AssertionError):
        await line.configure(["router ospf"])
    assert daemon.asked == []
    with pytest.raises(VtyFailed):
        await Vty(tmp_path / "nowhere.vty").ask(["show version"])
    await daemon.stop()
