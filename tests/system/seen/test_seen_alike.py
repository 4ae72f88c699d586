"""While iperf3 runs: dashboard, `show statistics`, /metrics and Open vSwitch say the same; nothing of a series is
missing or too much when a machine moves, flows change, a switch is restarted and the daemon is killed. Lab prefix "se".

    web-1 (hv1) ── UDP 4 Mbit/s ──> web-2 (hv2)          web-1 (hv1) ── TCP 3 Mbit/s ──> app-2 (hv3)
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.telemetry.keys import Measure, SeriesKey
from nshell.lab.probing import wait_until
from tests.system.network import POLICY
from tests.system.openssh import OpenSsh, new_key, public
from tests.system.pane import Pane
from tests.system.seen.counted import COUNTERS, Counted
from tests.system.seen.iperf import Iperf
from tests.transcripts.shell import free_ports
from views.models import Octets, Rate
from views.table import cell_text

TOKEN = "se-71d0c2e4b8-90c3"
INTERVAL = 2.0  # seconds between two looks
ADDED_UP = 0.5  # seconds after which Open vSwitch adds up what its datapath counted
PATIENCE = 60.0
MEGABIT = 125_000.0  # bytes per second
PAYLOAD = 1200
UDP = 4 * MEGABIT * (PAYLOAD + 42) / PAYLOAD  # bytes per second of frames: Ethernet, IPv4 and UDP around each payload
TCP = 3 * MEGABIT * 1464 / 1398  # the same with 1398 bytes in a frame of 1464
MACHINES = {"web-1": "hv1", "web-2": "hv2", "app-2": "hv3"}
MEASURES = ("sends bytes", "sends packets", "gets bytes", "gets packets")
BUSY = {("web-1", "sends bytes"): UDP + TCP, ("web-2", "gets bytes"): UDP, ("app-2", "gets bytes"): TCP}
"""What passes while both run, in bytes per second."""
FRESH = 20
"""Packets that a machine may get and nobody counts while flows that deliver to it are new."""
FRAMES = 3000
"""Sent at once: more than the 212,992 bytes (net.core.rmem_default) hold that wait for Open vSwitch."""
BURST = 1.6  # a look has what was added up in 2.5 s rather than 2, and a busy machine sends late what it is late with
SETTINGS = f"""
set enterprise acme domain prod ingress-default allow
set telemetry polling-interval {INTERVAL:g}
"""
Counts = Mapping[str, int]
"""Measure, as `show statistics` writes it, -> total."""


@dataclass(frozen=True, slots=True)
class Said:
    """What `show statistics` says of a vport: totals, and rates of bytes in bits per second."""

    totals: Counts
    rates: Mapping[str, float]


class Everywhere(Counted):
    """The network, with SSH and web servers, and all that shows counters."""

    def serve(self, folder: Path) -> None:
        """Let an operator in by both ways."""
        ssh, self.web = free_ports(2)
        key = new_key(folder, "id")
        self.commit(
            f"set ssh listen-address 127.0.0.1 port {ssh}",
            f"set web listen-address 127.0.0.1 port {self.web} metrics-token {TOKEN}",
            f"set user ann class super-user ssh-key {public(key)}",
        )
        self.ssh = OpenSsh(folder, ssh, "ann", key)

    def statistics(self) -> dict[str, Said]:
        """`show statistics vport NAME | json`, of each in one session."""
        lines = [f"show statistics vport acme/prod/{name} | json" for name in MACHINES]
        text, found = self.run(*lines), {}
        for name in MACHINES:
            document, end = json.JSONDecoder().raw_decode(text.lstrip())
            text = text.lstrip()[end:]
            rows = {row["measure"]: row for row in document["rows"] if row["measure"] in MEASURES}
            found[name] = Said(
                {measure: int(rows[measure]["total"] or 0) for measure in MEASURES},
                {measure: float(rows[measure]["now"] or 0) for measure in MEASURES if measure.endswith("bytes")},
            )
        return found

    def metrics(self) -> dict[str, Counts]:
        """/metrics, by vport."""
        done = subprocess.run(
            ["curl", "-sk", "-m", "20", "-H", f"Authorization: Bearer {TOKEN}", f"https://127.0.0.1:{self.web}/metrics"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        found: dict[str, dict[str, int]] = {name: dict.fromkeys(MEASURES, 0) for name in MACHINES}
        for family in text_string_to_metric_families(done.stdout):
            for one in family.samples:
                measure = one.name.removeprefix("nshell_vport_").removesuffix("_total").replace("_", " ")
                if measure in MEASURES and one.labels.get("vport") in found:
                    found[one.labels["vport"]][measure] = int(one.value)
        return found

    def flow_counts(self, name: str) -> Counts:
        """What Open vSwitch's flows have counted: those that a vport's packets enter by, and leave by to it."""
        dvrs = MACHINES[name]
        port = self.lab.ovs(dvrs).vsctl("get", "Interface", f"tap-{name}", "ofport").strip()
        counts = dict.fromkeys(MEASURES, 0)
        for way, flow in (
            ("sends", rf"table=0,.*in_port={port},vlan_tci=0x0000"),
            ("gets", rf"actions=.*output:{port}\b"),
        ):
            for line in self.lab.ofctl(dvrs, "dump-flows", "--no-names").splitlines():
                number = re.search(r"n_packets=(\d+), n_bytes=(\d+)", line)
                if number is not None and re.search(flow, line):
                    counts[f"{way} packets"] += int(number[1])
                    counts[f"{way} bytes"] += int(number[2])
        return counts

    def port_counts(self, name: str) -> Counts:
        """What ovs-vsctl says of the interface: every 5 s Open vSwitch writes it down."""
        text = self.lab.ovs(MACHINES[name]).vsctl("get", "Interface", f"tap-{name}", "statistics")
        number = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", text)}
        return {
            f"{ours} {what}": number[f"{way}_{what}"]
            for ours, way in (("sends", "rx"), ("gets", "tx"))
            for what in ("bytes", "packets")
        }

    def unread(self, name: str) -> int:
        """Packets that a port has counted and Open vSwitch never saw: the port is the kernel's, whose queue towards
        Open vSwitch (an AF_PACKET socket) was full. Since the switch was started; 'd' of skmem in ss(8)."""
        text = self.lab.on_hypervisor(MACHINES[name], ["ss", "-0", "-a", "-m", "-n", "-H"])
        found = re.search(rf":tap-{name}\s.*?,d(\d+)\)", text, re.DOTALL)
        assert found is not None, text
        return int(found[1])

    def machine_counts(self, name: str) -> Counts:
        """What the machine's own kernel says."""
        said = self.interface(name)
        return {str(measure).replace("-", " "): said[counter] for measure, counter in COUNTERS.items()}

    def received(self, name: str) -> tuple[int, int]:
        """IP packets that came to a machine, and their bytes as frames; not of an interface, so that it goes on over a
        move."""
        text = self.lab.exec(name, ["cat", "/proc/net/snmp", "/proc/net/netstat"]).stdout
        number: dict[str, int] = {}
        for names, values in re.findall(r"^(?:Ip|IpExt): (\D.*)\n\w+: (.*)$", text, re.MULTILINE):
            number |= dict(zip(names.split(), map(int, values.split()), strict=True))
        return number["InReceives"], number["InOctets"] + 14 * number["InReceives"]

    def course(self, name: str, label: str, since: float, until: float) -> list[float | None]:
        """The values of `graph throughput | json` of the steps that lie between two times, in bytes per second."""
        text = self.run(f"graph throughput vport acme/prod/{name} since 3m | json")
        document = json.loads(text)
        begin, step = datetime.fromisoformat(document["since"]).timestamp(), document["step"]
        values = next(line["values"] for line in document["lines"] if line["label"] == label)
        return [
            None if value is None else value / 8
            for at, value in enumerate(values)
            if begin + at * step >= since and begin + (at + 1) * step <= until
        ]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everywhere]:
    folder = tmp_path_factory.mktemp("network")
    network = Everywhere(folder, "se", policy=POLICY + SETTINGS)
    try:
        network.serve(folder)
        yield network
        assert "Traceback" not in network.shell.log(), network.shell.log()
    finally:
        network.close()


