"""BGP neighbours of the underlay, and several sources together."""

from __future__ import annotations

import pytest

from controller.bgp.routes import Attributes, Route, Unicast
from controller.underlay import heard as module
from controller.underlay.heard import Heard
from controller.underlay.view import Seen, View
from data.addresses import address, prefix
from tests.unit.underlay.pictures import drawn


def route(network: str, *as_path: int, via: str = "10.0.0.1") -> Route:
    return Route(Unicast(prefix(network)), Attributes(address(via), as_path=as_path, as_path_length=len(as_path)))


def test_the_longest_prefix_counts_and_its_cost_is_the_length_of_the_as_path() -> None:
    heard = Heard("neighbor leaf1")
    assert heard.hear(route("10.1.0.0/16", 65001)) and heard.hear(route("10.1.2.0/24", 65001, 65002, 65003))
    found = heard.find(address("10.1.2.3"))
    assert found is not None and (str(found.prefix), found.cost, found.node) == ("10.1.2.0/24", 3, "10.0.0.1")
    assert heard.hear(route("10.1.2.0/24"), withdrawn=True)
    found = heard.find(address("10.1.2.3"))
    assert found is not None and (str(found.prefix), found.cost) == ("10.1.0.0/16", 1)
    assert heard.hear(route("10.1.0.0/16"), withdrawn=True) and heard.find(address("10.1.2.3")) is None
    assert not heard.hear(route("10.1.0.0/16"), withdrawn=True) and len(heard) == 0


def test_both_families_are_heard_and_others_say_nothing() -> None:
    heard = Heard("neighbor leaf1")
    assert heard.hear(route("2001:db8:1::/48", 65001, via="fe80::1"))
    assert heard.find(address("2001:db8:1::9")) is not None and heard.find(address("10.1.2.3")) is None
    assert not heard.hear(route("0.0.0.0/0", 65001)) and not heard.hear(route("::/0", 65001))
    assert not heard.hear(route("2001:db8:1::/48", 65001, via="fe80::1")), "the same again is no change"


def test_routes_beyond_the_bound_are_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUTES", 3)
    heard = Heard("neighbor leaf1")
    kept = [heard.hear(route(f"10.{number}.0.0/16", 65001)) for number in range(5)]
    assert kept == [True] * 3 + [False] * 2 and (len(heard), heard.refused) == (3, 2)
    assert heard.hear(route("10.1.0.0/16", 65001, 65002)), "one that is known may change"


def test_of_several_sources_the_longest_prefix_wins_then_the_most_trusted() -> None:
    ospf = Seen("core", drawn("me r1 0", "r1 r4 10", prefixes=("r4 10.1.0.0/16", "r4 10.2.2.0/24")))
    bgp = Heard("neighbor leaf1")
    bgp.hear(route("10.1.0.0/16", 65001, 65002))
    bgp.hear(route("10.2.0.0/16", 65001))
    view = View({"core": ospf, bgp.name: bgp})
    assert [(one.source, one.cost) for text in ("10.1.1.1", "10.2.2.2") if (one := view.find(address(text)))] == [
        ("neighbor leaf1", 2), ("core", 10),
    ]  # fmt: skip


def test_who_reaches_it_wins_over_who_only_heard_of_it() -> None:
    cut = Seen("core", drawn("me r1 0", "r4 r5 10", prefixes=("r4 10.1.1.0/24",)))
    bgp = Heard("neighbor leaf1")
    bgp.hear(route("10.1.0.0/16", 65001))
    alone, both = (
        View({"core": cut}).find(address("10.1.1.1")),
        View({"core": cut, bgp.name: bgp}).find(address("10.1.1.1")),
    )
    assert alone is not None and alone.cost is None and both is not None and both.source == "neighbor leaf1"


def test_a_cost_is_counted_from_the_hypervisor_that_asks() -> None:
    seen = drawn("me r1 0", "r1 r2 10", "r2 r4 10 40", prefixes=("r4 192.0.2.4/32", "r2 192.0.2.2/32 3"))
    view = View({"core": Seen("core", seen)})
    near, far = address("192.0.2.2"), address("192.0.2.4")
    assert (view.cost(near), view.cost(far)) == (13, 20)
    assert (view.cost(far, near), view.cost(near, far)) == (10, 43)
    assert view.cost(far, address("203.0.113.1")) == 20, "an origin that nobody knows: from the listener"
    assert view.cost(address("203.0.113.1")) is None
