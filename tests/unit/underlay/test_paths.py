"""Shortest paths, those of equal cost, and alternates that do not loop."""

from __future__ import annotations

import random
from itertools import pairwise

from controller.underlay.paths import ALTERNATES, EQUAL_PATHS, Path, Paths
from controller.underlay.topology import Announcement, Link, Node, build
from data.addresses import prefix
from tests.unit.underlay.pictures import drawn

SQUARE = ("me a 0", "a b 10", "a c 10", "b d 10", "c d 10")


def stops(path: Path) -> str:
    return " ".join([path.links[0].source, *(link.target for link in path.links)])


def test_equal_paths_come_before_alternates() -> None:
    paths = Paths(drawn(*SQUARE, "a d 25")).between("a", "d")
    assert [(stops(path), path.cost, path.alternate) for path in paths] == [
        ("a b d", 20, False), ("a c d", 20, False), ("a d", 25, True),
    ]  # fmt: skip


def test_an_alternate_that_would_send_back_is_none() -> None:
    """From a to b: c's own ways to b are over a and over d, both 20: no promise that it does not loop."""
    assert [path.alternate for path in Paths(drawn(*SQUARE)).between("a", "b")] == [False]
    # With c nearer to b than over a, it is one.
    nearer = Paths(drawn(*SQUARE, "c b 5")).between("a", "b")
    assert [(stops(path), path.cost, path.alternate) for path in nearer] == [("a b", 10, False), ("a c b", 15, True)]


def test_a_link_that_one_end_alone_claims_does_not_count() -> None:
    """A router that died stays in the database, with its own links; its neighbours have taken theirs out."""
    links = [Link("me", "a", 1), Link("a", "me", 1), Link("dead", "a", 1)]
    nodes = [Node(name, name) for name in ("me", "a", "dead")]
    seen = build("ospf", "me", nodes, links, [Announcement(prefix("192.0.2.0/24"), "dead", 0)])
    assert "dead" not in Paths(seen).distances("me") and "dead" not in seen.links
    assert prefix("192.0.2.0/24") in seen.prefixes


def test_an_overloaded_router_is_reached_and_not_passed() -> None:
    paths = Paths(drawn(*SQUARE, idle=("b",)))
    assert [stops(path) for path in paths.between("a", "d")] == ["a c d"]
    assert [stops(path) for path in paths.between("a", "b")] == ["a b"]
    assert [stops(path) for path in paths.between("b", "d")] == ["b d"]


def test_nothing_goes_through_the_listener() -> None:
    paths = Paths(drawn("me a 1", "me d 1", "a b 10", "b d 10"))
    assert [stops(path) for path in paths.between("a", "d")] == ["a b d"]


def test_metrics_differ_by_direction() -> None:
    paths = Paths(drawn("me a 1", "a b 10 40", "a c 10", "b c 10"))
    assert paths.distances("a")["b"] == 10 and paths.distances("b")["a"] == 20


def test_a_neighbour_over_a_lan_is_an_alternate_of_its_own() -> None:
    """a, b and c are on one LAN; d is behind b (near) and c (farther)."""
    paths = Paths(drawn("me a 1", "a lan1 10 0", "b lan1 10 0", "c lan1 10 0", "b d 5", "c d 8")).between("a", "d")
    assert [(stops(path), path.cost, path.alternate) for path in paths] == [
        ("a lan1 b d", 15, False), ("a lan1 c d", 18, True),
    ]  # fmt: skip


def test_there_is_no_path_to_who_is_cut_off_unknown_or_oneself() -> None:
    paths = Paths(drawn("me a 1", "x y 1"))
    assert paths.between("me", "x") == [] and paths.between("me", "nobody") == [] and paths.between("me", "me") == []


def test_links_that_cost_nothing_make_no_endless_path() -> None:
    paths = Paths(drawn("me a 0", "a b 0", "b c 0", "c a 0", "c d 0")).between("me", "d")
    assert paths and all(len({link.target for link in path.links}) == len(path.links) for path in paths)


def test_a_mesh_gives_a_bounded_number_of_paths() -> None:
    layers = [[f"n{depth}.{at}" for at in range(8)] for depth in range(5)]
    links = [f"{a} {b} 1" for above, below in pairwise(layers) for a in above for b in below]
    links += [f"me {a} 1" for a in layers[0]] + [f"{a} end 1" for a in layers[-1]] + [f"me far{n} 9" for n in range(9)]
    links += [f"far{n} end 1" for n in range(9)]
    paths = Paths(drawn(*links)).between("me", "end")
    assert [path.alternate for path in paths] == [False] * EQUAL_PATHS + [True] * ALTERNATES


def test_distances_are_those_of_a_plain_relaxation() -> None:
    random.seed(11)
    for _ in range(30):
        names = ["me", *(f"n{number}" for number in range(9))]
        pairs = random.sample([(a, b) for a in names for b in names if a < b], 18)
        text = [f"{a} {b} {random.randrange(1, 9)} {random.randrange(1, 9)}" for a, b in pairs]
        seen = drawn(*text, idle=("n3",))
        every = [link for links in seen.links.values() for link in links]
        for source in seen.nodes:
            far = {source: 0}
            for _ in names:
                for link in every:
                    through = link.source == source or link.source not in ("me", "n3")
                    if link.source in far and through:
                        far[link.target] = min(far.get(link.target, 1 << 30), far[link.source] + link.metric)
            assert Paths(seen).distances(source) == far
