"""Where workloads were, over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.compile import Observed
from controller.compile.remote import (
    MPLS,
    VXLAN,
    NextHop,
    Remote,
    RemoteFlood,
    RemoteKey,
    RemoteMac,
    RemotePrefix,
    Tunnel,
)
from controller.hypervisors import remembered
from controller.hypervisors.remembered import FILE, Remembered
from controller.topology import Interface
from data.addresses import address, prefix

ONE = Interface("hv1", "tap1", "acme/prod/web-1", 3, 10.0, 1)
TWO = Interface("hv2", "tap2", "acme/prod/web-2", 4, 11.0, 2)


def test_interfaces_that_came_are_remembered_and_those_that_went_are_not(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    assert memory.load() == ([], Observed())
    memory.note({("hv1", "tap1"): ONE, ("hv2", "tap2"): TWO}, Observed())
    memory.note({("hv1", "tap1"): None}, Observed())
    assert Remembered(tmp_path).load() == ([TWO], Observed())


def test_history_is_dropped_when_the_file_is_read(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    for _ in range(50):
        memory.note({("hv1", "tap1"): ONE}, Observed())
    memory.load()
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 1


def test_an_interface_that_comes_and_goes_for_ever_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "HISTORY", 10)
    memory = Remembered(tmp_path)
    memory.note({("hv2", "tap2"): TWO}, Observed())
    for _ in range(100):
        memory.note({("hv1", "tap1"): ONE}, Observed())
        memory.note({("hv1", "tap1"): None}, Observed())
        assert len((tmp_path / FILE).read_bytes().splitlines()) <= 14
    assert memory.load() == ([TWO], Observed())


def test_a_line_that_was_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    memory.note({("hv1", "tap1"): ONE}, Observed())
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"dvrs":"hv2","na')
    assert memory.load() == ([ONE], Observed())


def test_observed_facts_are_remembered_as_they_were_last(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    behind = {"02:00:00:00:00:01": ("198.51.100.1",)}
    memory.note({}, Observed({"bridge": behind}, {"vip": "web-1"}, {"web-1 icmp": True, "web-2 icmp": True}))
    memory.note({}, Observed({}, {"vip": "web-2"}, {"web-1 icmp": False, "web-2 icmp": None}))
    assert Remembered(tmp_path).load() == ([], Observed({"bridge": behind}, {"vip": "web-2"}, {"web-1 icmp": False}))


def test_a_bridge_vport_with_many_addresses_that_change_does_not_fill_the_disk(tmp_path: Path) -> None:
    memory = Remembered(tmp_path)
    many = {f"02:0e:00:00:{number >> 8:02x}:{number & 255:02x}": ("198.51.100.1",) for number in range(1000)}
    line = 45_000  # bytes of one update
    for turn in range(300):
        memory.note({}, Observed({"bridge": {**many, "02:0e:ff:00:00:00": (f"198.51.100.{turn % 200 + 1}",)}}))
        assert (tmp_path / FILE).stat().st_size < 2 * line + 400 * remembered.HISTORY
    assert len((tmp_path / FILE).read_bytes().splitlines()) < 150, "300 updates were written"


def test_what_was_told_of_other_places_is_known_again(tmp_path: Path) -> None:
    mpls, vxlan = Tunnel(address("192.0.2.1"), MPLS, 300), Tunnel(address("2001:db8::1"), VXLAN, 900)
    hops = (NextHop(mpls, None), NextHop(vxlan, bytes.fromhex("02bf00000001")))
    one, other = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
    facts: dict[RemoteKey, Remote | None] = {
        RemoteKey("domain", "prefix", prefix("10.9.0.0/24")): RemotePrefix(hops),
        RemoteKey("domain", "prefix", prefix("::/0")): RemotePrefix(hops[:1]),
        RemoteKey("web", "mac", one): RemoteMac(vxlan, (address("10.1.1.5"), address("fd00::5"))),
        RemoteKey("web", "mac", other): RemoteMac(vxlan),
        RemoteKey("web", "flood", vxlan.endpoint): RemoteFlood(vxlan),
    }
    memory = Remembered(tmp_path)
    memory.note({}, Observed(remote=facts))
    memory.note({}, Observed(remote={RemoteKey("web", "mac", other): None}))
    del facts[RemoteKey("web", "mac", other)]
    assert Remembered(tmp_path).load() == ([], Observed(remote=facts))
