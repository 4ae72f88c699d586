"""Which interface resolves which vport, and how hypervisors come and go."""

from __future__ import annotations

import pytest

from controller.events import Events, Kind, Severity
from controller.topology import Standing, Topology

WEB = ("11111111-1111-4111-8111-111111111111", "acme/prod/web-1")


@pytest.fixture
def events() -> Events:
    return Events(lambda: 1000.0)


@pytest.fixture
def topology(events: Events) -> Topology:
    topology = Topology(events, lambda: 1000.0)
    topology.configure("hv1", "hv1", "172.31.0.1")
    topology.configure("hv2", "host-two", "172.31.0.2")
    return topology


def place(topology: Topology) -> tuple[str, int] | None:
    claim = topology.claim(*WEB)
    return None if claim is None else (claim.dvrs, claim.ofport)


def test_an_interface_resolves_the_vport_that_its_iface_id_names_by_uuid_or_by_full_name(topology: Topology) -> None:
    topology.appear("hv1", "tap1", WEB[0], 3)
    assert place(topology) == ("hv1", 3)
    topology.vanish("hv1", "tap1")
    assert place(topology) is None
    topology.appear("hv2", "tap9", WEB[1], 7)
    assert place(topology) == ("hv2", 7)


def test_an_interface_of_a_hypervisor_that_is_not_configured_counts_for_nothing(topology: Topology) -> None:
    topology.appear("stranger", "tap1", WEB[1], 3)
    assert place(topology) is None
    assert not topology.touched


def test_of_two_interfaces_that_claim_one_vport_the_latest_counts_and_the_other_takes_over_when_it_goes(
    topology: Topology, events: Events
) -> None:
    topology.appear("hv1", "tap1", WEB[1], 3)
    topology.appear("hv2", "tap2", WEB[0], 5)
    assert place(topology) == ("hv2", 5)
    topology.appear("hv1", "tap3", WEB[0], 4)
    assert place(topology) == ("hv1", 4)
    assert [event.text for event in events if event.kind is Kind.IDENTITY] == [
        f"{WEB[0]} is claimed by tap2 on hv2 and now by tap3 on hv1: the latest counts"
    ]
    topology.vanish("hv1", "tap3")
    assert place(topology) == ("hv2", 5)


def test_reporting_the_same_interfaces_again_touches_nothing_and_does_not_make_an_old_claim_the_latest(
    topology: Topology,
) -> None:
    topology.report("hv1", {"tap1": (WEB[0], 3)})
    topology.report("hv2", {"tap2": (WEB[0], 5)})
    topology.take_touched()
    topology.report("hv1", {"tap1": (WEB[0], 3)})
    assert topology.take_touched() == set()
    assert place(topology) == ("hv2", 5)


def test_a_report_takes_away_what_is_not_in_it_and_says_which_ports_are_free(topology: Topology) -> None:
    topology.report("hv1", {"tap1": (WEB[0], 3), "tap2": ("other", 4)})
    topology.take_touched()
    topology.report("hv1", {"tap2": ("other", 4)})
    assert topology.take_touched() == {WEB[0]}
    assert topology.take_released() == {("hv1", 3)}


def test_a_port_that_is_taken_again_at_once_is_not_reported_as_free(topology: Topology) -> None:
    topology.appear("hv1", "tap1", WEB[0], 3)
    topology.vanish("hv1", "tap1")
    topology.appear("hv1", "tap1", WEB[0], 3)
    assert topology.take_released() == set()


def test_a_port_that_another_workload_takes_at_once_was_free_in_between(topology: Topology) -> None:
    topology.appear("hv1", "tap1", WEB[0], 3)
    topology.appear("hv1", "tap1", "other", 3)
    assert topology.take_released() == {("hv1", 3)}
    topology.appear("hv1", "tap2", WEB[0], 4)
    topology.report("hv1", {"tap1": ("other", 4), "tap2": (WEB[0], 3)})
    assert topology.take_released() == {("hv1", 3), ("hv1", 4)}


def test_workloads_of_a_hypervisor_that_is_away_stay_where_they_were(topology: Topology) -> None:
    topology.stand("hv1", Standing.READY, "")
    topology.appear("hv1", "tap1", WEB[0], 3)
    topology.stand("hv1", Standing.AWAY, "connection lost")
    assert place(topology) == ("hv1", 3)
    assert topology.hypervisors["hv1"].reason == "connection lost"


def test_a_hypervisor_that_is_lost_is_an_error_and_one_that_a_stop_leaves_is_none(
    topology: Topology, events: Events
) -> None:
    for state in (Standing.READY, Standing.AWAY, Standing.READY):
        topology.stand("hv1", state, "")
    topology.end()
    topology.stand("hv1", Standing.AWAY, "the controller stops")
    told = [(event.text, event.severity) for event in events]
    assert told[::2] == [("hv1 ready", Severity.NOTICE)] * 2, told
    assert told[1::2] == [("hv1 away", Severity.ERROR), ("hv1 away: the controller stops", Severity.NOTICE)]


def test_a_hypervisor_that_is_deleted_takes_its_interfaces_with_it(topology: Topology) -> None:
    topology.appear("hv1", "tap1", WEB[0], 3)
    assert topology.claim(*WEB, without={"hv1"}) is None
    topology.forget("hv1")
    assert place(topology) is None
    assert "hv1" not in topology.hypervisors


def test_the_latest_claim_stays_the_latest_over_a_restart(topology: Topology, events: Events) -> None:
    topology.appear("hv2", "tap2", WEB[0], 5)
    topology.appear("hv1", "tap1", WEB[0], 3)
    remembered = [interface for interface in topology.take_changed().values() if interface is not None]
    after = Topology(events, lambda: 2000.0)
    after.configure("hv1", "hv1", "172.31.0.1")
    after.configure("hv2", "host-two", "172.31.0.2")
    after.restore(remembered)
    after.report("hv1", {"tap1": (WEB[0], 3)})
    after.report("hv2", {"tap2": (WEB[0], 5)})
    assert place(after) == ("hv1", 3)


def test_a_change_of_state_is_an_event_with_its_reason_and_the_same_state_again_is_none(
    topology: Topology, events: Events
) -> None:
    topology.stand("hv1", Standing.CONNECTED, "reading its flows back")
    topology.stand("hv1", Standing.CONNECTED, "reading its flows back")
    topology.stand("hv1", Standing.READY, "")
    assert [event.text for event in events] == ["hv1 connected: reading its flows back", "hv1 ready"]


def test_an_unknown_hypervisor_is_shown_once_and_forgotten_when_it_leaves(topology: Topology, events: Events) -> None:
    topology.stranger("hv9", "not configured", ovsdb_peer="192.0.2.9:4444")
    topology.stranger("hv9", "not configured", ovsdb_peer="192.0.2.9:4444")
    assert len(events) == 1
    assert topology.unknown["hv9"].state is Standing.UNKNOWN
    topology.stranger_left("hv9")
    assert not topology.unknown