@pytest.fixture
def pane(network: Everywhere, tmp_path: Path) -> Iterator[Pane]:
    made = Pane(tmp_path, network.ssh.command(), 200, 48)
    try:
        assert wait_until(lambda: "ann@nshell>" in made.screen, PATIENCE), made.screen
        made.type("dashboard vports", "Enter")
        yield made
    finally:
        made.close()


def on_screen(pane: Pane, name: str) -> dict[str, str]:
    """The cells of a vport's row on the dashboard, by the titles of their columns; nothing before it is drawn."""
    lines = pane.screen.splitlines()
    head = next((line for line in lines if "Sends" in line and "Got" in line), None)
    row = next((line for line in lines if re.match(rf"[▸ ] {name} ", line)), None)
    if head is None or row is None:
        return {}
    cells = re.split(r"\s{2,}", row[2:].strip())
    return dict(zip(re.split(r"\s{2,}", head.strip()), cells, strict=False))


def as_shown(said: Said) -> dict[str, str]:
    """What a dashboard has to write for it."""
    return {
        "Sends": cell_text(Rate(said.rates["sends bytes"])), "Gets": cell_text(Rate(said.rates["gets bytes"])),
        "Sent": cell_text(Octets(said.totals["sends bytes"])), "Got": cell_text(Octets(said.totals["gets bytes"])),
    }  # fmt: skip


