"""A machine moves between sites, or is in two places at once."""

from __future__ import annotations

from controller.bgp.rib.mobility import FROZEN, MOVES, MacKey
from controller.bgp.routes import MacIp
from controller.compile import Location
from controller.compile.remote import Tunnel
from data.addresses import address
from tests.unit.bgp.rib_model import WEB, Fabric, mac, site, uuid_of

OWN = "02:00:0a:01:01:0b"


def sequence(fabric: Fabric) -> set[object]:
    """Mobility sequences with which our machine is told; empty when it is not."""
    told = fabric.told["pe"].values()
    return {one.attributes.mobility for one in told if isinstance(one.nlri, MacIp) and one.nlri.mac.hex(":") == OWN}


def leave(fabric: Fabric) -> None:
    fabric.move({uuid_of(fabric, "v1"): None})


def arrive(fabric: Fabric, dvrs: str = "hv1") -> None:
    fabric.move({uuid_of(fabric, "v1"): Location(dvrs, fabric.port())})


def test_a_machine_that_arrives_from_another_site_is_announced_with_a_higher_sequence() -> None:
    fabric = site()
    leave(fabric)
    fabric.up("pe")
    fabric.hears("pe", mac(OWN, sequence=4), mac(OWN, "10.1.1.11", sequence=4))
    assert list(fabric.facts("mac")) == [OWN]
    arrive(fabric)
    assert sequence(fabric) == {(5, False)}
    assert fabric.facts("mac") == {}, "it is here now"


def test_a_machine_that_goes_to_another_site_is_withdrawn_when_the_higher_sequence_comes() -> None:
    fabric = site()
    fabric.up("pe")
    assert sequence(fabric) == {None}
    fabric.hears("pe", mac(OWN, "10.1.1.11"), mac(OWN))
    assert sequence(fabric) == {None} and not fabric.facts("mac"), "the same number: each keeps its own"
    fabric.hears("pe", mac(OWN, "10.1.1.11", sequence=1), mac(OWN, sequence=1))
    assert sequence(fabric) == set()
    fact = fabric.facts("mac")[OWN]
    assert fact.tunnel == Tunnel(address("192.0.2.9"), "vxlan", 77)  # type: ignore[union-attr]
    assert fact.addresses == (address("10.1.1.11"),)  # type: ignore[union-attr]


def test_a_machine_whose_other_place_is_gone_is_ours_again() -> None:
    fabric = site()
    fabric.up("pe")
    fabric.hears("pe", mac(OWN, sequence=1))
    assert sequence(fabric) == set()
    fabric.hears("pe", without=[mac(OWN).nlri])
    assert sequence(fabric) == {None} and not fabric.facts("mac")


def test_a_machine_that_arrives_after_the_other_site_withdrew_it_is_announced_with_a_higher_sequence_too() -> None:
    fabric = site()
    leave(fabric)
    fabric.up("pe")
    fabric.hears("pe", mac(OWN, sequence=4))
    fabric.hears("pe", without=[mac(OWN).nlri])
    arrive(fabric)
    assert sequence(fabric) == {(5, False)}
    leave(fabric)
    arrive(fabric)
    assert sequence(fabric) == {(5, False)}, "it was nowhere else meanwhile"


def test_a_machine_that_is_at_two_sites_is_told_of_once() -> None:
    fabric = site()
    fabric.up("pe")
    for number in (1, 2):
        fabric.hears("pe", mac(OWN, sequence=number))
    assert fabric.said[1:] == [f"address {OWN} is here and, with the higher sequence number 1, at another site"]


def test_sequences_survive_a_restart() -> None:
    fabric = site()
    leave(fabric)
    fabric.up("pe")
    fabric.hears("pe", mac(OWN, sequence=8))
    arrive(fabric)
    changes = fabric.rib.mobility.changes()
    body = fabric.running.get(WEB)
    assert body is not None
    assert changes == {f"{body.uuid} 02000a01010b": 9} == fabric.rib.mobility.kept()
    assert fabric.rib.mobility.changes() == {}
    from controller.bgp.rib.mobility import Mobility

    again = Mobility(lambda: 0.0, lambda key, what: None, changes)
    key = MacKey(body.uuid, bytes.fromhex("02000a01010b"))
    assert again.judge(key, address("172.31.0.1"), None).sequence == 9
    assert again.judge(key, address("172.31.0.1"), (9, False)).sequence == 9


def storm(fabric: Fabric, times: int) -> None:
    """The other site takes it, and it arrives here again."""
    number = 0
    for _ in range(times):
        number += 2
        fabric.hears("pe", mac(OWN, sequence=number))
        fabric.now += 10
        leave(fabric)
        arrive(fabric)
        number = max((one[0] for one in sequence(fabric) if one is not None), default=number)  # type: ignore[index]


def test_an_address_in_two_places_is_frozen_here_and_told_once() -> None:
    fabric = site()
    fabric.up("pe")
    storm(fabric, MOVES)
    assert [line for line in fabric.said if "two places" in line] == [
        f"duplicate address {OWN} is in two places at once: frozen here (RFC 7432 section 15.1)"
    ]
    before = sequence(fabric)
    assert before and [one.mac for one in fabric.views.frozen()] == [OWN]
    fabric.hears("pe", mac(OWN, sequence=1000))
    leave(fabric)
    arrive(fabric)
    assert sequence(fabric) == before, "our number rises no more"
    assert fabric.facts("mac") == {}, "and our own vport keeps it here"


def test_a_frozen_address_is_let_go_by_time() -> None:
    fabric = site()
    fabric.up("pe")
    storm(fabric, MOVES)
    fabric.hears("pe", mac(OWN, sequence=1000))
    assert fabric.rib.deadline is not None and fabric.rib.deadline <= fabric.now + FROZEN
    fabric.later(FROZEN + 1)
    assert list(fabric.facts("mac")) == [OWN], "the higher number counts again"
    assert fabric.views.frozen() == []
    assert "may move again" in fabric.said[-2] and "at another site" in fabric.said[-1]


def test_a_frozen_address_is_let_go_by_an_operator() -> None:
    fabric = site()
    fabric.up("pe")
    storm(fabric, MOVES)
    fabric.hears("pe", mac(OWN, sequence=1000))
    [(key, _)] = fabric.rib.mobility.frozen()
    outcome = fabric.rib.unfreeze(key)
    assert outcome is not None
    fabric.hear(outcome)
    assert list(fabric.facts("mac")) == [OWN]
    assert fabric.rib.unfreeze(key) is None


def test_slow_moves_are_no_storm() -> None:
    fabric = site()
    fabric.up("pe")
    for _ in range(3):
        storm(fabric, 2)
        fabric.now += 200
    assert fabric.views.frozen() == []


def test_a_sequence_never_wraps() -> None:
    fabric = site()
    leave(fabric)
    fabric.up("pe")
    fabric.hears("pe", mac(OWN, sequence=0xFFFFFFFF))
    arrive(fabric)
    assert sequence(fabric) == {(0xFFFFFFFF, False)}
