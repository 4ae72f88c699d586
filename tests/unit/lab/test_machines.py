"""The VM file and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import CommandFailed
from nshell.lab.machines import LINK_LIMIT, Machine, read_machines

ONE = '[[vm]]\nname = "a"\nhypervisor = "hv1"\nvport = "e/d/a"\nmac = "02:00:00:00:00:01"\naddress = "10.0.0.1/24"\n'


def test_the_demos_own_file_is_read() -> None:
    machines = read_machines(Path(__file__).parents[3] / "examples" / "demo" / "vms.toml")
    assert len(machines) == 10 and {one.hypervisor for one in machines} == {"hv1", "hv2", "hv3"}
    assert machines[0].ip == "10.1.1.11"


def test_one_address_may_be_written_without_a_list(tmp_path: Path) -> None:
    file = tmp_path / "vms.toml"
    file.write_text(ONE)
    assert read_machines(file)[0].address == ("10.0.0.1/24",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[vm]\n", "not TOML"),
        ("vm = 3\n", "not a list"),
        ("[[vms]]\n", "unknown table vms"),
        (ONE.replace('"10.0.0.1/24"', '["10.0.0.1/24", "2001:db8::g/64"]'), "2001:db8::g"),
        (ONE + 'gateway = ["10.0.0.254", "x"]\n', "'x'"),
        (ONE.replace("mac =", "mca ="), "unknown setting mca"),
        (ONE.replace('mac = "02:00:00:00:00:01"\n', ""), "mac"),
        (ONE.replace("02:00:00:00:00:01", "02:00:00:00:00:0G"), "not a MAC"),
        (ONE.replace("10.0.0.1/24", "10.0.0.300/24"), "10.0.0.300"),
        (ONE.replace('"a"', '"A b"', 1), "lower case"),
        (ONE + ONE, "taken"),
        (ONE + ONE.replace('"a"', '"b"', 1), "vport e/d/a is taken by vm a"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "vms.toml"
    file.write_text(text)
    with pytest.raises(CommandFailed, match=said):
        read_machines(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"nothing\.toml"):
        read_machines(tmp_path / "nothing.toml")


def test_interface_names_stay_short_and_different() -> None:
    long = [
        Machine(name=f"a-very-long-name-{number}", hypervisor="hv1", vport="v", mac="m", address=())
        for number in range(500)
    ]
    ports = {one.port for one in long}
    assert len(ports) == 500 or len(ports) > 490  # 16 bits of hash; the lab refuses the rest when they meet on a host
    assert max(map(len, ports)) == LINK_LIMIT
    assert Machine(name="web-1", hypervisor="hv1", vport="v", mac="m", address=()).port == "tap-web-1"
