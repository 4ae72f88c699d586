"""Every check of `nshell doctor` on a machine that is well and on machines that are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from data.path import Path as ObjectPath
from data.schema.base import Object
from data.schema.wan import Bgp, UnderlayListener
from data.store import Revision, Store
from nshell.doctor import daemon, fabric, program, state, switch, wan
from nshell.doctor.checks import CHECKS
from nshell.doctor.finding import Check
from nshell.doctor.machine import Listener, Machine
from nshell.places import SYSTEM_STATE
from tests.unit.service import broken
from tests.unit.service.broken import MadeUp

ROOT = Path(__file__).parents[3]
DAY = 86400
SYSTEMD = {daemon.SYSTEMD: True}


def store(folder: Path) -> Path:
    """A state directory with a store in it."""
    Store.open(folder / "state").close()
    return folder / "state"


def damaged(folder: Path) -> Path:
    """The same with a page overwritten in the middle of the database."""
    place = store(folder)
    with (place / "nshell.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)
    return place


def units(enabled: str, active: str) -> dict[str, tuple[int, str]]:
    """What systemctl says of the service."""
    return {
        "systemctl is-enabled nshell.service": (0, enabled),
        "systemctl is-active nshell.service": (0, active),
    }


def file(place: Path, name: str, text: str) -> Path:
    place.mkdir(exist_ok=True)
    (place / name).write_text(text)
    return place


def open_to_all(folder: Path) -> Path:
    place = store(folder)
    place.chmod(0o755)
    return place


def listener(address: str, port: int) -> Listener:
    return Listener(ip_address(address), port, "0")


@dataclass(frozen=True)
class Case:
    """A machine, and what the check finds there: the state, and words of the finding and of the remedy."""

    check: Check
    make: Callable[[Path], Machine]
    state: str
    found: str = ""
    remedy: str = ""


def on(**facts: Any) -> Callable[[Path], Machine]:
    """A machine of which these facts are made up."""
    return lambda folder: MadeUp(folder / "state", **facts)


def system(**facts: Any) -> Callable[[Path], Machine]:
    """The same with the system's own state directory."""
    return lambda folder: MadeUp(SYSTEM_STATE, **facts)


def trusting(days: float, text: str = "") -> Callable[[Path], Machine]:
    """A controller whose certificate ends so many days from now, with another file beside it."""

    def make(folder: Path) -> Machine:
        broken.certificate(folder / "trust/a.pem", days)
        if text:
            (folder / "trust/b.pem").write_text(text)
        return MadeUp(folder)

    return make


def trusted(days: float) -> Callable[[Path], Machine]:
    """A hypervisor whose certificate ends so many days from now."""
    return lambda folder: MadeUp(folder, broken.switch(certificate=broken.certificate(folder / "c.pem", days)))


def configured(path: ObjectPath, item: Object, **facts: Any) -> Callable[[Path], Machine]:
    """A controller whose store has this object."""

    def make(folder: Path) -> Machine:
        made = Store.open(folder / "state")
        made.commit({path: item}, Revision(1, "test", 0.0, ""), {}, [])
        made.close()
        return MadeUp(folder / "state", **facts)

    return make


