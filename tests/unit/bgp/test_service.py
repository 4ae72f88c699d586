"""BGP in the controller: what commits, the fabric and a pretended speaker do to each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path as FilePath
from time import monotonic
from typing import Any, ClassVar

import pytest

import controller.bgp.service
from controller.bgp.kept import Kept as KeptNumbers
from controller.bgp.peers import peers, waited_for_at
from controller.bgp.rib.inbound import IDLE
from controller.bgp.routes import Attributes, Community, Family, Nlri, Rd, Route, VpnPrefix
from controller.bgp.service import Bgp
from controller.bgp.side import BgpSide
from controller.bgp.speaker.backend import (
    ADMINISTRATIVE_RESET,
    Changed,
    Down,
    EndOfRib,
    Event,
    Listener,
    Peer,
    SpeakerGone,
    Up,
)
from controller.commits import Outcome
from controller.compile.remote import MPLS, RemoteKey
from controller.receipts import Kept
from controller.underlay.service import Underlay
from data.addresses import address, prefix
from data.configuration import Edits, Running
from data.errors import ApplyFailed, StoreUnavailable
from data.path import Path
from data.schema.objects import Controller, Domain, Object
from data.schema.wan import Bgp as Settings
from data.schema.wan import Neighbor
from tests.unit.controller.model import PROD, uuid, vport, vport_path
from tests.unit.controller.test_commits import Bench

TARGET = "65000:77"
PE1 = ("bgp-neighbor", "pe1")


class PretendSpeaker:
    """Remembers what it is told; `refuses` makes it fail at that, once."""

    made: ClassVar[list[PretendSpeaker]] = []

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.listen: list[str] = []
        self.port = 0
        self.peers: tuple[Peer, ...] = ()
        self.routes: dict[str, dict[object, Route]] = {}
        self.ended: list[str] = []
        self.refuses: Exception | None = None
        self.stopped = False
        self.held = False
        self.made.append(self)

    async def start(self) -> None:
        self.stopped = False

    async def stop(self, *, graceful: bool = True) -> None:
        self.stopped = True

    async def configure(self, some: Iterable[Peer]) -> None:
        self.peers = tuple(some)

    def hold(self, held: bool) -> None:
        self.held = held

    def _fail(self) -> None:
        problem, self.refuses = self.refuses, None
        if problem is not None:
            raise problem

    async def announce(self, names: Sequence[str], routes: Sequence[Route]) -> None:
        self._fail()
        for name in names:
            self.routes.setdefault(name, {}).update({route.nlri.key: route for route in routes})

    async def withdraw(self, names: Sequence[str], routes: Sequence[Nlri]) -> None:
        self._fail()
        for name in names:
            for nlri in routes:
                self.routes.setdefault(name, {}).pop(nlri.key, None)

    async def end_of_rib(self, name: str, families: Iterable[Family]) -> None:
        self.ended.append(name)

    async def reset(self, name: str, reason: str, subcode: int = ADMINISTRATIVE_RESET) -> None:
        self.ended.append(f"reset {name}")


class Wan(Bench):
    """A domain that goes out, one neighbour, and vm-2 on hv1."""

    def __init__(self, directory: FilePath) -> None:
        super().__init__(directory)
        self.passed = 0.0  # seconds that the clock is ahead
        self.underlay = Underlay(self.events, lambda: self.network.running)
        self.bgp = Bgp(
            self.network,
            self.upkeep,
            self.underlay,
            KeptNumbers(directory),
            self.submit,
            self.commits.settled,
            lambda: monotonic() + self.passed,
        )
        self.commits.add_side(BgpSide(self.bgp))

    async def begin(self) -> None:
        await super().begin()
        await self.bgp.start()

    async def change(self, edits: Edits) -> Outcome:
        return await self.commits.commit(edits, "ops", "")

    async def go_out(self) -> Outcome:
        return await self.change({
            ("controller",): Controller(uuid=uuid(300), listen_address="192.0.2.1"),
            ("bgp",): Settings(uuid=uuid(301), autonomous_system=65000),
            PE1: Neighbor(uuid=uuid(302), address="192.0.2.9", autonomous_system=65000),
            PROD: Domain(uuid=uuid(101), route_target=(TARGET,)),
            vport_path(2): vport(2),
        })  # fmt: skip

    @property
    def speaker(self) -> PretendSpeaker:
        return PretendSpeaker.made[-1]

    def hear(self, *events: Event) -> None:
        for event in events:
            self.speaker.listener(event)

    async def settled(self) -> None:
        """Everything that follows has followed."""
        for _ in range(20):
            await asyncio.sleep(0.01)
            await self.upkeep.idle()

    async def up(self) -> None:
        self.hear(Up("pe1", frozenset({Family.EVPN, Family.VPNV4}), 90, "192.0.2.9", 120))
        await self.settled()

    def prefixes(self, name: str = "pe1") -> set[str]:
        held = self.speaker.routes.get(name, {})
        return {str(route.nlri.prefix) for route in held.values() if isinstance(route.nlri, VpnPrefix)}


@pytest.fixture
async def wan(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wan]:
    PretendSpeaker.made.clear()
    monkeypatch.setattr(controller.bgp.service, "ExabgpSpeaker", PretendSpeaker)
    made = Wan(tmp_path)
    await made.begin()
    yield made
    await made.bgp.stop()
    await made.upkeep.stop()
    made.store.close()


def theirs(text: str) -> Route:
    attributes = Attributes(next_hop=address("192.0.2.9"), extended=(Community.route_target(TARGET),))
    return Route(VpnPrefix(Rd.of("65000:9"), prefix(text), (300,)), attributes)


async def test_without_neighbours_there_is_no_speaker(wan: Wan) -> None:
    await wan.change({PROD: Domain(uuid=uuid(101), route_target=(TARGET,))})
    assert not wan.bgp.speaking and wan.speaker.peers == ()


async def test_a_neighbour_that_comes_up_is_told_everything_and_its_pending_receipt_is_settled(wan: Wan) -> None:
    outcome = await wan.go_out()
    assert [(one.part, one.state) for one in outcome.receipts if " " in one.part] == [
        ("bgp-neighbor pe1", Kept.PENDING)
    ]
    assert [peer.name for peer in wan.speaker.peers] == ["pe1"]
    await wan.up()
    assert "10.1.1.2/32" in wan.prefixes() and wan.speaker.ended == ["pe1"]
    receipts = {one.part: one.state for one in wan.store.receipts(outcome.revision)}
    assert receipts["bgp-neighbor pe1"] == Kept.VERIFIED


async def test_a_commit_tells_its_neighbours_before_it_is_decided_and_what_the_fabric_does_later(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    outcome = await wan.change({vport_path(3): vport(3)})
    assert {one.part: one.added > 0 for one in outcome.receipts} == {"hv1": True, "hv2": True, "bgp-neighbor pe1": True}
    assert "10.1.1.3/32" in wan.prefixes()
    wan.network.topology.vanish("hv2", "tap3")
    wan.upkeep.settle()
    await wan.settled()
    assert "10.1.1.3/32" not in wan.prefixes() and "10.1.1.2/32" in wan.prefixes()


@pytest.mark.parametrize("where", ["speaker", "store"])
async def test_a_commit_that_fails_takes_back_what_neighbours_were_told(wan: Wan, where: str) -> None:
    await wan.go_out()
    await wan.up()
    before, flows = wan.prefixes(), {name: dict(switch.held) for name, switch in wan.switches.items()}
    if where == "speaker":
        wan.speaker.refuses = ValueError("it cannot be said")
        expected: type[Exception] = ApplyFailed
    else:

        def full(*_: object, **__: object) -> None:
            raise StoreUnavailable("store", "the disk is full", "")

        wan.store.commit = full  # type: ignore[method-assign, assignment]
        expected = StoreUnavailable
    with pytest.raises(expected):
        await wan.change({vport_path(3): vport(3)})
    await wan.settled()
    assert wan.prefixes() == before
    assert {name: dict(switch.held) for name, switch in wan.switches.items()} == flows


async def test_neighbours_of_a_failed_commit_are_those_of_before(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    sessions = wan.speaker.peers

    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("store", "the disk is full", "")

    wan.store.commit = full  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        await wan.change(
            {("bgp-neighbor", "pe2"): Neighbor(uuid=uuid(303), address="192.0.2.10", autonomous_system=65002)}
        )
    assert wan.speaker.peers == sessions
    assert set(wan.bgp.rib.settings.neighbours) == {"pe1"}


async def test_a_speaker_that_is_gone_fails_no_commit(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    wan.speaker.refuses = SpeakerGone("it died")
    outcome = await wan.change({vport_path(3): vport(3)})
    assert outcome.revision == wan.network.configured.revision


async def test_a_route_becomes_a_fact_and_goes_again(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    key = RemoteKey(uuid(101), "prefix", prefix("10.9.0.0/24"))
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()), EndOfRib("pe1", Family.VPNV4))
    await wan.settled()
    facts = dict(wan.network.state.placement.all_remote())
    assert facts[key].next_hops[0].tunnel == (address("192.0.2.9"), MPLS, 300)  # type: ignore[union-attr]
    assert await wan.agreed()
    wan.hear(Changed("pe1", (), (theirs("10.9.0.0/24").nlri,)))
    await wan.settled()
    assert not dict(wan.network.state.placement.all_remote()) and await wan.agreed()


async def test_a_next_hop_that_the_underlay_loses_is_watched_until_it_is_back(
    wan: Wan, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wan.go_out()
    await wan.up()
    hop, lost, watched = address("192.0.2.9"), set[object](), list[set[object]]()
    monkeypatch.setattr(wan.underlay, "usable", lambda ip: ip not in lost)
    monkeypatch.setattr(wan.underlay, "remote", lambda hops: watched.append(set(hops)))

    async def weighed() -> bool:
        wan.bgp._weighed(frozenset({hop}))
        await wan.settled()
        return bool(dict(wan.network.state.placement.all_remote()))

    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()), EndOfRib("pe1", Family.VPNV4))
    await wan.settled()
    assert watched[-1] == {hop}
    lost.add(hop)
    assert not await weighed()
    assert watched[-1] == {hop}, "who else would say that it is back"
    lost.clear()
    assert await weighed() and watched[-1] == {hop}
    wan.hear(Changed("pe1", (), (theirs("10.9.0.0/24").nlri,)))
    await wan.settled()
    assert watched[-1] == set()


async def test_what_a_commit_would_tell_is_planned_and_told_to_nobody(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    before = wan.prefixes()
    plan = await wan.commits.plan({vport_path(3): vport(3)})
    (side,) = plan.sides
    assert side.name == "bgp-neighbor pe1" and side.added and any("10.1.1.3/32" in line for line in side.lines)
    assert wan.prefixes() == before
    plan = await wan.commits.plan({PE1: None})
    assert plan.sides[0].lines[0].startswith("- neighbor 192.0.2.9")


async def test_a_strict_commit_needs_every_neighbour(wan: Wan) -> None:
    await wan.go_out()
    with pytest.raises(ApplyFailed, match="strict"):
        await wan.commits.commit({vport_path(3): vport(3)}, "ops", "", strict=True)
    await wan.up()
    await wan.commits.commit({vport_path(3): vport(3)}, "ops", "", strict=True)


async def test_with_its_last_neighbour_goes_what_they_told(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()))
    await wan.settled()
    await wan.change({PE1: None})
    await wan.settled()
    assert wan.speaker.peers == () and not dict(wan.network.state.placement.all_remote())


def spoken_to(wan: Wan) -> list[str]:
    return [peer.name for peer in wan.speaker.peers]


async def test_a_neighbour_that_tells_too_much_is_not_the_speakers_until_its_time_is_over(wan: Wan) -> None:
    await wan.go_out()
    await wan.change({PE1: neighbour(prefix_limit=2)})
    await wan.up()
    wan.hear(Changed("pe1", tuple(theirs(f"10.9.{number}.0/24") for number in range(3)), ()))
    await wan.settled()
    assert wan.speaker.ended[-1] == "reset pe1" and spoken_to(wan) == []
    assert not dict(wan.network.state.placement.all_remote())
    wan.hear(Down("pe1", "closed by us", graceful=False))
    await wan.change({vport_path(3): vport(3)})
    await wan.change({("bgp",): Settings(uuid=uuid(301), autonomous_system=65000, stale_time=200)})
    assert spoken_to(wan) == [], "another commit does not bring it back"
    wan.passed += IDLE + 1
    await wan.change({("bgp-neighbor", "pe2"): Neighbor(uuid=uuid(303), address="192.0.2.10", autonomous_system=65000)})
    wan.hear(Up("pe2", frozenset({Family.VPNV4}), 90, "192.0.2.10"))  # which is told, so the clock is looked at
    await wan.settled()
    assert spoken_to(wan) == ["pe1", "pe2"]


@pytest.mark.parametrize("how", ["request", "limit", "password"])
async def test_an_operator_brings_back_a_neighbour_that_is_left_alone(wan: Wan, how: str) -> None:
    await wan.go_out()
    await wan.change({PE1: neighbour(prefix_limit=2)})
    await wan.up()
    wan.hear(Changed("pe1", tuple(theirs(f"10.9.{number}.0/24") for number in range(3)), ()))
    wan.hear(Down("pe1", "closed by us", graceful=False))
    await wan.settled()
    assert spoken_to(wan) == []
    if how == "request":
        await wan.bgp.reset("pe1")
    elif how == "limit":
        await wan.change({PE1: neighbour(prefix_limit=3)})
    else:
        await wan.change({PE1: neighbour(prefix_limit=2, password="other")})
    await wan.settled()
    assert spoken_to(wan) == ["pe1"]


async def test_a_session_that_flaps_is_left_alone_and_others_are_not(wan: Wan) -> None:
    await wan.go_out()
    await wan.change({("bgp-neighbor", "pe2"): Neighbor(uuid=uuid(303), address="192.0.2.10", autonomous_system=65000)})
    for _ in range(8):
        await wan.up()
        wan.hear(Down("pe1", "the peer closed the connection"))
        await wan.settled()
    assert spoken_to(wan) == ["pe2"]


async def test_the_speaker_reads_no_peer_while_too_much_is_undecided(wan: Wan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller.bgp.service, "AHEAD", 4)
    await wan.go_out()
    await wan.up()
    wan.hear(*(Changed("pe1", (theirs(f"10.9.{number}.0/24"),), ()) for number in range(4)))
    assert not wan.speaker.held
    wan.hear(Changed("pe1", (), (theirs("10.9.0.0/24").nlri,)))
    assert wan.speaker.held
    await wan.settled()
    assert not wan.speaker.held and len(dict(wan.network.state.placement.all_remote())) == 3


def neighbour(**settings: Any) -> Neighbor:
    return Neighbor(uuid=uuid(302), address="192.0.2.9", autonomous_system=65000, **settings)


def configured(*items: tuple[Path, Object]) -> list[Peer]:
    return peers(Running(dict(items), 1))


async def test_a_path_that_bfd_says_is_lost_ends_the_session_and_drops_its_routes_at_once(wan: Wan) -> None:
    await wan.go_out()
    await wan.up()
    wan.hear(Changed("pe1", (theirs("10.9.0.0/24"),), ()))
    await wan.settled()
    table = wan.bgp.rib.inbound.tables["pe1"]
    assert len(table) == 1
    wan.bgp._path_lost("pe1", "BFD: the path is down")
    wan.hear(Changed("pe1", (theirs("10.8.0.0/24"),), ()))  # said before the speaker ended it
    await wan.settled()
    assert not wan.bgp.established("pe1") and len(table) == 0 and table.stale_until is None
    assert "reset pe1" in wan.speaker.ended and table.reason == "BFD: the path is down"
    wan.bgp._path_lost("nobody", "BFD: the path is down")
    await wan.settled()


def test_neighbours_are_dialled_unless_they_are_passive() -> None:
    found = configured(
        (("bgp",), Settings(uuid=uuid(1), autonomous_system=65000, hold_time=30)),
        (("controller",), Controller(uuid=uuid(2), listen_address="192.0.2.1")),
        (("bgp-neighbor", "b"), Neighbor(uuid=uuid(3), address="192.0.2.9", autonomous_system=1, passive=True)),
        (("bgp-neighbor", "a"), Neighbor(uuid=uuid(4), address="192.0.2.8", autonomous_system=1, role="underlay")),
        (("bgp-neighbor", "c"), Neighbor(uuid=uuid(5), address="2001:db8::1", autonomous_system=1)),
    )
    assert [peer.name for peer in found] == ["a", "b"]
    assert found[0].listens_only and found[0].families == (Family.IPV4, Family.IPV6) and found[0].hold_time == 30
    assert waited_for_at(found) == ["192.0.2.1"] and found[1].router_id == "192.0.2.1"
    assert waited_for_at([found[0]]) == []


def test_kept_numbers_survive_and_what_is_no_such_file_is_nothing(tmp_path: FilePath) -> None:
    kept = KeptNumbers(tmp_path)
    assert kept.load() == {}
    kept.save({f"{uuid(1)} 02000a01010b": 7})
    assert kept.load() == {f"{uuid(1)} 02000a01010b": 7}
    for text in ("", "[1]", '{"x": 1}', '{"a 02000a01010b": "7"}', "\x00"):
        (tmp_path / "mobility.json").write_text(text)
        assert kept.load() == {}
