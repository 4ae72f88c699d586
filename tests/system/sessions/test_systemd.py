"""The units under a real systemd: one of its own, first process of namespaces that end with it.

    unshare: mounts, processes, cgroups, network ── systemd ── nshell.service, as installed and as confined
                                                        └── probe.service: the commands of the test, one after another
/run, /var/lib, /var/log, Open vSwitch and the accounts are the namespace's; what the kernel has for all (/proc/sys)
cannot be written.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import cannot_run

ROOT = Path(__file__).parents[3]
SYSTEMD = Path("/lib/systemd/systemd")
CGROUPS = [Path("/sys/fs/cgroup") / name for name in ("systemd", "unified", "")]
BOOT = 60
"""Seconds for systemd to come up, run the commands and end; it takes 8."""
MEMBER = "setpriv --reuid 65534 --regid 65534 --groups 990"
STRANGER = "setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent"
COMMANDS = {
    "state": "systemctl show nshell -p ActiveState,NRestarts,StatusText",
    "places": "stat -c '%n %U:%G %a' /run/nshell /run/nshell/nshell.sock /var/lib/nshell /var/lib/nshell/nshell.db",
    "process": "cat /proc/$(cat /var/lib/nshell/lock)/status",
    "root": 'nshell -c configure -c "set enterprise acme" -c commit',
    "member": f'{MEMBER} nshell -c "show version"',
    "stranger": f'{STRANGER} nshell --no-start -c "show version"',
    "doctor": "nshell doctor controller --json",
    "switch": "mkdir /run/openvswitch && ovsdb-tool create /run/conf.db /usr/share/openvswitch/vswitch.ovsschema &&"
    " ovsdb-server --detach --pidfile --remote=punix:/run/openvswitch/db.sock"
    " --remote=db:Open_vSwitch,Open_vSwitch,manager_options /run/conf.db &&"
    " ovs-vsctl --no-wait init &&"
    " ovs-vswitchd --detach --pidfile --log-file=/run/vswitchd.log &&"
    " nshell agent join --controller 127.0.0.1 --system-id hv1 --datapath netdev",
    "agent": "systemctl start nshell-agent; sleep 2; systemctl show nshell-agent -p ActiveState,NRestarts;"
    " nshell agent status; cat /proc/$(systemctl show nshell-agent -P MainPID)/status",
    "ready": 'nshell -c configure -c "set dvrs hv1 tunnel-address 172.31.0.1" -c commit;'
    ' for i in $(seq 40); do nshell -c "show dvrs" | grep -q "^hv1.*ready" && break; sleep 0.5; done;'
    ' nshell -c "show dvrs"; ovs-vsctl show',
    "hypervisor": "nshell doctor hypervisor --json",
    "reload": "mv /var/log/nshell/nshell.log /var/log/nshell/former && systemctl reload nshell && sleep 0.5 &&"
    ' nshell -c "show version" && cat /var/log/nshell/nshell.log',
    "killed": "sleep 60 &"
    " for at in $(find /sys/fs/cgroup -name nshell.service); do echo $! > $at/cgroup.procs; done;"
    " kill -9 $(cat /var/lib/nshell/lock); sleep 3; systemctl show nshell -p ActiveState,NRestarts;"
    " kill -0 $! && echo what it began goes on;"
    ' nshell -c "show enterprises"',
    "stop": "systemctl stop nshell nshell-agent; systemctl show nshell -p ActiveState,Result; ls /var/lib/nshell",
    "member-down": f'{MEMBER} nshell -c "show version"',
    "root-down": 'nshell -c "show version"',
    "log": "cat /var/log/nshell/former",
}
INNER = """\
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/accounts /run/lib /run/log /run/etc
cp /etc/passwd /etc/group /run/accounts
echo 'nshell:x:990:990::/var/lib/nshell:/usr/sbin/nologin' >> /run/accounts/passwd
echo 'nshell:x:990:' >> /run/accounts/group
mount --bind /run/accounts/passwd /etc/passwd
mount --bind /run/accounts/group /etc/group
mount --bind /run/lib /var/lib
mount --bind /run/log /var/log
mount -t tmpfs tmpfs /etc/openvswitch
ln -s /dev/null /run/systemd/system/openvswitch-switch.service
for unit in nshell nshell-agent; do
    mkdir -p /run/systemd/system/$unit.service.d
    cp "$1"/usr/lib/systemd/system/$unit.service /run/systemd/system
    cp "$1"/drop-in.conf /run/systemd/system/$unit.service.d
