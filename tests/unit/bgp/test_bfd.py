"""BFD lent by a pretended bfdd: which sessions it is told of, and what follows from what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controller.bgp.bfd import Bfd, Watched, watched
from controller.bgp.bfdd import LIMIT, BfdSession, configured
from controller.events import Kind
from data.addresses import address
from tests.unit.bgp.pretend_bfdd import HEAD, PretendBfdd
from tests.unit.data.examples import running

PE, LOCAL = "192.0.2.9", "192.0.2.1"
LINE = f"peer {PE} local-address {LOCAL}"
FAR = "peer 198.51.100.9 multihop local-address 192.0.2.1"


def session(peer: str = PE, *, multihop: bool = False) -> BfdSession:
    return BfdSession(address(peer), address(LOCAL), multihop)


class Lab:
    """Bfd beside a bfdd of the instance `w`."""

    def __init__(self, directory: Path) -> None:
        self.bfdd = PretendBfdd(directory / "w")
        self.lost: list[tuple[str, str]] = []
        self.told: list[tuple[Kind, str]] = []
        self.bfd = Bfd(lambda *what: self.lost.append(what), lambda *what: self.told.append(what), place=directory)
        self.task = asyncio.create_task(self.bfd.run())

    def want(self, *names: str, **more: object) -> None:
        sessions = {name: session() if name == "pe" else session("198.51.100.9", multihop=True) for name in names}
        self.bfd.configure(Watched(sessions=sessions, **{"instance": "w", **more}))  # type: ignore[arg-type]

    def state(self, name: str = "pe") -> str:
        return self.bfd.standing[name].state

    async def up(self) -> None:
        self.want("pe")
        await until(lambda: self.bfdd.subscribed)
        self.bfdd.say(PE, "up", **{"local-address": LOCAL})
        await until(lambda: self.state() == "up")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path)
    await made.bfdd.start()
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)
    await made.bfdd.stop()


async def test_nobody_is_asked_while_no_neighbour_wants_it(lab: Lab) -> None:
    lab.bfd.configure(Watched("w", 500))
    await asyncio.sleep(0.05)
    assert lab.bfdd.asked == [] and not lab.bfdd.subscribed


async def test_bfdd_keeps_exactly_the_sessions_that_are_wanted(lab: Lab) -> None:
    lab.bfdd.peers = {"peer 203.0.113.7 local-address 192.0.2.1": ["profile nshell"]}  # from before a restart
    lab.want("pe", "far", interval=100)
    await until(lambda: set(lab.bfdd.peers) == {LINE, FAR})
    assert lab.bfdd.peers[LINE] == ["profile nshell"]
    await until(lambda: "receive-interval 100" in lab.bfdd.profile and "minimum-ttl 1" in lab.bfdd.profile)
    lab.want("far")
    await until(lambda: set(lab.bfdd.peers) == {FAR})
    assert "pe" not in lab.bfd.standing
    lab.want()
    await until(lambda: not lab.bfdd.peers)
    await until(lambda: "shutdown" in lab.bfdd.asked)


async def test_a_session_that_ends_is_shut_before_it_is_taken_away(lab: Lab) -> None:
    await lab.up()
    lab.want()
    await until(lambda: not lab.bfdd.peers)
    asked = lab.bfdd.asked
    assert asked.index("shutdown") < asked.index(f"no {LINE}")


async def test_a_session_of_somebody_else_is_used_and_never_changed(lab: Lab) -> None:
    lab.bfdd.peers = {LINE: ["minimum-ttl 200"], "peer 203.0.113.7": ["detect-multiplier 5"]}
    await lab.up()
    lab.want()
    await asyncio.sleep(0.05)
    await until(lambda: lab.bfdd.asked[-1] != "enable")
    assert lab.bfdd.peers == {LINE: ["minimum-ttl 200"], "peer 203.0.113.7": ["detect-multiplier 5"]}
    assert not [one for one in lab.bfdd.asked if "peer" in one]


@pytest.mark.parametrize(
    ("diagnostic", "remote", "reason"),
    [(1, 0, "BFD: nothing was heard for the detection time"),
     (3, 1, "BFD: the neighbor says: nothing was heard for the detection time"), (5, 0, "BFD: the path is down")],
)  # fmt: skip
async def test_a_path_that_was_there_and_is_lost_is_told_once(
    lab: Lab, diagnostic: int, remote: int, reason: str
) -> None:
    await lab.up()
    for _ in range(2):
        lab.bfdd.say(PE, "down", diagnostic, remote)
    await until(lambda: lab.state() == "down")
    assert lab.lost == [("pe", reason)]
    lab.bfdd.say(PE, "up")
    await until(lambda: lab.state() == "up")
    assert len(lab.lost) == 1


@pytest.mark.parametrize(("state", "diagnostic", "remote"), [("down", 3, 0), ("down", 3, 7), ("adm-down", 7, 0)])
async def test_a_session_that_an_operator_ends_takes_nothing_down(
    lab: Lab, state: str, diagnostic: int, remote: int
) -> None:
    await lab.up()
    lab.bfdd.say(PE, state, diagnostic, remote)
    await until(lambda: lab.state() == state)
    assert lab.lost == []


async def test_a_session_that_never_was_up_takes_nothing_down(lab: Lab) -> None:
    lab.want("pe")
    await until(lambda: lab.bfdd.subscribed)
    lab.bfdd.say(PE, "init")
    lab.bfdd.say(PE, "down", 1)
    await until(lambda: lab.state() == "down")
    assert lab.lost == []


async def test_a_bfdd_that_goes_away_and_begins_anew_takes_nothing_down(lab: Lab) -> None:
    await lab.up()
    await lab.bfdd.stop()
    await until(lambda: lab.state() == "away")
    assert "bfdd of the FRR instance w" in lab.bfd.standing["pe"].reason
    await lab.bfdd.start()
    await until(lambda: lab.bfdd.subscribed)
    assert list(lab.bfdd.peers) == [LINE]
    lab.bfdd.say(PE, "down")
    await until(lambda: lab.state() == "down")
    assert lab.lost == []
    assert [kind for kind, text in lab.told if "hold time" in text] == [Kind.FAULT]


@pytest.mark.parametrize(
    "nonsense",
    [HEAD.pack(3, 0, 4, 1) + b"{{{", HEAD.pack(LIMIT + 1, 0, 4, 1), HEAD.pack(2, 0, 4, 9) + b"{}",
     HEAD.pack(50, 0, 4, 1) + b'{"op":"status","peer-address":"a","state":"up"  } '],
)  # fmt: skip
async def test_a_bfdd_that_says_nonsense_is_as_good_as_away_and_tried_again(lab: Lab, nonsense: bytes) -> None:
    await lab.up()
    for writer in lab.bfdd.subscribed:
        writer.write(nonsense)
    lab.bfdd.subscribed.clear()
    await until(lambda: lab.state() == "away")
    await until(lambda: lab.bfdd.subscribed)
    lab.bfdd.say(PE, "up")
    await until(lambda: lab.state() == "up")
    assert lab.lost == []


async def test_a_bfdd_that_refuses_a_line_is_told_as_a_fault(lab: Lab) -> None:
    lab.bfdd.refuses = "profile"
    lab.want("pe")
    await until(lambda: lab.state() == "away")
    assert "refuses 'profile nshell'" in lab.bfd.standing["pe"].reason


async def test_others_sessions_of_the_same_neighbour_say_nothing(lab: Lab) -> None:
    await lab.up()
    lab.bfdd.say(PE, "down", 1, multihop=True)
    lab.bfdd.say(PE, "down", 1, **{"local-address": "192.0.2.77"})
    lab.bfdd.send(b'{"op":"delete","peer-address":"192.0.2.9"}')
    lab.bfdd.say("192.0.2.10", "down", 1)
    lab.bfdd.say(PE, "up")
    await asyncio.sleep(0.05)
    assert lab.state() == "up" and lab.lost == []


async def test_another_instance_takes_over_from_the_one_before(lab: Lab, tmp_path: Path) -> None:
    await lab.up()
    other = PretendBfdd(tmp_path / "other")
    await other.start()
    lab.bfd.configure(Watched("other", 300, {"pe": session()}))
    await until(lambda: list(other.peers) == [LINE])
    assert not lab.bfdd.peers
    await other.stop()


def test_what_is_watched_follows_from_the_configuration() -> None:
    view = running(
        "set controller listen-address 192.0.2.1\n"
        "set bgp autonomous-system 65000 bfd-instance wan bfd-interval 100\n"
        "set bgp-neighbor pe address 192.0.2.9 autonomous-system 65000 bfd single-hop\n"
        "set bgp-neighbor far address 198.51.100.9 autonomous-system 65000 local-address 192.0.2.2 bfd multihop\n"
        "set bgp-neighbor plain address 192.0.2.10 autonomous-system 65000\n"
    )
    far = BfdSession(address("198.51.100.9"), address("192.0.2.2"), True)
    assert watched(view) == Watched("wan", 100, {"far": far, "pe": session()})


def test_only_peers_with_our_profile_are_ours() -> None:
    text = (
        "bfd\n profile nshell\n  minimum-ttl 1\n exit\n !\n peer 192.0.2.9 local-address 192.0.2.1\n"
        "  profile nshell\n exit\n !\n peer 192.0.2.8 local-address 192.0.2.1\n  profile other\n exit\n"
        " peer 192.0.2.7 local-address 192.0.2.1 interface eth0\n  profile nshell\n exit\n"
        " peer fd00::9 multihop local-address fd00::1\n  profile nshell\n exit\n exit\nexit\n!\n"
        "router ospf\n peer 192.0.2.1 local-address 192.0.2.2\n"
    )
    assert configured(text) == {
        session(): True,
        session("192.0.2.8"): False,
        BfdSession(address("fd00::9"), address("fd00::1"), True): True,
    }