BGP = (("bgp",), Bgp(uuid="00000000-0000-0000-0000-000000000001", autonomous_system=65000))
HEARD = (("underlay-listener", "x"), UnderlayListener(uuid="00000000-0000-0000-0000-000000000002", protocol="isis"))
MODULES = f"/lib/modules/{os.uname().release}/modules"
AGENT = ["python", "-m", "nshell.main", "agent", "run"]
LIMITS = "Limit  Soft  Hard  Units\nMax open files            1024                 4096                 files\n"
ROUTE = "ip -json route show default"
CASES = (
    Case(program.python, on(), "ok", "3."),
    Case(program.packages, on(), "ok", "imported"),
    Case(program.clock, on(), "ok"),
    Case(program.clock, on(kept=False), "warning", "nothing keeps it", "timedatectl"),
    Case(program.clock, on(now=DAY), "missing", "earlier", "timedatectl"),
    Case(program.locale, on(), "ok", "C.UTF-8"),
    Case(program.locale, on(environ={"LANG": "C"}), "warning", "C", "export LC_ALL"),
    Case(program.terminal, on(), "ok", "xterm"),
    Case(program.terminal, on(environ={"TERM": "dumb"}), "warning", "dumb", "export TERM"),
    Case(state.directory, lambda folder: MadeUp(store(folder)), "ok", "mode 0700"),
    Case(state.directory, on(), "ok", "not there yet"),
    Case(state.directory, lambda folder: MadeUp(open_to_all(folder)), "missing", "mode 0755", "chmod go-rwx"),
    Case(state.space, lambda folder: MadeUp(store(folder), free=1 << 40), "ok", "1,048,576 MiB"),
    Case(state.space, lambda folder: MadeUp(store(folder), free=500 << 20), "warning", "500 MiB", "df"),
    Case(state.space, lambda folder: MadeUp(store(folder), free=5 << 20), "missing", "5 MiB", "df"),
    Case(state.filesystem, lambda folder: MadeUp(store(folder), filesystem="ext4"), "ok", "a sync takes"),
    Case(state.filesystem, lambda folder: MadeUp(store(folder), filesystem="tmpfs"), "warning", "tmpfs", "--state"),
    Case(state.filesystem, lambda folder: MadeUp(store(folder), filesystem="nfs4"), "missing", "nfs4", "local disk"),
    Case(state.store, lambda folder: MadeUp(store(folder)), "ok", "revision 0"),
    Case(state.store, lambda folder: MadeUp(damaged(folder)), "missing", "", "backup"),
    Case(state.store, lambda folder: MadeUp(file(folder / "s", "nshell.db", "text")), "missing", "", "backup"),
    Case(state.daemon_settings, on(), "ok", "sets nothing"),
    Case(
        state.daemon_settings,
        lambda folder: MadeUp(file(folder / "s", "nshell.conf", "log-level = loud\n")),
        "missing",
        "nshell.conf line 1",
        "choose debug",
    ),
    Case(state.group, system(environ={"NSHELL_GROUP": "none-such"}), "warning", "no group", "groupadd"),
    Case(state.group, system(environ={"NSHELL_GROUP": "nogroup"}), "warning", "no members", "usermod"),
    Case(daemon.answers, on(), "warning", "none runs", "nshell --state"),
    Case(daemon.service, system(there=SYSTEMD, runs=units("enabled", "active")), "ok", "enabled, active"),
    Case(
        daemon.service,
        system(there=SYSTEMD, runs=units("Failed to get", "inactive")),
        "warning",
        "not installed",
        "make install",
    ),
    Case(
        daemon.service, system(there=SYSTEMD, runs=units("disabled", "inactive")), "warning", "disabled", "enable --now"
    ),
    Case(daemon.service, system(there=SYSTEMD, runs=units("enabled", "failed")), "missing", "failed", "journalctl"),
    Case(daemon.descriptors, on(pid=7, texts={"/proc/7/limits": LIMITS.replace("1024", "65536")}), "ok", "65536"),
    Case(daemon.descriptors, on(pid=7, texts={"/proc/7/limits": LIMITS}), "warning", "1024", "LimitNOFILE"),
    Case(daemon.ports, on(listeners=[]), "ok", "6653 OpenFlow, 6640 OVSDB, 6641 agents: free"),
    Case(daemon.ports, on(listeners=[listener("192.0.2.1", 6640)]), "ok"),
    Case(daemon.ports, on(listeners=[listener("127.0.0.1", 6640)]), "missing", "6640 (OVSDB)", "ss -ltnp"),
    Case(wan.bgp, configured(*BGP, listeners=[listener("192.0.2.1", 179)]), "ok", "port 179 is free"),
    Case(wan.bgp, configured(*BGP, listeners=[listener("0.0.0.0", 179)]), "warning", "port 179 is taken", "ss -ltnp"),
    Case(wan.listeners, configured(*HEARD, there={"/usr/lib/frr/isisd": True}), "ok", "isisd is installed"),
    Case(
        wan.listeners,
        configured(*HEARD, there={"/usr/lib/frr/isisd": False}),
        "missing",
        "isisd is not installed",
        "apt install frr",
    ),
    Case(daemon.ports, on(listeners=[listener("::", 6653)]), "missing", "6653 (OpenFlow)", "ss -ltnp"),
    Case(daemon.certificates, trusting(90), "ok", "a.pem"),
    Case(daemon.certificates, trusting(3), "warning", "a.pem ends", "restart"),
    Case(daemon.certificates, trusting(-3), "missing", "a.pem ended", "restart"),
    Case(
        daemon.certificates,
        trusting(90, "-----BEGIN CERTIFICATE-----\nx"),
        "missing",
        "b.pem",
        "restart",
    ),
    Case(switch.installed, on(), "ok"),
    Case(switch.installed, on(without={"ovs-vsctl"}), "missing", "without ovs-vsctl", "apt install openvswitch-switch"),
    Case(switch.running, on(ovs=broken.switch()), "ok", "3.1.0"),
    Case(switch.running, on(), "missing", "does not run", "start it"),
    Case(switch.running, on(ovs=broken.switch(version="")), "missing", "does not run", "systemctl restart"),
    Case(switch.running, on(ovs=broken.switch(version="2.9.8")), "missing", "2.9.8", "2.13"),
    Case(switch.datapath, on(there={"/sys/module/openvswitch": True}), "ok", "loaded"),
    Case(
        switch.datapath,
        on(
            there={"/sys/module/openvswitch": False}, texts={f"{MODULES}.dep": "kernel/net/openvswitch/openvswitch.ko:"}
        ),
        "ok",
        "can be",
    ),
    Case(
        switch.datapath,
        on(there={"/sys/module/openvswitch": False}, texts={f"{MODULES}.dep": "", f"{MODULES}.builtin": ""}),
        "warning",
        "no module",
        "netdev",
    ),
    Case(switch.tools, on(), "ok"),
    Case(switch.tools, on(without={"tc", "tcpdump"}), "missing", "without tc, tcpdump", "apt install iproute2 tcpdump"),
    Case(
        fabric.underlay, on(ovs=broken.switch(), texts={"/sys/class/net/eth7/mtu": "1500\n"}), "ok", "eth7 takes 1500"
    ),
    Case(
        fabric.underlay,
        on(runs={ROUTE: (0, '[{"dev": "eth9"}]')}, texts={"/sys/class/net/eth9/mtu": "1400\n"}),
        "missing",
        "eth9 takes 1400 bytes, 1350",
        "ip link set dev eth9 mtu 1500",
    ),
    Case(fabric.joined, on(ovs=broken.switch()), "ok", "joined as hv1: 192.0.2.1"),
    Case(fabric.joined, on(ovs=broken.switch(joined=False)), "warning", "has not joined", "join-token"),
    Case(fabric.connected, on(ovs=broken.switch()), "ok", "2 to the controller"),
    Case(fabric.connected, on(ovs=broken.switch(connected=False)), "missing", "tcp:192.0.2.1:6640", "show dvrs"),
    Case(fabric.agent_runs, on(ovs=broken.switch(), processes=[(7, AGENT)]), "ok", "pid 7"),
    Case(
        fabric.agent_runs,
        on(ovs=broken.switch(), processes=[(7, ["vi", "agent"])]),
        "missing",
        "none runs",
        "nshell-agent",
    ),
    Case(fabric.certificates, trusted(60), "ok", "c.pem"),
    Case(fabric.certificates, trusted(-1), "missing", "ended", "token"),
)


