"""Tunnel endpoints: unknown, reachable, lost; what is told of each, and what best path may use."""

from __future__ import annotations

from controller.damping import Limits
from controller.underlay.endpoints import EACH, Endpoint, Endpoints, Reachability
from controller.underlay.view import Seen, View
from data.addresses import Ip, address
from data.steps import at_once
from tests.unit.underlay.pictures import drawn

FAR, NEAR, ELSEWHERE = address("192.0.2.4"), address("192.0.2.2"), address("198.51.100.9")
LINKS = ("me r1 0", "r1 r2 10", "r2 r4 10")
PREFIXES = ("r4 192.0.2.4/32", "r2 192.0.2.2/32")


class Bench:
    """Endpoints with a clock and the view of one listener."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.told: list[str] = []
        self.now = 1000.0
        self.endpoints = Endpoints(self.told.append, limits or Limits())
        self.endpoints.follow("dvrs", {FAR: "dvrs far", NEAR: "dvrs near"}, self.now)

    def look(
        self, *prefixes: str, links: tuple[str, ...] = LINKS, after: float = 1.0, settling: bool = False
    ) -> set[Ip]:
        self.now += after
        view = View({"core": Seen("core", drawn(*links, prefixes=prefixes))})
        return set(at_once(self.endpoints.judge(view, self.now, frozenset({"core"} if settling else ()))))

    def away(self, after: float = 1.0) -> set[Ip]:
        self.now += after
        return set(at_once(self.endpoints.judge(View({}), self.now)))

    @property
    def far(self) -> Endpoint:
        found = self.endpoints.get(FAR)
        assert found is not None
        return found


def test_without_a_listener_everything_is_usable_and_has_no_cost() -> None:
    bench = Bench()
    assert bench.away() == set()
    assert [(one.usable, one.cost, one.state.value) for one in bench.endpoints] == [(True, None, "unknown")] * 2


def test_what_is_first_heard_of_is_no_event() -> None:
    bench = Bench()
    assert bench.look(*PREFIXES) == {FAR, NEAR}
    assert (bench.far.state, bench.far.cost, bench.far.since) == (Reachability.REACHABLE, 20, 1001.0)
    assert bench.told == [] and bench.look(*PREFIXES) == set()


def test_a_cost_that_changes_is_told_to_best_path_alone() -> None:
    bench = Bench()
    bench.look(*PREFIXES)
    assert bench.look(*PREFIXES, links=("me r1 0", "r1 r2 10", "r2 r4 30")) == {FAR}
    assert bench.far.cost == 40 and bench.told == []


def test_one_whose_prefix_is_withdrawn_is_lost_and_back() -> None:
    bench = Bench()
    bench.look(*PREFIXES)
    assert bench.look(PREFIXES[1]) == {FAR}
    assert not bench.far.usable and bench.far.cost is None and bench.far.flaps.count == 1
    assert bench.look(*PREFIXES, after=7) == {FAR} and bench.far.usable
    assert bench.told == [
        "dvrs far (192.0.2.4) is lost: it was behind r4 (ospf 192.0.2.4/32)",
        "dvrs far (192.0.2.4) is reachable again after 7 s, behind r4 (ospf 192.0.2.4/32, cost 20)",
    ]


def test_one_whose_router_is_cut_off_is_lost() -> None:
    bench = Bench()
    bench.look(*PREFIXES)
    bench.look(*PREFIXES, links=(*LINKS[:2], "r4 r5 1"))
    assert bench.told == ["dvrs far (192.0.2.4) is lost: no path leads to r4 (ospf 192.0.2.4/32)"]


def test_one_that_is_announced_and_was_never_reached_is_not_usable_and_did_not_flap() -> None:
    bench = Bench()
    bench.look(*PREFIXES, links=(*LINKS[:2], "r4 r5 1"))
    assert bench.far.state is Reachability.LOST and not bench.far.usable and bench.far.flaps.count == 0


def test_a_listener_that_goes_away_makes_nothing_lost() -> None:
    bench = Bench()
    bench.look(*PREFIXES)
    assert bench.away() == {FAR, NEAR}  # their costs are not known any more
    assert bench.far.state is Reachability.UNKNOWN and bench.far.usable and bench.far.cost is None
    assert bench.told == []


def test_what_a_listener_that_has_just_come_does_not_know_yet_is_not_lost() -> None:
    bench = Bench()
    bench.look(*PREFIXES)
    assert bench.look(PREFIXES[1], settling=True) == set() and bench.far.usable and bench.far.cost == 20
    assert bench.look(PREFIXES[1]) == {FAR} and not bench.far.usable


def test_a_default_route_keeps_nobody_reachable() -> None:
    bench = Bench()
    bench.look(*PREFIXES, "r1 0.0.0.0/0")
    assert bench.look(PREFIXES[1], "r1 0.0.0.0/0") == {FAR} and not bench.far.usable


def test_what_only_the_listener_itself_announces_is_not_known() -> None:
    bench = Bench()
    bench.look("me 192.0.2.0/24")
    assert bench.far.state is Reachability.UNKNOWN


def test_twenty_flaps_are_counted_and_few_are_told() -> None:
    bench = Bench()
    bench.look(*PREFIXES)
    for _ in range(20):
        bench.look(PREFIXES[1])
        bench.look(*PREFIXES)
    assert bench.far.state is Reachability.REACHABLE and bench.far.flaps.count == 20
    assert not bench.far.usable and bench.far.cost == 20
    assert len(bench.told) == 5 and bench.told[-1].startswith("dvrs far (192.0.2.4) flaps: lost 3 times; not used")
    wait = bench.endpoints.next_change(bench.now)
    assert wait is not None and wait > 100
    assert bench.look(*PREFIXES, after=wait - 1) == set()
    assert bench.look(*PREFIXES, after=1.5) == {FAR} and bench.far.usable
    assert bench.told[-1] == "dvrs far (192.0.2.4) is calm and used again; it was lost 20 times"
    assert bench.endpoints.next_change(bench.now) is None


def test_a_router_with_very_many_endpoints_fills_no_list_of_events() -> None:
    bench = Bench()
    many = {Ip(4, (10 << 24) + number): f"dvrs h{number}" for number in range(500)}
    bench.endpoints.follow("dvrs", many, bench.now)
    bench.look("r4 10.0.0.0/8")
    assert len(bench.look(PREFIXES[1])) == 500
    assert len(bench.told) == EACH + 1 and bench.told[-1].startswith("480 more endpoints are lost")


def test_groups_share_an_address_and_are_replaced_as_a_whole() -> None:
    bench = Bench()
    bench.look(*PREFIXES)
    bench.endpoints.follow("remote", {FAR: "2 routes", ELSEWHERE: "vtep"}, bench.now)
    assert bench.far.who == "dvrs far, 2 routes" and bench.far.cost == 20 and len(bench.endpoints) == 3
    bench.endpoints.follow("dvrs", {}, bench.now)
    bench.endpoints.follow("remote", {FAR: "2 routes"}, bench.now)
    assert [(one.who, one.cost) for one in bench.endpoints] == [("2 routes", 20)]