done
cp "$1"/probe.service "$1"/test.target /run/systemd/system
ip link set lo up
export container=lxc
exec /lib/systemd/systemd --system --unit=test.target --log-target=console
"""
FILES = {
    # Only what belongs to a whole system is left out: no other unit runs here, and the program is in /tmp.
    "drop-in.conf": "[Unit]\nDefaultDependencies=no\nWants=\nAfter=\n[Service]\nPrivateTmp=no\n"
    "Environment=NSHELL_LOG=/var/log/nshell/nshell.log\n",
    "test.target": "[Unit]\nDefaultDependencies=no\nWants=nshell.service probe.service\n",
    "probe.service": "[Unit]\nDefaultDependencies=no\nWants=nshell.service\nAfter=nshell.service\n"
    "[Service]\nType=oneshot\nExecStart=/bin/sh {place}/probe.sh\n",
}


class Answers:
    """What each of the commands said, and its exit code."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __getitem__(self, name: str) -> tuple[int, str]:
        return int((self.place / f"{name}.code").read_text()), (self.place / f"{name}.out").read_text()


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    """Boot, run every command, and end; nothing of it stays."""
    if not SYSTEMD.exists() or shutil.which("setpriv") is None:
        cannot_run("systemd is not installed: ./bootstrap.sh packages")
    groups = [folder / f"nshell-test-{os.getpid()}" for folder in CGROUPS if (folder / "cgroup.procs").exists()]
    place = Path(tempfile.mkdtemp(prefix="nshell-systemd-"))
    try:
        place.chmod(0o755)  # the service's user runs the program that is in it
        prepare(place)
        try:
            for group in groups:
                group.mkdir()
        except OSError as problem:
            cannot_run(f"no control group can be made here: {problem}")
        enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
        done = subprocess.run(
            ["sh", "-c", f"{enter} exec timeout --kill-after=5 {BOOT} unshare --mount --pid --cgroup --uts --ipc --net"
             f" --fork --kill-child sh {place}/inner.sh {place}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not (place / "log.code").exists():
            said = [file.read_text() for file in place.glob("*.out")]
            pytest.fail(f"systemd did not come to the end of the commands: {done.stdout}{done.stderr}{said}")
        yield Answers(place)
    finally:
        shutil.rmtree(place)
        for group in groups:
            for folder, _, _ in os.walk(group, topdown=False):  # nothing where it was not made
                os.rmdir(folder)


def prepare(place: Path) -> None:
    """The program as `make install` installs it, and what runs in the namespace."""
    subprocess.run(
        [sys.executable, "packaging/install.py", "--files-only", "--prefix", f"{place}/usr", "--sysconfdir",
         f"{place}/etc"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (place / "inner.sh").write_text(INNER)
    for name, text in FILES.items():
        (place / name).write_text(text.format(place=place))
    probe = [f"export PATH={place}/usr/bin:$PATH LC_ALL=C.UTF-8 TERM=xterm", "unset NSHELL_STATE"]
    for name, command in COMMANDS.items():
        probe.append(f"({command}) > {place}/{name}.out 2>&1; echo $? > {place}/{name}.code")
    (place / "probe.sh").write_text("\n".join([*probe, "systemctl exit 0", ""]))


def test_it_is_ready_when_it_serves_and_says_what(answers: Answers) -> None:
    code, said = answers["state"]
    assert code == 0
    assert {"ActiveState=active", "NRestarts=0", "StatusText=serving /var/lib/nshell, revision 0"} == set(said.split("\n")) - {""}  # fmt: skip  # noqa: E501


def test_its_places_are_its_own_and_its_group_s(answers: Answers) -> None:
    assert answers["places"][1].splitlines() == [
        "/run/nshell nshell:nshell 710",
        "/run/nshell/nshell.sock nshell:nshell 660",
        "/var/lib/nshell nshell:nshell 700",
        "/var/lib/nshell/nshell.db nshell:nshell 600",
    ]


def test_it_has_no_right_but_to_ports_below_1024(answers: Answers) -> None:
    facts = dict(line.split(":\t", 1) for line in answers["process"][1].splitlines() if ":\t" in line)
    bind_service = f"{1 << 10:016x}"
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {bind_service}
    assert (facts["NoNewPrivs"], facts["Seccomp"], facts["Uid"].split()[0]) == ("1", "2", "990")


def test_root_and_members_of_the_group_use_it_and_strangers_get_their_own(answers: Answers) -> None:
    assert answers["root"][0] == 0, answers["root"][1]
    code, said = answers["member"]
    assert (code, "/var/lib/nshell" in said) == (0, True), said
    code, said = answers["stranger"]
    assert (code, "/nonexistent/.local/state/nshell" in said) == (5, True), said


def test_the_doctor_sees_the_service(answers: Answers) -> None:
    _, said = answers["doctor"]
    for words in ("disabled, active", "/var/lib/nshell of nshell, mode 0700", "whole, ", "its own or free"):
        assert words in said, said


def test_a_confined_agent_looks_after_a_hypervisor_of_the_confined_controller(answers: Answers) -> None:
    assert answers["switch"][0] == 0, answers["switch"][1]
    _, said = answers["agent"]
    assert "ActiveState=active" in said and "NRestarts=0" in said, said
    assert f"CapEff:\t{1 << 1 | 1 << 12 | 1 << 13:016x}" in said, said  # override of file rights, network, raw sockets
    _, said = answers["ready"]
    assert "ready 1" in said, said
    findings = {one["check"]: one for one in json.loads(answers["hypervisor"][1])["findings"]}
    for check in ("Open vSwitch", "ovs-vswitchd", "agent", "connections", "agent process", "tools"):
        assert findings[check]["state"] == "ok", findings[check]


def test_a_reload_opens_the_log_again(answers: Answers) -> None:
    code, said = answers["reload"]
    assert (code, "session opened" in said) == (0, True), said
    assert "serving" in answers["log"][1]


def test_it_comes_back_after_a_kill_with_what_was_committed(answers: Answers) -> None:
    code, said = answers["killed"]
    assert code == 0, said
    assert "ActiveState=active" in said and "NRestarts=1" in said and "acme" in said
    assert "what it began goes on" in said, "its speaker keeps the sessions meanwhile"


def test_it_ends_gracefully_and_whoever_asks_hears_that_it_is_down(answers: Answers) -> None:
    code, said = answers["stop"]
    assert code == 0
    assert "ActiveState=inactive" in said and "Result=success" in said
    assert "nshell.db-wal" not in said  # the store was closed
    for name in ("member-down", "root-down"):
        code, said = answers[name]
        assert (code, "systemctl start nshell" in said) == (5, True), said