def name(case: Case) -> str:
    return f"{case.check.__module__.rpartition('.')[2]}.{case.check.__name__}-{case.state}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_check_says_how_it_is_and_what_mends_it(case: Case, tmp_path: Path) -> None:
    found = case.check(case.make(tmp_path))
    assert found is not None
    assert (found.state, case.found in found.found, case.remedy in found.remedy) == (case.state, True, True), found
    assert bool(found.remedy and found.meaning) == (found.state != "ok")


SEEN_ELSEWHERE = {
    program.python: "an interpreter that is too old cannot run this test",
    program.packages: "test_a_package_that_cannot_be_imported_is_named",
    daemon.answers: "tests/transcripts/test_doctor.py, with a daemon",
    state.group: "test_the_group_is_well_when_it_has_members",
}


@pytest.mark.parametrize("check", [wan.bgp, wan.listeners])
def test_nothing_is_said_of_the_world_outside_while_it_is_not_configured(check: Check, tmp_path: Path) -> None:
    assert check(MadeUp(store(tmp_path), listeners=[listener("0.0.0.0", 179)])) is None


def test_every_check_is_seen_well_and_unwell() -> None:
    for _, check in CHECKS:
        seen = {case.state == "ok" for case in CASES if case.check is check}
        assert seen == {True, False} or check in SEEN_ELSEWHERE, check
