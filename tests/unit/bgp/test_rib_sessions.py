"""Sessions come and go, and neighbours say what nobody should believe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.bgp.rib.inbound import IDLE, LINGER
from controller.bgp.rib.views import NO_TARGET
from controller.bgp.routes import Family, IpPrefix, Pmsi, Rd, Route, Unicast, VpnPrefix
from controller.bgp.speaker.backend import Changed, Down, Fault, Refused, Up
from data.addresses import address, prefix
from data.steps import at_once
from tests.unit.bgp.rib_model import FAMILIES, Fabric, attributes, flood, mac, neighbour, prefix5, settings, site, vpn

FAR = "02:00:00:00:00:42"


def filled(**more: object) -> Fabric:
    """A site whose neighbour told two prefixes."""
    fabric = site()
    fabric.up("pe", **more)
    fabric.hears("pe", vpn("10.8.0.0/16"), vpn("10.9.0.0/16"))
    return fabric


def prefixes(fabric: Fabric) -> list[str]:
    return sorted(fabric.facts("prefix"))


def test_the_session_that_comes_up_is_told_everything_and_then_that_it_was_everything() -> None:
    fabric = site()
    outcome = fabric.up("pe")
    assert len(outcome.announce) == 1 and len(outcome.announce[0].routes) == len(fabric.told["pe"]) > 3
    assert outcome.end_of_rib == [("pe", FAMILIES)]


def test_routes_of_a_neighbour_that_restarts_gracefully_stay_and_those_not_told_again_go_after_its_end_of_rib() -> None:
    fabric = filled()
    outcome = fabric.events(Down("pe", "hold timer expired"))
    assert outcome.remote == {}
    assert {one.stale for one in at_once(fabric.views.received("pe"))} == {True}
    fabric.up("pe", restarted=True, forwarding=FAMILIES)
    fabric.hears("pe", vpn("10.9.0.0/16"))
    assert prefixes(fabric) == ["10.8.0.0/16", "10.9.0.0/16"]
    fabric.ends("pe")
    assert prefixes(fabric) == ["10.8.0.0/16", "10.9.0.0/16"], "a reflector may end its RIB before it heard any"
    assert fabric.rib.deadline == fabric.now + LINGER
    fabric.later(LINGER)
    assert prefixes(fabric) == ["10.9.0.0/16"]
    assert fabric.rib.deadline is None


def test_a_reflector_that_ends_its_rib_before_it_has_told_anything_costs_no_route() -> None:
    fabric = filled()
    fabric.events(Down("pe", "gone"))
    fabric.up("pe")
    assert fabric.ends("pe").remote == {}
    fabric.hears("pe", vpn("10.9.0.0/16"), vpn("10.8.0.0/16"))
    fabric.later(LINGER + 1)
    assert prefixes(fabric) == ["10.8.0.0/16", "10.9.0.0/16"] and fabric.rib.deadline is None


def test_stale_routes_are_given_up_after_the_restart_time() -> None:
    fabric = filled(restart_time=120)
    fabric.events(Down("pe", "gone"))
    assert fabric.rib.deadline == fabric.now + 120
    assert not fabric.later(119).remote
    fabric.later(2)
    assert fabric.remote == {} and "2 stale routes" in fabric.said[-1]


def test_stale_routes_are_given_up_after_our_stale_time_when_no_end_of_rib_comes() -> None:
    fabric = filled()
    fabric.events(Down("pe", "gone"))
    fabric.up("pe")
    fabric.hears("pe", vpn("10.9.0.0/16"))
    fabric.later(301)
    assert prefixes(fabric) == ["10.9.0.0/16"]


@pytest.mark.parametrize("event", [Down("pe", "administrative reset", graceful=False), Down("pe", "no capability")])
def test_routes_of_a_neighbour_that_is_simply_gone_go_with_it(event: Down) -> None:
    fabric = filled(restart_time=120 if not event.graceful else None)
    fabric.events(event)
    assert fabric.remote == {} and fabric.rib.deadline is None


def test_what_a_reflector_handed_on_does_not_depend_on_its_own_forwarding_state() -> None:
    fabric = filled()
    fabric.hears("pe", vpn("10.7.0.0/16", originator_id=address("192.0.2.77")))
    fabric.events(Down("pe", "gone"))
    fabric.up("pe", restarted=True)
    assert prefixes(fabric) == ["10.7.0.0/16"]


def test_a_neighbour_that_lost_its_forwarding_state_loses_its_stale_routes_at_once() -> None:
    fabric = filled()
    fabric.events(Down("pe", "gone"))
    fabric.up("pe", restarted=True, forwarding=frozenset({Family.EVPN}))
    assert fabric.remote == {}


def test_a_neighbour_that_says_it_has_restarted_keeps_its_routes_when_it_was_our_speaker_that_died() -> None:
    """FRR says so in every OPEN of its first two minutes."""
    fabric = filled()
    fabric.events(Down("pe", "the speaker ended", ours=True))
    fabric.up("pe", restarted=True)
    assert prefixes(fabric) == ["10.8.0.0/16", "10.9.0.0/16"]
    fabric.hears("pe", vpn("10.9.0.0/16"))
    fabric.ends("pe")
    fabric.later(LINGER)
    assert prefixes(fabric) == ["10.9.0.0/16"]
    fabric.events(Down("pe", "gone"))
    fabric.up("pe", restarted=True)
    assert fabric.remote == {}, "the next loss is its own"


def test_the_death_of_the_speaker_is_the_loss_of_all_sessions() -> None:
    fabric = filled()
    fabric.events(Fault(False, "killed"))
    assert [one.state for one in fabric.views.neighbours()] == ["idle"]
    assert prefixes(fabric) == ["10.8.0.0/16", "10.9.0.0/16"], "stale"
    fabric.up("pe")
    assert fabric.views.neighbours()[0].state == "established"


def test_too_many_routes_end_the_session_and_leave_it_alone_for_a_while() -> None:
    fabric = site(settings(neighbour("pe", "192.0.2.1", prefix_limit=3)))
    fabric.up("pe")
    fabric.hears("pe", *(vpn(f"10.{nth}.0.0/16") for nth in range(3)))
    assert len(fabric.remote) == 3
    outcome = fabric.hears("pe", vpn("10.9.0.0/16"), vpn("10.10.0.0/16"))
    assert [(one.peer, one.reason, one.idle) for one in outcome.reset] == [
        ("pe", "5 routes, more than its prefix-limit 3", IDLE)
    ]
    assert fabric.remote == {}
    fabric.events(Down("pe", "we reset it", graceful=True))
    again = fabric.events(Up("pe", FAMILIES, 90))
    assert [one.peer for one in again.reset] == ["pe"] and not again.announce
    assert fabric.views.neighbours()[0].state == "shut"
    fabric.hears("pe", vpn("10.1.0.0/16"))
    assert fabric.remote == {}
    fabric.later(IDLE + 1)
    fabric.up("pe")
    fabric.hears("pe", vpn("10.1.0.0/16"))
    assert prefixes(fabric) == ["10.1.0.0/16"]


def test_routes_that_are_refused_count_towards_the_limit() -> None:
    fabric = site(settings(neighbour("pe", "192.0.2.1", prefix_limit=2, families=frozenset({Family.EVPN}))))
    fabric.up("pe")
    assert fabric.hears("pe", *(vpn(f"10.{nth}.0.0/16") for nth in range(3))).reset, "memory is memory"


def test_a_session_that_flaps_is_left_alone_and_may_come_back() -> None:
    fabric = filled()
    outcome = None
    for _ in range(20):
        outcome = fabric.events(Down("pe", "flap"))
        if outcome.reset:
            break
        fabric.now += 1
        fabric.up("pe")
    assert outcome is not None and "too often" in outcome.reset[0].reason
    assert 60 <= outcome.reset[0].idle <= 300
    fabric.later(outcome.reset[0].idle + 1)
    fabric.up("pe")
    assert fabric.views.neighbours()[0].state == "established"


def test_a_prefix_that_comes_and_goes_is_damped_and_let_go_later() -> None:
    fabric = filled()
    for _ in range(7):
        fabric.hears("pe", without=[vpn("10.9.0.0/16").nlri])
        fabric.now += 1
        fabric.hears("pe", vpn("10.9.0.0/16"))
    assert prefixes(fabric) == ["10.8.0.0/16"]
    assert fabric.why("pe")["10.9.0.0/16"] == "refused: damped: it came and went too often"
    fabric.later(3600)
    assert prefixes(fabric) == ["10.8.0.0/16", "10.9.0.0/16"]


def test_what_could_not_be_read_is_withdrawn_and_remembered() -> None:
    fabric = filled()
    fabric.events(Refused("pe", "attribute ORIGIN has 2 bytes", (vpn("10.9.0.0/16").nlri,)))
    assert prefixes(fabric) == ["10.8.0.0/16"]
    for _ in range(1000):
        fabric.events(Refused("pe", "nonsense"))
    [one] = fabric.views.neighbours()
    assert len(one.notes) == 100 and one.notes[-1].reason == "nonsense"


def test_a_neighbour_that_is_removed_takes_its_routes_along() -> None:
    fabric = filled()
    fabric.configure(settings(neighbour("other", "192.0.2.77")))
    assert fabric.remote == {} and [one.name for one in fabric.views.neighbours()] == ["other"]
    assert not fabric.events(Changed("pe", (vpn("10.9.0.0/16"),), ()))


def long(route: Route, **more: object) -> Route:
    return Route(route.nlri, replace(route.attributes, **more))  # type: ignore[arg-type]


GATEWAY = IpPrefix(Rd.of("1:1"), prefix("10.9.0.0/16"), 99, address("10.1.1.9"))
REFUSED = [
    (vpn("10.9.0.0/16", path=(65001, 65000)), "AS loop: our own AS is in its path"),
    (long(vpn("10.9.0.0/16"), originator_id=address("192.0.2.100")), "originator loop: it began with us"),
    (long(vpn("10.9.0.0/16"), cluster_list=(address("192.0.2.100"),)),
     "cluster loop: our router id is in its cluster list"),
    (vpn("10.9.0.0/16", "172.31.0.2"), "its next hop is a hypervisor of ours"),
    (vpn("10.9.0.0/16", "224.0.0.5"), "bad next hop 224.0.0.5: not a unicast address"),
    (vpn("10.9.0.0/16", "127.0.0.1"), "bad next hop 127.0.0.1: not a unicast address"),
    (vpn("10.9.0.0/16", "::"), "bad next hop ::: not a unicast address"),
    (vpn("10.9.0.0/16", "fe80::1"), "bad next hop fe80::1: not a unicast address"),
    (vpn("10.9.0.0/16", label=3), "label 3 out of range"),
    (vpn("10.9.0.0/16", label=1 << 20), "label 1048576 out of range"),
    (Route(VpnPrefix(Rd.of("1:1"), prefix("10.9.0.0/16"), (100, 200)), vpn("10.9.0.0/16").attributes),
     "a stack of labels is not spoken"),
    (prefix5("10.9.0.0/16", vni=0), "VNI 0 out of range"),
    (prefix5("10.9.0.0/16", router=None), "no router MAC"),
    (Route(GATEWAY, prefix5("10.9.0.0/16").attributes), "an overlay gateway is not spoken"),
    (mac(FAR, vni=1 << 24), "VNI 16777216 out of range"),
    (mac("01:00:5e:00:00:01"), "not a unicast MAC address"),
    (mac("00:00:00:00:00:00"), "not a unicast MAC address"),
    (mac("00:00:5e:00:01:01"), "MAC address of our own gateways"),
    (long(flood(), pmsi=None), "malformed: no PMSI tunnel attribute"),
    (long(flood(), pmsi=Pmsi(address("192.0.2.9"), 77, type=3)), "PMSI tunnel type 3 is not ingress replication"),
    (long(flood(), pmsi=Pmsi(address("0.0.0.0"), 77)), "bad PMSI endpoint 0.0.0.0: not a unicast address"),
    (Route(Unicast(prefix("10.9.0.0/16")), attributes("192.0.2.1")), "family ipv4 is not enabled"),
]  # fmt: skip


@pytest.mark.parametrize(("route", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_what_is_not_accepted_is_kept_with_the_reason_and_changes_nothing(route: Route, why: str) -> None:
    fabric = site()
    fabric.up("pe")
    assert fabric.hears("pe", route).remote == {}
    assert [one.standing for one in at_once(fabric.views.received("pe"))] == [f"refused: {why}"]
    [one] = fabric.views.neighbours()
    assert (one.received, one.refused) == (1, 1)


def test_a_flood_towards_ourselves_is_refused() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", long(flood(), pmsi=Pmsi(address("172.31.0.2"), 77)))
    assert fabric.remote == {}, "we would send copies to ourselves for ever"
    fabric.configure(settings(neighbour("pe", "192.0.2.1"), own=frozenset({address("172.31.0.1")})))
    assert list(fabric.facts("flood")) == ["172.31.0.2"], "it is somebody else's now"


def test_an_allow_list_is_asked_again_when_it_changes() -> None:
    fabric = filled()
    fabric.configure(settings(neighbour("pe", "192.0.2.1", accept=(prefix("10.8.0.0/15"),))))
    assert prefixes(fabric) == ["10.8.0.0/16", "10.9.0.0/16"]
    fabric.configure(settings(neighbour("pe", "192.0.2.1", accept=(prefix("10.9.0.0/16"),))))
    assert prefixes(fabric) == ["10.9.0.0/16"]
    assert fabric.why("pe")["10.8.0.0/16"] == "refused: outside the prefixes that are accepted"


def test_a_route_that_nobody_imports_says_so() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", vpn("10.9.0.0/16", "192.0.2.1", "65000:404"))
    assert fabric.why("pe") == {"10.9.0.0/16": f"best, but not taken: {NO_TARGET}"}


def test_routes_of_the_underlay_are_handed_on_and_are_no_facts() -> None:
    spine = neighbour("spine", "192.0.2.4", role="underlay", families=frozenset({Family.IPV4}))
    fabric = site(settings(spine))
    fabric.up("spine", families=frozenset({Family.IPV4}))
    route = Route(Unicast(prefix("172.31.0.0/24")), attributes("192.0.2.4"))
    outcome = fabric.hears("spine", route)
    assert outcome.underlay == {prefix("172.31.0.0/24"): (address("192.0.2.4"),)} and not outcome.remote
    outcome = fabric.hears("spine", without=[route.nlri])
    assert outcome.underlay == {prefix("172.31.0.0/24"): ()}
