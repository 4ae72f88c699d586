"""The lab's parts that need neither root nor Open vSwitch."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from data.errors import CommandFailed
from nshell.lab import Lab, packets, processes
from nshell.lab.main import main
from nshell.lab.record import STATE_FILE
from nshell.lab.underlay import Names
from nshell.lab.wire import describe


def test_what_is_made_by_hand_is_described_as_it_was_made() -> None:
    body = packets.ipv4("10.0.0.1", "10.0.0.2", 6, packets.tcp("10.0.0.1", "10.0.0.2", 40000, 80, 0x12), ttl=9)
    frame = packets.ethernet("02:00:00:00:00:02", "02:00:00:00:00:01", packets.ETHERTYPE_IPV4, body)
    seen = describe(frame)
    assert (seen["kind"], seen["ttl"], seen["source"], seen["destination_port"], seen["flags"]) == (
        "tcp",
        9,
        "10.0.0.1",
        80,
        0x12,
    )
    assert all(seen[key] == value for key, value in packets.described(frame).items())
    claim = packets.ethernet(
        "ff:ff:ff:ff:ff:ff",
        "02:00:00:00:00:01",
        packets.ETHERTYPE_ARP,
        packets.arp(2, "02:00:00:00:00:01", "10.0.0.1", "02:00:00:00:00:02", "10.0.0.2"),
    )
    assert describe(claim)["sender_mac"] == "02:00:00:00:00:01" and describe(claim)["operation"] == 2


def test_checksums_of_made_packets_are_right() -> None:
    packet = packets.ipv4("10.0.0.1", "10.0.0.2", 1, packets.icmp_echo(payload=b"odd"))
    assert packets.checksum(packet[:20]) == 0
    assert packets.checksum(packet[20:]) == 0
    segment = packets.tcp("10.0.0.1", "10.0.0.2", 1, 2)
    pseudo = bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 6]) + struct.pack("!H", len(segment))
    assert packets.checksum(pseudo + segment) == 0


def test_only_the_very_process_that_was_recorded_is_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    found = processes.look(child.pid)
    assert found is not None and processes.is_alive(found)
    processes.end([processes.Process(found.pid, found.started + 1, found.program), None])
    assert child.poll() is None
    processes.end([found])
    assert not processes.is_alive(found)
    child.wait()
    mine = processes.look(os.getpid())
    assert mine is not None and processes.is_alive(mine)


def test_names_fit_the_kernel_and_hypervisors_have_their_own_addresses() -> None:
    names = Names("abcdefgh", 43)
    assert max(len(names.management), len(names.management_port(240))) <= 15
    assert names.controller_address == "169.254.43.1" and names.management_address(1) == "169.254.43.11"


@pytest.mark.parametrize("prefix", ["", "9x", "toolongprefix", "with-dash", "UPPER"])
def test_a_prefix_that_cannot_name_interfaces_is_refused(prefix: str) -> None:
    with pytest.raises(CommandFailed, match="prefix"):
        Lab(prefix)


@pytest.mark.parametrize(("argv", "code"), [([], 2), (["fly"], 2), (["up", "--hypervisors", "x"], 2), (["--help"], 0)])
def test_the_command_line_gives_the_exit_codes_of_the_shell(argv: list[str], code: int) -> None:
    assert main(argv) == code


def test_a_lab_that_is_not_up_says_so_and_names_the_command_for_this_very_lab(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state-dir", str(tmp_path), "ping", "a", "b"]) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[1:] == [
        f"  it is not up (nothing in {tmp_path})", f"  nshell lab --state-dir {tmp_path} up"
    ]  # fmt: skip
    assert main(["--prefix", "other", "--state-dir", str(tmp_path / "a b"), "ping", "a", "b"]) == 1
    assert f"nshell lab --prefix other --state-dir '{tmp_path}/a b' up" in capsys.readouterr().err


def test_a_machine_that_the_lab_has_not_is_not_looked_for_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = {"name": "web-1", "hypervisor": "hv1", "vport": "acme/prod/web-1", "mac": "02:00:0a:01:01:0b"}
    state = {"prefix": "nsh", "subnet": 1, "machines": {"web-1": machine}}
    (tmp_path / STATE_FILE).write_text(json.dumps(state))
    for words in (["web-1", "wbe-1"], ["wbe-1", "web-1"]):
        assert main(["ping", "--state-dir", str(tmp_path), *words]) == 1
        assert capsys.readouterr().err == "error: vm wbe-1\n  the lab has web-1\n  name one of them\n"


def test_which_lab_is_meant_may_be_said_before_or_after_the_verb(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in (["--prefix", "other", "status"], ["status", "--prefix", "other"]):
        assert main([*argv, "--state-dir", str(tmp_path)]) == 0
        assert capsys.readouterr().out == "lab other is down\n"
    assert main(["exec", "--state-dir", str(tmp_path), "web-1", "ls", "--prefix", "of-the-command"]) == 1
    assert "lab nsh\n" in capsys.readouterr().err


def test_a_prefix_that_is_refused_on_the_command_line_is_an_error_of_the_house(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["status", "--prefix", "9x"]) == 1
    assert capsys.readouterr().err.startswith("error: lab\n")
