"""The agent's ways to the host that need no Open vSwitch: steps, values, locations, endpoints."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent import attach
from agent.host import OvsLocation, _plain, run
from agent.join import Endpoint
from agent.main import main
from agent.steps import Step, carry_out
from data.errors import CommandFailed


def test_a_failing_step_takes_the_earlier_ones_back_in_reverse() -> None:
    done: list[str] = []

    def fail() -> None:
        raise CommandFailed("third", "it broke", "")

    steps = [
        Step("first", lambda: done.append("first"), lambda: done.append("not first")),
        Step("second", lambda: done.append("second"), lambda: done.append("not second")),
        Step("third", fail, lambda: done.append("never")),
    ]
    with pytest.raises(CommandFailed, match="it broke"):
        carry_out(steps)
    assert done == ["first", "second", "not second", "not first"]


def test_a_revert_that_fails_too_is_told_with_the_cause() -> None:
    def fail() -> None:
        raise CommandFailed("x", "no luck", "")

    with pytest.raises(CommandFailed, match=r"no luck; and taking back failed: first: no luck"):
        carry_out([Step("first", lambda: None, fail), Step("second", fail)])


def test_database_values_become_plain_python() -> None:
    assert _plain(["set", [["uuid", "a"], ["uuid", "b"]]]) == ["a", "b"]
    assert _plain(["map", [["k", "v"], ["n", 1]]]) == {"k": "v", "n": 1}
    assert _plain(["uuid", "a"]) == "a" and _plain(True) is True and _plain("set") == "set"


def test_the_switch_is_found_by_option_then_environment_then_the_default_place() -> None:
    assert OvsLocation.choose("/a", None, {"OVS_RUNDIR": "/b"}).database == "unix:/a/db.sock"
    assert OvsLocation.choose(None, None, {"OVS_RUNDIR": "/b"}).rundir == Path("/b")
    assert OvsLocation.choose(None, "unix:/c.sock", {}).database == "unix:/c.sock"
    assert OvsLocation.choose(None, None, {}).rundir == Path("/var/run/openvswitch")


def test_targets_are_written_as_open_vswitch_reads_them() -> None:
    assert Endpoint("192.0.2.1").manager == "tcp:192.0.2.1:6640"
    assert Endpoint("2001:db8::1", openflow_port=7000).controller == "tcp:[2001:db8::1]:7000"


def test_the_same_vport_always_gets_the_same_short_interface_name() -> None:
    names = {attach.host_end(f"acme/prod/web-{number}") for number in range(1000)}
    assert len(names) == 1000 and max(map(len, names)) <= attach.LINK_NAME_LIMIT
    assert attach.host_end("acme/prod/web-1") == attach.host_end("acme/prod/web-1")


def test_a_missing_program_and_a_failing_one_are_told_apart() -> None:
    with pytest.raises(CommandFailed, match="not installed"):
        run(["no-such-program-at-all"])
    with pytest.raises(CommandFailed, match="exit code 1"):
        run(["false"])


@pytest.mark.parametrize(
    "argv", [[], ["fly"], ["join"], ["attach", "vm", "x", "y"], ["attach", "netns", "x"], ["attach-uplink", "x"]]
)
def test_bad_words_end_with_exit_code_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage" in capsys.readouterr().err


def test_a_controller_that_cannot_be_dialled_is_refused_before_anything_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["join", "--controller", "192.0.2.1:x", "--system-id", "hv1", "--rundir", str(tmp_path)]
    assert main(argv) == 1
    assert "HOST:PORT" in capsys.readouterr().err


ASKING = (
    ["status"],
    ["join", "--controller", "192.0.2.1", "--system-id", "hv1"],
    ["leave"],
    ["attach", "tap", "lo", "v"],
    ["attach-uplink", "lo", "wan"],
    ["detach-uplink", "wan"],
)
"""Commands that need the switch's database."""
SAID_BY_VSCTL = (
    ("database connection failed (No such file or directory)", "it does not run", "start the instance"),
    ("database connection failed (Connection refused)", "it does not run", "start the instance"),
    ("database connection failed (Permission denied)", "is not for you", "run it as root"),
    ("terminating with signal 14 (Alarm clock)", "no answer within 10 s", "start the instance"),
)


@pytest.mark.parametrize("argv", ASKING, ids=lambda argv: argv[0])
def test_a_host_without_open_vswitch_is_told_what_to_install(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ip = tmp_path / "ip"
    ip.write_text("""#!/bin/sh\necho '[{"ifname": "lo"}]'\n""")
    ip.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([*argv, "--rundir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "error: ovs-vsctl\n  ovs-vsctl is not installed\n  apt install openvswitch-switch\n"
    )


@pytest.mark.parametrize(("said", "cause", "remedy"), SAID_BY_VSCTL)
def test_an_open_vswitch_that_does_not_answer_is_named_with_what_to_do(
    said: str, cause: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    vsctl = tmp_path / "ovs-vsctl"
    vsctl.write_text(f"#!/bin/sh\necho 'ovs-vsctl: unix:x: {said}' >&2\nexit 1\n")
    vsctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert main(["status", "--rundir", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: Open vSwitch" and len(lines) == 3
    assert cause in lines[1] and f"{tmp_path}/db.sock" in lines[1] and "--columns" not in lines[1]
    assert lines[2].startswith(f"  {remedy}")


def test_the_systems_own_open_vswitch_is_started_by_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OVS_RUNDIR", raising=False)
    vsctl = tmp_path / "ovs-vsctl"
    vsctl.write_text(f"#!/bin/sh\necho 'ovs-vsctl: unix:x: {SAID_BY_VSCTL[1][0]}' >&2\nexit 1\n")
    vsctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert main(["status"]) == 1
    assert "systemctl start openvswitch-switch" in capsys.readouterr().err
