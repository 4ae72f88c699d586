"""Machines of both families, and the tables of a VM file that say what is outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import CommandFailed
from nshell.lab import Machine, Outside, Uplink
from nshell.lab.machines import read_machines
from nshell.lab.outside import check_outside, read_outside
from nshell.lab.spaces import Ipv6

BOTH = """
[[vm]]
name = "a"
hypervisor = "hv1"
vport = "e/d/a"
mac = "02:00:00:00:00:01"
address = ["10.0.0.1/24", "2001:db8::1/64"]
gateway = ["10.0.0.254", "2001:db8::fe"]

[[uplink]]
name = "wan"
hypervisors = ["hv1"]
vlans = [100]

[[outside]]
name = "router1"
uplink = "wan"
vlan = 100
address = "192.0.2.1/24"
"""
WAN = Uplink(name="wan", hypervisors=("hv1",))
ROUTER = Outside(name="router1", uplink="wan", address=("192.0.2.1/24",))


def machine(*address: str) -> Machine:
    return Machine(name="a", hypervisor="hv1", vport="e/d/a", mac="02:00:00:00:00:01", address=address)


def test_a_file_says_what_is_inside_and_what_is_outside(tmp_path: Path) -> None:
    file = tmp_path / "vms.toml"
    file.write_text(BOTH)
    one = read_machines(file)[0]
    assert (one.ip, one.ip6, one.gateways) == ("10.0.0.1", "2001:db8::1", ("10.0.0.254", "2001:db8::fe"))
    uplinks, hosts = read_outside(file)
    assert (uplinks[0].nic, uplinks[0].vlans, uplinks[0].untagged) == ("up-wan", (100,), True)
    assert (hosts[0].ip, hosts[0].vlan, hosts[0].ipv6) == ("192.0.2.1", 100, Ipv6.OFF)
    check_outside(uplinks, hosts, ["hv1"], ["a"])
    file.write_text(BOTH.replace("vlan = 100", "vlans = 100"))
    with pytest.raises(CommandFailed, match="unknown setting vlans"):
        read_outside(file)


def test_ipv6_is_off_where_all_is_ipv4_and_by_itself_where_nothing_is_said() -> None:
    kinds = (machine("10.0.0.1/24").ipv6, machine("2001:db8::1/64").ipv6, machine().ipv6)
    assert kinds == (Ipv6.OFF, Ipv6.STATIC, Ipv6.LEARNED)
    for ask in (lambda: machine().ip, lambda: machine("10.0.0.1/24").ip6):
        with pytest.raises(CommandFailed, match="static"):
            ask()


@pytest.mark.parametrize(
    ("uplinks", "hosts", "said"),
    [
        ((Uplink(name="Wan", hypervisors=("hv1",)),), (), "lower-case"),
        ((Uplink(name="much-too-long", hypervisors=("hv1",)),), (), "1 to 9"),
        ((WAN, WAN), (), "taken"),
        ((Uplink(name="wan", hypervisors=("hv1", "hv9")),), (), "no hv9"),
        ((Uplink(name="wan", hypervisors=("hv1",), vlans=(4095,)),), (), "4095 is no VLAN"),
        ((), (ROUTER,), "no uplink wan"),
        ((WAN,), (ROUTER, ROUTER), "taken"),
        ((WAN,), (Outside(name="a", uplink="wan", address=("192.0.2.1/24",)),), "taken"),
        ((WAN,), (Outside(name="r", uplink="wan"),), "no address"),
        ((WAN,), (Outside(name="r", uplink="wan", vlan=0, address=("192.0.2.1/24",)),), "0 is no VLAN"),
        ((WAN,), (Outside(name="r", uplink="wan", address=("192.0.2.999/24",)),), "192.0.2.999"),
    ],
)
def test_what_could_not_be_built_is_refused(uplinks: tuple[Uplink, ...], hosts: tuple[Outside, ...], said: str) -> None:
    with pytest.raises(CommandFailed, match=said):
        check_outside(uplinks, hosts, ["hv1"], ["a"])


def test_names_that_are_allowed_fit_the_kernels_fifteen_characters() -> None:
    long = Uplink(name="a" * 9, hypervisors=())
    host = Outside(name="a" * 13, uplink="wan", address=("192.0.2.1/24",))
    assert max(map(len, (long.nic, long.bridge, long.port("hv240"), host.port))) <= 15
