"""A real Prometheus scrapes /metrics of a lab whose machines talk. Lab prefix "pm"."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nshell.lab.probing import wait_until
from tests.system.network import Network, machine
from tests.transcripts.shell import free_ports

TOKEN = "pm-5b1d2c7e90-a41f"
SENT = "nshell_vport_sends_packets_total"
PINGS = 40
PATIENCE = 60.0
SETTINGS = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s }}
scrape_configs:
  - job_name: nshell
    scheme: https
    authorization: {{ credentials_file: {folder}/token }}
    tls_config: {{ ca_file: {folder}/authority.pem, server_name: localhost }}
    static_configs: [ {{ targets: [ "127.0.0.1:{port}" ] }} ]
"""


class Prometheus:
    """Debian's Prometheus, for one target."""

    def __init__(self, folder: Path, port: int) -> None:
        (folder / "token").write_text(TOKEN + "\n")
        (folder / "prometheus.yml").write_text(SETTINGS.format(folder=folder, port=port))
        own = free_ports(1)[0]
        self.base = f"http://127.0.0.1:{own}/api/v1"
        with (folder / "prometheus.log").open("w") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{own}"], stdout=log, stderr=log,
            )  # fmt: skip

    def ask(self, path: str, **query: str) -> dict[str, object]:
        """What its API says; nothing while it starts."""
        url = f"{self.base}/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                said: dict[str, object] = json.load(answer)["data"]
                return said
        except OSError:
            return {}

    def health(self) -> str:
        """Of the target, with the last error."""
        targets = self.ask("targets").get("activeTargets") or []
        return " ".join(f"{target['health']} {target['lastError']}".strip() for target in targets)  # type: ignore[attr-defined]

    def value(self, query: str) -> float | None:
        """The value of the one series that a query finds; None when there is none."""
        rows = self.ask("query", query=query).get("result") or []
        assert len(rows) < 2, rows  # type: ignore[arg-type]
        return float(rows[0]["value"][1]) if rows else None  # type: ignore[index]

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    placed = (machine("web-1", "hv1", 1, 11), machine("web-2", "hv2", 1, 12))
    policy = """
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11
set enterprise acme domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12
"""
    made = Network(tmp_path, "pm", machines=placed, policy=policy, hypervisors=2)
    try:
        yield made
        assert "Traceback" not in made.shell.log(), made.shell.log()
    finally:
        made.close()


def test_a_prometheus_sees_the_target_up_and_the_right_values(network: Network, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    network.commit(
        "set telemetry polling-interval 1",
        f"set web listen-address 127.0.0.1 port {port} metrics-token {TOKEN}",
    )
    (tmp_path / "authority.pem").write_text(network.run("show web authority"))
    assert TOKEN not in network.run("show configuration", "show system commit")
    prometheus = Prometheus(tmp_path, port)
    try:
        assert wait_until(lambda: prometheus.health() == "up", PATIENCE, 0.5), prometheus.health()
        here = '{enterprise="acme",domain="prod",zone="web",subnet="web1",vport="web-1"}'
        sent = SENT + here
        assert wait_until(lambda: prometheus.value(f"nshell_vport_up{here}") == 1, PATIENCE, 0.5)
        assert wait_until(lambda: prometheus.value(sent) is not None, PATIENCE, 0.5)
        before = prometheus.value(sent)
        assert before is not None
        with network.lab.ping_stream("web-1", "web-2", rate=20.0) as stream:
            assert wait_until(lambda: (prometheus.value(sent) or 0.0) >= before + PINGS, PATIENCE, 0.5)
            report = stream.stop()
        assert report["sent"] >= PINGS

        def agrees() -> bool:
            """Prometheus' value, /metrics itself and the command say the same once nothing is sent any more."""
            value = prometheus.value(sent)
            return value is not None and value == metric(port, "web-1", SENT) and value >= before + report["sent"]

        assert wait_until(agrees, PATIENCE, 1.0), (prometheus.value(sent), metric(port, "web-1", SENT), before, report)
        total = prometheus.value(sent)
        assert total is not None and total < before + report["sent"] + 40, "ARP and ND are all there is besides"
        where = prometheus.ask("query", query=f"nshell_vport_info{here}")["result"][0]["metric"]  # type: ignore[index]
        assert where["dvrs"] == "hv1" and len(where["uuid"]) == 36
        assert prometheus.value('nshell_dvrs_ready{dvrs="hv2"}') == 1
        assert prometheus.value('nshell_dvrs_vports{dvrs="hv2"}') == 1
        assert prometheus.value("nshell_configuration_revision") == network.rows("show system commit")[0]["revision"]
        network.commit("set web metrics-token another-token-of-ours")
        assert wait_until(lambda: "403" in prometheus.health(), PATIENCE, 0.5), prometheus.health()
    finally:
        prometheus.close()


def metric(port: int, vport: str, name: str) -> float | None:
    """One value of a vport in /metrics, read with curl and prometheus-client's parser."""
    done = subprocess.run(
        ["curl", "-sk", "-m", "20", "-H", f"Authorization: Bearer {TOKEN}", f"https://127.0.0.1:{port}/metrics"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    samples = (sample for family in text_string_to_metric_families(done.stdout) for sample in family.samples)
    return next((one.value for one in samples if one.name == name and one.labels.get("vport") == vport), None)