def same_on_screen(cells: Mapping[str, str], *said: Said) -> bool:
    """Whether a row is what `show statistics` says, or said just before."""
    return any(as_shown(one).items() <= cells.items() for one in said)


def test_the_numbers_of_one_moment_are_the_same_wherever_they_are_shown(network: Everywhere, pane: Pane) -> None:
    streams = (
        Iperf(network.lab, "web-1", "web-2", "4M", udp=PAYLOAD),
        Iperf(network.lab, "web-1", "app-2", "3M", port=5202),
    )
    differing: list[str] = []

    def alike_while_it_runs() -> bool:
        """All that is said within a second or two, and what the switches counted before and after."""
        before = {name: network.flow_counts(name) for name in MACHINES}
        earlier, scraped = network.statistics(), network.metrics()
        pane.type("r")
        seen = wait_until(
            lambda: same_on_screen(on_screen(pane, "web-1"), network.statistics()["web-1"]), INTERVAL, 0.1
        )
        shown, after = network.statistics(), {name: network.flow_counts(name) for name in MACHINES}
        differing[:] = [] if seen else [f"dashboard {on_screen(pane, 'web-1')}, not {as_shown(shown['web-1'])}"]
        for (name, measure), rate in BUSY.items():
            least, most = before[name][measure] - rate * (INTERVAL + ADDED_UP), after[name][measure]
            for where, total in (
                ("show statistics", earlier[name].totals[measure]), ("/metrics", scraped[name][measure]),
                ("show statistics", shown[name].totals[measure]),
            ):  # fmt: skip
                if not least <= total <= most:
                    differing.append(f"{where}: {measure} of {name} {total}, the switch {least:.0f} to {most}")
            if not rate / BURST < shown[name].rates[measure] / 8 < rate * BURST:
                differing.append(f"{measure} of {name} at {shown[name].rates[measure]} bit/s")
        return not differing

    try:
        assert wait_until(alike_while_it_runs, PATIENCE, 0.1), differing
    finally:
        for stream in streams:
            stream.stop()

    def alike_at_rest() -> bool:
        """Nothing is sent any more: now all is equal, to the byte."""
        said, scraped = network.statistics(), network.metrics()
        differing.clear()
        for name in MACHINES:
            flows, port, kernel = network.flow_counts(name), network.port_counts(name), network.machine_counts(name)
            if not said[name].totals == scraped[name] == flows:
                differing.append(f"{name}: statistics {said[name].totals}, /metrics {scraped[name]}, flows {flows}")
            unread = network.unread(name)
            if port != kernel or port["sends packets"] - flows["sends packets"] != unread:
                differing.append(f"{name}: port {port}, kernel {kernel}, flows {flows}, unread {unread}")
            if port["gets bytes"] != flows["gets bytes"]:
                differing.append(f"{name}: port {port}, flows {flows}")
            if not same_on_screen(on_screen(pane, name), said[name]):
                differing.append(f"{name}: dashboard {on_screen(pane, name)}, not {as_shown(said[name])}")
        return not differing

    assert wait_until(alike_at_rest, PATIENCE, 0.5), differing
    for name, said in network.statistics().items():
        print(f"{name}: {dict(said.totals)}, on the dashboard {as_shown(said)}, the port {network.port_counts(name)}")


def test_what_a_machine_sends_is_counted_to_the_packet_or_was_never_read_by_open_vswitch(network: Everywhere) -> None:
    def counts() -> tuple[int, int, int]:
        return (
            network.machine_counts("web-1")["sends packets"], network.flow_counts("web-1")["sends packets"],
            network.unread("web-1"),
        )  # fmt: skip

    before = counts()
    script = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    script += f"for n in range({FRAMES}): s.sendto(b'x' * 100, ('10.1.1.12', 9000 + n % 3))"
    network.lab.exec("web-1", ["python3", "-c", script])

    def all_told() -> bool:
        sent, counted, unread = (now - then for now, then in zip(counts(), before, strict=True))
        return FRAMES <= sent == counted + unread

    assert wait_until(all_told, PATIENCE, 0.3), (before, counts())
    now = counts()
    print(f"of {FRAMES} packets at once {now[1] - before[1]} are counted, {now[2] - before[2]} were never read")


def test_a_series_has_neither_gap_nor_jump_over_a_move_a_commit_a_restarted_switch_and_a_killed_daemon(
    network: Everywhere,
) -> None:
    lab, sender, receiver = network.lab, network.vport("web-1"), network.vport("web-2")
    before = network.settled()
    came, left = network.received("web-2"), network.interface("web-1")["tx packets"] - network.unread("web-1")
    stream = Iperf(lab, "web-1", "web-2", "4M", udp=PAYLOAD)
    try:
        time.sleep(2 * INTERVAL)  # two looks without anything
        since = time.time()
        lab.move("web-2", "hv3")
        network.ready()
        time.sleep(2 * INTERVAL)
        network.commit("set enterprise acme domain prod zone web subnet web1 vni 10101")  # replaces flows that count
        time.sleep(INTERVAL)
        lab.restart_switch("hv3")
        network.ready()
        time.sleep(2 * INTERVAL)
        network.restart_controller()
        time.sleep(3 * INTERVAL)
        until = time.time() - INTERVAL
    finally:
        stream.stop()
    after = network.settled()

    def grown(key: SeriesKey, measure: Measure) -> int:
        return after[key][measure] - before.get(key, {}).get(measure, 0)

    really = [now - then for now, then in zip(network.received("web-2"), came, strict=True)]
    sent = network.interface("web-1")["tx packets"] - network.unread("web-1") - left
    courses = {name: network.course(name, way, since, until) for name, way in (("web-1", "sends"), ("web-2", "gets"))}
    print(
        f"web-1 sent {sent} packets, counted {grown(sender, Measure.SENDS_PACKETS)}; web-2 got {really[0]} packets of "
        f"{really[1]} bytes, counted {grown(receiver, Measure.GETS_PACKETS)} of {grown(receiver, Measure.GETS_BYTES)}; "
        f"in steps of bytes per second {courses}"
    )
    assert sent == grown(sender, Measure.SENDS_PACKETS)
    untold = 2 * ADDED_UP + INTERVAL + 2 * ADDED_UP  # seconds that a move and a restarted switch may cost
    assert really[1] - UDP * untold <= grown(receiver, Measure.GETS_BYTES) <= really[1] + FRESH * 1242
    for name, course in courses.items():
        assert len(course) >= 2, course
        assert all(value is not None and 0 <= value <= UDP * BURST for value in course), (name, course)
    assert all(value is not None and value >= UDP / BURST for value in courses["web-1"]), courses
